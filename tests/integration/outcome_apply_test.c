/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes in the tables: numbers, states, repairs that are not undone, and a batch that is its outcomes one by one. */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "delivery_state/apply.h"
#include "pg/conn.h"
#include "support/batch_ways.h"
#include "support/random.h"
#include "support/stack.h"

#define T "cs_platform_event_outbox"
#define A "cs_platform_event_delivery_attempts"
#define D "cs_platform_event_dead_letters"
#define ID1 "11111111-1111-1111-1111-111111111111"
#define ID2 "22222222-2222-2222-2222-222222222222"
#define SECRET "\"\\{},' \xc3\xbc"

static struct stack st;
static PGconn *db;
static struct err err;
static struct outcome_batch batch;
static struct apply_counts counts;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    outcome_batch_init(&batch);
}

static void teardown(void)
{
    outcome_batch_done(&batch);
    stack_close(&st);
}

TestSuite(outcome_apply, .init = setup, .fini = teardown);

static void insert(const char *id)
{
    stack_sql(db,
              "INSERT INTO " T " (id, platform, event_type, callback_target, payload)"
              " VALUES ('%s', 'p', 'e', 'u', '{}')",
              id);
}

static struct outcome make(const char *id, int64_t seq, enum outcome_kind kind)
{
    return (struct outcome){.event_id = id,
                            .queue_seq = seq,
                            .kind = kind,
                            .was_request = kind != OUTCOME_PARKED,
                            .has_status = true,
                            .response_status = 500,
                            .error_class = "http",
                            .error_message = kind == OUTCOME_DELIVERED ? NULL : "busy",
                            .delay_ms = kind == OUTCOME_RETRY || kind == OUTCOME_PARKED ? 60000 : 0,
                            .happened_at_us = 1700000000000001};
}

static void add(const char *id, int64_t seq, enum outcome_kind kind)
{
    struct outcome o = make(id, seq, kind);

    outcome_batch_add(&batch, &o);
}

static void apply(void)
{
    stack_sql(db, "BEGIN");
    cr_assert_eq(apply_outcomes(db, &batch, &counts, &err), RC_OK, "%s", err.text);
    stack_sql(db, "COMMIT");
    outcome_batch_clear(&batch);
}

static void one(const char *id, int64_t seq, enum outcome_kind kind)
{
    add(id, seq, kind);
    apply();
}

static void expect_row(const char *id, const char *want)
{
    char *got CLEANUP(freep) =
        stack_text(db,
                   "SELECT concat_ws(' ', status, attempt_count, round_attempts, coalesce(last_error, '-'))"
                   " FROM " T " WHERE id = '%s'",
                   id);
    cr_expect_str_eq(got, want);
}

static void expect_attempts(const char *id, const char *want)
{
    char *got CLEANUP(freep) = stack_text(db,
                                          "SELECT coalesce(string_agg(attempt_no || ':' || queue_seq || outcome, ' '"
                                          " ORDER BY attempt_no), '') FROM " A " WHERE event_id = '%s'",
                                          id);
    cr_expect_str_eq(got, want);
}

Test(outcome_apply, a_delivery_ends_the_row)
{
    insert(ID1);
    one(ID1, 1, OUTCOME_DELIVERED);
    expect_row(ID1, "delivered 1 1 -");
    expect_attempts(ID1, "1:1delivered");
    cr_expect(counts.settled == 1 && counts.late == 0 && counts.gone == 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting"), 0);
}

Test(outcome_apply, a_retry_waits_by_the_databases_clock)
{
    insert(ID1);
    one(ID1, 1, OUTCOME_RETRY);
    expect_row(ID1, "retrying 1 1 busy");
    cr_expect_eq(stack_int(db, "SELECT 1 FROM " T
                               " WHERE next_attempt_at BETWEEN now() + interval '55 s' AND now() + interval '60 s'"),
                 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting w JOIN " T
                               " o ON o.id::text = w.row_id AND w.due_at = o.next_attempt_at"),
                 1);
    cr_expect_eq(stack_int(db, "SELECT 1 FROM " T " WHERE queue_seq = 1 AND queue_txid IS NOT NULL"), 1,
                 "the sink leaves both");
}

Test(outcome_apply, what_is_parked_waits_without_attempt_and_budget)
{
    insert(ID1);
    one(ID1, 1, OUTCOME_PARKED);
    expect_row(ID1, "retrying 0 0 busy");
    expect_attempts(ID1, "");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting"), 1);
}

Test(outcome_apply, an_end_without_request_has_no_attempt)
{
    struct outcome o = make(ID1, 1, OUTCOME_DEAD_LETTER);

    insert(ID1);
    o.was_request = false;
    outcome_batch_add(&batch, &o);
    apply();
    expect_row(ID1, "dead_letter 0 0 busy");
    expect_attempts(ID1, "");
    cr_expect_eq(
        stack_int(db, "SELECT 1 FROM " D
                      " WHERE attempt_count = 0 AND final_error = 'busy' AND error_class = 'http' AND queue_seq = 1"),
        1);
}

Test(outcome_apply, two_outcomes_of_one_row_in_one_batch_count_twice)
{
    insert(ID1);
    insert(ID2);
    add(ID1, 1, OUTCOME_RETRY);
    add(ID2, 2, OUTCOME_RETRY);
    add(ID1, 1, OUTCOME_RETRY);
    add(ID1, 1, OUTCOME_DEAD_LETTER);
    apply();
    expect_row(ID1, "dead_letter 3 3 busy");
    expect_attempts(ID1, "1:1retry 2:1retry 3:1dead_letter");
    expect_row(ID2, "retrying 1 1 busy");
    cr_expect_eq(stack_int(db, "SELECT attempt_count FROM " D), 3);
    cr_expect_eq(counts.settled, 4);
}

Test(outcome_apply, an_outcome_that_comes_late_undoes_no_repair)
{
    static const enum outcome_kind kinds[] = {OUTCOME_DELIVERED, OUTCOME_RETRY, OUTCOME_PARKED, OUTCOME_DEAD_LETTER};

    insert(ID1);
    one(ID1, 1, OUTCOME_DEAD_LETTER);
    /* The runbook's own statements. */
    stack_sql(db, "UPDATE " T " SET status='pending', next_attempt_at=NOW(), last_error=NULL WHERE id='" ID1
                  "'; DELETE FROM " D);
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM " T), 2);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        one(ID1, 1, kinds[i]);
        cr_expect(counts.late == 1 && counts.settled == 0);
        cr_expect_eq(stack_int(db,
                               "SELECT 1 FROM " T " WHERE status = 'pending' AND round_attempts = 0 AND queue_seq = 2"
                               " AND last_error IS NULL AND next_attempt_at <= now()"),
                     1, "%s", OUTCOME_NAMES[kinds[i]]);
        cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D), 0);
    }
    expect_attempts(ID1, "1:1dead_letter 2:1delivered 3:1retry 4:1dead_letter");
    one(ID1, 2, OUTCOME_RETRY);
    expect_row(ID1, "retrying 5 1 busy"); /* the budget is new, the numbers go on */
}

Test(outcome_apply, late_and_current_in_one_batch_are_told_apart)
{
    insert(ID1);
    stack_sql(db, "UPDATE " T " SET next_attempt_at = clock_timestamp()"); /* queue_seq 2 */
    add(ID1, 2, OUTCOME_RETRY);
    add(ID1, 1, OUTCOME_DELIVERED);
    apply();
    expect_row(ID1, "retrying 2 1 busy");
    cr_expect(counts.settled == 1 && counts.late == 1);
}

Test(outcome_apply, an_end_stays_an_end)
{
    insert(ID1);
    one(ID1, 1, OUTCOME_DELIVERED);
    one(ID1, 1, OUTCOME_RETRY);
    expect_row(ID1, "delivered 2 2 -");
    insert(ID2);
    stack_sql(db, "UPDATE " T " SET status = 'delivered' WHERE id = '" ID2 "'"); /* by hand, while it is under way */
    one(ID2, 2, OUTCOME_DEAD_LETTER);
    expect_row(ID2, "delivered 1 1 -");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D), 0);
}

Test(outcome_apply, a_row_that_is_gone_is_counted_and_nothing_else)
{
    insert(ID1);
    add(ID2, 9, OUTCOME_DEAD_LETTER);
    add(ID1, 1, OUTCOME_DELIVERED);
    apply();
    cr_expect(counts.gone == 1 && counts.settled == 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " A), 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D), 0);
}

Test(outcome_apply, a_row_unknown_to_sluice_keeps_its_state)
{
    stack_sql(db, "INSERT INTO " T " (id, platform, event_type, callback_target, payload, status)"
                  " VALUES ('" ID1 "', 'p', 'e', 'u', '{}', 'delivered')");
    one(ID1, 1, OUTCOME_RETRY);
    expect_row(ID1, "delivered 1 0 -");
    cr_expect_eq(counts.late, 1);
}

Test(outcome_apply, numbers_go_on_where_somebody_has_set_the_counter_back)
{
    insert(ID1);
    one(ID1, 1, OUTCOME_RETRY);
    one(ID1, 1, OUTCOME_RETRY);
    stack_sql(db, "UPDATE " T " SET attempt_count = 0");
    one(ID1, 1, OUTCOME_RETRY);
    expect_row(ID1, "retrying 3 3 busy");
    expect_attempts(ID1, "1:1retry 2:1retry 3:1retry");
}

Test(outcome_apply, texts_arrive_as_they_are)
{
    struct outcome o = make(ID1, 1, OUTCOME_RETRY);

    insert(ID1);
    o.error_message = SECRET;
    o.has_status = false;
    o.has_duration = true;
    o.duration_ms = 7;
    outcome_batch_add(&batch, &o);
    apply();
    char *got CLEANUP(freep) =
        stack_text(db, "SELECT error_message FROM " A " WHERE response_status IS NULL AND duration_ms = 7"
                       " AND created_at = '2023-11-14 22:13:20.000001+00'");
    cr_expect_str_eq(got, SECRET);
}

Test(outcome_apply, a_second_death_replaces_the_first)
{
    insert(ID1);
    one(ID1, 1, OUTCOME_DEAD_LETTER);
    stack_sql(db, "UPDATE " T " SET status = 'pending'; UPDATE " D " SET created_at = 'epoch', final_error = 'old'");
    one(ID1, 2, OUTCOME_DEAD_LETTER);
    cr_expect_eq(
        stack_int(db, "SELECT count(*) FROM " D
                      " WHERE queue_seq = 2 AND attempt_count = 2 AND final_error = 'busy' AND created_at > 'epoch'"),
        1);
    stack_sql(db, "UPDATE " T " SET status = 'pending'");
    one(ID1, 3, OUTCOME_DELIVERED);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D), 1, "a delivery deletes nothing");
}

Test(outcome_apply, updates_stay_hot)
{
    insert(ID1);
    stack_sql(db, "SELECT pg_stat_force_next_flush()");
    for (int i = 0; i < 20; i++) {
        one(ID1, 1, OUTCOME_RETRY);
    }
    stack_sql(db, "SELECT pg_stat_force_next_flush()");
    stack_sql(db, "SELECT pg_stat_clear_snapshot()");
    cr_expect_eq(stack_int(db, "SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '" T "'"), 0);
    cr_expect_eq(stack_int(db, "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '" T "'"), 20);
}

/* What both ways leave, but for times; when the next attempt would have been says nothing of a row at its end. */
static char *state(void)
{
    return stack_text(
        db, "SELECT concat((SELECT string_agg(concat_ws(',', id, status, attempt_count, round_attempts, last_error,"
            " status = 'retrying' AND next_attempt_at > now() + interval '10 s'), ';' ORDER BY id) FROM " T "),"
            " (SELECT string_agg(concat_ws(',', event_id, attempt_no, queue_seq, outcome, error_message), ';'"
            " ORDER BY event_id, attempt_no) FROM " A "),"
            " (SELECT string_agg(concat_ws(',', event_id, attempt_count, final_error, queue_seq), ';'"
            " ORDER BY event_id) FROM " D "))");
}

static void begin(uint32_t round)
{
    (void)round;
    stack_sql(db, "TRUNCATE " T ", " A ", " D ", sluice_waiting; ALTER SEQUENCE sluice_queue_seq RESTART");
    insert(ID1);
    insert(ID2);
    stack_sql(db, "UPDATE " T " SET next_attempt_at = clock_timestamp() WHERE id = '" ID2 "'"); /* seq 3 */
}

static void add_random(uint32_t *seed)
{
    static const char *const ids[] = {ID1, ID2, "33333333-3333-3333-3333-333333333333"};
    static const char *const messages[] = {NULL, "a", "b"};
    enum outcome_kind kind = (enum outcome_kind)(next_random(seed) % 7 % 4);
    struct outcome o = make(ids[next_random(seed) % 3], 1 + next_random(seed) % 3, kind);

    o.error_message = messages[next_random(seed) % 3];
    o.error_class = kind == OUTCOME_DEAD_LETTER ? "c" : NULL;
    outcome_batch_add(&batch, &o);
}

Test(outcome_apply, a_batch_ends_as_its_outcomes_one_by_one)
{
    batch_ways_agree(&(struct batch_ways){
        .rounds = 40, .outcomes = 8, .begin = begin, .add = add_random, .apply = apply, .state = state});
}

Test(outcome_apply, rows_are_locked_in_one_order)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    PGconn *admin CLEANUP(pg_closep) = stack_session(&st, true);

    insert(ID1);
    insert(ID2);
    stack_sql(other, "BEGIN; SELECT 1 FROM " T " WHERE id = '" ID1 "' FOR UPDATE");
    add(ID2, 2, OUTCOME_RETRY);
    add(ID1, 1, OUTCOME_RETRY);
    stack_sql(db, "SET lock_timeout = 200; BEGIN");
    cr_expect_eq(apply_outcomes(db, &batch, &counts, &err), RC_RETRY, "%s", err.text);
    cr_expect_str_eq(err.code, "55P03");
    /* It stood at the first row by id and had not locked the second. */
    stack_sql(admin, "SET lock_timeout = 200; SELECT 1 FROM " T " WHERE id = '" ID2 "' FOR UPDATE");
    stack_sql(db, "ROLLBACK");
}
