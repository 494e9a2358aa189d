/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the push processor: push.c (life), message.c (one message from record to outcome), outlet.c (a provider:
 * who may go), send.c (one request). One thread: the loop's.
 */
#ifndef SLUICE_PUSH_INTERNAL_H
#define SLUICE_PUSH_INTERNAL_H

#include "http/engine.h"
#include "push/bucket.h"
#include "push/circuit.h"
#include "push/outcome.h"
#include "push/providers.h"
#include "push/push_metrics.h"
#include "push/queue.h"
#include "push/token.h"
#include "runtime/delivery.h"

#define PUSH_AREA "push" /* in the log */
#define PUSH_TROUBLE_MAX 400

struct push;
struct send;

/* A provider at work. */
struct outlet {
    struct push *push;
    const struct provider *provider;
    size_t token; /* number of its token, where its kind needs one */
    struct bucket bucket;
    struct circuit circuit;
    struct queue queue;
    struct send *sends; /* under way */
    size_t in_flight;
    double call_ms, batch_n; /* of a request, smoothed */
    double free_ms;          /* when it will have got through what is parked */
    bool pumping;
    char trouble[PUSH_TROUBLE_MAX]; /* why the circuit has opened */
};

struct push {
    struct delivery *d;
    struct providers providers;
    struct avro_set *set;
    struct push_reader *reader;
    struct outcome_record *outcomes;
    struct push_metrics *metrics;
    struct push_tokens *tokens;
    struct http_engine *engine;
    struct outlet outlets[PROVIDERS_MAX]; /* as providers.rows */
    struct push_policy policy;
    int64_t batch_wait_ms, wait_ms, park_ms_max;
    uv_timer_t tick, wake;
    struct send *pool;
    size_t pool_n;
    uint64_t random; /* state of push_random */
    char said[400];  /* detail of readiness */
    int handles;     /* not closed yet */
};

/* One message under way; lives in the task's arena. */
struct message {
    struct waiter waiter;
    struct push *push;
    struct outlet *outlet;
    struct delivery_task *task;
    const struct delivery_event *record;
    struct push_event event;
    struct send *send; /* NULL = not sent */
    size_t index;      /* in it */
    bool renewed;      /* it has had another token once */
};

/* One request under way, with memory of its own: its messages may end before it. */
struct send {
    struct outlet *outlet;
    struct send *prev, *next;
    struct arena arena;
    struct http_call *http;
    size_t n;
    struct message *of[PUSH_BATCH_MAX]; /* NULL = its task is gone */
    const struct push_message *m[PUSH_BATCH_MAX];
    uint64_t token_version;
    bool probe;
};

/* For jitter: a system call for each message would be too much. */
uint64_t push_random(struct push *p);
void push_wake_at(struct push *p, int64_t at_ms); /* the outlets are pumped then, at the latest */

/* message.c: functions of struct delivery_processor, and the end of a message. Its task is gone after each settle. */
void message_start(void *ctx, const struct delivery_event *record, struct delivery_task *task);
void message_cancel(void *ctx, struct delivery_task *task);
struct message *message_of(struct waiter *w);
/* What a provider, or we, have said of it. r: NULL = no request was made. */
void message_settle(struct message *m, const struct push_result *result, const struct http_result *r);
/* Nothing was said: it comes again. class: "provider-busy". */
void message_park(struct message *m, const char *class, const char *why);
void message_fail(struct message *m, const struct err *err);

/* outlet.c */
/* Waits for its turn, or is parked at once. */
void outlet_enter(struct outlet *l, struct message *m);
/* As much goes as may. */
void outlet_pump(struct outlet *l);
/* To be said some times a second. */
void outlet_tick(struct outlet *l);
/* What the results of a request say of the provider. our_fault: nothing. */
void outlet_learn(struct outlet *l, const struct send *s, const struct push_result *results,
                  const struct http_result *r, bool our_fault);
int64_t outlet_park_ms(struct outlet *l);
const char *outlet_token(struct outlet *l, uint64_t *out_version); /* NULL = there is none */

/* send.c */
/* Takes the waiters. */
void send_start(struct outlet *l, struct waiter *const *waiters, size_t n);
/* A message's task goes, the request goes on for the others, or is broken off. */
void send_forget(struct send *s, size_t index);
void send_pool_free(struct push *p);

#endif
