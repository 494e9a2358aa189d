/* SPDX-License-Identifier: Apache-2.0 */
/* APNs: one message a request over HTTP/2, under a provider token that is made here. */
#include <ctype.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/jws.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"
#include "crypto/sha256.h"
#include "push/kinds.h"
#include "push/provider_apns.h"
#include "push/provider_text.h"

#define PRODUCTION "https://api.push.apple.com"
#define SANDBOX "https://api.sandbox.push.apple.com"
#define PAYLOAD_BYTES_MAX 4096
#define TTL_S_MAX 2592000 /* 30 days */
#define DEVICE_DIGITS_MAX 200
#define REPLY_BYTES_MAX ((size_t)8 << 10)
#define SECOND_US ((int64_t)1000000)
#define TOKEN_US (55 * 60 * SECOND_US) /* APNs takes them up to an hour, */
#define AHEAD_US (15 * 60 * SECOND_US) /* and new ones only every twenty minutes: ours are renewed at forty */
#define HEADERS 7

struct apns {
    char *team_id, *key_id, *topic, *api_base;
    char *fingerprint; /* stands for the private key in hashes: the file's text, wiped with it */
    EVP_PKEY *key;
    int64_t ttl_s;
};

static void apns_close(void *opaque)
{
    struct apns *p = opaque;
    if (p == NULL) {
        return;
    }
    EVP_PKEY_free(p->key);
    members_wipe(p->fingerprint);
    free(p->team_id);
    free(p->key_id);
    free(p->topic);
    free(p->api_base);
    free(p);
}

static void apns_closep(struct apns **p)
{
    apns_close(*p);
}

/* ----------------------------------------------------------------------------------------------------- opening */

static const char *base_of(struct members *m)
{
    const char *environment = members_text(m, "environment", false, 32);
    if (environment == NULL || strcmp(environment, "production") == 0) {
        return PRODUCTION;
    }
    if (strcmp(environment, "sandbox") != 0) {
        members_refuse(m, "environment", "expected production or sandbox");
    }
    return SANDBOX;
}

static enum rc read_key(struct apns *p, struct err *err)
{
    if (pem_private_key(p->fingerprint, strlen(p->fingerprint), &p->key, err) != RC_OK) {
        (void)err_code(err, ERR_CONFIG);
        return err_prefix(err, "member key_file");
    }
    if (!pkey_is_on_curve(p->key, "prime256v1")) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                      "member key_file: expected a key on P-256, as Apple's .p8 files have it");
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

static enum rc apns_open(const struct json_t *config, const char *directory, void **out_self, struct err *err)
{
    struct members m;
    CLEANUP(apns_closep) struct apns *p = xcalloc(1, sizeof *p);
    members_begin(&m, config, directory, err);
    p->team_id = provider_id(&m, "team_id", true);
    p->key_id = provider_id(&m, "key_id", true);
    p->topic = provider_id(&m, "topic", true);
    p->fingerprint = members_secret(&m, "key", true);
    p->api_base = provider_url(&m, "api_base", base_of(&m), true);
    p->ttl_s = provider_ttl_s(&m, TTL_S_MAX);
    TRY(members_end(&m));
    TRY(read_key(p, err));
    *out_self = p;
    p = NULL;
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- messages */

/* The address goes into the path. */
static enum rc check_device(const struct push_message *m, struct err *err)
{
    TRY(provider_target_check(m, err));
    size_t n = strlen(m->cid);
    bool good = n <= DEVICE_DIGITS_MAX && n % 2 == 0;
    for (size_t i = 0; i < n && good; i++) {
        good = isxdigit((unsigned char)m->cid[i]) != 0;
    }
    if (!good) {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__,
                      "cid: expected an even number of at most %d hexadecimal digits, as iOS hands them out",
                      DEVICE_DIGITS_MAX);
        return err_code(err, "cid-malformed");
    }
    return RC_OK;
}

static enum rc put_body(struct buf *out, const struct push_message *m, struct err *err)
{
    TRY(provider_payload_check(m, err));
    (void)buf_puts(out, "{\"aps\":{\"alert\":{\"title\":");
    provider_json_text(out, m->title, 0);
    (void)buf_puts(out, ",\"body\":");
    provider_json_text(out, m->body, 0);
    (void)buf_puts(out, "},\"sound\":\"default\"},\"message_id\":");
    provider_json_text(out, m->message_id, 0);
    (void)buf_printf(out, ",\"request_id\":\"%s\",\"payload\":%s}", m->request_id, m->payload);
    if (out->len > PAYLOAD_BYTES_MAX) {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "the message has %zu bytes, expected at most %d", out->len,
                      PAYLOAD_BYTES_MAX);
        return err_code(err, "payload-too-big");
    }
    return RC_OK;
}

/* 8-4-4-4-12 of the 32 digits. */
static const char *uuid_of(const char *id, struct arena *a)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
    return arena_strndup(a, text, strlen(text));
}

static const char *number(int64_t value, struct arena *a)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    return arena_strndup(a, text, strlen(text));
}

static enum rc apns_request(const void *self, const struct push_message *const *m, size_t n, const char *token,
                            int64_t now_us, struct arena *a, struct push_request *out, struct err *err)
{
    const struct apns *p = self;
    struct push_request request = {.n_headers = HEADERS};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, PROVIDER_REQUEST_BYTES_MAX);
    (void)n; /* one */
    TRY(check_device(m[0], err));
    TRY(put_body(&body, m[0], err));
    int64_t expires_s = now_us / SECOND_US + provider_left_s(m[0], now_us, p->ttl_s);
    struct http_header *h = arena_alloc(a, HEADERS * sizeof *h);
    h[0] = (struct http_header){"authorization", provider_join(a, "bearer ", token)};
    h[1] = (struct http_header){"apns-topic", p->topic};
    h[2] = (struct http_header){"apns-push-type", "alert"};
    h[3] = (struct http_header){"apns-priority", "10"};
    h[4] = (struct http_header){"apns-expiration", number(expires_s, a)};
    h[5] = (struct http_header){"apns-id", uuid_of(m[0]->request_id, a)};
    h[6] = (struct http_header){"content-type", "application/json"};
    request.headers = h;
    request.url = provider_join(a, provider_join(a, p->api_base, "/3/device/"), m[0]->cid);
    TRY(provider_body(&body, a, &request, err));
    *out = request;
    return RC_OK;
}

/* ------------------------------------------------------------------------------------------------------- token */

static void apns_credential(const void *self, unsigned char out_id[32], unsigned char out_key[32])
{
    const struct apns *p = self;
    const char *const parts[] = {p->team_id, p->key_id, p->fingerprint};
    provider_hash("apns token", parts, ARRAY_SIZE(parts), out_id);
    provider_hash("apns token key", parts, ARRAY_SIZE(parts), out_key);
}

static enum rc apns_token_make(const void *self, int64_t now_us, struct push_token *out, struct err *err)
{
    const struct apns *p = self;
    CLEANUP(freep) char *header = xasprintf("{\"alg\":\"ES256\",\"kid\":\"%s\"}", p->key_id);
    CLEANUP(freep) char *claims = xasprintf("{\"iss\":\"%s\",\"iat\":%" PRId64 "}", p->team_id, now_us / SECOND_US);
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, PROVIDER_REQUEST_BYTES_MAX);
    TRY(jws_sign(header, claims, p->key, &text, err));
    *out = (struct push_token){.text = buf_take(&text), .obtained_us = now_us, .expires_us = now_us + TOKEN_US};
    return RC_OK;
}

const struct provider_kind provider_apns = {
    .name = "apns",
    .needs_token = true,
    .http2 = true,
    .batch_max = 1,
    .reply_bytes_max = REPLY_BYTES_MAX,
    .open = apns_open,
    .close = apns_close,
    .request = apns_request,
    .reply = apns_reply,
    .credential = apns_credential,
    .token_make = apns_token_make,
    .renew_ahead_us = AHEAD_US,
};
