/* SPDX-License-Identifier: Apache-2.0 */
/* The position row: taking it fences, a step needs epoch and offset, a lost COMMIT is found out by taking it again. */
#include "runtime/dbproc_position.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "support/stack.h"

#define GROUP "shop's group"
#define ROW "WHERE \"group\" = 'shop''s group' AND topic = 't' AND partition = 3"

static struct stack st;
static PGconn *db;
static struct err err;
static struct dbproc_taken taken;

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

TestSuite(dbproc_position, .init = setup, .fini = teardown);

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)

static void take(PGconn *conn)
{
    OK(dbproc_position_take(conn, GROUP, "t", 3, 100, "me", &taken, &err));
}

static int64_t next_offset(void)
{
    return stack_int(db, "SELECT next_offset FROM sluice_positions " ROW);
}

/* One step and its COMMIT. */
static enum rc move(PGconn *conn, int64_t epoch, int64_t from, int64_t to)
{
    struct dbproc_step s = {.topic = "t", .partition = 3, .epoch = epoch, .from = from, .to = to};

    enum rc rc = dbproc_position_begin(conn, GROUP, &s, 1, &err);
    cr_expect_eq(s.fenced, rc == RC_FENCED);
    if (rc != RC_OK) {
        cr_expect_eq(PQtransactionStatus(conn), PQTRANS_IDLE);
        return rc;
    }
    return dbproc_position_commit(conn, &err);
}

Test(dbproc_position, the_first_start_takes_the_logs_start_and_later_ones_the_row)
{
    take(db);
    cr_expect(taken.first);
    cr_expect_eq(taken.epoch, 1);
    cr_expect_eq(taken.next_offset, 100);
    OK(move(db, 1, 100, 120));
    take(db);
    cr_expect_not(taken.first);
    cr_expect_eq(taken.epoch, 2);
    cr_expect_eq(taken.next_offset, 120);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_positions"), 1);
}

Test(dbproc_position, only_epoch_and_offset_together_move_it)
{
    take(db);
    take(db);
    cr_expect_eq(move(db, 1, 100, 120), RC_FENCED, "an old epoch");
    cr_expect_eq(move(db, 3, 100, 120), RC_FENCED, "an epoch that is none");
    cr_expect_eq(move(db, 2, 99, 120), RC_FENCED, "another offset");
    cr_expect_eq(move(db, 2, 101, 120), RC_FENCED, "another offset");
    cr_expect_eq(next_offset(), 100);
    OK(move(db, 2, 100, 120));
    cr_expect_eq(move(db, 2, 100, 120), RC_FENCED, "the same batch again");
    OK(move(db, 2, 120, 120));
    cr_expect_eq(next_offset(), 120);
}

Test(dbproc_position, of_several_rows_the_fenced_one_is_named_and_none_moves)
{
    struct dbproc_step s[3];

    for (int32_t i = 0; i < 3; i++) {
        OK(dbproc_position_take(db, GROUP, "t", i, 0, "me", &taken, &err));
        s[i] = (struct dbproc_step){.topic = "t", .partition = i, .epoch = 1, .from = 0, .to = 5};
    }
    stack_sql(db, "UPDATE sluice_positions SET epoch = 2 WHERE partition = 1");
    cr_expect_eq(dbproc_position_begin(db, GROUP, s, 3, &err), RC_FENCED);
    cr_expect(!s[0].fenced && s[1].fenced && !s[2].fenced);
    cr_expect_eq(stack_int(db, "SELECT max(next_offset) FROM sluice_positions"), 0);
}

Test(dbproc_position, two_groups_and_two_topics_do_not_meet)
{
    take(db);
    OK(dbproc_position_take(db, "other", "t", 3, 7, "me", &taken, &err));
    OK(dbproc_position_take(db, GROUP, "t2", 3, 8, "me", &taken, &err));
    OK(move(db, 1, 100, 101));
    cr_expect_eq(stack_int(db, "SELECT sum(next_offset) FROM sluice_positions"), 101 + 7 + 8);
}

struct taker {
    PGconn *conn;
    struct dbproc_taken taken;
    int64_t done_ms;
    struct err err;
    enum rc rc;
};

static void *take_in_thread(void *arg)
{
    struct taker *t = arg;

    t->rc = dbproc_position_take(t->conn, GROUP, "t", 3, 0, "other", &t->taken, &t->err);
    t->done_ms = clock_mono_ms();
    return NULL;
}

Test(dbproc_position, the_successor_waits_for_the_predecessors_transaction_and_sees_it)
{
    struct taker t = {.conn = stack_session(&st, false)};
    struct dbproc_step s = {.topic = "t", .partition = 3, .epoch = 1, .from = 100, .to = 120};
    pthread_t thread;

    take(db);
    OK(dbproc_position_begin(db, GROUP, &s, 1, &err));
    cr_assert_eq(pthread_create(&thread, NULL, take_in_thread, &t), 0);
    clock_sleep_ms(300);
    int64_t committed_ms = clock_mono_ms();
    OK(dbproc_position_commit(db, &err));
    pthread_join(thread, NULL);
    cr_expect_eq(t.rc, RC_OK, "%s", t.err.text);
    cr_expect_geq(t.done_ms, committed_ms);
    cr_expect_eq(t.taken.next_offset, 120, "else the batch is applied twice");
    cr_expect_eq(t.taken.epoch, 2);
    cr_expect_eq(move(db, 1, 120, 130), RC_FENCED);
    pg_close(t.conn);
}

Test(dbproc_position, a_predecessor_that_does_not_end_is_not_waited_for_for_ever)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    struct dbproc_step s = {.topic = "t", .partition = 3, .epoch = 1, .from = 100, .to = 120};

    take(db);
    OK(dbproc_position_begin(db, GROUP, &s, 1, &err));
    stack_sql(other, "SET lock_timeout = 100");
    cr_expect_eq(dbproc_position_take(other, GROUP, "t", 3, 0, "other", &taken, &err), RC_RETRY);
    cr_expect_str_eq(err.code, "55P03");
}

/*
 * The answer is cut off, not the COMMIT: the socket is closed for reading before it is sent, and a trigger at the end
 * of the transaction holds it back until the client has given up.
 */
Test(dbproc_position, a_lost_commit_is_unknown_until_the_row_is_taken_again)
{
    PGconn *mine = stack_session(&st, false);
    struct dbproc_step s = {.topic = "t", .partition = 3, .epoch = 1, .from = 100, .to = 120};

    stack_sql(db, "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS"
                  " 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'");
    stack_sql(db, "CREATE CONSTRAINT TRIGGER held AFTER INSERT ON sluice_waiting INITIALLY DEFERRED"
                  " FOR EACH ROW EXECUTE FUNCTION held()");
    stack_sql(db, "SELECT pg_advisory_lock(1)");
    take(mine);
    OK(dbproc_position_begin(mine, GROUP, &s, 1, &err));
    stack_sql(mine, "INSERT INTO sluice_waiting VALUES ('effect', '1', now())");
    cr_assert_eq(shutdown(PQsocket(mine), SHUT_RD), 0);
    cr_expect_eq(dbproc_position_commit(mine, &err), RC_RETRY, "%s", err.text);
    cr_expect_eq(PQstatus(mine), CONNECTION_BAD);
    stack_sql(db, "SELECT pg_advisory_unlock(1)");
    take(db);
    cr_expect_eq(taken.epoch, 2);
    cr_expect_eq(taken.next_offset, 120);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM sluice_waiting"), 1);
    pg_close(mine);
}

Test(dbproc_position, a_session_that_ends_before_commit_leaves_nothing)
{
    PGconn *mine = stack_session(&st, false);
    struct dbproc_step s = {.topic = "t", .partition = 3, .epoch = 1, .from = 100, .to = 120};
    PGconn *admin CLEANUP(pg_closep) = stack_session(&st, true);

    take(mine);
    OK(dbproc_position_begin(mine, GROUP, &s, 1, &err));
    stack_sql(admin, "SELECT pg_terminate_backend(%d, 5000)", PQbackendPID(mine));
    cr_expect_eq(dbproc_position_commit(mine, &err), RC_RETRY);
    take(db);
    cr_expect_eq(taken.next_offset, 100);
    pg_close(mine);
}

Test(dbproc_position, a_transaction_that_the_processor_ended_is_no_success)
{
    struct dbproc_step s = {.topic = "t", .partition = 3, .epoch = 1, .from = 100, .to = 120};

    take(db);
    OK(dbproc_position_begin(db, GROUP, &s, 1, &err));
    stack_refused(db, "22012", "SELECT 1 / 0");
    cr_expect_eq(dbproc_position_commit(db, &err), RC_FATAL, "an error that was hidden");
    dbproc_position_rollback(db);
    cr_expect_eq(next_offset(), 100);
    OK(dbproc_position_begin(db, GROUP, &s, 1, &err));
    stack_sql(db, "ROLLBACK");
    cr_expect_eq(dbproc_position_commit(db, &err), RC_FATAL, "a ROLLBACK of its own");
}
