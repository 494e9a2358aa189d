/* SPDX-License-Identifier: Apache-2.0 */
/* Rows put back on the road by compare-and-set, and what their dead letters are then. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "delivery_state/requeue.h"
#include "dlq/redrive.h"
#include "dlq/state.h"
#include "pg/conn.h"
#include "support/stack.h"

#define T "cs_platform_event_outbox"
#define D "cs_platform_event_dead_letters"
#define ID1 "11111111-1111-1111-1111-111111111111"
#define ID2 "22222222-2222-2222-2222-222222222222"
#define ID3 "33333333-3333-3333-3333-333333333333"
#define ROWS 40

static struct stack st;
static PGconn *db;
static struct err err;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    cr_assert_eq(requeue_session(db, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    stack_close(&st);
}

TestSuite(requeue, .init = setup, .fini = teardown);

/* A row as the sink leaves it when its event is given up; returns its queue_seq. */
static int64_t dead_row(const char *id)
{
    stack_sql(db,
              "INSERT INTO " T " (id, platform, event_type, callback_target, payload)"
              " VALUES ('%s', 'demo', 'e', 'u', '{}')",
              id);
    stack_sql(db,
              "UPDATE " T " SET status = 'dead_letter', attempt_count = 6, round_attempts = 6, last_error = 'HTTP 500'"
              " WHERE id = '%s'",
              id);
    stack_sql(db,
              "INSERT INTO " D " (event_id, platform, event_type, callback_target, attempt_count, queue_seq)"
              " SELECT id, platform, event_type, callback_target, 6, queue_seq FROM " T " WHERE id = '%s'",
              id);
    return stack_int(db, "SELECT queue_seq FROM " T " WHERE id = '%s'", id);
}

static int64_t put_back(const char *id, int64_t seq, const char *status, enum requeue_round round)
{
    struct requeue_row row = {.id = id, .queue_seq = seq, .status = status};
    cr_assert_eq(requeue_rows(db, &ROW_KINDS[0], &row, 1, round, &err), RC_OK, "%s", err.text);
    return row.new_seq;
}

/* "status round_attempts attempt_count last_error on-the-road" */
static char *row_of(const char *id)
{
    return stack_text(db,
                      "SELECT concat_ws(' ', status, round_attempts, attempt_count, coalesce(last_error, '-'),"
                      " CASE WHEN queue_txid IS NULL THEN 'waits' ELSE 'road' END) FROM " T " WHERE id = '%s'",
                      id);
}

static void expect_row(const char *id, const char *want)
{
    char *got CLEANUP(freep) = row_of(id);
    cr_expect_str_eq(got, want);
}

Test(requeue, a_dead_row_goes_back_once_with_its_whole_budget)
{
    int64_t seq = dead_row(ID1);
    int64_t other = dead_row(ID2);
    int64_t new_seq = put_back(ID1, seq, "dead_letter", REQUEUE_NEW_ROUND);
    cr_expect(new_seq > other);
    cr_expect_eq(new_seq, stack_int(db, "SELECT queue_seq FROM " T " WHERE id = '" ID1 "'"));
    expect_row(ID1, "pending 0 6 - road");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D " WHERE event_id = '" ID1 "'"), 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D " WHERE event_id = '" ID2 "'"), 1);
    cr_expect_eq(put_back(ID1, seq, "dead_letter", REQUEUE_NEW_ROUND), 0, "repeated");
    cr_expect_eq(new_seq, stack_int(db, "SELECT queue_seq FROM " T " WHERE id = '" ID1 "'"));
}

Test(requeue, a_row_that_is_not_as_it_was_seen_is_left)
{
    int64_t seq = dead_row(ID1);
    cr_expect_eq(put_back(ID1, seq + 1, "dead_letter", REQUEUE_NEW_ROUND), 0);
    cr_expect_eq(put_back(ID1, 0, "dead_letter", REQUEUE_NEW_ROUND), 0);
    cr_expect_eq(put_back(ID1, seq, "delivered", REQUEUE_NEW_ROUND), 0);
    cr_expect_eq(put_back(ID2, seq, "dead_letter", REQUEUE_NEW_ROUND), 0);
    expect_row(ID1, "dead_letter 6 6 HTTP 500 road");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D), 1);
}

Test(requeue, a_repair_by_hand_that_came_first_stays)
{
    int64_t seq = dead_row(ID1);
    stack_sql(db, "UPDATE " T " SET status = 'pending', next_attempt_at = now() + interval '1 hour', last_error = NULL,"
                  " updated_at = now() WHERE id = '" ID1 "'");
    stack_sql(db, "DELETE FROM " D " WHERE event_id = '" ID1 "'");
    int64_t repaired = stack_int(db, "SELECT queue_seq FROM " T);
    cr_expect_eq(put_back(ID1, seq, "dead_letter", REQUEUE_NEW_ROUND), 0);
    expect_row(ID1, "pending 0 6 - waits");
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM " T), repaired);
}

Test(requeue, a_locked_row_is_passed_over_and_its_neighbour_moves)
{
    PGconn *other = stack_session(&st, false);
    struct requeue_row rows[] = {{.id = ID1, .queue_seq = dead_row(ID1), .status = "dead_letter"},
                                 {.id = ID2, .queue_seq = dead_row(ID2), .status = "dead_letter"}};
    stack_sql(other, "BEGIN");
    stack_sql(other,
              "UPDATE " T " SET status = 'pending', next_attempt_at = now(), last_error = NULL WHERE id = '" ID1 "'");
    cr_assert_eq(requeue_rows(db, &ROW_KINDS[0], rows, 2, REQUEUE_NEW_ROUND, &err), RC_OK, "%s", err.text);
    cr_expect_eq(rows[0].new_seq, 0);
    cr_expect(rows[1].new_seq > 0);
    stack_sql(other, "ROLLBACK");
    cr_assert_eq(requeue_rows(db, &ROW_KINDS[0], rows, 2, REQUEUE_NEW_ROUND, &err), RC_OK, "%s", err.text);
    cr_expect(rows[0].new_seq > 0);
    cr_expect_eq(rows[1].new_seq, 0);
    pg_close(other);
}

Test(requeue, new_numbers_follow_the_old_ones)
{
    static char ids[ROWS][40];
    struct requeue_row rows[ROWS];
    for (int i = 0; i < ROWS; i++) { /* ids in another order than their numbers */
        (void)snprintf(ids[i], sizeof(ids[i]), "%08x-0000-4000-8000-000000000000", (unsigned)i * 2654435761U);
        rows[i] = (struct requeue_row){.id = ids[i], .queue_seq = dead_row(ids[i]), .status = "dead_letter"};
    }
    for (int i = 0; i < ROWS / 2; i += 3) { /* and given in another one */
        struct requeue_row x = rows[i];
        rows[i] = rows[ROWS - 1 - i];
        rows[ROWS - 1 - i] = x;
    }
    cr_assert_eq(requeue_rows(db, &ROW_KINDS[0], rows, ROWS, REQUEUE_NEW_ROUND, &err), RC_OK, "%s", err.text);
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < ROWS; k++) {
            cr_assert_eq(rows[i].queue_seq < rows[k].queue_seq, rows[i].new_seq < rows[k].new_seq);
        }
    }
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " T " WHERE status = 'pending'"), ROWS);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D), 0);
}

struct rival {
    pthread_t thread;
    PGconn *conn;
    struct requeue_row row;
    struct err err;
    enum rc rc;
};

static void *put_back_slowly(void *arg)
{
    struct rival *r = arg;

    r->rc = requeue_rows(r->conn, &ROW_KINDS[0], &r->row, 1, REQUEUE_NEW_ROUND, &r->err);
    return NULL;
}

/* The first has locked the earlier row of a key and has not drawn its number yet when the second comes. */
Test(requeue, two_that_put_back_the_rows_of_a_key_keep_their_order)
{
    struct rival first = {.conn = stack_session(&st, false),
                          .row = {.id = ID1, .queue_seq = dead_row(ID1), .status = "dead_letter"}};
    struct requeue_row rows[] = {first.row, {.id = ID2, .queue_seq = dead_row(ID2), .status = "dead_letter"}};

    stack_sql(db, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                  " 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END'");
    stack_sql(db, "CREATE TRIGGER a_slow_one BEFORE UPDATE ON " T
                  " FOR EACH ROW WHEN (current_setting('test.slow', true) = 'on') EXECUTE FUNCTION slow()");
    stack_sql(first.conn, "SET test.slow = 'on'");
    cr_assert_eq(pthread_create(&first.thread, NULL, put_back_slowly, &first), 0);
    int64_t sleeping = 0;
    for (int64_t until_ms = clock_mono_ms() + 10000; sleeping == 0 && clock_mono_ms() < until_ms;) {
        sleeping = stack_int(db, "SELECT count(*) FROM pg_stat_activity"
                                 " WHERE datname = current_database() AND wait_event = 'PgSleep'");
    }
    cr_assert_eq(sleeping, 1);
    cr_assert_eq(requeue_rows(db, &ROW_KINDS[0], rows, 2, REQUEUE_NEW_ROUND, &err), RC_OK, "%s", err.text);
    pthread_join(first.thread, NULL);
    cr_assert_eq(first.rc, RC_OK, "%s", first.err.text);
    cr_expect_eq(rows[0].new_seq, 0);
    cr_expect_lt(first.row.new_seq, rows[1].new_seq);
    pg_close(first.conn);
}

Test(requeue, the_same_row_twice_moves_once)
{
    int64_t seq = dead_row(ID1);
    struct requeue_row rows[] = {{.id = ID1, .queue_seq = seq, .status = "dead_letter"},
                                 {.id = ID1, .queue_seq = seq, .status = "dead_letter"}};
    cr_assert_eq(requeue_rows(db, &ROW_KINDS[0], rows, 2, REQUEUE_NEW_ROUND, &err), RC_OK, "%s", err.text);
    cr_expect_eq((rows[0].new_seq > 0) + (rows[1].new_seq > 0), 1);
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM " T), seq + 1);
}

Test(requeue, a_row_between_two_attempts_is_due_now_and_keeps_its_round)
{
    int64_t seq = dead_row(ID1);
    stack_sql(db,
              "UPDATE " T " SET status = 'retrying', round_attempts = 2, next_attempt_at = now() + interval '1 hour'");
    int64_t new_seq = put_back(ID1, seq, "retrying", REQUEUE_SAME_ROUND);
    cr_expect(new_seq > seq);
    expect_row(ID1, "pending 2 6 HTTP 500 road");
    char *setting CLEANUP(freep) = stack_text(db, "SELECT coalesce(current_setting('sluice.sweep', true), '')");
    cr_expect_str_empty(setting, "the setting ends with the transaction");
}

/* ---------------------------------------------------------------------------------------------------- letters */

static struct letter letter(const char *id, int64_t seq)
{
    struct letter l = {.dlq = "callback.dlq", .kind = &ROW_KINDS[0], .queue_seq = seq};
    (void)snprintf(l.event_id, sizeof(l.event_id), "%s", id);
    return l;
}

static enum letter_state state(const char *id, int64_t seq)
{
    struct letter l = letter(id, seq);
    cr_assert_eq(letters_look_up(db, &l, 1, &err), RC_OK, "%s", err.text);
    return l.state;
}

Test(requeue, a_letter_is_what_its_row_says)
{
    int64_t seq = dead_row(ID1);
    cr_expect_eq(state(ID1, seq), LETTER_OPEN);
    cr_expect_eq(state(ID1, seq - 1), LETTER_REQUEUED, "an earlier queueing");
    cr_expect_eq(state(ID1, seq + 1), LETTER_GONE, "a queueing that this table has not seen");
    cr_expect_eq(state(ID2, seq), LETTER_GONE);
    cr_expect_eq(state("", 0), LETTER_NO_ROW);
    for (int i = 0; i < 2; i++) {
        stack_sql(db, "UPDATE " T " SET status = '%s', queue_seq = %lld", i == 0 ? "retrying" : "delivered",
                  (long long)seq);
        cr_expect_eq(state(ID1, seq), i == 0 ? LETTER_UNSETTLED : LETTER_CLOSED);
    }
    stack_sql(db, "UPDATE " T " SET queue_seq = NULL");
    cr_expect_eq(state(ID1, seq), LETTER_GONE);
}

Test(requeue, letters_are_looked_up_in_batches_and_know_their_platform_and_deaths)
{
    struct letter letters[3] = {letter(ID1, dead_row(ID1)), letter("", 0), letter(ID2, 1)};
    stack_sql(db, "INSERT INTO cs_platform_event_delivery_attempts (event_id, attempt_no, outcome)"
                  " SELECT '" ID1 "', i, CASE WHEN i %% 3 = 0 THEN 'dead_letter' ELSE 'retry' END"
                  " FROM generate_series(1, 9) i");
    cr_assert_eq(letters_look_up(db, letters, 3, &err), RC_OK, "%s", err.text);
    cr_expect_eq(letters[0].state, LETTER_OPEN);
    cr_expect_str_eq(letters[0].platform, "demo");
    cr_expect_eq(letters[0].deaths, 3);
    cr_expect_eq(letters[1].state, LETTER_NO_ROW);
    cr_expect_eq(letters[2].state, LETTER_GONE);
}

static struct redrive *redrive_begin(const struct redrive_options *given)
{
    struct redrive_options opt = *given;
    opt.conn = db;
    opt.rate = 1000;
    opt.limit = opt.limit == 0 ? INT64_MAX : opt.limit;
    return redrive_create(&opt);
}

static struct redrive_counts first_look(struct redrive *r, struct letter *letters, size_t n)
{
    bool stop = false;
    cr_assert_eq(letters_look_up(db, letters, n, &err), RC_OK, "%s", err.text);
    cr_assert_eq(redrive_batch(letters, n, r, &stop, &err), RC_OK, "%s", err.text);
    return redrive_counts(r);
}

static struct redrive_counts rest(struct redrive *r)
{
    cr_assert_eq(redrive_rest(r, &err), RC_OK, "%s", err.text);
    return redrive_counts(r);
}

static struct redrive_counts redrive_all(struct letter *letters, size_t n, const struct redrive_options *opt)
{
    CLEANUP(redrive_freep) struct redrive *r = redrive_begin(opt);
    (void)first_look(r, letters, n);
    return rest(r);
}

Test(requeue, a_redrive_counts_what_it_does_and_what_it_leaves)
{
    int64_t seq1 = dead_row(ID1);
    int64_t seq2 = dead_row(ID2);
    int64_t seq3 = dead_row(ID3);
    stack_sql(db, "UPDATE " T " SET status = 'retrying' WHERE id = '" ID3 "'");
    struct letter letters[] = {letter(ID1, seq1), letter(ID1, seq1), letter(ID2, seq2 - 2),
                               letter(ID3, seq3), letter("", 0),     letter("99999999-9999-9999-9999-999999999999", 1),
                               letter(ID2, seq2)};
    letters[6].redrive_count = REDRIVE_DEATHS_MAX;
    struct redrive_counts c = redrive_all(letters, ARRAY_SIZE(letters), &(struct redrive_options){.wait_ms = 0});
    cr_expect_eq(c.redriven, 1);
    cr_expect_eq(c.already, 2, "the same one again, and an earlier queueing");
    cr_expect_eq(c.unsettled, 1);
    cr_expect_eq(c.no_route, 2);
    cr_expect_eq(c.held, 1);
    expect_row(ID1, "pending 0 6 - road");
    expect_row(ID2, "dead_letter 6 6 HTTP 500 road");
    expect_row(ID3, "retrying 6 6 HTTP 500 road");
}

Test(requeue, a_redrive_keeps_its_limit)
{
    struct letter letters[] = {letter(ID1, dead_row(ID1)), letter(ID2, dead_row(ID2)), letter(ID3, dead_row(ID3))};
    struct redrive_counts c = redrive_all(letters, 3, &(struct redrive_options){.limit = 2});
    cr_expect_eq(c.redriven, 2);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " T " WHERE status = 'pending'"), 2);
}

Test(requeue, what_was_locked_is_tried_again_and_then_given_back)
{
    PGconn *other = stack_session(&st, false);
    struct letter letters[] = {letter(ID1, dead_row(ID1))};
    stack_sql(other, "BEGIN");
    stack_sql(other, "SELECT 1 FROM " T " FOR UPDATE");
    struct redrive_counts c = redrive_all(letters, 1, &(struct redrive_options){.wait_ms = 600});
    cr_expect_eq(c.redriven, 0);
    cr_expect_eq(c.unsettled, 1);

    CLEANUP(redrive_freep) struct redrive *r = redrive_begin(&(struct redrive_options){.wait_ms = 5000});
    letters[0] = letter(ID1, stack_int(db, "SELECT queue_seq FROM " T));
    cr_expect_eq(first_look(r, letters, 1).unsettled, 1);
    stack_sql(other, "ROLLBACK");
    c = rest(r);
    cr_expect_eq(c.redriven, 1);
    cr_expect_eq(c.unsettled, 0);
    expect_row(ID1, "pending 0 6 - road");
    pg_close(other);
}

Test(requeue, a_letter_that_had_to_wait_is_held_back_all_the_same)
{
    struct letter letters[] = {letter(ID1, dead_row(ID1))};
    letters[0].redrive_count = REDRIVE_DEATHS_MAX;
    stack_sql(db, "UPDATE " T " SET status = 'retrying'");
    CLEANUP(redrive_freep) struct redrive *r = redrive_begin(&(struct redrive_options){.wait_ms = 5000});
    cr_expect_eq(first_look(r, letters, 1).unsettled, 1);
    stack_sql(db, "UPDATE " T " SET status = 'dead_letter'");
    struct redrive_counts c = rest(r);
    cr_expect_eq(c.held, 1);
    cr_expect_eq(c.redriven, 0);
    cr_expect_eq(c.unsettled, 0);
    expect_row(ID1, "dead_letter 6 6 HTTP 500 road");
}
