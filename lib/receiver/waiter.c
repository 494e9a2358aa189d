/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that wakes suspended requests: at their time, when the hanging ends, when the client has left. */
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "receiver/receiver_internal.h"

#define LOOK_MS 100 /* between looks at the clients of requests that wait */
#define BATCH 256

static void link_request(struct receiver *r, struct request *q)
{
    q->prev = NULL;
    q->next = r->waiting;
    if (r->waiting != NULL) {
        r->waiting->prev = q;
    }
    r->waiting = q;
}

static void unlink_request(struct receiver *r, struct request *q)
{
    if (q->next != NULL) {
        q->next->prev = q->prev;
    }
    if (q->prev != NULL) {
        q->prev->next = q->next;
    } else {
        r->waiting = q->next;
    }
    q->prev = q->next = NULL;
    q->waiting = false;
}

bool request_wait(struct request *q, int64_t due_ms)
{
    struct receiver *r = q->r;
    (void)pthread_mutex_lock(&r->lock);
    bool may = !r->stopping; /* libmicrohttpd must not be stopped while a connection is suspended */
    if (may) {
        MHD_suspend_connection(q->conn);
        q->due_ms = due_ms;
        q->waiting = true;
        link_request(r, q);
        (void)pthread_cond_signal(&r->changed);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return may;
}

/* Nobody else looks at the socket of a suspended connection. */
static bool client_has_left(const struct request *q)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    char c = 0;
    return info != NULL && recv(info->connect_fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Takes those that are to go on out of the list; returns how many. Under the lock. */
static size_t collect(struct receiver *r, bool look, struct request *out[BATCH], int64_t *out_next_ms)
{
    int64_t now = clock_mono_ms();
    size_t n = 0;
    *out_next_ms = now + LOOK_MS;
    struct request *next = NULL;
    for (struct request *q = r->waiting; q != NULL && n < BATCH; q = next) {
        next = q->next;
        bool released = q->due_ms == INT64_MAX && !r->hang;
        bool left = look && client_has_left(q);
        if (r->stopping || released || left || q->due_ms <= now) {
            q->gone = left || r->stopping;
            unlink_request(r, q);
            out[n++] = q;
        } else if (q->due_ms < *out_next_ms) {
            *out_next_ms = q->due_ms;
        }
    }
    return n;
}

static void sleep_until(struct receiver *r, int64_t mono_ms)
{
    const struct timespec until = {.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
    if (r->waiting == NULL) {
        (void)pthread_cond_wait(&r->changed, &r->lock);
    } else {
        (void)pthread_cond_timedwait(&r->changed, &r->lock, &until);
    }
}

static void *waiter(void *opaque)
{
    struct receiver *r = opaque;
    struct request *ready[BATCH];
    int64_t looked_ms = 0;
    (void)pthread_mutex_lock(&r->lock);
    while (!r->stopping || r->waiting != NULL) {
        int64_t next_ms = 0;
        bool look = clock_mono_ms() - looked_ms >= LOOK_MS;
        size_t n = collect(r, look, ready, &next_ms);
        looked_ms = look ? clock_mono_ms() : looked_ms;
        if (n == 0 && !r->stopping) {
            sleep_until(r, next_ms);
            continue;
        }
        /* Not under the lock: libmicrohttpd has one of its own, and calls us while it holds that. */
        (void)pthread_mutex_unlock(&r->lock);
        for (size_t i = 0; i < n; i++) {
            MHD_resume_connection(ready[i]->conn);
        }
        (void)pthread_mutex_lock(&r->lock);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return NULL;
}

enum rc waiter_start(struct receiver *r, struct err *err)
{
    clock_condition_init(&r->changed);
    (void)pthread_mutex_init(&r->lock, NULL);
    int failed = pthread_create(&r->timer, NULL, waiter, r);
    if (failed != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(failed));
    }
    r->timer_runs = true;
    return RC_OK;
}

void waiter_stop(struct receiver *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->stopping = true;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    if (r->timer_runs) {
        (void)pthread_join(r->timer, NULL);
    }
}
