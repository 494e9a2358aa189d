/* SPDX-License-Identifier: Apache-2.0 */
/* Signs and verifies messages after Standard Webhooks. */
#include "crypto/webhook.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "crypto/base64.h"
#include "crypto/webhook_keys.h"

#define HEAD_MAX (WEBHOOK_ID_BYTES_MAX + 32) /* "id.timestamp." */

static const char *const NAMES[WEBHOOK_REASONS_N] = {
    [WEBHOOK_OK] = "ok",
    [WEBHOOK_ID_MISSING] = "id-missing",
    [WEBHOOK_ID_MALFORMED] = "id-malformed",
    [WEBHOOK_TIMESTAMP_MISSING] = "timestamp-missing",
    [WEBHOOK_TIMESTAMP_MALFORMED] = "timestamp-malformed",
    [WEBHOOK_TIMESTAMP_TOO_OLD] = "timestamp-too-old",
    [WEBHOOK_TIMESTAMP_TOO_NEW] = "timestamp-too-new",
    [WEBHOOK_SIGNATURE_MISSING] = "signature-missing",
    [WEBHOOK_SIGNATURE_MALFORMED] = "signature-malformed",
    [WEBHOOK_SIGNATURE_WRONG] = "signature-wrong",
    [WEBHOOK_HEADER_TWICE] = "header-twice",
};

const char *webhook_reason_name(enum webhook_reason reason)
{
    return (size_t)reason < WEBHOOK_REASONS_N ? NAMES[reason] : "unknown";
}

bool webhook_id_ok(const char *id)
{
    size_t n = strnlen(id, WEBHOOK_ID_BYTES_MAX + 1);
    bool ok = n > 0 && n <= WEBHOOK_ID_BYTES_MAX;
    for (size_t i = 0; ok && i < n; i++) {
        ok = id[i] > 0x20 && id[i] < 0x7f && id[i] != '.';
    }
    return ok;
}

/* What is signed, in two pieces. */
struct content {
    char head[HEAD_MAX];
    size_t head_n;
    const void *body;
    size_t body_n;
};

static void content_init(struct content *c, const char *id, const char *timestamp, const void *body, size_t body_n)
{
    int n = snprintf(c->head, sizeof c->head, "%s.%s.", id, timestamp);
    c->head_n = (size_t)n; /* both were checked for their length */
    c->body = body;
    c->body_n = body_n;
}

static void mac_ctxp(EVP_MAC_CTX **ctx)
{
    EVP_MAC_CTX_free(*ctx);
}

static void md_ctxp(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static bool hmac(const struct webhook_key *key, const struct content *c, unsigned char out[HMAC_BYTES])
{
    CLEANUP(mac_ctxp) EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->mac);
    size_t n = 0;
    return ctx != NULL && EVP_MAC_update(ctx, (const unsigned char *)c->head, c->head_n) == 1 &&
           (c->body_n == 0 || EVP_MAC_update(ctx, c->body, c->body_n) == 1) &&
           EVP_MAC_final(ctx, out, &n, HMAC_BYTES) == 1 && n == HMAC_BYTES;
}

/* id.timestamp.body in one piece; belongs to the set. */
static const unsigned char *content_join(struct webhook_keys *keys, const struct content *c)
{
    size_t n = c->head_n + c->body_n;
    if (keys->scratch.cap < n) {
        keys->scratch.data = xrealloc(keys->scratch.data, n);
        keys->scratch.cap = n;
    }
    memcpy(keys->scratch.data, c->head, c->head_n);
    if (c->body_n > 0) {
        memcpy(keys->scratch.data + c->head_n, c->body, c->body_n);
    }
    return (const unsigned char *)keys->scratch.data;
}

static bool ed25519_sign(struct webhook_keys *keys, const struct webhook_key *key, const struct content *c,
                         unsigned char out[ED25519_BYTES])
{
    CLEANUP(md_ctxp) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = ED25519_BYTES;
    return ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
           EVP_DigestSign(ctx, out, &n, content_join(keys, c), c->head_n + c->body_n) == 1 && n == ED25519_BYTES;
}

static bool ed25519_fits(struct webhook_keys *keys, const struct webhook_key *key, const struct content *c,
                         const unsigned char *signature)
{
    CLEANUP(md_ctxp) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    return ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
           EVP_DigestVerify(ctx, signature, ED25519_BYTES, content_join(keys, c), c->head_n + c->body_n) == 1;
}

_Static_assert(WEBHOOK_KEYS_MAX *(BASE64_LENGTH(ED25519_BYTES) + 5) < WEBHOOK_SIGNATURE_MAX, "all signatures fit");

/* Appends " v1,SIGNATURE" at out; returns the end. */
static char *add_signature(char *out, bool first, const char *version, const unsigned char *bytes, size_t n)
{
    const char *sep = first ? "" : " ";
    out += snprintf(out, 8, "%s%s,", sep, version);
    base64_encode(bytes, n, out);
    return out + BASE64_LENGTH(n);
}

enum rc webhook_sign(struct webhook_keys *keys, const char *id, int64_t utc_seconds, const void *body, size_t body_n,
                     char *out_signature, struct err *err)
{
    if (!webhook_id_ok(id)) {
        FAIL(err, RC_REJECT, "\"%.80s\" cannot be a webhook-id: 1 to %d visible ASCII characters, no dot", id,
             WEBHOOK_ID_BYTES_MAX);
    }
    if (utc_seconds < 0 || !webhook_keys_can_sign(keys)) {
        FAIL(err, RC_REJECT, utc_seconds < 0 ? "a time before 1970" : "only public keys: nothing to sign with");
    }
    char timestamp[24];
    (void)snprintf(timestamp, sizeof timestamp, "%lld", (long long)utc_seconds);
    struct content c;
    content_init(&c, id, timestamp, body, body_n);
    char *at = out_signature;
    for (size_t i = 0; i < keys->n; i++) {
        const struct webhook_key *key = &keys->keys[i];
        unsigned char bytes[ED25519_BYTES];
        if (!key->can_sign) {
            continue;
        }
        if (key->mac != NULL ? !hmac(key, &c, bytes) : !ed25519_sign(keys, key, &c, bytes)) {
            FAIL(err, RC_FATAL, "OpenSSL does not sign");
        }
        at = add_signature(at, at == out_signature, key->mac != NULL ? "v1" : "v1a", bytes,
                           key->mac != NULL ? HMAC_BYTES : ED25519_BYTES);
    }
    return RC_OK;
}

/* One entry of the list: does a key that verifies this version fit? *out_usable: it was well-formed and there is one.
 */
static bool entry_fits(struct webhook_keys *keys, const struct content *c, const char *entry, size_t n,
                       bool *out_usable)
{
    bool is_v1 = n > 3 && memcmp(entry, "v1,", 3) == 0;
    bool is_v1a = n > 4 && memcmp(entry, "v1a,", 4) == 0;
    size_t skip = is_v1 ? 3 : 4;
    unsigned char given[ED25519_BYTES];
    size_t given_n = 0;
    if ((!is_v1 && !is_v1a) || !base64_decode(entry + skip, n - skip, given, sizeof given, &given_n) ||
        given_n != (is_v1 ? HMAC_BYTES : ED25519_BYTES)) {
        return false;
    }
    bool fits = false;
    for (size_t i = 0; i < keys->n; i++) {
        const struct webhook_key *key = &keys->keys[i];
        if ((key->mac != NULL) != is_v1) {
            continue;
        }
        *out_usable = true;
        unsigned char want[HMAC_BYTES];
        fits = fits || (is_v1 ? hmac(key, c, want) && CRYPTO_memcmp(want, given, sizeof want) == 0
                              : ed25519_fits(keys, key, c, given));
    }
    return fits;
}

static enum webhook_reason signature_verify(struct webhook_keys *keys, const struct content *c, const char *list)
{
    bool usable = false;
    for (int looked_at = 0; *list != '\0'; looked_at++) {
        size_t n = strcspn(list, " ");
        if (looked_at == WEBHOOK_SIGNATURES_MAX) {
            return WEBHOOK_SIGNATURE_MALFORMED;
        }
        if (entry_fits(keys, c, list, n, &usable)) {
            return WEBHOOK_OK;
        }
        list += n;
        list += *list == ' ' ? 1 : 0;
    }
    return usable ? WEBHOOK_SIGNATURE_WRONG : WEBHOOK_SIGNATURE_MALFORMED;
}

enum webhook_reason webhook_verify(struct webhook_keys *keys, const struct webhook_message *msg, int64_t now_seconds,
                                   int64_t tolerance_seconds)
{
    if (msg->id == NULL || msg->timestamp == NULL || msg->signature == NULL) {
        return msg->id == NULL          ? WEBHOOK_ID_MISSING
               : msg->timestamp == NULL ? WEBHOOK_TIMESTAMP_MISSING
                                        : WEBHOOK_SIGNATURE_MISSING;
    }
    if (!webhook_id_ok(msg->id)) {
        return WEBHOOK_ID_MALFORMED;
    }
    int64_t seconds = 0;
    if (!option_parse_int(msg->timestamp, 0, INT64_MAX / 4, &seconds) || strlen(msg->timestamp) > 20) {
        return WEBHOOK_TIMESTAMP_MALFORMED;
    }
    if (seconds < now_seconds - tolerance_seconds || seconds > now_seconds + tolerance_seconds) {
        return seconds < now_seconds ? WEBHOOK_TIMESTAMP_TOO_OLD : WEBHOOK_TIMESTAMP_TOO_NEW;
    }
    struct content c;
    content_init(&c, msg->id, msg->timestamp, msg->body, msg->body_n);
    return signature_verify(keys, &c, msg->signature);
}
