/* SPDX-License-Identifier: Apache-2.0 */
/* APNs: what is asked for, word by word, and what each answer means. */
#include <criterion/criterion.h>
#include <string.h>

#include "provider_rig.h"
#include "push/provider_apns.h"
#include "support/test_keys.h"

#define CONFIG                                                                       \
    "{\"team_id\":\"TEAM000001\",\"key_id\":\"KEY0000001\",\"key_file\":\"key.p8\"," \
    "\"topic\":\"com.example.shop\"%s}"
#define DEVICE "00ffAA11"

static struct provider_rig rig;
static struct err err;

static void open_with(const char *more)
{
    char config[512];
    (void)snprintf(config, sizeof config, CONFIG, more);
    provider_rig_open(&rig, &provider_apns, config);
}

static void setup(void)
{
    provider_rig_begin(&rig);
    open_with("");
}

static void teardown(void)
{
    provider_rig_done(&rig);
}

TestSuite(apns, .init = setup, .fini = teardown);

Test(apns, a_message)
{
    struct push_request request;
    const struct push_message m = provider_rig_message(DEVICE);
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "J.W.T", &request, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(request.url, "https://api.push.apple.com/3/device/" DEVICE);
    static const char *const headers[][2] = {
        {"authorization", "bearer J.W.T"},   {"apns-topic", "com.example.shop"},
        {"apns-push-type", "alert"},         {"apns-priority", "10"},
        {"apns-expiration", "1700003600"},   {"apns-id", "01234567-89ab-cdef-0123-456789abcdef"},
        {"content-type", "application/json"}};
    cr_assert_eq(request.n_headers, ARRAY_SIZE(headers));
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        cr_assert_str_eq(provider_rig_header(&request, headers[i][0]), headers[i][1]);
    }
    cr_assert_null(provider_rig_header(&request, "apns-collapse-id"));
    cr_assert_str_eq(request.body, "{\"aps\":{\"alert\":{\"title\":\"a \\\"parcel\\\"\",\"body\":\"\xe5\x8c\x85\xe8\xa3"
                                   "\xb9\"},\"sound\":\"default\"},\"message_id\":\"m1\",\"request_id\":\"" RIG_ID
                                   "\",\"payload\":{\"no\":1}}");
}

Test(apns, environments)
{
    struct push_request request;
    const struct push_message m = provider_rig_message(DEVICE);
    open_with(",\"environment\":\"sandbox\"");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK);
    cr_assert_str_eq(request.url, "https://api.sandbox.push.apple.com/3/device/" DEVICE);
    open_with(",\"api_base\":\"https://127.0.0.1:1\"");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK);
    cr_assert_str_eq(request.url, "https://127.0.0.1:1/3/device/" DEVICE);
}

Test(apns, what_can_never_be_sent_is_refused)
{
    char body[4300];
    struct push_request request;
    static const char *const devices[] = {"../../x", "0g", "abc", "00 1", "00/1"};
    struct push_message m = provider_rig_message("");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_REJECT);
    cr_assert_str_eq(err.code, "empty-target");
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        m.cid = devices[i];
        cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_REJECT, "%s", devices[i]);
        cr_assert_str_eq(err.code, "cid-malformed");
    }
    m = provider_rig_message(DEVICE);
    m.payload = "{\"aps\":1},\"x\":{}";
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_REJECT);
    cr_assert_str_eq(err.code, "payload-malformed");
    m = provider_rig_message(DEVICE);
    memset(body, 'x', sizeof body);
    m.body = body;
    body[3800] = '\0';
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK);
    size_t room = 4096 - request.body_n;
    body[3800] = 'x';
    body[3800 + room] = '\0';
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK);
    cr_assert_eq(request.body_n, 4096);
    body[3800 + room] = 'x';
    body[3801 + room] = '\0';
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_REJECT);
    cr_assert_str_eq(err.code, "payload-too-big");
}

/* ----------------------------------------------------------------------------------------------------- answers */

Test(apns, every_reason)
{
    for (const struct push_code *row = APNS_REASONS; row->code != NULL; row++) {
        char body[128];
        (void)snprintf(body, sizeof body, "{\"reason\":\"%s\"}", row->code);
        struct push_result result = provider_rig_reply(&rig, 418, body);
        cr_assert_eq(result.verdict, row->verdict, "%s", row->code);
        cr_assert_eq(result.renew_token, row->renew_token, "%s", row->code);
        cr_assert_str_eq(result.code, row->code);
    }
}

Test(apns, answers)
{
    static const struct {
        int status;
        const char *body;
        enum push_verdict verdict;
        const char *code;
        bool renew;
        int64_t wait_ms;
    } rows[] = {
        {200, "", PUSH_SENT, "", false, -1},
        {400, "{\"reason\":\"BadDeviceToken\"}", PUSH_SUSPECT, "BadDeviceToken", false, -1},
        {400, "{\"reason\":\"DeviceTokenNotForTopic\"}", PUSH_SUSPECT, "DeviceTokenNotForTopic", false, -1},
        {403, "{\"reason\":\"ExpiredProviderToken\"}", PUSH_AUTH, "ExpiredProviderToken", true, -1},
        {403, "{\"reason\":\"InvalidProviderToken\"}", PUSH_AUTH, "InvalidProviderToken", false, -1},
        {403, "{\"reason\":\"SomethingNew\"}", PUSH_AUTH, "SomethingNew", false, -1},
        {400, "{\"reason\":\"SomethingNew\"}", PUSH_PAYLOAD, "SomethingNew", false, -1},
        {410, "", PUSH_INVALID_TARGET, "http-410", false, -1},
        {410, "{\"reason\":\"\"}", PUSH_INVALID_TARGET, "http-410", false, -1},
        {413, "{\"reason\":\"PayloadTooLarge\"}", PUSH_PAYLOAD, "PayloadTooLarge", false, -1},
        {429, "{\"reason\":\"TooManyRequests\"}", PUSH_THROTTLED, "TooManyRequests", false, 60000},
        {429, "{\"reason\":\"TooManyProviderTokenUpdates\"}", PUSH_THROTTLED, "TooManyProviderTokenUpdates", false,
         1200000},
        {500, "{\"reason\":\"InternalServerError\"}", PUSH_PROVIDER_DOWN, "InternalServerError", false, -1},
        {503, "{\"reason\":\"Shutdown\"}", PUSH_PROVIDER_DOWN, "Shutdown", false, -1},
        {502, "<html>", PUSH_PROVIDER_DOWN, "http-502", false, -1},
        {403, "garbage", PUSH_AUTH, "http-403", false, -1},
        {400, "{\"reason\":7}", PUSH_PAYLOAD, "http-400", false, -1},
        {0, "", PUSH_PROVIDER_DOWN, "timeout", false, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct push_result result = provider_rig_reply(&rig, rows[i].status, rows[i].body);
        cr_assert_eq(result.verdict, rows[i].verdict, "%d %s", rows[i].status, rows[i].body);
        cr_assert_str_eq(result.code, rows[i].code);
        cr_assert_eq(result.renew_token, rows[i].renew);
        cr_assert_eq(result.retry_after_ms, rows[i].wait_ms, "%s", rows[i].body);
    }
}

Test(apns, a_device_is_gone_as_of_when_apple_says)
{
    struct push_result result =
        provider_rig_reply(&rig, 410, "{\"reason\":\"Unregistered\",\"timestamp\":1699999000123}");
    cr_assert_eq(result.verdict, PUSH_INVALID_TARGET);
    cr_assert_eq(result.gone_at_us, (int64_t)1699999000123 * 1000);
    static const char *const odd[] = {"1800000000000", "-5", "\"1699999000123\"", "{}", "9223372036854775807"};
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        char body[128];
        (void)snprintf(body, sizeof body, "{\"reason\":\"Unregistered\",\"timestamp\":%s}", odd[i]);
        result = provider_rig_reply(&rig, 410, body);
        cr_assert_eq(result.verdict, PUSH_INVALID_TARGET);
        cr_assert_eq(result.gone_at_us, 0, "%s", odd[i]);
    }
}

/* ------------------------------------------------------------------------------------------------------- token */

Test(apns, token_is_made_and_signed)
{
    struct push_token token = {0};
    const char *header = NULL;
    cr_assert_eq(provider_apns.token_make(rig.self, RIG_NOW_US, &token, &err), RC_OK, "%s", err.text);
    const char *claims = provider_rig_jwt(&rig, token.text, rig.ec, &header);
    cr_assert_str_eq(header, "{\"alg\":\"ES256\",\"kid\":\"KEY0000001\"}");
    cr_assert_str_eq(claims, "{\"iss\":\"TEAM000001\",\"iat\":1700000000}");
    int64_t renewed_s = (token.expires_us - provider_apns.renew_ahead_us - RIG_NOW_US) / 1000000;
    cr_assert(renewed_s >= 20 * 60 && token.expires_us - RIG_NOW_US <= (int64_t)3600 * 1000000,
              "not more often than every 20 minutes, and never older than an hour");
    free(token.text);
}

Test(apns, settings_that_are_wrong_are_named)
{
    static const struct {
        const char *more, *says;
    } rows[] = {
        {",\"environment\":\"test\"", "environment"},
        {",\"bundle\":\"x\"", "bundle"},
        {",\"api_base\":\"http://10.0.0.1\"", "api_base"},
        {",\"api_base\":\"http://127.0.0.1:1\"", "TLS"},
    };
    char config[512];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)snprintf(config, sizeof config, CONFIG, rows[i].more);
        cr_assert_eq(provider_rig_try(&rig, &provider_apns, config, &err), RC_FATAL, "%s", rows[i].more);
        cr_assert(strstr(err.text, rows[i].says) != NULL && err_is_config(&err), "%s: %s", rows[i].more, err.text);
    }
    (void)snprintf(config, sizeof config, CONFIG, "");
    provider_rig_put(&rig, "key.p8", TEST_KEY_A, 0600);
    cr_assert_eq(provider_rig_try(&rig, &provider_apns, config, &err), RC_FATAL);
    cr_assert(strstr(err.text, "P-256") != NULL && err_is_config(&err), "%s", err.text);
    provider_rig_put(&rig, "key.p8", "no key", 0600);
    cr_assert_eq(provider_rig_try(&rig, &provider_apns, config, &err), RC_FATAL);
    cr_assert(strstr(err.text, "key_file") != NULL && strstr(err.text, "no key") == NULL, "%s", err.text);
}
