/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters of a selection with their states, in batches: a scan, the filter, and the database asked once a batch.
 *
 * Thread: one.
 */
#ifndef SLUICE_DLQ_READER_H
#define SLUICE_DLQ_READER_H

#include <libpq-fe.h>

#include "dlq/deaths.h"
#include "dlq/filter.h"
#include "dlq/scan.h"

#define READER_BATCH 256

struct dlq_reader {
    struct dlq_scan *scan;
    const struct dlq_filter *filter;
    PGconn *conn;
    struct deaths *deaths; /* counts every letter it reads, selected or not; may be NULL */
};

/* Letters live for the call and may be changed. *stop ends the reading. */
typedef enum rc (*dlq_batch_fn)(struct letter *letters, size_t n, void *opaque, bool *stop, struct err *err);

enum rc dlq_read(const struct dlq_reader *r, dlq_batch_fn fn, void *opaque, struct err *err) MUST_USE;

#endif
