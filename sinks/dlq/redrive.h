/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends dead letters again whose rows have a status: the row is put back on the road (delivery_state/requeue.h), at a
 * bounded rate. Letters without such a row are counted and left. Killed at any moment and started again it goes on
 * where it was: a row that has been put back has another queue_seq.
 *
 * Thread: one.
 */
#ifndef SLUICE_DLQ_REDRIVE_H
#define SLUICE_DLQ_REDRIVE_H

#include <libpq-fe.h>
#include <signal.h>

#include "dlq/deaths.h"
#include "dlq/letter.h"

#define REDRIVE_DEATHS_MAX 3 /* an event that has died so often is left, unless forced */

struct redrive_options {
    PGconn *conn;                /* with requeue_session */
    const struct deaths *deaths; /* what the topics remember; may be NULL */
    int64_t rate;                /* rows a second */
    int64_t limit;               /* rows at most */
    int64_t wait_ms;             /* for letters that are not settled, and for rows that somebody has locked */
    bool force;                  /* whatever the deaths, and what has expired too */
    const volatile sig_atomic_t *interrupted;
    void (*progress)(void *opaque); /* after each transaction; may be NULL */
    void *opaque;
};

struct redrive_counts {
    int64_t redriven;
    int64_t already;   /* their rows have been put back before, or say delivered */
    int64_t no_route;  /* no row with a status stands behind them */
    int64_t held;      /* died too often */
    int64_t expired;   /* too old to be sent */
    int64_t inactive;  /* the device is not active any more */
    int64_t unsettled; /* the sink has not come to them, or their rows are locked */
};

struct redrive;

struct redrive *redrive_create(const struct redrive_options *opt);
void redrive_free(struct redrive *r); /* accepts NULL */
void redrive_freep(struct redrive **r);

/*
 * Counts a letter that is not redriven now, by its state and by what holds it back. True: it is open and goes; nothing
 * was counted.
 */
bool redrive_wants(const struct redrive_options *opt, const struct letter *l, struct redrive_counts *counts);

/* A dlq_batch_fn; opaque is the struct redrive. Letters with their states. RETRY: the database is away. */
enum rc redrive_batch(struct letter *letters, size_t n, void *opaque, bool *stop, struct err *err) MUST_USE;
/* Tries those again that were not settled, until none is left or wait_ms is over. */
enum rc redrive_rest(struct redrive *r, struct err *err) MUST_USE;

/* So far; during redrive_rest unsettled counts those still waited for. */
struct redrive_counts redrive_counts(const struct redrive *r);

#endif
