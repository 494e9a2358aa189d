/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of the outcomes. */
#include "delivery_state/apply.h"

#include <string.h>

#include "base/mem.h"
#include "pg/array.h"
#include "pg/conn.h"

#define COLUMN_BYTES_MAX ((size_t)256 << 20)

/* Rows first and in one order, in a statement of its own: the next one then sees what they are under the lock. */
static const char LOCK[] = "SELECT count(*) FROM (SELECT 1 FROM cs_platform_event_outbox"
                           " WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE) l";

/*
 * o   the outcomes, numbered
 * a   those whose row is there: `open` of its present queueing and not at its end, `no` the attempt's number
 * e   per row: how many attempts, and the outcome that decides. One by one the first end would stay, else the last one
 *     counts.
 * The numbers go on from the attempts that are there, also where somebody has set the row's counter back by hand.
 */
static const char APPLY[] =
    "WITH o AS MATERIALIZED ("
    "  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bool[], $5::int[], $6::text[], $7::text[],"
    "   $8::int[], $9::bigint[], $10::bigint[]) WITH ORDINALITY"
    "  AS o(event_id, queue_seq, outcome, was_request, response_status, error_class, error_message, duration_ms,"
    "   delay_ms, happened_us, n)),"
    " t AS MATERIALIZED ("
    "  SELECT id, queue_seq, status, greatest(attempt_count, coalesce((SELECT max(attempt_no)"
    "    FROM cs_platform_event_delivery_attempts d WHERE d.event_id = x.id), 0)) AS attempts"
    "  FROM cs_platform_event_outbox x WHERE id = ANY ($1::uuid[])),"
    " a AS MATERIALIZED ("
    "  SELECT o.*, o.queue_seq IS NOT DISTINCT FROM t.queue_seq AS current,"
    "   o.queue_seq IS NOT DISTINCT FROM t.queue_seq AND t.status IN ('pending', 'retrying') AS open,"
    "   o.outcome IN ('delivered', 'dead_letter') AS final,"
    "   t.attempts + count(*) FILTER (WHERE o.was_request) OVER (PARTITION BY o.event_id ORDER BY o.n) AS no"
    "  FROM o JOIN t ON t.id = o.event_id),"
    " e AS MATERIALIZED ("
    "  SELECT event_id, max(no) AS attempts, count(*) FILTER (WHERE was_request) AS requests,"
    "   count(*) FILTER (WHERE was_request AND current) AS round,"
    "   coalesce(min(n) FILTER (WHERE open AND final), max(n) FILTER (WHERE open)) AS decider,"
    "   (array_agg(coalesce(error_message, error_class) ORDER BY n DESC)"
    "    FILTER (WHERE open AND coalesce(error_message, error_class) IS NOT NULL))[1] AS error"
    "  FROM a GROUP BY event_id),"
    " attempt AS ("
    "  INSERT INTO cs_platform_event_delivery_attempts"
    "   (event_id, attempt_no, response_status, error_message, created_at, duration_ms, outcome, queue_seq)"
    "  SELECT event_id, no, response_status, coalesce(error_message, error_class),"
    "   timestamptz 'epoch' + happened_us * interval '1 microsecond', duration_ms, outcome, queue_seq"
    "  FROM a WHERE was_request),"
    " changed AS ("
    "  UPDATE cs_platform_event_outbox x SET"
    "   attempt_count = CASE WHEN e.requests > 0 THEN e.attempts ELSE x.attempt_count END,"
    "   round_attempts = x.round_attempts + e.round,"
    "   status = CASE a.outcome WHEN 'delivered' THEN 'delivered' WHEN 'dead_letter' THEN 'dead_letter'"
    "    WHEN 'retry' THEN 'retrying' WHEN 'parked' THEN 'retrying' ELSE x.status END,"
    "   next_attempt_at = CASE WHEN NOT a.final THEN clock_timestamp() + a.delay_ms * interval '1 millisecond'"
    "    ELSE x.next_attempt_at END,"
    "   last_error = CASE WHEN a.outcome IS NULL THEN x.last_error WHEN a.outcome = 'delivered' THEN NULL"
    "    ELSE coalesce(a.error_message, a.error_class, e.error, x.last_error) END,"
    "   updated_at = now()"
    "  FROM e LEFT JOIN a ON a.n = e.decider"
    "  WHERE x.id = e.event_id AND (e.requests > 0 OR e.decider IS NOT NULL)"
    "  RETURNING x.id, x.platform, x.event_type, x.callback_target, a.no, a.outcome, a.error_class,"
    "   x.last_error, x.queue_seq),"
    " dead AS ("
    "  INSERT INTO cs_platform_event_dead_letters AS d"
    "   (event_id, platform, event_type, callback_target, attempt_count, final_error, error_class, queue_seq)"
    "  SELECT id, platform, event_type, callback_target, no, last_error, error_class, queue_seq"
    "  FROM changed WHERE outcome = 'dead_letter'"
    "  ON CONFLICT (event_id) DO UPDATE SET platform = excluded.platform, event_type = excluded.event_type,"
    "   callback_target = excluded.callback_target, attempt_count = excluded.attempt_count,"
    "   final_error = excluded.final_error, error_class = excluded.error_class, queue_seq = excluded.queue_seq,"
    "   created_at = now())"
    " SELECT (SELECT count(*) FROM a WHERE open), (SELECT count(*) FROM a WHERE NOT open),"
    "  (SELECT count(*) FROM o) - (SELECT count(*) FROM a)";

void outcome_batch_init(struct outcome_batch *b)
{
    for (size_t i = 0; i < OUTCOME_COLUMNS; i++) {
        buf_init(&b->column[i], COLUMN_BYTES_MAX);
    }
    outcome_batch_clear(b);
}

void outcome_batch_done(struct outcome_batch *b)
{
    for (size_t i = 0; i < OUTCOME_COLUMNS; i++) {
        buf_done(&b->column[i]);
    }
}

void outcome_batch_clear(struct outcome_batch *b)
{
    for (size_t i = 0; i < OUTCOME_COLUMNS; i++) {
        array_begin(&b->column[i]);
    }
    b->n = 0;
}

static void add_text(struct buf *b, const char *text)
{
    array_add(b, text, text != NULL ? strlen(text) : 0);
}

static void add_optional(struct buf *b, bool there, int64_t v)
{
    if (there) {
        array_add_int(b, v);
    } else {
        array_add_null(b);
    }
}

void outcome_batch_add(struct outcome_batch *b, const struct outcome *o)
{
    struct buf *c = b->column;

    add_text(&c[0], o->event_id);
    array_add_int(&c[1], o->queue_seq);
    add_text(&c[2], OUTCOME_NAMES[o->kind]);
    add_text(&c[3], o->was_request ? "t" : "f");
    add_optional(&c[4], o->has_status, o->response_status);
    add_text(&c[5], o->error_class);
    add_text(&c[6], o->error_message);
    add_optional(&c[7], o->has_duration, o->duration_ms);
    array_add_int(&c[8], o->delay_ms);
    array_add_int(&c[9], o->happened_at_us);
    b->n++;
}

enum rc apply_outcomes(PGconn *conn, struct outcome_batch *b, struct apply_counts *out, struct err *err)
{
    const char *params[OUTCOME_COLUMNS];
    PGresult *res CLEANUP(pg_clearp) = NULL;

    *out = (struct apply_counts){.settled = 0};
    if (b->n == 0) {
        return RC_OK;
    }
    for (size_t i = 0; i < OUTCOME_COLUMNS; i++) {
        array_end(&b->column[i]);
        if (b->column[i].overflow) {
            FAIL(err, RC_REJECT, "the outcomes of a batch are longer than %zu bytes", COLUMN_BYTES_MAX);
        }
        params[i] = buf_str(&b->column[i]);
    }
    TRY(pg_query(conn, LOCK, 1, params, NULL, err));
    TRY(pg_query(conn, APPLY, OUTCOME_COLUMNS, params, &res, err));
    *out = (struct apply_counts){
        .settled = pg_int(res, 0, 0, 0), .late = pg_int(res, 0, 1, 0), .gone = pg_int(res, 0, 2, 0)};
    return RC_OK;
}
