/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a service: listening, draining, stopping. */
#include "http/service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/service_internal.h"

#define SPARE_CONNECTIONS 64 /* that are told 503 rather than kept waiting */
#define OTHER_BYTES 8192     /* beside the request's header: libmicrohttpd's list of it, and the answer's header */
/*
 * Above 32 KiB libmicrohttpd maps a connection's memory: pages nobody has written to cost nothing, which is most of a
 * connection without a request (after one, all of them are written to), and all go back when it ends.
 */
#define CONNECTION_BYTES_MIN ((size_t)36 << 10)
/* Nothing older than TLS 1.2, and of that only what has forward secrecy and authenticates what it encrypts. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-SHA1:-AES-128-CBC:-AES-256-CBC"
#define PROXY_HEADER_MS_MAX 5000

static enum rc open_socket(struct service *s, struct err *err)
{
    struct listen_address address;
    bool loopback = false;
    TRY(listen_parse(s->opt.address, &address, err));
    TRY(listen_open(&address, 1, &s->listen_fd, s->address, &loopback, err));
    if (loopback || s->opt.callers != NULL || s->opt.routes_tell) {
        return RC_OK;
    }
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                  "%s is reachable from other machines: set %s, or listen on 127.0.0.1", s->address,
                  s->opt.tokens_option);
    return err_code(err, ERR_CONFIG);
}

/* Escapes stay in: targets are cut before they are decoded. */
static size_t keep_escapes(void *opaque, struct MHD_Connection *conn, char *text)
{
    (void)opaque;
    (void)conn;
    return strlen(text);
}

static enum rc start_acceptor(struct service *s, struct err *err)
{
    int64_t request_ms = s->opt.limits.request_ms;
    const struct acceptor_options opt = {.listen_fd = s->listen_fd,
                                         .daemon = s->daemon,
                                         .proxies = &s->proxies,
                                         .header_ms =
                                             request_ms < PROXY_HEADER_MS_MAX ? request_ms : PROXY_HEADER_MS_MAX};
    return acceptor_start(&opt, &s->acceptor, err);
}

static enum rc start_daemon(struct service *s, struct err *err)
{
    const struct service_limits *limits = &s->opt.limits;
    unsigned idle_s = (unsigned)((limits->idle_ms + 999) / 1000);
    size_t conn_bytes = limits->header_bytes + OTHER_BYTES;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    struct MHD_OptionItem more[5] = {{MHD_OPTION_END, 0, NULL}};
    size_t n = 0;
    if (s->opt.proxy_protocol) {
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    } else {
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL};
    }
    if (s->opt.tls != NULL) {
        flags |= MHD_USE_TLS;
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, s->opt.tls->cert};
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, s->opt.tls->key};
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES};
    }
    more[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, request_go_on, s, MHD_OPTION_ARRAY, more, MHD_OPTION_CONNECTION_LIMIT,
        limits->connections + SPARE_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, limits->connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        conn_bytes < CONNECTION_BYTES_MIN ? CONNECTION_BYTES_MIN : conn_bytes, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, request_begin, s, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, request_end, s, MHD_OPTION_NOTIFY_CONNECTION, conn_notify, s, MHD_OPTION_END);
    if (s->daemon == NULL) {
        FAIL(err, RC_FATAL, "cannot start an HTTP server on %s", s->address);
    }
    if (s->opt.proxy_protocol) {
        return start_acceptor(s, err);
    }
    s->listen_fd = -1; /* the daemon's now */
    return RC_OK;
}

enum rc service_start(const struct service_options *opt, struct service **out_service, struct err *err)
{
    struct service *s = xcalloc(1, sizeof *s);
    s->opt = *opt;
    s->listen_fd = -1;
    s->tls = opt->tls != NULL;
    s->share_seed = clock_random();
    if (opt->proxies != NULL) {
        s->proxies = *opt->proxies;
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    clock_condition_init(&s->changed);
    enum rc rc = open_socket(s, err);
    if (rc == RC_OK) {
        rc = guard_start(s, err);
    }
    if (rc == RC_OK) {
        rc = start_daemon(s, err);
    }
    s->opt.tls = NULL; /* ours no longer */
    if (rc != RC_OK) {
        (void)service_stop(s, 0);
        return rc;
    }
    *out_service = s;
    return RC_OK;
}

const char *service_address(const struct service *s)
{
    return s->address;
}

unsigned service_parked(struct service *s)
{
    return atomic_load(&s->places);
}

unsigned service_connections(struct service *s)
{
    return atomic_load(&s->connections);
}

void service_drain(struct service *s)
{
    if (s->drained || s->daemon == NULL) {
        return;
    }
    s->drained = true;
    atomic_store(&s->stopping, true);
    if (s->opt.proxy_protocol) {
        s->acceptor = acceptor_stop(s->acceptor);
    } else {
        s->listen_fd = MHD_quiesce_daemon(s->daemon); /* ours again */
    }
    if (s->listen_fd >= 0) {
        (void)shutdown(s->listen_fd, SHUT_RDWR);
    }
}

/* Whoever was parked and forgotten. */
static void answer_parked(struct service *s)
{
    for (;;) {
        (void)pthread_mutex_lock(&s->lock);
        struct http_call *call = s->parked;
        (void)pthread_mutex_unlock(&s->lock);
        if (call == NULL) {
            return;
        }
        struct problem problem = {.retry_after_s = 1};
        problem_set(&problem, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping", NULL, "this instance is being stopped");
        call_problem(call, &problem);
        call_finish(call);
    }
}

struct service *service_stop(struct service *s, int64_t grace_ms)
{
    if (s == NULL) {
        return NULL;
    }
    service_drain(s);
    answer_parked(s);
    int64_t until_ms = clock_mono_ms() + grace_ms;
    while (atomic_load(&s->open_calls) > 0 && clock_mono_ms() < until_ms) {
        clock_sleep_ms(5);
    }
    answer_parked(s);
    guard_stop(s);
    if (s->daemon != NULL) {
        MHD_stop_daemon(s->daemon);
    }
    if (s->listen_fd >= 0) {
        (void)close(s->listen_fd);
    }
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_cond_destroy(&s->changed);
    free(s);
    return NULL;
}
