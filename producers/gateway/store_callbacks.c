/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored of calls, and what they are when it is stored already. */
#include "gateway/store_callbacks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/currency.h"
#include "base/mem.h"
#include "crypto/sha256.h"
#include "gateway/callback.h"
#include "gateway/callback_sql.h"
#include "gateway/columns.h"
#include "pg/conn.h"

#define COLUMNS 28
#define NUMBER_MAX 24
#define BYTEA_HASH_MAX (2 + SHA256_HEX_BYTES)

/*
 * c: what was verified, beside its order. against: what is known to stand against it, on the second way through.
 * d: the verdict; 'refused' is a token that is not for its order, of which nothing is kept. Inserted in the order of
 * keys, so that two writers with the same notifications do not wait for each other crosswise. "(x IN (...)) IS TRUE":
 * a hash over the batch, where joins would compare each with each.
 */
static const char STORE_SQL[] =
    "WITH c AS MATERIALIZED (SELECT u.*, CASE WHEN u.against IS NOT NULL THEN u.against "
    "WHEN u.effect IS NOT NULL OR (" TOKEN_SQL " AND u.payment_id IS NOT NULL) THEN " ORDER_AGAINST_SQL
    " END AS why FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], "
    "$8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::timestamptz[], "
    "$16::bytea[], $17::bytea[], $18::text[], $19::text[], $20::bytea[], $21::bytea[], $22::uuid[], "
    "$23::timestamptz[], $24::text[], $25::text[], $26::int[], $27::text[], $28::text[]) "
    "WITH ORDINALITY AS u(id, channel, account, merchant, notification_id, business_key, event_type, state, effect, "
    "payment_id, channel_txn_id, refund_id, amount, currency, occurred_at, content_hash, fingerprint, address, key_id, "
    "raw_headers, raw_body, event_id, received_at, payload, traceparent, digits, caller, against, ord) "
    "LEFT JOIN payment_transactions o ON o.payment_id = u.payment_id), "
    "d AS MATERIALIZED (SELECT c.*, CASE WHEN why IS NULL THEN 'ok' WHEN against IS NOT NULL THEN 'conflict' "
    "WHEN channel = 'applepay' THEN 'refused' WHEN why LIKE 'unknown_order:%' THEN 'unknown_order' "
    "ELSE 'conflict' END AS verdict FROM c), "
    "made AS (INSERT INTO payment_callbacks (id, channel, account, merchant, notification_id, business_key, verdict, "
    "event_type, state, effect, payment_id, channel_txn_id, refund_id, amount, currency, occurred_at, content_hash, "
    "fingerprint, address, key_id, raw_headers, raw_body, event_id, received_at) "
    "SELECT id, channel, account, merchant, notification_id, business_key, verdict, event_type, state, effect, "
    "payment_id, channel_txn_id, refund_id, amount, currency, occurred_at, content_hash, fingerprint, address, key_id, "
    "raw_headers, raw_body, CASE WHEN verdict = 'ok' AND effect IS NOT NULL THEN event_id END, received_at "
    "FROM d WHERE verdict <> 'refused' ORDER BY channel, merchant, notification_id, business_key "
    "ON CONFLICT DO NOTHING RETURNING id), "
    "told AS (INSERT INTO payment_outbox (id, partition_key, event_type, payload, traceparent) "
    "SELECT event_id, payment_id, effect, payload::jsonb, traceparent FROM d WHERE verdict = 'ok' "
    "AND effect IS NOT NULL AND (id IN (SELECT id FROM made)) IS TRUE ORDER BY ord), "
    "held AS (INSERT INTO payment_quarantine (id, code, detail, payment_id, event_type, payload, traceparent) "
    "SELECT id, verdict, why, payment_id, effect, payload::jsonb, traceparent FROM d "
    "WHERE verdict IN ('conflict', 'unknown_order') AND (id IN (SELECT id FROM made)) IS TRUE ORDER BY ord) "
    "SELECT verdict, coalesce(why, ''), (id IN (SELECT id FROM made)) IS TRUE FROM d ORDER BY ord";

/* What a token is for stands beside what is signed. */
#define SAME_BYTES_SQL \
    "(r.fingerprint = u.fingerprint AND (u.channel <> 'applepay' OR r.content_hash = u.content_hash))"

/*
 * What stands in the way of those that were not inserted: ours, where this is a repetition after a COMMIT whose answer
 * was lost; else what says the same; else what says something else.
 */
static const char STANDING_SQL[] =
    "SELECT DISTINCT ON (u.ord) u.ord, r.id = u.id, r.verdict, " SAME_BYTES_SQL ", "
    "r.content_hash = u.content_hash, 'other content than ' || r.id || ': ' || concat_ws(', ', "
    "CASE WHEN r.payment_id IS DISTINCT FROM u.payment_id THEN 'payment_id' END, "
    "CASE WHEN r.amount IS DISTINCT FROM u.amount THEN 'amount' END, "
    "CASE WHEN r.currency IS DISTINCT FROM u.currency THEN 'currency' END, "
    "CASE WHEN r.event_type IS DISTINCT FROM u.event_type THEN 'type' END, "
    "CASE WHEN r.state IS DISTINCT FROM u.state THEN 'state' END, "
    "CASE WHEN r.channel_txn_id IS DISTINCT FROM u.channel_txn_id THEN 'channel_txn_id' END, "
    "CASE WHEN r.refund_id IS DISTINCT FROM u.refund_id THEN 'refund_id' END) "
    "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::text[], "
    "$9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]) WITH ORDINALITY "
    "AS u(id, channel, merchant, notification_id, business_key, content_hash, fingerprint, payment_id, amount, "
    "currency, event_type, state, channel_txn_id, refund_id, ord) "
    "CROSS JOIN LATERAL (SELECT x.* FROM payment_callbacks x WHERE x.id = u.id "
    "UNION ALL SELECT x.* FROM payment_callbacks x WHERE x.channel = u.channel AND x.merchant = u.merchant "
    "AND x.notification_id = u.notification_id AND x.verdict <> 'conflict' "
    "UNION ALL SELECT x.* FROM payment_callbacks x WHERE x.channel = u.channel AND x.merchant = u.merchant "
    "AND x.business_key = u.business_key AND x.verdict <> 'conflict' "
    "UNION ALL SELECT x.* FROM payment_callbacks x WHERE x.channel = u.channel AND x.merchant = u.merchant "
    "AND x.notification_id = u.notification_id AND x.business_key = u.business_key "
    "AND x.content_hash = u.content_hash AND x.verdict = 'conflict') r "
    "ORDER BY u.ord, r.id = u.id DESC, " SAME_BYTES_SQL " DESC, r.content_hash = u.content_hash DESC, r.id";

/* Genuine, but too late to be taken as new. A token's order is its caller's, late or not. */
static const char SEEN_SQL[] =
    "SELECT r.at_s, r.content FROM unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS u(fingerprint, caller, ord) "
    "LEFT JOIN LATERAL (SELECT floor(extract(epoch FROM x.received_at))::bigint AS at_s, encode(x.content_hash, 'hex') "
    "AS content FROM payment_callbacks x LEFT JOIN payment_transactions o ON x.channel = 'applepay' "
    "AND o.payment_id = x.payment_id WHERE x.fingerprint = u.fingerprint "
    "AND (o.caller IS NULL OR o.caller IN ('', u.caller)) ORDER BY x.verdict = 'conflict', x.id "
    "LIMIT 1) r ON true ORDER BY u.ord";

/* ---------------------------------------------------------------------------------------------------- columns */

/* A callback's values as text. */
struct values {
    char amount[NUMBER_MAX], digits[NUMBER_MAX];
    char occurred[CLOCK_RFC3339_MAX], received[CLOCK_RFC3339_MAX];
    char content[BYTEA_HASH_MAX], fingerprint[BYTEA_HASH_MAX];
};

static void bytea_of_hash(const unsigned char *hash, char out[BYTEA_HASH_MAX])
{
    (void)memcpy(out, "\\x", 2);
    sha256_hex(hash, CHANNEL_HASH_BYTES, out + 2);
}

static void make_values(const struct callback *c, struct values *v)
{
    const struct channel_event *e = &c->verdict.event;
    (void)snprintf(v->amount, sizeof v->amount, "%" PRId64, e->amount);
    (void)snprintf(v->digits, sizeof v->digits, "%d",
                   e->currency == NULL ? CURRENCY_DIGITS_USUAL : currency_digits(e->currency));
    clock_rfc3339(e->at_us, v->occurred);
    clock_rfc3339(c->received_us, v->received);
    bytea_of_hash(e->content, v->content);
    bytea_of_hash(c->verdict.fingerprint, v->fingerprint);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void add_row(struct columns *columns, const struct job *j, const char *against)
{
    const struct callback *c = j->callback;
    const struct channel_event *e = &c->verdict.event;
    struct values v;
    make_values(c, &v);
    const char *const row[COLUMNS] = {j->id,
                                      channel_name(c->channel),
                                      c->account->name,
                                      or_empty(e->merchant),
                                      or_empty(e->notification_id),
                                      or_empty(e->business_key),
                                      or_empty(e->type),
                                      e->state,
                                      payment_effect_event(e->effect),
                                      e->payment_id,
                                      e->channel_txn_id,
                                      e->refund_id,
                                      e->has_amount ? v.amount : NULL,
                                      e->currency,
                                      e->at_us == 0 ? NULL : v.occurred,
                                      v.content,
                                      v.fingerprint,
                                      c->capture.address,
                                      c->key_id,
                                      c->raw_headers,
                                      c->raw_body,
                                      c->event_id,
                                      v.received,
                                      c->payload,
                                      j->traceparent,
                                      v.digits,
                                      j->caller,
                                      against};
    columns_add(columns, row);
}

/* ---------------------------------------------------------------------------------------------------- statements */

struct batch {
    struct session *s;
    struct job **list; /* those of jobs that are accepted calls */
    size_t n;
};

static void batchp(struct batch *b)
{
    free(b->list);
}

static enum channel_reason reason_of_verdict(const char *verdict)
{
    if (strcmp(verdict, "refused") == 0) {
        return REASON_FIELD_MISMATCH;
    }
    int reason = reason_find(verdict);
    return reason < 0 ? REASON_UNAVAILABLE : (enum channel_reason)reason;
}

static void settle(struct job *j, enum channel_reason reason, const char *detail)
{
    j->callback->result = reason;
    j->callback->detail = arena_strndup(j->arena, detail, strlen(detail));
}

/* Inserts all of b; what is in the way of some is left in *out_left. against: as in STORE_SQL, or NULL. */
static enum rc insert(const struct batch *b, const char *const *against, struct batch *out_left, struct err *err)
{
    CLEANUP(columns_done) struct columns columns;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[COLUMNS];

    columns_begin(&columns, COLUMNS);
    for (size_t i = 0; i < b->n; i++) {
        add_row(&columns, b->list[i], against == NULL ? NULL : against[i]);
    }
    columns_end(&columns, params);
    TRY(session_query_again(b->s, STORE_SQL, COLUMNS, params, &res, err));
    *out_left = (struct batch){.s = b->s, .list = xcalloc(b->n, sizeof(struct job *))};
    for (size_t i = 0; i < b->n; i++) {
        enum channel_reason reason = reason_of_verdict(pg_text(res, (int)i, 0));
        if (reason_acknowledged(reason) && pg_text(res, (int)i, 2)[0] != 't') {
            out_left->list[out_left->n++] = b->list[i];
        } else {
            settle(b->list[i], reason, pg_text(res, (int)i, 1));
        }
    }
    return RC_OK;
}

static void add_standing(struct columns *columns, const struct job *j)
{
    const struct channel_event *e = &j->callback->verdict.event;
    struct values v;
    make_values(j->callback, &v);
    const char *const row[] = {j->id,
                               channel_name(j->callback->channel),
                               or_empty(e->merchant),
                               or_empty(e->notification_id),
                               or_empty(e->business_key),
                               v.content,
                               v.fingerprint,
                               e->payment_id,
                               e->has_amount ? v.amount : NULL,
                               e->currency,
                               or_empty(e->type),
                               e->state,
                               e->channel_txn_id,
                               e->refund_id};
    columns_add(columns, row);
}

/* Settles those of b that say what stands there already; the others go to *out_against, with what they contradict. */
static enum rc compare(const struct batch *b, struct batch *out_against, const char **against, struct err *err)
{
    CLEANUP(columns_done) struct columns columns;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[14];

    columns_begin(&columns, 14);
    for (size_t i = 0; i < b->n; i++) {
        add_standing(&columns, b->list[i]);
    }
    columns_end(&columns, params);
    TRY(session_query(b->s, STANDING_SQL, 14, params, &res, err));
    if (PQntuples(res) != (int)b->n) { /* somebody deletes them */
        FAIL(err, RC_RETRY, "a stored call is gone right after it was there");
    }
    *out_against = (struct batch){.s = b->s, .list = xcalloc(b->n, sizeof(struct job *))};
    for (size_t i = 0; i < b->n; i++) {
        struct job *j = b->list[i];
        int row = (int)i;
        if (pg_text(res, row, 1)[0] == 't') {
            settle(j, reason_of_verdict(pg_text(res, row, 2)), "");
        } else if (pg_text(res, row, 3)[0] == 't') {
            settle(j, REASON_REPLAY, "");
        } else if (pg_text(res, row, 4)[0] == 't') {
            settle(j, REASON_DUPLICATE, "");
        } else {
            const char *why = pg_text(res, row, 5);
            against[out_against->n] = arena_strndup(j->arena, why, strlen(why));
            out_against->list[out_against->n++] = j;
        }
    }
    return RC_OK;
}

/*
 * Are these the bytes that were stored? Of a token, is it for the same order as well? That is known once it is judged
 * as of the time when it was stored; and what may be shown of it, too.
 */
static bool is_replay(struct job *j, const PGresult *res, int row)
{
    struct callback *c = j->callback;
    struct verdict then;
    char content[SHA256_HEX_BYTES];
    if (PQgetisnull(res, row, 0)) {
        return false;
    }
    if (c->channel != CHANNEL_APPLEPAY) {
        return true;
    }
    if (channel_verify(c->account, &c->capture, pg_int(res, row, 0, 0), j->arena, &then) != REASON_OK) {
        return false;
    }
    sha256_hex(then.event.content, CHANNEL_HASH_BYTES, content);
    c->verdict.event = then.event;
    return strcmp(content, pg_text(res, row, 1)) == 0;
}

static enum rc look_up(const struct batch *b, struct err *err)
{
    if (b->n == 0) {
        return RC_OK;
    }
    CLEANUP(columns_done) struct columns columns;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[2];
    columns_begin(&columns, 2);
    for (size_t i = 0; i < b->n; i++) {
        char fingerprint[BYTEA_HASH_MAX];
        const char *const row[] = {fingerprint, or_empty(b->list[i]->caller)};
        bytea_of_hash(b->list[i]->callback->verdict.fingerprint, fingerprint);
        columns_add(&columns, row);
    }
    columns_end(&columns, params);
    TRY(session_query(b->s, SEEN_SQL, 2, params, &res, err));
    for (size_t i = 0; i < b->n; i++) {
        bool replay = is_replay(b->list[i], res, (int)i);
        const struct verdict *v = &b->list[i]->callback->verdict;
        settle(b->list[i], replay ? REASON_REPLAY : v->reason, replay ? "" : v->detail);
    }
    return RC_OK;
}

/* Nobody writes the same contradiction twice: whoever was first has it stored. */
static enum rc store_conflicts(const struct batch *b, const char *const *against, struct err *err)
{
    CLEANUP(batchp) struct batch left = {0};
    if (b->n == 0) {
        return RC_OK;
    }
    TRY(insert(b, against, &left, err));
    for (size_t i = 0; i < left.n; i++) {
        settle(left.list[i], REASON_DUPLICATE, "");
    }
    return RC_OK;
}

static enum rc store(const struct batch *b, struct err *err)
{
    CLEANUP(batchp) struct batch left = {0};
    CLEANUP(batchp) struct batch conflicts = {0};
    if (b->n == 0) {
        return RC_OK;
    }
    TRY(insert(b, NULL, &left, err));
    if (left.n == 0) {
        return RC_OK;
    }
    CLEANUP(freep) const char **against = xcalloc(left.n, sizeof *against);
    TRY(compare(&left, &conflicts, against, err));
    return store_conflicts(&conflicts, against, err);
}

enum rc callbacks_store(struct session *s, struct job *const *jobs, size_t n, struct err *err)
{
    CLEANUP(batchp) struct batch accepted = {.s = s, .list = xcalloc(n, sizeof(struct job *))};
    CLEANUP(batchp) struct batch late = {.s = s, .list = xcalloc(n, sizeof(struct job *))};
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->kind == JOB_CALLBACK) {
            struct batch *b = jobs[i]->callback->verdict.reason == REASON_OK ? &accepted : &late;
            b->list[b->n++] = jobs[i];
        }
    }
    TRY(look_up(&late, err));
    return store(&accepted, err);
}
