/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQL of a batch (decide.h), within one open transaction and with a fixed number of statements whatever its size.
 *
 *     notify_batch_add(...)                events
 *     notify_store_decide(...)             looks up and decides
 *     notify_store_write(...)              writes what was decided
 *
 * Locks, in the order of ARCHITECTURE.md, "Row locks of the parcels' road": waybills by tracking_no, rows of
 * notify_queue by id, notifications by message_id; then the deliveries of those.
 * Ids of the business may be uuid, text or integers: a parameter is cast to its column's type, so that indexes serve;
 * values that are none of that type are not looked for.
 *
 * The session sees rows as policies let it (row_security on); orders are read through the function
 * sluice_order_recipients as soon as it is there and this role may execute it (orders_function.h).
 *
 * Thread: one at a time.
 */
#ifndef SLUICE_NOTIFY_STORE_H
#define SLUICE_NOTIFY_STORE_H

#include <libpq-fe.h>

#include "notify/decide.h"

struct notify_store;

/* lock false: only looks (a preview), and may not write. */
struct notify_store *notify_store_create(size_t devices_max, bool lock) MUST_USE;
struct notify_store *notify_store_free(struct notify_store *s); /* accepts NULL, returns NULL */

/*
 * A new session: settings, column types, statements. FATAL: tables are missing; with code ERR_CONFIG a column has a
 * type that nothing can be done with. RETRY with code 42P10: there is no plain unique index over express_notifications
 * (message_id); the text names what is there and what mends it.
 */
enum rc notify_store_session(struct notify_store *s, PGconn *conn, struct err *err) MUST_USE;

/*
 * Is there a plain unique index over express_notifications (message_id)? RETRY with code 42P10: no; the text names what
 * is there, and behind NOTIFY_INDEX_CURE the statements that mend it.
 */
#define NOTIFY_INDEX_CURE "; run: "
enum rc notify_index_check(PGconn *conn, struct err *err) MUST_USE;

/* The tables and the types of their columns, as notify_store_session() looks at them. */
enum rc notify_types_check(PGconn *conn, struct err *err) MUST_USE;

enum rc notify_store_decide(struct notify_store *s, PGconn *conn, struct notify_batch *b,
                            const struct notify_rules *rules, struct err *err) MUST_USE;

/* After a batch that failed with 42P10: RETRY with the text of above while it is so. Within the transaction. */
enum rc notify_store_index(struct notify_store *s, PGconn *conn, struct err *err) MUST_USE;

/* Rows written. */
struct notify_written {
    int64_t deliveries; /* new, or put back on the road */
};
enum rc notify_store_write(struct notify_store *s, PGconn *conn, struct notify_batch *b,
                           const struct notify_rules *rules, struct notify_written *out, struct err *err) MUST_USE;

#endif
