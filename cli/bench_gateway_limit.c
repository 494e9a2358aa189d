/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: libmicrohttpd with the settings that services have (http/service.c), which verifies the signature of each
 * body with a key that was read once, and answers. No accounts, no database, nothing decrypted. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench_gateway.h"
#include "crypto/base64.h"

#define BODY_MAX ((size_t)64 << 10)
#define HEADER_BYTES ((size_t)16 << 10)
#define SIGNATURE_BYTES 512
#define IDLE_S 60U

static const char ANSWER[] = "{\"code\":\"SUCCESS\",\"message\":\"\"}";

struct limit {
    EVP_PKEY *key;
    EVP_MD_CTX *ctx; /* the server's thread */
};

/* One request. */
struct taken {
    struct buf body;
};

static const char *header(struct MHD_Connection *conn, const char *name)
{
    const char *value = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
    return value == NULL ? "" : value;
}

static bool verify(struct limit *l, struct MHD_Connection *conn, const struct buf *body)
{
    unsigned char signature[SIGNATURE_BYTES];
    size_t n = 0;
    const char *text = header(conn, "Wechatpay-Signature");
    const char *parts[] = {header(conn, "Wechatpay-Timestamp"), header(conn, "Wechatpay-Nonce"), buf_str(body)};

    if (!base64_decode(text, strlen(text), signature, sizeof signature, &n) ||
        EVP_DigestVerifyInit(l->ctx, NULL, EVP_sha256(), NULL, l->key) != 1) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (EVP_DigestVerifyUpdate(l->ctx, parts[i], strlen(parts[i])) != 1 ||
            EVP_DigestVerifyUpdate(l->ctx, "\n", 1) != 1) {
            return false;
        }
    }
    return EVP_DigestVerifyFinal(l->ctx, signature, n) == 1;
}

/* Thread: the server's. */
static enum MHD_Result on_request(void *opaque, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_n, void **state)
{
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
    unsigned status = verify(opaque, conn, &t->body) ? MHD_HTTP_OK : MHD_HTTP_UNAUTHORIZED;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof ANSWER - 1, (void *)(uintptr_t)ANSWER, MHD_RESPMEM_PERSISTENT);
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

static enum rc measure(struct gateway_bench *b, const struct gateway_calls *calls, struct MHD_Daemon *daemon,
                       struct err *err)
{
    char address[BENCH_ADDRESS_MAX];
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    struct gateway_load load = {.base = &b->base,
                                .what = "limit: libmicrohttpd",
                                .address = address,
                                .connections = b->connections,
                                .calls = calls,
                                .seconds = b->limit_seconds};

    (void)snprintf(address, sizeof address, "127.0.0.1:%u", info == NULL ? 0U : (unsigned)info->port);
    double server_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s(CLOCK_THREAD_CPUTIME_ID);
    TRY(bench_gateway_load(&load, &b->limit, err));
    server_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s(CLOCK_THREAD_CPUTIME_ID) - server_s;
    b->limit.server_busy = server_s / b->limit.seconds;
    if (b->limit.other > 0) {
        FAIL(err, RC_RETRY, "limit: a signature of our own was refused");
    }
    return RC_OK;
}

static struct MHD_Daemon *start(struct gateway_bench *b, struct limit *l)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
                            on_request, l, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)b->connections + 64U, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * HEADER_BYTES + 4096, MHD_OPTION_STRICT_FOR_CLIENT,
                            1, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
}

enum rc bench_gateway_limit(struct gateway_bench *b, const struct gateway_calls *calls, struct err *err)
{
    struct limit l = {.key = b->keys.platform, .ctx = EVP_MD_CTX_new()};
    struct MHD_Daemon *daemon = l.ctx == NULL ? NULL : start(b, &l);
    enum rc rc = RC_OK;

    if (daemon == NULL) {
        rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "limit: libmicrohttpd does not start");
    } else {
        rc = measure(b, calls, daemon, err);
        MHD_stop_daemon(daemon);
    }
    EVP_MD_CTX_free(l.ctx);
    return rc;
}
