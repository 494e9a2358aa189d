/* SPDX-License-Identifier: Apache-2.0 */
/* Events of payments for the account role, and what the tables have to say afterwards. */
#include "support/payment_rig.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pg/conn.h"

struct pay pay;
static int next_event;

void pay_rig_open(struct rig *r, int32_t partition)
{
    rig_open(r, &pay.st, partition, 1, NULL);
    cr_assert_eq(rig_own_payments(r, partition), PAY_EVENTS);
}

static void setup(void)
{
    stack_open(&pay.st);
    stack_migrate(&pay.st);
    pay.db = pay.st.conn;
    pay_rig_open(&pay.one, 0);
    pay.to = &pay.one;
    pay.now_us = clock_utc_us();
}

static void teardown(void)
{
    rig_close(&pay.one);
    stack_close(&pay.st);
}

TestSuite(payment, .init = setup, .fini = teardown, .timeout = 100);

void pay_add_as(const char *event_id, const char *type, const char *payment, const char *payload)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 65536);
    (void)buf_printf(&b, "{\"event_id\":\"%s\",\"event_type\":\"%s\",\"partition_key\":\"%s\",\"payload\":", event_id,
                     type, payment);
    (void)buf_json_string(&b, payload, strlen(payload));
    (void)buf_printf(&b, ",\"queue_seq\":1,\"created_at\":%" PRId64 ",\"traceparent\":null}", pay.now_us);
    rig_add_value(pay.to, PAY_EVENTS, buf_str(&b));
}

void pay_add(const char *type, const char *payment, const char *payload)
{
    char id[40];

    (void)snprintf(id, sizeof(id), "event-%d", ++next_event);
    pay_add_as(id, type, payment, payload);
}

void pay_success_at(const char *payment, const char *txn, int64_t amount, int64_t at_us)
{
    char at[CLOCK_RFC3339_MAX];

    clock_rfc3339(at_us, at);
    char *payload CLEANUP(freep) = xasprintf("{\"channel\":\"wechat\",\"channel_txn_id\":\"%s\",\"amount\":%" PRId64
                                             ",\"currency\":\"CNY\",\"paid_at\":\"%s\",\"payer\":{\"openid\":\"o1\"}}",
                                             txn, amount, at);
    pay_add("payment.succeeded", payment, payload);
}

void pay_success(const char *payment, const char *txn, int64_t amount)
{
    pay_success_at(payment, txn, amount, pay.now_us);
}

void pay_refund_at(const char *payment, const char *refund, int64_t amount, int64_t at_us)
{
    char at[CLOCK_RFC3339_MAX];

    clock_rfc3339(at_us, at);
    char *payload CLEANUP(freep) =
        xasprintf("{\"refund_id\":\"%s\",\"amount\":%" PRId64 ",\"currency\":\"CNY\",\"refunded_at\":\"%s\"}", refund,
                  amount, at);
    pay_add("payment.refunded", payment, payload);
}

void pay_refund(const char *payment, const char *refund, int64_t amount)
{
    pay_refund_at(payment, refund, amount, pay.now_us);
}

void pay_command(const char *command, const char *payload)
{
    char id[40];

    (void)snprintf(id, sizeof(id), "cmd-%d", ++next_event);
    rig_add(pay.to, PAY_COMMANDS, id, command, payload, pay.now_us);
}

void pay_run(void)
{
    rig_must(pay.to, 0);
}

void pay_order(const char *id, const char *account, int64_t amount, const char *target)
{
    stack_sql(pay.db,
              "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, state,"
              " callback_platform, callback_target) VALUES ('%s', '%s', 'wechat', %" PRId64 ", 'CNY', 'INIT', %s, %s)",
              id, account, amount, target == NULL ? "NULL" : "'demo'", target == NULL ? "NULL" : target);
}

void pay_open(const char *id, const char *more)
{
    char *payload CLEANUP(freep) = xasprintf("{\"account_id\":\"%s\",\"currency\":\"CNY\"%s}", id, more);
    pay_command("open", payload);
    pay_run();
}

int64_t pay_balance(const char *account)
{
    return stack_int(pay.db, "SELECT coalesce((SELECT balance FROM accounts WHERE account_id = '%s'), 0)", account);
}

void pay_expect_order(const char *id, const char *expected)
{
    char *got CLEANUP(freep) = stack_text(pay.db,
                                          "SELECT concat_ws(' ', state, version, refunded_amount, suspense_amount,"
                                          " carried_amount) FROM payment_transactions WHERE payment_id = '%s'",
                                          id);
    cr_expect_str_eq(got, expected, "%s is %s, expected %s", id, got, expected);
}

void pay_expect_history(const char *id, const char *expected)
{
    char *got CLEANUP(freep) =
        stack_text(pay.db,
                   "SELECT coalesce(string_agg(version || ':' || from_state || '>' || to_state, ' ' ORDER BY version),"
                   " '') FROM payment_state_transitions WHERE payment_id = '%s'",
                   id);
    cr_expect_str_eq(got, expected, "%s", got);
}

void pay_expect_reviews(const char *expected)
{
    stack_expect(pay.db, "reviews", "SELECT string_agg(code, ' ' ORDER BY code) FROM payment_reviews", expected);
}

void pay_expect_sound(void)
{
    struct err err;

    cr_expect_eq(stack_int(pay.db, "SELECT coalesce(sum(balance), 0) FROM accounts"), 0, "money is made or lost");
    cr_expect_eq(
        stack_int(pay.db, "SELECT coalesce(sum(suspense_amount - carried_amount), 0) FROM payment_transactions"),
        stack_int(pay.db, "SELECT coalesce(sum(balance), 0) FROM accounts WHERE kind = 'suspense'"),
        "suspense holds something else than the payments say");
    cr_expect_eq(stack_int(pay.db,
                           "SELECT count(*) FROM (SELECT payment_id, version, from_state,"
                           " lag(to_state, 1, 'INIT') OVER w AS before, row_number() OVER w AS n"
                           " FROM payment_state_transitions WINDOW w AS (PARTITION BY payment_id ORDER BY version))"
                           " h WHERE version <> n OR from_state <> before"),
                 0, "history has gaps");
    cr_expect_eq(stack_int(pay.db, "SELECT count(*) FROM payment_transactions p WHERE version <> (SELECT count(*) FROM"
                                   " payment_state_transitions h WHERE h.payment_id = p.payment_id)"),
                 0, "versions are not the rows of history");
    PGresult *res CLEANUP(pg_clearp) = NULL;
    cr_assert_eq(pg_exec(pay.db, "SELECT from_state, event_type, to_state FROM payment_state_transitions", &res, &err),
                 RC_OK);
    for (int i = 0; i < PQntuples(res); i++) {
        enum payment_state from = PAYMENT_STATES;
        enum payment_state to = PAYMENT_STATES;
        enum payment_event_type type = PAYMENT_EVENTS;
        cr_assert(payment_state_parse(pg_text(res, i, 0), &from) && payment_event_parse(pg_text(res, i, 1), &type) &&
                  payment_state_parse(pg_text(res, i, 2), &to));
        cr_expect(payment_step_legal(from, type, to), "%s %s %s", pg_text(res, i, 0), pg_text(res, i, 1),
                  pg_text(res, i, 2));
    }
}

double pay_counted(const char *from, const char *to, bool again)
{
    return metric_value(metric_counter("txn_state_transition_total", "",
                                       "from_state=\"%s\",to_state=\"%s\",is_idempotent=\"%s\"", from, to,
                                       again ? "true" : "false"));
}
