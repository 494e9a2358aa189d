/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials, messages and answers for the tests of providers; OpenSSL judges what we sign. */
#include "provider_rig.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base64.h"
#include "support/test_keys.h"

static const char APPLE_KEY[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgE2biberoXEtqHeMH\n"
                                "RPa5pvdc+wxxLLcN9DoU9kn0jSuhRANCAASWjKCjLCCYaxZe0D8m8DE+ukUoM4Qg\n"
                                "CNTzhdPfwTgSwCoz+Brux9re7UOtWIC2rX1oc3eV9cUsS0kaMxePbuQC\n"
                                "-----END PRIVATE KEY-----\n";
static const char *const FILES[] = {"app.key", "master.secret", "account.json", "key.p8", "other"};

void provider_rig_put(const struct provider_rig *r, const char *name, const char *text, unsigned mode)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", r->directory, name);
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0);
}

void provider_rig_begin(struct provider_rig *r)
{
    *r = (struct provider_rig){.directory = "/tmp/sluice-provider-XXXXXX"};
    cr_assert(mkdtemp(r->directory) != NULL);
    arena_init(&r->arena, 4096);
    r->rsa = test_key(TEST_KEY_A);
    r->ec = test_key(APPLE_KEY);
    json_t *account = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", "service_account", "project_id", "shop-1",
                                "private_key_id", "k1", "private_key", TEST_KEY_A, "client_email",
                                "push@shop-1.iam.gserviceaccount.com", "token_uri", "https://oauth2.example/token");
    char *text = json_dumps(account, 0);
    provider_rig_put(r, "app.key", RIG_APP_KEY "\n", 0600);
    provider_rig_put(r, "master.secret", RIG_MASTER "\n", 0600);
    provider_rig_put(r, "account.json", text, 0600);
    provider_rig_put(r, "key.p8", APPLE_KEY, 0600);
    free(text);
    json_decref(account);
}

void provider_rig_done(struct provider_rig *r)
{
    char path[128];
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", r->directory, FILES[i]);
        (void)unlink(path);
    }
    (void)rmdir(r->directory);
    if (r->kind != NULL) {
        r->kind->close(r->self);
    }
    EVP_PKEY_free(r->rsa);
    EVP_PKEY_free(r->ec);
    arena_done(&r->arena);
}

enum rc provider_rig_try(struct provider_rig *r, const struct provider_kind *kind, const char *config, struct err *err)
{
    json_t *object = json_loads(config, 0, NULL);
    cr_assert(object != NULL, "%s", config);
    if (r->kind != NULL) {
        r->kind->close(r->self);
    }
    r->kind = kind;
    r->self = NULL;
    enum rc rc = kind->open(object, r->directory, &r->self, err);
    json_decref(object);
    return rc;
}

void provider_rig_open(struct provider_rig *r, const struct provider_kind *kind, const char *config)
{
    struct err err = {0};
    cr_assert_eq(provider_rig_try(r, kind, config, &err), RC_OK, "%s", err.text);
}

struct push_message provider_rig_message(const char *cid)
{
    return (struct push_message){.delivery_id = "d1",
                                 .message_id = "m1",
                                 .request_id = RIG_ID,
                                 .appid = "app",
                                 .cid = cid,
                                 .platform = "android",
                                 .title = "a \"parcel\"",
                                 .body = "\xe5\x8c\x85\xe8\xa3\xb9",
                                 .payload = "{\"no\":1}",
                                 .expires_at_us = RIG_NOW_US + (int64_t)3600 * 1000000};
}

enum rc provider_rig_request(struct provider_rig *r, const struct push_message *m, size_t n, const char *token,
                             struct push_request *out, struct err *err)
{
    const struct push_message *list[PUSH_BATCH_MAX];
    for (size_t i = 0; i < n; i++) {
        list[i] = &m[i];
    }
    return r->kind->request(r->self, list, n, token, RIG_NOW_US, &r->arena, out, err);
}

struct http_result provider_rig_answer(int status, const char *body)
{
    return (struct http_result){.meaning = {.class = status == 0 ? "timeout" : "http"},
                                .status = status,
                                .retry_after_ms = -1,
                                .body = body,
                                .body_n = strlen(body),
                                .message = status >= 200 && status < 300 ? "" : "it went wrong",
                                .address = ""};
}

struct push_result provider_rig_reply(struct provider_rig *r, int status, const char *body)
{
    const struct push_message message = provider_rig_message("c1");
    const struct push_message *const list[] = {&message};
    const struct http_result answer = provider_rig_answer(status, body);
    struct push_result result;
    memset(&result, 0x5a, sizeof result);
    r->kind->reply(r->self, list, 1, &answer, RIG_NOW_US, &result);
    return result;
}

void provider_rig_cases(struct provider_rig *r, const struct provider_rig_case *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct push_result result = provider_rig_reply(r, rows[i].status, rows[i].body);
        cr_assert_eq(result.verdict, rows[i].verdict, "%s", rows[i].body);
        cr_assert_str_eq(result.code, rows[i].code, "%s: %s", rows[i].body, result.code);
        cr_assert_eq(result.renew_token, rows[i].renew, "%s", rows[i].body);
        cr_assert_eq(result.retry_after_ms, rows[i].wait_ms, "%s", rows[i].body);
        cr_assert_not(result.alone, "%s", rows[i].body);
    }
}

void provider_rig_tokens(struct provider_rig *r, const struct provider_rig_token *rows, size_t n, const char *text,
                         int64_t seconds)
{
    for (size_t i = 0; i < n; i++) {
        struct push_token token = {0};
        struct err err = {0};
        const struct http_result answer = provider_rig_answer(rows[i].status, rows[i].body);
        enum rc rc = r->kind->token_reply(r->self, &answer, RIG_NOW_US, &token, &err);
        cr_assert_eq(rc, rows[i].rc, "%s: %s", rows[i].body, err.text);
        if (rc != RC_OK) {
            cr_assert_str_eq(err.code, rows[i].code, "%s", rows[i].body);
            continue;
        }
        cr_assert_str_eq(token.text, text);
        cr_assert_eq(token.expires_us, RIG_NOW_US + seconds * 1000000);
        free(token.text);
    }
}

void provider_rig_refuses(struct provider_rig *r, const struct provider_kind *kind, const char *head,
                          const struct provider_rig_wrong *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char config[1024];
        struct err err = {0};
        (void)snprintf(config, sizeof config, "%s%s}", head, rows[i].more);
        cr_assert_eq(provider_rig_try(r, kind, config, &err), RC_FATAL, "%s", rows[i].more);
        cr_assert(strstr(err.text, rows[i].says) != NULL && err_is_config(&err), "%s: %s", rows[i].more, err.text);
    }
}

const char *provider_rig_header(const struct push_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        if (strcmp(request->headers[i].name, name) == 0) {
            return request->headers[i].value;
        }
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------------------------- JWT */

static const char *segment(struct provider_rig *r, const char *from, const char *end, size_t *out_n)
{
    size_t n = (size_t)(end - from);
    char *bytes = arena_alloc(&r->arena, n + 1);
    cr_assert(base64url_decode(from, n, bytes, n, out_n));
    bytes[*out_n] = '\0';
    return bytes;
}

/* r and s as DER; *out is libcrypto's. */
static int der_of(const unsigned char *raw, unsigned char **out)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    cr_assert_eq(ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL)), 1);
    int n = i2d_ECDSA_SIG(sig, out);
    ECDSA_SIG_free(sig);
    return n;
}

const char *provider_rig_jwt(struct provider_rig *r, const char *jwt, EVP_PKEY *key, const char **out_header)
{
    const char *first = strchr(jwt, '.');
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');
    cr_assert(second != NULL && strchr(second + 1, '.') == NULL, "%s", jwt);
    size_t n = 0;
    size_t signature_n = 0;
    *out_header = segment(r, jwt, first, &n);
    const char *claims = segment(r, first + 1, second, &n);
    const unsigned char *signature =
        (const unsigned char *)segment(r, second + 1, second + strlen(second), &signature_n);
    unsigned char *der = NULL;
    if (EVP_PKEY_is_a(key, "EC")) {
        cr_assert_eq(signature_n, 64);
        signature_n = (size_t)der_of(signature, &der);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    cr_assert_eq(EVP_DigestVerify(ctx, der == NULL ? signature : der, signature_n, (const unsigned char *)jwt,
                                  (size_t)(second - jwt)),
                 1, "the signature does not hold");
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return claims;
}

/* ----------------------------------------------------------------------------------------------------- garbage */

static const char *const GARBAGE[] = {
    "",
    "ok",
    "<html>502 Bad Gateway</html>",
    "[]",
    "[[[[[[[[[[[[[[[[",
    "null",
    "true",
    "\"code\"",
    "{}",
    "{\"code\":0,\"data\":[]}",
    "{\"code\":\"0\",\"data\":{}}",
    "{\"code\":0,\"data\":{\"t\":\"successed_online\"}}",
    "{\"code\":0,\"data\":{\"t\":{\"somebody else\":\"successed_online\"}}}",
    "{\"code\":0,\"data\":{\"t\":{\"c1\":7}}}",
    "{\"code\":0,\"data\":{\"t\":{\"c1\":\"no word of theirs\"}}}",
    "{\"code\":0,\"data\":{\"t\":{\"c1\":\"\"}}}",
    "{\"name\":7}",
    "{\"name\":null,\"error\":[]}",
    "{\"reason\":{}}",
    "{\"code\":0,\"code\":0}",
    "\xff\xfe{}",
    "{\"code\":99999999999999999999999999}",
    "{\"name\":\"\\u0000\"}",
};

void provider_rig_garbage(struct provider_rig *r, size_t n)
{
    struct push_message messages[PUSH_BATCH_MAX];
    const struct push_message *list[PUSH_BATCH_MAX];
    struct push_result out[PUSH_BATCH_MAX];
    char cids[PUSH_BATCH_MAX][24];
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(cids[i], sizeof cids[i], "c%zu", i + 1);
        messages[i] = provider_rig_message(cids[i]);
        list[i] = &messages[i];
    }
    for (size_t g = 0; g < ARRAY_SIZE(GARBAGE); g++) {
        for (int cut = 0; cut < 2; cut++) {
            struct http_result answer = provider_rig_answer(200, GARBAGE[g]);
            answer.body_cut = cut == 1;
            memset(out, 0x5a, sizeof out);
            r->kind->reply(r->self, list, n, &answer, RIG_NOW_US, out);
            for (size_t i = 0; i < n; i++) {
                cr_assert_eq(out[i].verdict, PUSH_PROVIDER_DOWN, "%s: message %zu of %zu", GARBAGE[g], i, n);
                cr_assert_neq(out[i].code[0], '\0', "%s", GARBAGE[g]);
                cr_assert(strlen(out[i].code) < PUSH_CODE_MAX && strlen(out[i].message) < PUSH_MESSAGE_MAX);
                cr_assert(!out[i].alone && !out[i].renew_token);
            }
        }
    }
}
