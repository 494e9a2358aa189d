/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the callback processor: what callback.c (life) and call.c (one event) share. One thread: the loop's. */
#ifndef SLUICE_CALLBACK_INTERNAL_H
#define SLUICE_CALLBACK_INTERNAL_H

#include "callback/admission.h"
#include "callback/callback_metrics.h"
#include "callback/event.h"
#include "callback/outcome_record.h"
#include "callback/platform.h"
#include "http/engine.h"
#include "runtime/delivery.h"

#define CALLBACK_AREA "callback" /* in the log */

struct callback {
    struct delivery *d;
    struct platforms platforms;
    struct avro_set *set;
    struct event_reader *reader;
    struct outcome_record *writer;
    struct admission *admission;
    struct callback_metrics *metrics;
    struct http_engine *engine;
    uv_timer_t tick;
    bool allow_http;
    size_t response_bytes_max;
    uint64_t random; /* state of callback_random */
    int handles;     /* not closed yet: timer, engine */
};

/* One event under way; lives in the task's arena. */
struct call {
    struct ticket ticket;
    struct callback *cb;
    struct delivery_task *task;
    const struct delivery_event *record;
    const struct platform *platform; /* NULL = unknown */
    struct callback_event event;
    struct target target;
    struct http_call *http; /* NULL = not sent */
};

/* For jitter: a system call for each event would be too much. */
uint64_t callback_random(struct callback *cb);

/* call.c: functions of struct delivery_processor */
void call_start(void *ctx, const struct delivery_event *record, struct delivery_task *task);
void call_cancel(void *ctx, struct delivery_task *task);
/* Places that have become free go to those who wait; what waited too long is parked. */
void call_pump(struct callback *cb);

#endif
