/* SPDX-License-Identifier: Apache-2.0 */
/* Records and orders that cannot be booked, two instances at once, and the sweeper of orders. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/sweep.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "support/payment_rig.h"

/* ---- records ---- */

Test(payment, bad_records_die_alone)
{
    static const struct {
        const char *type, *payment, *payload, *text;
    } bad[] = {
        {"payment.succeeded", "p1", "{", "payload"},
        {"payment.succeeded", "p1", "[]", "expected a JSON object"},
        {"payment.succeeded", "p1", "{\"channel\":\"wechat\"}", "channel_txn_id is missing"},
        {"payment.succeeded", "p1",
         "{\"channel\":\"We:Chat\",\"channel_txn_id\":\"t\",\"amount\":1200,\"currency\":\"CNY\","
         "\"paid_at\":\"2026-11-23T00:00:00Z\"}",
         "payload.channel: expected 1 to 32 of a-z 0-9 . _ -"},
        {"payment.succeeded", "p1",
         "{\"channel\":\"a23456789012345678901234567890123\",\"channel_txn_id\":\"t\",\"amount\":1200,"
         "\"currency\":\"CNY\",\"paid_at\":\"2026-11-23T00:00:00Z\"}",
         "payload.channel: expected 1 to 32 of a-z 0-9 . _ -"},
        {"payment.paid", "p1", "{}", "event_type is \"payment.paid\""},
        {"payment.expired", "p1", "{\"payment_id\":\"p2\"}", "payload.payment_id is p2; expected p1"},
        {"payment.expired", "p 1", "{}", "partition_key"},
        {"payment.expired", "p12345678901234567890123456789012345678901234567890123456789012345", "{}",
         "partition_key"},
        {"payment.refunded", "p1",
         "{\"refund_id\":\"\",\"amount\":1,\"currency\":\"CNY\",\"refunded_at\":\"2026-11-23T00:00:00Z\"}",
         "payload.refund_id"},
        {"payment.refunded", "p1",
         "{\"refund_id\":\"r\",\"currency\":\"CNY\",\"refunded_at\":\"2026-11-23T00:00:00Z\"}",
         "expected amount or refunded_total"},
        {"payment.refunded", "p1",
         "{\"refund_id\":\"r\",\"amount\":1,\"refunded_total\":1,\"currency\":\"CNY\","
         "\"refunded_at\":\"2026-11-23T00:00:00Z\",\"channel_txn_id\":\"t\"}",
         "expected amount or refunded_total"},
        {"payment.refunded", "p1",
         "{\"refund_id\":\"r\",\"refunded_total\":1,\"currency\":\"CNY\",\"refunded_at\":\"2026-11-23T00:00:00Z\"}",
         "payload.channel_txn_id is missing"},
    };
    static const char *const amounts[] = {"0", "-1", "1.0", "1e3", "\"1\"", "null", "9223372036854775808"};

    pay_open("u1", "");
    pay_order("p1", "u1", 1200, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        pay_add(bad[i].type, bad[i].payment, bad[i].payload);
    }
    for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
        char *payload CLEANUP(freep) =
            xasprintf("{\"channel\":\"wechat\",\"channel_txn_id\":\"t\",\"amount\":%s,\"currency\":\"CNY\","
                      "\"paid_at\":\"2026-11-23T00:00:00Z\"}",
                      amounts[i]);
        pay_add("payment.succeeded", "p1", payload);
    }
    size_t n = pay.one.d.batch.n;
    pay_success("p1", "t1", 1200);
    pay_run();
    PGresult *dead CLEANUP(pg_clearp) =
        PQexec(pay.db, "SELECT h ->> 1 FROM dead_letter_outbox, jsonb_array_elements(headers) h"
                       " WHERE h ->> 0 = '__dlq.errors.message' ORDER BY queue_seq");
    cr_assert_eq(PQntuples(dead), (int)n, "not the one that is good, and all others");
    for (size_t i = 0; i < n; i++) {
        const char *why = i < ARRAY_SIZE(bad) ? bad[i].text : i + 1 == n ? "payload" : "payload.amount";
        cr_expect_not_null(strstr(PQgetvalue(dead, (int)i, 0), why), "%zu: %s", i, PQgetvalue(dead, (int)i, 0));
    }
    pay_expect_order("p1", "CONFIRMED 2 0 0 0");
    cr_expect_eq(stack_int(pay.db, "SELECT sum(dead) FROM account_journal WHERE topic = '" RIG_PAYMENTS "'"),
                 (int64_t)n);
}

/* The money came, whatever the channel's clock says: it is booked under the time at which the event was written down.
 */
Test(payment, a_time_of_the_far_future_keeps_no_money_out)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1200, NULL);
    pay_add("payment.succeeded", "p1",
            "{\"channel\":\"wechat\",\"channel_txn_id\":\"t1\",\"amount\":1200,\"currency\":\"CNY\",\"paid_at\":"
            "\"9998-11-23T00:00:00Z\"}");
    pay_run();
    pay_expect_order("p1", "CONFIRMED 2 0 0 0");
    EXPECT_BALANCES("u1", 1200, -1200, 0);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM account_flows WHERE effective_at > now() + interval '1 day'"),
                 0);
}

/* ---- several instances ---- */

static void add_kind(const char *type, const char *payment)
{
    if (strcmp(type, "payment.succeeded") == 0) {
        pay_success(payment, "t1", 100);
    } else {
        pay_add(type, payment, "{}");
    }
}

/* Two instances have the same event each: one waits for the other, and sees what it did. */
Test(payment, two_instances_at_once_end_as_one_after_the_other)
{
    static const char *const kinds[] = {"payment.succeeded", "payment.expired", "payment.closed"};
    int p = 0;

    pay_open("u1", "");
    for (size_t a = 0; a < ARRAY_SIZE(kinds); a++) {
        for (size_t b = 0; b < ARRAY_SIZE(kinds); b++) {
            struct rig two;
            char id[16];
            (void)snprintf(id, sizeof(id), "p%d", p++);
            pay_order(id, "u1", 100, NULL);
            pay_rig_open(&two, 1);
            /* the first has decided and not committed */
            add_kind(kinds[a], id);
            cr_assert_eq(rig_apply(&pay.one), RC_OK, "%s", pay.one.err.text);
            /* the second cannot pass it */
            pay.to = &two;
            add_kind(kinds[b], id);
            stack_sql(two.conn, "SET lock_timeout = 100");
            cr_expect_eq(rig_run(&two), RC_RETRY, "%s", two.err.text);
            rig_commit(&pay.one);
            rig_must(&two, 0);
            rig_close(&two);
            pay.to = &pay.one;
        }
    }
    pay_expect_order("p0", "CONFIRMED 2 0 0 0"); /* success, success */
    pay_expect_order("p1", "CONFIRMED 2 0 0 0"); /* success, expired */
    pay_expect_order("p2", "CONFIRMED 2 0 0 0"); /* success, closed: review */
    pay_expect_order("p3", "REVOKED 3 0 100 0"); /* expired, success */
    pay_expect_order("p4", "EXPIRED 2 0 0 0");
    pay_expect_order("p5", "EXPIRED 2 0 0 0");
    pay_expect_order("p6", "REVOKED 3 0 100 0"); /* closed, success */
    pay_expect_order("p7", "REVOKED 2 0 0 0");
    pay_expect_order("p8", "REVOKED 2 0 0 0");
    pay_expect_reviews("illegal_transition");
    pay_expect_sound();
}

Test(payment, an_order_is_locked_before_it_is_judged)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&pay.st, false);

    pay_order("p1", "u1", 100, NULL);
    pay_add("payment.created", "p1", "{}");
    pay_run();
    stack_sql(other, "BEGIN; SELECT 1 FROM payment_transactions WHERE payment_id = 'p1' FOR UPDATE");
    stack_sql(pay.one.conn, "SET lock_timeout = 100");
    pay_add("payment.created", "p1", "{}"); /* a repetition, which would write nothing */
    cr_expect_eq(rig_run(&pay.one), RC_RETRY, "%s", pay.one.err.text);
    cr_expect_str_eq(pay.one.err.code, "55P03");
    stack_sql(other, "COMMIT");
    rig_must(&pay.one, 0);
}

Test(payment, a_batch_that_is_rolled_back_leaves_nothing)
{
    pay_open("u1", "");
    pay_order("p1", "u1", 1200, "'https://shop.example/paid'");
    double before = pay_counted("PENDING", "CONFIRMED", false);
    pay_success("p1", "t1", 1200);
    cr_assert_eq(rig_apply(&pay.one), RC_OK, "%s", pay.one.err.text);
    stack_sql(pay.one.conn, "ROLLBACK");
    pay_expect_order("p1", "INIT 0 0 0 0");
    cr_expect_eq(pay_counted("PENDING", "CONFIRMED", false), before, "counted before it was committed");
    pay_run();
    pay_expect_order("p1", "CONFIRMED 2 0 0 0");
    cr_expect_eq(pay_counted("PENDING", "CONFIRMED", false), before + 1);
}

/* ---- the sweeper ---- */

Test(payment, orders_whose_time_has_come_are_asked_to_expire_once)
{
    static const struct sweep_options sweep = {.rows_max = 10, .again_s = 600};
    struct err err;
    int64_t n = 0;

    for (int i = 0; i < 6; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "p%d", i);
        pay_order(id, "u1", 100, NULL);
    }
    stack_sql(pay.db, "UPDATE payment_transactions SET expires_at = now() - interval '1 s' WHERE payment_id < 'p4'");
    stack_sql(pay.db, "UPDATE payment_transactions SET expires_at = now() + interval '1 h' WHERE payment_id = 'p4'");
    stack_sql(pay.db, "UPDATE payment_transactions SET state = 'PENDING' WHERE payment_id = 'p1'");
    stack_sql(pay.db, "UPDATE payment_transactions SET state = 'CONFIRMED' WHERE payment_id = 'p2'");
    PGconn *other CLEANUP(pg_closep) = stack_session(&pay.st, false);
    stack_sql(other, "BEGIN; SELECT 1 FROM payment_transactions WHERE payment_id = 'p3' FOR UPDATE");
    stack_sql(pay.db, "SET lock_timeout = 2000"); /* it passes over what is locked */
    cr_assert_eq(sweep_orders(pay.db, &sweep, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 2, "p0 and p1; p3 is locked");
    stack_sql(other, "COMMIT");
    cr_assert_eq(sweep_orders(pay.db, &sweep, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 1);
    cr_assert_eq(sweep_orders(pay.db, &sweep, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 0, "asked already");
    char *asked CLEANUP(freep) =
        stack_text(pay.db, "SELECT string_agg(partition_key, ' ' ORDER BY partition_key) FROM payment_outbox"
                           " WHERE event_type = 'payment.expired' AND payload ->> 'payment_id' = partition_key");
    cr_expect_str_eq(asked, "p0 p1 p3");
    pay_add("payment.expired", "p0", "{\"payment_id\": \"p0\"}");
    pay_run();
    pay_expect_order("p0", "EXPIRED 2 0 0 0");
    stack_sql(pay.db, "UPDATE payment_transactions SET expiry_asked_at = now() - interval '11 min'");
    cr_assert_eq(sweep_orders(pay.db, &sweep, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 2, "p1 and p3 once more: what was asked may be lost");
}

Test(payment, a_sweeper_that_fails_does_not_keep_the_others_from_their_work)
{
    pay_order("p1", "u1", 100, NULL);
    stack_sql(pay.db, "UPDATE payment_transactions SET expires_at = now() - interval '1 s'");
    stack_sql(pay.db,
              "ALTER TABLE account_transfers RENAME COLUMN expires_at TO gone"); /* the sweeper of holds fails */
    struct rig *r = &pay.one;
    cr_expect_neq(r->proc.tick(r->proc.self, r->conn, &r->err), RC_OK);
    cr_expect_not_null(strstr(r->err.text, "expires_at"), "%s", r->err.text);
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_outbox WHERE event_type = 'payment.expired'"), 1);
}

/* ---- what an order may be made of ---- */

#define A32 "a2345678901234567890123456789012"

Test(payment, the_database_refuses_orders_that_could_not_be_booked)
{
    static const char form[] = "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency)"
                               " VALUES ('%s', '%s', '%s', 1, '%s')";
    static const struct {
        const char *payment, *account, *channel, *currency, *constraint;
    } bad[] = {
        {"", "u1", "wechat", "CNY", "payment_id"},
        {"p|1", "u1", "wechat", "CNY", "payment_id"},
        {"p\n", "u1", "wechat", "CNY", "payment_id"},
        {"p\303\274", "u1", "wechat", "CNY", "payment_id"},
        {A32 A32 "x", "u1", "wechat", "CNY", "payment_id"},
        {"p", "", "wechat", "CNY", "account_id"},
        {"p", "u 1", "wechat", "CNY", "account_id"},
        {"p", A32 A32 A32 A32 "x", "wechat", "CNY", "account_id"},
        {"p", "u1", "", "CNY", "channel"},
        {"p", "u1", "WeChat", "CNY", "channel"},
        {"p", "u1", "we:chat", "CNY", "channel"},
        {"p", "u1", "wechat\n", "CNY", "channel"},
        {"p", "u1", A32 "x", "CNY", "channel"},
        {"p", "u1", "wechat", "", "currency"},
        {"p", "u1", "wechat", "C-Y", "currency"},
        {"p", "u1", "wechat", "ABCDEFGHIJKLM", "currency"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *name CLEANUP(freep) = xasprintf("payment_transactions_%s", bad[i].constraint);
        char *sql CLEANUP(freep) = xasprintf(form, bad[i].payment, bad[i].account, bad[i].channel, bad[i].currency);
        PGresult *res CLEANUP(pg_clearp) = PQexec(pay.db, sql);
        const char *refused = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
        cr_expect_str_eq(refused == NULL ? "" : refused, name, "%zu: %s", i, sql);
    }
    stack_sql(pay.db, form, A32 A32, A32 A32 A32 A32, A32, "ABCDEFGHIJKL");
    stack_sql(pay.db, form, "A.z_0:~@-", "A.z_0:~@-", "a.z_0-", "c");
}
