/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletes old rows of sources that say so: what was asked for or told is of no use there once it is in Kafka. Raw
 * sources always do.
 *
 * Only what is certainly published goes: visible in the position's s1, which is committed in Kafka. Age is counted from
 * created_at. A statement looks at the oldest rows by queue_seq only, so that it costs the same beside any number of
 * them, and never waits for a row lock.
 *
 * Thread: that of the session.
 */
#ifndef SLUICE_RELAY_PRUNE_H
#define SLUICE_RELAY_PRUNE_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/err.h"
#include "relay/source.h"

struct prune {
    char *sql; /* NULL: there is nothing to prune */
};

/* Sources that do not say so, and tables without created_at, are never pruned. */
enum rc prune_init(struct prune *p, const struct source *src, PGconn *conn, struct err *err) MUST_USE;
void prune_done(struct prune *p);

/* Looks at the rows_max oldest rows and deletes those older than days that s1 shows. *out_rows: how many (so call again
 * soon when it is rows_max). */
enum rc prune_run(const struct prune *p, PGconn *conn, const char *s1, int64_t days, int64_t rows_max,
                  int64_t *out_rows, struct err *err) MUST_USE;

#endif
