/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cloud function of uniCloud behind a URL (deploy/uniCloud/sluice-push), or one that behaves like it.
 *
 *     {"kind": "cloud", "url": "https://...", "secret_file": "cloud.secret", "form": "batch"}
 *
 * form "batch": {"messages": [...]}, answered {"errCode": 0, "data": {"<request_id>": {"errCode": 0, "status":
 * "successed_online"}}}. form "single": one message a request, as sendMessage takes it, for a function of one's own
 * that hands it on. Either may answer {"errCode": 0, "errMsg": "", "data": {"<taskid>": {"<cid>": "successed_online"}}}
 * as uniPush does. x-sluice-signature is the HMAC-SHA256 of "TIMESTAMP.BODY" in hexadecimal digits.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/hmac.h"
#include "push/kinds.h"
#include "push/member.h"
#include "push/message_json.h"
#include "push/providers.h"
#include "push/reply.h"

#define BODY_BYTES_MAX ((size_t)8 << 20)

struct cloud {
    char *url;
    char *secret; /* NULL = the requests are not signed */
    bool single;
};

static void cloud_close(void *self)
{
    struct cloud *c = self;

    if (c != NULL) {
        members_wipe(c->secret);
        free(c->url);
        free(c);
    }
}

static enum rc cloud_open(const struct json_t *config, const char *directory, void **out_self, struct err *err)
{
    struct members m;
    struct cloud *c = xcalloc(1, sizeof *c);

    members_begin(&m, config, directory, err);
    const char *url = members_text(&m, "url", true, TARGET_URL_BYTES_MAX);
    const char *form = members_text(&m, "form", false, 16);
    c->secret = members_secret(&m, "secret", false);
    c->single = form != NULL && strcmp(form, "single") == 0;
    if (form != NULL && !c->single && strcmp(form, "batch") != 0) {
        members_refuse(&m, "form", "expected batch or single");
    }
    enum rc rc = members_end(&m);
    if (rc != RC_OK) {
        cloud_close(c);
        return rc;
    }
    c->url = xstrdup(url);
    *out_self = c;
    return RC_OK;
}

void *provider_cloud_make(const char *url, const char *secret)
{
    struct cloud *c = xcalloc(1, sizeof *c);

    c->url = xstrdup(url);
    c->secret = secret[0] == '\0' ? NULL : xstrdup(secret);
    return c;
}

static bool cloud_together(const void *self, const struct push_message *a, const struct push_message *b)
{
    const struct cloud *c = self;

    (void)a;
    (void)b;
    return !c->single;
}

/* ---------------------------------------------------------------------------------------------------- request */

static void sign(const struct cloud *c, struct push_request *out, struct arena *a, int64_t now_us)
{
    struct http_header *headers = arena_alloc(a, 3 * sizeof *headers);
    unsigned char mac[SHA256_BYTES];
    char *hex = arena_alloc(a, SHA256_HEX_BYTES);
    char *time = arena_alloc(a, 24);

    headers[0] = (struct http_header){.name = "Content-Type", .value = "application/json"};
    out->headers = headers;
    out->n_headers = 1;
    if (c->secret == NULL) {
        return;
    }
    int time_n = snprintf(time, 24, "%" PRId64, now_us / 1000000);
    const struct sha256_part parts[] = {
        {.bytes = time, .n = (size_t)time_n}, {.bytes = ".", .n = 1}, {.bytes = out->body, .n = out->body_n}};
    hmac_sha256(c->secret, strlen(c->secret), parts, ARRAY_SIZE(parts), mac);
    sha256_hex(mac, sizeof mac, hex);
    headers[1] = (struct http_header){.name = "x-sluice-timestamp", .value = time};
    headers[2] = (struct http_header){.name = "x-sluice-signature", .value = hex};
    out->n_headers = 3;
}

static enum rc cloud_request(const void *self, const struct push_message *const *m, size_t n, const char *token,
                             int64_t now_us, struct arena *a, struct push_request *out, struct err *err)
{
    const struct cloud *c = self;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);

    (void)token;
    (void)buf_puts(&body, c->single ? "" : "{\"messages\":[");
    for (size_t i = 0; i < n; i++) {
        (void)buf_puts(&body, i > 0 ? "," : "");
        message_json_add(&body, m[i], now_us);
    }
    (void)buf_puts(&body, c->single ? "" : "]}");
    if (body.overflow) {
        FAIL(err, RC_REJECT, "the request would have more than %zu bytes", BODY_BYTES_MAX);
    }
    *out = (struct push_request){.url = c->url, .body = arena_strndup(a, buf_str(&body), body.len), .body_n = body.len};
    sign(c, out, a, now_us);
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- reply */

static struct push_result of_status(const char *status)
{
    static const struct {
        const char *name;
        enum push_verdict verdict;
    } known[] = {{"successed_online", PUSH_SENT_ONLINE},
                 {"successed_offline", PUSH_SENT_OFFLINE},
                 {"successed_ignore", PUSH_IGNORED},
                 {"duplicate", PUSH_SENT}, /* it had this request_id before */
                 {"success", PUSH_SENT},
                 {"ok", PUSH_SENT}};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(status, known[i].name) == 0) {
            return push_result_of(known[i].verdict, status, NULL);
        }
    }
    return push_result_of(PUSH_PROVIDER_DOWN, status, "the function's answer has a status that nobody knows");
}

static bool names_the_target(const char *message)
{
    static const char *const texts[] = {"cid is invalid", "target user is invalid", "appid not match cid",
                                        "cid not found"};
    bool found = false;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        found = found || strcasestr(message, texts[i]) != NULL;
    }
    return found;
}

/* errCode is a number with Getui, a text with uniCloud's own errors. */
static struct push_result of_error(const json_t *code, const char *message)
{
    long long number = json_is_integer(code) ? json_integer_value(code) : -1;
    const char *text = json_is_string(code) ? json_string_value(code) : NULL;
    enum push_verdict verdict = PUSH_PROVIDER_DOWN;

    message = message == NULL ? "" : message;
    if (names_the_target(message)) {
        verdict = PUSH_INVALID_TARGET;
    } else if (number == 401 || number == 403) {
        verdict = PUSH_AUTH;
    } else if (number == 429) {
        verdict = PUSH_THROTTLED;
    } else if (number == 400 || number == 20001) { /* a parameter, but not the target */
        verdict = PUSH_PAYLOAD;
    }
    return text != NULL ? push_result_of(verdict, text, message) : push_result_coded(verdict, number, message);
}

static bool is_error(const json_t *code)
{
    return json_is_string(code) ? json_string_length(code) > 0 && strcmp(json_string_value(code), "0") != 0
                                : json_is_integer(code) && json_integer_value(code) != 0;
}

/* What stands under a message's request_id: {"errCode", "errMsg", "status"}, or the status alone. */
static bool of_own_entry(const json_t *entry, struct push_result *out)
{
    const json_t *code = json_object_get(entry, "errCode");
    const char *status = json_string_value(json_is_object(entry) ? json_object_get(entry, "status") : entry);

    if (is_error(code)) {
        *out = of_error(code, json_string_value(json_object_get(entry, "errMsg")));
        return true;
    }
    if (status == NULL || status[0] == '\0') {
        return false;
    }
    *out = of_status(status);
    return true;
}

/* uniPush's own form: {"<taskid>": {"<cid>": status}}. */
static bool of_task(const json_t *data, const char *cid, struct push_result *out)
{
    const char *task = NULL;
    json_t *by_cid = NULL;

    json_object_foreach((json_t *)(uintptr_t)data, task, by_cid)
    {
        const char *status = json_string_value(json_object_get(by_cid, cid));
        if (status != NULL && status[0] != '\0') {
            *out = of_status(status);
            return true;
        }
    }
    return false;
}

/* What is said of all of them, and can be true of one only: the others must not pay for it. */
static struct push_result for_all(struct push_result result, size_t n)
{
    result.alone = n > 1 && (result.verdict == PUSH_PAYLOAD || result.verdict == PUSH_INVALID_TARGET);
    return result;
}

static void read_answer(const json_t *json, const struct push_message *const *m, size_t n, struct push_result *out)
{
    const json_t *code = json_object_get(json, "errCode");
    const json_t *data = json_object_get(json, "data");
    struct push_result rest = is_error(code)
                                  ? of_error(code, json_string_value(json_object_get(json, "errMsg")))
                                  : push_result_of(PUSH_PROVIDER_DOWN, "no-result", "the answer says nothing of it");

    rest = for_all(rest, n);
    for (size_t i = 0; i < n; i++) {
        out[i] = rest;
        if (!of_own_entry(json_object_get(data, m[i]->request_id), &out[i])) {
            (void)of_task(data, m[i]->cid, &out[i]);
        }
    }
}

static void cloud_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
                        int64_t now_us, struct push_result *out)
{
    struct push_result all = push_result_of_http(r);
    json_t *json = NULL;

    (void)self;
    (void)now_us;
    if (all.verdict == PUSH_SENT && (json = push_reply_json(r, &all)) != NULL) {
        read_answer(json, m, n, out);
        json_decref(json);
        return;
    }
    if (r->status == 400 || r->status == 422) {
        all.verdict = PUSH_PAYLOAD; /* the function does not take it, now or later */
    }
    all = for_all(all, n);
    push_reply_all(&all, n, out);
}

const struct provider_kind provider_cloud = {.name = "cloud",
                                             .batch_max = 50,
                                             .reply_bytes_max = (size_t)256 << 10,
                                             .open = cloud_open,
                                             .close = cloud_close,
                                             .together = cloud_together,
                                             .request = cloud_request,
                                             .reply = cloud_reply};
