/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads dead-letter topics from their start to where their ends were when the scan was opened: committed records only,
 * one at a time, without a consumer group. A scan can be run again and then sees the same records, less those that
 * retention has deleted meanwhile.
 *
 * Thread: one.
 */
#ifndef SLUICE_DLQ_SCAN_H
#define SLUICE_DLQ_SCAN_H

#include <librdkafka/rdkafka.h>
#include <signal.h>

#include "base/option.h"
#include "dlq/letter.h"

struct dlq_scan_options {
    const struct config *cfg;
    const struct avro_set *set; /* outlives the scan */
    const char *const *topics;  /* without prefix; live longer than the letters */
    size_t n_topics;
    int32_t partition;                        /* only this one; -1 = all */
    int64_t offset;                           /* only this one; -1 = all */
    int timeout_ms;                           /* for an answer from Kafka, and between two records */
    const volatile sig_atomic_t *interrupted; /* not 0 = end; may be NULL */
};

struct dlq_scan;

/* RC_RETRY: no broker answers. Topics that do not exist are left out, see dlq_scan_topics. */
enum rc dlq_scan_open(const struct dlq_scan_options *opt, struct dlq_scan **out_scan, struct err *err) MUST_USE;
void dlq_scan_close(struct dlq_scan *s); /* accepts NULL */

size_t dlq_scan_topics(const struct dlq_scan *s); /* that exist */

/* The letter has its place, headers and row; the state is not known. *stop ends the scan. msg lives for the call. */
typedef enum rc (*dlq_scan_fn)(const struct letter *l, const rd_kafka_message_t *msg, void *opaque, bool *stop,
                               struct err *err);
/* RC_RETRY: Kafka stopped answering. What fn returns ends the scan and is returned. */
enum rc dlq_scan_run(struct dlq_scan *s, dlq_scan_fn fn, void *opaque, struct err *err) MUST_USE;

#endif
