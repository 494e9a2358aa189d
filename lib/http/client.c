/* SPDX-License-Identifier: Apache-2.0 */
/* A GET in one breath: connect, send, read to the end of the connection, all under one deadline. */
#include "http/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/option.h"
#include "http/listen.h"

#define ANSWER_BYTES_MAX ((size_t)9 << 20)

static void closep(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static enum rc wait_for(int fd, short events, int64_t deadline_ms, struct err *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int64_t left_ms = deadline_ms - clock_mono_ms();
        int n = left_ms <= 0 ? 0 : poll(&p, 1, (int)left_ms);
        if (n > 0) {
            return RC_OK;
        }
        if (n == 0) {
            FAIL(err, RC_RETRY, "no answer in time");
        }
        if (errno != EINTR) {
            FAIL(err, RC_FATAL, "poll: %s", strerror(errno));
        }
    }
}

static bool to_sockaddr(const struct listen_address *address, struct sockaddr_storage *out, socklen_t *out_n)
{
    memset(out, 0, sizeof *out);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    if (inet_pton(AF_INET, address->host, &v4.sin_addr) == 1) {
        if (v4.sin_addr.s_addr == htonl(INADDR_ANY)) {
            v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        memcpy(out, &v4, sizeof v4);
        *out_n = sizeof v4;
        return true;
    }
    if (inet_pton(AF_INET6, address->host, &v6.sin6_addr) == 1) {
        if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) {
            v6.sin6_addr = in6addr_loopback;
        }
        memcpy(out, &v6, sizeof v6);
        *out_n = sizeof v6;
        return true;
    }
    return false;
}

static enum rc connect_to(const char *address, int64_t deadline_ms, int *out_fd, struct err *err)
{
    struct listen_address where = {0};
    TRY(listen_parse(address, &where, err));
    struct sockaddr_storage sa;
    socklen_t n = 0;
    if (!to_sockaddr(&where, &sa, &n)) {
        FAIL(err, RC_FATAL, "\"%.80s\" is not a numeric address", address);
    }
    *out_fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*out_fd < 0) {
        FAIL(err, RC_FATAL, "socket: %s", strerror(errno));
    }
    int why = connect(*out_fd, (const struct sockaddr *)&sa, n) == 0 ? 0 : errno;
    if (why == EINPROGRESS) {
        TRY(wait_for(*out_fd, POLLOUT, deadline_ms, err));
        socklen_t why_n = sizeof why;
        (void)getsockopt(*out_fd, SOL_SOCKET, SO_ERROR, &why, &why_n);
    }
    if (why != 0) {
        FAIL(err, RC_RETRY, "cannot connect to %s: %s", address, strerror(why));
    }
    return RC_OK;
}

static enum rc send_all(int fd, const struct buf *request, int64_t deadline_ms, struct err *err)
{
    size_t sent = 0;
    while (sent < request->len) {
        ssize_t n = send(fd, request->data + sent, request->len - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            TRY(wait_for(fd, POLLOUT, deadline_ms, err));
        } else if (errno != EINTR) {
            FAIL(err, RC_RETRY, "send: %s", strerror(errno));
        }
    }
    return RC_OK;
}

static enum rc receive_all(int fd, struct buf *answer, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        char piece[4096];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n == 0) {
            return RC_OK;
        }
        if (n > 0) {
            if (!buf_add(answer, piece, (size_t)n)) {
                FAIL(err, RC_REJECT, "the answer is larger than %zu bytes", answer->max);
            }
        } else if (errno == EAGAIN) {
            TRY(wait_for(fd, POLLIN, deadline_ms, err));
        } else if (errno != EINTR) {
            FAIL(err, RC_RETRY, "receive: %s", strerror(errno));
        }
    }
}

/* "HTTP/1.0 200 OK\r\n...\r\n\r\nbody" */
static enum rc parse_answer(const struct buf *answer, int *out_status, struct buf *body, struct err *err)
{
    const char *text = buf_str(answer);
    const char *end = memmem(text, answer->len, "\r\n\r\n", 4);
    bool is_http = answer->len > 12 && (strncmp(text, "HTTP/1.0 ", 9) == 0 || strncmp(text, "HTTP/1.1 ", 9) == 0);
    char digits[4] = {0};
    memcpy(digits, is_http ? text + 9 : "", is_http ? 3 : 0);
    int64_t status = 0;
    if (end == NULL || !option_parse_int(digits, 100, 599, &status)) {
        FAIL(err, RC_REJECT, "the answer is not HTTP");
    }
    if (!buf_add(body, end + 4, answer->len - (size_t)(end + 4 - text))) {
        FAIL(err, RC_REJECT, "the answer's body is larger than %zu bytes", body->max);
    }
    *out_status = (int)status;
    return RC_OK;
}

enum rc http_get(const char *address, const char *path, const char *token, int64_t timeout_ms, int *out_status,
                 struct buf *body, struct err *err)
{
    int64_t deadline_ms = clock_mono_ms() + timeout_ms;
    CLEANUP(closep) int fd = -1;
    TRY(connect_to(address, deadline_ms, &fd, err));
    CLEANUP(buf_done) struct buf request;
    buf_init(&request, 8192);
    /* HTTP/1.0: the answer ends with the connection and is never chunked. */
    (void)buf_printf(&request, "GET %s HTTP/1.0\r\nHost: %s\r\n", path, address);
    if (token != NULL && token[0] != '\0') {
        (void)buf_printf(&request, "Authorization: Bearer %s\r\n", token);
    }
    if (!buf_puts(&request, "\r\n")) {
        FAIL(err, RC_FATAL, "the request is larger than %zu bytes", request.max);
    }
    CLEANUP(buf_done) struct buf answer;
    buf_init(&answer, ANSWER_BYTES_MAX);
    TRY(send_all(fd, &request, deadline_ms, err));
    TRY(receive_all(fd, &answer, deadline_ms, err));
    return parse_answer(&answer, out_status, body, err);
}
