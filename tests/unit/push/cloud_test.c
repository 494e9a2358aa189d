/* SPDX-License-Identifier: Apache-2.0 */
/* The cloud function and the webhook: what is asked for, how it is signed, and what each answer means. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hmac.h"
#include "crypto/webhook.h"
#include "provider_rig.h"

static struct provider_rig rig;
static struct err err;

static void setup(void)
{
    provider_rig_begin(&rig);
    provider_rig_put(&rig, "cloud.secret", "shared secret\n", 0600);
    provider_rig_open(&rig, &provider_cloud, "{\"url\":\"https://f.example/push\",\"secret_file\":\"cloud.secret\"}");
}

static void teardown(void)
{
    provider_rig_done(&rig);
}

TestSuite(cloud, .init = setup, .fini = teardown);

Test(cloud, a_request_carries_each_message_with_its_id_and_is_signed_over_time_and_body)
{
    struct push_message m[2] = {provider_rig_message("c1"), provider_rig_message("c2")};
    struct push_request request;
    unsigned char mac[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    m[1].payload = "{\"a\":1}";
    m[1].platform = NULL;
    m[1].expires_at_us = 0;
    cr_assert_eq(provider_rig_request(&rig, m, 2, NULL, &request, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(request.url, "https://f.example/push");
    cr_assert_eq(request.body_n, strlen(request.body));
    cr_assert(strncmp(request.body, "{\"messages\":[{\"request_id\":\"" RIG_ID "\"", 50) == 0, "%s", request.body);
    cr_assert(strstr(request.body, "\"push_clientid\":\"c2\"") != NULL);
    cr_assert(strstr(request.body, "\"force_notification\":true,\"settings\":{\"ttl\":3600000}}") != NULL, "%s",
              request.body);
    cr_assert(strstr(request.body, "\"payload\":{\"a\":1},\"force_notification\":true}]}") != NULL, "%s", request.body);

    cr_assert_str_eq(provider_rig_header(&request, "x-sluice-timestamp"), "1700000000");
    const struct sha256_part parts[] = {{.bytes = "1700000000.", .n = 11},
                                        {.bytes = request.body, .n = request.body_n}};
    hmac_sha256("shared secret", 13, parts, 2, mac);
    sha256_hex(mac, sizeof mac, hex);
    cr_assert_str_eq(provider_rig_header(&request, "x-sluice-signature"), hex);
}

Test(cloud, one_message_alone_for_functions_that_hand_it_on)
{
    struct push_message m = provider_rig_message("c1");
    struct push_request request;
    provider_rig_open(&rig, &provider_cloud, "{\"url\":\"https://f.example/push\",\"form\":\"single\"}");
    cr_assert(!rig.kind->together(rig.self, &m, &m));
    cr_assert_eq(provider_rig_request(&rig, &m, 1, NULL, &request, &err), RC_OK);
    cr_assert(strncmp(request.body, "{\"request_id\":", 14) == 0, "%s", request.body);
    cr_assert_null(provider_rig_header(&request, "x-sluice-signature"));
}

static void means(const char *body, enum push_verdict verdict, const char *code)
{
    struct push_result r = provider_rig_reply(&rig, 200, body);
    cr_assert(r.verdict == verdict && strcmp(r.code, code) == 0, "%s: %s %s", body, PUSH_VERDICTS_TABLE[r.verdict].name,
              r.code);
}

#define OWN(text) "{\"errCode\":0,\"data\":{\"" RIG_ID "\":" text "}}"

Test(cloud, the_functions_answer_by_request_id)
{
    means(OWN("{\"errCode\":0,\"status\":\"successed_online\"}"), PUSH_SENT_ONLINE, "successed_online");
    means(OWN("{\"errCode\":0,\"status\":\"successed_offline\"}"), PUSH_SENT_OFFLINE, "successed_offline");
    means(OWN("{\"status\":\"successed_ignore\"}"), PUSH_IGNORED, "successed_ignore");
    means(OWN("{\"errCode\":0,\"status\":\"duplicate\"}"), PUSH_SENT, "duplicate");
    means(OWN("\"successed_online\""), PUSH_SENT_ONLINE, "successed_online");
    means(OWN("{\"errCode\":20001,\"errMsg\":\"target user is invalid\"}"), PUSH_INVALID_TARGET, "20001");
    means(OWN("{\"errCode\":20001,\"errMsg\":\"title too long\"}"), PUSH_PAYLOAD, "20001");
    means(OWN("{\"errCode\":\"uni-push-x\",\"errMsg\":\"CID is invalid\"}"), PUSH_INVALID_TARGET, "uni-push-x");
    means(OWN("{\"errCode\":401,\"errMsg\":\"\"}"), PUSH_AUTH, "401");
    means(OWN("{\"errCode\":429,\"errMsg\":\"\"}"), PUSH_THROTTLED, "429");
    means(OWN("{\"errCode\":5,\"errMsg\":\"?\"}"), PUSH_PROVIDER_DOWN, "5");
    means(OWN("{\"errCode\":0,\"status\":\"perhaps\"}"), PUSH_PROVIDER_DOWN, "perhaps");
    means(OWN("{}"), PUSH_PROVIDER_DOWN, "no-result");
}

Test(cloud, unipushs_own_answer_by_task_and_cid)
{
    means("{\"errCode\":0,\"errMsg\":\"\",\"data\":{\"RASL_1\":{\"c1\":\"successed_online\"}}}", PUSH_SENT_ONLINE,
          "successed_online");
    means("{\"errCode\":0,\"data\":{\"a\":{\"c0\":\"successed_online\"},\"b\":{\"c1\":\"successed_ignore\"}}}",
          PUSH_IGNORED, "successed_ignore");
    means("{\"errCode\":0,\"data\":{\"a\":{\"c0\":\"successed_online\"}}}", PUSH_PROVIDER_DOWN, "no-result");
    means("{\"errCode\":20001,\"errMsg\":\"cid is invalid\"}", PUSH_INVALID_TARGET, "20001");
    means("{\"errCode\":0,\"data\":null}", PUSH_PROVIDER_DOWN, "no-result");
    means("{\"errCode\":0,\"data\":[\"c1\"]}", PUSH_PROVIDER_DOWN, "no-result");
}

Test(cloud, statuses_and_garbage)
{
    cr_assert_eq(provider_rig_reply(&rig, 401, "{}").verdict, PUSH_AUTH);
    cr_assert_eq(provider_rig_reply(&rig, 403, "").verdict, PUSH_AUTH);
    cr_assert_eq(provider_rig_reply(&rig, 429, "").verdict, PUSH_THROTTLED);
    cr_assert_eq(provider_rig_reply(&rig, 413, "").verdict, PUSH_PAYLOAD);
    cr_assert_eq(provider_rig_reply(&rig, 500, "{}").verdict, PUSH_PROVIDER_DOWN);
    cr_assert_eq(provider_rig_reply(&rig, 404, "<html>").verdict, PUSH_PROVIDER_DOWN);
    provider_rig_garbage(&rig, 3);
}

Test(cloud, an_answer_that_was_cut_says_nothing)
{
    struct push_message m = provider_rig_message("c1");
    const struct push_message *list[] = {&m};
    struct http_result r = provider_rig_answer(200, OWN("{\"status\":\"successed_online\"}"));
    struct push_result out;
    r.body_cut = true;
    rig.kind->reply(rig.self, list, 1, &r, RIG_NOW_US, &out);
    cr_assert(out.verdict == PUSH_PROVIDER_DOWN && strcmp(out.code, "reply-cut") == 0);
}

/* Nobody's device is given up, and nobody's message, for what may be the fault of another one's. */
Test(cloud, what_is_refused_for_all_of_several_goes_again_one_by_one)
{
    static const struct {
        int status;
        const char *body;
        enum push_verdict verdict;
        bool alone;
    } rows[] = {
        {400, "{}", PUSH_PAYLOAD, true},
        {413, "", PUSH_PAYLOAD, true},
        {200, "{\"errCode\":20001,\"errMsg\":\"cid is invalid\"}", PUSH_INVALID_TARGET, true},
        {200, "{\"errCode\":400,\"errMsg\":\"title\"}", PUSH_PAYLOAD, true},
        {200, "{\"errCode\":429}", PUSH_THROTTLED, false},
        {401, "", PUSH_AUTH, false},
        {500, "", PUSH_PROVIDER_DOWN, false},
    };
    struct push_message m[2] = {provider_rig_message("c1"), provider_rig_message("c2")};
    const struct push_message *list[] = {&m[0], &m[1]};
    (void)snprintf(m[1].request_id, sizeof m[1].request_id, "b");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct push_result out[2];
        struct http_result r = provider_rig_answer(rows[i].status, rows[i].body);
        rig.kind->reply(rig.self, list, 2, &r, RIG_NOW_US, out);
        cr_expect(out[0].verdict == rows[i].verdict && out[0].alone == rows[i].alone, "row %zu", i);
        cr_expect(out[1].verdict == rows[i].verdict && out[1].alone == rows[i].alone, "row %zu", i);
        rig.kind->reply(rig.self, list, 1, &r, RIG_NOW_US, out);
        cr_expect(out[0].verdict == rows[i].verdict && !out[0].alone, "row %zu: of one it is that one's", i);
    }
}

Test(cloud, some_of_several_messages_may_fail)
{
    struct push_message m[3] = {provider_rig_message("c1"), provider_rig_message("c2"), provider_rig_message("c3")};
    const struct push_message *list[] = {&m[0], &m[1], &m[2]};
    struct push_result out[3];
    (void)snprintf(m[1].request_id, sizeof m[1].request_id, "b");
    (void)snprintf(m[2].request_id, sizeof m[2].request_id, "c");
    struct http_result r =
        provider_rig_answer(200, "{\"errCode\":0,\"data\":{\"" RIG_ID "\":{\"status\":\"successed_online\"},"
                                 "\"b\":{\"errCode\":20001,\"errMsg\":\"cid is invalid\"}}}");
    rig.kind->reply(rig.self, list, 3, &r, RIG_NOW_US, out);
    cr_assert(out[0].verdict == PUSH_SENT_ONLINE && out[1].verdict == PUSH_INVALID_TARGET);
    cr_assert(out[2].verdict == PUSH_PROVIDER_DOWN && strcmp(out[2].code, "no-result") == 0);
}

Test(cloud, the_webhook_is_signed_as_callbacks_are)
{
    struct push_message m = provider_rig_message("c1");
    struct push_request request;
    struct webhook_keys *keys = NULL;
    static const char text[] = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    provider_rig_put(&rig, "hook.secret", text, 0600);
    provider_rig_open(&rig, &provider_webhook, "{\"url\":\"https://h.example/\",\"secret_file\":\"hook.secret\"}");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, NULL, &request, &err), RC_OK, "%s", err.text);
    cr_assert_eq(webhook_keys_parse(text, &keys, &err), RC_OK);
    const struct webhook_message msg = {.id = provider_rig_header(&request, "webhook-id"),
                                        .timestamp = provider_rig_header(&request, "webhook-timestamp"),
                                        .signature = provider_rig_header(&request, "webhook-signature"),
                                        .body = request.body,
                                        .body_n = request.body_n};
    cr_assert_str_eq(msg.id, RIG_ID);
    cr_assert_eq(webhook_verify(keys, &msg, RIG_NOW_US / 1000000, 300), WEBHOOK_OK);
    (void)webhook_keys_free(keys);
    cr_assert_eq(provider_rig_reply(&rig, 204, "").verdict, PUSH_SENT);
    cr_assert_eq(provider_rig_reply(&rig, 410, "").verdict, PUSH_INVALID_TARGET);
    cr_assert_eq(provider_rig_reply(&rig, 503, "").verdict, PUSH_PROVIDER_DOWN);
}
