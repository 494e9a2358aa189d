/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of outboxes go, and which stay. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "relay/prune.h"
#include "relay/relay.h"
#include "support/stack.h"

#define T "dead_letter_outbox"

static struct stack st;
static struct sources *sources;
static struct prune prune;
static PGconn *relay;
static PGconn *other;
static struct err err;

static const struct source *source(const char *table)
{
    for (int i = 0; i < sources->n; i++) {
        if (strcmp(sources->list[i].table, table) == 0) {
            return &sources->list[i];
        }
    }
    cr_assert_fail("no source %s", table);
    return NULL;
}

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    relay = stack_session(&st, false);
    other = stack_session(&st, false);
    cr_assert_eq(relay_load_sources(st.cfg, &sources, &err), RC_OK, "%s", err.text);
    cr_assert_eq(prune_init(&prune, source(T), relay, &err), RC_OK, "%s", err.text);
    cr_assert_not_null(prune.sql);
}

static void teardown(void)
{
    prune_done(&prune);
    sources = sources_free(sources);
    pg_close(relay);
    pg_close(other);
    stack_close(&st);
}

TestSuite(prune, .init = setup, .fini = teardown);

static void insert(PGconn *conn, const char *key, int days_old)
{
    stack_sql(conn,
              "INSERT INTO " T " (topic, key, created_at) VALUES ('callback.dlq', '%s', now() - %d * interval '1 day')",
              key, days_old);
}

static char *snapshot(void)
{
    return stack_text(st.conn, "SELECT pg_current_snapshot()");
}

static int64_t run(const char *s1, int64_t rows_max)
{
    int64_t rows = -1;

    cr_assert_eq(prune_run(&prune, relay, s1, 30, rows_max, &rows, &err), RC_OK, "%s", err.text);
    return rows;
}

static void expect_left(const char *keys)
{
    char *left CLEANUP(freep) = stack_text(
        st.conn, "SELECT coalesce(string_agg(convert_from(key, 'UTF8'), ' ' ORDER BY queue_seq), '') FROM " T);

    cr_expect_str_eq(left, keys);
}

Test(prune, what_is_old_and_published_goes)
{
    insert(st.conn, "old", 31);
    insert(st.conn, "young", 29);
    insert(st.conn, "older", 400);
    char *s1 CLEANUP(freep) = snapshot();
    cr_expect_eq(run(s1, 100), 2);
    expect_left("young");
    cr_expect_eq(run(s1, 100), 0);
}

Test(prune, what_the_position_does_not_show_stays_however_old)
{
    insert(st.conn, "published", 40);
    stack_sql(other, "BEGIN");
    insert(other, "late", 40);
    char *s1 CLEANUP(freep) = snapshot();
    stack_sql(other, "COMMIT");
    insert(st.conn, "next", 40);
    cr_expect_eq(run(s1, 100), 1);
    expect_left("late next");
    cr_expect_eq(run("1:1:", 100), 0);
    expect_left("late next");
}

Test(prune, a_run_is_bounded_and_the_next_one_goes_on)
{
    for (int i = 0; i < 5; i++) {
        insert(st.conn, "k", 40);
    }
    char *s1 CLEANUP(freep) = snapshot();
    cr_expect_eq(run(s1, 2), 2);
    cr_expect_eq(run(s1, 2), 2);
    cr_expect_eq(run(s1, 2), 1);
}

Test(prune, a_row_that_somebody_holds_is_not_waited_for)
{
    insert(st.conn, "held", 40);
    insert(st.conn, "free", 40);
    char *s1 CLEANUP(freep) = snapshot();
    stack_sql(other, "BEGIN; SELECT * FROM " T " WHERE key = 'held' FOR UPDATE");
    cr_expect_eq(run(s1, 100), 1);
    expect_left("held");
    stack_sql(other, "ROLLBACK");
    cr_expect_eq(run(s1, 100), 1);
}

static void insert_into(const char *table, const char *column, const char *key, int days_old)
{
    stack_sql(st.conn,
              "INSERT INTO %s (partition_key, %s, payload, created_at)"
              " VALUES ('%s', 'x', '{}', now() - %d * interval '1 day')",
              table, column, key, days_old);
}

Test(prune, commands_and_payment_events_go_when_they_are_old_and_published)
{
    static const char *const tables[][2] = {{"account_command_outbox", "command"}, {"payment_outbox", "event_type"}};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        struct prune more;
        int64_t rows = -1;
        cr_assert_eq(prune_init(&more, source(tables[i][0]), relay, &err), RC_OK, "%s", err.text);
        cr_assert_not_null(more.sql, "%s", tables[i][0]);
        insert_into(tables[i][0], tables[i][1], "old", 31);
        insert_into(tables[i][0], tables[i][1], "young", 29);
        char *s1 CLEANUP(freep) = snapshot();
        insert_into(tables[i][0], tables[i][1], "behind", 31); /* the position's */
        cr_expect_eq(prune_run(&more, relay, s1, 30, 10, &rows, &err), RC_OK, "%s", err.text);
        cr_expect_eq(rows, 1);
        char *left CLEANUP(freep) =
            stack_text(st.conn, "SELECT string_agg(partition_key, ' ' ORDER BY queue_seq) FROM %s", tables[i][0]);
        cr_expect_str_eq(left, "young behind", "%s", tables[i][0]);
        prune_done(&more);
    }
}

Test(prune, other_sources_are_left_alone)
{
    static const char *const tables[] = {"cs_platform_event_outbox", "account_flows", "account_decisions"};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        struct prune none;
        int64_t rows = -1;
        cr_assert_eq(prune_init(&none, source(tables[i]), relay, &err), RC_OK, "%s", err.text);
        cr_expect_null(none.sql, "%s", tables[i]);
        cr_assert_eq(prune_run(&none, relay, "1:1:", 30, 10, &rows, &err), RC_OK);
        cr_expect_eq(rows, 0);
        prune_done(&none);
    }
}
