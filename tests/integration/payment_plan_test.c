/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the role's statements are executed beside many orders, whatever the size of the batch: what auto_explain says of
 * each that really ran. A plan that reads more than its rows is not wrong, so nothing else would tell.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "support/payment_rig.h"

#define ORDERS 100000
#define NOTICES_MAX ((size_t)256 << 20)

static struct buf plans;

static void keep(void *opaque, const PGresult *notice)
{
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    (void)opaque;
    (void)buf_printf(&plans, "%s\n", text == NULL ? "" : text);
}

/* For sessions that are opened from now on. */
static void explain_everything(bool on)
{
    static const char *const settings[][2] = {{"session_preload_libraries", "auto_explain"},
                                              {"auto_explain.log_min_duration", "0"},
                                              {"auto_explain.log_level", "warning"},
                                              {"auto_explain.log_analyze", "on"},
                                              {"auto_explain.log_timing", "off"}};
    PGconn *admin = stack_session(&pay.st, true);

    stack_sql(admin, "LOAD 'auto_explain'"); /* else its settings are not known yet */
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (on) {
            stack_sql(admin, "ALTER DATABASE %s SET %s = '%s'", pay.st.database, settings[i][0], settings[i][1]);
        } else {
            stack_sql(admin, "ALTER DATABASE %s RESET %s", pay.st.database, settings[i][0]);
        }
    }
    PQfinish(admin);
}

static void fill(void)
{
    stack_sql(
        pay.db,
        "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, state, version,"
        "  expires_at, callback_platform, callback_target)"
        " SELECT 'o' || g, 'u1', 'wechat', 1000, 'CNY', 'PENDING', 1, now() + interval '1 day', 'shop', 'https://x'"
        " FROM generate_series(1, %d) g;"
        "INSERT INTO payment_state_transitions (payment_id, version, from_state, to_state, event_id, event_type)"
        " SELECT 'o' || g, 1, 'INIT', 'PENDING', 'old' || g, 'payment.created' FROM generate_series(1, %d) g;"
        "INSERT INTO payment_receipts (payment_id, channel_txn_id, amount, currency, place, paid_at, event_id)"
        " SELECT 'x' || g, 't' || g, 1000, 'CNY', 'account', now(), 'e' || g FROM generate_series(1, %d) g;"
        "INSERT INTO payment_refunds (payment_id, refund_id, amount, currency, origin, event_id)"
        " SELECT 'x' || g, 'r' || g, 1000, 'CNY', 'order', 'f' || g FROM generate_series(1, %d) g;"
        "INSERT INTO payment_reviews (id, payment_id, event_id, event_type, code, detail, event)"
        " SELECT gen_random_uuid(), 'x' || g, 'v' || g, 'payment.succeeded', 'amount_mismatch', 'd', '{}'"
        " FROM generate_series(1, %d) g",
        ORDERS, ORDERS, ORDERS, ORDERS, ORDERS);
}

/* Rows that a node looked at in vain, at most a few for each of the batch. */
static void expect_few_in_vain(int n)
{
    static const char REMOVED[] = "Rows Removed by ";

    for (const char *at = buf_str(&plans); (at = strstr(at, REMOVED)) != NULL; at += sizeof(REMOVED)) {
        const char *colon = strchr(at, ':');
        long rows = colon == NULL ? 0 : strtol(colon + 1, NULL, 10);
        const char *from = at - buf_str(&plans) > 1500 ? at - 1500 : buf_str(&plans);
        cr_expect_leq(rows, 4L * n + 100, "batch of %d: %.*s", n, (int)(at - from) + 60, from);
    }
}

static void expect_indexes(int n)
{
    static const char *const tables[] = {"payment_", "account_", "cs_platform_"};
    size_t statements = 0;

    for (const char *at = buf_str(&plans); (at = strstr(at, "Query Text:")) != NULL; at++) {
        statements++;
    }
    cr_assert_geq(statements, 12, "only %zu statements were explained", statements);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        char scan[64];
        (void)snprintf(scan, sizeof(scan), "Seq Scan on %s", tables[i]);
        const char *at = strstr(buf_str(&plans), scan);
        cr_expect_null(at, "batch of %d: %.400s", n, at);
    }
    expect_few_in_vain(n);
}

static void run_batch(struct rig *r, int from, int n)
{
    for (int i = 0; i < n; i++) {
        char id[32];
        char number[32];
        (void)snprintf(id, sizeof(id), "o%d", from + i * 17);
        (void)snprintf(number, sizeof(number), "n%d", from + i);
        if (i % 3 < 2) {
            pay_success(id, number, i % 2 == 0 ? 1000 : 999);
        } else {
            pay_refund(id, number, 10);
        }
    }
    buf_clear(&plans);
    rig_must(r, 0);
    expect_indexes(n);
}

Test(payment, every_statement_goes_by_an_index_whatever_the_size_of_the_batch)
{
    static const int sizes[] = {1, 100, 2000};
    struct rig two = {.conn = NULL};
    int from = 1;

    pay_open("u1", "");
    fill();
    explain_everything(true);
    buf_init(&plans, NOTICES_MAX);
    pay_rig_open(&two, 1);
    (void)PQsetNoticeReceiver(two.conn, keep, NULL);
    pay.to = &two;
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
            run_batch(&two, from, sizes[k]);
            from += 40000 / 2 / 3;
        }
        buf_clear(&plans);
        cr_assert_eq(two.proc.tick(two.proc.self, two.conn, &two.err), RC_OK, "%s", two.err.text);
        cr_expect_not_null(strstr(buf_str(&plans), "payment_transactions"), "the sweep was not explained");
        expect_few_in_vain(100);
        stack_sql(pay.db, "ANALYZE");
    }
    explain_everything(false);
    rig_close(&two);
    buf_done(&plans);
}
