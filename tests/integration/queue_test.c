/* SPDX-License-Identifier: Apache-2.0 */
/* The queue trigger and the due sweep: which statement puts a row on the road, which lets it wait, which does neither.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "relay/relay.h"
#include "relay/sweep.h"
#include "support/stack.h"

#define T "cs_platform_event_outbox"
#define ROW "'11111111-1111-1111-1111-111111111111'"
#define MUST "(platform, event_type, callback_target, payload"

static struct stack st;
static PGconn *db;
static struct err err;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
}

static void teardown(void)
{
    stack_close(&st);
}

TestSuite(queue, .init = setup, .fini = teardown);

/* Inserts the row with these columns besides those every row has. */
static void insert(const char *columns, const char *values)
{
    stack_sql(db, "INSERT INTO " T " " MUST ", id%s) VALUES ('p', 'e', 'u', '{}', " ROW "%s)", columns, values);
}

static int64_t seq(void)
{
    return stack_int(db, "SELECT queue_seq FROM " T " WHERE id = " ROW);
}

static bool on_road(void)
{
    return stack_int(db, "SELECT queue_txid::text::bigint FROM " T " WHERE id = " ROW) > 0;
}

static int64_t waiting(void)
{
    return stack_int(db, "SELECT count(*) FROM sluice_waiting WHERE source = '" T "' AND row_id = " ROW);
}

Test(queue, an_insert_needs_only_what_the_business_knows)
{
    stack_sql(db, "INSERT INTO " T " " MUST ") VALUES ('sub2api', 'order.paid', 'https://x/y', '{\"a\": 1}')");
    cr_expect_eq(stack_int(db,
                           "SELECT count(*) FROM " T " WHERE status = 'pending' AND attempt_count = 0 AND queue_seq = 1"
                           " AND partition_key = id::text AND round_attempts = 0 AND last_error IS NULL"
                           " AND pg_xact_status(queue_txid) = 'committed' AND next_attempt_at <= now()"),
                 1);
}

Test(queue, the_writer_may_give_the_id_and_the_key)
{
    insert(", partition_key", ", 'order-7'");
    char *key CLEANUP(freep) = stack_text(db, "SELECT partition_key FROM " T " WHERE id = " ROW);
    cr_expect_str_eq(key, "order-7");
    cr_expect(on_road());
}

Test(queue, a_row_for_later_waits)
{
    insert(", next_attempt_at", ", now() + interval '1 hour'");
    cr_expect_eq(seq(), 1);
    cr_expect_not(on_road());
    cr_expect_eq(waiting(), 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting w JOIN " T " o ON o.id = w.row_id::uuid"
                               " WHERE w.due_at = o.next_attempt_at"),
                 1);
}

Test(queue, a_row_that_is_due_within_a_second_does_not_wait)
{
    insert(", next_attempt_at", ", clock_timestamp() + interval '0.5 s'");
    cr_expect(on_road());
    stack_sql(db, "DELETE FROM " T);
    insert(", next_attempt_at", ", NULL");
    cr_expect(on_road(), "no time means now");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting"), 0);
}

Test(queue, a_retrying_row_that_is_inserted_waits)
{
    insert(", status, next_attempt_at", ", 'retrying', now()");
    cr_expect_eq(seq(), 1);
    cr_expect_not(on_road());
    cr_expect_eq(waiting(), 1);
}

Test(queue, a_row_that_is_inserted_as_history_is_unknown_to_sluice)
{
    insert(", status", ", 'delivered'");
    cr_expect_eq(seq(), -1);
    cr_expect_not(on_road());
    stack_sql(db, "DELETE FROM " T);
    insert(", status", ", 'dead_letter'");
    cr_expect_eq(seq(), -1);
    cr_expect_not(on_road());
    cr_expect_eq(waiting(), 0);
}

Test(queue, a_writer_needs_no_right_but_insert)
{
    char *role CLEANUP(freep) = xasprintf("%s_w", st.database);
    PGconn *admin CLEANUP(pg_closep) = stack_session(&st, true);

    stack_sql(admin, "CREATE ROLE %s; GRANT INSERT ON " T ", payment_outbox TO %s", role, role);
    stack_sql(admin, "SET ROLE %s", role);
    stack_refused(admin, "42501", "SELECT nextval('sluice_queue_seq')");
    stack_refused(admin, "42501", "SELECT 1 FROM sluice_waiting");
    stack_sql(admin, "INSERT INTO " T " " MUST ", next_attempt_at) VALUES ('p', 'e', 'u', '{}', now()),"
                     " ('p', 'e', 'u', '{}', now() + interval '1 hour')");
    stack_sql(admin, "INSERT INTO payment_outbox (partition_key, event_type, payload) VALUES ('p1', 'e', '{}')");
    stack_sql(admin, "RESET ROLE; DROP OWNED BY %s; DROP ROLE %s", role, role);
    cr_expect_eq(stack_int(db, "SELECT count(queue_seq) FROM " T), 2);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_outbox WHERE queue_seq = 3 AND queue_txid IS NOT NULL"),
                 1);
}

/* A writer's search_path cannot make the trigger call something of the writer's. */
Test(queue, a_writer_cannot_slip_functions_under_the_trigger)
{
    stack_sql(db, "CREATE SCHEMA evil; CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT "
                  "666::bigint';"
                  " CREATE FUNCTION evil.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS $$SELECT '666'::xid8$$;"
                  " SET search_path = evil, public, pg_catalog");
    insert("", "");
    cr_expect_eq(seq(), 1);
    cr_expect_neq(stack_int(db, "SELECT queue_txid::text::bigint FROM " T), 666);
}

Test(queue, the_sequence_is_drawn_one_by_one)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);

    for (int i = 0; i < 3; i++) {
        stack_sql(i % 2 == 0 ? db : other,
                  "INSERT INTO " T " " MUST ", partition_key) VALUES ('p', 'e', 'u', '{}', '%d')", i);
    }
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " T " WHERE queue_seq = partition_key::int + 1"), 3);
}

/* ---- Updates ---- */

static const struct {
    const char *before; /* SET of the row as it stands */
    const char *change; /* SET of the statement in question */
    bool requeued;      /* draws a new queue_seq */
    bool road;          /* has a queue_txid of this statement afterwards */
    int reminders;      /* added to sluice_waiting */
} UPDATES[] = {
    /* as the runbook has it */
    {"status='dead_letter', last_error='x'",
     "status='pending', next_attempt_at=NOW(), last_error=NULL, updated_at=NOW()", true, true, 0},
    {"status='retrying'", "status='pending', next_attempt_at=NOW(), last_error=NULL, updated_at=NOW()", true, true, 0},
    {"status='delivered'", "status='pending', next_attempt_at=NOW(), last_error=NULL, updated_at=NOW()", true, true, 0},
    /* pending to pending: only a new time counts */
    {"status='pending'", "status='pending', next_attempt_at=clock_timestamp()", true, true, 0},
    {"status='pending'", "next_attempt_at=NULL", true, true, 0},
    {"status='pending'", "status='pending', last_error='x', updated_at=now()", false, false, 0},
    {"status='pending'", "payload='{\"b\":2}', callback_target='v', attempt_count=3", false, false, 0},
    /* pending for later */
    {"status='dead_letter'", "status='pending', next_attempt_at=now() + interval '1 hour'", true, false, 1},
    {"status='pending'", "next_attempt_at=now() + interval '1 hour'", true, false, 1},
    {"status='dead_letter'", "status='pending'", true, true, 0},
    /* what the sink does */
    {"status='pending'", "status='delivered', attempt_count=1, updated_at=now()", false, false, 0},
    {"status='pending'", "status='retrying', attempt_count=1, next_attempt_at=now() + interval '10 s'", false, false,
     1},
    {"status='retrying'", "next_attempt_at=now() + interval '30 s'", false, false, 1},
    {"status='retrying'", "attempt_count=2", false, false, 0},
    {"status='pending'", "status='dead_letter', last_error='x'", false, false, 0},
    {"status='delivered'", "next_attempt_at=now()", false, false, 0},
};

Test(queue, each_update_has_its_rule)
{
    for (size_t i = 0; i < ARRAY_SIZE(UPDATES); i++) {
        const char *what = UPDATES[i].change;
        stack_sql(db, "TRUNCATE " T ", sluice_waiting");
        insert(", attempt_count", ", 2");
        stack_sql(db, "UPDATE " T " SET %s", UPDATES[i].before);
        stack_sql(db, "UPDATE " T " SET round_attempts = 2; TRUNCATE sluice_waiting");
        int64_t was_seq = seq();
        char *was_txid CLEANUP(freep) = stack_text(db, "SELECT queue_txid FROM " T);
        stack_sql(db, "UPDATE " T " SET %s WHERE id = " ROW, what);
        char *txid CLEANUP(freep) = stack_text(db, "SELECT queue_txid FROM " T);
        cr_expect_eq(seq() > was_seq, UPDATES[i].requeued, "%s -> %s: queue_seq", UPDATES[i].before, what);
        if (UPDATES[i].requeued) {
            cr_expect_eq(txid != NULL, UPDATES[i].road, "%s -> %s: queue_txid", UPDATES[i].before, what);
            cr_expect(txid == NULL || strcmp(txid, was_txid) != 0, "%s: the transaction is the old one", what);
        } else {
            cr_expect_str_eq(txid, was_txid, "%s -> %s: queue_txid", UPDATES[i].before, what);
        }
        cr_expect_eq(stack_int(db, "SELECT round_attempts FROM " T), UPDATES[i].requeued ? 0 : 2, "%s: the budget",
                     what);
        cr_expect_eq(waiting(), UPDATES[i].reminders, "%s -> %s: reminders", UPDATES[i].before, what);
    }
}

Test(queue, the_update_of_the_sink_stays_hot)
{
    stack_sql(db, "INSERT INTO " T " " MUST ") SELECT 'p', 'e', 'u', '{}' FROM generate_series(1, 100)");
    stack_sql(db, "UPDATE " T " SET status = 'delivered', attempt_count = 1, updated_at = now()");
    stack_sql(db, "SELECT pg_stat_force_next_flush()");
    cr_expect_geq(stack_int(db, "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '" T "'"), 20);
}

Test(queue, an_append_only_row_is_on_the_road_at_once)
{
    stack_sql(db, "INSERT INTO payment_outbox (partition_key, event_type, payload) VALUES ('p1', 'e', '{}')");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM payment_outbox WHERE queue_seq = 1 AND topic = 'payment.events'"
                               " AND pg_xact_status(queue_txid) = 'committed'"),
                 1);
    stack_sql(db, "UPDATE payment_outbox SET payload = '{\"a\":1}'");
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM payment_outbox"), 1);
    char *status CLEANUP(freep) = stack_text(db, "SELECT status FROM local_messages");
    cr_expect_str_eq(status, "PENDING");
}

/* ---- The due sweep ---- */

static struct sources *sources;
static struct sweep sweeper;

static void sweep_setup(void)
{
    setup();
    cr_assert_eq(relay_load_sources(st.cfg, &sources, &err), RC_OK, "%s", err.text);
    cr_assert_eq(sweep_init(&sweeper, &sources->list[0], db, &err), RC_OK, "%s", err.text);
}

static void sweep_teardown(void)
{
    sweep_done(&sweeper);
    sources = sources_free(sources);
    teardown();
}

TestSuite(sweep, .init = sweep_setup, .fini = sweep_teardown);

static int64_t sweep(int64_t rows_max, int64_t *taken)
{
    int64_t requeued = 0;

    cr_assert_eq(sweep_run(&sweeper, db, rows_max, taken, &requeued, &err), RC_OK, "%s", err.text);
    return requeued;
}

Test(sweep, a_due_row_goes_out_as_a_new_queueing_and_keeps_its_budget)
{
    int64_t taken = 0;

    insert("", "");
    stack_sql(db,
              "UPDATE " T " SET status = 'retrying', round_attempts = 3, next_attempt_at = now() + interval '300 ms'");
    cr_expect_eq(sweep(10, &taken), 0, "not due yet");
    stack_sql(db, "SELECT pg_sleep(0.35)");
    cr_expect_eq(sweep(10, &taken), 1);
    cr_expect_eq(taken, 1);
    cr_expect_eq(seq(), 2);
    cr_expect(on_road());
    cr_expect_eq(stack_int(db, "SELECT round_attempts FROM " T), 3);
    cr_expect_eq(waiting(), 0, "the reminder is taken");
    cr_expect_eq(sweep(10, &taken), 0);
    cr_expect_eq(seq(), 2, "once");
}

/* The setting reads as '' and not as NULL once a transaction of this session has set it. */
Test(sweep, a_repair_after_a_sweep_in_the_same_session_starts_a_new_round)
{
    int64_t taken = 0;

    insert(", status, next_attempt_at", ", 'retrying', now()");
    cr_expect_eq(sweep(10, &taken), 1);
    char *setting CLEANUP(freep) = stack_text(db, "SELECT current_setting('sluice.sweep', true)");
    cr_expect_str_eq(setting, "");
    stack_sql(db, "UPDATE " T " SET status = 'retrying', round_attempts = 3");
    stack_sql(db, "UPDATE " T " SET last_error = 'x'");
    cr_expect_eq(seq(), 2, "an update of other columns does not requeue");
    stack_sql(db, "UPDATE " T " SET status = 'pending', next_attempt_at = now()");
    cr_expect_eq(stack_int(db, "SELECT round_attempts FROM " T), 0);
    cr_expect_eq(seq(), 3);
}

Test(sweep, a_row_that_was_written_for_later_goes_out_when_due)
{
    int64_t taken = 0;

    insert(", next_attempt_at", ", now() + interval '1 hour'");
    stack_sql(db, "UPDATE sluice_waiting SET due_at = now()");
    cr_expect_eq(sweep(10, &taken), 0, "the reminder is not the truth: the row is not due");
    stack_sql(db, "ALTER TABLE " T " DISABLE TRIGGER USER; UPDATE " T " SET next_attempt_at = now();"
                  " ALTER TABLE " T " ENABLE TRIGGER USER;"
                  " INSERT INTO sluice_waiting VALUES ('" T "', " ROW ", now())");
    cr_expect_eq(sweep(10, &taken), 1);
    cr_expect(on_road());
}

Test(sweep, rows_unknown_to_sluice_are_never_swept)
{
    int64_t taken = 0;

    insert(", status", ", 'delivered'");
    stack_sql(db, "UPDATE " T " SET status = 'retrying', next_attempt_at = now()");
    stack_sql(db, "INSERT INTO sluice_waiting VALUES ('" T "', " ROW ", now())");
    cr_expect_eq(sweep(10, &taken), 0);
    cr_expect_eq(seq(), -1);
    cr_expect_eq(waiting(), 0, "the stale reminder goes");
}

Test(sweep, it_takes_the_oldest_first_and_no_more_than_asked)
{
    int64_t taken = 0;

    stack_sql(db, "INSERT INTO " T " " MUST
                  ", status, next_attempt_at, partition_key) SELECT 'p', 'e', 'u', '{}', 'retrying',"
                  " now() - i * interval '1 s', i FROM generate_series(1, 10) i");
    cr_expect_eq(sweep(4, &taken), 4);
    cr_expect_eq(taken, 4);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM " T " WHERE status = 'pending' AND partition_key::int > 6"), 4);
    cr_expect_eq(sweep(100, &taken), 6);
}

Test(sweep, it_never_waits_for_a_row_that_somebody_holds)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    int64_t taken = 0;

    stack_sql(db, "INSERT INTO " T " " MUST ", id, status, next_attempt_at) VALUES ('p', 'e', 'u', '{}', " ROW
                  ", 'retrying', now()),"
                  " ('p', 'e', 'u', '{}', gen_random_uuid(), 'retrying', now())");
    stack_sql(other, "BEGIN; SELECT 1 FROM " T " WHERE id = " ROW " FOR UPDATE");
    stack_sql(db, "SET lock_timeout = '1s'");
    cr_expect_eq(sweep(10, &taken), 1);
    cr_expect_eq(waiting(), 1, "it is not forgotten");
    stack_sql(other, "ROLLBACK");
    cr_expect_eq(sweep(10, &taken), 1);
    cr_expect_eq(waiting(), 0);
}

Test(sweep, doubled_reminders_make_one_queueing)
{
    int64_t taken = 0;

    insert(", status, next_attempt_at", ", 'retrying', now()");
    stack_sql(db, "INSERT INTO sluice_waiting SELECT * FROM sluice_waiting");
    cr_expect_eq(sweep(10, &taken), 1);
    cr_expect_eq(seq(), 2);
    cr_expect_eq(waiting(), 0);
}
