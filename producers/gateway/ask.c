/* SPDX-License-Identifier: Apache-2.0 */
/* What the routes' functions have in common. */
#include "gateway/ask.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/check.h"
#include "ledger/ledger.h"

#define PAYLOAD_BYTES_MAX ((size_t)1 << 20)

struct job *ask_job(struct http_call *call, enum job_kind kind)
{
    struct job *job = arena_alloc(call_arena(call), sizeof *job);
    *job = (struct job){.call = call,
                        .arena = call_arena(call),
                        .kind = kind,
                        .caller = call_caller(call),
                        .traceparent = call_traceparent(call),
                        .wait_s = call_wait_s(call)};
    uuid_make(job->id);
    return job;
}

enum call_next ask_refuse(struct http_call *call, const struct problem *problem)
{
    call_problem(call, problem);
    return CALL_ANSWERED;
}

bool ask_body(struct http_call *call, struct fields *f, struct problem *problem)
{
    const struct buf *body = call_body(call);
    struct body_value *value = NULL;
    if (body->len == 0) {
        problem_set(problem, 400, "body_missing", NULL, "expected a JSON object as body");
        return false;
    }
    if (body_parse(body->data, body->len, call_arena(call), &value, problem) != RC_OK) {
        return false;
    }
    fields_begin(f, value, "", problem);
    return problem->status == 0;
}

const char *ask_id(struct http_call *call, size_t max, struct problem *problem)
{
    const char *id = call_id(call, "id");
    if (!ledger_is_id(id) || strlen(id) > max) {
        problem_set(problem, 422, "field_invalid", "id", "the path's id: expected 1 to %zu of A-Z a-z 0-9 . _ : ~ @ -",
                    max);
        return NULL;
    }
    return id;
}

static enum call_next busy(struct http_call *call, const char *code, const char *detail)
{
    struct problem problem = {.retry_after_s = GATEWAY_AWAY_RETRY_AFTER_S};
    problem_set(&problem, 503, code, NULL, "%s", detail);
    return ask_refuse(call, &problem);
}

enum call_next ask_write(struct gateway *g, struct job *job)
{
    if (atomic_load(&g->writers_up) <= 0) {
        return busy(job->call, "database_unavailable", "nothing was stored");
    }
    return job_queue_put(&g->writes, job) ? CALL_PARKED
                                          : busy(job->call, "queue_full", "too much is waiting; nothing was stored");
}

enum call_next ask_read(struct gateway *g, struct job *job)
{
    if (gateway_reads_away(g)) {
        return busy(job->call, "database_unavailable", "the database does not answer");
    }
    return job_queue_put(&g->reads, job) ? CALL_PARKED
                                         : busy(job->call, "queue_full", "too many questions are waiting");
}

/* ---------------------------------------------------------------------------------------------------- payloads */

void payload_begin(struct payload *p)
{
    buf_init(&p->text, PAYLOAD_BYTES_MAX);
    (void)buf_putc(&p->text, '{');
}

void payload_done(struct payload *p)
{
    buf_done(&p->text);
}

static void name_member(struct payload *p, const char *name)
{
    (void)buf_printf(&p->text, "%s\"%s\": ", p->text.len == 1 ? "" : ", ", name);
}

void payload_text(struct payload *p, const char *name, const char *value)
{
    if (value != NULL) {
        name_member(p, name);
        (void)buf_json_string(&p->text, value, strlen(value));
    }
}

void payload_int(struct payload *p, const char *name, int64_t value)
{
    name_member(p, name);
    (void)buf_printf(&p->text, "%" PRId64, value);
}

void payload_bool(struct payload *p, const char *name, bool value)
{
    name_member(p, name);
    (void)buf_puts(&p->text, value ? "true" : "false");
}

void payload_time(struct payload *p, const char *name, int64_t utc_us)
{
    char text[CLOCK_RFC3339_MAX];
    clock_rfc3339(utc_us, text);
    payload_text(p, name, text);
}

void payload_expiry(struct payload *p, bool has_at, int64_t at_us, bool has_timeout, int64_t timeout_s)
{
    if (has_at) {
        payload_time(p, "expires_at", at_us);
    }
    if (has_timeout) {
        payload_int(p, "timeout_s", timeout_s);
    }
}

const char *payload_end(struct payload *p, struct http_call *call)
{
    (void)buf_putc(&p->text, '}');
    return arena_strndup(call_arena(call), buf_str(&p->text), p->text.len);
}
