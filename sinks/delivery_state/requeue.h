/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts rows of an outbox back on the road, by compare-and-set: a row moves only while it has the queue_seq and the
 * status that were seen. So repeating it is harmless, two who do it move each row once, and a repair by hand that came
 * first is left as it is. A row that somebody has locked is passed over, never waited for; only another requeue_rows
 * is, for at most 5 s, so that of the rows of a key that two put back at the same moment none overtakes another.
 *
 * Thread: one per session.
 */
#ifndef SLUICE_DELIVERY_STATE_REQUEUE_H
#define SLUICE_DELIVERY_STATE_REQUEUE_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "delivery_state/row_kind.h"

#define REQUEUE_ROWS_MAX 1000

struct requeue_row {
    const char *id;     /* a UUID */
    int64_t queue_seq;  /* as seen; 0 = NULL */
    const char *status; /* as seen: row_kind.state */
    int64_t new_seq;    /* out: its number on the road; 0 = it was not put back */
};

enum requeue_round {
    REQUEUE_NEW_ROUND, /* the whole retry budget again, no last error */
    REQUEUE_LATE,      /* the same, and what has expired is sent nevertheless */
    REQUEUE_SAME_ROUND /* due now, as the sweep would find it later */
};

/* Settings of a session that requeues; once. */
enum rc requeue_session(PGconn *conn, struct err *err) MUST_USE;

/*
 * One transaction of at most REQUEUE_ROWS_MAX rows of one kind; their dead-letter rows go with it. New numbers follow
 * the old ones. RETRY: nothing was changed, or, when the session is lost, it is not known.
 */
enum rc requeue_rows(PGconn *conn, const struct row_kind *kind, struct requeue_row *rows, size_t n,
                     enum requeue_round round, struct err *err) MUST_USE;

#endif
