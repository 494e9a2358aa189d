/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners of carriers and phones over HTTP, without a database: who may ask, what is refused, and in which words. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../http/service_rig.h"
#include "base/clock.h"
#include "carrier/carrier.h"
#include "gateway/device.h"
#include "gateway/express.h"
#include "gateway/gateway_internal.h"

#define TOKEN "0123456789abcdef-token"

static struct gateway g;
static pthread_t verifier;
static struct net_list proxies;
static struct err err;
static char tokens_path[64];

static void *verify_all(void *opaque)
{
    (void)opaque;
    while (!job_queue_over(&g.verifies)) {
        struct job *job = NULL;
        if (job_queue_take(&g.verifies, &job, 1, 1000) == 1) {
            callback_verify(&g, job);
        }
    }
    return NULL;
}

static void make_access(struct access *a)
{
    FILE *f = NULL;
    int fd = 0;
    (void)snprintf(tokens_path, sizeof tokens_path, "/tmp/sluice-tokens.XXXXXX");
    fd = mkstemp(tokens_path);
    cr_assert(fd >= 0);
    f = fdopen(fd, "w");
    (void)fprintf(f, "phones " TOKEN "\n");
    (void)fclose(f);
    cr_assert_eq(callers_read(tokens_path, &a->callers, &err), RC_OK, "%s", err.text);
    cr_assert_eq(net_list_parse("10.0.0.0/8, fd00::/8", &a->nets, &err), RC_OK, "%s", err.text);
    (void)unlink(tokens_path);
}

/* X-Forwarded-For of the tests counts: that is how they call from elsewhere. */
static void start(const struct service_route *routes, size_t n)
{
    g = (struct gateway){.now_us = clock_utc_us, .express = {.nodes_max = 10}, .express_bytes_max = 1000};
    make_access(&g.device_access);
    make_access(&g.express_access);
    job_queue_init(&g.verifies, 100);
    job_queue_init(&g.writes, 100);
    job_queue_init(&g.reads, 100);
    cr_assert_eq(net_list_parse("127.0.0.0/8", &proxies, &err), RC_OK);
    struct service_options opt = {.address = "127.0.0.1:0",
                                  .routes = routes,
                                  .n_routes = n,
                                  .limits = SERVICE_LIMITS_DEFAULT,
                                  .proxies = &proxies,
                                  .forwarded_depth = 1,
                                  .tokens_option = "x",
                                  .opaque = &g};
    opt.limits.body_bytes = EXPRESS_BODY_BYTES_MAX;
    cr_assert_eq(service_start(&opt, &service, &err), RC_OK, "%s", err.text);
    cr_assert_eq(pthread_create(&verifier, NULL, verify_all, NULL), 0);
}

static void start_express(void)
{
    start(EXPRESS_ROUTES, EXPRESS_ROUTES_N);
}

static void start_devices(void)
{
    start(DEVICE_ROUTES, DEVICE_ROUTES_N);
}

static void teardown(void)
{
    job_queue_close(&g.verifies);
    (void)pthread_join(verifier, NULL);
    service = service_stop(service, 1000);
    job_queue_done(&g.verifies);
    job_queue_done(&g.writes);
    job_queue_done(&g.reads);
    access_done(&g.device_access);
    access_done(&g.express_access);
}

TestSuite(express_route, .init = start_express, .fini = teardown, .timeout = 60);
TestSuite(device_route, .init = start_devices, .fini = teardown, .timeout = 60);

static int post(const char *path, const char *body, const char *headers)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, (size_t)4 << 20);
    (void)buf_printf(&out,
                     "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n%s"
                     "Content-Length: %zu\r\n\r\n%s",
                     path, headers, strlen(body), body);
    int fd = dial();
    say_bytes(fd, out.data, out.len);
    return fd;
}

static const char *get(const char *path, const char *headers)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    (void)buf_printf(&out, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", path, headers);
    int fd = dial();
    say_bytes(fd, out.data, out.len);
    return hear(fd);
}

static struct job *next(struct job_queue *q)
{
    struct job *job = NULL;
    cr_assert_eq(job_queue_take(q, &job, 1, 20000), 1);
    return job;
}

/* ---------------------------------------------------------------------------------------------------- carriers */

#define STATUS "/webhook/express/status"
#define PARCEL "{\"tracking_no\":\"SF1\",\"carrier\":\"sf\",\"status\":\"delivered\",\"context\":\"x\"}"

Test(express_route, our_own_route_says_what_became_of_it)
{
    static const struct {
        enum channel_reason result;
        const char *status, *body;
    } CASES[] = {{REASON_OK, "HTTP/1.1 200 ", "\r\n\r\n{\"ok\":true}"},
                 {REASON_DUPLICATE, "HTTP/1.1 200 ", "\r\n\r\n{\"ok\":true}"},
                 {REASON_UNKNOWN_WAYBILL, "HTTP/1.1 404 ", "\r\n\r\n{\"ok\":false,\"message\":\"waybill not found\"}"}};
    atomic_store(&g.writers_up, 1);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int fd = post(STATUS, PARCEL, "");
        struct job *job = next(&g.writes);
        cr_assert_eq(job->kind, JOB_EXPRESS);
        cr_assert_str_eq(job->callback->express.form, "json");
        cr_assert_str_eq(job->callback->verdict.express->reports[0].tracking_no, "SF1");
        cr_assert_null(job->callback->key_id, "there are no keys");
        job->callback->result = CASES[i].result;
        callback_stored(job);
        const char *answer = hear(fd);
        has(answer, CASES[i].status);
        has(answer, CASES[i].body);
    }
    cr_assert_eq(atomic_load(&g.express_bytes), 0, "all room is free again");
}

Test(express_route, what_cannot_be_stored_gets_502)
{
    const char *answer = hear(post(STATUS, PARCEL, ""));
    has(answer, "HTTP/1.1 502 ");
    has(answer, "{\"ok\":false,\"message\":");
    has(answer, "Retry-After: ");
    atomic_store(&g.writers_up, 1);
    int fd = post(STATUS, PARCEL, "");
    answer_away(next(&g.writes), "outcome_unknown", "it is not known whether it was stored");
    has(hear(fd), "HTTP/1.1 502 ");
    cr_assert_eq(atomic_load(&g.express_bytes), 0);
}

Test(express_route, bad_input_is_named)
{
    static const char *const CASES[][2] = {
        {"nonsense", "JSON"},
        {"{\"status\":\"delivered\"}", "tracking_no"},
        {"{\"tracking_no\":\"a b\",\"status\":\"delivered\"}", "tracking_no"},
        {"{\"tracking_no\":\"T1\"}", "status"},
        {"{\"tracking_no\":\"T1\",\"status\":\"delivered\",\"time\":\"2999-01-01 00:00:00\"}", "time"},
        {"{\"tracking_no\":\"T1\",\"status\":\"delivered\",\"context\":\"\xff\"}", "UTF-8"},
    };
    atomic_store(&g.writers_up, 1);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const char *answer = hear(post(STATUS, CASES[i][0], ""));
        has(answer, "HTTP/1.1 400 ");
        has(answer, "\"ok\":false");
        has(answer, CASES[i][1]);
    }
    cr_assert_eq(job_queue_length(&g.writes), 0);
    refused(hear(post(STATUS "/nobody", PARCEL, "")), "HTTP/1.1 404 ", "account_unknown");
}

Test(express_route, bodies_are_large_and_bounded)
{
    static char body[EXPRESS_BODY_BYTES_MAX + 2];
    memset(body, ' ', sizeof body - 1);
    has(hear(post(STATUS, body, "")), "HTTP/1.1 413 ");
    body[EXPRESS_BODY_BYTES_MAX] = '\0';
    memcpy(body, PARCEL, strlen(PARCEL));
    atomic_store(&g.writers_up, 1);
    int fd = post(STATUS, body, ""); /* more than there is room for, but it is alone */
    struct job *job = next(&g.writes);
    has(hear(post(STATUS, PARCEL, "")), "HTTP/1.1 502 ");
    cr_assert_eq(job_queue_length(&g.writes), 0);
    job->callback->result = REASON_OK;
    callback_stored(job);
    has(hear(fd), "HTTP/1.1 200 ");
    fd = post(STATUS, PARCEL, "");
    job = next(&g.writes);
    job->callback->result = REASON_OK;
    callback_stored(job);
    has(hear(fd), "HTTP/1.1 200 ");
}

/* ---------------------------------------------------------------------------------------------------- access */

static const struct {
    const char *headers;
    bool may;
} CALLERS[] = {
    {"", true},
    {"X-Forwarded-For: 203.0.113.5\r\n", false},
    {"X-Forwarded-For: 203.0.113.5\r\nAuthorization: Bearer " TOKEN "\r\n", true},
    {"X-Forwarded-For: 203.0.113.5\r\nAuthorization: Bearer " TOKEN "x\r\n", false},
    {"X-Forwarded-For: 203.0.113.5\r\nAuthorization: " TOKEN "\r\n", false},
    {"X-Forwarded-For: 10.1.2.3\r\n", true},
    {"X-Forwarded-For: 11.1.2.3\r\n", false},
    {"X-Forwarded-For: fd00::1\r\n", true},
    {"X-Forwarded-For: 127.0.0.1\r\n", false}, /* nobody forwards from himself */
    {"X-Forwarded-For: nonsense\r\n", false},
    {"Forwarded: for=203.0.113.5\r\n", false},
    {"X-Real-IP: 203.0.113.5\r\n", false},
    {"X-Real-IP: 203.0.113.5\r\nAuthorization: Bearer " TOKEN "\r\n", true},
};

Test(express_route, from_elsewhere_a_token_is_needed_without_an_account)
{
    for (size_t i = 0; i < ARRAY_SIZE(CALLERS); i++) {
        const char *answer = hear(post(STATUS, PARCEL, CALLERS[i].headers));
        has(answer, CALLERS[i].may ? "HTTP/1.1 502 " : "HTTP/1.1 401 ");
        has(answer, "\"ok\":false");
    }
}

Test(device_route, from_elsewhere_a_token_is_needed)
{
    for (size_t i = 0; i < ARRAY_SIZE(CALLERS); i++) {
        const char *want = CALLERS[i].may ? "HTTP/1.1 502 " : "HTTP/1.1 401 ";
        const char *answer =
            hear(post("/api/v1/push/register", "{\"cid\":\"c\",\"user_id\":\"u\"}", CALLERS[i].headers));
        has(answer, want);
        has(answer, "{\"ok\":false,\"message\":");
        g.n_readers = 1;
        atomic_store(&g.readers_away, 1);
        has(get("/api/v1/push/devices?user_id=u", CALLERS[i].headers), want);
    }
}

/* ---------------------------------------------------------------------------------------------------- phones */

Test(device_route, a_device_is_handed_to_the_writers)
{
    atomic_store(&g.writers_up, 1);
    int fd =
        post("/api/v1/push/register",
             "{\"cid\":\"c1\",\"merchant_id\":\"m1\",\"user_id\":null,\"platform\":\"android\",\"locale\":\"en\"}", "");
    struct job *job = next(&g.writes);
    const struct device *d = job->device;
    cr_assert_eq(job->kind, JOB_DEVICE);
    cr_assert_eq(job->lane, JOB_LANES - 1);
    cr_assert_str_eq(d->appid, "default");
    cr_assert_str_eq(d->cid, "c1");
    cr_assert_str_eq(d->platform, "android");
    cr_assert_str_eq(d->locale, "en");
    cr_assert(d->identity[IDENTITY_USER].given && d->identity[IDENTITY_USER].value == NULL);
    cr_assert(d->identity[IDENTITY_MERCHANT].given);
    cr_assert_str_eq(d->identity[IDENTITY_MERCHANT].value, "m1");
    job->shown = "{\"cid\":\"c1\"}";
    device_stored(job);
    const char *answer = hear(fd);
    has(answer, "HTTP/1.1 200 ");
    has(answer, "\r\n\r\n{\"ok\":true,\"device\":{\"cid\":\"c1\"}}");
    fd = post("/api/v1/push/register", "{\"cid\":\"c1\",\"appid\":\"a\",\"user_id\":42}", "");
    job = next(&g.writes);
    cr_assert_str_eq(job->device->identity[IDENTITY_USER].value, "42");
    cr_assert(!job->device->identity[IDENTITY_MERCHANT].given);
    job->device->refused = "user_id";
    job->device->expected = "a uuid";
    device_stored(job);
    answer = hear(fd);
    has(answer, "HTTP/1.1 400 ");
    has(answer, "{\"ok\":false,\"message\":\"user_id: expected a uuid, as push_devices has it\"}");
}

static void refuses(const char *body, const char *message)
{
    const char *answer = hear(post("/api/v1/push/register", body, ""));
    has(answer, "HTTP/1.1 400 ");
    has(answer, "{\"ok\":false,\"message\":\"");
    has(answer, message);
}

Test(device_route, every_member_is_bounded_and_named)
{
    char body[700];
    atomic_store(&g.writers_up, 1);
    refuses("", "JSON object");
    refuses("[]", "expected a JSON object");
    refuses("{\"user_id\":\"u\"}", "cid: ");
    refuses("{\"cid\":\"\",\"user_id\":\"u\"}", "cid: expected");
    refuses("{\"cid\":\"a b\",\"user_id\":\"u\"}", "cid: expected");
    refuses("{\"cid\":\"\xe4\xb8\xad\",\"user_id\":\"u\"}", "cid: expected");
    refuses("{\"cid\":7,\"user_id\":\"u\"}", "cid: expected");
    refuses("{\"cid\":\"c\"}", "user_id, merchant_id or both");
    refuses("{\"cid\":\"c\",\"user_id\":\"\"}", "user_id: expected");
    refuses("{\"cid\":\"c\",\"user_id\":1.5}", "user_id: expected");
    refuses("{\"cid\":\"c\",\"merchant_id\":true}", "merchant_id: expected");
    refuses("{\"cid\":\"c\",\"user_id\":\"u\",\"platform\":\"\"}", "platform: expected");
    refuses("{\"cid\":\"c\",\"user_id\":\"u\",\"appid\":\" \"}", "appid: expected");
    refuses("{\"cid\":\"c\",\"user_id\":\"u\",\"locale\":5}", "locale: expected");
    refuses("{\"cid\":\"c\",\"user_id\":\"u\",\"userid\":\"u\"}", "userid: ");
    (void)snprintf(body, sizeof body, "{\"cid\":\"%0*d\",\"user_id\":\"u\"}", DEVICE_CID_MAX + 1, 0);
    refuses(body, "cid: expected");
    (void)snprintf(body, sizeof body, "{\"cid\":\"c\",\"merchant_id\":\"%0*d\"}", DEVICE_NAME_MAX + 1, 0);
    refuses(body, "merchant_id: expected");
    cr_assert_eq(job_queue_length(&g.writes), 0, "none of it was handed on");
    (void)snprintf(body, sizeof body, "{\"cid\":\"%0*d\",\"user_id\":\"%0*d\"}", DEVICE_CID_MAX, 0, DEVICE_NAME_MAX, 0);
    int fd = post("/api/v1/push/register", body, "");
    device_refused(next(&g.writes), 400, "by hand");
    has(hear(fd), "by hand");
}

Test(device_route, questions_name_an_identity)
{
    static const char *const CASES[][2] = {{"", "user_id"},
                                           {"?active=true", "user_id"},
                                           {"?user_id=", "user_id: expected"},
                                           {"?user_id=a%20b", "user_id: expected"},
                                           {"?user_id=u&active=1", "active: expected true or false"},
                                           {"?user_id=u&limit=0", "limit: expected"},
                                           {"?user_id=u&limit=1001", "limit: expected"},
                                           {"?user_id=u&appid=", "appid: expected"},
                                           {"?userid=u", "no such parameter"}};
    char path[100];
    g.n_readers = 1;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        (void)snprintf(path, sizeof path, "/api/v1/push/devices%s", CASES[i][0]);
        const char *answer = get(path, "");
        has(answer, "HTTP/1.1 400 ");
        has(answer, CASES[i][1]);
    }
    int fd = dial();
    say(fd, "GET /api/v1/push/devices?merchant_id=m1&active=false&limit=7 HTTP/1.1\r\nHost: x\r\nConnection: "
            "close\r\n\r\n");
    struct job *job = next(&g.reads);
    cr_assert_eq(job->kind, JOB_SHOW_DEVICES);
    cr_assert(job->device->has_active && !job->device->active && job->device->limit == 7);
    cr_assert_str_eq(job->device->identity[IDENTITY_MERCHANT].value, "m1");
    cr_assert_null(job->device->appid);
    device_shown(job, "[]");
    call_finish(job->call);
    has(hear(fd), "\r\n\r\n{\"ok\":true,\"devices\":[]}");
}
