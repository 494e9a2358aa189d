/* SPDX-License-Identifier: Apache-2.0 */
/* GET: questions for the readers. */
#include <string.h>

#include "base/clock.h"
#include "gateway/ask.h"
#include "gateway/check.h"
#include "gateway/flows.h"
#include "ledger/ledger.h"

static enum call_next ask_about(struct http_call *call, struct gateway *g, enum job_kind kind, size_t id_max)
{
    struct problem problem = {0};
    const char *id = ask_id(call, id_max, &problem);
    if (id == NULL) {
        return ask_refuse(call, &problem);
    }
    struct job *job = ask_job(call, kind);
    job->subject = id;
    return ask_read(g, job);
}

enum call_next ask_show_transfer(struct http_call *call, void *opaque)
{
    return ask_about(call, opaque, JOB_SHOW_TRANSFER, LEDGER_ID_MAX);
}

enum call_next ask_show_account(struct http_call *call, void *opaque)
{
    return ask_about(call, opaque, JOB_SHOW_ACCOUNT, LEDGER_ID_MAX);
}

enum call_next ask_show_payment(struct http_call *call, void *opaque)
{
    return ask_about(call, opaque, JOB_SHOW_PAYMENT, CHECK_PAYMENT_ID_MAX);
}

/* A parameter that is a time, in the form PostgreSQL is given; NULL when it is not there. */
static const char *time_of(struct http_call *call, const char *name, struct problem *problem)
{
    const char *text = route_parameter(call_target(call), name);
    char normal[CLOCK_RFC3339_MAX];
    int64_t us = 0;
    if (text == NULL) {
        return NULL;
    }
    if (!clock_rfc3339_parse(text, &us)) {
        problem_set(problem, 400, "parameter_invalid", name, "%s: expected a time such as 2026-11-22T20:37:20Z", name);
        return NULL;
    }
    clock_rfc3339(us, normal);
    return arena_strndup(call_arena(call), normal, strlen(normal));
}

static bool wants_csv(struct http_call *call, struct problem *problem)
{
    const char *format = route_parameter(call_target(call), "format");
    const char *accept = call_header(call, "Accept");
    if (format == NULL) {
        return accept != NULL && strstr(accept, "text/csv") != NULL;
    }
    bool csv = strcmp(format, "csv") == 0;
    if (!csv && strcmp(format, "json") != 0) {
        problem_set(problem, 400, "parameter_invalid", "format", "format: expected json or csv");
    }
    return csv;
}

enum call_next ask_show_flows(struct http_call *call, void *opaque)
{
    struct problem problem = {0};
    const char *id = ask_id(call, LEDGER_ID_MAX, &problem);
    struct job *job = ask_job(call, JOB_SHOW_FLOWS);
    job->subject = id;
    job->flows.csv = wants_csv(call, &problem);
    job->flows.from = time_of(call, "from", &problem);
    job->flows.to = time_of(call, "to", &problem);
    if (page_parse(call_target(call), &job->flows.page, &problem) && job->flows.page.has_after &&
        !flows_key_ok(job->flows.page.after)) {
        problem_set(&problem, 400, "parameter_invalid", "cursor", "cursor: expected one that the page before gave");
    }
    return problem.status != 0 ? ask_refuse(call, &problem) : ask_read(opaque, job);
}
