/* SPDX-License-Identifier: Apache-2.0 */
/* Prefer: wait. One query every few milliseconds asks for all that wait; which instance decides makes no difference. */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/gateway_internal.h"
#include "gateway/results.h"

#define TURN_MS 1000
#define AWAY_PAUSE_MS 200
#define PAUSE_MAX_MS 100 /* between two looks that find nothing */
#define ASKED_MAX 2000   /* of one query */

void waiter_init(struct waiter *w)
{
    (void)pthread_mutex_init(&w->lock, NULL);
    clock_condition_init(&w->changed);
}

void waiter_done(struct waiter *w)
{
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->changed);
}

void waiter_add(struct waiter *w, struct job *job)
{
    (void)pthread_mutex_lock(&w->lock);
    bool late = w->stopping;
    if (!late) {
        job->wait_until_ms = clock_mono_ms() + job->wait_s * (int64_t)1000;
        job->next = w->first;
        w->first = job;
        (void)pthread_cond_signal(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (late) {
        answer_accepted(job);
    }
}

void waiter_close(struct waiter *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

/* What only the thread knows: all that wait. */
struct asking {
    struct waiter *w;
    struct job **list; /* NULL: answered */
    size_t n, cap;
    size_t from; /* of the query that runs */
    int64_t pause_ms;
    bool news; /* somebody has come, or was answered, since the last pause */
};

static void append(struct asking *a, struct job *job)
{
    if (a->n == a->cap) {
        a->cap = a->cap == 0 ? 256 : 2 * a->cap;
        a->list = xrealloc(a->list, a->cap * sizeof *a->list);
    }
    a->list[a->n++] = job;
}

/* Takes in who has come; waits for somebody when there is nobody. False: being stopped. */
static bool take_in(struct asking *a)
{
    struct waiter *w = a->w;
    const struct timespec until = clock_deadline(TURN_MS);
    (void)pthread_mutex_lock(&w->lock);
    if (w->first == NULL && a->n == 0 && !w->stopping) {
        (void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
    }
    for (struct job *job = w->first; job != NULL; job = job->next) {
        append(a, job);
        a->news = true;
    }
    w->first = NULL;
    bool go_on = !w->stopping;
    (void)pthread_mutex_unlock(&w->lock);
    metric_set(w->worker.g->waiting, (double)a->n);
    return go_on;
}

static void on_result(void *opaque, const struct result *result)
{
    struct asking *a = opaque;
    struct job *job = a->list[a->from + result->job];
    a->list[a->from + result->job] = NULL; /* answering may free it */
    a->news = true;
    if (result->rejected) {
        answer_rejected(job, result->code);
    } else {
        answer_shown(job, 200, result->json);
    }
}

static enum rc ask(struct session *s, struct asking *a, struct err *err)
{
    if (a->n == 0) {
        return RC_OK;
    }
    TRY(session_open(s, err));
    for (a->from = 0; a->from < a->n; a->from += ASKED_MAX) {
        size_t left = a->n - a->from;
        TRY(results_read(s, a->list + a->from, left < ASKED_MAX ? left : ASKED_MAX, on_result, a, err));
    }
    return RC_OK;
}

/* Those whose time is over are told that it is accepted, which it is; the others stay. */
static void keep_rest(struct asking *a, bool all_go)
{
    int64_t now_ms = clock_mono_ms();
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        struct job *job = a->list[i];
        if (job == NULL) {
            continue;
        }
        if (all_go || job->wait_until_ms <= now_ms || call_gone(job->call)) {
            answer_accepted(job);
        } else {
            a->list[n++] = job;
        }
    }
    a->n = n;
}

/*
 * Not more than a third of the time belongs to the query, however long it takes; and while nothing is decided each
 * pause is a quarter longer than the one before. Whoever comes ends what is more than the least.
 */
static void pause_looking(struct asking *a, int64_t took_ms)
{
    struct waiter *w = a->w;
    int64_t poll_ms = w->worker.g->wait_poll_ms;
    int64_t least_ms = 2 * took_ms > poll_ms ? 2 * took_ms : poll_ms;
    least_ms = least_ms < TURN_MS ? least_ms : TURN_MS;
    int64_t max_ms = poll_ms > PAUSE_MAX_MS ? poll_ms : PAUSE_MAX_MS;
    int64_t longer_ms = a->pause_ms + a->pause_ms / 4 + 1;
    longer_ms = longer_ms < max_ms ? longer_ms : max_ms;
    a->pause_ms = a->news ? poll_ms : longer_ms;
    a->news = false;
    clock_sleep_ms(least_ms);
    if (a->pause_ms > least_ms) {
        const struct timespec until = clock_deadline(a->pause_ms - least_ms);
        (void)pthread_mutex_lock(&w->lock);
        while (w->first == NULL && !w->stopping && pthread_cond_timedwait(&w->changed, &w->lock, &until) == 0) {
        }
        (void)pthread_mutex_unlock(&w->lock);
    }
}

void *waiter_run(void *opaque)
{
    struct worker *worker = opaque;
    struct gateway *g = worker->g;
    struct asking a = {.w = &g->waiter};
    struct session s = {.opt = &g->session};
    struct watch *watch = role_watch(g->ctx, worker->name, gateway_turn_ms(g, 2));
    while (take_in(&a)) {
        struct err err = {0};
        role_tick(watch);
        int64_t began_ms = clock_mono_ms();
        bool good = ask(&s, &a, &err) == RC_OK;
        if (!good) {
            log_warn("gateway", "results cannot be read", KV_ERR(&err));
        }
        int64_t took_ms = clock_mono_ms() - began_ms;
        keep_rest(&a, false);
        if (a.n > 0 && good) {
            pause_looking(&a, took_ms);
        } else if (a.n > 0) {
            clock_sleep_ms(AWAY_PAUSE_MS);
        }
    }
    keep_rest(&a, true);
    free(a.list);
    session_close(&s);
    role_unwatch(g->ctx, watch);
    return NULL;
}
