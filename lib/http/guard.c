/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that ends what takes too long: requests that do not come to their end, answers that nobody takes. */
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/service_internal.h"

#define LOOK_MS 200

/*
 * libmicrohttpd's own timeout counts from the last byte: a byte now and then would keep a connection for ever. Between
 * requests the next one's first bytes are not seen, hence both times together.
 */
static void look_at(const struct service *s, struct http_conn *link, int64_t now_ms)
{
    const struct service_limits *limits = &s->opt.limits;
    int64_t age_ms = now_ms - link->since_ms;
    if (link->phase == CONN_RECEIVING && age_ms > limits->request_ms) {
        conn_cut(link, MHD_HTTP_REQUEST_TIMEOUT, "request_timeout", "the request did not come to its end in time");
    }
    if ((link->phase == CONN_IDLE && age_ms > limits->idle_ms + limits->request_ms) ||
        (link->phase == CONN_SENDING && age_ms > limits->idle_ms)) {
        (void)shutdown(link->fd, SHUT_RDWR);
    }
}

static void *guard_run(void *opaque)
{
    struct service *s = opaque;
    (void)pthread_mutex_lock(&s->lock);
    while (!s->guard_stop) {
        int64_t now_ms = clock_mono_ms();
        for (struct http_conn *link = s->conns; link != NULL; link = link->next) {
            look_at(s, link, now_ms);
        }
        const struct timespec until = clock_deadline(LOOK_MS);
        (void)pthread_cond_timedwait(&s->changed, &s->lock, &until);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

enum rc guard_start(struct service *s, struct err *err)
{
    int failed = pthread_create(&s->guard, NULL, guard_run, s);
    if (failed != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(failed));
    }
    s->guard_runs = true;
    return RC_OK;
}

void guard_stop(struct service *s)
{
    if (!s->guard_runs) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->guard_stop = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->guard, NULL);
    s->guard_runs = false;
}
