/* SPDX-License-Identifier: Apache-2.0 */
/* Parses addresses and opens listening sockets, looking for a free port where that is wanted. */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/option.h"
#include "http/holder.h"

#define BACKLOG 64

static enum rc malformed(const char *text, struct err *err)
{
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                  "\"%.80s\" is not an address; expected IP:PORT, e.g. 127.0.0.1:7001 or [::1]:7001", text);
    return err_code(err, ERR_CONFIG);
}

enum rc listen_parse(const char *text, struct listen_address *out_address, struct err *err)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return malformed(text, err);
    }
    const char *host = text;
    size_t host_n = (size_t)(colon - text);
    bool bracketed = host_n >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        host++;
        host_n -= 2;
    }
    int64_t port = 0;
    bool bare_v6 = !bracketed && memchr(host, ':', host_n) != NULL;
    if (host_n == 0 || host_n >= LISTEN_HOST_MAX || bare_v6 || !option_parse_int(colon + 1, 0, UINT16_MAX, &port)) {
        return malformed(text, err);
    }
    memcpy(out_address->host, host, host_n);
    out_address->host[host_n] = '\0';
    out_address->port = (uint16_t)port;
    return RC_OK;
}

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Names are not resolved: a listener must not depend on DNS. */
static bool to_sockaddr(const struct listen_address *address, uint16_t port, union socket_address *out,
                        socklen_t *out_n, bool *out_loopback)
{
    memset(out, 0, sizeof *out);
    const char *host = strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *out_n = sizeof out->v4;
        *out_loopback = ntohl(out->v4.sin_addr.s_addr) >> 24 == 127;
        return true;
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *out_n = sizeof out->v6;
        *out_loopback = IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr) != 0;
        return true;
    }
    return false;
}

/* The socket, or -1 with errno. */
static int try_listen(const union socket_address *address, socklen_t n)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Two that bind at once both succeed with SO_REUSEADDR; listen() then refuses the second. */
    if (bind(fd, &address->any, n) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static void describe(int fd, const char *host, char *out_text)
{
    union socket_address bound = {0};
    socklen_t n = sizeof bound;
    (void)getsockname(fd, &bound.any, &n);
    bool v6 = bound.any.sa_family == AF_INET6;
    unsigned port = ntohs(v6 ? bound.v6.sin6_port : bound.v4.sin_port);
    (void)snprintf(out_text, LISTEN_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", host, port);
}

/* A taken port is somebody's: an instance that was not ended, or another program. */
static enum rc taken(const struct listen_address *address, int why, struct err *err)
{
    struct port_holder holder;

    if (why != EADDRINUSE || !port_holder_find(address->port, &holder)) {
        FAIL(err, RC_FATAL, "cannot listen on %s:%u: %s", address->host, address->port, strerror(why));
    }
    if (holder.pid == 0) {
        FAIL(err, RC_FATAL, "cannot listen on %s:%u: %s, by a process of another user", address->host, address->port,
             strerror(why));
    }
    FAIL(err, RC_FATAL, "cannot listen on %s:%u: %s, by pid %d (%s)", address->host, address->port, strerror(why),
         (int)holder.pid, holder.command);
}

enum rc listen_open(const struct listen_address *address, unsigned tries, int *out_fd, char *out_text,
                    bool *out_loopback, struct err *err)
{
    int why = EADDRINUSE;
    for (unsigned i = 0; i < (tries == 0 ? 1 : tries) && address->port + i <= UINT16_MAX; i++) {
        union socket_address sa;
        socklen_t n = 0;
        if (!to_sockaddr(address, (uint16_t)(address->port + i), &sa, &n, out_loopback)) {
            return malformed(address->host, err);
        }
        int fd = try_listen(&sa, n);
        if (fd >= 0) {
            describe(fd, address->host, out_text);
            *out_fd = fd;
            return RC_OK;
        }
        why = errno;
        if (why != EADDRINUSE) {
            break;
        }
    }
    return taken(address, why, err);
}
