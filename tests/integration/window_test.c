/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows against a real database: what is visible in the new snapshot and was not in the old one, in the order of
 * queue_seq, whatever the order of commits.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "support/window_bench.h"

TestSuite(window, .init = window_bench_open, .fini = window_bench_close);

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
