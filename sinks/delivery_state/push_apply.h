/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes what became of notifications into push_deliveries, push_devices and express_notifications: a handful of
 * statements for a batch, whatever its size.
 *
 * Rows are locked in the order of ARCHITECTURE.md, "Row locks of the parcels' road": notifications by message_id,
 * deliveries by id, devices by (appid, cid).
 *
 *   Deliveries. The identity of an outcome is (event_id, queue_seq). Every request counts in attempt_count, and in
 *   round_attempts if it is of the row's present queueing. The rest (status, times, verdict, codes, error) follows the
 *   outcomes of the present queueing only, and only while the row is pending or retrying: what comes late undoes
 *   neither a repair nor an end. A batch ends as its outcomes one by one.
 *
 *   Devices. What a provider says of a device holds whatever became of the row, and late as well: a device that is gone
 *   is deactivated, unless it has registered since; a doubt is a strike, PUSH_STRIKES_MAX in a row deactivate; a
 *   message it has taken ends the row of strikes. Of a phone with several rows (schemas/push_device.h) it holds for
 * all.
 *
 *   Notifications. Derived from all deliveries of the message while its row is locked, in a statement of its own: of
 *   two sinks that end its last two deliveries at once, the second one sees both. One delivery that was taken, in
 *   whatever generation, is success for good; else those of the present generation decide.
 *
 * That no outcome counts twice is the position's doing (runtime/dbproc.h).
 */
#ifndef SLUICE_DELIVERY_STATE_PUSH_APPLY_H
#define SLUICE_DELIVERY_STATE_PUSH_APPLY_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/err.h"
#include "delivery_state/push_outcome.h"

#define PUSH_STRIKES_MAX 3

/* Outcomes as columns of a batch, and of those that say something of a device; used again. */
#define PUSHED_COLUMNS 12
#define PUSHED_DEVICE_COLUMNS 7
struct pushed_batch {
    struct buf column[PUSHED_COLUMNS];
    size_t n;
    struct buf device[PUSHED_DEVICE_COLUMNS];
    size_t n_devices;
};
void pushed_batch_init(struct pushed_batch *b);
void pushed_batch_done(struct pushed_batch *b);
void pushed_batch_clear(struct pushed_batch *b);
void pushed_batch_add(struct pushed_batch *b, const struct pushed *o);

/* What became of the outcomes of a batch. */
struct pushed_counts {
    int64_t settled;     /* decided over their row, alone or together with others of the batch */
    int64_t late;        /* of an older queueing, or of a row that had reached its end: counted as attempts only */
    int64_t gone;        /* the row does not exist any more */
    int64_t deactivated; /* devices */
};

/* Within an open transaction. REJECT: some value of the batch is refused by the database. */
enum rc pushed_apply(PGconn *conn, struct pushed_batch *b, struct pushed_counts *out, struct err *err) MUST_USE;

#endif
