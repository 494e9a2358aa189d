/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a delivery processor: slot, producer, group, drain; one loop that waits, one turn that decides. */
#include "runtime/delivery.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/delivery_internal.h"

#define TICK_MS 50
#define POLL_LATEST_MS 1000 /* the consumer is polled at least so often, whatever happens */
#define WATCHDOG_MS 60000

const char *const DELIVERY_STATE_NAMES[] = {"none", "taking", "held", "leaving"};

uv_loop_t *delivery_loop(struct delivery *d)
{
    return &d->loop;
}

struct role_ctx *delivery_role(struct delivery *d)
{
    return d->role;
}

void delivery_set_state(struct delivery *d, enum group_state state)
{
    static const bool allowed[4][4] = {
        /* to:           none   taking held   leaving */
        [GROUP_NONE] = {false, true, false, false},
        [GROUP_TAKING] = {false, false, true, true},
        [GROUP_HELD] = {false, false, false, true},
        [GROUP_LEAVING] = {true, true, false, false},
    };

    assert(allowed[d->state][state]);
    log_debug(d->proc->name, "assignment", KV_S("from", DELIVERY_STATE_NAMES[d->state]),
              KV_S("to", DELIVERY_STATE_NAMES[state]));
    d->state = state;
    role_ready(d->role, "assignment", state == GROUP_HELD, DELIVERY_STATE_NAMES[state]);
}

/* Only notes it: this may be called from inside of a processor's call. */
void delivery_stop(struct delivery *d, enum rc rc, const struct err *why, int64_t drain_ms)
{
    if (d->phase != PHASE_STOP) {
        d->phase = PHASE_STOP;
        d->lim.drain_ms = drain_ms;
        log_info(d->proc->name, "draining", KV_I("in_flight", (int64_t)d->n_running), KV_I("deadline_ms", drain_ms));
    }
    if (rc != RC_OK && d->rc == RC_OK) {
        d->rc = rc;
        d->err = *why;
        d->err.rc = rc;
        log_error(d->proc->name, "the role ends", KV_ERR(&d->err));
    }
    (void)uv_async_send(&d->async);
}

/* Of the other threads. */
static void wake(void *async)
{
    (void)uv_async_send(async);
}

/* ---------------------------------------------------------------------------------------------------- phases */

static enum rc open_kafka(struct delivery *d, int number, struct err *err)
{
    d->txn_id = xasprintf("%s-%d", d->group, number);
    d->instance_id = xasprintf("%s-%d", d->group, number);
    TRY(delivery_consumer_open(d, err));
    struct txn_options opt = {.cfg = d->cfg,
                              .client = d->client,
                              .transactional_id = d->txn_id,
                              .transaction_timeout_ms = (int)config_int(d->cfg, "delivery.txn.timeout.ms"),
                              .consumer = d->consumer,
                              .slot = d->slot,
                              .group = d->group,
                              .topic = d->input,
                              .topics = (const char *const *)d->topics,
                              .done = wake,
                              .opaque = &d->async};
    return txn_start(&opt, &d->txn, err);
}

static void slot_turn(struct delivery *d)
{
    struct err why = {0};
    int number = -1;
    enum slot_state state = slot_state(d->slot, &number, &why);
    char detail[160];

    snprintf(detail, sizeof(detail), "%s %d%s%.100s", slot_state_name(state), number, state == SLOT_OWNED ? "" : ": ",
             state == SLOT_OWNED ? "" : why.text);
    role_ready(d->role, "slot", state == SLOT_OWNED, detail);
    if ((state == SLOT_TAKEN || state == SLOT_FAILED) && d->rc == RC_OK) {
        delivery_stop(d, state == SLOT_TAKEN ? RC_FENCED : RC_FATAL, &why, d->lim.drain_ms);
        return;
    }
    if (state != SLOT_OWNED || d->phase != PHASE_SLOT) {
        return;
    }
    struct err err;
    enum rc rc = open_kafka(d, number, &err);
    if (rc != RC_OK) {
        delivery_stop(d, rc, &err, 0);
        return;
    }
    log_info(d->proc->name, "slot claimed", KV_I("slot", number), KV_S("txn_id", d->txn_id));
    d->phase = PHASE_OPEN;
    struct txn_job *job = xcalloc(1, sizeof(*job));
    job->kind = TXN_OPEN;
    txn_submit(d->txn, job);
}

static void subscribe(struct delivery *d)
{
    struct err err;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    (void)rd_kafka_topic_partition_list_add(list, d->input, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(d->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc_ignore(err_set(&err, RC_FATAL, __FILE__, __LINE__, "cannot subscribe to %s: %s", d->input,
                          rd_kafka_err2str(code)));
        delivery_stop(d, RC_FATAL, &err, 0);
    }
}

static void opened(struct delivery *d, struct txn_job *job)
{
    struct err err = job->err;
    enum rc rc = job->rc;

    txn_job_free(job);
    if (d->phase != PHASE_OPEN) {
        return;
    }
    if (rc != RC_OK) {
        delivery_stop(d, rc, &err, 0);
        return;
    }
    role_ready(d->role, "producer", true, d->txn_id);
    d->phase = PHASE_RUN;
    d->polled_ms = clock_mono_ms();
    subscribe(d);
}

/* After a consumer that was fenced: see on_error(). */
static void reopen_turn(struct delivery *d)
{
    struct err err;

    if (d->fenced_ms == 0 || d->state != GROUP_NONE || txn_busy(d->txn) ||
        !slot_confirmed_since(d->slot, d->fenced_ms)) {
        return;
    }
    d->fenced_ms = 0;
    delivery_consumer_close(d);
    enum rc rc = delivery_consumer_open(d, &err);
    if (rc != RC_OK) {
        delivery_stop(d, rc, &err, 0);
        return;
    }
    txn_set_consumer(d->txn, d->consumer);
    subscribe(d);
}

static void job_turn(struct delivery *d)
{
    struct txn_job *job = d->txn != NULL ? txn_take_done(d->txn) : NULL;

    if (job == NULL) {
        return;
    }
    if (job->kind == TXN_OPEN) {
        opened(d, job);
    } else if (job->kind == TXN_COMMIT) {
        delivery_commit_done(d, job);
    } else if (job->rc == RC_OK && d->state == GROUP_TAKING) {
        delivery_taken(d, job);
    } else {
        if (job->rc != RC_OK && d->state == GROUP_TAKING) {
            delivery_stop(d, job->rc, &job->err, 0);
        }
        txn_job_free(job);
    }
}

static void stop_turn(struct delivery *d)
{
    if (d->state == GROUP_HELD || d->state == GROUP_TAKING) {
        delivery_leave(d, d->rc == RC_FATAL, d->lim.drain_ms);
    }
    d->retake = false;
    if (d->state == GROUP_NONE) {
        if (d->txn != NULL && txn_busy(d->txn)) {
            txn_cancel(d->txn);
        } else {
            uv_stop(&d->loop);
        }
    }
}

void delivery_turn(struct delivery *d)
{
    int64_t now = clock_mono_ms();

    job_turn(d);
    slot_turn(d);
    if (role_stopping(d->role) && d->phase != PHASE_STOP) {
        delivery_stop(d, RC_OK, NULL, d->lim.drain_ms);
    }
    if (d->phase == PHASE_STOP) {
        stop_turn(d);
    }
    if (d->phase == PHASE_RUN) {
        reopen_turn(d);
    }
    if (d->phase == PHASE_RUN && d->more && d->fenced_ms == 0) {
        delivery_read(d);
    }
    if (d->state == GROUP_LEAVING) {
        delivery_leave_turn(d, now);
    } else if (d->state == GROUP_HELD) {
        delivery_wake_waiting(d, now);
        delivery_start_ready(d);
        delivery_commit_due(d, now);
    }
    if (d->more && d->phase == PHASE_RUN && d->no_room_ms == 0) {
        (void)uv_async_send(&d->async); /* the queue is not empty, but the loop has its turn */
    }
}

/* ---------------------------------------------------------------------------------------------------- handles */

static void on_soon(uv_timer_t *timer)
{
    delivery_turn(timer->data);
}

static void on_async(uv_async_t *async)
{
    delivery_turn(async->data);
}

static void on_stop_fd(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    (void)uv_poll_stop(poll); /* readable for ever */
    delivery_turn(poll->data);
}

static void on_kafka_fd(uv_poll_t *poll, int status, int events)
{
    struct delivery *d = poll->data;
    eventfd_t n = 0;

    (void)status;
    (void)events;
    (void)eventfd_read(d->kafka_fd, &n);
    d->more = true;
    delivery_turn(d);
}

static void on_tick(uv_timer_t *timer)
{
    struct delivery *d = timer->data;
    int64_t now = clock_mono_ms();

    role_tick(d->watch);
    delivery_flow(d, now);
    if (d->state == GROUP_HELD) {
        delivery_let_past(d, now);
    }
    d->more = d->more || now - d->polled_ms > POLL_LATEST_MS / 4;
    metric_set(d->m.in_flight, (double)d->n_running);
    metric_set(d->m.held, (double)d->n_all);
    metric_set(d->m.bytes, (double)d->bytes);
    delivery_turn(d);
}

static void handles_open(struct delivery *d)
{
    d->kafka_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)uv_loop_init(&d->loop);
    (void)uv_async_init(&d->loop, &d->async, on_async);
    (void)uv_timer_init(&d->loop, &d->tick);
    (void)uv_timer_init(&d->loop, &d->soon);
    (void)uv_poll_init(&d->loop, &d->stop_poll, role_stop_fd(d->role));
    (void)uv_poll_init(&d->loop, &d->kafka_poll, d->kafka_fd);
    d->async.data = d;
    d->tick.data = d;
    d->soon.data = d;
    d->stop_poll.data = d;
    d->kafka_poll.data = d;
    d->soon.timer_cb = on_soon;
    (void)uv_timer_start(&d->tick, on_tick, 0, TICK_MS);
    (void)uv_poll_start(&d->stop_poll, UV_READABLE, on_stop_fd);
    (void)uv_poll_start(&d->kafka_poll, UV_READABLE, on_kafka_fd);
}

static void handles_close(struct delivery *d)
{
    uv_close((uv_handle_t *)&d->async, NULL);
    uv_close((uv_handle_t *)&d->tick, NULL);
    uv_close((uv_handle_t *)&d->soon, NULL);
    uv_close((uv_handle_t *)&d->stop_poll, NULL);
    uv_close((uv_handle_t *)&d->kafka_poll, NULL);
    (void)uv_run(&d->loop, UV_RUN_DEFAULT); /* the processor's handles as well */
    int rc = uv_loop_close(&d->loop);
    assert(rc == 0);
    (void)rc;
    (void)close(d->kafka_fd);
}

/* ---------------------------------------------------------------------------------------------------- life */

static enum rc run_loop(struct delivery *d, struct err *err)
{
    char *name = NULL;
    struct slot_options opt = {.url = config_str(d->cfg, "database.url"),
                               .lock_timeout_ms = d->lim.session_ms,
                               .changed = wake,
                               .opaque = &d->async};

    name = xasprintf("sluice %s", d->proc->name);
    opt.app = name;
    opt.name = d->group;
    enum rc rc = slot_start(&opt, &d->slot, err);
    free(name);
    TRY(rc);
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    d->txn = txn_stop(d->txn);
    delivery_consumer_close(d);
    d->slot = slot_stop(d->slot);
    if (d->rc != RC_OK) {
        *err = d->err;
    }
    return d->rc;
}

enum rc delivery_run(struct role_ctx *role, const struct delivery_processor *proc, struct err *err)
{
    struct delivery *d = xcalloc(1, sizeof(*d));

    d->role = role;
    d->cfg = role_config(role);
    d->proc = proc;
    d->seed = clock_random();
    d->polled_ms = clock_mono_ms();
    delivery_limits_read(d);
    delivery_names_make(d);
    delivery_metrics_make(d);
    d->watch = role_watch(role, "delivery", WATCHDOG_MS);
    role_ready(role, "slot", false, "starting");
    role_ready(role, "producer", false, "starting");
    role_ready(role, "assignment", false, "starting");
    handles_open(d);
    enum rc rc = proc->open(d, &d->proc_ctx, err);
    if (rc == RC_OK) {
        rc = run_loop(d, err);
        proc->close(d->proc_ctx);
    }
    handles_close(d);
    role_unwatch(role, d->watch);
    delivery_names_free(d);
    delivery_scratches_free(d);
    free(d->batch);
    free(d->owner);
    free(d);
    return rc;
}
