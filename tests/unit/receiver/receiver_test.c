/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver asked over HTTP: every behaviour as a client sees it. */
#include "receiver/receiver.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/hmac.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static struct err err;
static struct receiver *receiver;
static struct webhook_keys *keys;
static struct receiver_platform platforms[1];
static CURL *curl;
static struct buf answer;
static char retry_after[32];

static size_t on_body(char *data, size_t size, size_t n, void *opaque)
{
    (void)opaque;
    return buf_add(&answer, data, size * n) ? size * n : 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *opaque)
{
    (void)opaque;
    if (size * n > 13 && strncasecmp(data, "retry-after: ", 13) == 0) {
        (void)snprintf(retry_after, sizeof retry_after, "%.*s", (int)(size * n - 15), data + 13);
    }
    return size * n;
}

static void start(bool verified)
{
    if (verified) {
        cr_assert_eq(webhook_keys_parse(SECRET, &keys, &err), RC_OK);
    }
    platforms[0] = (struct receiver_platform){.name = "sub2api", .keys = keys};
    const struct receiver_options opt = {
        .address = "127.0.0.1:0", .platforms = platforms, .n_platforms = verified ? 1 : 0};
    cr_assert_eq(receiver_start(&opt, &receiver, &err), RC_OK, "%s", err.text);
    curl = curl_easy_init();
    buf_init(&answer, 65536);
}

static void teardown(void)
{
    curl_easy_cleanup(curl);
    receiver = receiver_stop(receiver);
    keys = webhook_keys_free(keys);
    buf_done(&answer);
}

TestSuite(receiver, .fini = teardown, .timeout = 30);

/* The status, or minus the error code of curl. */
static int post_with(const char *path, const char *id, const char *body, const char *signature, int64_t at)
{
    char line[WEBHOOK_SIGNATURE_MAX + 64];
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    (void)snprintf(line, sizeof line, "webhook-id: %s", id);
    headers = curl_slist_append(headers, line);
    (void)snprintf(line, sizeof line, "webhook-timestamp: %lld", (long long)at);
    headers = curl_slist_append(headers, line);
    (void)snprintf(line, sizeof line, "webhook-signature: %s", signature);
    headers = curl_slist_append(headers, line);
    CLEANUP(freep) char *url = xasprintf("http://%s%s", receiver_address(receiver), path);
    buf_clear(&answer);
    retry_after[0] = '\0';
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, strlen(body) > 65536 ? 10000L : 700L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    return code == CURLE_OK ? (int)status : -(int)code;
}

static int post(const char *path, const char *id, const char *body)
{
    int64_t now = clock_utc_ms() / 1000;
    char signature[WEBHOOK_SIGNATURE_MAX] = "v1,none";
    if (keys != NULL) {
        cr_assert_eq(webhook_sign(keys, id, now, body, strlen(body), signature, &err), RC_OK, "%s", err.text);
    }
    return post_with(path, id, body, signature, now);
}

static const char *stats(bool ids)
{
    buf_clear(&answer);
    receiver_stats(receiver, ids, &answer);
    return buf_str(&answer);
}

#define STATS_HAVE(text) cr_assert_not_null(strstr(stats(false), text), "%s", buf_str(&answer))

Test(receiver, verifies_and_counts)
{
    start(true);
    cr_assert_eq(post("/anything", "a", "{}"), 200);
    cr_assert_eq(post("/anything", "a", "{}"), 200);
    cr_assert_eq(post_with("/anything", "b", "{}", "v1,AAAA", clock_utc_ms() / 1000), 401);
    cr_assert_not_null(strstr(buf_str(&answer), "\"signature-malformed\""));
    cr_assert_eq(post("/anything?platform=other", "c", "{}"), 401);
    cr_assert_eq(post("/anything?platform=SUB2API", "d", "{}"), 200);
    STATS_HAVE("\"requests\": 3, \"ids\": 2, \"ids_delivered\": 2, \"duplicates\": 1");
    STATS_HAVE("\"verdicts\": {\"ok\": 3, \"signature-malformed\": 1, \"signature-wrong\": 1}");
    STATS_HAVE("\"unverified\": 0");
}

Test(receiver, fails_the_first_attempts_of_each_id)
{
    static const int want[] = {500, 500, 200, 200};
    start(false);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        cr_assert_eq(post("/fail/2", "a", "{}"), want[i], "attempt %zu", i + 1);
    }
    cr_assert_eq(post("/fail/2", "b", "{}"), 500);
    STATS_HAVE("\"unverified\": 5");
}

Test(receiver, statuses_rate_limits_and_slowness)
{
    start(false);
    cr_assert_eq(post("/status/410", "a", "{}"), 410);
    cr_assert_eq(post("/status/503?retry-after=7", "b", "{}"), 503);
    cr_assert_str_eq(retry_after, "7");
    int limited = 0;
    for (int i = 0; i < 20; i++) {
        int status = post("/ratelimit/3", "c", "{}");
        cr_assert(status == 200 || status == 429);
        limited += status == 429 ? 1 : 0;
    }
    cr_assert(limited >= 10, "%d", limited);
    int64_t began = clock_mono_ms();
    cr_assert_eq(post("/x?do=slow/300", "d", "{}"), 200);
    cr_assert(clock_mono_ms() - began >= 290);
    cr_assert_eq(post("/slow/x", "d", "{}"), 400);
}

Test(receiver, a_reset_is_a_reset)
{
    start(false);
    cr_assert_eq(post("/reset", "a", "{}"), -(int)CURLE_RECV_ERROR);
    cr_assert_eq(post("/ok", "a", "{}"), 200);
}

Test(receiver, bodies_without_end)
{
    start(false);
    cr_assert_eq(post("/endless", "a", "{}"), -(int)CURLE_WRITE_ERROR);
    cr_assert(answer.overflow);
    cr_assert_eq(post("/drip/50", "b", "{}"), -(int)CURLE_OPERATION_TIMEDOUT);
    cr_assert(answer.len >= 3 && answer.len <= 16, "%zu", answer.len);
}

/* The count of requests in flight comes down when the client has gone. */
static bool in_flight_is(const char *text)
{
    for (int i = 0; i < 100; i++) {
        if (strstr(stats(false), text) != NULL) {
            return true;
        }
        clock_sleep_ms(20);
    }
    return false;
}

Test(receiver, hangs_until_told_and_forgets_clients_that_left)
{
    start(false);
    cr_assert_eq(post("/hang", "a", "{}"), -(int)CURLE_OPERATION_TIMEDOUT);
    cr_assert(in_flight_is("\"in_flight\": 0, \"abandoned\": 1"), "%s", buf_str(&answer));
    cr_assert_eq(post("/control", "x", "{\"hang\": false}"), 200);
    cr_assert_eq(post("/hang", "a", "{}"), 200);
    cr_assert_eq(post("/control", "x", "{\"hang\": 1}"), 400);
    cr_assert_eq(post("/control", "x", "{\"clear\": true}"), 200);
    STATS_HAVE("\"requests\": 0");
}

Test(receiver, mended_paths_answer_well_until_another_list)
{
    start(false);
    cr_assert_eq(post("/shop/1/status/503", "a", "{}"), 503);
    cr_assert_eq(post("/control", "x", "{\"mended\": [\"/shop/1/\", \"/else\"]}"), 200);
    cr_assert_eq(post("/shop/1/status/503", "a", "{}"), 200);
    cr_assert_eq(post("/else/fail/9", "b", "{}"), 200);
    cr_assert_eq(post("/shop/2/status/503", "c", "{}"), 503);
    cr_assert_eq(post("/control", "x", "{\"mended\": []}"), 200);
    cr_assert_eq(post("/shop/1/status/503", "a", "{}"), 503);
    STATS_HAVE("\"ids_delivered\": 2, \"duplicates\": 1");
}

Test(receiver, a_control_that_is_wrong_in_one_thing_does_nothing)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "no json",
        "{\"mended\": \"/shop\"}",
        "{\"mended\": [\"shop\"], \"hang\": false}",
        "{\"mended\": [\"/shop\", 1]}",
        "{\"mended\": [\"/shop\"], \"clear\": 1}",
        ("{\"mended\": [\"/shop\", \"/2\", \"/3\", \"/4\", \"/5\", \"/6\", \"/7\", \"/8\", \"/9\", \"/10\", \"/11\", "
         "\"/12\", \"/13\", \"/14\", \"/15\", \"/16\", \"/17\"]}"),
    };
    start(false);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        cr_assert_eq(post("/control", "x", wrong[i]), 400, "%s", wrong[i]);
    }
    char *big = xcalloc(400, 1);
    (void)snprintf(big, 400, "{\"mended\": [\"/%0256d\"]}", 0);
    cr_assert_eq(post("/control", "x", big), 400);
    free(big);
    cr_assert_eq(post("/shop/status/503", "a", "{}"), 503);
    cr_assert_eq(post("/hang", "b", "{}"), -(int)CURLE_OPERATION_TIMEDOUT);
}

Test(receiver, stops_while_requests_hang)
{
    start(false);
    cr_assert_eq(post("/slow/60000", "a", "{}"), -(int)CURLE_OPERATION_TIMEDOUT);
    cr_assert_eq(post("/drip/10", "a", "{}"), -(int)CURLE_OPERATION_TIMEDOUT);
}

Test(receiver, key_and_order_from_the_body)
{
    start(false);
    cr_assert_eq(post("/ok", "a", "{\"key\": \"k\", \"seq\": 2}"), 200);
    cr_assert_eq(post("/ok", "b", "{\"key\": \"k\", \"seq\": 1}"), 200);
    cr_assert_eq(post("/ok", "c", "no json"), 200);
    STATS_HAVE("\"keys\": 1, \"disorder\": 1, \"overlaps\": 0");
    cr_assert_not_null(strstr(stats(true), "\"a\": {\"attempts\": 1, \"ok\": 1, \"key\": \"k\""));
}

/* ---------------------------------------------------------------------------------------------------- /push */

#define M(id, cid) \
    "{\"request_id\":\"" id "\",\"push_clientid\":\"" cid "\",\"title\":\"t\",\"content\":\"c\",\"payload\":{}}"

static int push(const char *path, const char *secret, int64_t at, const char *body)
{
    unsigned char mac[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    char time[24];
    char line[128];
    int n = snprintf(time, sizeof time, "%lld", (long long)at);
    const struct sha256_part parts[] = {
        {.bytes = time, .n = (size_t)n}, {.bytes = ".", .n = 1}, {.bytes = body, .n = strlen(body)}};
    hmac_sha256(secret, strlen(secret), parts, 3, mac);
    sha256_hex(mac, sizeof mac, hex);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    (void)snprintf(line, sizeof line, "x-sluice-timestamp: %s", time);
    headers = curl_slist_append(headers, line);
    (void)snprintf(line, sizeof line, "x-sluice-signature: %s", hex);
    headers = curl_slist_append(headers, line);
    CLEANUP(freep) char *url = xasprintf("http://%s%s", receiver_address(receiver), path);
    buf_clear(&answer);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    return code == CURLE_OK ? (int)status : -(int)code;
}

static void start_push(void)
{
    const struct receiver_options opt = {.address = "127.0.0.1:0", .push_secret = "shared"};
    cr_assert_eq(receiver_start(&opt, &receiver, &err), RC_OK, "%s", err.text);
    curl = curl_easy_init();
    buf_init(&answer, 65536);
}

Test(receiver, takes_messages_for_devices_once_each, .init = start_push)
{
    int64_t now = clock_utc_ms() / 1000;
    cr_assert_eq(
        push("/push", "shared", now, "{\"messages\":[" M("a", "c1") "," M("b", "gone-1") "," M("c", "ignore-1") "]}"),
        200, "%s", buf_str(&answer));
    cr_assert_not_null(strstr(buf_str(&answer), "\"a\": {\"errCode\": 0, \"status\": \"successed_online\"}"), "%s",
                       buf_str(&answer));
    cr_assert_not_null(strstr(buf_str(&answer), "\"b\": {\"errCode\": 20001"));
    cr_assert_not_null(strstr(buf_str(&answer), "\"c\": {\"errCode\": 0, \"status\": \"successed_ignore\"}"));
    STATS_HAVE(
        "\"push\": {\"requests\": 1, \"refused\": 0, \"messages\": 3, \"ids\": 3, \"accepted\": 2, \"doubled\": 0");
    cr_assert_eq(push("/push", "shared", now, "{\"messages\":[" M("a", "c1") "]}"), 200);
    STATS_HAVE("\"messages\": 4, \"ids\": 3, \"accepted\": 2, \"doubled\": 1");
    cr_assert_eq(push("/push", "shared", now, M("d", "c2")), 200);
    cr_assert_not_null(strstr(buf_str(&answer), "\"c2\": \"successed_online\""), "%s", buf_str(&answer));
    cr_assert_not_null(strstr(stats(true), "\"a\": {\"attempts\": 2, \"accepted\": 2, \"cid\": \"c1\""), "%s",
                       buf_str(&answer));
}

Test(receiver, a_push_that_misbehaves_or_is_forged_takes_nothing, .init = start_push)
{
    int64_t now = clock_utc_ms() / 1000;
    cr_assert_eq(push("/push", "other", now, M("a", "c1")), 401);
    cr_assert_eq(push("/push", "shared", now - 400, M("a", "c1")), 401);
    cr_assert_eq(push("/push", "shared", now, "{\"messages\":[]}"), 400);
    cr_assert_eq(push("/push", "shared", now, M("a", "")), 400);
    cr_assert_eq(push("/push", "shared", now, "x"), 400);
    cr_assert_eq(push("/push/status/503", "shared", now, M("a", "c1")), 503);
    STATS_HAVE("\"refused\": 5, \"messages\": 1, \"ids\": 1, \"accepted\": 0");
    cr_assert_eq(push("/push/fail/2", "shared", now, M("a", "c1")), 500);
    cr_assert_eq(push("/push/fail/2", "shared", now, M("a", "c1")), 200);
    cr_assert_eq(push("/push/slow/30", "shared", now, M("b", "c1")), 200);
    STATS_HAVE("\"ids\": 2, \"accepted\": 2");
}

Test(receiver, what_is_too_large_is_refused)
{
    start(false);
    char *big = xcalloc(RECEIVER_BODY_BYTES_MAX + 2, 1);
    memset(big, 'x', RECEIVER_BODY_BYTES_MAX + 1);
    cr_assert_eq(post("/ok", "a", big), 413);
    big[RECEIVER_BODY_BYTES_MAX] = '\0';
    cr_assert_eq(post("/ok", "a", big), 200);
    free(big);
}
