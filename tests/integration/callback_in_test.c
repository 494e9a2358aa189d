/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of channels on a real database: stored once, with their event. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "gateway/store.h"
#include "support/callback_rig.h"

TestSuite(callback_in, .init = callback_rig_open, .fini = callback_rig_close, .timeout = 100);

static struct err err;

/* ---------------------------------------------------------------------------------------------------- one payment */

Test(callback_in, a_payment_is_stored_with_its_event)
{
    callback_order("A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid("n1", "A-1");
    job->traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    callback_came(job, REASON_OK, "the first");
    callback_rows(1, 1, 0, "one");
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
    callback_came(job, REASON_OK, "the same job, as after a COMMIT whose answer was lost");
    callback_came(callback_again(job), REASON_DUPLICATE, "signed again");
    struct job *replay = callback_again(job);
    memcpy(replay->callback->verdict.fingerprint, job->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    callback_came(replay, REASON_REPLAY, "the very bytes");
    callback_came(callback_paid("n2", "A-1"), REASON_DUPLICATE, "the same thing under another id");
    callback_rows(1, 1, 0, "still one");
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
        callback_order(payment, "wechat", 100, "CNY");
        struct job *first = callback_paid(ids[0], payment);
        struct job *replay = callback_again(first);
        memcpy(replay->callback->verdict.fingerprint, first->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
        struct job *jobs[THREADS] = {first, callback_again(first), replay, callback_paid(ids[1], payment)};
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
        callback_came(callback_again(first), REASON_DUPLICATE, "the fifth");
        (void)pthread_barrier_destroy(&all);
    }
    callback_rows(ORDERS, ORDERS, 0, "each once");
    for (int i = 0; i < THREADS; i++) {
        session_close(&threads[i].session);
    }
}

Test(callback_in, refunds_are_no_duplicates_of_their_payment)
{
    callback_order("A-1", "wechat", 100, "CNY");
    callback_came(callback_paid("n1", "A-1"), REASON_OK, "paid");
    struct job *part = callback_refund("n2", "A-1", "r1", 30);
    callback_came(part, REASON_OK, "a part");
    callback_came(callback_refund("n3", "A-1", "r2", 70), REASON_OK, "the rest");
    callback_came(callback_again(part), REASON_DUPLICATE, "the part again");
    callback_came(callback_refund("n4", "A-1", "r1", 30), REASON_DUPLICATE, "the part under another id");
    callback_rows(3, 3, 0, "three");
    stack_expect(st.conn, "amounts",
                 "SELECT string_agg(payload ->> 'refund_id' || '=' || (payload ->> 'amount') || ' ' || (payload ? "
                 "'refunded_at')::text, ', ' ORDER BY queue_seq) FROM payment_outbox WHERE event_type = "
                 "'payment.refunded'",
                 "r1=30 true, r2=70 true");
    struct job *total = callback_refund("n5", "A-1", "r3", 100);
    total->callback->verdict.event.amount_is_total = true;
    callback_ready(total);
    callback_came(total, REASON_OK, "all that was refunded");
    stack_expect(st.conn, "as a total",
                 "SELECT payload ->> 'refunded_total' FROM payment_outbox WHERE payload ->> 'refund_id' = 'r3' AND NOT "
                 "payload ? 'amount'",
                 "100");
}

/* One transaction, as the writers make it: every result is that of the job, in whatever order they come. */
Test(callback_in, a_batch_of_all_kinds)
{
    callback_order("A-1", "wechat", 100, "CNY");
    callback_order("A-2", "wechat", 99, "CNY");
    struct job *other = callback_paid("n1", "A-1");
    other->callback->verdict.event.state = "ACCEPTED";
    callback_ready(other);
    struct job *none = callback_paid("n5", "A-1");
    none->callback->verdict.event.effect = EFFECT_NONE;
    none->callback->verdict.event.business_key = "something else";
    callback_ready(none);
    struct job *stale = callback_paid("n9", "A-1");
    stale->callback->verdict.reason = REASON_TS_STALE;
    struct job *jobs[] = {callback_paid("n4", "A-404"), callback_paid("n1", "A-1"), other, stale, none,
                          callback_paid("n2", "A-2"),   callback_paid("n1", "A-1")};
    static const enum channel_reason WANT[] = {REASON_UNKNOWN_ORDER, REASON_OK, REASON_CONFLICT,
                                               REASON_TS_STALE,      REASON_OK, REASON_CONFLICT,
                                               REASON_DUPLICATE};
    for (int twice = 0; twice < 2; twice++) { /* the second time as after a lost answer */
        callback_store(jobs, 7);
        for (size_t i = 0; i < 6; i++) {
            cr_expect_eq(jobs[i]->callback->result, WANT[i], "%zu: %s", i, reason_name(jobs[i]->callback->result));
        }
        cr_expect_eq(jobs[6]->callback->result, REASON_DUPLICATE);
        callback_rows(5, 1, 3, "the batch");
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

/* ---------------------------------------------------------------------------------------------------- late, lost */

Test(callback_in, what_comes_too_late_is_known_by_its_bytes)
{
    callback_order("A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid("n1", "A-1");
    callback_came(job, REASON_OK, "in time");
    struct job *late = callback_again(job);
    late->callback->verdict.reason = REASON_TS_STALE;
    callback_came(late, REASON_TS_STALE, "signed again, but long ago");
    memcpy(late->callback->verdict.fingerprint, job->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    callback_came(late, REASON_REPLAY, "the very bytes");
    callback_rows(1, 1, 0, "nothing new");
}

Test(callback_in, a_session_that_dies_before_commit_leaves_nothing)
{
    callback_order("A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid("n1", "A-1");
    PGconn *admin = stack_session(&st, true);
    bool unknown = false;
    stack_sql(admin, "SELECT pg_terminate_backend(%d)", PQbackendPID(rig.session.conn));
    cr_assert_eq(jobs_store(&rig.session, &job, 1, &unknown, &err), RC_RETRY);
    cr_assert_not(unknown);
    callback_rows(0, 0, 0, "nothing");
    cr_assert_eq(session_open(&rig.session, &err), RC_OK, "%s", err.text);
    callback_came(job, REASON_OK, "again");
    PQfinish(admin);
}
