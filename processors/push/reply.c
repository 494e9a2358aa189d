/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of providers. */
#include "push/reply.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void copy_line(char *out, size_t size, const char *text)
{
    size_t n = text == NULL ? 0 : strnlen(text, size - 1);

    for (; text != NULL && n > 0 && text[n] != '\0' && ((unsigned char)text[n] & 0xC0) == 0x80;) {
        n--; /* never half a character */
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    }
    out[n] = '\0';
}

struct push_result push_result_of(enum push_verdict verdict, const char *code, const char *message)
{
    struct push_result r = {.verdict = verdict, .retry_after_ms = -1};

    copy_line(r.code, sizeof r.code, code);
    copy_line(r.message, sizeof r.message, message);
    return r;
}

struct push_result push_result_coded(enum push_verdict verdict, long long code, const char *message)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%lld", code);
    return push_result_of(verdict, text, message);
}

static enum push_verdict verdict_of(const struct http_result *r)
{
    if (r->status >= 200 && r->status < 300) {
        return PUSH_SENT;
    }
    switch (r->status) {
    case 401:
    case 403:
        return PUSH_AUTH;
    case 413:
        return PUSH_PAYLOAD;
    case 429:
        return PUSH_THROTTLED;
    case 503:
        return r->retry_after_ms > 0 ? PUSH_THROTTLED : PUSH_PROVIDER_DOWN;
    default:
        return PUSH_PROVIDER_DOWN;
    }
}

struct push_result push_result_of_http(const struct http_result *r)
{
    enum push_verdict verdict = verdict_of(r);
    struct push_result out = push_result_of(verdict, NULL, verdict == PUSH_SENT ? NULL : r->message);

    out.retry_after_ms = r->retry_after_ms;
    return out;
}

void push_reply_all(const struct push_result *result, size_t n, struct push_result *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = *result;
    }
}

struct json_t *push_reply_json(const struct http_result *r, struct push_result *out)
{
    json_t *json = r->body_cut ? NULL : json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(json)) {
        return json;
    }
    json_decref(json);
    *out = r->body_cut ? push_result_of(PUSH_PROVIDER_DOWN, "reply-cut", "the answer is too long, or it ended early")
                       : push_result_of(PUSH_PROVIDER_DOWN, "not-json", "the answer is no JSON object");
    return NULL;
}
