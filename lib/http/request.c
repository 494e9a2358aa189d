/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a request, from its first line to the answer. On libmicrohttpd's thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/header_text.h"
#include "http/response.h"
#include "http/service_internal.h"

#define BUSY_RETRY_AFTER_S 1
#define STOPPING_RETRY_AFTER_S 1
#define NAME_SHOWN_MAX 60 /* bytes of a parameter's name */

/* ---------------------------------------------------------------------------------------------------- begin, end */

void *request_begin(void *opaque, const char *uri, struct MHD_Connection *conn)
{
    struct service *s = opaque;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_call *call = xcalloc(1, sizeof *call);
    call->service = s;
    call->conn = conn;
    call->link = info->socket_context;
    call->began_us = clock_mono_us();
    call->caller = "";
    call->request_id = "";
    arena_init(&call->arena, 2048);
    buf_init(&call->body, 0);
    buf_init(&call->answer, 0);
    call->raw_target = uri;
    call->raw_target_n = strlen(uri);
    call->target_ok = route_target_parse(uri, &call->arena, &call->target);
    (void)atomic_fetch_add(&s->open_calls, 1);
    conn_set_phase(s, call->link, CONN_RECEIVING);
    return call;
}

/* What was said past libmicrohttpd; 0: nothing. */
static unsigned cut_status(struct service *s, const struct http_conn *link)
{
    (void)pthread_mutex_lock(&s->lock);
    unsigned status = link->cut;
    (void)pthread_mutex_unlock(&s->lock);
    return status;
}

void request_end(void *opaque, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode how)
{
    struct service *s = opaque;
    struct http_call *call = *state;
    (void)conn;
    (void)how;
    if (call == NULL) {
        return;
    }
    unsigned status = call->queued ? call->status : cut_status(s, call->link);
    if (status != 0 && s->opt.done != NULL) {
        s->opt.done(s->opt.opaque, call->route, call->dispatched, status,
                    (double)(clock_mono_us() - call->began_us) / 1e6);
    }
    if (call->holds_share) {
        share_give_back(call);
    }
    if (call->holds_place) {
        (void)atomic_fetch_sub(&s->places, 1);
    }
    conn_set_phase(s, call->link, CONN_IDLE);
    buf_done(&call->body);
    buf_done(&call->answer);
    arena_done(&call->arena);
    free(call);
    *state = NULL;
    (void)atomic_fetch_sub(&s->open_calls, 1);
}

/* ---------------------------------------------------------------------------------------------------- answering */

static enum MHD_Result send_answer(struct http_call *call)
{
    struct MHD_Response *response = response_make(&call->answer, call->content_type);
    if (response == NULL) {
        return MHD_NO;
    }
    if (call->request_id[0] != '\0') {
        (void)MHD_add_response_header(response, "X-Request-Id", call->request_id);
    }
    for (size_t i = 0; i < call->n_headers; i++) {
        (void)MHD_add_response_header(response, call->headers[i].name, call->headers[i].value);
    }
    if (call->close || atomic_load(&call->service->stopping) ||
        atomic_load(&call->service->connections) > call->service->opt.limits.kept) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    conn_set_phase(call->service, call->link, CONN_SENDING);
    enum MHD_Result result = MHD_queue_response(call->conn, call->status, response);
    MHD_destroy_response(response);
    call->queued = result == MHD_YES;
    return result;
}

static enum MHD_Result refuse(struct http_call *call, unsigned status, const char *code, const char *detail)
{
    struct problem problem = {0};
    problem_set(&problem, status, code, NULL, "%s", detail);
    problem.retry_after_s = status == MHD_HTTP_SERVICE_UNAVAILABLE ? BUSY_RETRY_AFTER_S : 0;
    call_problem(call, &problem);
    return send_answer(call);
}

/* ---------------------------------------------------------------------------------------------------- header */

static bool id_ok(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~@/+=-");
    return s[n] == '\0' && n > 0 && n <= REQUEST_ID_MAX;
}

/* Version 00 of W3C trace context: 00-32 digits-16 digits-2 digits, lower case. */
static bool traceparent_ok(const char *s)
{
    static const char FORM[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    if (strlen(s) != TRACEPARENT_LEN) {
        return false;
    }
    for (size_t i = 0; i < TRACEPARENT_LEN; i++) {
        bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
        if (FORM[i] == 'x' ? !hex : s[i] != FORM[i]) {
            return false;
        }
    }
    return strspn(s + 3, "0") < 32 && strspn(s + 36, "0") < 16;
}

static void read_ids(struct http_call *call)
{
    const char *given = call_header(call, "X-Request-Id");
    const char *trace = call_header(call, "traceparent");
    char own[17];
    if (given == NULL || !id_ok(given)) {
        (void)snprintf(own, sizeof own, "%016" PRIx64, clock_random());
        given = own;
    }
    call->request_id = arena_strndup(&call->arena, given, strlen(given));
    if (trace != NULL && traceparent_ok(trace)) {
        call->traceparent = arena_strndup(&call->arena, trace, strlen(trace));
    }
}

static size_t header_bytes(struct http_call *call)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(call->conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

/* Who calls is decided before it is said which paths there are. */
static bool find_route(struct http_call *call, const char *method, enum route_result *out_found,
                       char allow[ROUTE_ALLOW_MAX])
{
    const struct service_options *opt = &call->service->opt;
    size_t i = 0;
    *out_found = route_find(opt->routes, opt->n_routes, sizeof opt->routes[0], method, &call->target, &i, allow);
    if (*out_found == ROUTE_FOUND) {
        call->route = &opt->routes[i];
        (void)route_match(call->route->key.pattern, &call->target, call->ids, TARGET_SEGMENTS_MAX);
        if (call->route->open) {
            return true;
        }
    }
    call->caller = opt->callers == NULL ? SERVICE_LOCAL_CALLER
                                        : callers_find(opt->callers, call_header(call, MHD_HTTP_HEADER_AUTHORIZATION));
    return call->caller != NULL;
}

static bool take_place(struct http_call *call)
{
    struct service *s = call->service;
    if (!call->route->may_park) {
        return true;
    }
    if (atomic_fetch_add(&s->places, 1) >= s->opt.limits.parked) {
        (void)atomic_fetch_sub(&s->places, 1);
        return false;
    }
    call->holds_place = true;
    return !call->route->open || share_take(call);
}

/* The length that was announced: -1 none but a body comes (chunked), 0 no body. */
static int64_t announced(struct http_call *call)
{
    const char *length = call_header(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (call_header(call, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL) {
        return -1;
    }
    return length == NULL ? 0 : strtoll(length, NULL, 10); /* libmicrohttpd has checked it; too large is the largest */
}

static enum MHD_Result check_body(struct http_call *call)
{
    const struct service_limits *limits = &call->service->opt.limits;
    size_t max = call->route->body_bytes < limits->body_bytes ? call->route->body_bytes : limits->body_bytes;
    int64_t n = announced(call);
    if (n > 0 && (uint64_t)n > max) {
        return refuse(call, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large",
                      max == 0 ? "no body is expected here" : "the body is too large");
    }
    const char *type = call_header(call, MHD_HTTP_HEADER_CONTENT_TYPE);
    if (call->route->media != NULL && n != 0 && (type == NULL || !header_media_is(type, call->route->media))) {
        return refuse(call, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "media_type_unsupported",
                      "Content-Type: expected application/json");
    }
    buf_init(&call->body, max);
    return MHD_YES;
}

static enum MHD_Result refuse_route(struct http_call *call, enum route_result found, const char *allow)
{
    if (found == ROUTE_NO_PATH) {
        return refuse(call, MHD_HTTP_NOT_FOUND, "not_found", "there is no such path");
    }
    call_set_header(call, MHD_HTTP_HEADER_ALLOW, "%s", allow);
    return refuse(call, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", "the path has other methods, see Allow");
}

/* A misspelt `from` must not give all there is. */
static enum MHD_Result refuse_parameter(struct http_call *call, const char *name)
{
    struct problem problem = {0};
    bool shown = name[0] != '\0' && strlen(name) <= NAME_SHOWN_MAX;
    problem_set(&problem, MHD_HTTP_BAD_REQUEST, "parameter_invalid", shown ? name : NULL,
                "%s%sthere is no such parameter", shown ? name : "", shown ? ": " : "");
    call_problem(call, &problem);
    return send_answer(call);
}

/* Everything that can be said before the body is there. */
static enum MHD_Result check_header(struct http_call *call, const char *method, const char *version)
{
    char allow[ROUTE_ALLOW_MAX];
    enum route_result found = ROUTE_NO_PATH;
    read_ids(call);
    origin_find(call);
    call->close = true; /* of a refusal: the body is not read */
    if (call->link->over) {
        return refuse(call, MHD_HTTP_SERVICE_UNAVAILABLE, "too_many_connections", "too many connections are open");
    }
    if (header_bytes(call) > call->service->opt.limits.header_bytes) {
        return refuse(call, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "header_too_large", "the header is too large");
    }
    const char *why = strict_refusal(call, method, version, header_bytes(call));
    if (why != NULL) {
        return refuse(call, MHD_HTTP_BAD_REQUEST, "header_malformed", why);
    }
    if (!call->target_ok) {
        return refuse(call, MHD_HTTP_BAD_REQUEST, "target_malformed",
                      "the path or its parameters are malformed; each parameter may stand there once");
    }
    call->close = announced(call) != 0;
    if (!find_route(call, method, &found, allow)) {
        call->route = NULL;
        call->caller = "";
        call_set_header(call, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
        return refuse(call, MHD_HTTP_UNAUTHORIZED, "unauthorized", "a bearer token of a caller is needed");
    }
    if (found != ROUTE_FOUND) {
        return refuse_route(call, found, allow);
    }
    const char *unknown = route_parameter_unknown(&call->target, call->route->parameters);
    if (unknown != NULL) {
        return refuse_parameter(call, unknown);
    }
    if (atomic_load(&call->service->stopping)) {
        return refuse(call, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping", "this instance is being stopped");
    }
    if (!take_place(call)) {
        return refuse(call, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "too many requests are waiting");
    }
    enum MHD_Result result = check_body(call);
    if (!call->queued) {
        /* Where a chunked body ends is read too leniently to trust what follows it. */
        call->close = announced(call) < 0;
    }
    return result;
}

/* ---------------------------------------------------------------------------------------------------- the body, the
 * rest */

static enum MHD_Result take_data(struct http_call *call, const char *data, size_t *data_n)
{
    struct service *s = call->service;
    (void)buf_add(&call->body, data, *data_n);
    *data_n = 0;
    if (!call->body.overflow) {
        return MHD_YES;
    }
    /* Only a body of unknown length gets here; no answer is taken from us in the middle of it. */
    (void)pthread_mutex_lock(&s->lock);
    conn_cut(call->link, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large", "the body is too large");
    (void)pthread_mutex_unlock(&s->lock);
    return MHD_NO;
}

/* False: the answer is there already. Otherwise the connection is suspended and somebody will finish the call. */
static bool park(struct http_call *call)
{
    struct service *s = call->service;
    (void)pthread_mutex_lock(&s->lock);
    bool parks = !call->finished;
    if (parks) {
        call->parked = true;
        call->next_parked = s->parked;
        if (s->parked != NULL) {
            s->parked->prev_parked = call;
        }
        s->parked = call;
        MHD_suspend_connection(call->conn);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return parks;
}

static enum MHD_Result dispatch(struct http_call *call)
{
    conn_set_phase(call->service, call->link, CONN_WORKING);
    if (call->route->handle(call, call->service->opt.opaque) == CALL_PARKED && park(call)) {
        return MHD_YES;
    }
    return send_answer(call);
}

enum MHD_Result request_go_on(void *opaque, struct MHD_Connection *conn, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_n, void **state)
{
    struct http_call *call = *state;
    (void)opaque;
    (void)conn;
    (void)url;
    if (!call->checked) {
        call->checked = true;
        return check_header(call, method, version);
    }
    if (*data_n > 0) {
        return take_data(call, data, data_n);
    }
    if (!call->dispatched) {
        call->dispatched = true;
        return dispatch(call);
    }
    return call->has_answer ? send_answer(call) : MHD_NO;
}
