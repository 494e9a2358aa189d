/* SPDX-License-Identifier: Apache-2.0 */
#include "support/stand_in.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define REQUEST_BYTES_MAX ((size_t)1 << 20)
#define ANSWER_BYTES_MAX ((size_t)16 << 20)

struct stand_in {
    stand_in_fn answer;
    void *opaque;
    int listener;
    int port;
    int stop[2]; /* a pipe: readable when it is to end */
    _Atomic int requests;
    pthread_t thread;
};

/* False: stopped. */
static bool readable(const struct stand_in *s, int fd)
{
    struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};
    while (poll(p, 2, -1) < 0) {
    }
    return p[1].revents == 0;
}

static bool whole(const char *text, size_t n)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = end == NULL ? NULL : strcasestr(text, "\r\nContent-Length:");
    size_t body = length == NULL || length > end ? 0 : strtoul(length + 17, NULL, 10);
    return end != NULL && n >= (size_t)(end + 4 - text) + body;
}

static bool read_request(const struct stand_in *s, int fd, struct buf *out)
{
    char piece[4096];
    while (out->len == 0 || !whole(out->data, out->len)) {
        ssize_t n = readable(s, fd) ? recv(fd, piece, sizeof piece, 0) : 0;
        if (n <= 0 || !buf_add(out, piece, (size_t)n)) {
            return false;
        }
    }
    return true;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void end_connection(const struct stand_in *s, int fd, enum stand_in_end end)
{
    char noise[4096];
    char sink[256];
    memset(noise, 'x', sizeof noise);
    if (end == STAND_IN_HANG) {
        while (readable(s, fd) && recv(fd, sink, sizeof sink, 0) > 0) {
        }
    } else if (end == STAND_IN_ENDLESS) {
        while (send_all(fd, noise, sizeof noise)) {
        }
    }
}

static void serve(struct stand_in *s, int fd)
{
    CLEANUP(buf_done) struct buf request;
    CLEANUP(buf_done) struct buf bytes;
    buf_init(&request, REQUEST_BYTES_MAX);
    buf_init(&bytes, ANSWER_BYTES_MAX);
    if (read_request(s, fd, &request)) {
        enum stand_in_end end = s->answer(s->opaque, buf_str(&request), &bytes);
        atomic_fetch_add(&s->requests, 1);
        if (send_all(fd, buf_str(&bytes), bytes.len)) {
            end_connection(s, fd, end);
        }
    }
}

static void *run(void *opaque)
{
    struct stand_in *s = opaque;
    while (readable(s, s->listener)) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd >= 0) {
            serve(s, fd);
            (void)close(fd);
        }
    }
    return NULL;
}

struct stand_in *stand_in_start(stand_in_fn answer, void *opaque)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    struct stand_in *s = xcalloc(1, sizeof *s);
    s->answer = answer;
    s->opaque = opaque;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(s->listener, 64), 0);
    cr_assert_eq(getsockname(s->listener, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    cr_assert_eq(pipe(s->stop), 0);
    cr_assert_eq(pthread_create(&s->thread, NULL, run, s), 0);
    return s;
}

struct stand_in *stand_in_stop(struct stand_in *s)
{
    if (s != NULL) {
        cr_assert_eq(write(s->stop[1], "x", 1), 1);
        (void)pthread_join(s->thread, NULL);
        (void)close(s->listener);
        (void)close(s->stop[0]);
        (void)close(s->stop[1]);
        free(s);
    }
    return NULL;
}

int stand_in_port(const struct stand_in *s)
{
    return s->port;
}

int stand_in_requests(const struct stand_in *s)
{
    return atomic_load(&s->requests);
}

bool stand_in_wait(const struct stand_in *s, int n)
{
    int64_t deadline_ms = clock_mono_ms() + 20000;
    while (stand_in_requests(s) < n) {
        if (clock_mono_ms() > deadline_ms) {
            return false;
        }
        clock_sleep_ms(2);
    }
    return true;
}

void stand_in_answer(struct buf *bytes, int status, const char *headers, const void *body, size_t n)
{
    cr_assert(buf_printf(bytes, "HTTP/1.1 %d Words\r\n%sContent-Length: %zu\r\n\r\n", status, headers, n));
    cr_assert(buf_add(bytes, body, n));
}
