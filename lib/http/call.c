/* SPDX-License-Identifier: Apache-2.0 */
/* What a route's function sees of a request, and what it says to it. */
#include "http/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "http/header_text.h"
#include "http/service_internal.h"

#define HEADER_VALUE_MAX 1000

const char *call_id(const struct http_call *call, const char *name)
{
    int i = call->route == NULL ? -1 : route_id_index(call->route->key.pattern, name);
    return i < 0 ? NULL : call->ids[i];
}

const struct route_target *call_target(const struct http_call *call)
{
    return &call->target;
}

const char *call_header(const struct http_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->conn, MHD_HEADER_KIND, name);
}

struct gathering {
    struct arena *arena;
    struct header_line *lines;
    size_t n;
    bool bad;
};

static enum MHD_Result gather(void *opaque, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
                              size_t value_n)
{
    struct gathering *g = opaque;
    (void)kind;
    while (value_n > 0 && (value[value_n - 1] == ' ' || value[value_n - 1] == '\t')) {
        value_n--;
    }
    while (value_n > 0 && (value[0] == ' ' || value[0] == '\t')) {
        value++;
        value_n--;
    }
    if (g->n == HEADER_FILE_LINES_MAX || name_n != strlen(name) ||
        (value_n > 0 && memchr(value, '\0', value_n) != NULL)) {
        g->bad = true;
        return MHD_NO;
    }
    struct header_line *line = &g->lines[g->n++];
    line->name = arena_strndup(g->arena, name, name_n);
    line->value = arena_strndup(g->arena, value, value_n);
    g->bad = g->bad || !header_name_ok(line->name) || !header_value_ok(line->value);
    return MHD_YES;
}

bool call_headers(struct http_call *call, const struct header_line **out_lines, size_t *out_n)
{
    int n = MHD_get_connection_values(call->conn, MHD_HEADER_KIND, NULL, NULL);
    n = n < HEADER_FILE_LINES_MAX ? n : HEADER_FILE_LINES_MAX;
    struct gathering g = {.arena = &call->arena,
                          .lines = arena_alloc(&call->arena, ((size_t)n + 1) * sizeof(struct header_line))};
    (void)MHD_get_connection_values_n(call->conn, MHD_HEADER_KIND, gather, &g);
    *out_lines = g.lines;
    *out_n = g.n;
    return !g.bad;
}

const char *call_address(const struct http_call *call)
{
    return call->address;
}

const char *call_caller(const struct http_call *call)
{
    return call->caller;
}

const char *call_traceparent(const struct http_call *call)
{
    return call->traceparent;
}

const struct buf *call_body(const struct http_call *call)
{
    return &call->body;
}

struct arena *call_arena(struct http_call *call)
{
    return &call->arena;
}

bool call_gone(const struct http_call *call)
{
    char c = 0;
    ssize_t got = recv(call->link->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT); /* nobody else reads it while it is parked */
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* ---------------------------------------------------------------------------------------------------- Prefer */

/* One preference, "wait=10" or "respond-async"; -1: another one, or none that can be honoured. */
static int wait_of(const char *text, size_t n)
{
    int seconds = 0;
    while (n > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        n--;
    }
    if (n < 6 || strncasecmp(text, "wait=", 5) != 0) {
        return -1;
    }
    for (size_t i = 5; i < n && text[i] != ' ' && text[i] != '\t' && text[i] != ';'; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        seconds = seconds > CALL_WAIT_MAX_S ? seconds : seconds * 10 + (text[i] - '0');
    }
    return seconds > CALL_WAIT_MAX_S ? CALL_WAIT_MAX_S : seconds;
}

/* The first preference of a name counts (RFC 7240, section 2). */
static enum MHD_Result look_for_wait(void *opaque, enum MHD_ValueKind kind, const char *name, const char *value)
{
    int *out = opaque;
    (void)kind;
    if (value == NULL || strcasecmp(name, "Prefer") != 0) {
        return MHD_YES;
    }
    while (*out < 0 && *value != '\0') {
        size_t n = strcspn(value, ",");
        *out = wait_of(value, n);
        value += n;
        value += *value == ',' ? 1 : 0;
    }
    return MHD_YES;
}

int call_wait_s(const struct http_call *call)
{
    int seconds = -1;
    (void)MHD_get_connection_values(call->conn, MHD_HEADER_KIND, look_for_wait, &seconds);
    return seconds;
}

/* ---------------------------------------------------------------------------------------------------- answers */

void call_set_header(struct http_call *call, const char *name, const char *fmt, ...)
{
    char value[HEADER_VALUE_MAX];
    va_list ap;
    if (call->has_answer || call->n_headers == CALL_HEADERS_MAX) {
        return;
    }
    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return;
    }
    call->headers[call->n_headers++] =
        (struct call_header_line){name, arena_strndup(&call->arena, value, strlen(value))};
}

void call_answer(struct http_call *call, unsigned status, const char *content_type, struct buf *body)
{
    if (call->has_answer) {
        return;
    }
    call->has_answer = true;
    call->status = status;
    call->content_type = content_type;
    if (body != NULL) {
        buf_done(&call->answer);
        call->answer = *body;
        buf_init(body, 0);
    }
    if (call->answer.overflow) { /* a bound of ours was wrong: never half an answer */
        call->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        buf_clear(&call->answer);
    }
}

void call_problem(struct http_call *call, const struct problem *problem)
{
    struct buf body;
    if (call->has_answer) {
        return;
    }
    buf_init(&body, 8192);
    problem_json(problem, call->target.path, &body);
    if (body.overflow) { /* a path of some thousand bytes */
        buf_clear(&body);
        problem_json(problem, NULL, &body);
    }
    if (problem->retry_after_s > 0) {
        call_set_header(call, "Retry-After", "%u", problem->retry_after_s);
    }
    call_answer(call, problem->status, PROBLEM_MEDIA_TYPE, &body);
}

void call_finish(struct http_call *call)
{
    struct service *s = call->service;
    struct MHD_Connection *conn = call->conn;
    (void)pthread_mutex_lock(&s->lock);
    call->finished = true;
    bool resume = call->parked;
    if (resume) {
        call->parked = false;
        if (call->next_parked != NULL) {
            call->next_parked->prev_parked = call->prev_parked;
        }
        if (call->prev_parked != NULL) {
            call->prev_parked->next_parked = call->next_parked;
        } else {
            s->parked = call->next_parked;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    /* Not under the lock: libmicrohttpd has one of its own. Until it is resumed, a call cannot go. */
    if (resume) {
        MHD_resume_connection(conn);
    }
}
