/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts rows that are due back on the road: retries whose time has come, and rows that were written for later.
 *
 * The sweep sets status='pending' under the transaction-local setting sluice.sweep='on', which tells the trigger to
 * keep the retry budget; the new transaction id and sequence number make the row part of the next window. It never
 * waits for a row lock.
 *
 * Thread: that of the session.
 */
#ifndef SLUICE_RELAY_SWEEP_H
#define SLUICE_RELAY_SWEEP_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/err.h"
#include "relay/source.h"

struct sweep {
    char *due;   /* SQL: is anything due? */
    char *sweep; /* SQL: requeue up to $2 rows */
    char *table; /* as sluice_waiting names it */
};

/* Looks up the type of the id column. */
enum rc sweep_init(struct sweep *s, const struct source *src, PGconn *conn, struct err *err) MUST_USE;
void sweep_done(struct sweep *s);

/* Requeues at most rows_max due rows, oldest first. *out_rows: how many reminders were taken (so call again at once
 * when it is rows_max). */
enum rc sweep_run(const struct sweep *s, PGconn *conn, int64_t rows_max, int64_t *out_taken, int64_t *out_requeued,
                  struct err *err) MUST_USE;

#endif
