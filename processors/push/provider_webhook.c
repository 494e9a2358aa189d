/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any URL: a POST for each message, signed as callbacks are (Standard Webhooks), with the message's request_id as
 * webhook-id. 2xx: accepted. 410: the device is gone.
 *
 *     {"kind": "webhook", "url": "https://...", "secret_file": "push.secret"}      or "secret_env": "NAME"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/webhook.h"
#include "push/kinds.h"
#include "push/member.h"
#include "push/message_json.h"
#include "push/reply.h"

struct webhook {
    char *url;
    struct webhook_keys *keys;
};

static void webhook_close(void *self)
{
    struct webhook *w = self;

    if (w != NULL) {
        (void)webhook_keys_free(w->keys);
        free(w->url);
        free(w);
    }
}

static enum rc webhook_open(const struct json_t *config, const char *directory, void **out_self, struct err *err)
{
    struct members m;
    struct err why = {0};
    struct webhook *w = xcalloc(1, sizeof *w);

    members_begin(&m, config, directory, err);
    const char *url = members_text(&m, "url", true, TARGET_URL_BYTES_MAX);
    char *secret = members_secret(&m, "secret", true);
    if (secret != NULL && (webhook_keys_parse(secret, &w->keys, &why) != RC_OK || !webhook_keys_can_sign(w->keys))) {
        members_refuse(&m, "secret", "%s", w->keys == NULL ? why.text : "only public keys: nothing to sign with");
    }
    members_wipe(secret);
    enum rc rc = members_end(&m);
    if (rc != RC_OK) {
        webhook_close(w);
        return rc;
    }
    w->url = xstrdup(url);
    *out_self = w;
    return RC_OK;
}

static enum rc webhook_request(const void *self, const struct push_message *const *m, size_t n, const char *token,
                               int64_t now_us, struct arena *a, struct push_request *out, struct err *err)
{
    const struct webhook *w = self;
    struct http_header *headers = arena_alloc(a, 5 * sizeof *headers);
    char *signature = arena_alloc(a, WEBHOOK_SIGNATURE_MAX);
    char *time = arena_alloc(a, 24);
    size_t body_n = 0;

    (void)n;
    (void)token;
    const char *body = message_json(m[0], now_us, a, &body_n);
    (void)snprintf(time, 24, "%" PRId64, now_us / 1000000);
    TRY(webhook_sign(w->keys, m[0]->request_id, now_us / 1000000, body, body_n, signature, err));
    size_t i = 0;
    headers[i++] = (struct http_header){.name = "Content-Type", .value = "application/json"};
    headers[i++] = (struct http_header){.name = "webhook-id", .value = m[0]->request_id};
    headers[i++] = (struct http_header){.name = "webhook-timestamp", .value = time};
    headers[i++] = (struct http_header){.name = "webhook-signature", .value = signature};
    if (m[0]->traceparent != NULL) {
        headers[i++] = (struct http_header){.name = "traceparent", .value = m[0]->traceparent};
    }
    *out = (struct push_request){.url = w->url, .headers = headers, .n_headers = i, .body = body, .body_n = body_n};
    return RC_OK;
}

static void webhook_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
                          int64_t now_us, struct push_result *out)
{
    (void)self;
    (void)m;
    (void)now_us;
    struct push_result result =
        r->status == 410 ? push_result_of(PUSH_INVALID_TARGET, "410", r->message) : push_result_of_http(r);
    push_reply_all(&result, n, out);
}

const struct provider_kind provider_webhook = {.name = "webhook",
                                               .batch_max = 1,
                                               .reply_bytes_max = (size_t)64 << 10,
                                               .open = webhook_open,
                                               .close = webhook_close,
                                               .request = webhook_request,
                                               .reply = webhook_reply};
