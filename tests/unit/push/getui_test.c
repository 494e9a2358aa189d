/* SPDX-License-Identifier: Apache-2.0 */
/* Getui: what is asked for, word by word, and what each answer means. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "crypto/sha256.h"
#include "provider_rig.h"
#include "push/provider_getui.h"

#define CONFIG_HEAD "{\"app_id\":\"AppA\",\"app_key_file\":\"app.key\",\"master_secret_file\":\"master.secret\""
#define PLAIN CONFIG_HEAD "}"

static struct provider_rig rig;
static struct err err;

static void setup(void)
{
    provider_rig_begin(&rig);
    provider_rig_open(&rig, &provider_getui, PLAIN);
}

static void teardown(void)
{
    provider_rig_done(&rig);
}

TestSuite(getui, .init = setup, .fini = teardown);

#define ONE(id, cid)                                                                                           \
    "{\"request_id\":\"" id "\",\"settings\":{\"ttl\":3600000,\"strategy\":{\"default\":1,\"ios\":4}},"        \
    "\"audience\":{\"cid\":[\"" cid "\"]},\"push_message\":{\"notification\":{\"title\":\"a \\\"parcel\\\"\"," \
    "\"body\":\"\xe5\x8c\x85\xe8\xa3\xb9\",\"click_type\":\"payload\",\"payload\":\"{\\\"no\\\":1}\"}},"       \
    "\"push_channel\":{\"android\":{\"ups\":{\"notification\":{\"title\":\"a \\\"parcel\\\"\","                \
    "\"body\":\"\xe5\x8c\x85\xe8\xa3\xb9\",\"click_type\":\"startapp\"}}},\"ios\":{\"type\":\"notify\","       \
    "\"payload\":\"{\\\"no\\\":1}\",\"aps\":{\"alert\":{\"title\":\"a \\\"parcel\\\"\","                       \
    "\"body\":\"\xe5\x8c\x85\xe8\xa3\xb9\"},\"content-available\":0,\"sound\":\"default\"}}}}"

Test(getui, one_message_goes_to_single_cid)
{
    struct push_request request;
    const struct push_message m = provider_rig_message("c1");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "T0KEN", &request, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(request.url, "https://restapi.getui.com/v2/AppA/push/single/cid");
    cr_assert_str_eq(provider_rig_header(&request, "token"), "T0KEN");
    cr_assert_str_eq(provider_rig_header(&request, "Content-Type"), "application/json;charset=utf-8");
    cr_assert_str_eq(request.body, ONE(RIG_ID, "c1"));
    cr_assert_eq(request.body_n, strlen(request.body));
}

Test(getui, several_go_to_batch_cid_each_with_its_own_id)
{
    struct push_request request;
    struct push_message m[2] = {provider_rig_message("c1"), provider_rig_message("c2")};
    memset(m[1].request_id, 'b', PUSH_REQUEST_ID_LEN);
    cr_assert_eq(provider_rig_request(&rig, m, 2, "t", &request, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(request.url, "https://restapi.getui.com/v2/AppA/push/single/batch/cid");
    cr_assert_str_eq(request.body, "{\"is_async\":false,\"msg_list\":[" ONE(RIG_ID, "c1") "," ONE(
                                       "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "c2") "]}");
    cr_assert(provider_getui.together(rig.self, &m[0], &m[1]));
    cr_assert_not(provider_getui.together(rig.self, &m[0], &m[0]), "answers could not be told apart");
}

Test(getui, channel_options_are_given_to_the_vendors)
{
    char config[1024];
    struct push_request request;
    const struct push_message m = provider_rig_message("c1");
    (void)snprintf(config, sizeof config, CONFIG_HEAD "%s}",
                   ",\"ttl_s\":60,\"api_base\":\"http://127.0.0.1:9/v2\",\"channel\":{\"strategy\":2,\"android\":{"
                   "\"intent\":\"intent://x\",\"options\":{\"XM\":{\"/extra.channel_id\":\"7\"}}},"
                   "\"ios\":{\"auto_badge\":\"+1\"},\"harmony\":{\"options\":{\"HW\":{}}}}");
    provider_rig_open(&rig, &provider_getui, config);
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(request.url, "http://127.0.0.1:9/v2/AppA/push/single/cid");
    const char *const parts[] = {
        "\"ttl\":60000,\"strategy\":{\"default\":2,\"ios\":4}",
        "\"click_type\":\"intent\",\"intent\":\"intent://x\"},\"options\":{\"XM\":{\"/extra.channel_id\":\"7\"}}}}",
        "\"sound\":\"default\"},\"auto_badge\":\"+1\"}",
        "\"category\":\"EXPRESS\",\"click_type\":\"startapp\"},\"options\":{\"HW\":{}}}}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        cr_assert(strstr(request.body, parts[i]) != NULL, "%s is not in %s", parts[i], request.body);
    }
}

Test(getui, texts_are_cut_between_characters)
{
    struct push_request request;
    char title[3 * 51 + 1] = "";
    char want[3 * 50 + 32] = "\"title\":\"";
    size_t n = strlen(want);
    struct push_message m = provider_rig_message("c1");
    for (size_t i = 0; i < 51; i++) {
        memcpy(title + 3 * i, "\xe5\x8c\x85", 4);
        n += i < 49 ? (size_t)snprintf(want + n, sizeof want - n, "\xe5\x8c\x85") : 0;
    }
    (void)snprintf(want + n, sizeof want - n, "\xe2\x80\xa6\",\"body\"");
    m.title = title;
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK, "%s", err.text);
    cr_assert(strstr(request.body, want) != NULL, "%s", request.body);
    title[3 * 50] = '\0'; /* fifty are as many as there may be */
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK, "%s", err.text);
    cr_assert(strstr(request.body, "\xe2\x80\xa6") == NULL, "%s", request.body);
}

Test(getui, what_can_never_be_sent_is_refused)
{
    char payload[4000];
    struct push_request request;
    struct push_message m = provider_rig_message("");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_REJECT);
    cr_assert_str_eq(err.code, "empty-target");
    memset(payload, 'x', sizeof payload);
    payload[3073] = '\0';
    m = provider_rig_message("c1");
    m.payload = payload;
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_REJECT);
    cr_assert_str_eq(err.code, "payload-too-big");
}

Test(getui, ttl_is_what_is_left)
{
    struct push_request request;
    struct push_message m = provider_rig_message("c1");
    m.expires_at_us = RIG_NOW_US - 5;
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK);
    cr_assert(strstr(request.body, "\"ttl\":1000,") != NULL, "%s", request.body);
    m.expires_at_us = 0;
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_OK);
    cr_assert(strstr(request.body, "\"ttl\":86400000,") != NULL, "%s", request.body);
}

/* ----------------------------------------------------------------------------------------------------- answers */

Test(getui, statuses_of_a_cid)
{
    for (const struct push_code *row = GETUI_STATUSES; row->code != NULL; row++) {
        char body[200];
        (void)snprintf(body, sizeof body, "{\"code\":0,\"msg\":\"\",\"data\":{\"t1\":{\"c1\":\"%s\"}}}", row->code);
        struct push_result result = provider_rig_reply(&rig, 200, body);
        cr_assert_eq(result.verdict, row->verdict, "%s", row->code);
        cr_assert_str_eq(result.code, row->code);
    }
    cr_assert_eq(provider_rig_reply(&rig, 200, "{\"code\":0,\"data\":{\"t\":{\"c1\":\"successed_ignore\"}}}").verdict,
                 PUSH_IGNORED);
    cr_assert_eq(provider_rig_reply(&rig, 200, "{\"code\":0,\"msg\":\"success\"}").verdict, PUSH_SENT);
}

Test(getui, codes_of_a_request)
{
    static const struct provider_rig_case rows[] = {
        {401, "{\"code\":10001,\"msg\":\"token is invalid\"}", PUSH_AUTH, "10001", true, -1},
        {401, "{\"code\":10002,\"msg\":\"ip is in black list\"}", PUSH_AUTH, "10002", false, -1},
        {401, "{\"code\":10005,\"msg\":\"over limit\"}", PUSH_THROTTLED, "10005", false, 60000},
        {200, "{\"code\":1,\"msg\":\"failed\"}", PUSH_PAYLOAD, "1", false, -1},
        {200, "{\"code\":2,\"msg\":\"starting\"}", PUSH_PROVIDER_DOWN, "2", false, -1},
        {200, "{\"code\":301,\"msg\":\"domain\"}", PUSH_AUTH, "301", false, -1},
        {200, "{\"code\":5000,\"msg\":\"inner\"}", PUSH_PROVIDER_DOWN, "5000", false, -1},
        {403, "{\"code\":30000,\"msg\":\"no auth\"}", PUSH_AUTH, "30000", false, -1},
        {403, "{\"code\":39999,\"msg\":\"new\"}", PUSH_AUTH, "39999", false, -1},
        {400, "{\"code\":29999,\"msg\":\"new\"}", PUSH_PAYLOAD, "29999", false, -1},
        {400, "{\"code\":20001,\"msg\":\"target user is invalid\"}", PUSH_INVALID_TARGET, "20001", false, -1},
        {400, "{\"code\":20001,\"msg\":\"CID is invalid\"}", PUSH_INVALID_TARGET, "20001", false, -1},
        {400, "{\"code\":20001,\"msg\":\"appid not match cid\"}", PUSH_INVALID_TARGET, "20001", false, -1},
        {400, "{\"code\":20001,\"msg\":\"ttl is invalid\"}", PUSH_PAYLOAD, "20001", false, -1},
        {400, "{\"code\":20001}", PUSH_PAYLOAD, "20001", false, -1},
        {429, "", PUSH_THROTTLED, "http-429", false, -1},
        {502, "<html>", PUSH_PROVIDER_DOWN, "http-502", false, -1},
        {401, "{\"code\":0}", PUSH_AUTH, "http-401", false, -1},
        {0, "", PUSH_PROVIDER_DOWN, "timeout", false, -1},
    };
    provider_rig_cases(&rig, rows, ARRAY_SIZE(rows));
}

/* What docs/express.md says of codes that nobody knows. */
Test(getui, an_unknown_code_counts_by_its_status)
{
    static const struct {
        int status;
        enum push_verdict verdict;
    } rows[] = {
        {400, PUSH_PAYLOAD},       {401, PUSH_AUTH},          {402, PUSH_PROVIDER_DOWN}, {403, PUSH_AUTH},
        {404, PUSH_PROVIDER_DOWN}, {405, PUSH_PROVIDER_DOWN}, {407, PUSH_PROVIDER_DOWN}, {408, PUSH_PROVIDER_DOWN},
        {413, PUSH_PAYLOAD},       {418, PUSH_PAYLOAD},       {421, PUSH_PROVIDER_DOWN}, {425, PUSH_PROVIDER_DOWN},
        {429, PUSH_THROTTLED},     {500, PUSH_PROVIDER_DOWN}, {503, PUSH_PROVIDER_DOWN}, {301, PUSH_PROVIDER_DOWN}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct push_result result = provider_rig_reply(&rig, rows[i].status, "{\"code\":29998,\"msg\":\"new\"}");
        cr_assert_eq(result.verdict, rows[i].verdict, "%d", rows[i].status);
        cr_assert_str_eq(result.code, "29998");
    }
}

static void reply_of_three(const char *body, int status, struct push_result *out)
{
    const struct push_message m[3] = {provider_rig_message("c1"), provider_rig_message("c2"),
                                      provider_rig_message("c3")};
    const struct push_message *const list[] = {&m[0], &m[1], &m[2]};
    const struct http_result answer = provider_rig_answer(status, body);
    provider_getui.reply(rig.self, list, 3, &answer, RIG_NOW_US, out);
}

Test(getui, each_message_of_a_batch_gets_its_own_verdict)
{
    struct push_result out[3];
    reply_of_three(
        "{\"code\":0,\"msg\":\"\",\"data\":{\"t3\":{\"c3\":\"successed_ignore\"},\"tx\":{\"cx\":\"no_user\"},"
        "\"t1\":{\"c1\":\"successed_online\"}}}",
        200, out);
    cr_assert_eq(out[0].verdict, PUSH_SENT_ONLINE);
    cr_assert_eq(out[1].verdict, PUSH_PROVIDER_DOWN);
    cr_assert_str_eq(out[1].code, "no-result");
    cr_assert_eq(out[2].verdict, PUSH_IGNORED);
}

Test(getui, a_batch_refused_for_one_of_them_punishes_nobody)
{
    struct push_result out[3];
    reply_of_three("{\"code\":20001,\"msg\":\"cid is invalid\"}", 400, out);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(out[i].alone);
        cr_assert_eq(out[i].verdict, PUSH_PROVIDER_DOWN);
    }
    reply_of_three("{\"code\":10001,\"msg\":\"token\"}", 401, out);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(out[i].renew_token && !out[i].alone);
    }
}

Test(getui, garbage_has_a_reason_for_each_message)
{
    provider_rig_garbage(&rig, 1);
    provider_rig_garbage(&rig, 100);
}

/* ------------------------------------------------------------------------------------------------------- token */

Test(getui, token_is_asked_for_with_a_signature)
{
    struct push_request request;
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    char want[256];
    static const char signed_text[] = RIG_APP_KEY "1700000000000" RIG_MASTER;
    sha256_of(signed_text, strlen(signed_text), hash);
    sha256_hex(hash, sizeof hash, hex);
    (void)snprintf(want, sizeof want,
                   "{\"sign\":\"%s\",\"timestamp\":\"1700000000000\",\"appkey\":\"" RIG_APP_KEY "\"}", hex);
    cr_assert_eq(provider_getui.token_request(rig.self, RIG_NOW_US, &rig.arena, &request, &err), RC_OK);
    cr_assert_str_eq(request.url, "https://restapi.getui.com/v2/AppA/auth");
    cr_assert_str_eq(request.body, want);
    cr_assert_null(provider_rig_header(&request, "token"));
}

Test(getui, token_answers)
{
    static const struct provider_rig_token rows[] = {
        {200, "{\"code\":0,\"data\":{\"expire_time\":\"1700086400000\",\"token\":\"tok\"}}", RC_OK, NULL},
        {200, "{\"code\":0,\"data\":{\"expire_time\":1700086400000,\"token\":\"tok\"}}", RC_OK, NULL},
        {200, "{\"code\":0,\"data\":{\"expire_time\":\"1600000000000\",\"token\":\"tok\"}}", RC_RETRY, "malformed"},
        {200, "{\"code\":0,\"data\":{\"expire_time\":\"x\",\"token\":\"tok\"}}", RC_RETRY, "malformed"},
        {200, "{\"code\":0,\"data\":{\"expire_time\":\"1700086400000\",\"token\":\"a b\"}}", RC_RETRY, "malformed"},
        {200, "{\"code\":0,\"data\":{\"expire_time\":\"1700086400000\"}}", RC_RETRY, "malformed"},
        {400, "{\"code\":20001,\"msg\":\"sign is invalid\"}", RC_REJECT, "20001"},
        {401, "{\"code\":10003,\"msg\":\"too often\"}", RC_RETRY, "10003"},
        {401, "{\"code\":10002,\"msg\":\"blocked\"}", RC_REJECT, "10002"},
        {200, "<html>", RC_RETRY, "http-200"},
        {503, "", RC_RETRY, "http-503"},
        {0, "", RC_RETRY, "timeout"},
    };
    provider_rig_tokens(&rig, rows, ARRAY_SIZE(rows), "tok", 86400);
}

Test(getui, another_secret_is_another_credential)
{
    unsigned char id[32], key[32], other_id[32], other_key[32];
    provider_getui.credential(rig.self, id, key);
    cr_assert(memcmp(id, key, 32) != 0);
    provider_rig_open(&rig, &provider_getui, PLAIN);
    provider_getui.credential(rig.self, other_id, other_key);
    cr_assert(memcmp(id, other_id, 32) == 0 && memcmp(key, other_key, 32) == 0);
    provider_rig_put(&rig, "master.secret", "another\n", 0600);
    provider_rig_open(&rig, &provider_getui, PLAIN);
    provider_getui.credential(rig.self, other_id, other_key);
    cr_assert(memcmp(id, other_id, 32) != 0 && memcmp(key, other_key, 32) != 0);
}

/* ----------------------------------------------------------------------------------------------------- opening */

Test(getui, settings_that_are_wrong_are_named)
{
    static const struct provider_rig_wrong rows[] = {
        {",\"ttl\":5", "ttl"},
        {",\"ttl_s\":0", "ttl_s"},
        {",\"api_base\":\"http://example.com\"", "api_base"},
        {",\"api_base\":\"https://example.com/\"", "api_base"},
        {",\"channel\":[]", "channel"},
        {",\"channel\":{\"windows\":{}}", "windows"},
        {",\"channel\":{\"strategy\":5}", "strategy"},
        {",\"channel\":{\"android\":{\"options\":7}}", "android"},
        {",\"channel\":{\"ios\":{\"aps\":{}}}", "aps"},
    };
    provider_rig_refuses(&rig, &provider_getui, CONFIG_HEAD, rows, ARRAY_SIZE(rows));
    cr_assert_eq(provider_rig_try(&rig, &provider_getui, "{\"app_id\":\"../x\"}", &err), RC_FATAL);
    cr_assert(strstr(err.text, "app_id") != NULL, "%s", err.text);
    provider_rig_put(&rig, "app.key", RIG_APP_KEY, 0644);
    cr_assert_eq(provider_rig_try(&rig, &provider_getui, PLAIN, &err), RC_FATAL);
    cr_assert(strstr(err.text, "app_key") != NULL && strstr(err.text, RIG_APP_KEY) == NULL, "%s", err.text);
}
