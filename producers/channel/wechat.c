/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WeChat Pay API v3: RSA over timestamp, nonce and body with the key that the serial names, and a resource encrypted
 * with the merchant's APIv3 key.
 */
#include <string.h>

#include "base/option.h"
#include "channel/channels.h"
#include "channel/wechat_account.h"
#include "channel/wechat_resource.h"
#include "crypto/base64.h"

#define SIGNATURE_TYPE "WECHATPAY2-SHA256-RSA2048"
#define PROBE "WECHATPAY/SIGNTEST/"
#define NONCE_MAX 256
#define SECONDS_MAX 253402300799LL /* the end of the year 9999 */

/* The four headers, and what they mean. */
struct signed_headers {
    const char *serial, *signature, *timestamp, *nonce;
    const char *type; /* NULL = the usual one */
    int64_t sent_s;
};

static enum channel_reason header(const struct capture *c, const char *name, const char **out, struct verdict *v)
{
    enum channel_reason reason = capture_header(c, name, out);
    if (reason == REASON_OK) {
        return REASON_OK;
    }
    return verdict_refuse(v, reason, "%s: expected once and not empty", name);
}

static enum channel_reason read_headers(const struct capture *c, struct signed_headers *h, struct verdict *v)
{
    const struct {
        const char *name;
        const char **out;
    } NEEDED[] = {{"Wechatpay-Serial", &h->serial},
                  {"Wechatpay-Signature", &h->signature},
                  {"Wechatpay-Timestamp", &h->timestamp},
                  {"Wechatpay-Nonce", &h->nonce}};
    for (size_t i = 0; i < ARRAY_SIZE(NEEDED); i++) {
        if (header(c, NEEDED[i].name, NEEDED[i].out, v) != REASON_OK) {
            return v->reason;
        }
    }
    enum channel_reason reason = capture_header_optional(c, "Wechatpay-Signature-Type", &h->type);
    if (reason != REASON_OK) {
        return verdict_refuse(v, reason, "Wechatpay-Signature-Type: expected once and not empty");
    }
    if (strspn(h->timestamp, "0123456789") != strlen(h->timestamp) ||
        !option_parse_int(h->timestamp, 0, SECONDS_MAX, &h->sent_s)) {
        return verdict_refuse(v, REASON_HEADER_MALFORMED, "Wechatpay-Timestamp: expected seconds since 1970");
    }
    if (strlen(h->nonce) > NONCE_MAX) {
        return verdict_refuse(v, REASON_HEADER_MALFORMED, "Wechatpay-Nonce: expected at most %d bytes", NONCE_MAX);
    }
    return REASON_OK;
}

static enum channel_reason check_signature(const struct wechat_key *key, const struct signed_headers *h,
                                           const struct capture *c, struct verdict *v)
{
    /* Each with a line's end behind it. */
    const struct sha256_part parts[] = {{h->timestamp, strlen(h->timestamp)},
                                        {"\n", 1},
                                        {h->nonce, strlen(h->nonce)},
                                        {"\n", 1},
                                        {c->body, c->body_n},
                                        {"\n", 1}};
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    size_t n = 0;
    if (!base64_decode(h->signature, strlen(h->signature), signature, sizeof signature, &n)) {
        return verdict_refuse(v, REASON_SIG_INVALID, "Wechatpay-Signature: not base64, or too long");
    }
    if (!rsa_verify(key->key, parts, ARRAY_SIZE(parts), signature, n)) {
        return verdict_refuse(v, REASON_SIG_INVALID, "the signature does not fit timestamp, nonce and body");
    }
    verdict_genuine(v, CHANNEL_WECHAT, parts, ARRAY_SIZE(parts), signature, n);
    return REASON_OK;
}

static enum channel_reason check_key(struct wechat_keys *keys, const struct signed_headers *h, const struct capture *c,
                                     int64_t now_s, struct verdict *v)
{
    const struct wechat_key *key = wechat_keys_find(keys, h->serial);
    if (key == NULL) {
        return verdict_refuse(v, REASON_SERIAL_UNKNOWN, "Wechatpay-Serial: no key of this name, zeros in front count");
    }
    v->key_known = true;
    if (key->not_after_s != 0 && now_s > key->not_after_s) {
        return verdict_refuse(v, REASON_CERT_EXPIRED, "the certificate %.80s has expired", key->serial);
    }
    if (rsa_bits(key->key) < RSA_BITS_MIN) {
        return verdict_refuse(v, REASON_POLICY_WEAK_ALG, "the key has less than %d bits", RSA_BITS_MIN);
    }
    if (check_signature(key, h, c, v) == REASON_OK) {
        wechat_keys_mark(keys, key, now_s);
    }
    return v->reason;
}

enum channel_reason wechat_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                  struct arena *arena, struct verdict *v)
{
    const struct wechat_account *own = account->own;
    struct signed_headers h = {0};
    if (read_headers(c, &h, v) != REASON_OK) {
        return v->reason;
    }
    if (strncmp(h.signature, PROBE, sizeof PROBE - 1) == 0) {
        return verdict_refuse(v, REASON_SIG_PROBE, "the platform tests whether signatures are looked at");
    }
    if (h.type != NULL && strcmp(h.type, SIGNATURE_TYPE) != 0) {
        return verdict_refuse(v, REASON_ALG_UNSUPPORTED, "Wechatpay-Signature-Type: expected " SIGNATURE_TYPE);
    }
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *keys = wechat_account_keys(account);
    if (check_key(keys, &h, c, now_s, v) != REASON_OK ||
        verdict_window(v, "Wechatpay-Timestamp", h.sent_s, now_s, own->window_s) != REASON_OK) {
        return v->reason;
    }
    return wechat_read_body(own, c, arena, v);
}
