/* SPDX-License-Identifier: Apache-2.0 */
/* FCM: what is asked for, word by word, and what each answer means. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "provider_rig.h"
#include "push/provider_fcm.h"

#define CONFIG_HEAD "{\"service_account_file\":\"account.json\""
#define PLAIN CONFIG_HEAD "}"
#define FCM_TYPE "type.googleapis.com/google.firebase.fcm.v1.FcmError"
#define BAD_TYPE "type.googleapis.com/google.rpc.BadRequest"

static struct provider_rig rig;
static struct err err;

static void setup(void)
{
    provider_rig_begin(&rig);
    provider_rig_open(&rig, &provider_fcm, PLAIN);
}

static void teardown(void)
{
    provider_rig_done(&rig);
}

TestSuite(fcm, .init = setup, .fini = teardown);

Test(fcm, a_message)
{
    struct push_request request;
    const struct push_message m = provider_rig_message("dev:tok");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "T0KEN", &request, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(request.url, "https://fcm.googleapis.com/v1/projects/shop-1/messages:send");
    cr_assert_str_eq(provider_rig_header(&request, "Authorization"), "Bearer T0KEN");
    cr_assert_str_eq(
        request.body,
        "{\"message\":{\"token\":\"dev:tok\",\"notification\":{\"title\":\"a \\\"parcel\\\"\",\"body\":\"\xe5\x8c\x85"
        "\xe8\xa3\xb9\"},\"data\":{\"payload\":\"{\\\"no\\\":1}\",\"push_message_id\":\"m1\",\"request_id\":\"" RIG_ID
        "\"},\"android\":{\"priority\":\"HIGH\",\"ttl\":\"3600s\"},\"apns\":{\"headers\":{\"apns-expiration\":"
        "\"1700003600\",\"apns-priority\":\"10\"},\"payload\":{\"aps\":{\"sound\":\"default\"}}},"
        "\"webpush\":{\"headers\":{\"TTL\":\"3600\",\"Urgency\":\"high\"}}}}");
}

Test(fcm, what_can_never_be_sent_is_refused)
{
    char body[4200];
    struct push_request request;
    struct push_message m = provider_rig_message("");
    cr_assert_eq(provider_rig_request(&rig, &m, 1, "t", &request, &err), RC_REJECT);
    cr_assert_str_eq(err.code, "empty-target");
    m = provider_rig_message("tok");
    memset(body, 'x', sizeof body);
    m.body = body;
    for (size_t n = 3000; n < 4100; n++) {
        body[n] = '\0';
        size_t sent = strlen("titlebodypayloadrequest_idpush_message_id") + strlen(m.title) + n + strlen(m.payload) +
                      strlen(m.request_id) + strlen(m.message_id);
        enum rc rc = provider_rig_request(&rig, &m, 1, "t", &request, &err);
        cr_assert_eq(rc, sent <= 4096 ? RC_OK : RC_REJECT, "%zu", sent);
        body[n] = 'x';
    }
    cr_assert_str_eq(err.code, "payload-too-big");
}

#define ERROR(status, details) "{\"error\":{\"code\":1,\"message\":\"why\",\"status\":\"" status "\"" details "}}"
#define FCM(code) ",\"details\":[{\"@type\":\"" FCM_TYPE "\",\"errorCode\":\"" code "\"}]"
#define BAD(field) "{\"@type\":\"" BAD_TYPE "\",\"fieldViolations\":[{\"field\":\"" field "\",\"description\":\"d\"}]}"

Test(fcm, answers)
{
    static const struct provider_rig_case rows[] = {
        {200, "{\"name\":\"projects/shop-1/messages/1\"}", PUSH_SENT, "", false, -1},
        {404, ERROR("NOT_FOUND", FCM("UNREGISTERED")), PUSH_INVALID_TARGET, "UNREGISTERED", false, -1},
        {404, ERROR("NOT_FOUND", ""), PUSH_AUTH, "NOT_FOUND", false, -1},
        {400, ERROR("INVALID_ARGUMENT", FCM("INVALID_ARGUMENT")), PUSH_SUSPECT, "INVALID_ARGUMENT", false, -1},
        {400, ERROR("INVALID_ARGUMENT", ",\"details\":[" BAD("message.data[0].value") "]"), PUSH_PAYLOAD,
         "INVALID_ARGUMENT", false, -1},
        {400,
         ERROR("INVALID_ARGUMENT", ",\"details\":[{\"@type\":\"" FCM_TYPE
                                   "\",\"errorCode\":\"INVALID_ARGUMENT\"}," BAD("message.android.ttl") "]"),
         PUSH_PAYLOAD, "INVALID_ARGUMENT", false, -1},
        {400, ERROR("INVALID_ARGUMENT", ",\"details\":[" BAD("message.token") "]"), PUSH_SUSPECT, "INVALID_ARGUMENT",
         false, -1},
        {400, ERROR("INVALID_ARGUMENT", ""), PUSH_PAYLOAD, "INVALID_ARGUMENT", false, -1},
        {403, ERROR("PERMISSION_DENIED", FCM("SENDER_ID_MISMATCH")), PUSH_AUTH, "SENDER_ID_MISMATCH", false, -1},
        {401, ERROR("UNAUTHENTICATED", FCM("THIRD_PARTY_AUTH_ERROR")), PUSH_AUTH, "THIRD_PARTY_AUTH_ERROR", false, -1},
        {401, ERROR("UNAUTHENTICATED", ""), PUSH_AUTH, "UNAUTHENTICATED", true, -1},
        {403, ERROR("PERMISSION_DENIED", ""), PUSH_AUTH, "PERMISSION_DENIED", false, -1},
        {429, ERROR("RESOURCE_EXHAUSTED", FCM("QUOTA_EXCEEDED")), PUSH_THROTTLED, "QUOTA_EXCEEDED", false, 60000},
        {503, ERROR("UNAVAILABLE", FCM("UNAVAILABLE")), PUSH_THROTTLED, "UNAVAILABLE", false, 60000},
        {500, ERROR("INTERNAL", FCM("INTERNAL")), PUSH_PROVIDER_DOWN, "INTERNAL", false, -1},
        {429, "", PUSH_THROTTLED, "http-429", false, 60000},
        {400, ERROR("NEW_STATUS", FCM("NEW_CODE")), PUSH_PAYLOAD, "NEW_CODE", false, -1},
        {500, ERROR("NEW_STATUS", ""), PUSH_PROVIDER_DOWN, "NEW_STATUS", false, -1},
        {502, "<html>", PUSH_PROVIDER_DOWN, "http-502", false, -1},
        {0, "", PUSH_PROVIDER_DOWN, "timeout", false, -1},
    };
    provider_rig_cases(&rig, rows, ARRAY_SIZE(rows));
}

Test(fcm, every_row_of_the_tables)
{
    char body[512];
    for (const struct push_code *row = FCM_ERRORS; row->code != NULL; row++) {
        (void)snprintf(body, sizeof body,
                       "{\"error\":{\"details\":[{\"@type\":\"x\"},{\"@type\":\"" FCM_TYPE
                       "\",\"errorCode\":\"%s\"}]}}",
                       row->code);
        cr_assert_eq(provider_rig_reply(&rig, 418, body).verdict, row->verdict, "%s", row->code);
    }
    for (const struct push_code *row = FCM_STATUSES; row->code != NULL; row++) {
        (void)snprintf(body, sizeof body, "{\"error\":{\"status\":\"%s\"}}", row->code);
        struct push_result result = provider_rig_reply(&rig, 418, body);
        cr_assert_eq(result.verdict, row->verdict, "%s", row->code);
        cr_assert_eq(result.renew_token, row->renew_token, "%s", row->code);
    }
}

Test(fcm, the_servers_own_time_to_wait_counts)
{
    const struct push_message m = provider_rig_message("c1");
    const struct push_message *const list[] = {&m};
    struct http_result answer = provider_rig_answer(429, ERROR("RESOURCE_EXHAUSTED", FCM("QUOTA_EXCEEDED")));
    struct push_result result;
    answer.retry_after_ms = 7000;
    provider_fcm.reply(rig.self, list, 1, &answer, RIG_NOW_US, &result);
    cr_assert_eq(result.retry_after_ms, 7000);
}

Test(fcm, garbage_has_a_reason)
{
    provider_rig_garbage(&rig, 1);
}

/* ------------------------------------------------------------------------------------------------------- token */

Test(fcm, token_is_asked_for_with_a_signed_assertion)
{
    static const char head[] = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    struct push_request request;
    const char *header = NULL;
    cr_assert_eq(provider_fcm.token_request(rig.self, RIG_NOW_US, &rig.arena, &request, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(request.url, "https://oauth2.example/token");
    cr_assert_str_eq(provider_rig_header(&request, "Content-Type"), "application/x-www-form-urlencoded");
    cr_assert(strncmp(request.body, head, strlen(head)) == 0, "%s", request.body);
    const char *claims = provider_rig_jwt(&rig, request.body + strlen(head), rig.rsa, &header);
    cr_assert_str_eq(header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
    cr_assert_str_eq(claims, "{\"iss\":\"push@shop-1.iam.gserviceaccount.com\",\"scope\":\"https://www.googleapis.com/"
                             "auth/firebase.messaging\",\"aud\":\"https://oauth2.example/token\",\"iat\":1700000000,"
                             "\"exp\":1700003600}");
}

Test(fcm, token_answers)
{
    static const struct provider_rig_token rows[] = {
        {200, "{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}", RC_OK, NULL},
        {200, "{\"access_token\":\"ya29.x\"}", RC_RETRY, "malformed"},
        {200, "{\"access_token\":\"a\\nb\",\"expires_in\":3599}", RC_RETRY, "malformed"},
        {200, "{\"access_token\":\"x\",\"expires_in\":-1}", RC_RETRY, "malformed"},
        {200, "ok", RC_RETRY, "malformed"},
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}", RC_REJECT,
         "invalid_grant"},
        {401, "{\"error\":\"invalid_client\"}", RC_REJECT, "invalid_client"},
        {500, "{\"error\":\"internal_failure\"}", RC_RETRY, "internal_failure"},
        {429, "", RC_RETRY, "http-429"},
        {0, "", RC_RETRY, "timeout"},
    };
    provider_rig_tokens(&rig, rows, ARRAY_SIZE(rows), "ya29.x", 3599);
}

/* ----------------------------------------------------------------------------------------------------- opening */

Test(fcm, settings_that_are_wrong_are_named)
{
    static const struct provider_rig_wrong rows[] = {
        {",\"project\":\"x\"", "project"},
        {",\"ttl_s\":2419201", "ttl_s"},
        {",\"api_base\":\"ftp://x\"", "api_base"},
        {",\"api_base\":\"http://127.0.0.1:1\"", "TLS"},
        {",\"token_uri\":\"http://example.com\"", "token_uri"},
    };
    provider_rig_refuses(&rig, &provider_fcm, CONFIG_HEAD, rows, ARRAY_SIZE(rows));
    static const char *const files[] = {"no JSON", "[]", "{}",
                                        "{\"project_id\":\"../x\",\"client_email\":\"e\",\"private_key\":\"k\"}",
                                        "{\"project_id\":\"p\",\"client_email\":\"e\",\"private_key\":\"not a key\"}"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        provider_rig_put(&rig, "account.json", files[i], 0600);
        cr_assert_eq(provider_rig_try(&rig, &provider_fcm, PLAIN, &err), RC_FATAL, "%s", files[i]);
        cr_assert(strstr(err.text, "service_account_file") != NULL && err_is_config(&err), "%s", err.text);
    }
}
