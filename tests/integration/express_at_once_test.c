/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers, sweeps and the business at the same time: nothing twice, nothing lost, nobody waits for ever. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/settle_express.h"
#include "gateway/store.h"
#include "pg/conn.h"
#include "support/express_rig.h"

static struct stack st;
static struct express_rig rig;
static struct err err;

static const struct express_rules RULES = {.nodes_max = 10, .keep_days = 30};

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    express_rig_open(&rig, &st);
}

static void teardown(void)
{
    express_rig_close(&rig);
    stack_close(&st);
}

TestSuite(express_at_once, .init = setup, .fini = teardown, .timeout = 100);

static const struct express_said ONE[] = {{0, EXPRESS_COLLECTED, "a"}};
static const struct express_said TWO[] = {{0, EXPRESS_COLLECTED, "a"}, {60, EXPRESS_IN_TRANSIT, "b"}};

#define NUMBERS_MAX 300

struct writer {
    pthread_t id;
    struct express_rig rig;
    struct job *jobs[NUMBERS_MAX];
    size_t n;
    pthread_barrier_t *all;
    struct err why;
    enum rc rc;
};

static void *store_at_once(void *opaque)
{
    struct writer *w = opaque;
    bool unknown = false;
    (void)pthread_barrier_wait(w->all);
    w->rc = jobs_store(&w->rig.session, w->jobs, w->n, &unknown, &w->why); /* no deadlock, so no second try */
    return NULL;
}

/* The same numbers in opposite orders, half of them without a waybill, eight times over: they never wait crosswise. */
Test(express_at_once, two_writers_crosswise_store_each_node_once)
{
    enum { WRITERS = 2, NUMBERS = NUMBERS_MAX, ROUNDS = 8 };
    static struct writer writers[WRITERS];
    static char numbers[NUMBERS][16];
    static char bodies[WRITERS][NUMBERS][24];
    pthread_barrier_t all;
    cr_assert_eq(pthread_barrier_init(&all, NULL, WRITERS), 0);
    for (int i = 0; i < WRITERS; i++) {
        express_rig_open(&writers[i].rig, &st);
        writers[i].all = &all;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int k = 0; k < NUMBERS; k++) {
            (void)snprintf(numbers[k], sizeof numbers[k], "R%dN%d", round, k);
            if (k % 2 == 0) {
                stack_sql(st.conn, "INSERT INTO platform_express_waybills (tracking_no) VALUES ('%s')", numbers[k]);
            }
        }
        for (int i = 0; i < WRITERS; i++) {
            writers[i].n = NUMBERS;
            for (int k = 0; k < NUMBERS; k++) {
                char *body = bodies[i][k];
                (void)snprintf(body, sizeof bodies[i][k], "%d %d %d", round, k, k % 3 + round % 2 == 0 ? 0 : i);
                writers[i].jobs[i == 0 ? k : NUMBERS - 1 - k] = express_call(&writers[i].rig, body, numbers[k], TWO, 2);
            }
            cr_assert_eq(pthread_create(&writers[i].id, NULL, store_at_once, &writers[i]), 0);
        }
        for (int i = 0; i < WRITERS; i++) {
            (void)pthread_join(writers[i].id, NULL);
            cr_assert_eq(writers[i].rc, RC_OK, "%s", writers[i].why.text);
        }
    }
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM express_nodes"), 2 * NUMBERS * ROUNDS);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM notify_queue"), NUMBERS / 2 * ROUNDS, "the newest of each");
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM express_parked"), NUMBERS / 2 * ROUNDS);
    cr_assert_eq(stack_int(st.conn, "SELECT sum(calls)::bigint FROM express_parked"), NUMBERS * ROUNDS,
                 "each call is counted");
    for (int i = 0; i < WRITERS; i++) {
        express_rig_close(&writers[i].rig);
    }
    (void)pthread_barrier_destroy(&all);
}

static void ignore(void *opaque, const char *tracking_no, bool known, int64_t queued, int64_t history)
{
    int *n = opaque;
    (void)tracking_no;
    (void)queued;
    (void)history;
    *n += known ? 1 : 0;
}

/* Somebody inserts a waybill and does not commit: neither calls nor the sweep wait for him. */
Test(express_at_once, a_waybill_that_is_being_inserted_holds_up_nobody)
{
    int known = 0;
    struct express_looked looked = {0};
    PGconn *business CLEANUP(pg_closep) = stack_session(&st, false);
    struct job *job = express_call(&rig, "1", "T1", ONE, 1);
    express_put(&rig, &job, 1);
    stack_sql(business, "BEGIN");
    stack_sql(business, "INSERT INTO platform_express_waybills (tracking_no) VALUES ('T1')");
    rig.options.statement_timeout_ms = 2000;
    session_close(&rig.session);
    cr_assert_eq(session_open(&rig.session, &err), RC_OK, "%s", err.text);
    job = express_call(&rig, "2", "T1", TWO, 2);
    express_put(&rig, &job, 1);
    cr_assert_eq(job->callback->result, REASON_UNKNOWN_WAYBILL);
    cr_assert_eq(express_sweep(&rig.session, &RULES, &looked, ignore, &known, &err), RC_OK, "%s", err.text);
    stack_sql(business, "COMMIT");
    cr_assert_eq(express_sweep(&rig.session, &RULES, &looked, ignore, &known, &err), RC_OK, "%s", err.text);
    cr_assert_eq(known, 1);
    stack_expect(st.conn, "the newest of both calls", "SELECT string_agg(context, ' ') FROM notify_queue", "b");
    stack_expect(st.conn, "all are decided", "SELECT count(*) FROM express_nodes WHERE decided IS NULL", "0");
}

/* A call that is under way when its number is settled leaves nothing behind that nobody would ever look at. */
Test(express_at_once, a_call_under_way_while_its_number_is_settled_is_not_forgotten)
{
    int known = 0;
    struct express_looked looked = {0};
    struct job *job = express_call(&rig, "1", "T1", ONE, 1);
    express_put(&rig, &job, 1);
    /* Without counting the call, for which somebody who inserts the waybill would have to wait. */
    struct express_number numbers[] = {{.tracking_no = "T1", .account = "kd", .calls = 1, .parks = false}};
    struct express_totals totals;
    cr_assert_eq(session_query(&rig.session, "BEGIN", 0, NULL, NULL, &err), RC_OK);
    cr_assert_eq(session_query(&rig.session,
                               "INSERT INTO express_nodes (tracking_no, node_hash, node_at, status, context) VALUES "
                               "('T1', sha256('x'), now(), 'delivered', 'late')",
                               0, NULL, NULL, &err),
                 RC_OK, "%s", err.text);
    cr_assert_eq(express_settle(&rig.session, numbers, 1, 10, &totals, &err), RC_OK, "%s", err.text);
    stack_sql(st.conn, "INSERT INTO platform_express_waybills (tracking_no) VALUES ('T1')");
    struct express_rig other;
    express_rig_open(&other, &st);
    cr_assert_eq(express_sweep(&other.session, &RULES, &looked, ignore, &known, &err), RC_OK, "%s", err.text);
    cr_assert_eq(known, 0, "somebody has it in hand");
    cr_assert_eq(session_query(&rig.session, "COMMIT", 0, NULL, NULL, &err), RC_OK, "%s", err.text);
    cr_assert_eq(express_sweep(&other.session, &RULES, &looked, ignore, &known, &err), RC_OK, "%s", err.text);
    cr_assert_eq(known, 1);
    express_rig_close(&other);
    stack_expect(st.conn, "all are decided", "SELECT count(*) FROM express_nodes WHERE decided IS NULL", "0");
    stack_expect(st.conn, "the newest", "SELECT context FROM notify_queue", "late");
}

/* A row of the business that somebody has locked makes the sweep come back, not wait. */
Test(express_at_once, a_locked_waybill_is_looked_at_later)
{
    int known = 0;
    struct express_looked looked = {0};
    PGconn *business CLEANUP(pg_closep) = stack_session(&st, false);
    struct job *job = express_call(&rig, "1", "T1", ONE, 1);
    express_put(&rig, &job, 1);
    stack_sql(st.conn, "INSERT INTO platform_express_waybills (tracking_no) VALUES ('T1')");
    stack_sql(business, "BEGIN");
    stack_sql(business, "UPDATE platform_express_waybills SET order_id = 'o9'");
    cr_assert_eq(express_sweep(&rig.session, &RULES, &looked, ignore, &known, &err), RC_OK, "%s", err.text);
    cr_assert(looked.numbers == 1 && known == 0);
    stack_sql(business, "COMMIT");
    stack_expect(st.conn, "soon", "SELECT due_at <= now() + interval '1 second' FROM express_parked", "t");
    stack_sql(st.conn, "UPDATE express_parked SET due_at = now()");
    cr_assert_eq(express_sweep(&rig.session, &RULES, &looked, ignore, &known, &err), RC_OK, "%s", err.text);
    cr_assert_eq(known, 1);
}

Test(express_at_once, what_the_database_refuses_leaves_nothing)
{
    bool unknown = false;
    stack_sql(st.conn, "INSERT INTO platform_express_waybills (tracking_no) VALUES ('T1'), ('T2')");
    stack_sql(st.conn, "ALTER TABLE notify_queue ADD CHECK (tracking_no <> 'T2')");
    struct job *jobs[] = {express_call(&rig, "1", "T1", ONE, 1), express_call(&rig, "2", "T2", ONE, 1)};
    cr_assert_eq(jobs_store(&rig.session, jobs, 2, &unknown, &err), RC_REJECT);
    cr_assert_eq(stack_int(st.conn, "SELECT (SELECT count(*) FROM express_callbacks) + (SELECT count(*) FROM "
                                    "express_nodes) + (SELECT count(*) FROM notify_queue)"),
                 0, "all or nothing");
    express_put(&rig, &jobs[0], 1); /* as the writer does, half by half */
    stack_expect(st.conn, "the neighbour", "SELECT string_agg(tracking_no, ' ') FROM notify_queue", "T1");
}
