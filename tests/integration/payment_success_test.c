/* SPDX-License-Identifier: Apache-2.0 */
/* Successes of payments in the account role's batch: booked once, told once, or reviewed, or in suspense. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/payment_rig.h"

/* ---- confirmations ---- */

Test(payment, a_success_credits_the_account_once_however_often_it_comes)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1200, NULL);
    double before = pay_counted("PENDING", "CONFIRMED", false);
    double again = pay_counted("CONFIRMED", "CONFIRMED", true);
    pay_add("payment.created", "p1", "{\"payment_id\":\"p1\"}");
    pay_run();
    pay_expect_order("p1", "PENDING 1 0 0 0");
    for (int i = 0; i < 5; i++) {
        pay_success("p1", "t1", 1200);
        if (i % 2 == 0) {
            pay_run(); /* some in one batch, some in several */
        }
    }
    EXPECT_BALANCES("u1", 1200, -1200, 0);
    pay_expect_order("p1", "CONFIRMED 2 0 0 0");
    pay_expect_history("p1", "1:INIT>PENDING 2:PENDING>CONFIRMED");
    pay_expect_reviews("");
    cr_expect_eq(pay_counted("PENDING", "CONFIRMED", false) - before, 1);
    cr_expect_eq(pay_counted("CONFIRMED", "CONFIRMED", true) - again, 4);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM account_transfers WHERE transfer_id = 'pay:p1:confirm'"
                                   " AND state = 'posted' AND caller = '' AND amount = 1200"),
                 1);
    cr_expect_eq(stack_int(pay.db, "SELECT sum(applied) FROM account_journal WHERE topic = '" RIG_PAYMENTS "'"), 2);
    cr_expect_eq(stack_int(pay.db, "SELECT sum(duplicates) FROM account_journal WHERE topic = '" RIG_PAYMENTS "'"), 4);
    pay_expect_sound();
}

Test(payment, everything_of_an_order_may_come_in_one_batch)
{
    pay_order("p1", "u1", 1000, "'https://shop.example/paid'");
    pay_command("open", "{\"account_id\":\"u1\",\"currency\":\"CNY\"}");
    pay_success("p1", "t1", 1000); /* before it was seen that it was created */
    pay_add("payment.created", "p1", "{}");
    pay_refund("p1", "r1", 400);
    pay_success("p1", "t2", 1000); /* paid twice */
    pay_refund("p1", "r2", 600);
    pay_add("payment.expired", "p1", "{}");
    pay_run();
    pay_expect_order("p1", "REFUNDED 5 1000 1000 0");
    pay_expect_history("p1", "1:INIT>PENDING 2:PENDING>CONFIRMED 3:CONFIRMED>CONFIRMED 4:CONFIRMED>CONFIRMED "
                             "5:CONFIRMED>REFUNDED");
    EXPECT_BALANCES("u1", 0, -1000, 1000);
    pay_expect_reviews("duplicate_payment");
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM cs_platform_event_outbox"), 5, "one a transition");
    pay_expect_sound();
}

Test(payment, the_merchant_is_told_of_each_transition_once)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1200, "'https://shop.example/paid'");
    pay_success("p1", "4200001", 1200);
    pay_success("p1", "4200001", 1200);
    pay_run();
    char *types CLEANUP(freep) =
        stack_text(pay.db, "SELECT string_agg(event_type, ' ' ORDER BY queue_seq) FROM cs_platform_event_outbox"
                           " WHERE platform = 'demo' AND partition_key = 'p1' AND status = 'pending'"
                           " AND callback_target = 'https://shop.example/paid'");
    cr_expect_str_eq(types, "payment.pending payment.confirmed");
    pay_refund("p1", "r1", 200);
    pay_run();
    char *told CLEANUP(freep) = stack_text(
        pay.db, "SELECT payload - 'occurred_at' FROM cs_platform_event_outbox ORDER BY queue_seq DESC LIMIT 1");
    char *expected CLEANUP(freep) = stack_text(
        pay.db, "SELECT '{\"event\":\"payment.partially_refunded\",\"payment_id\":\"p1\",\"state\":\"CONFIRMED\","
                "\"from_state\":\"CONFIRMED\",\"version\":3,\"amount\":1200,\"currency\":\"CNY\",\"exponent\":2,"
                "\"account_id\":\"u1\",\"channel\":\"wechat\",\"channel_txn_id\":\"4200001\","
                "\"refunded_amount\":200,\"suspense_amount\":0,\"refund_id\":\"r1\",\"refund_amount\":200}'"
                "::jsonb");
    cr_expect_str_eq(told, expected);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM cs_platform_event_outbox"), 3);
    pay_order("p2", "u1", 5, NULL);
    pay_success("p2", "x", 5);
    pay_run();
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM cs_platform_event_outbox"), 3, "nobody is to be told of p2");
}

Test(payment, a_success_that_is_not_the_orders_changes_nothing)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1200, "'https://shop.example/paid'");
    pay_success("p1", "t1", 1199);
    pay_add("payment.succeeded", "p1",
            "{\"channel\":\"wechat\",\"channel_txn_id\":\"t1\",\"amount\":1200,\"currency\":\"USD\",\"paid_at\":"
            "\"2026-11-23T00:00:00Z\"}");
    pay_add("payment.succeeded", "p1",
            "{\"channel\":\"alipay\",\"channel_txn_id\":\"t1\",\"amount\":1200,\"currency\":\"CNY\",\"paid_at\":"
            "\"2026-11-23T00:00:00Z\"}");
    pay_success("nobody", "t1", 1200);
    pay_add("payment.revoked", "p1", "{}");
    pay_run();
    pay_expect_order("p1", "INIT 0 0 0 0");
    pay_expect_reviews("amount_mismatch channel_mismatch currency_mismatch illegal_transition payment_unknown");
    EXPECT_BALANCES("u1", 0, 0, 0);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM cs_platform_event_outbox"), 0);
    cr_expect_eq(stack_int(pay.db, "SELECT sum(rejected) FROM account_journal WHERE topic = '" RIG_PAYMENTS "'"), 5);
    char *detail CLEANUP(freep) =
        stack_text(pay.db, "SELECT detail FROM payment_reviews WHERE code = 'amount_mismatch'");
    cr_expect_str_eq(detail, "The amount paid is not the order's. 1199 CNY; the order has 1200 CNY.");
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_reviews WHERE code = 'amount_mismatch'"
                                   " AND event ->> 'event_type' = 'payment.succeeded'"
                                   " AND (event -> 'payload' ->> 'amount')::int = 1199"),
                 1);
    pay_expect_sound();
}

Test(payment, an_event_that_was_reviewed_stays_so)
{
    static const char json[] = "{\"channel\":\"wechat\",\"channel_txn_id\":\"t1\",\"amount\":5,\"currency\":\"CNY\","
                               "\"paid_at\":\"2026-11-20T00:00:00Z\"}";

    pay_open("u1", "");
    pay_add_as("e-1", "payment.succeeded", "p1", json); /* there is no such order yet */
    pay_add_as("e-1", "payment.succeeded", "p1", json);
    pay_run();
    pay_order("p1", "u1", 5, NULL);
    pay_add_as("e-1", "payment.succeeded", "p1", json);
    pay_run();
    pay_expect_order("p1", "INIT 0 0 0 0");
    pay_expect_reviews("payment_unknown");
    cr_expect_eq(stack_int(pay.db, "SELECT sum(duplicates) FROM account_journal WHERE topic = '" RIG_PAYMENTS "'"), 2);
    pay_add_as("e-2", "payment.succeeded", "p1", json);
    pay_run();
    pay_expect_order("p1", "CONFIRMED 2 0 0 0");
}

/* ---- money without a place ---- */

Test(payment, an_account_that_cannot_take_it_leaves_it_in_suspense)
{
    static const char *const accounts[] = {"missing", "closed", "frozen", "debitonly", "full", "usd"};

    pay_open("closed", "");
    pay_open("frozen", "");
    pay_open("debitonly", ",\"debit_only\":true");
    pay_open("full", ",\"max_balance\":99");
    pay_command("open", "{\"account_id\":\"usd\",\"currency\":\"USD\"}");
    pay_command("set", "{\"account_id\":\"closed\",\"status\":\"closed\"}");
    pay_command("set", "{\"account_id\":\"frozen\",\"status\":\"frozen\"}");
    pay_run();
    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
        pay_order(accounts[i], accounts[i], 100, NULL);
        pay_success(accounts[i], "t1", 100);
    }
    pay_run();
    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
        pay_expect_order(accounts[i], "CONFIRMED 2 0 100 0");
        cr_expect_eq(pay_balance(accounts[i]), 0);
    }
    cr_expect_eq(pay_balance(CLEARING), -600);
    cr_expect_eq(pay_balance(SUSPENSE), 600);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_reviews WHERE code = 'account_not_credited'"), 6);
    cr_expect_eq(
        stack_int(pay.db, "SELECT count(*) FROM payment_reviews WHERE detail LIKE '%%credit_account_frozen%%'"), 1);
    char *note CLEANUP(freep) = stack_text(
        pay.db, "SELECT note FROM payment_state_transitions WHERE payment_id = 'missing' AND to_state = 'CONFIRMED'");
    cr_expect_str_eq(note, "booked suspend instead of confirm: credit_account_not_found");
    pay_expect_sound();
    /* Its refund comes out of suspense, which is empty then. */
    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
        pay_refund(accounts[i], "r1", 100);
    }
    pay_run();
    cr_expect_eq(pay_balance(SUSPENSE), 0);
    cr_expect_eq(pay_balance(CLEARING), 0);
    pay_expect_order("frozen", "REFUNDED 3 100 0 0");
    pay_expect_sound();
}

Test(payment, a_success_after_the_expiry_is_given_back)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 700, "'https://shop.example/paid'");
    pay_add("payment.created", "p1", "{}");
    pay_add("payment.expired", "p1", "{}");
    pay_run();
    pay_expect_order("p1", "EXPIRED 2 0 0 0");
    pay_success("p1", "t1", 700);
    pay_success("p1", "t1", 700);
    pay_run();
    pay_expect_order("p1", "REVOKED 3 0 700 0");
    EXPECT_BALANCES("u1", 0, -700, 700);
    pay_expect_reviews("");
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_outbox WHERE event_type = 'payment.refund_requested'"
                                   " AND partition_key = 'p1' AND payload ->> 'channel_txn_id' = 't1'"
                                   " AND (payload ->> 'amount')::bigint = 700 AND payload ->> 'currency' = 'CNY'"
                                   " AND payload ->> 'channel' = 'wechat' AND payload ->> 'reason' = 'revoked'"),
                 1, "asked once, in the same transaction");
    char *refund CLEANUP(freep) = stack_text(pay.db, "SELECT payload ->> 'refund_id' FROM payment_outbox");
    cr_expect_eq(stack_int(pay.db,
                           "SELECT count(*) FROM payment_receipts WHERE place = 'suspense' AND refund_id = '%s'",
                           refund),
                 1);
    /* Our own request comes by in the topic and is nothing to us. */
    char *request CLEANUP(freep) = stack_text(pay.db, "SELECT payload::text FROM payment_outbox");
    pay_add("payment.refund_requested", "p1", request);
    pay_refund("p1", refund, 700);
    pay_refund("p1", refund, 700);
    pay_run();
    pay_expect_order("p1", "REVOKED 4 0 0 0");
    EXPECT_BALANCES("u1", 0, 0, 0);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_refunds WHERE origin = 'suspense'"), 1);
    pay_refund("p1", "another", 1);
    pay_run();
    pay_expect_reviews("refund_exceeds_payment");
    pay_expect_sound();
}

Test(payment, a_success_after_a_closed_order_is_given_back_too)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 700, NULL);
    pay_add("payment.closed", "p1", "{}");
    pay_success("p1", "t1", 700);
    pay_success("p1", "t2", 700);
    pay_run();
    pay_expect_history("p1", "1:INIT>PENDING 2:PENDING>REVOKED 3:REVOKED>REVOKED 4:REVOKED>REVOKED");
    EXPECT_BALANCES("u1", 0, -1400, 1400);
    pay_expect_reviews("duplicate_payment");
    cr_expect_eq(stack_int(pay.db, "SELECT count(DISTINCT payload ->> 'refund_id') FROM payment_outbox"), 2);
    pay_expect_sound();
}
