/* SPDX-License-Identifier: Apache-2.0 */
/* The plans of the relay's statements: what keeps them fast beside a million published rows. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay/position.h"
#include "support/window_bench.h"

#define PUBLISHED 1000000
#define BUFFERS_MAX 2000 /* the table and its indexes have some 50,000 */

struct plan_cost {
    bool seq_scan;
    double rows_max; /* of any node, times loops */
    json_int_t buffers;
    struct buf indexes;
};

static void add_plan(struct plan_cost *c, json_t *node, bool root)
{
    const char *type = json_string_value(json_object_get(node, "Node Type"));
    const char *index = json_string_value(json_object_get(node, "Index Name"));
    double rows = json_number_value(json_object_get(node, "Actual Rows")) *
                  json_number_value(json_object_get(node, "Actual Loops"));
    size_t i = 0;
    json_t *child = NULL;

    rows += json_number_value(json_object_get(node, "Rows Removed by Filter"));
    rows += json_number_value(json_object_get(node, "Rows Removed by Index Recheck"));
    c->seq_scan = c->seq_scan || strcmp(type, "Seq Scan") == 0;
    c->rows_max = rows > c->rows_max ? rows : c->rows_max;
    if (index != NULL) {
        buf_printf(&c->indexes, " %s", index);
    }
    if (root) {
        c->buffers = json_integer_value(json_object_get(node, "Shared Hit Blocks")) +
                     json_integer_value(json_object_get(node, "Shared Read Blocks"));
    }
    json_array_foreach(json_object_get(node, "Plans"), i, child)
    {
        add_plan(c, child, false);
    }
}

static char *replaced(const char *text, const char *const marks[][2], size_t n)
{
    char *now = xstrdup(text);

    for (size_t i = 0; i < n; i++) {
        char *at = NULL;
        while ((at = strstr(now, marks[i][0])) != NULL) {
            char *next = xasprintf("%.*s%s%s", (int)(at - now), now, marks[i][1], at + strlen(marks[i][0]));
            free(now);
            now = next;
        }
    }
    return now;
}

/* The statement as the relay runs it, with its parameters and marks filled in, without COPY around it; heap memory. */
static char *filled_in(const char *statement, const char *from, const char *s2, const char *after, const char *upto)
{
    char *q1 CLEANUP(freep) = xasprintf("'%s'", from);
    char *q2 CLEANUP(freep) = xasprintf("'%s'", s2);
    const char *const marks[][2] = {{"{s1}", from},
                                    {"{s2}", s2},
                                    {"{after}", after},
                                    {"{limit}", "1000"},
                                    {"{upto}", upto},
                                    {"COPY (", ""},
                                    {") TO STDOUT (FORMAT binary)", ""},
                                    {"$1", q1},
                                    {"$2::pg_snapshot", q2},
                                    {"$2", "1000"}};
    const char *const typed[][2] = {{"{q2}", q2}};
    char *filled CLEANUP(freep) = replaced(statement, marks, ARRAY_SIZE(marks));

    return replaced(filled, typed, ARRAY_SIZE(typed));
}

/* What EXPLAIN with these options says; *out_plan, heap memory, is its text. */
static struct plan_cost explain(const char *options, const char *text, char **out_plan)
{
    struct plan_cost cost = {0};
    char *plan = stack_text(relay, "EXPLAIN (%s FORMAT JSON) %s", options, text);
    json_t *root = json_loads(plan, 0, NULL);

    cr_assert_not_null(root);
    buf_init(&cost.indexes, 4096);
    add_plan(&cost, json_object_get(json_array_get(root, 0), "Plan"), true);
    json_decref(root);
    *out_plan = plan;
    return cost;
}

static void expect_cheap(const char *name, const char *statement, const char *s2, const char *after, const char *upto,
                         const char *index)
{
    char *text CLEANUP(freep) = filled_in(statement, s1, s2, after, upto);
    char *plan CLEANUP(freep) = NULL;
    struct plan_cost cost = explain("ANALYZE, BUFFERS,", text, &plan);

    cr_expect_not(cost.seq_scan, "%s scans the table: %s", name, plan);
    cr_expect_leq(cost.rows_max, 2000, "%s looks at %.0f rows: %s", name, cost.rows_max, plan);
    cr_expect_leq(cost.buffers, BUFFERS_MAX, "%s touches %d buffers: %s", name, (int)cost.buffers, plan);
    cr_expect(strstr(buf_str(&cost.indexes), index) != NULL, "%s uses%s and not %s", name, buf_str(&cost.indexes),
              index);
    buf_done(&cost.indexes);
}

/*
 * The two barriers. Whatever the estimates, which for a small window are always wrong, the planner must not be free to
 * read by queue_seq. It is tempted here, and shown by what it then does.
 *
 * small: a condition on queue_seq that finds hardly anything. Without MATERIALIZED it is pushed down to the candidates
 * and that index taken for them.
 */
static void expect_materialized(const char *s2, const char *last)
{
    char *text CLEANUP(freep) = filled_in(sql.small, SNAPSHOT_NOTHING, s2, last, "0");
    char *plan CLEANUP(freep) = NULL;
    struct plan_cost cost = explain("", text, &plan);

    cr_expect_null(strstr(buf_str(&cost.indexes), "queue_seq"), "small reads by queue_seq: %s", plan);
    cr_expect_not_null(strstr(buf_str(&cost.indexes), "queue_txid"), "small: %s", plan);
    buf_done(&cost.indexes);
}

/*
 * range: without OFFSET 0 the planner also plans min() and max() as the first row of an ordered read each. Whether it
 * takes that is a matter of costs; that it thought of it shows in the number of the statement's own init plan.
 */
static void expect_offset(const char *s2)
{
    char *text CLEANUP(freep) = filled_in(sql.range, SNAPSHOT_NOTHING, s2, "0", "0");
    char *plan CLEANUP(freep) = NULL;
    struct plan_cost cost = explain("", text, &plan);

    cr_expect_not_null(strstr(plan, "\"InitPlan 1 "), "range is thought of as an ordered read: %s", plan);
    cr_expect_null(strstr(buf_str(&cost.indexes), "queue_seq"), "range reads by queue_seq: %s", plan);
    buf_done(&cost.indexes);
}

static void expect_plans(const char *what)
{
    char after[24];
    char upto[24];
    int64_t first = 0;
    int64_t last = 0;
    struct tick t;

    look(&t);
    cr_assert_eq(t.candidates, 500, "%s", what);
    OK(window_range(relay, &sql, s1, t.s2, &first, &last, &err));
    snprintf(after, sizeof(after), "%" PRId64, first - 1);
    snprintf(upto, sizeof(upto), "%" PRId64, last);
    expect_cheap("tick", sql.tick, t.s2, "0", "0", "queue_txid");
    expect_cheap("range", sql.range, t.s2, "0", "0", "queue_txid");
    expect_cheap("small", sql.small, t.s2, "0", "0", "queue_txid");
    expect_cheap("walk", sql.walk, t.s2, after, upto, "queue_seq");
    expect_materialized(t.s2, upto);
    expect_offset(t.s2);
    tick_done(&t);
}

TestSuite(window_plan, .init = window_bench_open, .fini = window_bench_close);

/* In front of a million published rows, with and without statistics, before and after VACUUM. */
Test(window_plan, no_statement_walks_what_is_published, .timeout = 250)
{
    struct tick t;

    stack_sql(other, "ALTER TABLE " T " SET (autovacuum_enabled = off)");
    stack_sql(db,
              "SET work_mem = '64MB'; INSERT INTO " T " (platform, event_type, callback_target, payload)"
              " SELECT 'p', 'e', 'u', '{}' FROM generate_series(1, %d)",
              PUBLISHED);
    stack_sql(other, "BEGIN; " INSERT "'runs while the position is taken')");
    look(&t);
    go_on(&t);
    stack_sql(other, "COMMIT");
    stack_sql(db, "INSERT INTO " T " (platform, event_type, callback_target, payload)"
                  " SELECT 'p', 'e', 'u', '{}' FROM generate_series(1, 499)");
    expect_plans("without statistics");
    stack_sql(db, "ANALYZE " T);
    expect_plans("with statistics");
    stack_sql(db, "VACUUM " T);
    expect_plans("after VACUUM");
}
