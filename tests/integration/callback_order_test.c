/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that come before their order: they run by themselves when it appears. */
#include <criterion/criterion.h>
#include <string.h>

#include "gateway/callback_sweep.h"
#include "support/callback_rig.h"

TestSuite(callback_order, .init = callback_rig_open, .fini = callback_rig_close, .timeout = 100);

static struct err err;

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

Test(callback_order, an_unknown_order_runs_by_itself_when_it_appears)
{
    struct job *early = callback_paid("n1", "A-1");
    callback_came(early, REASON_UNKNOWN_ORDER, "before its order");
    callback_came(callback_again(early), REASON_DUPLICATE, "again");
    struct job *wrong = callback_paid("n2", "A-2");
    callback_came(wrong, REASON_UNKNOWN_ORDER, "before another order");
    sweep();
    callback_rows(2, 0, 2, "nothing to do yet");
    callback_order("A-1", "wechat", 100, "CNY");
    callback_order("A-2", "wechat", 200, "CNY");
    sweep();
    cr_assert_eq(settled, 1);
    cr_assert_eq(contradicted, 1);
    callback_rows(2, 1, 1, "one runs, one does not fit");
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
    callback_came(callback_again(early), REASON_DUPLICATE, "still the same");
    callback_came(early, REASON_OK, "whoever has not heard of it yet");
    callback_came(callback_again(wrong), REASON_DUPLICATE, "the contradiction, too");
    callback_rows(2, 1, 1, "nothing new");
}

Test(callback_order, thousands_that_wait_hide_nobody)
{
    callback_came(callback_paid("n1", "Z-9"), REASON_UNKNOWN_ORDER, "the last in the order of the walk");
    stack_sql(
        st.conn,
        "INSERT INTO payment_callbacks (id, channel, account, merchant, notification_id, business_key, verdict, "
        "event_type, effect, payment_id, content_hash, fingerprint) SELECT gen_random_uuid(), 'wechat', 'shop1', "
        "'m', 'x' || i, 'x' || i, 'unknown_order', 't', 'payment.closed', 'A-' || (i %% 7), sha256(''), sha256('') "
        "FROM generate_series(1, 2500) i");
    stack_sql(st.conn, "INSERT INTO payment_quarantine (id, code, detail, payment_id, event_type, payload) SELECT id, "
                       "verdict, '', payment_id, effect, '{}' FROM payment_callbacks WHERE account = 'shop1' AND "
                       "notification_id LIKE 'x%%'");
    callback_order("Z-9", "wechat", 100, "CNY");
    sweep();
    cr_assert_eq(settled, 1);
    callback_order("A-3", "wechat", 100, "CNY");
    sweep();
    cr_assert_eq(settled, 357);
    cr_assert_eq(contradicted, 0);
}

Test(callback_order, what_another_instance_has_in_hand_is_passed_over)
{
    callback_came(callback_paid("n1", "A-1"), REASON_UNKNOWN_ORDER, "waits");
    callback_order("A-1", "wechat", 100, "CNY");
    PGconn *other = stack_session(&st, false);
    stack_sql(other, "BEGIN");
    stack_sql(other, "SELECT FROM payment_quarantine FOR UPDATE");
    sweep();
    callback_rows(1, 0, 1, "in hand");
    stack_sql(other, "ROLLBACK");
    sweep();
    callback_rows(1, 1, 0, "not any more");
    PQfinish(other);
}
