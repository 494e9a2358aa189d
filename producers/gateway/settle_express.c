/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that decide of nodes. */
#include "gateway/settle_express.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/columns.h"
#include "pg/array.h"
#include "pg/conn.h"

#define NUMBER_MAX 24
#define LIST_BYTES_MAX ((size_t)16 << 20)

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

/* Newest first. Among those of one time the carrier's order counts; the hash, so that there is one answer. */
#define NEWEST "x.node_at DESC, x.ordinal DESC, x.node_hash DESC"

/*
 * Numbers come from the parameter and are never compared column with column: tables of the business sort by another
 * collation, and an index is found only by its own. Everything is looked up number by number, for sessions of the
 * gateway have no hash joins.
 *
 * n: undecided nodes. d: what becomes of them; one that is said anew in the same words and at the same time, or
 * earlier, as what was decided before is history. waybill: follows the newest node, one of a status that we know if
 * there is any.
 */
static const char DECIDE_SQL[] =
    "WITH n AS MATERIALIZED (SELECT u.number, h.heard, x.*, row_number() OVER (PARTITION BY u.number ORDER BY " NEWEST
    ") AS nth, bool_or(x.whole) OVER (PARTITION BY u.number) AS anew "
    "FROM unnest($1::text[]) AS u(number) "
    "CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM express_nodes e WHERE e.tracking_no = u.number "
    "AND e.decided IS NOT NULL) AS heard) h "
    "CROSS JOIN LATERAL (SELECT * FROM express_nodes e WHERE e.tracking_no = u.number AND e.decided IS NULL) x), "
    "d AS MATERIALIZED (SELECT n.*, CASE WHEN nth <= CASE WHEN $2::boolean OR anew OR NOT heard THEN 1 "
    "ELSE $3::bigint END AND NOT (anew AND EXISTS (SELECT FROM express_nodes e WHERE e.tracking_no = n.number "
    "AND e.decided IS NOT NULL AND e.status = n.status AND e.node_at >= n.node_at)) THEN sluice_uuid7() END AS id "
    "FROM n), "
    "queue AS (INSERT INTO notify_queue (id, tracking_no, carrier, status, context, node_at, created_at, traceparent) "
    "SELECT d.id, d.number, d.carrier, d.status, d.context, d.node_at, now(), (SELECT c.traceparent "
    "FROM express_callbacks c WHERE c.id = d.callback_id) FROM d WHERE d.id IS NOT NULL "
    "ORDER BY d.node_at, d.number, d.ordinal), "
    "node AS (UPDATE express_nodes e SET decided = CASE WHEN d.id IS NULL THEN 'history' ELSE 'queued' END, "
    "queue_id = d.id FROM d WHERE e.tracking_no = d.number AND e.node_hash = d.node_hash), "
    "waybill AS (UPDATE platform_express_waybills w SET status = k.status, node_at = k.node_at, updated_at = now() "
    "FROM (SELECT a.number, l.status, l.node_at FROM (SELECT DISTINCT number FROM d) a CROSS JOIN LATERAL "
    "(SELECT x.status, x.node_at FROM express_nodes x WHERE x.tracking_no = a.number "
    "ORDER BY x.status = 'unknown', " NEWEST " LIMIT 1) l) k WHERE w.tracking_no = k.number "
    "AND (w.node_at IS NULL OR w.node_at <= k.node_at) "
    "AND (w.status IS DISTINCT FROM k.status OR w.node_at IS DISTINCT FROM k.node_at)) "
    "SELECT number, count(id), count(*) - count(id) FROM d GROUP BY number";

#define LOCK_SQL                                                                                                   \
    "SELECT tracking_no FROM platform_express_waybills WHERE tracking_no = ANY ($1::text[]) ORDER BY tracking_no " \
    "FOR NO KEY UPDATE"
static const char LOCK_WAYBILLS_SQL[] = LOCK_SQL;
static const char LOCK_FREE_WAYBILLS_SQL[] = LOCK_SQL " SKIP LOCKED";

/* Whoever settles a parked number takes it away, and waits for us before, or has done so when we go on. The trigger of
 * waybills only makes it due, which this lock does not stand in the way of. */
static const char HOLD_PARKED_SQL[] =
    "SELECT FROM express_parked WHERE tracking_no = ANY ($1::text[]) ORDER BY tracking_no FOR KEY SHARE";

#define PARK_IN "now() + interval '1 minute'"

/* Those that somebody has in hand are counted another time: a waybill that is just inserted holds up no call. One that
 * rests waits again as if it was new. */
static const char COUNT_PARKED_SQL[] =
    "UPDATE express_parked p SET calls = p.calls + k.calls, last_at = now(), due_at = CASE WHEN p.due_at = 'infinity' "
    "THEN " PARK_IN " ELSE p.due_at END, tries = CASE WHEN p.due_at = 'infinity' THEN 0 ELSE p.tries END FROM (SELECT "
    "q.tracking_no, u.calls FROM unnest($1::text[], $2::bigint[]) AS u(number, calls) CROSS JOIN LATERAL (SELECT "
    "e.tracking_no FROM express_parked e WHERE e.tracking_no = u.number FOR NO KEY UPDATE SKIP LOCKED) q) k "
    "WHERE p.tracking_no = k.tracking_no";
static const char PARK_SQL[] =
    "INSERT INTO express_parked (tracking_no, calls, account, carrier, due_at) SELECT u.number, u.calls, u.account, "
    "u.carrier, " PARK_IN " FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) "
    "AS u(number, calls, account, carrier) WHERE NOT EXISTS (SELECT FROM express_parked p "
    "WHERE p.tracking_no = u.number) ORDER BY u.number COLLATE \"C\" "
    "ON CONFLICT (tracking_no) DO UPDATE SET calls = express_parked.calls + excluded.calls, last_at = now()";

static const char DUE_SQL[] =
    "SELECT tracking_no FROM express_parked WHERE due_at <= now() ORDER BY due_at LIMIT " STRING(
        EXPRESS_WINDOW) " FOR UPDATE SKIP LOCKED";
static const char NAMED_SQL[] =
    "SELECT tracking_no FROM express_parked WHERE tracking_no = ANY ($1::text[]) ORDER BY tracking_no FOR UPDATE";
static const char FREE_SQL[] = "DELETE FROM express_parked WHERE tracking_no = ANY ($1::text[])";
/* A waybill that is there was locked by somebody: soon. Everybody that waits comes by here within the hour, so age
 * needs neither a walk nor an index of its own. */
static const char LATER_SQL[] =
    "UPDATE express_parked p SET tries = p.tries + 1, due_at = CASE WHEN EXISTS (SELECT "
    "FROM platform_express_waybills w WHERE w.tracking_no = u.number) THEN now() + interval '1 second' "
    "WHEN $2::int > 0 AND p.last_at < now() - $2::int * interval '1 day' THEN 'infinity' "
    "ELSE now() + least(interval '1 minute' * (2 ^ least(p.tries, 10)), interval '1 hour') END "
    "FROM unnest($1::text[]) AS u(number) WHERE p.tracking_no = u.number RETURNING p.due_at = 'infinity'";

/* ---------------------------------------------------------------------------------------------------- lists */

enum which { ALL, KNOWN, UNKNOWN };

static bool wanted(const struct express_number *number, enum which which)
{
    return which == ALL || number->known == (which == KNOWN);
}

/* How many there are; the list is initialised in any case. */
static size_t list_of(const struct express_number *numbers, size_t n, enum which which, struct buf *out)
{
    size_t count = 0;
    buf_init(out, LIST_BYTES_MAX);
    array_begin(out);
    for (size_t i = 0; i < n; i++) {
        if (wanted(&numbers[i], which)) {
            array_add(out, numbers[i].tracking_no, strlen(numbers[i].tracking_no));
            count++;
        }
    }
    array_end(out);
    return count;
}

int express_number_compare(const void *a, const void *b)
{
    const struct express_number *x = a;
    const struct express_number *y = b;
    return strcmp(x->tracking_no, y->tracking_no);
}

/* Whatever the order of the rows. */
static void note_known(struct express_number *numbers, size_t n, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        const struct express_number key = {.tracking_no = pg_text(res, row, 0)};
        struct express_number *at = bsearch(&key, numbers, n, sizeof *numbers, express_number_compare);
        if (at != NULL) {
            at->known = true;
        }
    }
}

/* ---------------------------------------------------------------------------------------------------- steps */

static enum rc lock_waybills(struct session *s, struct express_number *numbers, size_t n, const char *sql,
                             struct err *err)
{
    CLEANUP(buf_done) struct buf list;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    if (list_of(numbers, n, UNKNOWN, &list) == 0) {
        return RC_OK;
    }
    const char *params[] = {buf_str(&list)};
    TRY(session_query_again(s, sql, 1, params, &res, err));
    note_known(numbers, n, res);
    return RC_OK;
}

/* Of the known ones, whose waybills are locked. */
static enum rc decide(struct session *s, const struct express_number *numbers, size_t n, bool parked, int64_t nodes_max,
                      PGresult **out_res, struct err *err)
{
    CLEANUP(buf_done) struct buf list;
    char max[NUMBER_MAX];
    if (list_of(numbers, n, KNOWN, &list) == 0) {
        return RC_OK;
    }
    (void)snprintf(max, sizeof max, "%" PRId64, nodes_max);
    const char *params[] = {buf_str(&list), parked ? "true" : "false", max};
    return session_query_again(s, DECIDE_SQL, 3, params, out_res, err);
}

static enum rc hold_parked(struct session *s, const struct express_number *numbers, size_t n, struct err *err)
{
    CLEANUP(buf_done) struct buf list;
    (void)list_of(numbers, n, UNKNOWN, &list);
    const char *params[] = {buf_str(&list)};
    return session_query(s, HOLD_PARKED_SQL, 1, params, NULL, err);
}

static enum rc park(struct session *s, const struct express_number *numbers, size_t n, struct err *err)
{
    CLEANUP(columns_done) struct columns c;
    const char *params[4];
    size_t count = 0;
    columns_begin(&c, 4);
    for (size_t i = 0; i < n; i++) {
        char calls[NUMBER_MAX];
        if (numbers[i].known || !numbers[i].parks) {
            continue;
        }
        (void)snprintf(calls, sizeof calls, "%" PRId64, numbers[i].calls);
        columns_add(&c, (const char *const[]){numbers[i].tracking_no, calls, numbers[i].account, numbers[i].carrier});
        count++;
    }
    columns_end(&c, params);
    if (count == 0) {
        return RC_OK;
    }
    TRY(session_query(s, COUNT_PARKED_SQL, 2, params, NULL, err));
    return session_query(s, PARK_SQL, 4, params, NULL, err);
}

static size_t count_unknown(const struct express_number *numbers, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += numbers[i].known ? 0 : 1;
    }
    return count;
}

enum rc express_settle(struct session *s, struct express_number *numbers, size_t n, int64_t nodes_max,
                       struct express_totals *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    *out = (struct express_totals){0};
    TRY(lock_waybills(s, numbers, n, LOCK_WAYBILLS_SQL, err));
    if (count_unknown(numbers, n) > 0) {
        /* What was settled, or appeared, until we had hold of the parked numbers is seen now. */
        TRY(hold_parked(s, numbers, n, err));
        TRY(lock_waybills(s, numbers, n, LOCK_FREE_WAYBILLS_SQL, err));
    }
    TRY(decide(s, numbers, n, false, nodes_max, &res, err));
    for (int row = 0; row < PQntuples(res); row++) {
        out->queued += pg_int(res, row, 1, 0);
        out->history += pg_int(res, row, 2, 0);
    }
    return park(s, numbers, n, err);
}

/* ---------------------------------------------------------------------------------------------------- later */

/* What one transaction of the sweep found. */
struct look {
    struct express_number *numbers;
    size_t n;
    PGresult *parked, *decided;
    int rest;
};

static void look_done(struct look *l)
{
    free(l->numbers);
    PQclear(l->parked);
    PQclear(l->decided);
}

static enum rc free_known(struct session *s, const struct look *l, struct err *err)
{
    CLEANUP(buf_done) struct buf list;
    if (list_of(l->numbers, l->n, KNOWN, &list) == 0) {
        return RC_OK;
    }
    const char *params[] = {buf_str(&list)};
    return session_query(s, FREE_SQL, 1, params, NULL, err);
}

static enum rc put_off_unknown(struct session *s, struct look *l, int64_t keep_days, struct err *err)
{
    CLEANUP(buf_done) struct buf list;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char days[NUMBER_MAX];
    if (list_of(l->numbers, l->n, UNKNOWN, &list) == 0) {
        return RC_OK;
    }
    (void)snprintf(days, sizeof days, "%" PRId64, keep_days);
    const char *params[] = {buf_str(&list), days};
    TRY(session_query(s, LATER_SQL, 2, params, &res, err));
    for (int row = 0; row < PQntuples(res); row++) {
        l->rest += pg_text(res, row, 0)[0] == 't' ? 1 : 0;
    }
    return RC_OK;
}

/* Those of l->numbers, or the ones that are due where there are none. */
static enum rc take_parked(struct session *s, struct look *l, struct err *err)
{
    CLEANUP(buf_done) struct buf list;
    (void)list_of(l->numbers, l->n, ALL, &list);
    const char *params[] = {buf_str(&list)};
    bool named = l->numbers != NULL;
    TRY(session_query(s, named ? NAMED_SQL : DUE_SQL, named ? 1 : 0, params, &l->parked, err));
    if (!named) {
        l->n = (size_t)PQntuples(l->parked);
        l->numbers = xcalloc(l->n + 1, sizeof *l->numbers);
        for (size_t i = 0; i < l->n; i++) {
            l->numbers[i].tracking_no = pg_text(l->parked, (int)i, 0);
        }
    }
    qsort(l->numbers, l->n, sizeof *l->numbers, express_number_compare);
    return RC_OK;
}

static enum rc look_again(struct session *s, struct look *l, const struct express_rules *rules, struct err *err)
{
    TRY(session_query(s, "BEGIN ISOLATION LEVEL READ COMMITTED", 0, NULL, NULL, err));
    TRY(take_parked(s, l, err));
    TRY(lock_waybills(s, l->numbers, l->n, LOCK_FREE_WAYBILLS_SQL, err));
    TRY(decide(s, l->numbers, l->n, true, rules->nodes_max, &l->decided, err));
    TRY(free_known(s, l, err));
    TRY(put_off_unknown(s, l, rules->keep_days, err));
    return session_query(s, "COMMIT", 0, NULL, NULL, err);
}

static void tell(const struct look *l, express_settled_fn say, void *opaque)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct express_number *number = &l->numbers[i];
        int row = 0;
        while (row < PQntuples(l->decided) && strcmp(pg_text(l->decided, row, 0), number->tracking_no) != 0) {
            row++;
        }
        bool has = row < PQntuples(l->decided);
        say(opaque, number->tracking_no, number->known, has ? pg_int(l->decided, row, 1, 0) : 0,
            has ? pg_int(l->decided, row, 2, 0) : 0);
    }
}

static enum rc look(struct session *s, struct look *l, const struct express_rules *rules, express_settled_fn say,
                    void *opaque, struct err *err)
{
    enum rc rc = look_again(s, l, rules, err);
    if (rc != RC_OK) {
        struct err later;
        if (s->conn != NULL && session_query(s, "ROLLBACK", 0, NULL, NULL, &later) != RC_OK) {
            session_close(s);
        }
        return rc;
    }
    tell(l, say, opaque);
    return RC_OK;
}

enum rc express_sweep(struct session *s, const struct express_rules *rules, struct express_looked *out,
                      express_settled_fn say, void *opaque, struct err *err)
{
    CLEANUP(look_done) struct look l = {0};
    TRY(look(s, &l, rules, say, opaque, err));
    *out = (struct express_looked){.numbers = (int)l.n, .rest = l.rest};
    return RC_OK;
}

enum rc express_rematch(struct session *s, const char *const *tracking_nos, size_t n, const struct express_rules *rules,
                        express_settled_fn say, void *opaque, struct err *err)
{
    CLEANUP(look_done) struct look l = {.numbers = xcalloc(n + 1, sizeof *l.numbers), .n = n};
    for (size_t i = 0; i < n; i++) {
        l.numbers[i].tracking_no = tracking_nos[i];
    }
    return look(s, &l, rules, say, opaque, err);
}

enum rc express_parked(struct session *s, int64_t max, int64_t *out_n, struct err *err)
{
    static const char SQL[] = "SELECT count(*) FROM (SELECT FROM express_parked WHERE due_at < 'infinity' LIMIT "
                              "$1::bigint) p";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char limit[NUMBER_MAX];
    const char *params[] = {limit};
    (void)snprintf(limit, sizeof limit, "%" PRId64, max);
    TRY(session_query(s, SQL, 1, params, &res, err));
    *out_n = pg_int(res, 0, 0, 0);
    return RC_OK;
}
