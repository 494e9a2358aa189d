/* SPDX-License-Identifier: Apache-2.0 */
/* The client: as light as it can be, for it shares the processors with what is measured. Requests are bytes that are
 * sent as they are; of an answer it looks at the status and the length. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_gateway.h"

#define ANSWER_MAX 4096
#define EVENTS_MAX 128
#define LOOK_EVERY_MS 50
#define WAIT_US_MAX 50000

struct link {
    int fd;
    int64_t call; /* number of the call under way */
    size_t sent;
    bool wants_out;
    char in[ANSWER_MAX];
    size_t in_n;
};

struct client {
    const struct gateway_load *load;
    struct gateway_pass *out;
    int epoll;
    struct link *links;
    int64_t open;
    int64_t *idle; /* a stack of links without a call */
    int64_t n_idle;
    int64_t done, end_us;
    struct bench_stall stall;
    int64_t looked_ms;
};

static double thread_cpu_s(void)
{
    struct timespec ts = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---------------------------------------------------------------------------------------------------- connections */

static enum rc open_link(struct client *c, int64_t i, struct err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)i};
    const char *colon = strrchr(c->load->address, ':');
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    c->links[i].fd = fd;
    c->open += fd >= 0 ? 1 : 0;
    a.sin_port = htons((uint16_t)strtoul(colon == NULL ? "0" : colon + 1, NULL, 10));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        FAIL(err, RC_RETRY, "%s: cannot connect to %s: %s", c->load->what, c->load->address, strerror(errno));
    }
    c->idle[c->n_idle++] = i;
    return RC_OK;
}

static enum rc lost(const struct client *c, const char *why, struct err *err)
{
    FAIL(err, RC_RETRY, "%s: %s after %" PRId64 " answers", c->load->what, why, c->done);
}

/* ---------------------------------------------------------------------------------------------------- sending */

static enum rc watch_out(struct client *c, int64_t i, bool wants_out, struct err *err)
{
    struct epoll_event ev = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0U), .data.u64 = (uint64_t)i};

    if (c->links[i].wants_out == wants_out) {
        return RC_OK;
    }
    c->links[i].wants_out = wants_out;
    return epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->links[i].fd, &ev) == 0 ? RC_OK : lost(c, strerror(errno), err);
}

static enum rc send_rest(struct client *c, int64_t i, struct err *err)
{
    struct link *l = &c->links[i];
    const struct gateway_call *call = &c->load->calls->list[l->call % c->load->calls->n];

    while (l->sent < call->n) {
        ssize_t n = send(l->fd, call->bytes + l->sent, call->n - l->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (n < 0) {
            return lost(c, strerror(errno), err);
        }
        l->sent += (size_t)n;
    }
    return watch_out(c, i, l->sent < call->n, err);
}

static bool over(const struct client *c)
{
    const struct gateway_load *l = c->load;
    return (l->total > 0 && c->out->sent >= l->total) || (l->seconds > 0 && clock_mono_us() >= c->end_us);
}

/* Those that are due, as far as there are connections. */
static enum rc send_due(struct client *c, struct err *err)
{
    struct bench_stamps *s = c->load->stamps;

    while (c->n_idle > 0 && !over(c)) {
        if (s != NULL && bench_due_us(s, c->out->sent) > clock_mono_us()) {
            break;
        }
        int64_t i = c->idle[--c->n_idle];
        c->links[i].call = c->out->sent++;
        c->links[i].sent = 0;
        c->links[i].in_n = 0;
        if (s != NULL) {
            s->ready[c->links[i].call] = bench_due_us(s, c->links[i].call);
        }
        TRY(send_rest(c, i, err));
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- answers */

/* 0: not all of it is there; -1: not an answer. */
static int answer_status(const struct link *l)
{
    const char *end = memmem(l->in, l->in_n, "\r\n\r\n", 4);
    unsigned long body = 0;

    if (end == NULL) {
        return l->in_n < ANSWER_MAX ? 0 : -1;
    }
    if (strncmp(l->in, "HTTP/1.1 ", 9) != 0) {
        return -1;
    }
    for (const char *line = memchr(l->in, '\n', l->in_n); line != NULL && line < end;
         line = memchr(line + 1, '\n', (size_t)(end - line))) {
        if (strncasecmp(line + 1, "Content-Length:", 15) == 0) {
            body = strtoul(line + 16, NULL, 10);
        }
    }
    size_t size = (size_t)(end + 4 - l->in) + body;
    if (size > l->in_n) {
        return size < ANSWER_MAX ? 0 : -1;
    }
    return size == l->in_n ? (int)strtol(l->in + 9, NULL, 10) : -1;
}

static void note_answer(struct client *c, int64_t i, int status)
{
    struct bench_stamps *s = c->load->stamps;

    c->done++;
    if (status >= 200 && status < 300) {
        c->out->good++;
    } else {
        c->out->other++;
        c->out->other_status = (unsigned)status;
    }
    if (s != NULL) {
        s->seen[c->links[i].call] = clock_mono_us();
    }
    c->idle[c->n_idle++] = i;
}

static enum rc receive(struct client *c, int64_t i, struct err *err)
{
    struct link *l = &c->links[i];
    ssize_t n = recv(l->fd, l->in + l->in_n, ANSWER_MAX - l->in_n, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return RC_OK;
    }
    if (n <= 0) {
        return lost(c, n == 0 ? "a connection was closed" : strerror(errno), err);
    }
    l->in_n += (size_t)n;
    int status = answer_status(l);
    if (status < 0) {
        return lost(c, "what came is not an answer to one request", err);
    }
    if (status > 0) {
        note_answer(c, i, status);
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- the run */

static int64_t wait_us(const struct client *c)
{
    struct bench_stamps *s = c->load->stamps;
    int64_t us = WAIT_US_MAX;

    if (s != NULL && c->n_idle > 0 && !over(c)) {
        us = bench_due_us(s, c->out->sent) - clock_mono_us();
    }
    return us < 0 ? 0 : us > WAIT_US_MAX ? WAIT_US_MAX : us;
}

static enum rc look_around(struct client *c, struct err *err)
{
    const struct gateway_load *l = c->load;
    int64_t now_ms = clock_mono_ms();

    if (now_ms - c->looked_ms < LOOK_EVERY_MS) {
        return RC_OK;
    }
    c->looked_ms = now_ms;
    if (l->seconds > 0) {
        bench_progress(l->base, l->what, l->seconds * 1000 - (c->end_us / 1000 - now_ms), l->seconds * 1000);
    } else {
        bench_progress(l->base, l->what, c->done, l->total);
    }
    return bench_moving(&c->stall, c->done, l->what, err);
}

static enum rc turn(struct client *c, struct err *err)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t us = wait_us(c);
    const struct timespec wait = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    int n = epoll_pwait2(c->epoll, events, EVENTS_MAX, &wait, NULL);

    for (int k = 0; k < n; k++) {
        int64_t i = (int64_t)events[k].data.u64;
        if ((events[k].events & EPOLLOUT) != 0) {
            TRY(send_rest(c, i, err));
        }
        if ((events[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            TRY(receive(c, i, err));
        }
    }
    return look_around(c, err);
}

static enum rc run(struct client *c, struct err *err)
{
    for (int64_t i = 0; i < c->load->connections; i++) {
        TRY(open_link(c, i, err));
    }
    int64_t began_us = clock_mono_us();
    double cpu_s = thread_cpu_s();
    c->end_us = began_us + c->load->seconds * 1000000;
    c->stall = (struct bench_stall){.best = -1};
    if (c->load->stamps != NULL) {
        c->load->stamps->start_us = began_us;
    }
    while (!over(c) || c->n_idle < c->open) {
        TRY(send_due(c, err));
        TRY(turn(c, err));
    }
    c->out->seconds = (double)(clock_mono_us() - began_us + 1) / 1e6;
    c->out->per_s = (double)c->done / c->out->seconds;
    c->out->client_busy = (thread_cpu_s() - cpu_s) / c->out->seconds;
    return RC_OK;
}

enum rc bench_gateway_load(const struct gateway_load *l, struct gateway_pass *out, struct err *err)
{
    struct client c = {.load = l, .out = out, .epoll = epoll_create1(EPOLL_CLOEXEC)};

    *out = (struct gateway_pass){.server_busy = -1};
    c.links = xcalloc((size_t)l->connections, sizeof *c.links);
    c.idle = xcalloc((size_t)l->connections, sizeof *c.idle);
    enum rc rc = run(&c, err);
    for (int64_t i = 0; i < c.open; i++) {
        (void)close(c.links[i].fd);
    }
    (void)close(c.epoll);
    free(c.links);
    free(c.idle);
    return rc;
}
