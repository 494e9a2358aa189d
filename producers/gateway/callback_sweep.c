/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of the sweep. */
#include "gateway/callback_sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/currency.h"
#include "base/mem.h"
#include "gateway/callback_sql.h"
#include "gateway/columns.h"
#include "pg/conn.h"

#define NUMBER_MAX 24

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

/* A window of those that wait, by the key of their index; with the currency where the order is there. */
static const char WINDOW_SQL[] =
    "WITH w AS MATERIALIZED (SELECT q.payment_id, q.id FROM payment_quarantine q WHERE q.settled_at IS NULL "
    "AND q.code = 'unknown_order' AND q.payment_id IS NOT NULL AND (q.payment_id, q.id) > ($1, $2::uuid) "
    "ORDER BY q.payment_id, q.id LIMIT " STRING(SWEEP_WINDOW) ") "
                                                              "SELECT w.payment_id, w.id, CASE WHEN EXISTS (SELECT "
                                                              "FROM payment_transactions o WHERE o.payment_id = "
                                                              "w.payment_id) THEN coalesce((SELECT c.currency FROM "
                                                              "payment_callbacks c WHERE c.id = w.id), '') END "
                                                              "FROM w ORDER BY w.payment_id, w.id";

/*
 * l: what nobody else has in hand. f: does the order fit? What does goes to the ledger under an id of its own; what
 * does not stays in quarantine as a conflict.
 */
static const char SETTLE_SQL[] =
    "WITH l AS MATERIALIZED (SELECT q.* FROM payment_quarantine q WHERE q.id = ANY ($1::uuid[]) "
    "AND q.settled_at IS NULL AND q.code = 'unknown_order' ORDER BY q.id FOR UPDATE SKIP LOCKED), "
    "f AS MATERIALIZED (SELECT l.id, l.payment_id, l.event_type, l.payload, l.traceparent, gen_random_uuid() AS "
    "event_id, " ORDER_AGAINST_SQL " AS why FROM l JOIN unnest($1::uuid[], $2::int[]) AS a(id, digits) ON a.id = l.id "
    "JOIN payment_callbacks c ON c.id = l.id CROSS JOIN LATERAL (SELECT c.channel, c.account, c.effect, c.payment_id, "
    "c.amount, "
    "c.currency, a.digits, ''::text AS caller) u LEFT JOIN payment_transactions o ON o.payment_id = l.payment_id), "
    "d AS MATERIALIZED (SELECT * FROM f WHERE why IS NULL OR why NOT LIKE 'unknown_order:%'), "
    "told AS (INSERT INTO payment_outbox (id, partition_key, event_type, payload, traceparent) "
    "SELECT event_id, payment_id, event_type, payload, traceparent FROM d WHERE why IS NULL ORDER BY id), "
    "noted AS (UPDATE payment_callbacks c SET verdict = CASE WHEN d.why IS NULL THEN 'ok' ELSE 'conflict' END, "
    "event_id = CASE WHEN d.why IS NULL THEN d.event_id END FROM d WHERE c.id = d.id) "
    "UPDATE payment_quarantine q SET settled_at = CASE WHEN d.why IS NULL THEN now() END, settled_by = CASE WHEN "
    "d.why IS NULL THEN 'order appeared' END, released = CASE WHEN d.why IS NULL THEN true END, "
    "code = CASE WHEN d.why IS NULL THEN q.code ELSE 'conflict' END, detail = coalesce(d.why, q.detail) "
    "FROM d WHERE q.id = d.id RETURNING q.id, q.payment_id, d.why";

#define ERASE_SQL(table)                                                                                      \
    "UPDATE " table " SET raw_headers = NULL, raw_body = NULL, key_id = NULL, erased_at = now() WHERE id IN " \
    "(SELECT id FROM " table " WHERE erased_at IS NULL AND received_at < now() - $1::int * interval '1 day' " \
    "ORDER BY received_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)"
static const char *const ERASE_SQLS[] = {
    [SWEEP_PAYMENTS] = ERASE_SQL("payment_callbacks"), [SWEEP_EXPRESS] = ERASE_SQL("express_callbacks")};

void sweep_walk_done(struct sweep_walk *walk)
{
    free(walk->payment_id);
    *walk = (struct sweep_walk){0};
}

static enum rc settle(struct session *s, struct columns *found, sweep_settled_fn say, void *opaque, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[2];
    columns_end(found, params);
    TRY(session_query(s, SETTLE_SQL, 2, params, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        say(opaque, pg_text(res, i, 0), pg_text(res, i, 1), PQgetisnull(res, i, 2) ? NULL : pg_text(res, i, 2));
    }
    return RC_OK;
}

static int add_found(const PGresult *res, struct columns *found)
{
    int n = 0;
    for (int i = 0; i < PQntuples(res); i++) {
        const char *currency = pg_text(res, i, 2);
        char digits[NUMBER_MAX];
        if (PQgetisnull(res, i, 2)) {
            continue;
        }
        (void)snprintf(digits, sizeof digits, "%d",
                       currency[0] == '\0' ? CURRENCY_DIGITS_USUAL : currency_digits(currency));
        columns_add(found, (const char *const[]){pg_text(res, i, 1), digits});
        n++;
    }
    return n;
}

static void go_on_from(struct sweep_walk *walk, const PGresult *res)
{
    int last = PQntuples(res) - 1;
    free(walk->payment_id);
    walk->payment_id = NULL;
    if (last + 1 == SWEEP_WINDOW) {
        walk->payment_id = xstrdup(pg_text(res, last, 0));
        (void)snprintf(walk->id, sizeof walk->id, "%s", pg_text(res, last, 1));
    }
}

enum rc callback_sweep_orders(struct session *s, struct sweep_walk *walk, int *out_looked, sweep_settled_fn say,
                              void *opaque, struct err *err)
{
    static const char FIRST_ID[] = "00000000-0000-0000-0000-000000000000";
    CLEANUP(columns_done) struct columns found;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {walk->payment_id == NULL ? "" : walk->payment_id,
                            walk->payment_id == NULL ? FIRST_ID : walk->id};

    columns_begin(&found, 2);
    TRY(session_query(s, WINDOW_SQL, 2, params, &res, err));
    *out_looked = PQntuples(res);
    if (add_found(res, &found) > 0) {
        TRY(settle(s, &found, say, opaque, err));
    }
    go_on_from(walk, res);
    return RC_OK;
}

enum rc callback_sweep_erase(struct session *s, enum sweep_inbox inbox, int64_t days, int64_t limit,
                             int64_t *out_erased, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char texts[2][NUMBER_MAX];
    const char *params[] = {texts[0], texts[1]};
    (void)snprintf(texts[0], sizeof texts[0], "%" PRId64, days);
    (void)snprintf(texts[1], sizeof texts[1], "%" PRId64, limit);
    TRY(session_query(s, ERASE_SQLS[inbox], 2, params, &res, err));
    *out_erased = strtoll(PQcmdTuples(res), NULL, 10);
    return RC_OK;
}

enum rc callback_sweep_skew(struct session *s, int64_t (*now_us)(void), int64_t *out_skew_us, int64_t *out_unsure_us,
                            struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    int64_t before_us = now_us();
    TRY(session_query(s, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", 0, NULL, &res, err));
    int64_t after_us = now_us();
    *out_unsure_us = (after_us - before_us) / 2;
    *out_skew_us = pg_int(res, 0, 0, 0) - before_us - *out_unsure_us;
    return RC_OK;
}
