/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that do nothing: how many the role holds, and what they cost in memory; with the limits as they are, and
 * with limits that let all of them in. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_gateway.h"

#define EACH 500           /* connections from one address */
#define SOURCE 0x7f000100U /* 127.0.1.0 and on */
#define SPARE 16           /* of ours and the role's descriptors that are no connections */
#define GROUP 32           /* fewer than wait for their accept() */
#define SLACK 8            /* sessions come and go among its descriptors */
#define STUCK_MS 5000      /* nobody was let in; who knocked in vain knocks again after 1 s and 3 s */
#define ANSWER_MS 5000
#define SILENT_MAX 3 /* in a row */
#define POLL_MS 5

static const char REQUEST[] = "GET /v1/payments/bench HTTP/1.1\r\nHost: pay.bench.invalid\r\n\r\n";

struct crowd {
    struct gateway_bench *b;
    int *fds;
    int64_t n;
    int64_t before; /* descriptors of the role */
};

/* Is on its way afterwards; -1 with errno. */
static int connect_from(const struct gateway_bench *b, int64_t i)
{
    const char *colon = strrchr(b->address, ':');
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(SOURCE + 1U + (uint32_t)(i / EACH))};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(colon == NULL ? "0" : colon + 1, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
                    bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
                    (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS))) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Until as many are let in, or nobody is any more. From outside a connection looks open before it is accepted. */
static enum rc wait_for(const struct crowd *c, int64_t wanted, bool *out_stuck, struct err *err)
{
    int64_t best = -1;
    int64_t moved_ms = clock_mono_ms();

    for (*out_stuck = false; !*out_stuck;) {
        int64_t held = bench_descriptors(c->b->gateway.pid) - c->before;
        if (held >= wanted - SLACK) {
            return RC_OK;
        }
        moved_ms = held > best ? clock_mono_ms() : moved_ms;
        best = held > best ? held : best;
        *out_stuck = clock_mono_ms() - moved_ms > STUCK_MS;
        TRY(bench_child_alive(&c->b->gateway, err));
        TRY(bench_check(INT64_MAX, "", err));
        clock_sleep_ms(POLL_MS);
    }
    return RC_OK;
}

/* Once nobody is let in any more, the rest only knocks. */
static enum rc gather(struct crowd *c, struct err *err)
{
    bool stuck = false;

    for (int64_t i = 0; i < c->n; i++) {
        c->fds[i] = connect_from(c->b, i);
        if (c->fds[i] < 0 && (errno == EMFILE || errno == ENFILE)) {
            FAIL(err, RC_REJECT, "idle connections: %s after %" PRId64 "; raise `ulimit -n` or lower --idle",
                 strerror(errno), i);
        }
        if (!stuck && i % GROUP == GROUP - 1) {
            TRY(wait_for(c, i + 1, &stuck, err));
        }
        if (i % GROUP == 0) {
            bench_progress(&c->b->base, "idle connections", i, c->n);
        }
    }
    return wait_for(c, c->n, &stuck, err);
}

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

/* One request over each; whoever is not let in gets no answer. */
static enum rc ask(const struct crowd *c, struct err *err)
{
    int silent = 0;

    for (int64_t i = 0; i < c->n && silent < SILENT_MAX; i++) {
        char answer[4096];
        bool sent = c->fds[i] >= 0 && send(c->fds[i], REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) > 0;
        silent = !sent || readable(c->fds[i], ANSWER_MS) ? 0 : silent + 1;
        while (sent && recv(c->fds[i], answer, sizeof answer, MSG_DONTWAIT) > 0) {
        }
        if (i % GROUP == 0) {
            bench_progress(&c->b->base, "one request over each", i, c->n);
            TRY(bench_check(INT64_MAX, "", err));
        }
    }
    return RC_OK;
}

static void count(const struct crowd *c, struct gateway_held *out)
{
    out->tried = c->n;
    out->held = bench_descriptors(c->b->gateway.pid) - c->before;
    out->rss_kib = bench_rss_kib(c->b->gateway.pid);
    out->peak_kib = bench_peak_kib(c->b->gateway.pid);
}

static enum rc measure(struct crowd *c, struct gateway_idle *out, struct err *err)
{
    c->before = bench_descriptors(c->b->gateway.pid);
    TRY(gather(c, err));
    count(c, &out->silent);
    TRY(ask(c, err));
    count(c, &out->asked);
    return RC_OK;
}

static enum rc with(struct gateway_bench *b, const struct bench_setting *limits, size_t n, struct gateway_idle *out,
                    struct err *err)
{
    struct crowd c = {.b = b, .n = b->idle};
    int64_t peak = 0;

    TRY(bench_gateway_start(b, limits, n, err));
    c.fds = xcalloc((size_t)c.n, sizeof *c.fds);
    for (int64_t i = 0; i < c.n; i++) {
        c.fds[i] = -1;
    }
    enum rc rc = measure(&c, out, err);
    for (int64_t i = 0; i < c.n; i++) {
        if (c.fds[i] >= 0) {
            (void)close(c.fds[i]);
        }
    }
    free(c.fds);
    bench_child_stop(&b->gateway, &peak);
    return rc;
}

enum rc bench_gateway_idle(struct gateway_bench *b, struct err *err)
{
    char most[BENCH_NUMBER_MAX];
    const struct bench_setting raised[] = {{"SLUICE_GATEWAY_CONNECTIONS_MAX", most},
                                           {"SLUICE_GATEWAY_CONNECTIONS_ADDRESS_MAX", most},
                                           {"SLUICE_GATEWAY_IDLE_TIMEOUT_MS", "600000"}};

    if (b->idle == 0) {
        return RC_OK;
    }
    (void)snprintf(most, sizeof most, "%" PRId64, b->idle + SPARE);
    TRY(with(b, NULL, 0, &b->usual, err));
    return with(b, raised, ARRAY_SIZE(raised), &b->raised, err);
}
