/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the sink's statements are executed beside many notifications, whatever the size of the batch and whatever the
 * statistics: what auto_explain says of each that really ran. A plan that reads more than its rows is not wrong, so
 * nothing else would tell.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "delivery_state/push_apply.h"
#include "delivery_state/sink.h"
#include "pg/conn.h"
#include "support/stack.h"

#define ROWS 100000
#define STATEMENTS 6 /* of a batch: each kind of row is locked, then written */
#define NOTICES_MAX ((size_t)256 << 20)

static struct stack st;
static PGconn *db; /* the sink's session */
static struct dbproc_processor proc;
static struct buf plans;
static struct err err;

static void keep(void *opaque, const PGresult *notice)
{
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

    (void)opaque;
    (void)buf_printf(&plans, "%s\n", text == NULL ? "" : text);
}

/* For sessions that are opened from now on. */
static void explain_everything(void)
{
    PGconn *admin = stack_session(&st, true);

    stack_sql(admin,
              "LOAD 'auto_explain';" /* else its settings are not known yet */
              "ALTER DATABASE %s SET session_preload_libraries = 'auto_explain';"
              "ALTER DATABASE %s SET auto_explain.log_min_duration = '0';"
              "ALTER DATABASE %s SET auto_explain.log_level = 'warning';"
              "ALTER DATABASE %s SET auto_explain.log_analyze = 'on';"
              "ALTER DATABASE %s SET auto_explain.log_timing = 'off'",
              st.database, st.database, st.database, st.database, st.database);
    PQfinish(admin);
}

static void explain_nothing(void)
{
    PGconn *admin = stack_session(&st, true);

    stack_sql(admin, "ALTER DATABASE %s RESET ALL", st.database);
    PQfinish(admin);
}

/* The triggers, which draw numbers and remind, are not what is looked at. */
static void fill(void)
{
    stack_sql(st.conn,
              "ALTER TABLE push_deliveries DISABLE TRIGGER USER;"
              "INSERT INTO express_notifications (message_id, aud, recipient_id)"
              " SELECT 'm' || g, 'user', 'u' || g FROM generate_series(1, %d) g;"
              "INSERT INTO push_devices (appid, cid, user_id, last_seen_at, strikes)"
              " SELECT 'a' || g %% 3, 'c' || g, 'u' || g, 'epoch', g %% 2 FROM generate_series(1, %d) g;"
              "INSERT INTO push_deliveries"
              "  (id, message_id, aud, recipient_id, appid, cid, title, body, queue_seq, queue_txid)"
              " SELECT (lpad(to_hex(g), 8, '0') || '-0000-0000-0000-000000000000')::uuid, 'm' || g, 'user', 'u' || g,"
              "  'a' || g %% 3, 'c' || g, 't', 'b', g, '3' FROM generate_series(1, %d) g;"
              "ALTER TABLE push_deliveries ENABLE TRIGGER USER",
              ROWS, ROWS, ROWS);
}

/* Rows that a node looked at in vain, at most a few for each of the batch. */
static void expect_few_in_vain(int n)
{
    static const char removed[] = "Rows Removed by ";

    for (const char *at = buf_str(&plans); (at = strstr(at, removed)) != NULL; at += sizeof(removed)) {
        const char *colon = strchr(at, ':');
        long rows = colon == NULL ? 0 : strtol(colon + 1, NULL, 10);
        const char *from = at - buf_str(&plans) > 1500 ? at - 1500 : buf_str(&plans);
        cr_expect_leq(rows, 4L * n + 100, "batch of %d: %.*s", n, (int)(at - from) + 60, from);
    }
}

/* Rows that came out of an index, at most a few for each of the batch: an index read from end to end is no better. */
static void expect_few_read(int n)
{
    static const char scan[] = "Index ";

    for (const char *at = buf_str(&plans); (at = strstr(at, scan)) != NULL; at += sizeof(scan)) {
        const char *actual = strstr(at, "actual rows=");
        const char *end = strchr(at, '\n');
        long rows = actual == NULL || actual > end ? 0 : strtol(actual + strlen("actual rows="), NULL, 10);
        cr_expect_leq(rows, 4L * n + 100, "batch of %d: %.200s", n, at);
    }
}

static void expect_indexes(int n)
{
    static const char *const tables[] = {"push_deliveries", "push_devices", "express_notifications"};
    int statements = 0;

    for (const char *at = buf_str(&plans); (at = strstr(at, "Query Text:")) != NULL; at++) {
        statements++;
    }
    cr_expect_eq(statements, STATEMENTS, "batch of %d: %d statements", n, statements);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        char scan[64];
        (void)snprintf(scan, sizeof(scan), "Seq Scan on %s", tables[i]);
        const char *at = strstr(buf_str(&plans), scan);
        cr_expect_null(at, "batch of %d: %.400s", n, at);
        cr_expect_not_null(strstr(buf_str(&plans), tables[i]), "%s is not in the plans", tables[i]);
    }
    expect_few_in_vain(n);
    expect_few_read(n);
}

static void run_batch(int from, int n)
{
    CLEANUP(pushed_batch_done) struct pushed_batch batch;
    struct pushed_counts counts;

    pushed_batch_init(&batch);
    for (int i = 0; i < n; i++) {
        char id[40];
        char cid[16];
        char appid[16];
        int g = from + i * 7;
        (void)snprintf(id, sizeof(id), "%08x-0000-0000-0000-000000000000", (unsigned)g);
        (void)snprintf(cid, sizeof(cid), "c%d", g);
        (void)snprintf(appid, sizeof(appid), "a%d", g % 3);
        struct pushed o = {.event_id = id,
                           .queue_seq = g,
                           .kind = (enum pushed_kind)(i % PUSHED_KINDS),
                           .device = i == 0 ? PUSHED_GONE : (enum pushed_device)(i % PUSHED_DEVICES),
                           .was_request = true,
                           .appid = appid,
                           .cid = cid,
                           .device_at_us = INT64_C(1700000000000000),
                           .happened_at_us = INT64_C(1700000000000000)};
        pushed_batch_add(&batch, &o);
    }
    stack_sql(db, "BEGIN");
    buf_clear(&plans);
    cr_assert_eq(pushed_apply(db, &batch, &counts, &err), RC_OK, "%s", err.text);
    expect_indexes(n);
    cr_expect_eq(counts.settled, n);
    cr_expect_geq(counts.deactivated, 1);
    stack_sql(db, "COMMIT");
}

Test(push_plan, every_statement_goes_by_an_index_whatever_the_size_of_the_batch)
{
    static const int sizes[] = {1, 100, 500, 2000};
    int from = 1;

    stack_open(&st);
    stack_migrate(&st);
    fill();
    explain_everything();
    buf_init(&plans, NOTICES_MAX);
    db = stack_session(&st, true); /* auto_explain speaks to superusers */
    cr_assert_eq(sink_processor_init(&proc, &err), RC_OK, "%s", err.text);
    cr_assert_eq(proc.session(proc.self, db, &err), RC_OK, "%s", err.text);
    (void)PQsetNoticeReceiver(db, keep, NULL);
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
            run_batch(from, sizes[k]);
            from += sizes[k] * 7;
        }
        stack_sql(st.conn, "ANALYZE");
    }
    explain_nothing();
    sink_processor_done(&proc);
    PQfinish(db);
    buf_done(&plans);
    stack_close(&st);
}
