/* SPDX-License-Identifier: Apache-2.0 */
/* One thread with poll(): proxies send the header at once, so few connections are ever waiting here. */
#include "http/accept.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/proxy_v2.h"

#define PAUSE_MS 100 /* when the process has no descriptors left */

struct waiting {
    int fd;
    int64_t until_ms; /* monotonic */
    union proxy_v2_address peer;
    socklen_t peer_n;
    size_t n;
    uint8_t bytes[PROXY_V2_BYTES_MAX];
};

struct acceptor {
    struct acceptor_options opt;
    int stop_fd;
    pthread_t thread;
    bool runs;
    int64_t paused_until_ms;
    struct waiting *waiting[ACCEPT_WAITING_MAX];
    size_t n_waiting;
};

static void hand_over(struct acceptor *a, const struct waiting *w, const struct proxy_v2 *header)
{
    bool told = header->client_n > 0;
    /* It closes the socket itself where there are too many. */
    (void)MHD_add_connection(a->opt.daemon, w->fd, told ? &header->client.any : &w->peer.any,
                             told ? header->client_n : w->peer_n);
}

/* Reads exactly the header: what follows belongs to libmicrohttpd, or to TLS. True: it goes on waiting. */
static bool read_header(struct acceptor *a, struct waiting *w)
{
    struct proxy_v2 header;
    enum proxy_v2_result result = proxy_v2_parse(w->bytes, w->n, &header);
    while (result == PROXY_V2_MORE) {
        ssize_t got = recv(w->fd, w->bytes + w->n, header.bytes - w->n, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (got <= 0) {
            break;
        }
        w->n += (size_t)got;
        result = proxy_v2_parse(w->bytes, w->n, &header);
    }
    if (result == PROXY_V2_DONE) {
        hand_over(a, w, &header);
    } else {
        (void)close(w->fd);
    }
    return false;
}

static void forget(struct acceptor *a, size_t i)
{
    free(a->waiting[i]);
    a->waiting[i] = a->waiting[--a->n_waiting];
}

/* False: no connection waits to be taken in, or none can be. */
static bool accept_one(struct acceptor *a)
{
    struct waiting w = {.peer_n = sizeof w.peer};
    uint8_t bytes[NET_BYTES];
    w.fd = accept4(a->opt.listen_fd, &w.peer.any, &w.peer_n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (w.fd < 0) {
        bool out_of_descriptors = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        a->paused_until_ms = out_of_descriptors ? clock_mono_ms() + PAUSE_MS : 0;
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (!net_bytes(&w.peer.any, bytes) || !net_list_has(a->opt.proxies, bytes)) {
        (void)close(w.fd);
        return true;
    }
    w.until_ms = clock_mono_ms() + a->opt.header_ms;
    if (read_header(a, &w)) {
        struct waiting *kept = xcalloc(1, sizeof *kept);
        *kept = w;
        a->waiting[a->n_waiting++] = kept;
    }
    return true;
}

/* Milliseconds until somebody's time is over, -1 when nobody waits. */
static int next_deadline(const struct acceptor *a, int64_t now_ms)
{
    int64_t until_ms = a->paused_until_ms > now_ms ? a->paused_until_ms : INT64_MAX;
    for (size_t i = 0; i < a->n_waiting; i++) {
        until_ms = a->waiting[i]->until_ms < until_ms ? a->waiting[i]->until_ms : until_ms;
    }
    if (until_ms == INT64_MAX) {
        return -1;
    }
    return until_ms <= now_ms ? 0 : (int)(until_ms - now_ms);
}

/* Backwards, so that what forget() moves has been looked at. */
static void look_at_waiting(struct acceptor *a, const struct pollfd *polled)
{
    int64_t now_ms = clock_mono_ms();
    for (size_t i = a->n_waiting; i-- > 0;) {
        if (polled[i].revents != 0 && !read_header(a, a->waiting[i])) {
            forget(a, i);
        } else if (now_ms >= a->waiting[i]->until_ms) {
            (void)close(a->waiting[i]->fd);
            forget(a, i);
        }
    }
}

static void *acceptor_run(void *opaque)
{
    struct acceptor *a = opaque;
    struct pollfd fds[2 + ACCEPT_WAITING_MAX] = {{.fd = a->stop_fd, .events = POLLIN}};
    while (fds[0].revents == 0) {
        int64_t now_ms = clock_mono_ms();
        bool takes = a->n_waiting < ACCEPT_WAITING_MAX && a->paused_until_ms <= now_ms;
        fds[1] = (struct pollfd){.fd = takes ? a->opt.listen_fd : -1, .events = POLLIN};
        for (size_t i = 0; i < a->n_waiting; i++) {
            fds[2 + i] = (struct pollfd){.fd = a->waiting[i]->fd, .events = POLLIN};
        }
        if (poll(fds, 2 + a->n_waiting, next_deadline(a, now_ms)) < 0) {
            continue; /* a signal; what poll() did not fill in is empty */
        }
        look_at_waiting(a, fds + 2);
        while (fds[1].revents != 0 && a->n_waiting < ACCEPT_WAITING_MAX && accept_one(a)) {
        }
    }
    return NULL;
}

enum rc acceptor_start(const struct acceptor_options *opt, struct acceptor **out_acceptor, struct err *err)
{
    struct acceptor *a = xcalloc(1, sizeof *a);
    a->opt = *opt;
    a->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = a->stop_fd < 0 ? errno : pthread_create(&a->thread, NULL, acceptor_run, a);
    a->runs = failed == 0;
    if (failed != 0) {
        (void)acceptor_stop(a);
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(failed));
    }
    *out_acceptor = a;
    return RC_OK;
}

struct acceptor *acceptor_stop(struct acceptor *a)
{
    if (a == NULL) {
        return NULL;
    }
    if (a->runs) {
        (void)eventfd_write(a->stop_fd, 1);
        (void)pthread_join(a->thread, NULL);
    }
    while (a->n_waiting > 0) {
        (void)close(a->waiting[a->n_waiting - 1]->fd);
        forget(a, a->n_waiting - 1);
    }
    if (a->stop_fd >= 0) {
        (void)close(a->stop_fd);
    }
    free(a);
    return NULL;
}
