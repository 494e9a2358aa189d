/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of channels on a real database: stored once, with their event, or in quarantine. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/reason.h"
#include "gateway/callback_sweep.h"
#include "gateway/store.h"
#include "pg/conn.h"
#include "support/callback_rig.h"

static struct stack st;
static struct callback_rig rig;
static struct err err;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    callback_rig_open(&rig, &st);
}

static void teardown(void)
{
    callback_rig_close(&rig);
    stack_close(&st);
}

TestSuite(callback_in, .init = setup, .fini = teardown, .timeout = 100);

static void came(struct job *job, enum channel_reason want, const char *what)
{
    enum channel_reason got = callback_store_one(&rig, job);
    cr_assert_eq(got, want, "%s: %s, expected %s (%s)", what, reason_name(got), reason_name(want),
                 job->callback->detail);
}

/* Rows of inbox, events besides payment.created, and what is open in quarantine. */
static void rows(int64_t inbox, int64_t events, int64_t open, const char *what)
{
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_callbacks"), inbox, "%s: inbox", what);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_outbox"), events, "%s: events", what);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_quarantine WHERE settled_at IS NULL"), open,
                 "%s: quarantine", what);
}

/* ---------------------------------------------------------------------------------------------------- one payment */

Test(callback_in, a_payment_is_stored_with_its_event)
{
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid(&rig, "n1", "A-1");
    job->traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    came(job, REASON_OK, "the first");
    rows(1, 1, 0, "one");
    stack_expect(st.conn, "the event",
                 "SELECT partition_key || ' ' || event_type || ' ' || (payload - 'callback_id')::text || ' ' || "
                 "(queue_seq IS NOT NULL) || ' ' || (traceparent IS NOT NULL) FROM payment_outbox",
                 "A-1 payment.succeeded {\"amount\": 100, \"channel\": \"wechat\", \"paid_at\": "
                 "\"2026-09-21T14:13:20.000000Z\", \"currency\": \"CNY\", \"payment_id\": \"A-1\", "
                 "\"channel_txn_id\": \"42-A-1\"} true true");
    stack_expect(
        st.conn, "both know each other",
        "SELECT count(*) FROM payment_callbacks c JOIN payment_outbox o ON o.id = c.event_id AND o.payload ->> "
        "'callback_id' = c.id::text WHERE c.verdict = 'ok' AND c.effect = 'payment.succeeded' AND c.address = "
        "'10.1.2.3' AND c.account = 'shop1'",
        "1");
    came(job, REASON_OK, "the same job, as after a COMMIT whose answer was lost");
    came(callback_again(&rig, job), REASON_DUPLICATE, "signed again");
    struct job *replay = callback_again(&rig, job);
    memcpy(replay->callback->verdict.fingerprint, job->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    came(replay, REASON_REPLAY, "the very bytes");
    came(callback_paid(&rig, "n2", "A-1"), REASON_DUPLICATE, "the same thing under another id");
    rows(1, 1, 0, "still one");
}

struct thread {
    pthread_t id;
    struct session session;
    struct job *job;
    pthread_barrier_t *all;
};

static void *store_at_once(void *opaque)
{
    struct thread *t = opaque;
    bool unknown = false;
    struct err why;
    enum rc rc = RC_RETRY;
    (void)pthread_barrier_wait(t->all);
    for (int i = 0; i < 20 && rc == RC_RETRY && !unknown; i++) { /* as the writer does, after a deadlock */
        rc = jobs_store(&t->session, &t->job, 1, &unknown, &why);
    }
    cr_assert_eq(rc, RC_OK, "%s", why.text);
    return NULL;
}

/* Five over four connections, for each of 20 orders. */
Test(callback_in, copies_at_once_are_one)
{
    enum { THREADS = 4, ORDERS = 20 };
    struct thread threads[THREADS];
    pthread_barrier_t all;
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){.session = {.opt = &rig.options}, .all = &all};
        cr_assert_eq(session_open(&threads[i].session, &err), RC_OK, "%s", err.text);
    }
    for (int order = 0; order < ORDERS; order++) {
        char payment[16];
        char ids[2][16];
        (void)snprintf(payment, sizeof payment, "A-%d", order);
        (void)snprintf(ids[0], sizeof ids[0], "n-%d", order);
        (void)snprintf(ids[1], sizeof ids[1], "m-%d", order);
        callback_order(&st, payment, "wechat", 100, "CNY");
        struct job *first = callback_paid(&rig, ids[0], payment);
        struct job *replay = callback_again(&rig, first);
        memcpy(replay->callback->verdict.fingerprint, first->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
        struct job *jobs[THREADS] = {first, callback_again(&rig, first), replay, callback_paid(&rig, ids[1], payment)};
        (void)pthread_barrier_init(&all, NULL, THREADS);
        for (int i = 0; i < THREADS; i++) {
            threads[i].job = jobs[i];
            cr_assert_eq(pthread_create(&threads[i].id, NULL, store_at_once, &threads[i]), 0);
        }
        int new = 0;
        for (int i = 0; i < THREADS; i++) {
            (void)pthread_join(threads[i].id, NULL);
            enum channel_reason r = jobs[i]->callback->result;
            new += r == REASON_OK ? 1 : 0;
            cr_assert(r == REASON_OK || r == REASON_DUPLICATE || r == REASON_REPLAY, "%s", reason_name(r));
        }
        cr_assert_eq(new, 1);
        came(callback_again(&rig, first), REASON_DUPLICATE, "the fifth");
        (void)pthread_barrier_destroy(&all);
    }
    rows(ORDERS, ORDERS, 0, "each once");
    for (int i = 0; i < THREADS; i++) {
        session_close(&threads[i].session);
    }
}

Test(callback_in, refunds_are_no_duplicates_of_their_payment)
{
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    came(callback_paid(&rig, "n1", "A-1"), REASON_OK, "paid");
    struct job *part = callback_refund(&rig, "n2", "A-1", "r1", 30);
    came(part, REASON_OK, "a part");
    came(callback_refund(&rig, "n3", "A-1", "r2", 70), REASON_OK, "the rest");
    came(callback_again(&rig, part), REASON_DUPLICATE, "the part again");
    came(callback_refund(&rig, "n4", "A-1", "r1", 30), REASON_DUPLICATE, "the part under another id");
    rows(3, 3, 0, "three");
    stack_expect(st.conn, "amounts",
                 "SELECT string_agg(payload ->> 'refund_id' || '=' || (payload ->> 'amount') || ' ' || (payload ? "
                 "'refunded_at')::text, ', ' ORDER BY queue_seq) FROM payment_outbox WHERE event_type = "
                 "'payment.refunded'",
                 "r1=30 true, r2=70 true");
    struct job *total = callback_refund(&rig, "n5", "A-1", "r3", 100);
    total->callback->verdict.event.amount_is_total = true;
    callback_ready(&rig, total);
    came(total, REASON_OK, "all that was refunded");
    stack_expect(st.conn, "as a total",
                 "SELECT payload ->> 'refunded_total' FROM payment_outbox WHERE payload ->> 'refund_id' = 'r3' AND NOT "
                 "payload ? 'amount'",
                 "100");
}

/* One transaction, as the writers make it: every result is that of the job, in whatever order they come. */
Test(callback_in, a_batch_of_all_kinds)
{
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    callback_order(&st, "A-2", "wechat", 99, "CNY");
    struct job *other = callback_paid(&rig, "n1", "A-1");
    other->callback->verdict.event.state = "ACCEPTED";
    callback_ready(&rig, other);
    struct job *none = callback_paid(&rig, "n5", "A-1");
    none->callback->verdict.event.effect = EFFECT_NONE;
    none->callback->verdict.event.business_key = "something else";
    callback_ready(&rig, none);
    struct job *stale = callback_paid(&rig, "n9", "A-1");
    stale->callback->verdict.reason = REASON_TS_STALE;
    struct job *jobs[] = {callback_paid(&rig, "n4", "A-404"), callback_paid(&rig, "n1", "A-1"), other, stale, none,
                          callback_paid(&rig, "n2", "A-2"),   callback_paid(&rig, "n1", "A-1")};
    static const enum channel_reason WANT[] = {REASON_UNKNOWN_ORDER, REASON_OK, REASON_CONFLICT,
                                               REASON_TS_STALE,      REASON_OK, REASON_CONFLICT,
                                               REASON_DUPLICATE};
    for (int twice = 0; twice < 2; twice++) { /* the second time as after a lost answer */
        callback_store(&rig, jobs, 7);
        for (size_t i = 0; i < 6; i++) {
            cr_expect_eq(jobs[i]->callback->result, WANT[i], "%zu: %s", i, reason_name(jobs[i]->callback->result));
        }
        cr_expect_eq(jobs[6]->callback->result, REASON_DUPLICATE);
        rows(5, 1, 3, "the batch");
    }
    stack_expect(
        st.conn, "what stands against them",
        "SELECT string_agg(code || '/' || regexp_replace(detail, '[0-9a-f-]{36}', 'ID'), '; ' ORDER BY detail) "
        "FROM payment_quarantine",
        "conflict/amount_mismatch: the order has 99, the channel says 100; conflict/other content than ID: "
        "state; unknown_order/unknown_order: there is no order A-404");
    stack_expect(st.conn, "what can be told when it is released",
                 "SELECT count(*) FROM payment_quarantine WHERE event_type = 'payment.succeeded' AND payload ->> "
                 "'channel_txn_id' LIKE '42-%'",
                 "3");
}

/* ---------------------------------------------------------------------------------------------------- contradictions
 */

Test(callback_in, an_order_that_does_not_fit_is_a_conflict)
{
    static const struct {
        const char *payment, *channel, *currency;
        int64_t amount;
        const char *detail;
    } CASES[] = {{"A-1", "alipay", "CNY", 100, "channel_mismatch"},
                 {"A-2", "wechat", "USD", 100, "currency_mismatch"},
                 {"A-3", "wechat", "CNY", 101, "amount_mismatch"}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        callback_order(&st, CASES[i].payment, CASES[i].channel, CASES[i].amount, CASES[i].currency);
        struct job *job = callback_paid(&rig, CASES[i].payment, CASES[i].payment);
        came(job, REASON_CONFLICT, CASES[i].detail);
        cr_expect(strncmp(job->callback->detail, CASES[i].detail, strlen(CASES[i].detail)) == 0, "%s",
                  job->callback->detail);
        came(callback_again(&rig, job), REASON_DUPLICATE, "again");
    }
    callback_order(&st, "A-4", "wechat", 100, "CNY");
    stack_sql(st.conn, "UPDATE payment_transactions SET exponent = 0 WHERE payment_id = 'A-4'");
    struct job *units = callback_paid(&rig, "n4", "A-4");
    came(units, REASON_CONFLICT, "whole yuan");
    cr_expect_not_null(strstr(units->callback->detail, "exponent_mismatch"), "%s", units->callback->detail);
    rows(4, 0, 4, "nothing is told to the ledger");
    stack_sql(st.conn, "UPDATE payment_transactions SET exponent = 2 WHERE payment_id = 'A-4'");
    came(callback_refund(&rig, "n5", "A-4", "r1", 40), REASON_OK, "a refund is less than the order");
}

Test(callback_in, the_same_contradiction_is_kept_once_and_does_not_hold_up_what_is_right)
{
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    struct job *wrong = callback_paid(&rig, "n1", "A-1");
    wrong->callback->verdict.event.amount = 1;
    callback_ready(&rig, wrong);
    came(wrong, REASON_CONFLICT, "not the order's amount");
    came(callback_paid(&rig, "n1", "A-1"), REASON_OK, "the right one");
    came(callback_again(&rig, wrong), REASON_DUPLICATE, "the wrong one again");
    rows(2, 1, 1, "each once");
}

/* ---------------------------------------------------------------------------------------------------- tokens */

static struct job *token(const char *transaction, const char *payment, const char *caller)
{
    struct job *j = callback_paid(&rig, transaction, payment);
    struct callback *c = j->callback;
    j->caller = caller;
    c->channel = CHANNEL_APPLEPAY;
    c->account = &rig.accounts[CHANNEL_APPLEPAY];
    c->verdict.event.effect = EFFECT_NONE;
    c->verdict.event.business_key = transaction;
    c->verdict.event.channel_txn_id = transaction;
    callback_ready(&rig, j);
    return j;
}

Test(callback_in, a_token_is_for_one_order)
{
    callback_order(&st, "A-1", "unionpay", 100, "CNY");
    callback_order(&st, "A-2", "unionpay", 100, "CNY");
    callback_order(&st, "A-3", "unionpay", 99, "CNY");
    stack_sql(st.conn, "UPDATE payment_transactions SET caller = 'shop' WHERE payment_id = 'A-1'");
    came(token("T1", "A-3", "shop"), REASON_FIELD_MISMATCH, "another amount");
    came(token("T1", "A-404", "shop"), REASON_FIELD_MISMATCH, "no order");
    came(token("T1", "A-1", "billing"), REASON_FIELD_MISMATCH, "somebody else's order");
    rows(0, 0, 0, "nothing is kept of them");
    came(token("T1", "A-1", "shop"), REASON_OK, "its order");
    came(token("T1", "A-1", "shop"), REASON_DUPLICATE, "again");
    came(token("T1", "A-2", "shop"), REASON_CONFLICT, "another order");
    rows(2, 0, 1, "an authorisation is no money");
    struct job *first = token("T2", "A-1", "shop");
    struct job *same_bytes = token("T2", "A-2", "shop");
    memcpy(same_bytes->callback->verdict.fingerprint, first->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    came(first, REASON_OK, "another token");
    came(same_bytes, REASON_CONFLICT, "its very bytes for another order: what it is for is not signed");
    struct job *again = token("T2", "A-1", "shop");
    memcpy(again->callback->verdict.fingerprint, first->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    came(again, REASON_REPLAY, "its very bytes for its order");
}

/* ---------------------------------------------------------------------------------------------------- late, lost */

Test(callback_in, what_comes_too_late_is_known_by_its_bytes)
{
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid(&rig, "n1", "A-1");
    came(job, REASON_OK, "in time");
    struct job *late = callback_again(&rig, job);
    late->callback->verdict.reason = REASON_TS_STALE;
    came(late, REASON_TS_STALE, "signed again, but long ago");
    memcpy(late->callback->verdict.fingerprint, job->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    came(late, REASON_REPLAY, "the very bytes");
    rows(1, 1, 0, "nothing new");
}

Test(callback_in, a_session_that_dies_before_commit_leaves_nothing)
{
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid(&rig, "n1", "A-1");
    PGconn *admin = stack_session(&st, true);
    bool unknown = false;
    stack_sql(admin, "SELECT pg_terminate_backend(%d)", PQbackendPID(rig.session.conn));
    cr_assert_eq(jobs_store(&rig.session, &job, 1, &unknown, &err), RC_RETRY);
    cr_assert_not(unknown);
    rows(0, 0, 0, "nothing");
    cr_assert_eq(session_open(&rig.session, &err), RC_OK, "%s", err.text);
    came(job, REASON_OK, "again");
    PQfinish(admin);
}

/* ---------------------------------------------------------------------------------------------------- at rest */

static void opened(const char *column, const char *sealed_hex, const char *key, const char *id, struct buf *out)
{
    size_t n = strlen(sealed_hex) / 2;
    unsigned char *sealed = xcalloc(n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        unsigned byte = 0;
        cr_assert_eq(sscanf(sealed_hex + 2 * i, "%2x", &byte), 1);
        sealed[i] = (unsigned char)byte;
    }
    cr_assert_eq(raw_open(rig.g.raw_keys, key, id, column, sealed, n, out, &err), RC_OK, "%s", err.text);
    cr_assert_eq(raw_open(rig.g.raw_keys, "k1", id, column, sealed, n, out, &err), RC_REJECT, "another key");
    cr_assert_eq(raw_open(rig.g.raw_keys, "k9", id, column, sealed, n, out, &err), RC_REJECT, "no such key");
    cr_assert_eq(raw_open(rig.g.raw_keys, key, "another row", column, sealed, n, out, &err), RC_REJECT);
    cr_assert_eq(raw_open(rig.g.raw_keys, key, id, "another column", sealed, n, out, &err), RC_REJECT);
    sealed[n / 2] ^= 1;
    cr_assert_eq(raw_open(rig.g.raw_keys, key, id, column, sealed, n, out, &err), RC_REJECT, "changed");
    free(sealed);
}

Test(callback_in, what_came_is_kept_and_cannot_be_read_without_the_key)
{
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid(&rig, "n1", "A-1");
    came(job, REASON_OK, "stored");
    char *headers = stack_text(st.conn, "SELECT encode(raw_headers, 'hex') FROM payment_callbacks");
    char *body = stack_text(st.conn, "SELECT encode(raw_body, 'hex') FROM payment_callbacks");
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1000);
    opened("body", body, "k2", job->id, &out);
    cr_assert_str_eq(buf_str(&out), "{\"id\": 1}");
    buf_clear(&out);
    opened("headers", headers, "k2", job->id, &out);
    cr_assert_str_eq(buf_str(&out), "Wechatpay-Serial: PUB_KEY_ID_1\r\nX-Twice: 1\r\nX-Twice: 2\r\n");
    stack_expect(
        st.conn, "in clear text nowhere",
        "SELECT count(*) FROM payment_callbacks WHERE key_id = 'k2' AND position('\\x6964'::bytea in raw_body) "
        "= 0 AND position('Serial'::bytea in raw_headers) = 0",
        "1");
    free(headers);
    free(body);
}

/* ---------------------------------------------------------------------------------------------------- what time does
 */

static int settled, contradicted;

static void on_settled(void *opaque, const char *id, const char *payment_id, const char *against)
{
    (void)opaque;
    cr_assert_eq(strlen(id), UUID_TEXT_LEN);
    cr_assert_neq(payment_id[0], '\0');
    settled += against == NULL ? 1 : 0;
    contradicted += against == NULL ? 0 : 1;
}

/* All windows, once. */
static void sweep(void)
{
    CLEANUP(sweep_walk_done) struct sweep_walk walk = {0};
    int looked = SWEEP_WINDOW;
    settled = contradicted = 0;
    while (looked == SWEEP_WINDOW) {
        cr_assert_eq(callback_sweep_orders(&rig.session, &walk, &looked, on_settled, NULL, &err), RC_OK, "%s",
                     err.text);
    }
}

Test(callback_in, an_unknown_order_runs_by_itself_when_it_appears)
{
    struct job *early = callback_paid(&rig, "n1", "A-1");
    came(early, REASON_UNKNOWN_ORDER, "before its order");
    came(callback_again(&rig, early), REASON_DUPLICATE, "again");
    struct job *wrong = callback_paid(&rig, "n2", "A-2");
    came(wrong, REASON_UNKNOWN_ORDER, "before another order");
    sweep();
    rows(2, 0, 2, "nothing to do yet");
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    callback_order(&st, "A-2", "wechat", 200, "CNY");
    sweep();
    cr_assert_eq(settled, 1);
    cr_assert_eq(contradicted, 1);
    rows(2, 1, 1, "one runs, one does not fit");
    stack_expect(
        st.conn, "told",
        "SELECT o.partition_key || ' ' || o.event_type || ' ' || (o.payload ->> 'amount') FROM payment_outbox o "
        "JOIN payment_callbacks c ON c.event_id = o.id AND c.verdict = 'ok'",
        "A-1 payment.succeeded 100");
    stack_expect(st.conn, "settled",
                 "SELECT settled_by || ' ' || released::text FROM payment_quarantine WHERE settled_at IS NOT NULL",
                 "order appeared true");
    stack_expect(
        st.conn, "not settled",
        "SELECT q.code || ' ' || c.verdict || ' ' || q.detail FROM payment_quarantine q JOIN payment_callbacks c "
        "USING (id) WHERE q.settled_at IS NULL",
        "conflict conflict amount_mismatch: the order has 200, the channel says 100");
    sweep();
    cr_assert_eq(settled + contradicted, 0, "once");
    came(callback_again(&rig, early), REASON_DUPLICATE, "still the same");
    came(early, REASON_OK, "whoever has not heard of it yet");
    came(callback_again(&rig, wrong), REASON_DUPLICATE, "the contradiction, too");
    rows(2, 1, 1, "nothing new");
}

Test(callback_in, thousands_that_wait_hide_nobody)
{
    came(callback_paid(&rig, "n1", "Z-9"), REASON_UNKNOWN_ORDER, "the last in the order of the walk");
    stack_sql(
        st.conn,
        "INSERT INTO payment_callbacks (id, channel, account, merchant, notification_id, business_key, verdict, "
        "event_type, effect, payment_id, content_hash, fingerprint) SELECT gen_random_uuid(), 'wechat', 'shop1', "
        "'m', 'x' || i, 'x' || i, 'unknown_order', 't', 'payment.closed', 'A-' || (i %% 7), sha256(''), sha256('') "
        "FROM generate_series(1, 2500) i");
    stack_sql(st.conn, "INSERT INTO payment_quarantine (id, code, detail, payment_id, event_type, payload) SELECT id, "
                       "verdict, '', payment_id, effect, '{}' FROM payment_callbacks WHERE account = 'shop1' AND "
                       "notification_id LIKE 'x%%'");
    callback_order(&st, "Z-9", "wechat", 100, "CNY");
    sweep();
    cr_assert_eq(settled, 1);
    callback_order(&st, "A-3", "wechat", 100, "CNY");
    sweep();
    cr_assert_eq(settled, 357);
    cr_assert_eq(contradicted, 0);
}

Test(callback_in, what_another_instance_has_in_hand_is_passed_over)
{
    came(callback_paid(&rig, "n1", "A-1"), REASON_UNKNOWN_ORDER, "waits");
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    PGconn *other = stack_session(&st, false);
    stack_sql(other, "BEGIN");
    stack_sql(other, "SELECT FROM payment_quarantine FOR UPDATE");
    sweep();
    rows(1, 0, 1, "in hand");
    stack_sql(other, "ROLLBACK");
    sweep();
    rows(1, 1, 0, "not any more");
    PQfinish(other);
}

Test(callback_in, old_bytes_are_erased_and_the_rest_stays)
{
    int64_t erased = 0;
    callback_order(&st, "A-1", "wechat", 100, "CNY");
    callback_order(&st, "A-2", "wechat", 100, "CNY");
    struct job *old = callback_paid(&rig, "n1", "A-1");
    came(old, REASON_OK, "old");
    came(callback_paid(&rig, "n2", "A-2"), REASON_OK, "young");
    stack_sql(st.conn, "UPDATE payment_callbacks SET received_at = now() - interval '11 days' WHERE notification_id = "
                       "'n1'");
    cr_assert_eq(callback_sweep_erase(&rig.session, 12, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 0);
    cr_assert_eq(callback_sweep_erase(&rig.session, 10, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 1);
    cr_assert_eq(callback_sweep_erase(&rig.session, 10, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 0);
    stack_expect(st.conn, "what is left",
                 "SELECT string_agg(notification_id || ' ' || (raw_body IS NULL AND raw_headers IS NULL AND key_id IS "
                 "NULL)::text || ' ' || (erased_at IS NOT NULL)::text, ', ' ORDER BY 1) FROM (SELECT * FROM "
                 "payment_callbacks ORDER BY notification_id) c",
                 "n1 true true, n2 false false");
    came(callback_again(&rig, old), REASON_DUPLICATE, "still known");
}

static int64_t ahead(void)
{
    return clock_utc_us() + 45000000;
}

Test(callback_in, clocks_that_differ_are_seen)
{
    int64_t skew_us = 0;
    int64_t unsure_us = 0;
    cr_assert_eq(callback_sweep_skew(&rig.session, ahead, &skew_us, &unsure_us, &err), RC_OK, "%s", err.text);
    cr_assert(skew_us - unsure_us <= -44999999 && skew_us + unsure_us >= -45000001, "%lld +- %lld", (long long)skew_us,
              (long long)unsure_us);
}
