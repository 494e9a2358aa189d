/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of what became of notifications. */
#include "delivery_state/push_apply.h"

#include <string.h>

#include "base/mem.h"
#include "pg/array.h"
#include "pg/conn.h"
#include "schemas/push_device.h"

#define COLUMN_BYTES_MAX ((size_t)256 << 20)
#define TEXT_OF(n) TEXT_OF_(n)
#define TEXT_OF_(n) #n

/*
 * Tables are reached by = ANY or from a LATERAL, and joined when they are small: no statistics make that a scan. What
 * is joined then is hashed: how many rows come of a batch is what the planner guesses worst, and loops in loops are
 * slow.
 */

/* ---------------------------------------------------------------------------------------------------- deliveries */

/* In a statement of its own: the next one then sees what rows are under the lock. */
static const char LOCK[] =
    "SELECT count(*), set_config('enable_nestloop', 'off', true) FROM (SELECT FROM push_deliveries"
    " WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE) l";

/*
 * o   the outcomes, numbered
 * a   those whose row is there: `open` of its present queueing and not at its end
 * e   per row: how many requests, and the outcome that decides if it is open. One by one the first end would stay, else
 *     the last one counts.
 */
static const char APPLY[] =
    "WITH o AS MATERIALIZED ("
    "  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bool[], $5::text[], $6::text[], $7::text[],"
    "   $8::int[], $9::text[], $10::text[], $11::bigint[], $12::bigint[]) WITH ORDINALITY"
    "  AS o(event_id, queue_seq, outcome, was_request, verdict, provider, provider_code, response_status, error_class,"
    "   error_message, delay_ms, happened_us, n)),"
    " t AS MATERIALIZED (SELECT id, queue_seq, status FROM push_deliveries WHERE id = ANY ($1::uuid[])),"
    " a AS MATERIALIZED ("
    "  SELECT o.*, o.queue_seq IS NOT DISTINCT FROM t.queue_seq AS current,"
    "   o.queue_seq IS NOT DISTINCT FROM t.queue_seq AND t.status IN ('pending', 'retrying') AS open,"
    "   o.outcome IN ('delivered', 'failed', 'dead_letter') AS final"
    "  FROM o JOIN t ON t.id = o.event_id),"
    " e AS MATERIALIZED ("
    "  SELECT DISTINCT ON (event_id) a.*,"
    "   count(*) FILTER (WHERE was_request) OVER (PARTITION BY event_id) AS requests,"
    "   count(*) FILTER (WHERE was_request AND current) OVER (PARTITION BY event_id) AS round"
    "  FROM a ORDER BY event_id, open DESC, final DESC, CASE WHEN final THEN n ELSE -n END),"
    " changed AS ("
    "  UPDATE push_deliveries x SET"
    "   attempt_count = x.attempt_count + e.requests,"
    "   round_attempts = x.round_attempts + e.round,"
    "   status = CASE WHEN NOT e.open THEN x.status WHEN e.final THEN e.outcome ELSE 'retrying' END,"
    "   next_attempt_at = CASE WHEN e.open AND NOT e.final"
    "    THEN clock_timestamp() + e.delay_ms * interval '1 millisecond' ELSE x.next_attempt_at END,"
    "   last_error = CASE WHEN NOT e.open THEN x.last_error WHEN e.outcome = 'delivered' THEN NULL"
    "    ELSE coalesce(e.error_message, e.error_class, e.verdict, e.outcome) END,"
    "   verdict = CASE WHEN e.open THEN e.verdict ELSE x.verdict END,"
    "   provider = CASE WHEN e.open THEN e.provider ELSE x.provider END,"
    "   provider_code = CASE WHEN e.open THEN e.provider_code ELSE x.provider_code END,"
    "   response_status = CASE WHEN e.open THEN e.response_status ELSE x.response_status END,"
    "   delivered_at = CASE WHEN e.open AND e.outcome = 'delivered'"
    "    THEN timestamptz 'epoch' + e.happened_us * interval '1 microsecond' ELSE x.delivered_at END,"
    "   updated_at = now()"
    "  FROM e WHERE x.id = ANY ($1::uuid[]) AND x.id = e.event_id AND (e.requests > 0 OR e.open))"
    " SELECT (SELECT count(*) FROM a WHERE open), (SELECT count(*) FROM a WHERE NOT open),"
    "  (SELECT count(*) FROM o) - (SELECT count(*) FROM a)";

/* ---------------------------------------------------------------------------------------------------- devices */

#define DEVICE_ROWS                                                                             \
    "o AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]," \
    "   $5::text[], $6::text[], $7::text[])"                                                    \
    "  WITH ORDINALITY AS o(appid, cid, device, at_us, verdict, provider, provider_code, n))"

/* A device of which nothing but good is said needs neither lock nor write while it has no strikes. In the order in
 * which the gateway locks them, whatever the database sorts by. */
static const char LOCK_DEVICES[] =
    "WITH " DEVICE_ROWS ", w AS MATERIALIZED (SELECT appid, cid, bool_or(device <> 'ok') AS doubted FROM o"
    "  GROUP BY appid, cid ORDER BY appid COLLATE \"C\", cid COLLATE \"C\")"
    " SELECT count(*) FROM w CROSS JOIN LATERAL (SELECT 1 FROM push_devices x"
    "  WHERE " PUSH_DEVICE_APPID("x") " = w.appid AND x.cid = w.cid AND (w.doubted OR x.strikes <> 0)"
                                      "  ORDER BY x.appid, x.ctid FOR NO KEY UPDATE) l";

/*
 * v   what is said, beside its device: `counts` unless the device has registered since; era: how often it was well
 *     before
 * s   the strikes after each, and whether that is the end
 * f   per device: strikes in the end, and what has deactivated it first
 */
static const char APPLY_DEVICES[] =
    "WITH " DEVICE_ROWS ", w AS MATERIALIZED (SELECT DISTINCT appid, cid FROM o),"
    " d AS MATERIALIZED (SELECT w.appid, w.cid, l.* FROM w CROSS JOIN LATERAL ("
    "  SELECT x.ctid AS tid, x.strikes, x.last_seen_at FROM push_devices x"
    "  WHERE " PUSH_DEVICE_APPID(
        "x") " = w.appid AND x.cid = w.cid OFFSET 0) l),"
             " v AS MATERIALIZED ("
             "  SELECT d.tid, d.strikes, o.*, c.at, NOT coalesce(d.last_seen_at > c.at, false) AS counts,"
             "   count(*) FILTER (WHERE o.device = 'ok') OVER (PARTITION BY d.tid ORDER BY o.n) AS era"
             "  FROM o JOIN d ON d.appid = o.appid AND d.cid = o.cid"
             "  CROSS JOIN LATERAL (SELECT timestamptz 'epoch' + o.at_us * interval '1 microsecond' AS at) c),"
             " s AS MATERIALIZED ("
             "  SELECT r.*, counts AND (device = 'gone' OR (device = 'strike' AND total >= " TEXT_OF(
                 PUSH_STRIKES_MAX) ")) AS ends"
                                   "  FROM (SELECT v.*, CASE WHEN era = 0 THEN strikes ELSE 0 END"
                                   "    + count(*) FILTER (WHERE device = 'strike' AND counts) OVER (PARTITION BY tid, "
                                   "era "
                                   "ORDER BY n) AS total"
                                   "   FROM v) r),"
                                   " f AS MATERIALIZED ("
                                   "  SELECT tid, (array_agg(total ORDER BY n DESC))[1] AS total,"
                                   "   (array_agg(at ORDER BY n) FILTER (WHERE ends))[1] AS ended_at,"
                                   "   (array_agg(CASE device WHEN 'gone' THEN '' ELSE '" TEXT_OF(
                                       PUSH_STRIKES_MAX) " strikes: ' END"
                                                         "     || coalesce(verdict, device) || coalesce(': ' || "
                                                         "nullif(concat_ws(' ', provider, provider_code), ''), '')"
                                                         "    ORDER BY n) FILTER (WHERE ends))[1] AS why"
                                                         "  FROM s GROUP BY tid),"
                                                         " changed AS ("
                                                         "  UPDATE push_devices x SET strikes = f.total, is_active = "
                                                         "x.is_active AND f.ended_at IS NULL,"
                                                         "   inactive_at = CASE WHEN x.is_active AND f.ended_at IS NOT "
                                                         "NULL "
                                                         "THEN f.ended_at ELSE x.inactive_at END,"
                                                         "   inactive_reason = CASE WHEN x.is_active AND f.ended_at IS "
                                                         "NOT NULL "
                                                         "THEN f.why ELSE x.inactive_reason END,"
                                                         "   updated_at = now()"
                                                         "  FROM f WHERE x.ctid = ANY (ARRAY(SELECT tid FROM f)) AND "
                                                         "x.ctid = "
                                                         "f.tid"
                                                         "   AND (x.strikes <> f.total OR (x.is_active AND f.ended_at "
                                                         "IS NOT "
                                                         "NULL)))"
                                                         " SELECT count(*) FROM push_devices x JOIN f ON f.tid = x.ctid"
                                                         " WHERE x.ctid = ANY (ARRAY(SELECT tid FROM f)) AND "
                                                         "x.is_active AND "
                                                         "f.ended_at IS NOT NULL"; /* as it was */

/* ---------------------------------------------------------------------------------------------------- notifications */

#define TOUCHED                                                                                               \
    "n.message_id = ANY (ARRAY(SELECT DISTINCT message_id FROM push_deliveries WHERE id = ANY ($1::uuid[])))" \
    " AND n.send_status IS DISTINCT FROM 'success'"

/* Those at success stay what they are: notify does not look at their deliveries either. */
static const char LOCK_MESSAGES[] = "SELECT count(*) FROM (SELECT 1 FROM express_notifications n WHERE " TOUCHED
                                    " ORDER BY n.message_id FOR NO KEY UPDATE) l";

/*
 * j   the notifications that are not at success
 * d   all their deliveries
 * s   per notification: was one taken, is one of the present generation there or under way, which one ended last
 * Without a delivery of its present generation a notification is left as it is: it has no device now.
 */
static const char APPLY_MESSAGES[] =
    "WITH j AS MATERIALIZED (SELECT n.message_id, n.generation FROM express_notifications n WHERE " TOUCHED "),"
    " d AS MATERIALIZED (SELECT message_id, generation, id, status, verdict, last_error, updated_at"
    "  FROM push_deliveries WHERE message_id = ANY (ARRAY(SELECT message_id FROM j))),"
    " s AS MATERIALIZED ("
    "  SELECT j.message_id, bool_or(d.status = 'delivered') AS delivered,"
    "   bool_or(d.generation = j.generation) AS present,"
    "   bool_or(d.generation = j.generation AND d.status IN ('pending', 'retrying')) AS waits,"
    "   (array_agg(ARRAY[coalesce(d.verdict, d.status), d.last_error] ORDER BY d.updated_at DESC, d.id)"
    "    FILTER (WHERE d.generation = j.generation AND d.status IN ('failed', 'dead_letter')))[1:1] AS ended"
    "  FROM j JOIN d ON d.message_id = j.message_id GROUP BY j.message_id),"
    " f AS MATERIALIZED ("
    "  SELECT message_id, CASE WHEN delivered THEN 'success' WHEN waits THEN 'pending' ELSE 'failed' END AS status,"
    "   CASE WHEN NOT delivered AND NOT waits THEN ended[1][1] END AS reason,"
    "   CASE WHEN NOT delivered AND NOT waits THEN ended[1][2] END AS error"
    "  FROM s WHERE delivered OR present)"
    " UPDATE express_notifications x SET send_status = f.status, reason = f.reason, last_error = f.error,"
    "  updated_at = now()"
    " FROM f WHERE x.message_id = ANY (ARRAY(SELECT message_id FROM f)) AND x.message_id = f.message_id"
    "  AND (x.send_status, x.reason, x.last_error) IS DISTINCT FROM (f.status, f.reason, f.error)";

/* ---------------------------------------------------------------------------------------------------- the batch */

void pushed_batch_init(struct pushed_batch *b)
{
    for (size_t i = 0; i < PUSHED_COLUMNS; i++) {
        buf_init(&b->column[i], COLUMN_BYTES_MAX);
    }
    for (size_t i = 0; i < PUSHED_DEVICE_COLUMNS; i++) {
        buf_init(&b->device[i], COLUMN_BYTES_MAX);
    }
    pushed_batch_clear(b);
}

void pushed_batch_done(struct pushed_batch *b)
{
    for (size_t i = 0; i < PUSHED_COLUMNS; i++) {
        buf_done(&b->column[i]);
    }
    for (size_t i = 0; i < PUSHED_DEVICE_COLUMNS; i++) {
        buf_done(&b->device[i]);
    }
}

void pushed_batch_clear(struct pushed_batch *b)
{
    for (size_t i = 0; i < PUSHED_COLUMNS; i++) {
        array_begin(&b->column[i]);
    }
    for (size_t i = 0; i < PUSHED_DEVICE_COLUMNS; i++) {
        array_begin(&b->device[i]);
    }
    b->n = 0;
    b->n_devices = 0;
}

static void add_text(struct buf *b, const char *text)
{
    array_add(b, text, text != NULL ? strlen(text) : 0);
}

static void add_device(struct pushed_batch *b, const struct pushed *o)
{
    struct buf *c = b->device;

    add_text(&c[0], o->appid);
    add_text(&c[1], o->cid);
    add_text(&c[2], PUSHED_DEVICE_NAMES[o->device]);
    array_add_int(&c[3], o->device_at_us);
    add_text(&c[4], o->verdict);
    add_text(&c[5], o->provider);
    add_text(&c[6], o->provider_code);
    b->n_devices++;
}

void pushed_batch_add(struct pushed_batch *b, const struct pushed *o)
{
    struct buf *c = b->column;

    add_text(&c[0], o->event_id);
    array_add_int(&c[1], o->queue_seq);
    add_text(&c[2], PUSHED_NAMES[o->kind]);
    add_text(&c[3], o->was_request ? "t" : "f");
    add_text(&c[4], o->verdict);
    add_text(&c[5], o->provider);
    add_text(&c[6], o->provider_code);
    if (o->has_status) {
        array_add_int(&c[7], o->response_status);
    } else {
        array_add_null(&c[7]);
    }
    add_text(&c[8], o->error_class);
    add_text(&c[9], o->error_message);
    array_add_int(&c[10], o->delay_ms);
    array_add_int(&c[11], o->happened_at_us);
    b->n++;
    if (o->device != PUSHED_KEEP) {
        add_device(b, o);
    }
}

static enum rc end_columns(struct buf *columns, size_t n, const char **out_params, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        array_end(&columns[i]);
        if (columns[i].overflow) {
            FAIL(err, RC_REJECT, "the outcomes of a batch are longer than %zu bytes", COLUMN_BYTES_MAX);
        }
        out_params[i] = buf_str(&columns[i]);
    }
    return RC_OK;
}

/* Locks rows; *out_n: how many there are. */
static enum rc lock(PGconn *conn, const char *sql, int n_params, const char *const *params, int64_t *out_n,
                    struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, sql, n_params, params, &res, err));
    *out_n = pg_int(res, 0, 0, 0);
    return RC_OK;
}

static enum rc apply_devices(PGconn *conn, struct pushed_batch *b, struct pushed_counts *out, struct err *err)
{
    const char *params[PUSHED_DEVICE_COLUMNS];
    PGresult *res CLEANUP(pg_clearp) = NULL;
    int64_t locked = 0;

    if (b->n_devices == 0) {
        return RC_OK;
    }
    TRY(end_columns(b->device, PUSHED_DEVICE_COLUMNS, params, err));
    TRY(lock(conn, LOCK_DEVICES, PUSHED_DEVICE_COLUMNS, params, &locked, err));
    if (locked == 0) {
        return RC_OK;
    }
    TRY(pg_query(conn, APPLY_DEVICES, PUSHED_DEVICE_COLUMNS, params, &res, err));
    out->deactivated = pg_int(res, 0, 0, 0);
    return RC_OK;
}

enum rc pushed_apply(PGconn *conn, struct pushed_batch *b, struct pushed_counts *out, struct err *err)
{
    const char *params[PUSHED_COLUMNS];
    PGresult *res CLEANUP(pg_clearp) = NULL;
    int64_t messages = 0;

    *out = (struct pushed_counts){.settled = 0};
    if (b->n == 0) {
        return RC_OK;
    }
    TRY(end_columns(b->column, PUSHED_COLUMNS, params, err));
    TRY(lock(conn, LOCK_MESSAGES, 1, params, &messages, err));
    TRY(pg_query(conn, LOCK, 1, params, NULL, err));
    TRY(pg_query(conn, APPLY, PUSHED_COLUMNS, params, &res, err));
    *out = (struct pushed_counts){
        .settled = pg_int(res, 0, 0, 0), .late = pg_int(res, 0, 1, 0), .gone = pg_int(res, 0, 2, 0)};
    TRY(apply_devices(conn, b, out, err));
    return messages == 0 ? RC_OK : pg_query(conn, APPLY_MESSAGES, 1, params, NULL, err);
}
