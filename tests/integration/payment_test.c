/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payments in the account role's batch, against the real database: what events book, what they leave alone, who is
 * told, in one transaction; and sequences of random events against a small model that only counts money.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/booking.h"
#include "account/commands.h"
#include "account/payments.h"
#include "base/clock.h"
#include "base/metric.h"
#include "ledger_check/check.h"
#include "pg/conn.h"
#include "runtime/dbproc_batch.h"
#include "schemas/avro_set.h"
#include "schemas/embedded.h"
#include "support/stack.h"

#define DAY_US (INT64_C(24) * 3600 * 1000000)
#define CLEARING "clearing:wechat:CNY"
#define SUSPENSE "suspense:wechat:CNY"
#define EVENTS_MAX 64

static struct stack st;
static PGconn *db;
static struct err err;
static int64_t now_us;

/* One instance of the role. */
struct instance {
    struct avro_set *set;
    struct store *store;
    struct payments *payments;
    struct account_reader readers[2];
    struct booking *booking;
    PGconn *conn;
};
static struct instance one;

/* The batch that is being filled. */
static struct arena arena;
static struct dbproc_event events[EVENTS_MAX];
static struct dbproc_verdict verdicts[EVENTS_MAX];
static size_t n_events;
static int64_t offset;
static int next_event;

static void instance_open(struct instance *in, PGconn *conn)
{
    static const struct sweep_options sweep = {.rows_max = 100, .again_s = 60};
    static const char *const topics[] = {"account.commands", "payment.events"};
    struct posting posting;
    const struct embedded *file = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "posting.json");

    in->conn = conn;
    cr_assert_eq(schemas_avro_set(&in->set, &err), RC_OK);
    in->store = store_create(4);
    cr_assert_eq(commands_init(&in->readers[0], in->set, in->store, &sweep, &err), RC_OK, "%s", err.text);
    cr_assert_eq(posting_load("", file->text, file->size, &posting, &err), RC_OK, "%s", err.text);
    cr_assert_eq(payments_create(in->set, &posting, &in->payments, &err), RC_OK, "%s", err.text);
    in->readers[1] = *payments_reader(in->payments);
    const struct account_reader *readers[] = {&in->readers[0], &in->readers[1]};
    in->booking = booking_create(in->store, "g", readers, topics, 2);
    cr_assert_eq(booking_session(in->booking, conn, &err), RC_OK, "%s", err.text);
}

static void instance_close(struct instance *in)
{
    booking_free(in->booking);
    commands_done(&in->readers[0]);
    payments_free(in->payments);
    store_free(in->store);
    avro_set_free(in->set);
}

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    arena_init(&arena, 65536);
    n_events = 0;
    instance_open(&one, db);
    now_us = clock_utc_us();
}

static void teardown(void)
{
    instance_close(&one);
    arena_done(&arena);
    stack_close(&st);
}

TestSuite(payment, .init = setup, .fini = teardown, .timeout = 100);

/* ---- events ---- */

static void add_record(const char *topic, const char *json)
{
    cr_assert_lt(n_events, EVENTS_MAX);
    events[n_events] = (struct dbproc_event){.topic = topic,
                                             .partition = 0,
                                             .offset = offset++,
                                             .timestamp_ms = -1,
                                             .value = arena_strndup(&arena, json, strlen(json)),
                                             .value_len = strlen(json)};
    n_events++;
}

static void add_as(const char *event_id, const char *type, const char *payment, const char *payload)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 65536);
    (void)buf_printf(&b, "{\"event_id\":\"%s\",\"event_type\":\"%s\",\"partition_key\":\"%s\",\"payload\":", event_id,
                     type, payment);
    (void)buf_json_string(&b, payload, strlen(payload));
    (void)buf_printf(&b, ",\"queue_seq\":1,\"created_at\":%" PRId64 ",\"traceparent\":null}", now_us);
    add_record("payment.events", buf_str(&b));
}

static void add(const char *type, const char *payment, const char *payload)
{
    char id[40];

    (void)snprintf(id, sizeof(id), "event-%d", ++next_event);
    add_as(id, type, payment, payload);
}

static void add_success_at(const char *payment, const char *txn, int64_t amount, int64_t at_us)
{
    char at[CLOCK_RFC3339_MAX];

    clock_rfc3339(at_us, at);
    char *payload CLEANUP(freep) = xasprintf("{\"channel\":\"wechat\",\"channel_txn_id\":\"%s\",\"amount\":%" PRId64
                                             ",\"currency\":\"CNY\",\"paid_at\":\"%s\",\"payer\":{\"openid\":\"o1\"}}",
                                             txn, amount, at);
    add("payment.succeeded", payment, payload);
}

static void add_success(const char *payment, const char *txn, int64_t amount)
{
    add_success_at(payment, txn, amount, now_us);
}

static void add_refund_at(const char *payment, const char *refund, int64_t amount, int64_t at_us)
{
    char at[CLOCK_RFC3339_MAX];

    clock_rfc3339(at_us, at);
    char *payload CLEANUP(freep) =
        xasprintf("{\"refund_id\":\"%s\",\"amount\":%" PRId64 ",\"currency\":\"CNY\",\"refunded_at\":\"%s\"}", refund,
                  amount, at);
    add("payment.refunded", payment, payload);
}

static void add_refund(const char *payment, const char *refund, int64_t amount)
{
    add_refund_at(payment, refund, amount, now_us);
}

static void add_command(const char *command, const char *payload)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 65536);
    (void)buf_printf(&b,
                     "{\"event_id\":\"cmd-%d\",\"command\":\"%s\",\"partition_key\":\"k\",\"caller\":\"\",\"payload\":",
                     ++next_event, command);
    (void)buf_json_string(&b, payload, strlen(payload));
    (void)buf_printf(&b, ",\"queue_seq\":1,\"created_at\":%" PRId64 ",\"traceparent\":null}", now_us);
    add_record("account.commands", buf_str(&b));
}

static enum rc try_batch(struct instance *in)
{
    struct dbproc_verdicts v = {.arena = &arena, .list = verdicts, .n = n_events};

    memset(verdicts, 0, sizeof(verdicts));
    stack_sql(in->conn, "BEGIN");
    enum rc rc = booking_apply(in->booking, in->conn, events, n_events, &v, &err);
    stack_sql(in->conn, rc == RC_OK ? "COMMIT" : "ROLLBACK");
    if (rc == RC_OK) {
        booking_committed(in->booking);
        n_events = 0;
        arena_reset(&arena);
    }
    return rc;
}

static void run(void)
{
    cr_assert_eq(try_batch(&one), RC_OK, "%s %s", err.code, err.text);
}

static void order(const char *id, const char *account, int64_t amount, const char *target)
{
    stack_sql(db,
              "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, state,"
              " callback_platform, callback_target) VALUES ('%s', '%s', 'wechat', %" PRId64 ", 'CNY', 'INIT', %s, %s)",
              id, account, amount, target == NULL ? "NULL" : "'demo'", target == NULL ? "NULL" : target);
}

static void open_account(const char *id, const char *more)
{
    char *payload CLEANUP(freep) = xasprintf("{\"account_id\":\"%s\",\"currency\":\"CNY\"%s}", id, more);
    add_command("open", payload);
    run();
}

/* ---- expectations ---- */

static int64_t balance(const char *account)
{
    return stack_int(db, "SELECT coalesce((SELECT balance FROM accounts WHERE account_id = '%s'), 0)", account);
}

#define EXPECT_BALANCES(account, in_account, in_clearing, in_suspense)                              \
    do {                                                                                            \
        cr_expect_eq(balance(account), (in_account), "%s has %" PRId64, account, balance(account)); \
        cr_expect_eq(balance(CLEARING), (in_clearing), "clearing has %" PRId64, balance(CLEARING)); \
        cr_expect_eq(balance(SUSPENSE), (in_suspense), "suspense has %" PRId64, balance(SUSPENSE)); \
    } while (0)

/* "STATE version refunded suspense carried" */
static void expect_order(const char *id, const char *expected)
{
    char *got CLEANUP(freep) = stack_text(db,
                                          "SELECT concat_ws(' ', state, version, refunded_amount, suspense_amount,"
                                          " carried_amount) FROM payment_transactions WHERE payment_id = '%s'",
                                          id);
    cr_expect_str_eq(got, expected, "%s is %s, expected %s", id, got, expected);
}

static void expect_history(const char *id, const char *expected)
{
    char *got CLEANUP(freep) =
        stack_text(db,
                   "SELECT coalesce(string_agg(version || ':' || from_state || '>' || to_state, ' ' ORDER BY version),"
                   " '') FROM payment_state_transitions WHERE payment_id = '%s'",
                   id);
    cr_expect_str_eq(got, expected, "%s", got);
}

static void expect_reviews(const char *expected)
{
    char *got CLEANUP(freep) =
        stack_text(db, "SELECT coalesce(string_agg(code, ' ' ORDER BY code), '') FROM payment_reviews");
    cr_expect_str_eq(got, expected, "%s", got);
}

/* What holds of every database, at any time. */
static void expect_sound(void)
{
    cr_expect_eq(stack_int(db, "SELECT coalesce(sum(balance), 0) FROM accounts"), 0, "money is made or lost");
    cr_expect_eq(stack_int(db, "SELECT coalesce(sum(suspense_amount - carried_amount), 0) FROM payment_transactions"),
                 stack_int(db, "SELECT coalesce(sum(balance), 0) FROM accounts WHERE kind = 'suspense'"),
                 "suspense holds something else than the payments say");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM (SELECT payment_id, version, from_state,"
                               " lag(to_state, 1, 'INIT') OVER w AS before, row_number() OVER w AS n"
                               " FROM payment_state_transitions WINDOW w AS (PARTITION BY payment_id ORDER BY version))"
                               " h WHERE version <> n OR from_state <> before"),
                 0, "history has gaps");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_transactions p WHERE version <> (SELECT count(*) FROM"
                               " payment_state_transitions h WHERE h.payment_id = p.payment_id)"),
                 0, "versions are not the rows of history");
    PGresult *res CLEANUP(pg_clearp) = NULL;
    cr_assert_eq(pg_exec(db, "SELECT from_state, event_type, to_state FROM payment_state_transitions", &res, &err),
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

/* The checker's own word. The position's rows are the runtime's, which does not run here. */
static void expect_checked(void)
{
    struct check_report report = {.accounts = 0};
    const struct check_options opt = {.url = st.url, .schema = "public"};

    stack_sql(db, "INSERT INTO sluice_positions (\"group\", topic, partition, next_offset, epoch, owner)"
                  " SELECT \"group\", topic, partition, hi, 1, 'test' FROM account_journal ON CONFLICT DO NOTHING");
    cr_assert_eq(check_run(&opt, &report, &err), RC_OK, "%s", err.text);
    for (int i = 0; i < CHECKS; i++) {
        const struct check_result *r = &report.results[i];
        cr_expect(r->judged && r->offenders == 0, "%s: %s: %s, expected %s, found %s", CHECK_ABOUT[i].name,
                  r->n > 0 ? r->findings[0].where : "", r->n > 0 ? r->findings[0].what : "",
                  r->n > 0 ? r->findings[0].expected : "", r->n > 0 ? r->findings[0].found : "");
    }
    check_report_done(&report);
}

static double counted(const char *from, const char *to, bool again)
{
    return metric_value(metric_counter("txn_state_transition_total", "",
                                       "from_state=\"%s\",to_state=\"%s\",is_idempotent=\"%s\"", from, to,
                                       again ? "true" : "false"));
}

/* ---- confirmations ---- */

Test(payment, a_success_credits_the_account_once_however_often_it_comes)
{
    open_account("u1", "");
    order("p1", "u1", 1200, NULL);
    double before = counted("PENDING", "CONFIRMED", false);
    double again = counted("CONFIRMED", "CONFIRMED", true);
    add("payment.created", "p1", "{\"payment_id\":\"p1\"}");
    run();
    expect_order("p1", "PENDING 1 0 0 0");
    for (int i = 0; i < 5; i++) {
        add_success("p1", "t1", 1200);
        if (i % 2 == 0) {
            run(); /* some in one batch, some in several */
        }
    }
    EXPECT_BALANCES("u1", 1200, -1200, 0);
    expect_order("p1", "CONFIRMED 2 0 0 0");
    expect_history("p1", "1:INIT>PENDING 2:PENDING>CONFIRMED");
    expect_reviews("");
    cr_expect_eq(counted("PENDING", "CONFIRMED", false) - before, 1);
    cr_expect_eq(counted("CONFIRMED", "CONFIRMED", true) - again, 4);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM account_transfers WHERE transfer_id = 'pay:p1:confirm'"
                               " AND state = 'posted' AND caller = '' AND amount = 1200"),
                 1);
    cr_expect_eq(stack_int(db, "SELECT sum(applied) FROM account_journal WHERE topic = 'payment.events'"), 2);
    cr_expect_eq(stack_int(db, "SELECT sum(duplicates) FROM account_journal WHERE topic = 'payment.events'"), 4);
    expect_sound();
}

Test(payment, everything_of_an_order_may_come_in_one_batch)
{
    order("p1", "u1", 1000, "'https://shop.example/paid'");
    add_command("open", "{\"account_id\":\"u1\",\"currency\":\"CNY\"}");
    add_success("p1", "t1", 1000); /* before it was seen that it was created */
    add("payment.created", "p1", "{}");
    add_refund("p1", "r1", 400);
    add_success("p1", "t2", 1000); /* paid twice */
    add_refund("p1", "r2", 600);
    add("payment.expired", "p1", "{}");
    run();
    expect_order("p1", "REFUNDED 5 1000 1000 0");
    expect_history("p1", "1:INIT>PENDING 2:PENDING>CONFIRMED 3:CONFIRMED>CONFIRMED 4:CONFIRMED>CONFIRMED "
                         "5:CONFIRMED>REFUNDED");
    EXPECT_BALANCES("u1", 0, -1000, 1000);
    expect_reviews("duplicate_payment");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM cs_platform_event_outbox"), 5, "one a transition");
    expect_sound();
}

Test(payment, the_merchant_is_told_of_each_transition_once)
{
    open_account("u1", "");
    order("p1", "u1", 1200, "'https://shop.example/paid'");
    add_success("p1", "4200001", 1200);
    add_success("p1", "4200001", 1200);
    run();
    char *types CLEANUP(freep) =
        stack_text(db, "SELECT string_agg(event_type, ' ' ORDER BY queue_seq) FROM cs_platform_event_outbox"
                       " WHERE platform = 'demo' AND partition_key = 'p1' AND status = 'pending'"
                       " AND callback_target = 'https://shop.example/paid'");
    cr_expect_str_eq(types, "payment.pending payment.confirmed");
    add_refund("p1", "r1", 200);
    run();
    char *told CLEANUP(freep) =
        stack_text(db, "SELECT payload - 'occurred_at' FROM cs_platform_event_outbox ORDER BY queue_seq DESC LIMIT 1");
    char *expected CLEANUP(freep) = stack_text(
        db, "SELECT '{\"event\":\"payment.partially_refunded\",\"payment_id\":\"p1\",\"state\":\"CONFIRMED\","
            "\"from_state\":\"CONFIRMED\",\"version\":3,\"amount\":1200,\"currency\":\"CNY\",\"exponent\":2,"
            "\"account_id\":\"u1\",\"channel\":\"wechat\",\"channel_txn_id\":\"4200001\","
            "\"refunded_amount\":200,\"suspense_amount\":0,\"refund_id\":\"r1\",\"refund_amount\":200}'"
            "::jsonb");
    cr_expect_str_eq(told, expected);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM cs_platform_event_outbox"), 3);
    order("p2", "u1", 5, NULL);
    add_success("p2", "x", 5);
    run();
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM cs_platform_event_outbox"), 3, "nobody is to be told of p2");
}

Test(payment, a_success_that_is_not_the_orders_changes_nothing)
{
    open_account("u1", "");
    order("p1", "u1", 1200, "'https://shop.example/paid'");
    add_success("p1", "t1", 1199);
    add("payment.succeeded", "p1",
        "{\"channel\":\"wechat\",\"channel_txn_id\":\"t1\",\"amount\":1200,\"currency\":\"USD\",\"paid_at\":"
        "\"2026-11-23T00:00:00Z\"}");
    add("payment.succeeded", "p1",
        "{\"channel\":\"alipay\",\"channel_txn_id\":\"t1\",\"amount\":1200,\"currency\":\"CNY\",\"paid_at\":"
        "\"2026-11-23T00:00:00Z\"}");
    add_success("nobody", "t1", 1200);
    add("payment.revoked", "p1", "{}");
    run();
    expect_order("p1", "INIT 0 0 0 0");
    expect_reviews("amount_mismatch channel_mismatch currency_mismatch illegal_transition payment_unknown");
    EXPECT_BALANCES("u1", 0, 0, 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM cs_platform_event_outbox"), 0);
    cr_expect_eq(stack_int(db, "SELECT sum(rejected) FROM account_journal WHERE topic = 'payment.events'"), 5);
    char *detail CLEANUP(freep) = stack_text(db, "SELECT detail FROM payment_reviews WHERE code = 'amount_mismatch'");
    cr_expect_str_eq(detail, "The amount paid is not the order's. 1199 CNY; the order has 1200 CNY.");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_reviews WHERE code = 'amount_mismatch'"
                               " AND event ->> 'event_type' = 'payment.succeeded'"
                               " AND (event -> 'payload' ->> 'amount')::int = 1199"),
                 1);
    expect_sound();
}

Test(payment, an_event_that_was_reviewed_stays_so)
{
    static const char json[] = "{\"channel\":\"wechat\",\"channel_txn_id\":\"t1\",\"amount\":5,\"currency\":\"CNY\","
                               "\"paid_at\":\"2026-11-20T00:00:00Z\"}";

    open_account("u1", "");
    add_as("e-1", "payment.succeeded", "p1", json); /* there is no such order yet */
    add_as("e-1", "payment.succeeded", "p1", json);
    run();
    order("p1", "u1", 5, NULL);
    add_as("e-1", "payment.succeeded", "p1", json);
    run();
    expect_order("p1", "INIT 0 0 0 0");
    expect_reviews("payment_unknown");
    cr_expect_eq(stack_int(db, "SELECT sum(duplicates) FROM account_journal WHERE topic = 'payment.events'"), 2);
    add_as("e-2", "payment.succeeded", "p1", json);
    run();
    expect_order("p1", "CONFIRMED 2 0 0 0");
}

/* ---- money without a place ---- */

Test(payment, an_account_that_cannot_take_it_leaves_it_in_suspense)
{
    static const char *const accounts[] = {"missing", "closed", "frozen", "debitonly", "full", "usd"};

    open_account("closed", "");
    open_account("frozen", "");
    open_account("debitonly", ",\"debit_only\":true");
    open_account("full", ",\"max_balance\":99");
    add_command("open", "{\"account_id\":\"usd\",\"currency\":\"USD\"}");
    add_command("set", "{\"account_id\":\"closed\",\"status\":\"closed\"}");
    add_command("set", "{\"account_id\":\"frozen\",\"status\":\"frozen\"}");
    run();
    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
        order(accounts[i], accounts[i], 100, NULL);
        add_success(accounts[i], "t1", 100);
    }
    run();
    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
        expect_order(accounts[i], "CONFIRMED 2 0 100 0");
        cr_expect_eq(balance(accounts[i]), 0);
    }
    cr_expect_eq(balance(CLEARING), -600);
    cr_expect_eq(balance(SUSPENSE), 600);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_reviews WHERE code = 'account_not_credited'"), 6);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_reviews WHERE detail LIKE '%%credit_account_frozen%%'"),
                 1);
    char *note CLEANUP(freep) = stack_text(
        db, "SELECT note FROM payment_state_transitions WHERE payment_id = 'missing' AND to_state = 'CONFIRMED'");
    cr_expect_str_eq(note, "booked suspend instead of confirm: credit_account_not_found");
    expect_sound();
    /* Its refund comes out of suspense, which is empty then. */
    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
        add_refund(accounts[i], "r1", 100);
    }
    run();
    cr_expect_eq(balance(SUSPENSE), 0);
    cr_expect_eq(balance(CLEARING), 0);
    expect_order("frozen", "REFUNDED 3 100 0 0");
    expect_sound();
}

Test(payment, a_success_after_the_expiry_is_given_back)
{
    open_account("u1", "");
    order("p1", "u1", 700, "'https://shop.example/paid'");
    add("payment.created", "p1", "{}");
    add("payment.expired", "p1", "{}");
    run();
    expect_order("p1", "EXPIRED 2 0 0 0");
    add_success("p1", "t1", 700);
    add_success("p1", "t1", 700);
    run();
    expect_order("p1", "REVOKED 3 0 700 0");
    EXPECT_BALANCES("u1", 0, -700, 700);
    expect_reviews("");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_outbox WHERE event_type = 'payment.refund_requested'"
                               " AND partition_key = 'p1' AND payload ->> 'channel_txn_id' = 't1'"
                               " AND (payload ->> 'amount')::bigint = 700 AND payload ->> 'currency' = 'CNY'"
                               " AND payload ->> 'channel' = 'wechat' AND payload ->> 'reason' = 'revoked'"),
                 1, "asked once, in the same transaction");
    char *refund CLEANUP(freep) = stack_text(db, "SELECT payload ->> 'refund_id' FROM payment_outbox");
    cr_expect_eq(
        stack_int(db, "SELECT count(*) FROM payment_receipts WHERE place = 'suspense' AND refund_id = '%s'", refund),
        1);
    /* Our own request comes by in the topic and is nothing to us. */
    char *request CLEANUP(freep) = stack_text(db, "SELECT payload::text FROM payment_outbox");
    add("payment.refund_requested", "p1", request);
    add_refund("p1", refund, 700);
    add_refund("p1", refund, 700);
    run();
    expect_order("p1", "REVOKED 4 0 0 0");
    EXPECT_BALANCES("u1", 0, 0, 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_refunds WHERE origin = 'suspense'"), 1);
    add_refund("p1", "another", 1);
    run();
    expect_reviews("refund_exceeds_payment");
    expect_sound();
}

Test(payment, a_success_after_a_closed_order_is_given_back_too)
{
    open_account("u1", "");
    order("p1", "u1", 700, NULL);
    add("payment.closed", "p1", "{}");
    add_success("p1", "t1", 700);
    add_success("p1", "t2", 700);
    run();
    expect_history("p1", "1:INIT>PENDING 2:PENDING>REVOKED 3:REVOKED>REVOKED 4:REVOKED>REVOKED");
    EXPECT_BALANCES("u1", 0, -1400, 1400);
    expect_reviews("duplicate_payment");
    cr_expect_eq(stack_int(db, "SELECT count(DISTINCT payload ->> 'refund_id') FROM payment_outbox"), 2);
    expect_sound();
}

/* ---- refunds ---- */

Test(payment, refunds_are_bounded_by_the_payment_and_its_window)
{
    open_account("u1", "");
    order("p1", "u1", 1000, NULL);
    add_success_at("p1", "t1", 1000, now_us - 365 * DAY_US);
    add_refund("p1", "r1", 300);
    add_refund("p1", "r1", 300); /* the same */
    add_refund("p1", "r1", 301); /* another amount */
    add_refund("p1", "r2", 701); /* more than is left */
    add_refund_at("p1", "r3", 100, now_us + 1);
    run();
    expect_order("p1", "CONFIRMED 3 300 0 0");
    EXPECT_BALANCES("u1", 700, -700, 0);
    expect_reviews("refund_conflict refund_exceeds_payment refund_window_closed");
    add_refund("p1", "r4", 700);
    run();
    expect_order("p1", "REFUNDED 4 1000 0 0");
    EXPECT_BALANCES("u1", 0, 0, 0);
    add_refund("p1", "r5", 1);
    add("payment.closed", "p1", "{}");
    run();
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_reviews"), 4);
    expect_sound();
}

Test(payment, numbers_of_channels_that_are_no_ids_are_booked_once_too)
{
    char longest[129];

    memset(longest, '|', 128);
    longest[128] = '\0';
    open_account("u1", "");
    order("p1", "u1", 1000, NULL);
    add_success("p1", longest, 1000);
    add_success("p1", "*another*", 1000);
    add_refund("p1", longest, 100);
    add_refund("p1", longest, 100);
    run();
    expect_order("p1", "CONFIRMED 4 100 1000 0");
    cr_expect_eq(
        stack_int(db, "SELECT count(*) FROM account_transfers WHERE transfer_id !~ '^[A-Za-z0-9._:~@-]{1,128}$'"), 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM account_transfers"), 3);
    expect_sound();
}

/* ---- revocations ---- */

Test(payment, what_is_revoked_is_taken_back)
{
    open_account("u1", ",\"no_negative\":true");
    order("p1", "u1", 1000, NULL);
    add_success("p1", "t1", 1000);
    add_refund("p1", "r1", 250);
    add("payment.revoked", "p1", "{}");
    add("payment.revoked", "p1", "{}");
    run();
    expect_order("p1", "REVOKED 4 250 0 0");
    EXPECT_BALANCES("u1", 0, 0, 0);
    expect_reviews("");
    expect_sound();
}

Test(payment, suspense_carries_what_the_account_has_spent)
{
    open_account("u1", ",\"no_negative\":true");
    open_account("u2", "");
    order("p1", "u1", 1000, NULL);
    add_success("p1", "t1", 1000);
    add_command("transfer", "{\"transfer_id\":\"x\",\"debit\":\"u1\",\"credit\":\"u2\",\"amount\":900,"
                            "\"currency\":\"CNY\"}");
    add_refund("p1", "r1", 200);
    add("payment.revoked", "p1", "{}");
    run();
    expect_order("p1", "REVOKED 4 200 0 1000");
    EXPECT_BALANCES("u1", 100, 0, -1000);
    cr_expect_eq(balance("u2"), 900);
    expect_reviews("account_not_debited account_not_debited");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_reviews WHERE detail LIKE '%%insufficient_funds%%'"), 2);
    expect_sound();
}

Test(payment, a_booking_that_suspense_refuses_changes_nothing)
{
    open_account("u1", "");
    order("p0", "u1", 10, NULL);
    add_success("p0", "t0", 10); /* opens clearing */
    run();
    add_command("set", "{\"account_id\":\"" CLEARING "\",\"status\":\"frozen\"}");
    run();
    order("p1", "u1", 1000, "'https://shop.example/paid'");
    add_success("p1", "t1", 1000);
    run();
    expect_order("p1", "INIT 0 0 0 0");
    expect_reviews("booking_refused");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_receipts WHERE payment_id = 'p1'"), 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM cs_platform_event_outbox"), 0);
    EXPECT_BALANCES("u1", 10, -10, 0);
    expect_sound();
    /* The refusal has used no id up: when clearing is open again and the event comes once more, the order is paid. */
    add_command("set", "{\"account_id\":\"" CLEARING "\",\"status\":\"open\"}");
    run();
    add_success("p1", "t1", 1000);
    run();
    expect_order("p1", "CONFIRMED 2 0 0 0");
    EXPECT_BALANCES("u1", 1010, -1010, 0);
    expect_sound();
}

/* The first order of a currency does not decide in which units its clearing account counts, if the payer's says
 * otherwise. */
Test(payment, an_order_in_other_units_is_reviewed_and_opens_nothing)
{
    open_account("u1", "");
    order("p1", "u1", 1000, NULL);
    stack_sql(db, "UPDATE payment_transactions SET exponent = 0 WHERE payment_id = 'p1'");
    add_success("p1", "t1", 1000);
    run();
    expect_order("p1", "INIT 0 0 0 0");
    expect_reviews("booking_refused");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM accounts"), 1);
    stack_sql(db, "UPDATE payment_transactions SET exponent = 2 WHERE payment_id = 'p1'");
    add_success("p1", "t1", 1000);
    run();
    expect_order("p1", "CONFIRMED 2 0 0 0");
    EXPECT_BALANCES("u1", 1000, -1000, 0);
    expect_sound();
}

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
    };
    static const char *const amounts[] = {"0", "-1", "1.0", "1e3", "\"1\"", "null", "9223372036854775808"};

    open_account("u1", "");
    order("p1", "u1", 1200, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        add(bad[i].type, bad[i].payment, bad[i].payload);
    }
    for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
        char *payload CLEANUP(freep) =
            xasprintf("{\"channel\":\"wechat\",\"channel_txn_id\":\"t\",\"amount\":%s,\"currency\":\"CNY\","
                      "\"paid_at\":\"2026-11-23T00:00:00Z\"}",
                      amounts[i]);
        add("payment.succeeded", "p1", payload);
    }
    size_t n = n_events;
    add_success("p1", "t1", 1200);
    run();
    for (size_t i = 0; i < n; i++) {
        cr_assert_not_null(verdicts[i].class, "%zu is not dead", i);
        if (i < ARRAY_SIZE(bad)) {
            cr_expect_not_null(strstr(verdicts[i].text, bad[i].text), "%zu: %s", i, verdicts[i].text);
        } else {
            cr_expect_not_null(strstr(verdicts[i].text, i + 1 == n ? "payload" : "payload.amount"), "%zu: %s", i,
                               verdicts[i].text);
        }
    }
    cr_expect_null(verdicts[n].class);
    expect_order("p1", "CONFIRMED 2 0 0 0");
    cr_expect_eq(stack_int(db, "SELECT sum(dead) FROM account_journal WHERE topic = 'payment.events'"), (int64_t)n);
}

/* The money came, whatever the channel's clock says: it is booked under the time at which the event was written down.
 */
Test(payment, a_time_of_the_far_future_keeps_no_money_out)
{
    open_account("u1", "");
    order("p1", "u1", 1200, NULL);
    add("payment.succeeded", "p1",
        "{\"channel\":\"wechat\",\"channel_txn_id\":\"t1\",\"amount\":1200,\"currency\":\"CNY\",\"paid_at\":"
        "\"9998-11-23T00:00:00Z\"}");
    run();
    expect_order("p1", "CONFIRMED 2 0 0 0");
    EXPECT_BALANCES("u1", 1200, -1200, 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM account_flows WHERE effective_at > now() + interval '1 day'"), 0);
}

/* ---- several instances ---- */

/* Two instances have the same event each: one waits for the other, and sees what it did. */
Test(payment, two_instances_at_once_end_as_one_after_the_other)
{
    static const char *const kinds[] = {"payment.succeeded", "payment.expired", "payment.closed"};
    int p = 0;

    open_account("u1", "");
    for (size_t a = 0; a < ARRAY_SIZE(kinds); a++) {
        for (size_t b = 0; b < ARRAY_SIZE(kinds); b++) {
            PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
            struct instance two = {.conn = NULL};
            char id[16];
            struct dbproc_verdicts v = {.arena = &arena, .list = verdicts, .n = 1};
            (void)snprintf(id, sizeof(id), "p%d", p++);
            order(id, "u1", 100, NULL);
            instance_open(&two, other);
            /* the first has decided and not committed */
            if (a == 0) {
                add_success(id, "t1", 100);
            } else {
                add(kinds[a], id, "{}");
            }
            stack_sql(db, "BEGIN");
            memset(verdicts, 0, sizeof(verdicts));
            cr_assert_eq(booking_apply(one.booking, db, events, n_events, &v, &err), RC_OK, "%s", err.text);
            n_events = 0;
            /* the second cannot pass it */
            if (b == 0) {
                add_success(id, "t1", 100);
            } else {
                add(kinds[b], id, "{}");
            }
            stack_sql(other, "SET lock_timeout = 100");
            cr_expect_eq(try_batch(&two), RC_RETRY, "%s", err.text);
            stack_sql(db, "COMMIT");
            booking_committed(one.booking);
            cr_assert_eq(try_batch(&two), RC_OK, "%s", err.text);
            instance_close(&two);
        }
    }
    expect_order("p0", "CONFIRMED 2 0 0 0"); /* success, success */
    expect_order("p1", "CONFIRMED 2 0 0 0"); /* success, expired */
    expect_order("p2", "CONFIRMED 2 0 0 0"); /* success, closed: review */
    expect_order("p3", "REVOKED 3 0 100 0"); /* expired, success */
    expect_order("p4", "EXPIRED 2 0 0 0");
    expect_order("p5", "EXPIRED 2 0 0 0");
    expect_order("p6", "REVOKED 3 0 100 0"); /* closed, success */
    expect_order("p7", "REVOKED 2 0 0 0");
    expect_order("p8", "REVOKED 2 0 0 0");
    expect_reviews("illegal_transition");
    expect_sound();
}

Test(payment, an_order_is_locked_before_it_is_judged)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);

    order("p1", "u1", 100, NULL);
    add("payment.created", "p1", "{}");
    run();
    stack_sql(other, "BEGIN; SELECT 1 FROM payment_transactions WHERE payment_id = 'p1' FOR UPDATE");
    stack_sql(db, "SET lock_timeout = 100");
    add("payment.created", "p1", "{}"); /* a repetition, which would write nothing */
    cr_expect_eq(try_batch(&one), RC_RETRY, "%s", err.text);
    cr_expect_str_eq(err.code, "55P03");
    stack_sql(other, "COMMIT");
    cr_expect_eq(try_batch(&one), RC_OK, "%s", err.text);
}

Test(payment, a_batch_that_is_rolled_back_leaves_nothing)
{
    open_account("u1", "");
    order("p1", "u1", 1200, "'https://shop.example/paid'");
    double before = counted("PENDING", "CONFIRMED", false);
    struct dbproc_verdicts v = {.arena = &arena, .list = verdicts, .n = 1};
    add_success("p1", "t1", 1200);
    stack_sql(db, "BEGIN");
    cr_assert_eq(booking_apply(one.booking, db, events, n_events, &v, &err), RC_OK, "%s", err.text);
    stack_sql(db, "ROLLBACK");
    expect_order("p1", "INIT 0 0 0 0");
    cr_expect_eq(counted("PENDING", "CONFIRMED", false), before, "counted before it was committed");
    run();
    expect_order("p1", "CONFIRMED 2 0 0 0");
    cr_expect_eq(counted("PENDING", "CONFIRMED", false), before + 1);
}

/* ---- the sweeper ---- */

Test(payment, orders_whose_time_has_come_are_asked_to_expire_once)
{
    int64_t n = 0;

    for (int i = 0; i < 6; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "p%d", i);
        order(id, "u1", 100, NULL);
    }
    stack_sql(db, "UPDATE payment_transactions SET expires_at = now() - interval '1 s' WHERE payment_id < 'p4'");
    stack_sql(db, "UPDATE payment_transactions SET expires_at = now() + interval '1 h' WHERE payment_id = 'p4'");
    stack_sql(db, "UPDATE payment_transactions SET state = 'PENDING' WHERE payment_id = 'p1'");
    stack_sql(db, "UPDATE payment_transactions SET state = 'CONFIRMED' WHERE payment_id = 'p2'");
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    stack_sql(other, "BEGIN; SELECT 1 FROM payment_transactions WHERE payment_id = 'p3' FOR UPDATE");
    stack_sql(db, "SET lock_timeout = 2000"); /* it passes over what is locked */
    cr_assert_eq(payments_sweep(db, 10, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 2, "p0 and p1; p3 is locked");
    stack_sql(other, "COMMIT");
    cr_assert_eq(payments_sweep(db, 10, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 1);
    cr_assert_eq(payments_sweep(db, 10, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 0, "asked already");
    char *asked CLEANUP(freep) =
        stack_text(db, "SELECT string_agg(partition_key, ' ' ORDER BY partition_key) FROM payment_outbox"
                       " WHERE event_type = 'payment.expired' AND payload ->> 'payment_id' = partition_key");
    cr_expect_str_eq(asked, "p0 p1 p3");
    add("payment.expired", "p0", "{\"payment_id\": \"p0\"}");
    run();
    expect_order("p0", "EXPIRED 2 0 0 0");
    stack_sql(db, "UPDATE payment_transactions SET expiry_asked_at = now() - interval '11 min'");
    cr_assert_eq(payments_sweep(db, 10, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 2, "p1 and p3 once more: what was asked may be lost");
}

Test(payment, a_sweeper_that_fails_does_not_keep_the_others_from_their_work)
{
    order("p1", "u1", 100, NULL);
    stack_sql(db, "UPDATE payment_transactions SET expires_at = now() - interval '1 s'");
    stack_sql(db, "ALTER TABLE account_transfers RENAME COLUMN expires_at TO gone"); /* the sweeper of holds fails */
    cr_expect_neq(booking_tick(one.booking, db, &err), RC_OK);
    cr_expect_not_null(strstr(err.text, "expires_at"), "%s", err.text);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_outbox WHERE event_type = 'payment.expired'"), 1);
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
        PGresult *res CLEANUP(pg_clearp) = PQexec(db, sql);
        const char *refused = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
        cr_expect_str_eq(refused == NULL ? "" : refused, name, "%zu: %s", i, sql);
    }
    stack_sql(db, form, A32 A32, A32 A32 A32 A32, A32, "ABCDEFGHIJKL");
    stack_sql(db, form, "A.z_0:~@-", "A.z_0:~@-", "a.z_0-", "c");
}

/* ---- random sequences ---- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A model that knows no states: money came with a success that was booked, and went with a refund or revocation. */
Test(payment, random_events_keep_the_money)
{
    static const char *const types[] = {"payment.created", "payment.expired", "payment.closed", "payment.revoked"};
    uint32_t seed = 20261123;

    open_account("u0", "");
    open_account("u1", ",\"no_negative\":true");
    open_account("u2", ",\"max_balance\":250");
    for (int i = 0; i < 12; i++) {
        char id[8];
        char account[8];
        (void)snprintf(id, sizeof(id), "p%d", i);
        (void)snprintf(account, sizeof(account), "u%d", i % 4); /* u3 is missing */
        order(id, account, 100, i % 2 == 0 ? "'https://shop.example/paid'" : NULL);
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
                add_success(id, number, next_random(&seed) % 10 == 0 ? 99 : 100);
            } else if (what < 7) {
                char *asked CLEANUP(freep) = stack_text(
                    db,
                    "SELECT refund_id FROM payment_receipts WHERE payment_id = '%s' AND refund_id IS NOT NULL"
                    " LIMIT 1",
                    id);
                bool of_suspense = asked != NULL && next_random(&seed) % 2 == 0;
                add_refund(id, of_suspense ? asked : number, of_suspense ? 100 : 1 + next_random(&seed) % 60);
            } else {
                add(types[next_random(&seed) % 8 % 4], id, "{}");
            }
        }
        if (round % 4 == 0) { /* u1 spends, so that it cannot give back */
            char *spend CLEANUP(freep) = xasprintf("{\"transfer_id\":\"spend-%d\",\"debit\":\"u1\",\"credit\":\"u0\","
                                                   "\"amount\":80,\"currency\":\"CNY\"}",
                                                   round);
            add_command("transfer", spend);
        }
        run();
        expect_sound();
    }
    expect_checked();
    /* What came is what is there or has gone: receipts, less refunds and revocations, is clearing's claim. */
    cr_expect_eq(stack_int(db, "SELECT (SELECT sum(amount) FROM payment_receipts) - (SELECT sum(amount) FROM"
                               " payment_refunds) - (SELECT coalesce(sum(amount), 0) FROM account_transfers"
                               " WHERE transfer_id ~ '^pay:[^:]*:revoke' AND state = 'posted')"),
                 -balance(CLEARING));
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM cs_platform_event_outbox"),
                 stack_int(db, "SELECT count(*) FROM payment_state_transitions JOIN payment_transactions USING"
                               " (payment_id) WHERE callback_target IS NOT NULL"));
    cr_expect_gt(stack_int(db, "SELECT count(*) FROM payment_state_transitions"), 40);
    cr_expect_gt(stack_int(db, "SELECT count(*) FROM payment_refunds WHERE origin = 'suspense'"), 0);
    cr_expect_gt(stack_int(db, "SELECT count(*) FROM payment_reviews WHERE code = 'account_not_debited'"), 0);
}
