/* SPDX-License-Identifier: Apache-2.0 */
/* notify and the sink, crosswise over one notification, its delivery and its device: both get through. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "delivery_state/push_apply.h"
#include "pg/conn.h"
#include "support/notify_rig.h"

#define E1 "11111111-1111-4111-8111-111111111111"
#define WAIT_MS 20000

static struct stack st;
static struct notify_rig notify;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    stack_sql(st.conn, "INSERT INTO ml_orders (id, user_id) VALUES ('o1', 'u1');"
                       "INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('P', 'o1');"
                       "INSERT INTO push_devices (cid, user_id, last_seen_at) VALUES ('c', 'u1', 'epoch');"
                       "INSERT INTO notify_queue (id, tracking_no, status) VALUES ('" E1 "', 'P', 'delivered')");
    cr_assert_eq(notify_rig_open(&notify, st.url, NULL), RC_OK, "%s", notify.err.text);
    notify_rig_rows(&notify, st.conn);
    notify_rig_must(&notify);
}

static void teardown(void)
{
    notify_rig_close(&notify);
    stack_close(&st);
}

TestSuite(push_locks, .init = setup, .fini = teardown, .timeout = 60);

struct sink {
    PGconn *conn;
    struct pushed_batch batch;
    enum rc rc;
    struct err err;
};

static void *run_sink(void *opaque)
{
    struct sink *s = opaque;
    struct pushed_counts counts;

    s->rc = pg_exec(s->conn, "BEGIN", NULL, &s->err);
    s->rc = s->rc == RC_OK ? pushed_apply(s->conn, &s->batch, &counts, &s->err) : s->rc;
    s->rc = s->rc == RC_OK ? pg_exec(s->conn, "COMMIT", NULL, &s->err) : s->rc;
    return NULL;
}

static void *run_notify(void *opaque)
{
    enum rc *out_rc = opaque;

    *out_rc = notify_rig_run(&notify);
    return NULL;
}

static void until_it_waits(int pid)
{
    int64_t end_ms = clock_mono_ms() + WAIT_MS;

    while (stack_int(st.conn, "SELECT count(*) FROM pg_locks WHERE pid = %d AND NOT granted", pid) == 0) {
        cr_assert_lt(clock_mono_ms(), end_ms, "session %d waits for nobody", pid);
        clock_sleep_ms(10);
    }
}

/* The sink is held up at the device while notify comes for the same notification: whoever has its delivery or its row
 * must not wait for the other one. */
Test(push_locks, a_rerun_and_an_outcome_of_the_same_notification_meet)
{
    PGconn *gate CLEANUP(pg_closep) = stack_session(&st, false);
    struct sink sink = {.conn = stack_session(&st, false), .rc = RC_FATAL};
    enum rc notify_rc = RC_FATAL;
    pthread_t threads[2];
    char *id CLEANUP(freep) = stack_text(st.conn, "SELECT id FROM push_deliveries");
    const struct pushed gone = {.event_id = id,
                                .queue_seq = stack_int(st.conn, "SELECT queue_seq FROM push_deliveries"),
                                .kind = PUSHED_FAILED,
                                .was_request = true,
                                .verdict = "invalid_target",
                                .device = PUSHED_GONE,
                                .appid = "default",
                                .cid = "c",
                                .device_at_us = INT64_C(1700000000000000),
                                .happened_at_us = INT64_C(1700000000000000)};

    stack_sql(st.conn,
              "UPDATE push_deliveries SET status = 'failed'; UPDATE express_notifications SET send_status ="
              " 'failed'; UPDATE notify_queue SET processed_at = NULL, process_status = NULL, last_error = NULL");
    notify_rig_rows(&notify, st.conn);
    pushed_batch_init(&sink.batch);
    pushed_batch_add(&sink.batch, &gone);
    stack_sql(gate, "BEGIN; SELECT FROM push_devices FOR UPDATE");
    cr_assert_eq(pthread_create(&threads[0], NULL, run_sink, &sink), 0);
    until_it_waits(PQbackendPID(sink.conn));
    cr_assert_eq(pthread_create(&threads[1], NULL, run_notify, &notify_rc), 0);
    until_it_waits(PQbackendPID(notify.conn));
    stack_sql(gate, "COMMIT");
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    cr_expect_eq(sink.rc, RC_OK, "the sink: %s %s", sink.err.code, sink.err.text);
    cr_expect_eq(notify_rc, RC_OK, "notify: %s %s", notify.err.code, notify.err.text);
    stack_expect(st.conn, "the device is gone, and notify was behind the sink",
                 "SELECT concat_ws(' ', d.is_active, p.status, n.send_status, p.attempt_count) FROM push_devices d,"
                 " push_deliveries p, express_notifications n",
                 "f pending pending 1");
    pushed_batch_done(&sink.batch);
    pg_close(sink.conn);
}
