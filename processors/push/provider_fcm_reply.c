/* SPDX-License-Identifier: Apache-2.0 */
/* What FCM and Google's token endpoint answer. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "push/provider_fcm.h"
#include "push/reply.h"

#define WAIT_MS 60000 /* where FCM does not say: its own default */
#define TYPE_FCM "type.googleapis.com/google.firebase.fcm.v1.FcmError"
#define TYPE_BAD_REQUEST "type.googleapis.com/google.rpc.BadRequest"
#define TOKEN_FIELD "message.token"
#define LIFETIME_S_MAX 86400
#define TOKEN_BYTES_MAX 4096
#define SECOND_US ((int64_t)1000000)

const struct push_code FCM_ERRORS[] = {
    {"UNREGISTERED", PUSH_INVALID_TARGET, 0, false},
    {"INVALID_ARGUMENT", PUSH_SUSPECT, 0, false}, /* without violations of ours: the token's form */
    {"SENDER_ID_MISMATCH", PUSH_AUTH, 0, false},
    {"THIRD_PARTY_AUTH_ERROR", PUSH_AUTH, 0, false}, /* its own way to APNs or web push is not set up */
    {"QUOTA_EXCEEDED", PUSH_THROTTLED, WAIT_MS, false},
    {"UNAVAILABLE", PUSH_THROTTLED, WAIT_MS, false},
    {"INTERNAL", PUSH_PROVIDER_DOWN, 0, false},
    {NULL, PUSH_PROVIDER_DOWN, 0, false},
};

const struct push_code FCM_STATUSES[] = {
    {"INVALID_ARGUMENT", PUSH_PAYLOAD, 0, false},
    {"UNAUTHENTICATED", PUSH_AUTH, 0, true},
    {"PERMISSION_DENIED", PUSH_AUTH, 0, false},
    {"NOT_FOUND", PUSH_AUTH, 0, false}, /* the project: of a device it would say UNREGISTERED */
    {"FAILED_PRECONDITION", PUSH_AUTH, 0, false},
    {"RESOURCE_EXHAUSTED", PUSH_THROTTLED, WAIT_MS, false},
    {"UNAVAILABLE", PUSH_THROTTLED, WAIT_MS, false},
    {"DEADLINE_EXCEEDED", PUSH_PROVIDER_DOWN, 0, false},
    {"INTERNAL", PUSH_PROVIDER_DOWN, 0, false},
    {"UNKNOWN", PUSH_PROVIDER_DOWN, 0, false},
    {NULL, PUSH_PROVIDER_DOWN, 0, false},
};

/* The first of the error's details with this @type. */
static const json_t *detail(const json_t *error, const char *type)
{
    const json_t *details = json_object_get(error, "details");
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *one = json_array_get(details, i);
        const char *is = json_string_value(json_object_get(one, "@type"));
        if (is != NULL && strcmp(is, type) == 0) {
            return one;
        }
    }
    return NULL;
}

/* Is something of ours named as wrong, besides the device's token? */
static bool blames_our_fields(const json_t *bad_request)
{
    const json_t *violations = json_object_get(bad_request, "fieldViolations");
    for (size_t i = 0; i < json_array_size(violations); i++) {
        const char *field = json_string_value(json_object_get(json_array_get(violations, i), "field"));
        if (field == NULL || strcmp(field, TOKEN_FIELD) != 0) {
            return true;
        }
    }
    return false;
}

static bool blames_token_field(const json_t *bad_request)
{
    return json_array_size(json_object_get(bad_request, "fieldViolations")) > 0 && !blames_our_fields(bad_request);
}

static struct push_result refused(const json_t *error, const struct http_result *r)
{
    const json_t *bad_request = detail(error, TYPE_BAD_REQUEST);
    const char *code = json_string_value(json_object_get(detail(error, TYPE_FCM), "errorCode"));
    const char *status = json_string_value(json_object_get(error, "status"));
    const char *message = json_string_value(json_object_get(error, "message"));
    const struct push_code *row = push_code_find(FCM_ERRORS, code);
    bool is_argument = (code != NULL && strcmp(code, "INVALID_ARGUMENT") == 0) ||
                       (code == NULL && status != NULL && strcmp(status, "INVALID_ARGUMENT") == 0);
    if (is_argument && blames_our_fields(bad_request)) {
        return push_result_of(PUSH_PAYLOAD, "INVALID_ARGUMENT", message);
    }
    if (is_argument && blames_token_field(bad_request)) {
        return push_result_of(PUSH_SUSPECT, "INVALID_ARGUMENT", message);
    }
    if (row != NULL) {
        return push_code_result(row, r, message);
    }
    return push_code_verdict(FCM_STATUSES, r, code != NULL ? code : status, message);
}

void fcm_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
               int64_t now_us, struct push_result *out)
{
    struct push_result result;
    json_t *answer = r->status == 0 ? NULL : push_reply_json(r, &result);
    const json_t *error = json_object_get(answer, "error");
    bool good = r->status >= 200 && r->status < 300;
    (void)self;
    (void)m;
    (void)now_us;
    if (good && json_is_string(json_object_get(answer, "name"))) {
        result = push_result_of(PUSH_SENT, NULL, NULL);
    } else if (good) {
        result = push_code_unreadable(r, answer == NULL ? result.code : PUSH_CODE_MALFORMED);
    } else if (json_is_object(error)) {
        result = refused(error, r);
    } else {
        result = push_code_by_status(r, NULL, NULL);
    }
    if (result.verdict == PUSH_THROTTLED && result.retry_after_ms < 0) {
        result.retry_after_ms = WAIT_MS;
    }
    push_reply_all(&result, n, out);
    json_decref(answer);
}

/* ------------------------------------------------------------------------------------------------------- token */

/* {"error":"invalid_grant","error_description":"Invalid JWT Signature."} */
static enum rc token_refused(const json_t *answer, const struct http_result *r, struct err *err)
{
    const char *code = json_string_value(json_object_get(answer, "error"));
    const char *message = json_string_value(json_object_get(answer, "error_description"));
    struct push_result why = push_code_by_status(r, code, message);
    bool never = r->status == 400 || r->status == 401 || r->status == 403 || r->status == 404;
    if (r->status >= 200 && r->status < 300) {
        why = push_result_of(PUSH_PROVIDER_DOWN, PUSH_CODE_MALFORMED, "expected access_token and expires_in");
    }
    (void)err_set(err, never ? RC_REJECT : RC_RETRY, __FILE__, __LINE__, "%s%s%s", why.code,
                  why.message[0] == '\0' ? "" : ": ", why.message);
    return err_code(err, why.code);
}

static bool token_ok(const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    bool good = n > 0 && n <= TOKEN_BYTES_MAX;
    for (size_t i = 0; i < n && good; i++) {
        good = text[i] > ' ' && text[i] < 0x7f;
    }
    return good;
}

enum rc fcm_token_reply(const void *self, const struct http_result *r, int64_t now_us, struct push_token *out,
                        struct err *err)
{
    struct push_result unreadable;
    json_t *answer = r->status == 0 ? NULL : push_reply_json(r, &unreadable);
    const char *text = json_string_value(json_object_get(answer, "access_token"));
    json_int_t seconds = json_integer_value(json_object_get(answer, "expires_in"));
    enum rc rc = RC_OK;
    (void)self;
    if (r->status < 200 || r->status >= 300 || !token_ok(text) || seconds < 1 || seconds > LIFETIME_S_MAX) {
        rc = token_refused(answer, r, err);
    } else {
        *out = (struct push_token){
            .text = xstrdup(text), .obtained_us = now_us, .expires_us = now_us + seconds * SECOND_US};
    }
    json_decref(answer);
    return rc;
}
