/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what is said of phones, and answers. */
#include "gateway/device.h"

#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "gateway/ask.h"

#define ANSWER_BYTES_MAX CALL_ANSWER_BYTES_MAX
#define LANE (JOB_LANES - 1) /* the last one is that of phones */

const char *const IDENTITY_COLUMNS[IDENTITIES] = {[IDENTITY_USER] = "user_id", [IDENTITY_MERCHANT] = "merchant_id"};

static const char *const QUESTIONS[] = {"user_id", "merchant_id", "active", "appid", "limit", NULL};

const struct service_route DEVICE_ROUTES[] = {
    {{"POST", "/api/v1/push/register"}, ask_register, GATEWAY_JSON, (size_t)16 << 10, true, true, NULL},
    {{"GET", "/api/v1/push/devices"}, ask_devices, NULL, 0, true, true, QUESTIONS},
};
const size_t DEVICE_ROUTES_N = ARRAY_SIZE(DEVICE_ROUTES);

/* ---------------------------------------------------------------------------------------------------- answers */

static void refuse(struct http_call *call, unsigned status, const char *message)
{
    struct buf body;
    buf_init(&body, ANSWER_BYTES_MAX);
    (void)buf_puts(&body, "{\"ok\":false,\"message\":");
    (void)buf_json_string(&body, message, strlen(message));
    (void)buf_puts(&body, "}\n");
    if (status == 502 || status == 503) {
        call_set_header(call, "Retry-After", "%d", GATEWAY_AWAY_RETRY_AFTER_S);
    }
    call_answer(call, status, GATEWAY_JSON, &body);
}

static void answer(struct job *job, const char *member, const char *json)
{
    struct buf body;
    buf_init(&body, ANSWER_BYTES_MAX);
    (void)buf_printf(&body, "{\"ok\":true,\"%s\":%s}\n", member, json);
    call_answer(job->call, 200, GATEWAY_JSON, &body);
}

void device_refused(struct job *job, unsigned status, const char *message)
{
    refuse(job->call, status, message);
    call_finish(job->call);
}

void device_unavailable(struct job *job, const char *detail)
{
    device_refused(job, 502, detail);
}

void device_misfit(struct job *job)
{
    char message[160];
    (void)snprintf(message, sizeof message, "%s: expected %s, as push_devices has it", job->device->refused,
                   job->device->expected);
    refuse(job->call, 400, message);
}

void device_stored(struct job *job)
{
    if (job->device->refused != NULL) {
        device_misfit(job);
    } else {
        answer(job, "device", job->shown);
    }
    call_finish(job->call);
}

void device_shown(struct job *job, const char *devices)
{
    answer(job, "devices", devices);
}

/* ---------------------------------------------------------------------------------------------------- checks */

static enum call_next refuse_call(struct http_call *call, unsigned status, const char *message)
{
    refuse(call, status, message);
    return CALL_ANSWERED;
}

static bool may(struct gateway *g, struct http_call *call)
{
    if (access_ok(&g->device_access, call)) {
        return true;
    }
    call_set_header(call, "WWW-Authenticate", "Bearer");
    refuse(call, 401, "a bearer token is needed from this address");
    return false;
}

static bool is_printable(const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s <= ' ' || *s >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* A number stands for its digits: ids of the business may be numbers. */
static const char *read_id(struct fields *f, const char *name)
{
    static const char WHAT[] = "an id of 1 to 64 printable characters without blanks, a whole number, or null";
    const struct body_value *v = field_find(f, name, FIELD_OPTIONAL);
    if (v == NULL || v->type != BODY_NUMBER) {
        return field_text(f, name, FIELD_OPTIONAL, DEVICE_NAME_MAX, is_printable, WHAT);
    }
    int64_t number = 0;
    return field_int(f, name, FIELD_OPTIONAL, INT64_MIN, INT64_MAX, &number) ? v->text : NULL;
}

static void read_device(struct fields *f, struct device *d)
{
    static const char NAME[] = "1 to 64 printable characters without blanks";
    const char *appid = field_text(f, "appid", FIELD_OPTIONAL, DEVICE_NAME_MAX, is_printable, NAME);
    d->cid = field_text(f, "cid", FIELD_REQUIRED, DEVICE_CID_MAX, is_printable,
                        "the device's client id, 1 to 512 printable characters without blanks");
    d->appid = appid == NULL ? DEVICE_APPID_DEFAULT : appid;
    d->platform = field_text(f, "platform", FIELD_OPTIONAL, DEVICE_PLATFORM_MAX, is_printable,
                             "1 to 32 printable characters without blanks, such as android or ios");
    d->locale = field_text(f, "locale", FIELD_OPTIONAL, DEVICE_LOCALE_MAX, is_printable, "a language such as zh-CN");
    bool any = false;
    for (enum identity i = 0; i < IDENTITIES; i++) {
        d->identity[i].given = field_has(f, IDENTITY_COLUMNS[i]);
        d->identity[i].value = read_id(f, IDENTITY_COLUMNS[i]);
        any = any || d->identity[i].given;
    }
    if (!any) {
        field_refuse(f, "user_id", "field_missing", "expected user_id, merchant_id or both");
    }
    fields_end(f);
}

enum call_next ask_register(struct http_call *call, void *opaque)
{
    struct gateway *g = opaque;
    struct problem problem = {0};
    struct fields f;
    if (!may(g, call)) {
        return CALL_ANSWERED;
    }
    struct job *job = ask_job(call, JOB_DEVICE);
    struct device *d = arena_alloc(call_arena(call), sizeof *d);
    *d = (struct device){0};
    job->device = d;
    job->lane = LANE;
    job->wait_s = -1;
    if (ask_body(call, &f, &problem)) {
        read_device(&f, d);
    }
    if (problem.status != 0) {
        return refuse_call(call, 400, problem.detail);
    }
    if (atomic_load(&g->writers_up) <= 0) {
        return refuse_call(call, 502, "the database is away; nothing was stored");
    }
    return job_queue_put(&g->writes, job) ? CALL_PARKED
                                          : refuse_call(call, 503, "too much is waiting; nothing was stored");
}

/* ---------------------------------------------------------------------------------------------------- questions */

static bool id_parameter(const struct route_target *t, const char *name, const char **out, struct problem *problem)
{
    *out = route_parameter(t, name);
    if (*out != NULL && ((*out)[0] == '\0' || strlen(*out) > DEVICE_NAME_MAX || !is_printable(*out))) {
        problem_set(problem, 400, "parameter_invalid", name, "%s: expected 1 to %d printable characters without blanks",
                    name, DEVICE_NAME_MAX);
    }
    return *out != NULL;
}

static void read_question(const struct route_target *t, struct device *d, struct problem *problem)
{
    const char *active = route_parameter(t, "active");
    const char *limit = route_parameter(t, "limit");
    bool any = false;
    for (enum identity i = 0; i < IDENTITIES; i++) {
        d->identity[i].given = id_parameter(t, IDENTITY_COLUMNS[i], &d->identity[i].value, problem);
        any = any || d->identity[i].given;
    }
    if (!any) {
        problem_set(problem, 400, "parameter_missing", "user_id", "expected user_id=... or merchant_id=...");
    }
    (void)id_parameter(t, "appid", &d->appid, problem);
    d->has_active = active != NULL;
    d->active = active != NULL && strcmp(active, "true") == 0;
    if (active != NULL && !d->active && strcmp(active, "false") != 0) {
        problem_set(problem, 400, "parameter_invalid", "active", "active: expected true or false");
    }
    d->limit = DEVICE_LIMIT_DEFAULT;
    if (limit != NULL && !option_parse_int(limit, 1, DEVICE_LIMIT_MAX, &d->limit)) {
        problem_set(problem, 400, "parameter_invalid", "limit", "limit: expected a whole number from 1 to %d",
                    DEVICE_LIMIT_MAX);
    }
}

enum call_next ask_devices(struct http_call *call, void *opaque)
{
    struct gateway *g = opaque;
    struct problem problem = {0};
    if (!may(g, call)) {
        return CALL_ANSWERED;
    }
    struct job *job = ask_job(call, JOB_SHOW_DEVICES);
    struct device *d = arena_alloc(call_arena(call), sizeof *d);
    *d = (struct device){0};
    job->device = d;
    job->lane = LANE;
    read_question(call_target(call), d, &problem);
    if (problem.status != 0) {
        return refuse_call(call, problem.status, problem.detail);
    }
    if (gateway_reads_away(g)) {
        return refuse_call(call, 502, "the database is away");
    }
    return job_queue_put(&g->reads, job) ? CALL_PARKED : refuse_call(call, 503, "too many questions are waiting");
}
