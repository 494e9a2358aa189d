/* SPDX-License-Identifier: Apache-2.0 */
/* Who is called: one thread with epoll, as little work per request as will do, the same for bare client and role. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_callback.h"

#define BACKLOG 512
#define EVENTS_MAX 256
#define CONN_BYTES (PARTNER_PAYLOAD_MAX + 8192)
#define VERIFY_EVERY 64 /* requests whose signature is checked; a power of two */

/* What epoll hands back: a listener, a connection, or the stop (neither). */
struct source {
    int fd;
    int endpoint;
    bool listens;
    struct source *prev, *next; /* of connections */
    size_t n;
    char data[]; /* of a connection: CONN_BYTES */
};

struct partner {
    pthread_t thread;
    int epoll, stop;
    int endpoints;
    struct source *listeners[PARTNER_ENDPOINTS_MAX];
    int ports[PARTNER_ENDPOINTS_MAX];
    struct source *conns;
    struct webhook_keys *keys;
    _Atomic(struct bench_stamps *) stamps;
    _Atomic(partner_number_fn) number;
    atomic_int hangs;
    atomic_llong requests, twice, forged, hung, first_us;
};

static void watch(struct partner *r, struct source *s)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
    (void)epoll_ctl(r->epoll, EPOLL_CTL_ADD, s->fd, &ev);
}

static void take_connections(struct partner *r, const struct source *listener)
{
    for (int fd = 0; (fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct source *s = xcalloc(1, sizeof *s + CONN_BYTES);
        s->fd = fd;
        s->endpoint = listener->endpoint;
        s->next = r->conns;
        if (s->next != NULL) {
            s->next->prev = s;
        }
        r->conns = s;
        watch(r, s);
    }
}

static void drop(struct partner *r, struct source *s)
{
    *(s->prev != NULL ? &s->prev->next : &r->conns) = s->next;
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    /* A role that is being started has our descriptors until it runs its program: closing is not enough. */
    (void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    (void)close(s->fd);
    free(s);
}

static int64_t number_of(struct partner *r, const struct bench_stamps *stamps, const struct received *got)
{
    partner_number_fn number = atomic_load(&r->number);

    if (stamps == NULL || got->id == NULL) {
        return -1;
    }
    return number != NULL ? number(stamps, got) : bench_id_number(stamps, got->id, strlen(got->id));
}

static void note(struct partner *r, const struct received *got)
{
    struct bench_stamps *stamps = atomic_load(&r->stamps);
    int64_t i = number_of(r, stamps, got);
    int64_t now = clock_mono_us();

    if (atomic_load(&r->first_us) == 0) {
        atomic_store(&r->first_us, now);
    }
    if (i >= 0 && stamps->seen[i] == 0) {
        stamps->seen[i] = now;
        (void)atomic_fetch_add(&stamps->n_seen, 1);
    } else if (i >= 0) {
        (void)atomic_fetch_add(&r->twice, 1);
    }
}

static void verify(struct partner *r, const struct received *got)
{
    const struct webhook_message msg = {.id = got->id,
                                        .timestamp = got->timestamp,
                                        .signature = got->signature,
                                        .body = got->body,
                                        .body_n = got->body_n};
    if (webhook_verify(r->keys, &msg, clock_utc_us() / 1000000, WEBHOOK_TOLERANCE_SECONDS) != WEBHOOK_OK) {
        (void)atomic_fetch_add(&r->forged, 1);
    }
}

/* false: the connection is to be closed. */
static bool answer(struct partner *r, const struct source *s, const struct received *got)
{
    static const char OK[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

    if (s->endpoint == atomic_load(&r->hangs)) {
        (void)atomic_fetch_add(&r->hung, 1);
        return true;
    }
    note(r, got);
    if (atomic_fetch_add(&r->requests, 1) % VERIFY_EVERY == 0) {
        verify(r, got);
    }
    return send(s->fd, OK, sizeof OK - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof OK - 1);
}

static bool serve(struct partner *r, struct source *s)
{
    ssize_t n = recv(s->fd, s->data + s->n, CONN_BYTES - s->n, 0);

    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    s->n += (size_t)n;
    for (size_t at = 0;;) {
        struct received got;
        if (!received_parse(s->data + at, s->n - at, &got) || (got.size > 0 && !answer(r, s, &got))) {
            return false;
        }
        at += got.size;
        if (got.size == 0 || at == s->n) {
            memmove(s->data, s->data + at, s->n - at);
            s->n -= at;
            return s->n < CONN_BYTES;
        }
    }
}

static void *run(void *arg)
{
    struct partner *r = arg;
    struct epoll_event events[EVENTS_MAX];

    for (;;) {
        int n = epoll_wait(r->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct source *s = events[i].data.ptr;
            if (s == NULL) {
                return NULL;
            }
            if (s->listens) {
                take_connections(r, s);
            } else if (!serve(r, s)) {
                drop(r, s);
            }
        }
    }
}

static enum rc listen_on(struct partner *r, int endpoint, struct err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
        int why = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        FAIL(err, RC_FATAL, "the bench's receiver cannot listen on 127.0.0.1: %s", strerror(why));
    }
    struct source *s = xcalloc(1, sizeof *s);
    s->fd = fd;
    s->endpoint = endpoint;
    s->listens = true;
    r->listeners[endpoint] = s;
    r->ports[endpoint] = ntohs(a.sin_port);
    watch(r, s);
    return RC_OK;
}

static void partner_free(struct partner *r)
{
    while (r->conns != NULL) {
        drop(r, r->conns);
    }
    for (int i = 0; i < r->endpoints && r->listeners[i] != NULL; i++) {
        (void)close(r->listeners[i]->fd);
        free(r->listeners[i]);
    }
    (void)close(r->epoll);
    (void)close(r->stop);
    free(r);
}

static enum rc open_all(struct partner *r, struct err *err)
{
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = NULL};

    if (r->epoll < 0 || r->stop < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->stop, &stop) != 0) {
        FAIL(err, RC_FATAL, "the bench's receiver: %s", strerror(errno));
    }
    for (int i = 0; i < r->endpoints; i++) {
        TRY(listen_on(r, i, err));
    }
    int no = pthread_create(&r->thread, NULL, run, r);
    if (no != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(no));
    }
    return RC_OK;
}

enum rc partner_start(int endpoints, struct webhook_keys *keys, struct partner **out, struct err *err)
{
    struct partner *r = xcalloc(1, sizeof *r);

    r->endpoints = endpoints;
    r->keys = keys;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->stop = eventfd(0, EFD_CLOEXEC);
    atomic_store(&r->hangs, -1);
    if (open_all(r, err) != RC_OK) {
        partner_free(r);
        return err->rc;
    }
    *out = r;
    return RC_OK;
}

struct partner *partner_stop(struct partner *r)
{
    if (r != NULL) {
        (void)eventfd_write(r->stop, 1);
        (void)pthread_join(r->thread, NULL);
        partner_free(r);
    }
    return NULL;
}

int partner_port(const struct partner *r, int endpoint)
{
    return r->ports[endpoint];
}

void partner_expect(struct partner *r, struct bench_stamps *s)
{
    atomic_store(&r->stamps, s);
    atomic_store(&r->first_us, 0);
}

void partner_number(struct partner *r, partner_number_fn number)
{
    atomic_store(&r->number, number);
}

void partner_hang(struct partner *r, int endpoint)
{
    atomic_store(&r->hangs, endpoint);
}

struct partner_counts partner_look(struct partner *r)
{
    struct timespec ts = {.tv_sec = 0};
    clockid_t clock = CLOCK_REALTIME;

    if (pthread_getcpuclockid(r->thread, &clock) == 0) {
        (void)clock_gettime(clock, &ts);
    }
    return (struct partner_counts){.twice = atomic_load(&r->twice),
                                   .forged = atomic_load(&r->forged),
                                   .hung = atomic_load(&r->hung),
                                   .first_us = atomic_load(&r->first_us),
                                   .cpu_s = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9};
}
