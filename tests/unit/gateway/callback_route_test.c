/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of channels over HTTP, without a database: what is refused is never answered like a success. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../http/service_rig.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/callback.h"
#include "gateway/gateway_internal.h"
#include "support/channel_rig.h"

#define REQUEST_MAX 200000

static struct rig rig;
static struct gateway g;
static pthread_t verifier;
static bool verifying;
static struct err err;

static int64_t then(void)
{
    return (int64_t)RIG_NOW * 1000000;
}

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

static void start_verifier(void)
{
    cr_assert_eq(pthread_create(&verifier, NULL, verify_all, NULL), 0);
    verifying = true;
}

static void setup(void)
{
    rig_begin_accounts(&rig);
    rig_put(&rig, "raw.keys", "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0600);
    g = (struct gateway){.now_us = then, .accounts = rig.accounts};
    cr_assert_eq(raw_keys_read(rig_path(&rig, "raw.keys"), &g.raw_keys, &err), RC_OK, "%s", err.text);
    job_queue_init(&g.verifies, 500);
    job_queue_init(&g.writes, 500);
    const struct service_options opt = {.address = "127.0.0.1:0",
                                        .routes = GATEWAY_ROUTES,
                                        .n_routes = GATEWAY_ROUTES_N,
                                        .limits = SERVICE_LIMITS_DEFAULT,
                                        .tokens_option = "x",
                                        .opaque = &g};
    cr_assert_eq(service_start(&opt, &service, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    job_queue_close(&g.verifies);
    if (verifying) {
        (void)pthread_join(verifier, NULL);
    }
    service = service_stop(service, 1000);
    job_queue_done(&g.verifies);
    job_queue_done(&g.writes);
    g.raw_keys = raw_keys_free(g.raw_keys);
    rig_done(&rig);
}

TestSuite(callback_route, .init = setup, .fini = teardown, .timeout = 60);

/* A captured call as a request on a connection of its own. type: instead of its own Content-Type; NULL = none. */
static int send_call(const char *path, const struct call *call, const char *type)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, REQUEST_MAX);
    (void)buf_printf(&out, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n", path,
                     call->body_n);
    for (size_t i = 0; i < call->n_headers; i++) {
        if (strcasecmp(call->headers[i].name, "Content-Type") != 0) {
            (void)buf_printf(&out, "%s: %s\r\n", call->headers[i].name, call->headers[i].value);
        }
    }
    if (type != NULL) {
        (void)buf_printf(&out, "Content-Type: %s\r\n", type);
    }
    (void)buf_puts(&out, "\r\n");
    (void)buf_add(&out, call->body, call->body_n);
    int fd = dial();
    say_bytes(fd, out.data, out.len);
    return fd;
}

static void no_success(const char *answer)
{
    cr_assert(strncmp(answer, "HTTP/1.1 4", 10) == 0 || strncmp(answer, "HTTP/1.1 5", 10) == 0, "%s", answer);
    cr_assert_null(strcasestr(answer, "success"), "%s", answer);
}

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define WECHAT "/callbacks/wechat/shop"
#define ALIPAY "/callbacks/alipay/shop"

Test(callback_route, without_accounts_there_are_no_such_paths)
{
    static const char *const PATHS[] = {WECHAT, ALIPAY, "/callbacks/appstore/shop", "/payments/applepay/shop/verify"};
    const struct call empty = {0};
    g.accounts = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++) {
        refused(hear(send_call(PATHS[i], &empty, JSON)), "HTTP/1.1 404 ", "account_unknown");
    }
    g.accounts = rig.accounts;
    refused(hear(send_call("/callbacks/wechat/nobody", &empty, JSON)), "HTTP/1.1 404 ", "account_unknown");
}

Test(callback_route, what_is_wrong_is_refused_in_the_channels_words)
{
    static const struct {
        struct wechat_call call;
        const char *path, *type, *status;
    } CASES[] = {
        {{.drop = "Wechatpay-Nonce"}, WECHAT, JSON, "HTTP/1.1 400 "},
        {{.twice = "Wechatpay-Serial"}, WECHAT, JSON, "HTTP/1.1 400 "},
        {{.signature = "WECHATPAY/SIGNTEST/abc"}, WECHAT, JSON, "HTTP/1.1 401 "},
        {{.serial = "00"}, WECHAT, JSON, "HTTP/1.1 401 "},
        {{.by_b = true}, WECHAT, JSON, "HTTP/1.1 401 "},
        {{.behind = " "}, WECHAT, JSON, "HTTP/1.1 401 "},
        {{.timestamp = "1700000181"}, WECHAT, JSON, "HTTP/1.1 401 "},
        {{.body = "{}"}, WECHAT, JSON, "HTTP/1.1 400 "},
        {{.sealed_aad = "other"}, WECHAT, JSON, "HTTP/1.1 422 "},
        {{.by_b = false}, WECHAT, FORM, "HTTP/1.1 400 "},
        {{.by_b = false}, WECHAT, "application/jsonx", "HTTP/1.1 400 "},
        {{.by_b = false}, WECHAT "?a=b", JSON, "HTTP/1.1 400 "},
        {{.by_b = false}, ALIPAY, JSON, "HTTP/1.1 400 "},
        {{.by_b = false}, ALIPAY, FORM, "HTTP/1.1 4"},
    };
    start_verifier();
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct call call;
        wechat_call_make(&rig, &CASES[i].call, &call);
        const char *answer = hear(send_call(CASES[i].path, &call, CASES[i].type));
        cr_expect_eq(strncmp(answer, CASES[i].status, strlen(CASES[i].status)), 0, "%zu: %s", i, answer);
        no_success(answer);
        if (strcmp(CASES[i].path, WECHAT) == 0) {
            has(answer, "\"code\":\"FAIL\"");
        }
        call_done(&call);
    }
    cr_assert_eq(job_queue_length(&g.writes), 0);
}

Test(callback_route, what_cannot_be_stored_now_is_to_be_sent_again)
{
    struct call call;
    start_verifier();
    wechat_call_make(&rig, &(struct wechat_call){0}, &call);
    const char *answer = hear(send_call(WECHAT, &call, JSON));
    has(answer, "HTTP/1.1 503 ");
    has(answer, "Retry-After: ");
    no_success(answer);
    call_done(&call);
    alipay_call_make(&rig, &(struct alipay_call){0}, &call);
    answer = hear(send_call(ALIPAY, &call, FORM));
    has(answer, "HTTP/1.1 503 ");
    has(answer, "\r\n\r\nfail");
    no_success(answer);
    call_done(&call);
}

/* The writer's part, by hand. */
static struct job *next_write(void)
{
    struct job *job = NULL;
    cr_assert_eq(job_queue_take(&g.writes, &job, 1, 20000), 1);
    return job;
}

Test(callback_route, what_is_durable_is_acknowledged)
{
    static const struct {
        enum channel_reason result;
        const char *status;
    } CASES[] = {{REASON_OK, "HTTP/1.1 200 "},
                 {REASON_DUPLICATE, "HTTP/1.1 200 "},
                 {REASON_REPLAY, "HTTP/1.1 200 "},
                 {REASON_CONFLICT, "HTTP/1.1 200 "},
                 {REASON_UNKNOWN_ORDER, "HTTP/1.1 200 "},
                 {REASON_UNAVAILABLE, "HTTP/1.1 503 "}};
    start_verifier();
    atomic_store(&g.writers_up, 1);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct call call;
        alipay_call_make(&rig, &(struct alipay_call){0}, &call);
        int fd = send_call(ALIPAY, &call, i % 2 == 0 ? FORM : NULL);
        struct job *job = next_write();
        cr_expect_str_eq(job->callback->verdict.event.payment_id, "order-1");
        cr_expect_not_null(job->callback->payload);
        cr_expect_str_eq(job->callback->key_id, "k1");
        job->callback->result = CASES[i].result;
        callback_stored(job);
        const char *answer = hear(fd);
        has(answer, CASES[i].status);
        if (CASES[i].result == REASON_UNAVAILABLE) {
            no_success(answer);
        } else {
            has(answer, "Content-Length: 7\r\n");
            has(answer, "\r\n\r\nsuccess");
        }
        call_done(&call);
    }
}

/* Where nobody knows whether it was stored, and where nothing was: both are the same for a channel. */
Test(callback_route, a_lost_commit_is_no_success)
{
    struct call call;
    start_verifier();
    atomic_store(&g.writers_up, 1);
    wechat_call_make(&rig, &(struct wechat_call){0}, &call);
    int fd = send_call(WECHAT, &call, JSON);
    struct job *job = next_write();
    answer_away(job, "outcome_unknown", "it is not known whether it was stored");
    const char *answer = hear(fd);
    has(answer, "HTTP/1.1 503 ");
    has(answer, "\"code\":\"FAIL\"");
    no_success(answer);
    call_done(&call);
}

Test(callback_route, a_late_call_is_looked_for_before_it_is_refused)
{
    struct call call;
    start_verifier();
    atomic_store(&g.writers_up, 1);
    wechat_call_make(&rig, &(struct wechat_call){.timestamp = "1699999000"}, &call);
    int fd = send_call(WECHAT, &call, JSON);
    struct job *job = next_write();
    cr_assert_eq(job->callback->verdict.reason, REASON_TS_STALE);
    cr_assert(job->callback->verdict.genuine);
    cr_assert_null(job->callback->raw_body, "nothing is stored of it");
    job->callback->result = REASON_TS_STALE;
    callback_stored(job);
    const char *answer = hear(fd);
    has(answer, "HTTP/1.1 401 ");
    no_success(answer);
    call_done(&call);
}

/* Somebody who has seen one genuine call may play it back as often as he likes: services do not wait behind him. */
Test(callback_route, what_is_played_back_takes_no_place_of_services)
{
    struct call call;
    start_verifier();
    atomic_store(&g.writers_up, 1);
    g.writes.max = 1;
    wechat_call_make(&rig, &(struct wechat_call){.timestamp = "1699999000"}, &call);
    int played = send_call(WECHAT, &call, JSON);
    while (job_queue_length(&g.writes) < 1) {
        clock_sleep_ms(1);
    }
    has(hear(send_call(WECHAT, &call, JSON)), "HTTP/1.1 503 "); /* its lane is full */
    char order[] = "{\"payment_id\": \"o-1\", \"account_id\": \"alice\", \"channel\": \"wechat\", \"amount\": 1, "
                   "\"currency\": \"CNY\"}";
    int served = send_call("/v1/payments", &(struct call){.body = order, .body_n = strlen(order)}, JSON);
    while (job_queue_length(&g.writes) < 2) {
        clock_sleep_ms(1);
    }
    for (int i = 0; i < 2; i++) {
        answer_away(next_write(), "database_unavailable", "by hand");
    }
    has(hear(played), "HTTP/1.1 503 ");
    has(hear(served), "\"code\": \"database_unavailable\"");
    call_done(&call);
}

Test(callback_route, more_than_can_be_verified_gets_503)
{
    struct call call;
    int fds[3];
    g.verifies.max = 2; /* and nobody verifies */
    wechat_call_make(&rig, &(struct wechat_call){0}, &call);
    for (int i = 0; i < 2; i++) {
        fds[i] = send_call(WECHAT, &call, JSON);
        while (job_queue_length(&g.verifies) < (size_t)i + 1) {
            clock_sleep_ms(1);
        }
    }
    fds[2] = send_call(WECHAT, &call, JSON);
    has(hear(fds[2]), "HTTP/1.1 503 ");
    start_verifier();
    has(hear(fds[0]), "HTTP/1.1 503 "); /* the database is away */
    has(hear(fds[1]), "HTTP/1.1 503 ");
    call_done(&call);
}

/* What comes to stderr from here on; until log_end(). */
static int log_begin(const char *path)
{
    int before = dup(STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(before >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    (void)close(fd);
    return before;
}

static void log_end(int before, const char *path, char *out, size_t size)
{
    cr_assert(dup2(before, STDERR_FILENO) >= 0);
    (void)close(before);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    out[fread(out, 1, size - 1, f)] = '\0';
    (void)fclose(f);
}

/* Anybody may call with nonsense; the one call that a wrong key of ours refuses must be seen all the same. */
Test(callback_route, a_flood_of_nonsense_does_not_hide_what_is_genuine)
{
    static char text[65536];
    const char *path = rig_path(&rig, "log");
    struct call call;
    int before = log_begin(path);
    start_verifier();
    wechat_call_make(&rig, &(struct wechat_call){.by_b = true}, &call);
    for (int i = 0; i < 3 * LOG_BURST; i++) {
        has(hear(send_call(WECHAT, &call, JSON)), "HTTP/1.1 401 ");
    }
    call_done(&call);
    wechat_call_make(&rig, &(struct wechat_call){.sealed_aad = "other"}, &call);
    has(hear(send_call(WECHAT, &call, JSON)), "HTTP/1.1 422 ");
    call_done(&call);
    log_end(before, rig_path(&rig, "log"), text, sizeof text);
    cr_assert_not_null(strstr(text, "decrypt_failed"), "%s", text);
    size_t lines = 0;
    for (const char *at = text; (at = strstr(at, "sig_invalid")) != NULL; at++) {
        lines++;
    }
    cr_assert(lines > 0 && lines <= 2 * LOG_BURST, "%zu lines", lines); /* perhaps over the end of a window */
}

/* The verifier is often done with a call before the service's thread has let go of it. */
Test(callback_route, many_at_once_get_one_answer_each)
{
    enum { ROUNDS = 10, AT_ONCE = 30 };
    struct call call;
    int fds[AT_ONCE];
    start_verifier();
    wechat_call_make(&rig, &(struct wechat_call){.serial = "00"}, &call);
    const struct metric *m = metric_counter("callback_total", "Calls of channels by what became of them.",
                                            "channel=\"%s\",reason=\"%s\"", "wechat", "serial_unknown");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < AT_ONCE; i++) {
            fds[i] = send_call(WECHAT, &call, JSON);
        }
        for (int i = 0; i < AT_ONCE; i++) {
            has(hear(fds[i]), "HTTP/1.1 401 ");
        }
    }
    cr_assert_eq((int)metric_value(m), ROUNDS * AT_ONCE);
    call_done(&call);
}
