/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to FCM's HTTP v1: one message each, and the OAuth token of a service account. */
#include "push/provider_fcm.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "push/jwt.h"
#include "push/kinds.h"
#include "push/provider_text.h"

#define API_BASE "https://fcm.googleapis.com"
#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define SCOPE "https://www.googleapis.com/auth/firebase.messaging"
#define GRANT "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
#define TTL_S_MAX 2419200 /* 28 days */
#define PAYLOAD_BYTES_MAX 4096
#define ASSERTION_S 3600
#define AHEAD_US ((int64_t)300 * 1000000)
#define REPLY_BYTES_MAX ((size_t)16 << 10)
#define SECOND_US 1000000

struct fcm {
    char *project_id, *client_email, *key_id, *api_base, *token_uri;
    char *url; /* messages are sent to */
    struct rsa_key *key;
    char *fingerprint; /* stands for the private key in hashes: the file's text, wiped with it */
    int64_t ttl_s;
};

static void fcm_close(void *opaque)
{
    struct fcm *f = opaque;
    if (f == NULL) {
        return;
    }
    (void)rsa_unref(f->key);
    members_wipe(f->fingerprint);
    free(f->project_id);
    free(f->client_email);
    free(f->key_id);
    free(f->api_base);
    free(f->token_uri);
    free(f->url);
    free(f);
}

static void fcm_closep(struct fcm **f)
{
    fcm_close(*f);
}

/* ----------------------------------------------------------------------------------------------------- opening */

static enum rc file_error(struct err *err, const char *what)
{
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "member service_account_file: %s", what);
    return err_code(err, ERR_CONFIG);
}

/* A member of the service account's file; the file is Google's, so that others are passed over. */
static const char *text_of(const json_t *file, const char *name)
{
    const char *text = json_string_value(json_object_get(file, name));
    return text == NULL || text[0] == '\0' || strlen(text) > PROVIDER_URL_MAX ? NULL : text;
}

static bool project_ok(const char *id)
{
    return id != NULL && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-:.") == strlen(id);
}

static enum rc read_account(struct fcm *f, const char *text, struct err *err)
{
    CLEANUP(json_decrefp) json_t *file = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *email = text_of(file, "client_email");
    const char *key_id = text_of(file, "private_key_id");
    const char *key = json_string_value(json_object_get(file, "private_key"));
    const char *token_uri = text_of(file, "token_uri");
    if (!json_is_object(file) || email == NULL || key == NULL || !project_ok(text_of(file, "project_id"))) {
        return file_error(err, "expected the JSON key of a service account: project_id, client_email, private_key");
    }
    f->project_id = xstrdup(text_of(file, "project_id"));
    f->client_email = xstrdup(email);
    f->key_id = xstrdup(key_id == NULL ? "" : key_id);
    if (f->token_uri == NULL) {
        f->token_uri = xstrdup(token_uri == NULL ? TOKEN_URI : token_uri);
    }
    if (rsa_read_private(key, strlen(key), &f->key, err) != RC_OK) {
        (void)err_code(err, ERR_CONFIG);
        return err_prefix(err, "member service_account_file: private_key");
    }
    return RC_OK;
}

static enum rc fcm_open(const struct json_t *config, const char *directory, void **out_self, struct err *err)
{
    struct members m;
    CLEANUP(fcm_closep) struct fcm *f = xcalloc(1, sizeof *f);
    members_begin(&m, config, directory, err);
    f->fingerprint = members_secret(&m, "service_account", true);
    f->api_base = provider_url(&m, "api_base", API_BASE, true);
    const char *token_uri = members_text(&m, "token_uri", false, PROVIDER_URL_MAX);
    f->token_uri = token_uri == NULL ? NULL : provider_url(&m, "token_uri", TOKEN_URI, false);
    f->ttl_s = provider_ttl_s(&m, TTL_S_MAX);
    TRY(members_end(&m));
    TRY(read_account(f, f->fingerprint, err));
    f->url = xasprintf("%s/v1/projects/%s/messages:send", f->api_base, f->project_id);
    *out_self = f;
    f = NULL;
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- messages */

/* The vendor counts keys and values of what the phone gets. */
static enum rc check_size(const struct push_message *m, struct err *err)
{
    size_t n = strlen(m->title) + strlen(m->body) + strlen(m->payload) + strlen(m->request_id) +
               strlen("title"
                      "body"
                      "payload"
                      "request_id"
                      "push_message_id") +
               strlen(m->message_id);
    if (n > PAYLOAD_BYTES_MAX) {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "the message has %zu bytes, expected at most %d", n,
                      PAYLOAD_BYTES_MAX);
        return err_code(err, "payload-too-big");
    }
    return RC_OK;
}

static void put_message(struct buf *out, const struct push_message *m, int64_t left_s, int64_t now_us)
{
    (void)buf_puts(out, "{\"message\":{\"token\":");
    provider_json_text(out, m->cid, 0);
    (void)buf_puts(out, ",\"notification\":{\"title\":");
    provider_json_text(out, m->title, 0);
    (void)buf_puts(out, ",\"body\":");
    provider_json_text(out, m->body, 0);
    (void)buf_puts(out, "},\"data\":{\"payload\":");
    provider_json_text(out, m->payload, 0);
    (void)buf_puts(out, ",\"push_message_id\":");
    provider_json_text(out, m->message_id, 0);
    /* FCM drops no repeats: the app can, by this */
    (void)buf_printf(out, ",\"request_id\":\"%s\"},", m->request_id);
    (void)buf_printf(out, "\"android\":{\"priority\":\"HIGH\",\"ttl\":\"%" PRId64 "s\"},", left_s);
    (void)buf_printf(out,
                     "\"apns\":{\"headers\":{\"apns-expiration\":\"%" PRId64
                     "\",\"apns-priority\":\"10\"},\"payload\":{\"aps\":{\"sound\":\"default\"}}},",
                     now_us / SECOND_US + left_s);
    (void)buf_printf(out, "\"webpush\":{\"headers\":{\"TTL\":\"%" PRId64 "\",\"Urgency\":\"high\"}}}}", left_s);
}

static enum rc fcm_request(const void *self, const struct push_message *const *m, size_t n, const char *token,
                           int64_t now_us, struct arena *a, struct push_request *out, struct err *err)
{
    const struct fcm *f = self;
    struct push_request request = {.url = f->url};
    struct http_header *headers = arena_alloc(a, 2 * sizeof *headers);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, PROVIDER_REQUEST_BYTES_MAX);
    (void)n; /* one */
    TRY(provider_target_check(m[0], err));
    TRY(check_size(m[0], err));
    put_message(&body, m[0], provider_left_s(m[0], now_us, f->ttl_s), now_us);
    headers[0] = (struct http_header){"Content-Type", "application/json"};
    headers[1] = (struct http_header){"Authorization", provider_join(a, "Bearer ", token)};
    request.headers = headers;
    request.n_headers = 2;
    TRY(provider_body(&body, a, &request, err));
    *out = request;
    return RC_OK;
}

/* ------------------------------------------------------------------------------------------------------- token */

static void fcm_credential(const void *self, unsigned char out_id[32], unsigned char out_key[32])
{
    const struct fcm *f = self;
    const char *const parts[] = {f->token_uri, f->client_email, f->fingerprint};
    provider_hash("fcm token", parts, ARRAY_SIZE(parts), out_id);
    provider_hash("fcm token key", parts, ARRAY_SIZE(parts), out_key);
}

/* The claims of RFC 7523, as Google wants them. */
static enum rc put_assertion(const struct fcm *f, int64_t now_us, struct buf *out, struct err *err)
{
    int64_t now_s = now_us / SECOND_US;
    CLEANUP(buf_done) struct buf header;
    CLEANUP(buf_done) struct buf claims;
    buf_init(&header, PROVIDER_REQUEST_BYTES_MAX);
    buf_init(&claims, PROVIDER_REQUEST_BYTES_MAX);
    (void)buf_puts(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
    if (f->key_id[0] != '\0') {
        (void)buf_puts(&header, ",\"kid\":");
        provider_json_text(&header, f->key_id, 0);
    }
    (void)buf_putc(&header, '}');
    (void)buf_puts(&claims, "{\"iss\":");
    provider_json_text(&claims, f->client_email, 0);
    (void)buf_puts(&claims, ",\"scope\":\"" SCOPE "\",\"aud\":");
    provider_json_text(&claims, f->token_uri, 0);
    (void)buf_printf(&claims, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", now_s, now_s + ASSERTION_S);
    return jwt_sign_rs256(buf_str(&header), buf_str(&claims), f->key, out, err);
}

static enum rc fcm_token_request(const void *self, int64_t now_us, struct arena *a, struct push_request *out,
                                 struct err *err)
{
    const struct fcm *f = self;
    struct push_request request = {.url = f->token_uri, .n_headers = 1};
    struct http_header *headers = arena_alloc(a, sizeof *headers);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, PROVIDER_REQUEST_BYTES_MAX);
    (void)buf_puts(&body, "grant_type=" GRANT "&assertion=");
    TRY(put_assertion(f, now_us, &body, err));
    headers[0] = (struct http_header){"Content-Type", "application/x-www-form-urlencoded"};
    request.headers = headers;
    TRY(provider_body(&body, a, &request, err));
    *out = request;
    return RC_OK;
}

const struct provider_kind provider_fcm = {
    .name = "fcm",
    .needs_token = true,
    .http2 = true,
    .batch_max = 1,
    .reply_bytes_max = REPLY_BYTES_MAX,
    .open = fcm_open,
    .close = fcm_close,
    .request = fcm_request,
    .reply = fcm_reply,
    .credential = fcm_credential,
    .token_request = fcm_token_request,
    .token_reply = fcm_token_reply,
    .renew_ahead_us = AHEAD_US,
};
