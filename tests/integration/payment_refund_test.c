/* SPDX-License-Identifier: Apache-2.0 */
/* Money that goes back; and sequences of random events against a small model that only counts money. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_check/check.h"
#include "support/payment_rig.h"
#include "support/random.h"

#define DAY_US (INT64_C(24) * 3600 * 1000000)

/* ---- refunds ---- */

Test(payment, refunds_are_bounded_by_the_payment_and_its_window)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1000, NULL);
    pay_success_at("p1", "t1", 1000, pay.now_us - 365 * DAY_US);
    pay_refund("p1", "r1", 300);
    pay_refund("p1", "r1", 300); /* the same */
    pay_refund("p1", "r1", 301); /* another amount */
    pay_refund("p1", "r2", 701); /* more than is left */
    pay_refund_at("p1", "r3", 100, pay.now_us + 1);
    pay_run();
    pay_expect_order("p1", "CONFIRMED 3 300 0 0");
    EXPECT_BALANCES("u1", 700, -700, 0);
    pay_expect_reviews("refund_conflict refund_exceeds_payment refund_window_closed");
    pay_refund("p1", "r4", 700);
    pay_run();
    pay_expect_order("p1", "REFUNDED 4 1000 0 0");
    EXPECT_BALANCES("u1", 0, 0, 0);
    pay_refund("p1", "r5", 1);
    pay_add("payment.closed", "p1", "{}");
    pay_run();
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_reviews"), 4);
    pay_expect_sound();
}

static void refund_total(const char *payment, const char *txn, const char *refund, int64_t total)
{
    char *payload CLEANUP(freep) =
        xasprintf("{\"refund_id\":\"%s\",\"channel_txn_id\":\"%s\",\"refunded_total\":%" PRId64
                  ",\"currency\":\"CNY\",\"refunded_at\":\"2026-01-02T03:04:05Z\"}",
                  refund, txn, total);
    pay_add("payment.refunded", payment, payload);
}

/* Alipay says with each refund how much was refunded in all; its notifications may overtake each other. */
Test(payment, totals_of_refunds_are_booked_once_in_whatever_order_they_come)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1000, NULL);
    pay_success("p1", "t1", 1000);
    refund_total("p1", "t1", "r2", 500); /* the second one, first */
    refund_total("p1", "t1", "r1", 200);
    refund_total("p1", "t1", "r2", 500);
    pay_run();
    pay_expect_order("p1", "CONFIRMED 3 500 0 0");
    refund_total("p1", "t1", "r1", 200); /* in another batch: read from the table */
    refund_total("p1", "t1", "r3", 1000);
    pay_run();
    pay_expect_order("p1", "REFUNDED 4 1000 0 0");
    EXPECT_BALANCES("u1", 0, 0, 0);
    refund_total("p1", "t1", "r4", 1001); /* more than came */
    pay_run();
    pay_expect_reviews("refund_exceeds_payment");
    pay_expect_sound();
}

Test(payment, numbers_of_channels_that_are_no_ids_are_booked_once_too)
{
    char longest[129];

    memset(longest, '|', 128);
    longest[128] = '\0';
    pay_open("u1", "");
    pay_order("p1", "u1", 1000, NULL);
    pay_success("p1", longest, 1000);
    pay_success("p1", "*another*", 1000);
    pay_refund("p1", longest, 100);
    pay_refund("p1", longest, 100);
    pay_run();
    pay_expect_order("p1", "CONFIRMED 4 100 1000 0");
    cr_expect_eq(
        stack_int(pay.db, "SELECT count(*) FROM account_transfers WHERE transfer_id !~ '^[A-Za-z0-9._:~@-]{1,128}$'"),
        0);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM account_transfers"), 3);
    pay_expect_sound();
}

/* ---- revocations ---- */

Test(payment, what_is_revoked_is_taken_back)
{
    pay_open("u1", ",\"no_negative\":true");
    pay_order("p1", "u1", 1000, NULL);
    pay_success("p1", "t1", 1000);
    pay_refund("p1", "r1", 250);
    pay_add("payment.revoked", "p1", "{}");
    pay_add("payment.revoked", "p1", "{}");
    pay_run();
    pay_expect_order("p1", "REVOKED 4 250 0 0");
    EXPECT_BALANCES("u1", 0, 0, 0);
    pay_expect_reviews("");
    pay_expect_sound();
}

Test(payment, suspense_carries_what_the_account_has_spent)
{
    pay_open("u1", ",\"no_negative\":true");
    pay_open("u2", "");
    pay_order("p1", "u1", 1000, NULL);
    pay_success("p1", "t1", 1000);
    pay_command("transfer", "{\"transfer_id\":\"x\",\"debit\":\"u1\",\"credit\":\"u2\",\"amount\":900,"
                            "\"currency\":\"CNY\"}");
    pay_refund("p1", "r1", 200);
    pay_add("payment.revoked", "p1", "{}");
    pay_run();
    pay_expect_order("p1", "REVOKED 4 200 0 1000");
    EXPECT_BALANCES("u1", 100, 0, -1000);
    cr_expect_eq(pay_balance("u2"), 900);
    pay_expect_reviews("account_not_debited account_not_debited");
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_reviews WHERE detail LIKE '%%insufficient_funds%%'"),
                 2);
    pay_expect_sound();
}

Test(payment, a_booking_that_suspense_refuses_changes_nothing)
{
    pay_open("u1", "");
    pay_order("p0", "u1", 10, NULL);
    pay_success("p0", "t0", 10); /* opens clearing */
    pay_run();
    pay_command("set", "{\"account_id\":\"" CLEARING "\",\"status\":\"frozen\"}");
    pay_run();
    pay_order("p1", "u1", 1000, "'https://shop.example/paid'");
    pay_success("p1", "t1", 1000);
    pay_run();
    pay_expect_order("p1", "INIT 0 0 0 0");
    pay_expect_reviews("booking_refused");
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_receipts WHERE payment_id = 'p1'"), 0);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM cs_platform_event_outbox"), 0);
    EXPECT_BALANCES("u1", 10, -10, 0);
    pay_expect_sound();
    /* The refusal has used no id up: when clearing is open again and the event comes once more, the order is paid. */
    pay_command("set", "{\"account_id\":\"" CLEARING "\",\"status\":\"open\"}");
    pay_run();
    pay_success("p1", "t1", 1000);
    pay_run();
    pay_expect_order("p1", "CONFIRMED 2 0 0 0");
    EXPECT_BALANCES("u1", 1010, -1010, 0);
    pay_expect_sound();
}

/* The first order of a currency does not decide in which units its clearing account counts, if the payer's says
 * otherwise. */
Test(payment, an_order_in_other_units_is_reviewed_and_opens_nothing)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1000, NULL);
    stack_sql(pay.db, "UPDATE payment_transactions SET exponent = 0 WHERE payment_id = 'p1'");
    pay_success("p1", "t1", 1000);
    pay_run();
    pay_expect_order("p1", "INIT 0 0 0 0");
    pay_expect_reviews("booking_refused");
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM accounts"), 1);
    stack_sql(pay.db, "UPDATE payment_transactions SET exponent = 2 WHERE payment_id = 'p1'");
    pay_success("p1", "t1", 1000);
    pay_run();
    pay_expect_order("p1", "CONFIRMED 2 0 0 0");
    EXPECT_BALANCES("u1", 1000, -1000, 0);
    pay_expect_sound();
}

/* ---- random sequences ---- */

/* The checker's own word. */
static void expect_checked(void)
{
    struct err err;
    struct check_report report = {.accounts = 0};
    const struct check_options opt = {.url = pay.st.url, .schema = "public"};

    cr_assert_eq(check_run(&opt, &report, &err), RC_OK, "%s", err.text);
    for (int i = 0; i < CHECKS; i++) {
        const struct check_result *r = &report.results[i];
        cr_expect(r->judged && r->offenders == 0, "%s: %s: %s, expected %s, found %s", CHECK_ABOUT[i].name,
                  r->n > 0 ? r->findings[0].where : "", r->n > 0 ? r->findings[0].what : "",
                  r->n > 0 ? r->findings[0].expected : "", r->n > 0 ? r->findings[0].found : "");
    }
    check_report_done(&report);
}

/* A model that knows no states: money came with a success that was booked, and went with a refund or revocation. */
Test(payment, random_events_keep_the_money)
{
    static const char *const types[] = {"payment.created", "payment.expired", "payment.closed", "payment.revoked"};
    uint32_t seed = 20261123;

    pay_open("u0", "");
    pay_open("u1", ",\"no_negative\":true");
    pay_open("u2", ",\"max_balance\":250");
    for (int i = 0; i < 12; i++) {
        char id[8];
        char account[8];
        (void)snprintf(id, sizeof(id), "p%d", i);
        (void)snprintf(account, sizeof(account), "u%d", i % 4); /* u3 is missing */
        pay_order(id, account, 100, i % 2 == 0 ? "'https://shop.example/paid'" : NULL);
    }
    for (int round = 0; round < 60; round++) {
        int n = 1 + (int)(next_random(&seed) % 12);
        for (int i = 0; i < n; i++) {
            char id[8];
            char number[8];
            uint32_t what = next_random(&seed) % 10;
            (void)snprintf(id, sizeof(id), "p%u", next_random(&seed) % 12);
            (void)snprintf(number, sizeof(number), "n%u", next_random(&seed) % 3);
            if (what < 4) {
                pay_success(id, number, next_random(&seed) % 10 == 0 ? 99 : 100);
            } else if (what < 7) {
                char *asked CLEANUP(freep) = stack_text(
                    pay.db,
                    "SELECT refund_id FROM payment_receipts WHERE payment_id = '%s' AND refund_id IS NOT NULL"
                    " LIMIT 1",
                    id);
                bool of_suspense = asked != NULL && next_random(&seed) % 2 == 0;
                pay_refund(id, of_suspense ? asked : number, of_suspense ? 100 : 1 + next_random(&seed) % 60);
            } else {
                pay_add(types[next_random(&seed) % 8 % 4], id, "{}");
            }
        }
        if (round % 4 == 0) { /* u1 spends, so that it cannot give back */
            char *spend CLEANUP(freep) = xasprintf("{\"transfer_id\":\"spend-%d\",\"debit\":\"u1\",\"credit\":\"u0\","
                                                   "\"amount\":80,\"currency\":\"CNY\"}",
                                                   round);
            pay_command("transfer", spend);
        }
        pay_run();
        pay_expect_sound();
    }
    expect_checked();
    /* What came is what is there or has gone: receipts, less refunds and revocations, is clearing's claim. */
    cr_expect_eq(stack_int(pay.db, "SELECT (SELECT sum(amount) FROM payment_receipts) - (SELECT sum(amount) FROM"
                                   " payment_refunds) - (SELECT coalesce(sum(amount), 0) FROM account_transfers"
                                   " WHERE transfer_id ~ '^pay:[^:]*:revoke' AND state = 'posted')"),
                 -pay_balance(CLEARING));
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM cs_platform_event_outbox"),
                 stack_int(pay.db, "SELECT count(*) FROM payment_state_transitions JOIN payment_transactions USING"
                                   " (payment_id) WHERE callback_target IS NOT NULL"));
    cr_expect_gt(stack_int(pay.db, "SELECT count(*) FROM payment_state_transitions"), 40);
    cr_expect_gt(stack_int(pay.db, "SELECT count(*) FROM payment_refunds WHERE origin = 'suspense'"), 0);
    cr_expect_gt(stack_int(pay.db, "SELECT count(*) FROM payment_reviews WHERE code = 'account_not_debited'"), 0);
}
