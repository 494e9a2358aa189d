/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: what libcurl can send from one thread when there is nothing else to do. Handles are prepared once, bodies
 * are there; only the three headers of the signature are made for each request. */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_callback.h"

#define LIMIT_MS 3000
#define LAST_MS 5000
#define TIMEOUT_MS 3000L
#define EVENTS_MAX 128
#define ROOM ((int64_t)1 << 20) /* ids */
#define HEADER_MAX (WEBHOOK_SIGNATURE_MAX + 64)

struct limit;

struct slot {
    struct limit *l;
    CURL *easy;
    struct curl_slist *headers;
};

struct limit {
    struct callback_bench *b;
    CURLM *multi;
    int epoll;
    int64_t timer_us; /* libcurl wants to be called then; -1 = not */
    int endpoints;
    char *body;
    struct slot *slots;
    struct bench_stamps stamps;
    int64_t started, done, failed;
    int64_t end_ms;
    CURLcode why;
};

static int on_timer(CURLM *multi, long ms, void *opaque)
{
    struct limit *l = opaque;
    (void)multi;
    l->timer_us = ms < 0 ? -1 : clock_mono_us() + ms * 1000;
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *opaque, void *known)
{
    struct limit *l = opaque;
    struct epoll_event ev = {.events = (what != CURL_POLL_OUT ? EPOLLIN : 0U) | (what != CURL_POLL_IN ? EPOLLOUT : 0U),
                             .data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    (void)epoll_ctl(l->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
    (void)curl_multi_assign(l->multi, fd, l);
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *opaque)
{
    (void)data;
    (void)opaque;
    return size * n;
}

static struct curl_slist *add(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    return longer == NULL ? list : longer;
}

static enum rc start(struct limit *l, struct slot *s, struct err *err)
{
    char id[BENCH_ID_MAX];
    char signature[WEBHOOK_SIGNATURE_MAX];
    char line[HEADER_MAX];
    int64_t now = clock_utc_us() / 1000000;
    int64_t i = l->started++;

    bench_id(&l->stamps, i % ROOM, id);
    TRY(webhook_sign(l->b->keys, id, now, l->body, strlen(l->body), signature, err));
    curl_slist_free_all(s->headers);
    s->headers = add(add(NULL, "Expect:"), "Content-Type: application/json");
    (void)snprintf(line, sizeof line, "webhook-id: %s", id);
    s->headers = add(s->headers, line);
    (void)snprintf(line, sizeof line, "webhook-timestamp: %" PRId64, now);
    s->headers = add(s->headers, line);
    (void)snprintf(line, sizeof line, "webhook-signature: %s", signature);
    s->headers = add(s->headers, line);
    if (l->endpoints > 1) {
        (void)snprintf(line, sizeof line, "http://127.0.0.1:%d/", partner_port(l->b->partner, (int)(i % l->endpoints)));
        (void)curl_easy_setopt(s->easy, CURLOPT_URL, line);
    }
    (void)curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
    if (curl_multi_add_handle(l->multi, s->easy) != CURLM_OK) {
        FAIL(err, RC_FATAL, "libcurl does not take the call");
    }
    return RC_OK;
}

static enum rc make_slot(struct limit *l, struct slot *s, struct err *err)
{
    char url[64];
    CURL *c = s->easy = curl_easy_init();

    s->l = l;
    if (c == NULL) {
        FAIL(err, RC_FATAL, "libcurl is out of memory");
    }
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", partner_port(l->b->partner, 0));
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(c, CURLOPT_URL, url);
    (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(l->body));
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, l->body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    (void)curl_easy_setopt(c, CURLOPT_PRIVATE, s);
    return RC_OK;
}

/* Calls that have ended make room for the next ones, until the time is over. */
static enum rc reap(struct limit *l, struct err *err)
{
    int left = 0;

    for (const CURLMsg *msg = NULL; (msg = curl_multi_info_read(l->multi, &left)) != NULL;) {
        struct slot *s = NULL;
        long status = 0;
        CURLcode code = msg->data.result;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&s);
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_multi_remove_handle(l->multi, s->easy);
        l->done++;
        l->failed += code == CURLE_OK && status == 200 ? 0 : 1;
        l->why = code != CURLE_OK ? code : l->why;
        if (clock_mono_ms() < l->end_ms) {
            TRY(start(l, s, err));
        }
    }
    return RC_OK;
}

static enum rc turn(struct limit *l, struct err *err)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t wait_us = l->timer_us < 0 ? 100000 : l->timer_us - clock_mono_us();
    int running = 0;
    int n = epoll_wait(l->epoll, events, EVENTS_MAX, wait_us <= 0 ? 0 : (int)((wait_us + 999) / 1000));

    for (int i = 0; i < n; i++) {
        int flags = ((events[i].events & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
                    ((events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                    ((events[i].events & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0);
        (void)curl_multi_socket_action(l->multi, events[i].data.fd, flags, &running);
    }
    if (l->timer_us >= 0 && clock_mono_us() >= l->timer_us) {
        l->timer_us = -1;
        (void)curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return reap(l, err);
}

static double thread_cpu_s(void)
{
    struct timespec ts = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static enum rc send_all(struct limit *l, struct callback_pass *p, struct err *err)
{
    int64_t began_us = clock_mono_us();
    double cpu_s = thread_cpu_s();
    double partner_s = partner_look(l->b->partner).cpu_s;

    l->end_ms = clock_mono_ms() + LIMIT_MS;
    for (int64_t i = 0; i < l->b->in_flight; i++) {
        TRY(make_slot(l, &l->slots[i], err));
        TRY(start(l, &l->slots[i], err));
    }
    while (l->done < l->started) {
        TRY(turn(l, err));
        TRY(bench_check(l->end_ms + LAST_MS, "the bare client", err));
        bench_progress(&l->b->base, "limit: bare libcurl", LIMIT_MS - (l->end_ms - clock_mono_ms()), LIMIT_MS);
    }
    double seconds = (double)(clock_mono_us() - began_us + 1) / 1e6;
    if (l->failed > 0) {
        FAIL(err, RC_RETRY, "the bare client: %" PRId64 " of %" PRId64 " calls failed: %s", l->failed, l->done,
             curl_easy_strerror(l->why));
    }
    p->limit_n = l->done;
    p->limit_per_s = (double)l->done / seconds;
    p->limit_cpu_s = (thread_cpu_s() - cpu_s) * 1000 / (double)l->done;
    p->limit_busy = (partner_look(l->b->partner).cpu_s - partner_s) / seconds;
    return RC_OK;
}

static void limit_done(struct limit *l)
{
    for (int64_t i = 0; i < l->b->in_flight; i++) {
        if (l->slots[i].easy != NULL) {
            (void)curl_multi_remove_handle(l->multi, l->slots[i].easy);
            curl_easy_cleanup(l->slots[i].easy);
        }
        curl_slist_free_all(l->slots[i].headers);
    }
    (void)curl_multi_cleanup(l->multi);
    (void)close(l->epoll);
    bench_stamps_done(&l->stamps);
    free(l->slots);
    free(l->body);
    curl_global_cleanup();
}

enum rc bench_callback_limit(struct callback_bench *b, struct callback_pass *p, struct err *err)
{
    struct limit l = {.b = b, .endpoints = p->endpoints, .timer_us = -1};

    l.body = b->body != NULL ? xstrdup(b->body) : xcalloc((size_t)b->base.payload + 1, 1);
    if (b->body == NULL) {
        memset(l.body, 'x', (size_t)b->base.payload);
    }
    l.slots = xcalloc((size_t)b->in_flight, sizeof *l.slots);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    l.multi = curl_multi_init();
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    (void)curl_multi_setopt(l.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(l.multi, CURLMOPT_SOCKETDATA, &l);
    (void)curl_multi_setopt(l.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(l.multi, CURLMOPT_TIMERDATA, &l);
    (void)curl_multi_setopt(l.multi, CURLMOPT_MAXCONNECTS, (long)(b->in_flight + p->endpoints));
    bench_stamps_init(&l.stamps, ROOM);
    partner_expect(b->partner, &l.stamps);
    enum rc rc = send_all(&l, p, err);
    partner_expect(b->partner, NULL);
    limit_done(&l);
    return rc;
}
