/* SPDX-License-Identifier: Apache-2.0 */
/* What APNs answers: nothing where it took the message, else a reason. */
#include <jansson.h>
#include <stdlib.h>

#include "push/provider_apns.h"
#include "push/reply.h"

#define GONE 410
#define WAIT_MS 60000
#define UPDATES_WAIT_MS (20 * 60 * 1000) /* tokens may be renewed every twenty minutes */

const struct push_code APNS_REASONS[] = {
    {"Unregistered", PUSH_INVALID_TARGET, 0, false},
    {"ExpiredToken", PUSH_INVALID_TARGET, 0, false}, /* the device's, not ours */
    {"BadDeviceToken", PUSH_SUSPECT, 0, false},      /* mostly the other environment's */
    {"DeviceTokenNotForTopic", PUSH_SUSPECT, 0, false},
    {"ExpiredProviderToken", PUSH_AUTH, 0, true},
    {"InvalidProviderToken", PUSH_AUTH, 0, false},
    {"MissingProviderToken", PUSH_AUTH, 0, false},
    {"UnrelatedKeyIdInToken", PUSH_AUTH, 0, false},
    {"BadEnvironmentKeyIdInToken", PUSH_AUTH, 0, false},
    {"BadEnvironmentKeyInToken", PUSH_AUTH, 0, false},
    {"BadCertificate", PUSH_AUTH, 0, false},
    {"BadCertificateEnvironment", PUSH_AUTH, 0, false},
    {"Forbidden", PUSH_AUTH, 0, false},
    {"BadTopic", PUSH_AUTH, 0, false},
    {"MissingTopic", PUSH_AUTH, 0, false},
    {"TopicDisallowed", PUSH_AUTH, 0, false},
    {"TooManyProviderTokenUpdates", PUSH_THROTTLED, UPDATES_WAIT_MS, false},
    {"TooManyRequests", PUSH_THROTTLED, WAIT_MS, false}, /* to this device */
    {"PayloadTooLarge", PUSH_PAYLOAD, 0, false},
    {"PayloadEmpty", PUSH_PAYLOAD, 0, false},
    {"BadCollapseId", PUSH_PAYLOAD, 0, false},
    {"BadExpirationDate", PUSH_PAYLOAD, 0, false},
    {"BadMessageId", PUSH_PAYLOAD, 0, false},
    {"BadPriority", PUSH_PAYLOAD, 0, false},
    {"BadPath", PUSH_PAYLOAD, 0, false},
    {"DuplicateHeaders", PUSH_PAYLOAD, 0, false},
    {"InvalidPushType", PUSH_PAYLOAD, 0, false},
    {"MissingDeviceToken", PUSH_PAYLOAD, 0, false},
    {"MethodNotAllowed", PUSH_PAYLOAD, 0, false},
    {"IdleTimeout", PUSH_PROVIDER_DOWN, 0, false},
    {"InternalServerError", PUSH_PROVIDER_DOWN, 0, false},
    {"ServiceUnavailable", PUSH_PROVIDER_DOWN, 0, false},
    {"Shutdown", PUSH_PROVIDER_DOWN, 0, false},
    {NULL, PUSH_PROVIDER_DOWN, 0, false},
};

/* Milliseconds since 1970, of a time that has been. 0: it does not say. */
static int64_t gone_at_us(const json_t *answer, int64_t now_us)
{
    json_int_t ms = json_integer_value(json_object_get(answer, "timestamp"));
    return ms > 0 && ms <= now_us / 1000 ? ms * 1000 : 0;
}

void apns_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
                int64_t now_us, struct push_result *out)
{
    struct push_result result;
    bool good = r->status >= 200 && r->status < 300;
    json_t *answer = r->status == 0 || good ? NULL : push_reply_json(r, &result);
    const char *reason = json_string_value(json_object_get(answer, "reason"));
    (void)self;
    (void)m;
    if (good) {
        result = push_result_of(PUSH_SENT, NULL, NULL); /* its body is empty */
    } else if (r->status == GONE && push_code_find(APNS_REASONS, reason) == NULL) {
        result = push_result_of(PUSH_INVALID_TARGET, reason == NULL || reason[0] == '\0' ? "http-410" : reason, NULL);
    } else {
        result = push_code_verdict(APNS_REASONS, r, reason, NULL);
    }
    if (result.verdict == PUSH_INVALID_TARGET) {
        result.gone_at_us = gone_at_us(answer, now_us);
    }
    push_reply_all(&result, n, out);
    json_decref(answer);
}
