/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows against a real database: what is visible in the new snapshot and was not in the old one, in the order of
 * queue_seq, whatever the order of commits; and the plans that keep it fast beside a million published rows.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "relay/position.h"
#include "relay/relay.h"
#include "relay/wal.h"
#include "relay/window.h"
#include "support/stack.h"

#define RECORD_MAX 1000000

static struct stack st;
static struct sources *sources;
static struct window_sql sql;
static PGconn *relay; /* the reader's session */
static PGconn *db;    /* writers' */
static PGconn *other;
static struct err err;
static char *s1; /* the reader's position */

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    relay = stack_session(&st, false);
    other = stack_session(&st, false);
    db = st.conn;
    cr_assert_eq(relay_load_sources(st.cfg, &sources, &err), RC_OK, "%s", err.text);
    window_sql_init(&sql, &sources->list[0], relay, RECORD_MAX);
    s1 = xstrdup(SNAPSHOT_NOTHING);
}

static void teardown(void)
{
    free(s1);
    window_sql_done(&sql);
    sources = sources_free(sources);
    pg_close(relay);
    pg_close(other);
    stack_close(&st);
}

TestSuite(window, .init = setup, .fini = teardown);

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)
#define T "cs_platform_event_outbox"
#define INSERT \
    "INSERT INTO " T " (platform, event_type, callback_target, payload, partition_key) VALUES ('p', 'e', 'u', '{}', "

static void insert(PGconn *conn, const char *key)
{
    stack_sql(conn, INSERT "'%s')", key);
}

/* Rows as "seq:key " in the order in which they came. */
static struct buf seen;
static int stop_after;

static enum rc see(const struct row_cells *row, void *opaque, bool *stop, struct err *e)
{
    const struct source *src = opaque;
    const struct cell *key = &row->columns[src->key[0]];

    (void)e;
    buf_printf(&seen, "%s%" PRId64 ":%.*s", seen.len > 0 ? " " : "", row->seq, (int)key->len, key->text);
    *stop = stop_after > 0 && --stop_after == 0;
    return RC_OK;
}

static bool read_part(const struct window *w, int64_t rows_max)
{
    struct window_scan scan;

    OK(window_scan_start(&scan, relay, &sql, w, rows_max, &err));
    OK(window_scan_take(&scan, true, see, &sources->list[0], &err));
    cr_assert_not(window_scan_busy(&scan));
    return window_scan_more(&scan);
}

/* All rows of (s1, s2], in parts of at most rows_max; heap memory. */
static char *read_window(const char *s2, bool walk, int64_t rows_max)
{
    struct window w = {.s1 = s1, .s2 = s2, .walk = walk};
    bool more = true;

    buf_init(&seen, 1 << 20);
    if (walk) {
        int64_t first = 0;
        OK(window_range(relay, &sql, s1, s2, &first, &w.upto_seq, &err));
        w.after_seq = first - 1;
    }
    for (int parts = 0; more; parts++) {
        cr_assert_lt(parts, 1000);
        more = read_part(&w, rows_max);
        const char *last = seen.len > 0 ? strrchr(buf_str(&seen), ' ') : NULL;
        w.after_seq = seen.len > 0 ? strtoll(last != NULL ? last + 1 : buf_str(&seen), NULL, 10) : w.after_seq;
    }
    return buf_take(&seen);
}

static void look(struct tick *t)
{
    *t = (struct tick){0};
    OK(window_tick(relay, &sql, s1, 1000, t, &err));
}

static void go_on(struct tick *t)
{
    free(s1);
    s1 = xstrdup(t->s2);
    tick_done(t);
}

/* One turn of the relay: both ways of reading must give these rows; then the reader goes on behind them. */
static void expect_turn(const char *rows)
{
    struct tick t;
    int64_t n = rows[0] != '\0' ? 1 : 0;

    for (const char *c = rows; *c != '\0'; c++) {
        n += *c == ' ' ? 1 : 0;
    }
    look(&t);
    cr_expect_eq(t.candidates, n, "%d candidates, expected %d", (int)t.candidates, (int)n);
    char *small CLEANUP(freep) = read_window(t.s2, false, 1000);
    char *cut CLEANUP(freep) = read_window(t.s2, false, 2);
    char *walk CLEANUP(freep) = read_window(t.s2, true, 2);
    cr_expect_str_eq(small, rows);
    cr_expect_str_eq(cut, rows);
    cr_expect_str_eq(walk, rows);
    go_on(&t);
}

Test(window, an_empty_table_has_no_rows)
{
    expect_turn("");
    expect_turn("");
}

Test(window, rows_come_once_in_the_order_of_their_sequence)
{
    insert(db, "a");
    insert(other, "b");
    stack_sql(db, "BEGIN; " INSERT "'c'); " INSERT "'d'); COMMIT");
    expect_turn("1:a 2:b 3:c 4:d");
    expect_turn("");
    insert(db, "e");
    expect_turn("5:e");
}

Test(window, a_number_drawn_early_and_committed_late_is_not_lost)
{
    stack_sql(other, "BEGIN; " INSERT "'late')");
    insert(db, "early");
    expect_turn("2:early");
    expect_turn("");
    insert(db, "next");
    expect_turn("3:next");
    stack_sql(other, "COMMIT");
    expect_turn("1:late");
    expect_turn("");
}

/* T1 takes its transaction id first, T2 writes the key first: an order by transaction id would turn them round. */
Test(window, the_order_is_that_of_the_sequence_and_not_of_the_transactions)
{
    stack_sql(other, "BEGIN; SELECT pg_current_xact_id()");
    insert(db, "k");
    stack_sql(other, INSERT "'k')");
    stack_sql(other, "COMMIT");
    expect_turn("1:k 2:k");
}

Test(window, an_aborted_row_never_comes)
{
    stack_sql(other, "BEGIN; " INSERT "'never')");
    insert(db, "a");
    expect_turn("2:a");
    stack_sql(other, "ROLLBACK");
    insert(db, "b");
    expect_turn("3:b");
}

Test(window, subtransactions_count_with_their_transaction)
{
    stack_sql(other, "BEGIN; " INSERT "'a'); SAVEPOINT x; " INSERT "'never'); ROLLBACK TO x; SAVEPOINT y; " INSERT
                     "'b'); RELEASE y; SAVEPOINT z; " INSERT "'c')");
    expect_turn("");
    stack_sql(other, "COMMIT");
    expect_turn("1:a 3:b 4:c");
}

Test(window, many_running_transactions_come_when_they_commit)
{
    PGconn *writers[5];

    for (int i = 0; i < 5; i++) {
        char key[8];
        writers[i] = stack_session(&st, false);
        snprintf(key, sizeof(key), "w%d", i);
        stack_sql(writers[i], "BEGIN");
        insert(writers[i], key);
    }
    insert(db, "a");
    expect_turn("6:a");
    stack_sql(writers[3], "COMMIT");
    stack_sql(writers[1], "COMMIT");
    expect_turn("2:w1 4:w3");
    stack_sql(writers[0], "ROLLBACK");
    stack_sql(writers[4], "COMMIT");
    insert(db, "b");
    expect_turn("5:w4 7:b");
    stack_sql(writers[2], "COMMIT");
    expect_turn("3:w2");
    expect_turn("");
    for (int i = 0; i < 5; i++) {
        pg_close(writers[i]);
    }
}

Test(window, what_commits_after_the_look_belongs_to_the_next_window)
{
    struct tick t;

    stack_sql(other, "BEGIN; " INSERT "'late')");
    insert(db, "a");
    look(&t);
    stack_sql(other, "COMMIT");
    insert(db, "b");
    char *rows CLEANUP(freep) = read_window(t.s2, false, 100);
    char *walked CLEANUP(freep) = read_window(t.s2, true, 100);
    cr_expect_str_eq(rows, "2:a");
    cr_expect_str_eq(walked, "2:a");
    go_on(&t);
    expect_turn("1:late 3:b");
}

Test(window, a_row_queued_again_before_it_was_read_comes_once_with_its_newest_number)
{
    struct tick t;

    insert(db, "a");
    insert(db, "b");
    look(&t);
    stack_sql(db, "UPDATE " T " SET status = 'pending', next_attempt_at = clock_timestamp() WHERE partition_key = 'a'");
    char *rows CLEANUP(freep) = read_window(t.s2, false, 100);
    cr_expect_str_eq(rows, "2:b");
    go_on(&t);
    expect_turn("3:a");
}

Test(window, waiting_rows_and_history_are_not_on_the_road)
{
    stack_sql(
        db,
        "INSERT INTO " T " (platform, event_type, callback_target, payload, status, next_attempt_at)"
        " VALUES ('p', 'e', 'u', '{}', 'pending', now() + interval '1 h'), ('p', 'e', 'u', '{}', 'retrying', now()),"
        " ('p', 'e', 'u', '{}', 'delivered', now())");
    expect_turn("");
}

Test(window, the_reading_may_stop_after_any_row_and_the_session_goes_on)
{
    struct window w = {.s1 = s1};
    struct tick t;

    stack_sql(db, "INSERT INTO " T " (platform, event_type, callback_target, payload, partition_key)"
                  " SELECT 'p', 'e', 'u', to_jsonb(repeat('x', 2000)), 'k' FROM generate_series(1, 5000)");
    look(&t);
    w.s2 = t.s2;
    buf_init(&seen, 1 << 20);
    stop_after = 3;
    cr_expect(read_part(&w, 100000), "there are more");
    cr_expect_str_eq(buf_str(&seen), "1:k 2:k 3:k");
    buf_done(&seen);
    cr_expect_eq(stack_int(relay, "SELECT 1"), 1);
    tick_done(&t);
}

struct big {
    int64_t bytes;
    char sha256[80];
    size_t payload_len;
    int64_t time_us;
};

static enum rc see_big(const struct row_cells *row, void *opaque, bool *stop, struct err *e)
{
    struct big *b = opaque;

    (void)e;
    (void)stop;
    b->bytes = row->bytes;
    snprintf(b->sha256, sizeof(b->sha256), "%.*s", (int)row->sha256.len,
             row->sha256.text != NULL ? row->sha256.text : "");
    b->payload_len = row->columns[sources->list[0].payload].len;
    b->time_us = cell_int64(&row->columns[sources->list[0].time], -1);
    return RC_OK;
}

static struct big read_big(void)
{
    struct window w = {.s1 = s1};
    struct window_scan scan;
    struct big b = {0};
    struct tick t;

    look(&t);
    w.s2 = t.s2;
    OK(window_scan_start(&scan, relay, &sql, &w, 10, &err));
    OK(window_scan_take(&scan, true, see_big, &b, &err));
    go_on(&t);
    return b;
}

Test(window, a_row_over_the_limit_comes_cut_with_the_sum_of_the_whole_payload)
{
    stack_sql(db, "INSERT INTO " T " (platform, event_type, callback_target, payload, created_at)"
                  " VALUES ('p', 'e', 'u', to_jsonb(repeat('ä', 1000000)), '2026-01-02 03:04:05.678901+00')");
    struct big b = read_big();
    char *sha CLEANUP(freep) =
        stack_text(db, "SELECT encode(sha256(convert_to(payload::text, 'UTF8')), 'hex') FROM " T);
    cr_expect_gt(b.bytes, 2000002);
    cr_expect_lt(b.bytes, 2000502);
    cr_expect_str_eq(b.sha256, sha);
    cr_expect_eq(b.payload_len, 2 * ROW_CUT_CHARS - 1, "%zu: the quote is one byte, the rest two each", b.payload_len);
    cr_expect_eq(b.time_us, 1767323045678901);
}

Test(window, a_row_within_the_limit_comes_whole)
{
    stack_sql(db, "INSERT INTO " T " (platform, event_type, callback_target, payload)"
                  " VALUES ('p', 'e', 'u', to_jsonb(repeat('x', 900000)))");
    struct big b = read_big();
    cr_expect_str_eq(b.sha256, "");
    cr_expect_eq(b.payload_len, 900002);
}

Test(window, a_time_without_end_does_not_stop_the_reading)
{
    stack_sql(db, "INSERT INTO " T " (platform, event_type, callback_target, payload, created_at)"
                  " VALUES ('p', 'e', 'u', '{}', 'infinity')");
    cr_expect_eq(read_big().time_us, -1);
}

/* ---- The flush rule ---- */

static const char LSN[] = "SELECT pg_current_wal_insert_lsn()";

Test(window, what_is_written_but_not_flushed_is_flushed)
{
    stack_sql(db, "SET synchronous_commit = on; SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000))");
    char *lsn CLEANUP(freep) = stack_text(db, "%s", LSN);
    OK(wal_wait_flushed(relay, lsn, &err));
    cr_expect_eq(stack_int(db, "SELECT (pg_current_wal_flush_lsn() >= '%s'::pg_lsn)::int", lsn), 1);
}

/* Bytes of WAL from the insert position to the end of its page. */
static int64_t rest_of_page(void)
{
    return stack_int(db, "SELECT 8192 - (pg_current_wal_insert_lsn() - '0/0'::pg_lsn) %% 8192");
}

/*
 * At the end of a page the insert position stands behind the header of the next one, and no flush gets there until
 * something more is written. Others write too: tried until the position is exactly there.
 */
Test(window, the_end_of_a_page_is_not_waited_for_for_ever)
{
    for (int i = 0; i < 200; i++) {
        int64_t rest = rest_of_page();
        /* A record is its header and lengths, 24 + 2 or 24 + 5 bytes, the message's header, 24, and "x\0". */
        if (rest < 500) {
            stack_sql(db, "SELECT pg_logical_emit_message(false, 'x', repeat('x', 600))");
            continue;
        }
        stack_sql(db, "SELECT pg_logical_emit_message(false, 'x', repeat('x', %d))", (int)(rest - 24 - 5 - 24 - 2));
        char *lsn CLEANUP(freep) = stack_text(db, "%s", LSN);
        stack_sql(db, "SELECT pg_sleep(0.25)"); /* the WAL writer flushes what it can */
        if (stack_int(
                db,
                "SELECT (('%s'::pg_lsn - '0/0'::pg_lsn) %% 8192 IN (24, 40)"
                " AND pg_current_wal_insert_lsn() = '%s'::pg_lsn AND pg_current_wal_flush_lsn() < '%s'::pg_lsn)::int",
                lsn, lsn, lsn) == 1) {
            OK(wal_wait_flushed(relay, lsn, &err));
            cr_expect_eq(stack_int(db, "SELECT (pg_current_wal_flush_lsn() >= '%s'::pg_lsn)::int", lsn), 1);
            return;
        }
    }
    cr_assert_fail("the WAL never stood at the end of a page");
}

/* ---- Plans ---- */

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

/* The statement as the relay runs it, with its parameters and marks filled in, without COPY around it. */
static void expect_cheap(const char *name, const char *statement, const char *s2, const char *after, const char *upto,
                         const char *index)
{
    char *q1 CLEANUP(freep) = xasprintf("'%s'", s1);
    char *q2 CLEANUP(freep) = xasprintf("'%s'", s2);
    const char *const marks[][2] = {{"{s1}", s1},
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
    struct plan_cost cost = {0};
    char *filled CLEANUP(freep) = replaced(statement, marks, ARRAY_SIZE(marks));
    char *text CLEANUP(freep) = replaced(filled, typed, ARRAY_SIZE(typed));
    char *plan CLEANUP(freep) = stack_text(relay, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) %s", text);
    json_t *root = json_loads(plan, 0, NULL);

    cr_assert_not_null(root);
    buf_init(&cost.indexes, 4096);
    add_plan(&cost, json_object_get(json_array_get(root, 0), "Plan"), true);
    cr_expect_not(cost.seq_scan, "%s scans the table: %s", name, plan);
    cr_expect_leq(cost.rows_max, 2000, "%s looks at %.0f rows: %s", name, cost.rows_max, plan);
    cr_expect_leq(cost.buffers, BUFFERS_MAX, "%s touches %d buffers: %s", name, (int)cost.buffers, plan);
    cr_expect(strstr(buf_str(&cost.indexes), index) != NULL, "%s uses%s and not %s", name, buf_str(&cost.indexes),
              index);
    buf_done(&cost.indexes);
    json_decref(root);
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
    tick_done(&t);
}

/* In front of a million published rows, with and without statistics, before and after VACUUM. */
Test(window, no_statement_walks_what_is_published, .timeout = 110)
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
