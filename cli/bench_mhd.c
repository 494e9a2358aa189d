/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of whoever takes calls: libmicrohttpd with the settings that services have (http/service.c), which reads
 * the body, asks what to answer, and has no database. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench_gateway.h"

#define BODY_MAX ((size_t)64 << 10)
#define HEADER_BYTES ((size_t)16 << 10)
#define IDLE_S 60U

/* One request. */
struct taken {
    struct buf body;
};

/* Thread: the server's. */
static enum MHD_Result on_request(void *opaque, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_n, void **state)
{
    const struct bench_mhd *l = opaque;
    struct taken *t = *state;

    (void)url;
    (void)method;
    (void)version;
    if (t == NULL) {
        *state = t = xcalloc(1, sizeof *t);
        buf_init(&t->body, BODY_MAX);
        return MHD_YES;
    }
    if (*data_n > 0) {
        (void)buf_add(&t->body, data, *data_n);
        *data_n = 0;
        return MHD_YES;
    }
    unsigned status = l->judge == NULL || l->judge(l->opaque, conn, &t->body) ? MHD_HTTP_OK : MHD_HTTP_UNAUTHORIZED;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(l->answer), (void *)(uintptr_t)l->answer, MHD_RESPMEM_PERSISTENT);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(conn, status, response);
    MHD_destroy_response(response);
    return result;
}

static void on_end(void *opaque, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode how)
{
    struct taken *t = *state;

    (void)opaque;
    (void)conn;
    (void)how;
    if (t != NULL) {
        buf_done(&t->body);
        free(t);
    }
    *state = NULL;
}

static double cpu_s(clockid_t clock)
{
    struct timespec ts = {.tv_sec = 0};
    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static enum rc measure(const struct bench_mhd *l, struct MHD_Daemon *daemon, struct gateway_pass *out, struct err *err)
{
    char address[BENCH_ADDRESS_MAX];
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    struct gateway_load load = {.base = l->base,
                                .what = "limit: libmicrohttpd",
                                .address = address,
                                .connections = l->connections,
                                .calls = l->calls,
                                .seconds = l->seconds};

    (void)snprintf(address, sizeof address, "127.0.0.1:%u", info == NULL ? 0U : (unsigned)info->port);
    double server_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s(CLOCK_THREAD_CPUTIME_ID);
    TRY(bench_gateway_load(&load, out, err));
    server_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s(CLOCK_THREAD_CPUTIME_ID) - server_s;
    out->server_busy = server_s / out->seconds;
    if (out->other > 0) {
        FAIL(err, RC_RETRY, "limit: a call of our own was refused");
    }
    return RC_OK;
}

enum rc bench_mhd_limit(struct bench_mhd *l, struct gateway_pass *out, struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, on_request, l,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT, (unsigned)l->connections + 64U,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * HEADER_BYTES + 4096,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);

    if (daemon == NULL) {
        FAIL(err, RC_FATAL, "limit: libmicrohttpd does not start");
    }
    enum rc rc = measure(l, daemon, out, err);
    MHD_stop_daemon(daemon);
    return rc;
}
