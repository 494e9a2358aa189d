/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that contradict an order, or what is stored already: in quarantine, and nothing is told to the ledger. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "channel/reason.h"
#include "support/callback_rig.h"

TestSuite(callback_conflict, .init = callback_rig_open, .fini = callback_rig_close, .timeout = 100);

Test(callback_conflict, an_order_that_does_not_fit_is_a_conflict)
{
    static const struct {
        const char *payment, *channel, *currency;
        int64_t amount;
        const char *detail;
    } CASES[] = {{"A-1", "alipay", "CNY", 100, "channel_mismatch"},
                 {"A-2", "wechat", "USD", 100, "currency_mismatch"},
                 {"A-3", "wechat", "CNY", 101, "amount_mismatch"}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        callback_order(CASES[i].payment, CASES[i].channel, CASES[i].amount, CASES[i].currency);
        struct job *job = callback_paid(CASES[i].payment, CASES[i].payment);
        callback_came(job, REASON_CONFLICT, CASES[i].detail);
        cr_expect(strncmp(job->callback->detail, CASES[i].detail, strlen(CASES[i].detail)) == 0, "%s",
                  job->callback->detail);
        callback_came(callback_again(job), REASON_DUPLICATE, "again");
    }
    callback_order("A-4", "wechat", 100, "CNY");
    stack_sql(st.conn, "UPDATE payment_transactions SET exponent = 0 WHERE payment_id = 'A-4'");
    struct job *units = callback_paid("n4", "A-4");
    callback_came(units, REASON_CONFLICT, "whole yuan");
    cr_expect_not_null(strstr(units->callback->detail, "exponent_mismatch"), "%s", units->callback->detail);
    callback_rows(4, 0, 4, "nothing is told to the ledger");
    stack_sql(st.conn, "UPDATE payment_transactions SET exponent = 2 WHERE payment_id = 'A-4'");
    callback_came(callback_refund("n5", "A-4", "r1", 40), REASON_OK, "a refund is less than the order");
}

Test(callback_conflict, the_same_contradiction_is_kept_once_and_does_not_hold_up_what_is_right)
{
    callback_order("A-1", "wechat", 100, "CNY");
    struct job *wrong = callback_paid("n1", "A-1");
    wrong->callback->verdict.event.amount = 1;
    callback_ready(wrong);
    callback_came(wrong, REASON_CONFLICT, "not the order's amount");
    callback_came(callback_paid("n1", "A-1"), REASON_OK, "the right one");
    callback_came(callback_again(wrong), REASON_DUPLICATE, "the wrong one again");
    callback_rows(2, 1, 1, "each once");
}

/* ---------------------------------------------------------------------------------------------------- tokens */

static struct job *token(const char *transaction, const char *payment, const char *caller)
{
    struct job *j = callback_paid(transaction, payment);
    struct callback *c = j->callback;
    j->caller = caller;
    c->channel = CHANNEL_APPLEPAY;
    c->account = &rig.accounts[CHANNEL_APPLEPAY];
    c->verdict.event.effect = EFFECT_NONE;
    c->verdict.event.business_key = transaction;
    c->verdict.event.channel_txn_id = transaction;
    callback_ready(j);
    return j;
}

Test(callback_conflict, a_token_is_for_one_order)
{
    callback_order("A-1", "unionpay", 100, "CNY");
    callback_order("A-2", "unionpay", 100, "CNY");
    callback_order("A-3", "unionpay", 99, "CNY");
    stack_sql(st.conn, "UPDATE payment_transactions SET caller = 'shop' WHERE payment_id = 'A-1'");
    callback_came(token("T1", "A-3", "shop"), REASON_FIELD_MISMATCH, "another amount");
    callback_came(token("T1", "A-404", "shop"), REASON_FIELD_MISMATCH, "no order");
    callback_came(token("T1", "A-1", "billing"), REASON_FIELD_MISMATCH, "somebody else's order");
    callback_rows(0, 0, 0, "nothing is kept of them");
    callback_came(token("T1", "A-1", "shop"), REASON_OK, "its order");
    callback_came(token("T1", "A-1", "shop"), REASON_DUPLICATE, "again");
    callback_came(token("T1", "A-2", "shop"), REASON_CONFLICT, "another order");
    callback_rows(2, 0, 1, "an authorisation is no money");
    struct job *first = token("T2", "A-1", "shop");
    struct job *same_bytes = token("T2", "A-2", "shop");
    memcpy(same_bytes->callback->verdict.fingerprint, first->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    callback_came(first, REASON_OK, "another token");
    callback_came(same_bytes, REASON_CONFLICT, "its very bytes for another order: what it is for is not signed");
    struct job *again = token("T2", "A-1", "shop");
    memcpy(again->callback->verdict.fingerprint, first->callback->verdict.fingerprint, CHANNEL_HASH_BYTES);
    callback_came(again, REASON_REPLAY, "its very bytes for its order");
}
