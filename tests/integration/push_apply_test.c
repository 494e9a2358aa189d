/* SPDX-License-Identifier: Apache-2.0 */
/* What became of notifications in the tables: deliveries, devices, and what the notification says of it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "delivery_state/push_apply.h"
#include "pg/conn.h"
#include "support/stack.h"

#define T "push_deliveries"
#define N "express_notifications"
#define D "push_devices"
#define ID1 "11111111-1111-1111-1111-111111111111"
#define ID2 "22222222-2222-2222-2222-222222222222"
#define ID3 "33333333-3333-3333-3333-333333333333"
#define AT INT64_C(1700000000000001)
#define AT_TEXT "2023-11-14 22:13:20.000001+00"
#define AWKWARD "\"\\{},' \xc3\xbc"

static struct stack st;
static PGconn *db;
static struct err err;
static struct pushed_batch batch;
static struct pushed_counts counts;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    stack_sql(db, "SET enable_seqscan = off; SET jit = off"); /* as the role's session */
    pushed_batch_init(&batch);
}

static void teardown(void)
{
    pushed_batch_done(&batch);
    stack_close(&st);
}

TestSuite(push_apply, .init = setup, .fini = teardown);

/* One notification m1 with a delivery to device c1, c2, ... */
static void insert(const char *id, const char *message, const char *cid, int generation)
{
    stack_sql(db,
              "INSERT INTO " N " (message_id, aud, recipient_id, generation) VALUES ('%s', 'user', 'u', %d)"
              " ON CONFLICT (message_id) DO NOTHING;"
              "INSERT INTO " D " (appid, cid, user_id, last_seen_at) VALUES ('a', '%s', 'u', 'epoch')"
              " ON CONFLICT (appid, cid) DO NOTHING;"
              "INSERT INTO " T " (id, message_id, generation, aud, recipient_id, appid, cid, title, body)"
              " VALUES ('%s', '%s', %d, 'user', 'u', 'a', '%s', 't', 'b')",
              message, generation, cid, id, message, generation, cid);
}

static struct pushed make(const char *id, int64_t seq, enum pushed_kind kind)
{
    return (struct pushed){.event_id = id,
                           .queue_seq = seq,
                           .kind = kind,
                           .was_request = kind != PUSHED_PARKED,
                           .verdict = kind == PUSHED_DELIVERED ? "sent_online" : "provider_down",
                           .provider = "getui",
                           .provider_code = "0",
                           .has_status = true,
                           .response_status = 200,
                           .error_class = "http",
                           .error_message = kind == PUSHED_DELIVERED ? NULL : "busy",
                           .appid = "a",
                           .cid = "c1",
                           .device_at_us = AT,
                           .delay_ms = kind == PUSHED_RETRY || kind == PUSHED_PARKED ? 60000 : 0,
                           .happened_at_us = AT};
}

static void apply(void)
{
    stack_sql(db, "BEGIN");
    cr_assert_eq(pushed_apply(db, &batch, &counts, &err), RC_OK, "%s", err.text);
    stack_sql(db, "COMMIT");
    pushed_batch_clear(&batch);
}

static void add(const char *id, int64_t seq, enum pushed_kind kind)
{
    struct pushed o = make(id, seq, kind);

    pushed_batch_add(&batch, &o);
}

static void one(const char *id, int64_t seq, enum pushed_kind kind)
{
    add(id, seq, kind);
    apply();
}

static void add_device(enum pushed_device device, int64_t at_us)
{
    struct pushed o = make(ID1, 1, PUSHED_RETRY);

    o.device = device;
    o.device_at_us = at_us;
    o.verdict = device == PUSHED_STRIKE ? "suspect" : "invalid_target";
    o.provider_code = "20001";
    pushed_batch_add(&batch, &o);
}

static void say(enum pushed_device device, int64_t at_us)
{
    add_device(device, at_us);
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

static void expect_message(const char *message, const char *want)
{
    char *got CLEANUP(freep) =
        stack_text(db,
                   "SELECT concat_ws(' ', send_status, coalesce(reason, '-'), coalesce(last_error, '-')) FROM " N
                   " WHERE message_id = '%s'",
                   message);
    cr_expect_str_eq(got, want);
}

static void expect_device(const char *want)
{
    char *got CLEANUP(freep) =
        stack_text(db, "SELECT concat_ws('|', is_active, strikes, coalesce(inactive_reason, '-'),"
                       " coalesce(to_char(inactive_at, 'YYYY'), '-')) FROM " D " WHERE cid = 'c1'");
    cr_expect_str_eq(got, want);
}

/* ---------------------------------------------------------------------------------------------------- deliveries */

Test(push_apply, an_accepted_push_ends_the_row)
{
    insert(ID1, "m1", "c1", 0);
    one(ID1, 1, PUSHED_RETRY);
    one(ID1, 1, PUSHED_DELIVERED);
    expect_row(ID1, "delivered 2 2 -");
    expect_message("m1", "success - -");
    cr_expect(counts.settled == 1 && counts.late == 0 && counts.gone == 0);
    cr_expect_eq(stack_int(db, "SELECT 1 FROM " T " WHERE delivered_at = '" AT_TEXT "' AND verdict = 'sent_online'"
                               " AND provider = 'getui' AND provider_code = '0' AND response_status = 200"
                               " AND updated_at > created_at"),
                 1);
}

Test(push_apply, a_retry_waits_by_the_databases_clock)
{
    insert(ID1, "m1", "c1", 0);
    one(ID1, 1, PUSHED_RETRY);
    expect_row(ID1, "retrying 1 1 busy");
    expect_message("m1", "pending - -");
    cr_expect_eq(stack_int(db, "SELECT 1 FROM " T
                               " WHERE next_attempt_at BETWEEN now() + interval '50 s' AND now() + interval '60 s'"),
                 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting w JOIN " T
                               " o ON o.id::text = w.row_id AND w.due_at = o.next_attempt_at"),
                 1);
    cr_expect_eq(stack_int(db, "SELECT 1 FROM " T " WHERE queue_seq = 1 AND queue_txid IS NOT NULL"), 1,
                 "the sink leaves both");
}

Test(push_apply, what_is_parked_waits_without_attempt_and_budget)
{
    insert(ID1, "m1", "c1", 0);
    one(ID1, 1, PUSHED_PARKED);
    expect_row(ID1, "retrying 0 0 busy");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting"), 1);
}

Test(push_apply, both_kinds_of_a_bad_end_are_kept_apart)
{
    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m2", "c1", 0);
    one(ID1, 1, PUSHED_FAILED);
    one(ID2, 2, PUSHED_DEAD_LETTER);
    expect_row(ID1, "failed 1 1 busy");
    expect_row(ID2, "dead_letter 1 1 busy");
    expect_message("m1", "failed provider_down busy");
    expect_message("m2", "failed provider_down busy");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting"), 0);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " T " WHERE delivered_at IS NOT NULL"), 0);
}

Test(push_apply, an_end_that_nobody_explains_still_says_something)
{
    struct pushed o = make(ID1, 1, PUSHED_DEAD_LETTER);

    insert(ID1, "m1", "c1", 0);
    o.error_class = o.error_message = o.verdict = NULL;
    pushed_batch_add(&batch, &o);
    apply();
    expect_row(ID1, "dead_letter 1 1 dead_letter");
    expect_message("m1", "failed dead_letter dead_letter");
}

Test(push_apply, two_outcomes_of_one_row_in_one_batch_count_twice)
{
    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m2", "c1", 0);
    add(ID1, 1, PUSHED_RETRY);
    add(ID2, 2, PUSHED_RETRY);
    add(ID1, 1, PUSHED_RETRY);
    add(ID1, 1, PUSHED_FAILED);
    apply();
    expect_row(ID1, "failed 3 3 busy");
    expect_row(ID2, "retrying 1 1 busy");
    cr_expect_eq(counts.settled, 4);
}

Test(push_apply, an_outcome_that_comes_late_undoes_no_repair)
{
    insert(ID1, "m1", "c1", 0);
    one(ID1, 1, PUSHED_DEAD_LETTER);
    stack_sql(db, "UPDATE " T " SET status = 'pending', next_attempt_at = now(), last_error = NULL, verdict = NULL");
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM " T), 2);
    for (int kind = 0; kind < PUSHED_KINDS; kind++) {
        one(ID1, 1, (enum pushed_kind)kind);
        cr_expect(counts.late == 1 && counts.settled == 0);
        cr_expect_eq(stack_int(db, "SELECT 1 FROM " T " WHERE status = 'pending' AND round_attempts = 0"
                                   " AND queue_seq = 2 AND last_error IS NULL AND verdict IS NULL"
                                   " AND delivered_at IS NULL AND next_attempt_at <= now()"),
                     1, "%s", PUSHED_NAMES[kind]);
        expect_message("m1", "pending - -");
    }
    one(ID1, 2, PUSHED_RETRY);
    expect_row(ID1, "retrying 6 1 busy"); /* the budget is new, the numbers go on */
}

Test(push_apply, an_end_stays_an_end)
{
    insert(ID1, "m1", "c1", 0);
    one(ID1, 1, PUSHED_FAILED);
    one(ID1, 1, PUSHED_DELIVERED);
    expect_row(ID1, "failed 2 2 busy");
    expect_message("m1", "failed provider_down busy");
    cr_expect_eq(counts.late, 1);
}

Test(push_apply, a_row_that_is_gone_is_counted_and_its_device_is_still_judged)
{
    struct pushed o = make(ID2, 9, PUSHED_FAILED);

    insert(ID1, "m1", "c1", 0);
    o.device = PUSHED_GONE;
    pushed_batch_add(&batch, &o);
    add(ID1, 1, PUSHED_DELIVERED);
    apply();
    cr_expect(counts.gone == 1 && counts.settled == 1 && counts.deactivated == 1);
    expect_device("f|0|provider_down: getui 0|2023");
}

Test(push_apply, texts_arrive_as_they_are)
{
    struct pushed o = make(ID1, 1, PUSHED_RETRY);

    insert(ID1, "m1", "c1", 0);
    o.error_message = o.verdict = o.provider = o.provider_code = AWKWARD;
    o.has_status = false;
    pushed_batch_add(&batch, &o);
    apply();
    char *got CLEANUP(freep) =
        stack_text(db, "SELECT last_error FROM " T " WHERE response_status IS NULL AND verdict = last_error"
                       " AND provider = last_error AND provider_code = last_error");
    cr_expect_str_eq(got, AWKWARD);
}

/* ---------------------------------------------------------------------------------------------------- devices */

Test(push_apply, a_device_that_is_gone_is_deactivated_once)
{
    insert(ID1, "m1", "c1", 0);
    say(PUSHED_GONE, AT);
    expect_device("f|0|invalid_target: getui 20001|2023");
    cr_expect_eq(counts.deactivated, 1);
    say(PUSHED_GONE, AT + INT64_C(40000000000000));
    expect_device("f|0|invalid_target: getui 20001|2023"); /* the first reason stays */
    cr_expect_eq(counts.deactivated, 0);
}

Test(push_apply, a_device_that_has_registered_since_is_left_alone)
{
    insert(ID1, "m1", "c1", 0);
    stack_sql(db, "UPDATE " D " SET last_seen_at = '" AT_TEXT "'::timestamptz + interval '1 microsecond'");
    say(PUSHED_GONE, AT);
    for (int i = 0; i < 3; i++) {
        say(PUSHED_STRIKE, AT);
    }
    expect_device("t|0|-|-");
    say(PUSHED_GONE, AT + 1); /* as of then it had registered: not later than that */
    expect_device("f|0|invalid_target: getui 20001|2023");
}

Test(push_apply, a_device_that_never_said_when_it_was_seen_is_judged)
{
    insert(ID1, "m1", "c1", 0);
    stack_sql(db, "UPDATE " D " SET last_seen_at = NULL");
    say(PUSHED_GONE, AT);
    expect_device("f|0|invalid_target: getui 20001|2023");
}

Test(push_apply, three_strikes_in_a_row_deactivate)
{
    insert(ID1, "m1", "c1", 0);
    say(PUSHED_STRIKE, AT);
    say(PUSHED_STRIKE, AT);
    expect_device("t|2|-|-");
    say(PUSHED_OK, AT);
    expect_device("t|0|-|-");
    say(PUSHED_STRIKE, AT);
    say(PUSHED_STRIKE, AT);
    expect_device("t|2|-|-");
    say(PUSHED_STRIKE, AT);
    expect_device("f|3|3 strikes: suspect: getui 20001|2023");
    cr_expect_eq(counts.deactivated, 1);
}

Test(push_apply, other_devices_are_not_touched)
{
    insert(ID1, "m1", "c1", 0);
    stack_sql(db, "INSERT INTO " D " (appid, cid) VALUES ('b', 'c1x'), ('b', 'c1y')");
    stack_sql(db, "UPDATE " D " SET last_seen_at = 'epoch'; UPDATE " D " SET cid = 'c2' WHERE cid = 'c1y'");
    insert(ID2, "m2", "c2", 0);
    say(PUSHED_GONE, AT);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " D " WHERE is_active"), 3);
}

Test(push_apply, what_is_well_already_is_not_written)
{
    insert(ID1, "m1", "c1", 0);
    char *before CLEANUP(freep) = stack_text(db, "SELECT concat(ctid, xmin, xmax) FROM " D);
    say(PUSHED_OK, AT);
    char *after CLEANUP(freep) = stack_text(db, "SELECT concat(ctid, xmin, xmax) FROM " D);
    cr_expect_str_eq(before, after, "neither changed nor locked");
}

/* ---------------------------------------------------------------------------------------------------- notifications */

Test(push_apply, a_notification_follows_all_its_deliveries)
{
    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m1", "c2", 0);
    insert(ID3, "m1", "c3", 0);
    one(ID1, 1, PUSHED_FAILED);
    expect_message("m1", "pending - -");
    one(ID2, 2, PUSHED_RETRY);
    expect_message("m1", "pending - -");
    one(ID2, 2, PUSHED_DEAD_LETTER);
    expect_message("m1", "pending - -");
    one(ID3, 3, PUSHED_DELIVERED);
    expect_message("m1", "success - -");
}

Test(push_apply, the_last_reason_is_told)
{
    struct pushed o = make(ID1, 1, PUSHED_FAILED);

    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m1", "c2", 0);
    o.verdict = "ignored";
    o.error_message = "away for too long";
    one(ID2, 2, PUSHED_FAILED);
    pushed_batch_add(&batch, &o);
    apply();
    expect_message("m1", "failed ignored away for too long");
}

Test(push_apply, success_stays_whatever_comes_later)
{
    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m1", "c2", 0);
    one(ID1, 1, PUSHED_DELIVERED);
    one(ID2, 2, PUSHED_RETRY);
    expect_message("m1", "success - -");
    one(ID2, 2, PUSHED_DEAD_LETTER);
    expect_message("m1", "success - -");
    expect_row(ID2, "dead_letter 2 2 busy");
}

Test(push_apply, success_stays_when_its_delivery_is_not_kept)
{
    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m1", "c2", 0);
    one(ID1, 1, PUSHED_DELIVERED);
    stack_sql(db, "DELETE FROM " T " WHERE id = '" ID1 "'");
    one(ID2, 2, PUSHED_RETRY);
    expect_message("m1", "success - -");
    one(ID2, 2, PUSHED_FAILED);
    expect_message("m1", "success - -");
}

Test(push_apply, an_older_generation_counts_only_when_it_was_delivered)
{
    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m1", "c1", 1);
    insert(ID3, "m1", "c2", 0);
    stack_sql(db, "UPDATE " N " SET generation = 1");
    one(ID1, 1, PUSHED_FAILED);
    expect_message("m1", "pending - -");
    one(ID2, 2, PUSHED_FAILED);
    expect_message("m1", "failed provider_down busy"); /* although an old one is still under way */
    one(ID3, 3, PUSHED_DELIVERED);
    expect_message("m1", "success - -");
}

Test(push_apply, a_notification_without_deliveries_of_its_generation_is_left)
{
    insert(ID1, "m1", "c1", 0);
    stack_sql(db, "UPDATE " N " SET generation = 1, send_status = 'no-targets', reason = 'no_device_rows'");
    one(ID1, 1, PUSHED_FAILED);
    expect_message("m1", "no-targets no_device_rows -");
}

Test(push_apply, updates_stay_hot)
{
    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m1", "c2", 0);
    stack_sql(db, "SELECT pg_stat_force_next_flush()");
    for (int i = 0; i < 20; i++) {
        one(ID1, 1, PUSHED_RETRY);
    }
    one(ID1, 1, PUSHED_FAILED);
    one(ID2, 2, PUSHED_DELIVERED);
    stack_sql(db, "SELECT pg_stat_force_next_flush()");
    stack_sql(db, "SELECT pg_stat_clear_snapshot()");
    cr_expect_eq(stack_int(db, "SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '" T "'"), 0);
    cr_expect_eq(stack_int(db, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = '" T "'"), 22);
    cr_expect_eq(
        stack_int(db, "SELECT n_tup_upd * 100 + n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '" N "'"), 101,
        "one change, and it is HOT");
}

/* ---------------------------------------------------------------------------------------------------- the batch */

/* What both ways leave, but for times; when the next attempt would have been says nothing of a row at its end. */
static char *state(void)
{
    return stack_text(
        db, "SELECT concat((SELECT string_agg(concat_ws(',', id, status, attempt_count, round_attempts, last_error,"
            " verdict, provider_code, delivered_at, status = 'retrying' AND next_attempt_at > now() + interval '10 s'),"
            " ';' ORDER BY id) FROM " T "),"
            " (SELECT string_agg(concat_ws(',', cid, is_active, strikes, inactive_reason, inactive_at), ';'"
            " ORDER BY cid) FROM " D "),"
            " (SELECT string_agg(concat_ws(',', message_id, send_status), ';' ORDER BY message_id) FROM " N "))");
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void add_random(uint32_t *seed)
{
    static const char *const ids[] = {ID1, ID2, ID3, "44444444-4444-4444-4444-444444444444"};
    static const char *const cids[] = {"c1", "c2"};
    static const char *const messages[] = {NULL, "a", "b"};
    enum pushed_kind kind = (enum pushed_kind)(next_random(seed) % 9 % PUSHED_KINDS);
    struct pushed o = make(ids[next_random(seed) % 4], 1 + next_random(seed) % 4, kind);

    o.error_message = messages[next_random(seed) % 3];
    o.provider_code = messages[next_random(seed) % 3];
    o.device = (enum pushed_device)(next_random(seed) % 9 % PUSHED_DEVICES);
    o.device = o.device == PUSHED_GONE && next_random(seed) % 3 > 0 ? PUSHED_STRIKE : o.device;
    o.cid = cids[next_random(seed) % 2];
    o.device_at_us = AT + next_random(seed) % 4;
    o.happened_at_us = AT + next_random(seed) % 100;
    pushed_batch_add(&batch, &o);
}

Test(push_apply, a_batch_ends_as_its_outcomes_one_by_one)
{
    for (uint32_t round = 0; round < 30; round++) {
        char *states[2] = {NULL, NULL};
        for (int way = 0; way < 2; way++) {
            uint32_t seed = round;
            stack_sql(db, "DELETE FROM " T "; DELETE FROM " D "; DELETE FROM " N "; DELETE FROM sluice_waiting;"
                          " ALTER SEQUENCE sluice_queue_seq RESTART");
            insert(ID1, "m1", "c1", 0);
            insert(ID2, "m1", "c2", 0);
            insert(ID3, "m2", "c1", 0);
            stack_sql(db,
                      "UPDATE " T " SET next_attempt_at = clock_timestamp() WHERE id = '" ID3 "'; " /* seq 4 */
                      "UPDATE " D " SET last_seen_at = '" AT_TEXT "'::timestamptz + interval '1 microsecond',"
                      " strikes = %u WHERE cid = 'c2'",
                      round % 3);
            for (int i = 0; i < 12; i++) {
                add_random(&seed);
                if (way == 0) {
                    apply();
                }
            }
            if (way == 1) {
                apply();
            }
            states[way] = state();
        }
        cr_expect_str_eq(states[0], states[1], "round %u", round);
        free(states[0]);
        free(states[1]);
    }
}

Test(push_apply, rows_are_locked_in_one_order)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    PGconn *admin CLEANUP(pg_closep) = stack_session(&st, true);

    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m2", "c2", 0);
    stack_sql(other, "BEGIN; SELECT 1 FROM " T " WHERE id = '" ID1 "' FOR UPDATE");
    add(ID2, 2, PUSHED_RETRY);
    add(ID1, 1, PUSHED_RETRY);
    stack_sql(db, "SET lock_timeout = 200; BEGIN");
    cr_expect_eq(pushed_apply(db, &batch, &counts, &err), RC_RETRY, "%s", err.text);
    cr_expect_str_eq(err.code, "55P03");
    /* It stood at the first row by id and had not locked the second. */
    stack_sql(admin, "SET lock_timeout = 200; SELECT 1 FROM " T " WHERE id = '" ID2 "' FOR UPDATE");
    stack_sql(db, "ROLLBACK");
}

/* Each ends one of two deliveries. The second one must see what the first has done, or the notification stays pending.
 */
Test(push_apply, of_two_sinks_the_second_one_sees_both_ends)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    CLEANUP(pushed_batch_done) struct pushed_batch theirs;
    struct pushed_counts ignored;
    struct pushed o = make(ID2, 2, PUSHED_FAILED);

    insert(ID1, "m1", "c1", 0);
    insert(ID2, "m1", "c2", 0);
    pushed_batch_init(&theirs);
    pushed_batch_add(&theirs, &o);
    stack_sql(other, "BEGIN");
    cr_assert_eq(pushed_apply(other, &theirs, &ignored, &err), RC_OK, "%s", err.text);
    add(ID1, 1, PUSHED_FAILED);
    stack_sql(db, "SET lock_timeout = 200; BEGIN");
    cr_expect_eq(pushed_apply(db, &batch, &counts, &err), RC_RETRY, "the notification is not locked");
    stack_sql(db, "ROLLBACK");
    stack_sql(other, "COMMIT");
    pushed_batch_clear(&batch);
    one(ID1, 1, PUSHED_FAILED);
    expect_message("m1", "failed provider_down busy");
}
