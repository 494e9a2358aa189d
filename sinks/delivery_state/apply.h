/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes outcomes into the outbox, its attempts and its dead letters: two statements for a batch, whatever its size.
 *
 * The identity of an outcome is (event_id, queue_seq). Under the row's lock
 *   - each outcome that was a request gets the next attempt number, in the order of the batch, whether late or not;
 *   - round_attempts counts those of the row's present queueing;
 *   - status, next_attempt_at, last_error and the dead-letter row follow the outcomes of the present queueing only, and
 *     only while the row is pending or retrying: an outcome that comes late undoes neither a repair nor an end.
 * A batch ends in the same state as its outcomes one by one.
 *
 * That no outcome counts twice is the position's doing (runtime/dbproc.h). If one were in the topic twice, the rules
 * above keep it harmless but for one more attempt row: its status is the one the row has already, or comes late.
 */
#ifndef SLUICE_DELIVERY_STATE_APPLY_H
#define SLUICE_DELIVERY_STATE_APPLY_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/err.h"
#include "delivery_state/outcome.h"

/* Outcomes as columns of a batch; grows with what is added and is used again. */
#define OUTCOME_COLUMNS 10
struct outcome_batch {
    struct buf column[OUTCOME_COLUMNS];
    size_t n;
};
void outcome_batch_init(struct outcome_batch *b);
void outcome_batch_done(struct outcome_batch *b);
void outcome_batch_clear(struct outcome_batch *b);
void outcome_batch_add(struct outcome_batch *b, const struct outcome *o);

/* What became of the outcomes of a batch. */
struct apply_counts {
    int64_t settled; /* decided over their row, alone or together with others of the batch */
    int64_t late;    /* of an older queueing, or of a row that had reached its end: counted as attempts only */
    int64_t gone;    /* the row does not exist any more */
};

/* Within an open transaction. REJECT: some value of the batch is refused by the database. */
enum rc apply_outcomes(PGconn *conn, struct outcome_batch *b, struct apply_counts *out, struct err *err) MUST_USE;

#endif
