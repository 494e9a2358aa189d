/* SPDX-License-Identifier: Apache-2.0 */
/* One record from its reading to its result. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/rc.h"
#include "runtime/delivery_internal.h"

#define OUT_CHUNK_BYTES 256 /* an output takes a chunk of just its size */
#define START_TURN 64       /* tasks started before the loop has its turn: those under way must not wait for long */

static void append(struct task_list *l, struct delivery_task *t)
{
    t->next = NULL;
    if (l->tail != NULL) {
        l->tail->next = t;
    } else {
        l->head = t;
    }
    l->tail = t;
    l->n++;
}

static struct delivery_task *pop(struct task_list *l)
{
    struct delivery_task *t = l->head;

    if (t != NULL) {
        l->head = t->next;
        l->tail = l->head == NULL ? NULL : l->tail;
        l->n--;
        t->next = NULL;
    }
    return t;
}

static void count_bytes(struct delivery_task *t)
{
    size_t now = sizeof(*t) + t->event_mem.used_bytes + t->out_mem.used_bytes;

    t->d->bytes = t->d->bytes - t->bytes + now;
    t->bytes = now;
}

static struct delivery_task *make_task(struct delivery *d, struct part *p, const rd_kafka_message_t *msg)
{
    struct delivery_task *t = xcalloc(1, sizeof(*t));

    t->d = d;
    t->part = p;
    arena_init(&t->out_mem, OUT_CHUNK_BYTES);
    t->outs_end = &t->outs;
    delivery_copy_event(t, msg);
    t->all_next = d->all;
    if (d->all != NULL) {
        d->all->all_prev = t;
    }
    d->all = t;
    d->n_all++;
    count_bytes(t);
    return t;
}

void delivery_task_free(struct delivery_task *t)
{
    struct delivery *d = t->d;

    if (t->all_prev != NULL) {
        t->all_prev->all_next = t->all_next;
    } else {
        d->all = t->all_next;
    }
    if (t->all_next != NULL) {
        t->all_next->all_prev = t->all_prev;
    }
    d->n_all--;
    d->bytes -= t->bytes;
    delivery_scratch_drop(t);
    arena_done(&t->event_mem);
    arena_done(&t->out_mem);
    free(t);
}

static void make_ready(struct delivery_task *t)
{
    t->state = TASK_READY;
    append(&t->d->ready, t);
}

void delivery_let_past(struct delivery *d, int64_t now)
{
    for (struct delivery_task *t = delivery_key_overdue(d, now), *next = NULL; t != NULL; t = next) {
        next = t->key_next;
        t->key_next = NULL;
        make_ready(t);
    }
}

void delivery_admit(struct delivery *d, struct part *p, const rd_kafka_message_t *msg)
{
    if (!delivery_offsets_see(&p->offsets, msg->offset)) {
        return;
    }
    struct delivery_task *t = make_task(d, p, msg);
    t->state = TASK_QUEUED;
    if (delivery_key_join(t)) {
        make_ready(t);
    }
}

static bool may_start(const struct delivery *d)
{
    return d->phase == PHASE_RUN && d->state == GROUP_HELD && delivery_may_call(d);
}

/* Not recursive: a task that is finished inside of start() only makes the next one ready. */
void delivery_start_ready(struct delivery *d)
{
    if (d->starting) {
        return;
    }
    d->starting = true;
    for (int n = 0; d->ready.head != NULL && (int64_t)d->n_running < d->lim.in_flight_max && may_start(d); n++) {
        if (n == START_TURN) {
            (void)uv_async_send(&d->async);
            break;
        }
        struct delivery_task *t = pop(&d->ready);
        t->state = TASK_RUNNING;
        t->data = NULL;
        t->event.start_no++;
        delivery_scratch_take(t);
        d->n_running++;
        d->proc->start(d->proc_ctx, &t->event, t);
    }
    d->starting = false;
}

void delivery_wake_waiting(struct delivery *d, int64_t now)
{
    for (size_t n = d->waiting.n; n > 0; n--) {
        struct delivery_task *t = pop(&d->waiting);
        if (t->due_ms <= now) {
            make_ready(t);
        } else {
            append(&d->waiting, t);
        }
    }
}

void delivery_set_data(struct delivery_task *task, void *data)
{
    task->data = data;
}

void *delivery_data(const struct delivery_task *task)
{
    return task->data;
}

void delivery_drop_outs(struct delivery_task *t)
{
    t->outs = NULL;
    t->outs_end = &t->outs;
    t->n_outs = 0;
    t->dead = NULL;
}

static void forget_outs(struct delivery_task *t)
{
    delivery_drop_outs(t);
    arena_reset(&t->out_mem);
}

static void wait_for_retry(struct delivery_task *t, const struct delivery_why *why)
{
    struct delivery *d = t->d;
    int64_t pause = clock_backoff_ms(t->event.start_no - 1, d->lim.retry_base_ms, d->lim.retry_max_ms);

    pause = why->retry_ms > pause ? why->retry_ms : pause;
    log_info(d->proc->name, "again later", KV_S("id", t->event.id), KV_I("partition", t->event.partition),
             KV_I("offset", t->event.offset), KV_I("start_no", t->event.start_no), KV_I("wait_ms", pause),
             KV_S("why", why->message));
    metric_inc(d->m.retry);
    forget_outs(t);
    t->state = TASK_WAITING;
    t->due_ms = clock_mono_ms() + pause;
    append(&d->waiting, t);
}

static void stop_for(struct delivery_task *t, enum rc rc, const struct delivery_why *why)
{
    struct delivery *d = t->d;
    struct err err;

    forget_outs(t);
    t->state = TASK_WAITING; /* not finished: it goes with the rest */
    t->due_ms = INT64_MAX;
    append(&d->waiting, t);
    rc_ignore(err_set(&err, rc, __FILE__, __LINE__, "%s", why->message));
    delivery_stop(d, rc, &err, rc == RC_FENCED ? d->lim.drain_ms : 0);
}

static void finish_for_good(struct delivery_task *t)
{
    struct delivery *d = t->d;
    struct delivery_task *next = delivery_key_leave(t);

    t->state = TASK_FINISHED;
    t->due_ms = clock_mono_ms();
    if (d->finished.n == 0) {
        /* The turn that decides comes with the timer. */
        (void)uv_timer_start(&d->soon, d->soon.timer_cb, (uint64_t)d->lim.linger_ms, 0);
    }
    append(&d->finished, t);
    if (next != NULL) {
        make_ready(next);
    }
    if ((int64_t)d->finished.n >= d->lim.txn_records_max || d->state == GROUP_LEAVING) {
        (void)uv_async_send(&d->async);
    }
}

void delivery_finish(struct delivery_task *task, enum rc rc, const struct delivery_why *why)
{
    struct delivery *d = task->d;

    assert(task->state == TASK_RUNNING && (rc == RC_OK || why != NULL));
    d->n_running--;
    switch (rc) {
    case RC_RETRY:
        wait_for_retry(task, why);
        break;
    case RC_FENCED:
    case RC_FATAL:
        stop_for(task, rc, why);
        break;
    case RC_REJECT:
        delivery_make_dead(task, why, false);
        metric_inc(d->m.reject);
        finish_for_good(task);
        break;
    case RC_OK:
        metric_inc(d->m.ok);
        finish_for_good(task);
        break;
    }
    delivery_scratch_drop(task); /* what why points to is in it */
    count_bytes(task);
    delivery_start_ready(d);
}

static void drop(struct delivery *d, bool (*which)(const struct delivery_task *))
{
    for (struct delivery_task *t = d->all, *next = NULL; t != NULL; t = next) {
        next = t->all_next;
        if (which(t)) {
            metric_inc(d->m.dropped);
            delivery_task_free(t);
        }
    }
}

static bool is_unstarted(const struct delivery_task *t)
{
    return t->state == TASK_QUEUED || t->state == TASK_READY || t->state == TASK_WAITING;
}

void delivery_drop_unstarted(struct delivery *d)
{
    for (struct delivery_task *t = d->all; t != NULL; t = t->all_next) {
        t->key = NULL; /* those that run have nobody behind them any more */
        t->key_next = NULL;
    }
    delivery_key_clear(d);
    drop(d, is_unstarted);
    d->ready = (struct task_list){0};
    d->waiting = (struct task_list){0};
}

static bool is_running(const struct delivery_task *t)
{
    return t->state == TASK_RUNNING;
}

void delivery_drop_running(struct delivery *d)
{
    for (struct delivery_task *t = d->all; t != NULL; t = t->all_next) {
        if (is_running(t)) {
            d->proc->cancel(d->proc_ctx, t);
        }
    }
    drop(d, is_running);
    d->n_running = 0;
}

static bool is_finished(const struct delivery_task *t)
{
    return t->state == TASK_FINISHED;
}

void delivery_drop_finished(struct delivery *d)
{
    drop(d, is_finished);
    d->finished = (struct task_list){0};
}
