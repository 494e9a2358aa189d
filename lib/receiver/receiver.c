/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver on libmicrohttpd: bodies are collected as they come, then decided in one place. */
#include "receiver/receiver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "receiver/receiver_internal.h"

#define CONNECTION_BYTES_MAX ((size_t)32 << 10)
#define IDLE_SECONDS_MAX 120
#define STATS_BYTES_MAX ((size_t)256 << 20)
#define LINE_BYTES_MAX ((size_t)16 << 10)

void receiver_stats(struct receiver *r, bool with_ids, struct buf *out)
{
    (void)pthread_mutex_lock(&r->lock);
    tally_json(&r->tally, with_ids, out);
    if (r->pushes.requests > 0 && out->len > 2) {
        out->len -= 2; /* "}\n" */
        (void)buf_puts(out, ", \"push\": ");
        pushes_json(&r->pushes, with_ids, out);
        (void)buf_puts(out, "}\n");
    }
    (void)pthread_mutex_unlock(&r->lock);
}

void receiver_hang(struct receiver *r, bool hang)
{
    (void)pthread_mutex_lock(&r->lock);
    r->hang = hang;
    (void)pthread_cond_signal(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

static enum MHD_Result stats(struct request *q)
{
    const char *ids = MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, "ids");
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, STATS_BYTES_MAX);
    receiver_stats(q->r, ids != NULL && strcmp(ids, "1") == 0, &out);
    return request_answer(q, MHD_HTTP_OK, buf_str(&out), NULL, NULL);
}

static void count_verdict(struct request *q)
{
    (void)pthread_mutex_lock(&q->r->lock);
    q->r->tally.verdicts[q->reason] += q->r->opt.n_platforms > 0 ? 1 : 0;
    (void)pthread_mutex_unlock(&q->r->lock);
}

static enum MHD_Result callback(struct request *q)
{
    const char *wanted = MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, "do");
    if (!behave_parse(wanted != NULL ? wanted : q->path, &q->behave)) {
        return request_answer(q, MHD_HTTP_BAD_REQUEST, "{\"error\": \"no such behaviour\"}\n", NULL, NULL);
    }
    q->reason = request_verify(q);
    count_verdict(q);
    if (q->reason != WEBHOOK_OK) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"ok\": false, \"reason\": \"%s\"}\n", webhook_reason_name(q->reason));
        return request_answer(q, MHD_HTTP_UNAUTHORIZED, text, NULL, NULL);
    }
    if (mended_covers(&q->r->mended, q->path)) {
        q->behave = (struct behave){.kind = BEHAVE_OK};
    }
    request_count(q);
    return request_behave(q);
}

static enum MHD_Result decide(struct request *q)
{
    bool is_get = strcmp(q->method, MHD_HTTP_METHOD_GET) == 0;
    if (q->body.overflow) {
        return request_answer(q, MHD_HTTP_CONTENT_TOO_LARGE, "{\"error\": \"the body is too large\"}\n", NULL, NULL);
    }
    if (is_get && strcmp(q->path, "/stats") == 0) {
        return stats(q);
    }
    if (strcmp(q->method, MHD_HTTP_METHOD_POST) != 0) {
        return request_answer(q, MHD_HTTP_METHOD_NOT_ALLOWED, "{\"error\": \"POST a callback, or GET /stats\"}\n",
                              MHD_HTTP_HEADER_ALLOW, "POST");
    }
    if (strncmp(q->path, "/push", 5) == 0 && (q->path[5] == '\0' || q->path[5] == '/')) {
        return push_route(q);
    }
    return strcmp(q->path, "/control") == 0 ? request_control(q) : callback(q);
}

static enum MHD_Result on_request(void *opaque, struct MHD_Connection *conn, const char *path, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **request_state)
{
    (void)version;
    struct request *q = *request_state;
    if (q == NULL) {
        q = xcalloc(1, sizeof *q);
        *q = (struct request){.r = opaque, .conn = conn, .method = method, .began_ms = clock_mono_ms()};
        buf_init(&q->body, RECEIVER_BODY_BYTES_MAX);
        q->path = xstrdup(path);
        *request_state = q;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        (void)buf_add(&q->body, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return MHD_YES;
    }
    if (!q->decided) {
        q->decided = true;
        return decide(q);
    }
    return q->gone ? MHD_NO : request_behave(q);
}

static void write_line(const struct request *q, bool complete)
{
    CLEANUP(buf_done) struct buf line;
    char ts[CLOCK_RFC3339_MAX];
    buf_init(&line, LINE_BYTES_MAX);
    clock_rfc3339(clock_utc_us(), ts);
    (void)buf_printf(&line, "{\"ts\": \"%s\", \"path\": ", ts);
    (void)buf_json_string(&line, q->path, strnlen(q->path, 1024));
    (void)buf_puts(&line, ", \"id\": ");
    (void)(q->id == NULL ? buf_puts(&line, "null") : buf_json_string(&line, q->id, strnlen(q->id, 256)));
    (void)buf_puts(&line, ", \"platform\": ");
    (void)(q->platform == NULL ? buf_puts(&line, "null") : buf_json_string(&line, q->platform, strlen(q->platform)));
    (void)buf_printf(&line,
                     ", \"verdict\": \"%s\", \"attempt\": %" PRIu32
                     ", \"duplicate\": %s, \"status\": %u, \"complete\": %s, \"bytes\": %zu, \"ms\": %lld}",
                     webhook_reason_name(q->reason), q->counted ? q->mark.attempt : 0,
                     q->mark.duplicate ? "true" : "false", q->answered ? q->status : 0, complete ? "true" : "false",
                     q->body.len, (long long)(clock_mono_ms() - q->began_ms));
    q->r->opt.on_line(q->r->opt.opaque, buf_str(&line));
}

static void on_completed(void *opaque, struct MHD_Connection *conn, void **request_state,
                         enum MHD_RequestTerminationCode how)
{
    (void)opaque;
    (void)conn;
    struct request *q = *request_state;
    if (q == NULL) {
        return;
    }
    bool complete = how == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (q->counted) {
        (void)pthread_mutex_lock(&q->r->lock);
        q->r->tally.abandoned += complete ? 0 : 1;
        tally_end(&q->r->tally, &q->mark);
        (void)pthread_mutex_unlock(&q->r->lock);
    }
    bool is_callback = q->counted || q->is_push || q->reason != WEBHOOK_OK;
    if (is_callback && q->r->opt.on_line != NULL) {
        write_line(q, complete);
    }
    push_done(q);
    buf_done(&q->body);
    free(q->path);
    free(q->id);
    free(q);
    *request_state = NULL;
}

enum rc receiver_start(const struct receiver_options *opt, struct receiver **out_receiver, struct err *err)
{
    struct listen_address address;
    bool loopback = false;
    int fd = -1;
    TRY(listen_parse(opt->address, &address, err));
    struct receiver *r = xcalloc(1, sizeof *r);
    r->opt = *opt;
    r->hang = true;
    tally_init(&r->tally, opt->ids_max == 0 ? RECEIVER_IDS_MAX : opt->ids_max);
    pushes_init(&r->pushes, opt->ids_max == 0 ? RECEIVER_IDS_MAX : opt->ids_max);
    enum rc rc = waiter_start(r, err);
    if (rc == RC_OK) {
        rc = listen_open(&address, 1, &fd, r->address, &loopback, err);
    }
    if (rc == RC_OK) {
        r->daemon = MHD_start_daemon(
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, r,
            MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)RECEIVER_CONNECTIONS_MAX,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            CONNECTION_BYTES_MAX, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    }
    if (r->daemon == NULL) {
        if (fd >= 0) {
            (void)close(fd);
            rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "cannot start an HTTP server on %s", r->address);
        }
        (void)receiver_stop(r);
        return rc;
    }
    *out_receiver = r;
    return RC_OK;
}

struct receiver *receiver_stop(struct receiver *r)
{
    if (r == NULL) {
        return NULL;
    }
    waiter_stop(r);
    if (r->daemon != NULL) {
        MHD_stop_daemon(r->daemon); /* closes the listening socket and ends each request */
    }
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->changed);
    tally_done(&r->tally);
    pushes_done(&r->pushes);
    free(r);
    return NULL;
}

const char *receiver_address(const struct receiver *r)
{
    return r->address;
}
