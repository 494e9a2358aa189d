/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters of parcels and pushes: what their rows say of them, and how they go back on the road. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "delivery_state/requeue.h"
#include "dlq/redrive.h"
#include "dlq/state.h"
#include "pg/conn.h"
#include "support/stack.h"

#define Q "notify_queue"
#define P "push_deliveries"
#define N "express_notifications"
#define ID1 "11111111-1111-1111-1111-111111111111"
#define ID2 "22222222-2222-2222-2222-222222222222"

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

TestSuite(requeue_kinds, .init = setup, .fini = teardown);

static struct letter look(const char *source, const char *id, int64_t seq)
{
    struct letter l = {.kind = row_kind_of_source(source), .queue_seq = seq, .redrive_count = -1};
    (void)snprintf(l.event_id, sizeof(l.event_id), "%s", id);
    cr_assert_eq(letters_look_up(db, &l, 1, &err), RC_OK, "%s", err.text);
    return l;
}

static struct redrive_counts redrive(struct letter *letters, size_t n, bool force)
{
    const struct redrive_options opt = {.conn = db, .rate = 1000, .limit = INT64_MAX, .force = force};
    CLEANUP(redrive_freep) struct redrive *r = redrive_create(&opt);
    bool stop = false;
    cr_assert_eq(redrive_batch(letters, n, r, &stop, &err), RC_OK, "%s", err.text);
    return redrive_counts(r);
}

Test(requeue_kinds, ids_of_another_type_are_said)
{
    struct letter l = {.kind = row_kind_of_source("express"), .queue_seq = 1, .event_id = ID1};

    stack_sql(db, "ALTER TABLE " Q " ALTER id DROP DEFAULT, ALTER id TYPE text");
    cr_expect_eq(letters_look_up(db, &l, 1, &err), RC_FATAL);
    cr_expect_str_eq(err.code, ERR_CONFIG);
    cr_expect_not_null(strstr(err.text, "column notify_queue.id is not of type uuid"), "%s", err.text);
}

static int64_t parcel(const char *id)
{
    stack_sql(db, "INSERT INTO " Q " (id, tracking_no, carrier, status) VALUES ('%s', 'YT1', 'yuantong', 'collected')",
              id);
    return stack_int(db, "SELECT queue_seq FROM " Q " WHERE id = '%s'", id);
}

Test(requeue_kinds, a_parcels_letter_is_what_its_row_says)
{
    int64_t seq = parcel(ID1);
    struct letter l = look("express", ID1, seq);
    cr_expect_eq(l.state, LETTER_OPEN, "nothing has come of it");
    cr_expect_str_eq(l.platform, "yuantong");
    const struct {
        const char *status;
        enum letter_state want;
    } rows[] = {{"failed", LETTER_OPEN}, {"queued", LETTER_CLOSED}, {"skipped", LETTER_CLOSED}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        stack_sql(db, "UPDATE " Q " SET process_status = '%s', processed_at = now()", rows[i].status);
        cr_expect_eq(look("express", ID1, seq).state, rows[i].want, "%s", rows[i].status);
    }
    cr_expect_eq(look("express", ID1, seq - 1).state, LETTER_REQUEUED);
    cr_expect_eq(look("express", ID1, seq + 1).state, LETTER_GONE);
    cr_expect_eq(look("express", ID2, seq).state, LETTER_GONE);
    cr_expect_eq(look("callback", ID1, seq).state, LETTER_GONE, "the tables are not mixed up");
}

Test(requeue_kinds, parcels_are_redriven_once)
{
    struct letter letters[] = {look("express", ID1, parcel(ID1)), look("express", ID2, parcel(ID2))};
    stack_sql(db, "UPDATE " Q " SET process_status = 'failed', processed_at = now(), last_error = 'x' WHERE id = '" ID2
                  "'");
    letters[1] = look("express", ID2, letters[1].queue_seq);
    cr_expect_eq(redrive(letters, 2, false).redriven, 2);
    cr_expect_eq(stack_int(db,
                           "SELECT count(*) FROM " Q " WHERE process_status IS NULL AND processed_at IS NULL"
                           " AND last_error IS NULL AND queue_txid IS NOT NULL AND queue_seq > %lld",
                           (long long)letters[1].queue_seq),
                 2);
    struct letter again[] = {look("express", ID1, letters[0].queue_seq), look("express", ID2, letters[1].queue_seq)};
    struct redrive_counts c = redrive(again, 2, false);
    cr_expect(c.redriven == 0 && c.already == 2);
}

Test(requeue_kinds, a_parcel_that_was_handled_meanwhile_stays)
{
    struct letter l = look("express", ID1, parcel(ID1));
    stack_sql(db, "UPDATE " Q " SET process_status = 'queued', processed_at = now()");
    struct redrive_counts c = redrive(&l, 1, false);
    cr_expect(c.redriven == 0 && c.already == 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " Q " WHERE process_status = 'queued' AND queue_seq = %lld",
                           (long long)l.queue_seq),
                 1);
}

/* A push as the sink leaves it when it is given up; returns its queue_seq. */
static int64_t dead_push(const char *id, const char *message, const char *cid)
{
    stack_sql(db,
              "INSERT INTO push_devices (appid, cid, user_id) VALUES ('shop', '%s', 'u') ON CONFLICT DO NOTHING;"
              "INSERT INTO " N " (message_id, aud, recipient_id, send_status, reason, last_error)"
              " VALUES ('%s', 'user', 'u', 'failed', 'payload', 'too big') ON CONFLICT DO NOTHING;"
              "INSERT INTO " P " (id, message_id, aud, recipient_id, appid, cid, title, body, expires_at)"
              " VALUES ('%s', '%s', 'user', 'u', 'shop', '%s', 't', 'b', now() + interval '1 hour');"
              "UPDATE " P " SET status = 'dead_letter', provider = 'getui', last_error = 'too big', attempt_count = 1,"
              " round_attempts = 1 WHERE id = '%s'",
              cid, message, id, message, cid, id);
    return stack_int(db, "SELECT queue_seq FROM " P " WHERE id = '%s'", id);
}

static void expect_message(const char *message, const char *want)
{
    char *got CLEANUP(freep) = stack_text(
        db, "SELECT concat_ws(' ', send_status, reason, last_error) FROM " N " WHERE message_id = '%s'", message);
    cr_expect_str_eq(got, want);
}

Test(requeue_kinds, a_pushs_letter_is_what_its_row_says)
{
    int64_t seq = dead_push(ID1, "m1", "c1");
    struct letter l = look("push", ID1, seq);
    cr_expect_eq(l.state, LETTER_OPEN);
    cr_expect_str_eq(l.platform, "shop/getui");
    cr_expect_not(l.expired || l.idle);
    const struct {
        const char *status;
        enum letter_state want;
    } rows[] = {{"retrying", LETTER_UNSETTLED}, {"delivered", LETTER_CLOSED}, {"failed", LETTER_CLOSED}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        stack_sql(db, "UPDATE " P " SET status = '%s'", rows[i].status);
        cr_expect_eq(look("push", ID1, seq).state, rows[i].want, "%s", rows[i].status);
    }
    stack_sql(db, "UPDATE " P " SET status = 'dead_letter'");
    stack_sql(db, "UPDATE " N " SET generation = 1");
    cr_expect_eq(look("push", ID1, seq).state, LETTER_CLOSED, "it was resent under a later generation");
}

Test(requeue_kinds, a_push_goes_again_in_its_generation_and_its_notification_waits)
{
    struct letter l = look("push", ID1, dead_push(ID1, "m1", "c1"));
    (void)dead_push(ID2, "m2", "c1");
    cr_expect_eq(redrive(&l, 1, false).redriven, 1);
    cr_expect_eq(stack_int(db,
                           "SELECT 1 FROM " P " WHERE id = '" ID1 "' AND status = 'pending' AND generation = 0"
                           " AND round_attempts = 0 AND attempt_count = 1 AND last_error IS NULL"
                           " AND queue_txid IS NOT NULL AND queue_seq > %lld AND expires_at > now()",
                           (long long)l.queue_seq),
                 1);
    expect_message("m1", "pending");
    expect_message("m2", "failed payload too big");
}

Test(requeue_kinds, a_notification_that_reached_somebody_stays_a_success)
{
    struct letter l = look("push", ID1, dead_push(ID1, "m1", "c1"));
    stack_sql(db, "UPDATE " N " SET send_status = 'success', reason = NULL, last_error = NULL");
    cr_expect_eq(redrive(&l, 1, false).redriven, 1);
    expect_message("m1", "success");
}

Test(requeue_kinds, a_locked_notification_is_not_waited_for)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    struct letter l = look("push", ID1, dead_push(ID1, "m1", "c1"));
    stack_sql(other, "BEGIN; SELECT 1 FROM " N " FOR UPDATE");
    cr_expect_eq(redrive(&l, 1, false).redriven, 1);
    stack_sql(other, "ROLLBACK");
    expect_message("m1", "failed payload too big");
}

Test(requeue_kinds, what_has_expired_is_held_back_unless_forced)
{
    int64_t seq = dead_push(ID1, "m1", "c1");
    stack_sql(db, "UPDATE " P " SET expires_at = now() - interval '1 s'");
    struct letter l = look("push", ID1, seq);
    cr_expect(l.expired);
    struct redrive_counts c = redrive(&l, 1, false);
    cr_expect(c.redriven == 0 && c.expired == 1);
    expect_message("m1", "failed payload too big");
    l = look("push", ID1, seq);
    cr_expect_eq(redrive(&l, 1, true).redriven, 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " P " WHERE status = 'pending' AND expires_at IS NULL"), 1,
                 "or it would expire again");
}

Test(requeue_kinds, a_device_that_is_not_active_gets_nothing)
{
    int64_t seq = dead_push(ID1, "m1", "c1");
    stack_sql(db, "UPDATE push_devices SET is_active = false");
    struct letter l = look("push", ID1, seq);
    cr_expect(l.idle);
    struct redrive_counts c = redrive(&l, 1, true);
    cr_expect(c.redriven == 0 && c.inactive == 1);
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM " P), seq);
}

Test(requeue_kinds, letters_of_all_kinds_in_one_batch)
{
    stack_sql(db, "INSERT INTO cs_platform_event_outbox (id, platform, event_type, callback_target, payload)"
                  " VALUES ('" ID1 "', 'demo', 'e', 'u', '{}');"
                  "UPDATE cs_platform_event_outbox SET status = 'dead_letter'");
    int64_t callback = stack_int(db, "SELECT queue_seq FROM cs_platform_event_outbox");
    int64_t express = parcel(ID1);
    int64_t push = dead_push(ID1, "m1", "c1");
    struct letter letters[] = {{.kind = row_kind_of_source("push"), .queue_seq = push, .redrive_count = -1},
                               {.kind = row_kind_of_source("callback"), .queue_seq = callback, .redrive_count = -1},
                               {.kind = NULL, .redrive_count = -1},
                               {.kind = row_kind_of_source("express"), .queue_seq = express, .redrive_count = -1},
                               {.kind = row_kind_of_source("callback"), .queue_seq = callback, .redrive_count = -1}};
    static const enum letter_state want[] = {LETTER_OPEN, LETTER_OPEN, LETTER_NO_ROW, LETTER_OPEN, LETTER_OPEN};
    static const char *const about[] = {"shop/getui", "demo", "", "yuantong", "demo"};
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        (void)snprintf(letters[i].event_id, sizeof(letters[i].event_id), "%s", letters[i].kind == NULL ? "" : ID1);
    }
    cr_assert_eq(letters_look_up(db, letters, ARRAY_SIZE(letters), &err), RC_OK, "%s", err.text);
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        cr_expect_eq(letters[i].state, want[i], "%zu", i);
        cr_expect_str_eq(letters[i].platform, about[i]);
    }
    struct redrive_counts c = redrive(letters, ARRAY_SIZE(letters), false);
    cr_expect(c.redriven == 3 && c.already == 1 && c.no_route == 1);
}
