/* SPDX-License-Identifier: Apache-2.0 */
/* The engine against a receiver that misbehaves in each way it knows. */
#include "http/engine.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "receiver/receiver.h"

#define CALLS_MAX 64
#define IN_FLIGHT_MAX 5
#define TIMEOUT_MS 400

static struct err err;
static struct receiver *receiver;
static struct http_engine *engine;
static uv_loop_t loop;

/* What became of a call. */
struct outcome {
    struct http_call *call;
    int done;
    enum http_verdict verdict;
    char class[32];
    int status;
    int64_t retry_after_ms, duration_ms;
    bool body_cut;
    char body[HTTP_ENGINE_BODY_KEPT + 1];
    char message[HTTP_ENGINE_MESSAGE_MAX];
    char address[ADDRESS_TEXT_MAX];
};
static struct outcome outcomes[CALLS_MAX];

static void setup_with(const char *nets, bool allow_http)
{
    const struct receiver_options ropt = {.address = "127.0.0.1:0"};
    cr_assert_eq(receiver_start(&ropt, &receiver, &err), RC_OK, "%s", err.text);
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not matter */
    (void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    cr_assert_eq(uv_loop_init(&loop), 0);
    struct http_engine_options opt = {.loop = &loop, .allow_http = allow_http, .in_flight_max = IN_FLIGHT_MAX};
    cr_assert_eq(net_list_parse(nets, &opt.nets, &err), RC_OK);
    cr_assert_eq(http_engine_create(&opt, &engine, &err), RC_OK);
}

static void setup(void)
{
    setup_with("127.0.0.1", true);
}

static void teardown(void)
{
    if (engine != NULL) {
        http_engine_close(engine, NULL, NULL);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0, "handles are left in the loop");
    receiver = receiver_stop(receiver);
}

TestSuite(engine, .fini = teardown, .timeout = 60);

static void on_done(void *opaque, const struct http_result *r)
{
    struct outcome *o = opaque;
    o->done++;
    o->verdict = r->meaning.verdict;
    (void)snprintf(o->class, sizeof o->class, "%s", r->meaning.class);
    o->status = r->status;
    o->retry_after_ms = r->retry_after_ms;
    o->duration_ms = r->duration_ms;
    o->body_cut = r->body_cut;
    memcpy(o->body, r->body, r->body_n + 1);
    (void)snprintf(o->message, sizeof o->message, "%s", r->message);
    (void)snprintf(o->address, sizeof o->address, "%s", r->address);
}

static enum rc submit_url(int i, const char *url)
{
    char id[32];
    (void)snprintf(id, sizeof id, "id-%d", i);
    const struct http_header headers[] = {{"webhook-id", id}, {"Content-Type", "application/json"}, {"X-Empty", ""}};
    const struct http_call_spec spec = {.url = url,
                                        .headers = headers,
                                        .n_headers = ARRAY_SIZE(headers),
                                        .body = "{\"key\": \"k\"}",
                                        .body_n = 12,
                                        .timeout_ms = TIMEOUT_MS,
                                        .response_bytes_max = 65536};
    return http_engine_submit(engine, &spec, on_done, &outcomes[i], &outcomes[i].call, &err);
}

static enum rc submit(int i, const char *path)
{
    CLEANUP(freep) char *url = xasprintf("http://%s%s", receiver_address(receiver), path);
    return submit_url(i, url);
}

static bool all_done(int n)
{
    bool all = true;
    for (int i = 0; i < n; i++) {
        all = all && outcomes[i].done > 0;
    }
    return all;
}

static void run_until_done(int n)
{
    int64_t until = clock_mono_ms() + 10000;
    while (!all_done(n) && clock_mono_ms() < until) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    for (int i = 0; i < n; i++) {
        cr_assert_eq(outcomes[i].done, 1, "call %d", i);
    }
}

/* One call to its end. */
static const struct outcome *call(const char *path)
{
    memset(outcomes, 0, sizeof outcomes);
    cr_assert_eq(submit(0, path), RC_OK, "%s", err.text);
    cr_assert_eq(outcomes[0].done, 0, "not from inside of submit");
    run_until_done(1);
    return &outcomes[0];
}

Test(engine, each_behaviour_gets_its_verdict, .init = setup)
{
    static const struct {
        const char *path;
        enum http_verdict verdict;
        const char *class;
        int status;
        int64_t retry_after_ms;
    } rows[] = {
        {"/ok", HTTP_OK, "ok", 200, -1},
        {"/status/204", HTTP_OK, "ok", 204, -1},
        {"/status/302?location=http://127.0.0.1:1/", HTTP_RETRY, "http-redirect", 302, -1},
        {"/status/404", HTTP_RETRY, "http-4xx", 404, -1},
        {"/status/410", HTTP_REJECT, "http-410", 410, -1},
        {"/status/429?retry-after=7", HTTP_RETRY, "http-429", 429, 7000},
        {"/status/503?retry-after=99999", HTTP_RETRY, "http-5xx", 503, 3600000},
        {"/status/500?retry-after=soon", HTTP_RETRY, "http-5xx", 500, -1},
        {"/slow/100", HTTP_OK, "ok", 200, -1},
        {"/slow/2000", HTTP_RETRY, "timeout", 0, -1},
        {"/hang", HTTP_RETRY, "timeout", 0, -1},
        {"/reset", HTTP_RETRY, "reset", 0, -1},
        {"/endless", HTTP_OK, "ok", 200, -1},
        {"/drip/20", HTTP_OK, "ok", 200, -1},
        {"/ok", HTTP_OK, "ok", 200, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct outcome *o = call(rows[i].path);
        cr_assert_eq(o->verdict, rows[i].verdict, "%s: %s %s", rows[i].path, o->class, o->message);
        cr_assert_str_eq(o->class, rows[i].class, "%s: %s", rows[i].path, o->message);
        cr_assert_eq(o->status, rows[i].status, "%s", rows[i].path);
        cr_assert_eq(o->retry_after_ms, rows[i].retry_after_ms, "%s", rows[i].path);
        cr_assert(o->duration_ms < TIMEOUT_MS + 1000, "%s: %lld", rows[i].path, (long long)o->duration_ms);
        bool capped = strcmp(rows[i].path, "/endless") == 0; /* ends at the cap, not at the deadline */
        cr_assert(!capped || o->duration_ms < TIMEOUT_MS - 100, "%lld", (long long)o->duration_ms);
        cr_assert_eq(o->body_cut, strstr("/endless /drip/20", rows[i].path) != NULL, "%s", rows[i].path);
        cr_assert_str_eq(o->address, "127.0.0.1");
    }
    cr_assert_eq(http_engine_in_flight(engine), 0);
}

Test(engine, the_body_arrives_as_it_was, .init = setup)
{
    (void)call("/status/500");
    CLEANUP(buf_done) struct buf stats;
    buf_init(&stats, 65536);
    receiver_stats(receiver, true, &stats);
    cr_assert_not_null(strstr(buf_str(&stats), "\"id-0\": {\"attempts\": 1, \"ok\": 0, \"key\": \"k\""));
    cr_assert_str_eq(outcomes[0].message, "HTTP 500: {}");
}

/* What a call that asks for more than the usual kilobyte has got. */
static size_t kept;
static bool kept_cut, kept_same;

static void on_large(void *opaque, const struct http_result *r)
{
    *(int *)opaque = 1;
    kept = r->body_n;
    kept_cut = r->body_cut;
    kept_same = strspn(r->body, "x") == r->body_n && r->body[r->body_n] == '\0';
}

Test(engine, a_call_may_keep_more_of_the_answer_and_no_more_than_it_asks_for, .init = setup)
{
    static const struct {
        size_t max, kept;
    } rows[] = {{300000, 300000}, {300000, 5000}, {300000, 0}, {300, 5000}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(freep) char *url = xasprintf("http://%s/endless", receiver_address(receiver));
        const struct http_call_spec spec = {
            .url = url, .body = "", .timeout_ms = 10000, .response_bytes_max = rows[i].max, .body_kept = rows[i].kept};
        struct http_call *call = NULL;
        int done = 0;
        cr_assert_eq(http_engine_submit(engine, &spec, on_large, &done, &call, &err), RC_OK);
        while (done == 0) {
            (void)uv_run(&loop, UV_RUN_ONCE);
        }
        size_t wanted = rows[i].kept > 0 ? rows[i].kept : HTTP_ENGINE_BODY_KEPT;
        size_t most = wanted < rows[i].max ? wanted : rows[i].max;
        cr_assert(kept_cut && kept_same && kept <= most, "%zu: %zu of %zu", i, kept, most);
        cr_assert(wanted > rows[i].max / 2 || kept == wanted, "%zu: %zu", i, kept);
        cr_assert(rows[i].max < 100000 || wanted < 100000 || kept > 100000, "%zu: %zu", i, kept);
    }
}

Test(engine, there_is_a_cap_and_a_place_is_free_again_afterwards, .init = setup)
{
    for (int i = 0; i < IN_FLIGHT_MAX; i++) {
        cr_assert_eq(submit(i, "/hang"), RC_OK);
    }
    cr_assert_eq(submit(IN_FLIGHT_MAX, "/ok"), RC_RETRY);
    cr_assert_str_eq(err.code, "engine-busy");
    cr_assert_eq(http_engine_in_flight(engine), IN_FLIGHT_MAX);
    http_engine_cancel(outcomes[0].call);
    outcomes[0].done = 1;
    cr_assert_eq(submit(IN_FLIGHT_MAX, "/ok"), RC_OK);
    run_until_done(IN_FLIGHT_MAX + 1);
    cr_assert_eq(outcomes[IN_FLIGHT_MAX].verdict, HTTP_OK);
    cr_assert_eq(http_engine_in_flight(engine), 0);
}

Test(engine, one_endpoint_that_hangs_holds_up_no_other, .init = setup)
{
    struct receiver *other = NULL;
    const struct receiver_options ropt = {.address = "127.0.0.1:0"};
    cr_assert_eq(receiver_start(&ropt, &other, &err), RC_OK);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(submit(40 + i, "/hang"), RC_OK);
    }
    CLEANUP(freep) char *url = xasprintf("http://%s/ok", receiver_address(other));
    int64_t began = clock_mono_ms();
    cr_assert_eq(submit_url(0, url), RC_OK);
    run_until_done(1);
    cr_assert(outcomes[0].verdict == HTTP_OK && clock_mono_ms() - began < TIMEOUT_MS - 50);
    cr_assert_eq(outcomes[40].done, 0);
    (void)receiver_stop(other);
}

Test(engine, close_breaks_off_what_is_under_way, .init = setup)
{
    cr_assert_eq(submit(0, "/hang"), RC_OK);
    cr_assert_eq(submit(1, "/drip/10"), RC_OK);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    http_engine_close(engine, NULL, NULL);
    engine = NULL;
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert(outcomes[0].done == 0 && outcomes[1].done == 0);
}

static void done_and_again(void *opaque, const struct http_result *r)
{
    static int left = 3;
    on_done(opaque, r);
    if (left-- > 0) {
        cr_assert_eq(submit(left, "/ok"), RC_OK);
    } else {
        http_engine_close(engine, NULL, NULL);
        engine = NULL;
    }
}

Test(engine, done_may_submit_and_even_close, .init = setup)
{
    CLEANUP(freep) char *url = xasprintf("http://%s/ok", receiver_address(receiver));
    const struct http_call_spec spec = {.url = url, .timeout_ms = TIMEOUT_MS};
    for (int i = 10; i < 14; i++) {
        cr_assert_eq(http_engine_submit(engine, &spec, done_and_again, &outcomes[i], &outcomes[i].call, &err), RC_OK);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(outcomes[13].done + outcomes[12].done + outcomes[11].done + outcomes[10].done, 4);
}

static void closed_network(void)
{
    setup_with("", true);
}

Test(engine, a_private_address_is_refused_when_it_is_connected_to, .init = closed_network)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost",       "[::1]",  "[::ffff:127.0.0.1]",
                                        "0",         "169.254.169.254", "0x7f.1", "[64:ff9b::7f00:1]"};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        CLEANUP(freep)
        char *url = xasprintf("http://%s%s/ok", hosts[i], strrchr(receiver_address(receiver), ':'));
        memset(outcomes, 0, sizeof outcomes);
        cr_assert_eq(submit_url(0, url), RC_OK, "%s", err.text);
        run_until_done(1);
        cr_assert_eq(outcomes[0].verdict, HTTP_REJECT, "%s: %s", url, outcomes[0].message);
        cr_assert_str_eq(outcomes[0].class, "address-refused", "%s: %s", url, outcomes[0].message);
        cr_assert_not_null(strstr(outcomes[0].message, "must not be called"));
    }
    CLEANUP(buf_done) struct buf stats;
    buf_init(&stats, 65536);
    receiver_stats(receiver, false, &stats);
    cr_assert_not_null(strstr(buf_str(&stats), "\"requests\": 0"));
}

static void only_https(void)
{
    setup_with("127.0.0.1", false);
}

Test(engine, plain_http_and_bad_headers_are_refused_at_once, .init = only_https)
{
    cr_assert_eq(submit(0, "/ok"), RC_REJECT);
    cr_assert_str_eq(err.code, "url-plain-http");
    static const struct http_header bad[] = {
        {"a\r\nb", "c"}, {"a", "b\r\nc: d"}, {"a", "b\n"},    {"", "x"},
        {"a:", "x"},     {"Host", "x"},      {"expect", "x"}, {"Content-Length", "3"}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const struct http_call_spec spec = {
            .url = "https://127.0.0.1:1/", .headers = &bad[i], .n_headers = 1, .timeout_ms = 1};
        cr_assert_eq(http_engine_submit(engine, &spec, on_done, NULL, &outcomes[0].call, &err), RC_REJECT, "row %zu",
                     i);
        cr_assert_str_eq(err.code, "header-malformed");
    }
    CLEANUP(freep) char *url = xasprintf("https://%s/ok", receiver_address(receiver)); /* a server that speaks no TLS */
    cr_assert_eq(submit_url(0, url), RC_OK);
    run_until_done(1);
    cr_assert_eq(outcomes[0].verdict, HTTP_RETRY);
    cr_assert_str_eq(outcomes[0].class, "tls", "%s", outcomes[0].message);
}

Test(engine, refused_connections_names_that_are_none_and_descriptors, .init = setup)
{
    cr_assert_eq(submit_url(0, "http://127.0.0.1:1/"), RC_OK);
    cr_assert_eq(submit_url(1, "http://no-such-host.invalid/"), RC_OK);
    run_until_done(2);
    cr_assert_str_eq(outcomes[0].class, "connect");
    cr_assert(strcmp(outcomes[1].class, "dns") == 0 || strcmp(outcomes[1].class, "timeout") == 0, "%s",
              outcomes[1].message);
    struct rlimit before;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    memset(outcomes, 0, sizeof outcomes);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_assert_eq(submit_url(0, "http://127.0.0.1:2/"), RC_OK);
    run_until_done(1);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(outcomes[0].verdict, HTTP_OUR_FAULT, "%s", outcomes[0].message);
    cr_assert_str_eq(outcomes[0].class, "no-descriptors");
}
