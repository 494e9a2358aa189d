/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of jobs. */
#include <inttypes.h>
#include <string.h>

#include "gateway/callback.h"
#include "gateway/device.h"
#include "gateway/gateway_internal.h"
#include "ledger/code.h"

#define BODY_MAX CALL_ANSWER_BYTES_MAX

static const char *path_of(enum job_kind kind)
{
    if (kind == JOB_OPEN || kind == JOB_SET) {
        return "accounts";
    }
    return kind == JOB_PAYMENT ? "payments" : "transfers";
}

/* Ids are of characters that stand in a path as they are. */
static void set_location(struct job *job)
{
    call_set_header(job->call, "Location", "/v1/%s/%s", path_of(job->kind), job->subject);
}

static void set_preference(struct job *job)
{
    if (job->wait_s >= 0) {
        call_set_header(job->call, "Preference-Applied", "wait=%d", job->wait_s);
    }
}

void answer_accepted(struct job *job)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    bool account = job->kind == JOB_OPEN || job->kind == JOB_SET;
    (void)buf_printf(&body, "{\"%s\": \"%s\", \"state\": \"pending\", \"event_id\": \"%s\"}\n",
                     account ? "account_id" : "transfer_id", job->subject, job->id);
    set_location(job);
    set_preference(job);
    call_answer(job->call, 202, GATEWAY_JSON, &body);
    call_finish(job->call);
}

void answer_shown(struct job *job, unsigned status, const char *json)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    (void)buf_puts(&body, json);
    (void)buf_putc(&body, '\n');
    if (status == 201) {
        set_location(job);
    }
    set_preference(job);
    call_answer(job->call, status, GATEWAY_JSON, &body);
    call_finish(job->call);
}

void answer_refused(struct job *job, unsigned status, const char *code, const char *field, const char *detail)
{
    struct problem problem = {0};
    problem_set(&problem, status, code, field, "%s", detail);
    set_preference(job);
    call_problem(job->call, &problem);
    call_finish(job->call);
}

void answer_rejected(struct job *job, const char *name)
{
    enum ledger_code code = CODE_OK;
    bool known = ledger_code_parse(name, &code);
    answer_refused(job, 422, name, NULL, known ? ledger_code_text(code) : "the ledger has refused it");
}

void answer_away(struct job *job, const char *code, const char *detail)
{
    struct problem problem = {.retry_after_s = GATEWAY_AWAY_RETRY_AFTER_S};
    if (job->kind == JOB_CALLBACK || job->kind == JOB_EXPRESS) { /* in its channel's words */
        callback_unavailable(job, detail);
        return;
    }
    if (job->kind == JOB_DEVICE || job->kind == JOB_SHOW_DEVICES) {
        device_unavailable(job, detail);
        return;
    }
    problem_set(&problem, 503, code, NULL, "%s", detail);
    call_problem(job->call, &problem);
    call_finish(job->call);
}

static void answer_payment(struct job *job)
{
    switch (job->result) {
    case PAYMENT_CREATED:
        answer_shown(job, 201, job->shown);
        break;
    case PAYMENT_REPEATED:
        answer_shown(job, 200, job->shown);
        break;
    case PAYMENT_OTHER_CALLER:
        answer_refused(job, 409, "exists_for_another_caller", "payment_id", "the id has been used by somebody else");
        break;
    case PAYMENT_OTHER_CONTENT:
    default:
        answer_refused(job, 409, "exists_with_different_content", "payment_id",
                       "there is an order of this id with another content");
        break;
    }
}

void answer_written(struct gateway *g, struct job *job)
{
    if (job->kind == JOB_PAYMENT) {
        answer_payment(job);
    } else if (job->kind == JOB_CALLBACK || job->kind == JOB_EXPRESS) {
        callback_stored(job);
    } else if (job->kind == JOB_DEVICE) {
        device_stored(job);
    } else if (job->wait_s > 0) {
        waiter_add(&g->waiter, job);
    } else {
        answer_accepted(job);
    }
}
