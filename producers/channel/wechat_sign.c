/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/wechat_sign.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/base64.h"

#define RESOURCE_BYTES_MAX ((size_t)32 << 10)
#define NONCE_CHARS 32
#define BEIJING_S ((int64_t)8 * 3600)

/* n letters and digits nobody can guess, and a NUL. */
static void make_nonce(char *out, size_t n)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    unsigned char random[NONCE_CHARS];
    if (RAND_bytes(random, sizeof random) != 1) {
        abort(); /* libcrypto has no source of randomness */
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = LETTERS[random[i] & 31];
    }
    out[n] = '\0';
}

/* ---------------------------------------------------------------------------------------------------- what it says */

static void member(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        (void)buf_printf(out, "%s\"%s\":", out->len > 0 && out->data[out->len - 1] != '{' ? "," : "", name);
        (void)buf_json_string(out, value, strlen(value));
    }
}

/* 2026-01-02T11:04:05+08:00, as the platform writes it. */
static void member_time(struct buf *out, const char *name, int64_t at_s)
{
    char text[64];
    struct tm tm;
    time_t beijing = (time_t)(at_s + BEIJING_S);
    if (gmtime_r(&beijing, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S+08:00", &tm) > 0) {
        member(out, name, text);
    }
}

static bool is_refund(const struct wechat_notice *notice)
{
    return strncmp(notice->type, "REFUND.", 7) == 0;
}

void wechat_notice_json(const struct wechat_notice *notice, struct buf *out)
{
    const char *state = strchr(notice->type, '.');
    state = state == NULL ? "SUCCESS" : state + 1;
    (void)buf_putc(out, '{');
    member(out, "mchid", notice->mchid);
    member(out, "out_trade_no", notice->payment_id);
    member(out, "transaction_id", notice->txn_id);
    if (is_refund(notice)) {
        member(out, "out_refund_no", notice->refund_id);
        member(out, "refund_id", notice->refund_id);
        member(out, "refund_status", state);
        member_time(out, "success_time", notice->at_s);
        (void)buf_printf(out, ",\"amount\":{\"total\":%" PRId64 ",\"refund\":%" PRId64 "}}", notice->total,
                         notice->amount);
        return;
    }
    member(out, "appid", notice->appid);
    member(out, "trade_type", "JSAPI");
    member(out, "trade_state", state);
    member_time(out, "success_time", notice->at_s);
    (void)buf_printf(out, ",\"amount\":{\"total\":%" PRId64 ",\"payer_total\":%" PRId64, notice->amount,
                     notice->amount);
    member(out, "currency", notice->currency);
    (void)buf_puts(out, "}}");
}

/* ---------------------------------------------------------------------------------------------------- encrypted */

void wechat_seal_json(const unsigned char *apiv3_key, const char *aad, const char *nonce, const char *extra,
                      const void *text, size_t n, struct buf *out)
{
    char fresh[WECHAT_SEAL_NONCE_BYTES + 1];
    unsigned char *sealed = xcalloc(n + AES_GCM_TAG_BYTES, 1);
    char *base64 = xcalloc(BASE64_LENGTH(n + AES_GCM_TAG_BYTES) + 1, 1);
    make_nonce(fresh, WECHAT_SEAL_NONCE_BYTES);
    const char *used = nonce == NULL ? fresh : nonce;
    const struct aes_gcm gcm = {
        .key = apiv3_key, .nonce = used, .nonce_n = strlen(used), .aad = aad, .aad_n = strlen(aad)};
    aes_gcm_seal(&gcm, text, n, sealed);
    base64_encode(sealed, n + AES_GCM_TAG_BYTES, base64);
    (void)buf_printf(out, "{\"algorithm\":\"AEAD_AES_256_GCM\",\"ciphertext\":\"%s\"", base64);
    member(out, "associated_data", aad);
    member(out, "nonce", used);
    (void)buf_printf(out, "%s}", extra);
    free(base64);
    free(sealed);
}

void wechat_notice_body(const struct wechat_notice *notice, const unsigned char *apiv3_key, struct buf *out)
{
    CLEANUP(buf_done) struct buf resource;
    bool refund = is_refund(notice);
    buf_init(&resource, RESOURCE_BYTES_MAX);
    wechat_notice_json(notice, &resource);
    (void)buf_putc(out, '{');
    member(out, "id", notice->id);
    member_time(out, "create_time", notice->at_s);
    member(out, "resource_type", "encrypt-resource");
    member(out, "event_type", notice->type);
    member(out, "summary", refund ? "refund" : "payment");
    (void)buf_puts(out, ",\"resource\":");
    wechat_seal_json(apiv3_key, refund ? "refund" : "transaction", NULL,
                     refund ? ",\"original_type\":\"refund\"" : ",\"original_type\":\"transaction\"",
                     buf_str(&resource), resource.len, out);
    (void)buf_putc(out, '}');
}

/* ---------------------------------------------------------------------------------------------------- signed */

enum rc wechat_sign_headers(const struct rsa_key *key, const char *serial, int64_t at_s, const char *nonce,
                            const void *body, size_t n, struct buf *out, struct err *err)
{
    char fresh[NONCE_CHARS + 1];
    char timestamp[24];
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    char base64[BASE64_LENGTH(RSA_SIGNATURE_BYTES_MAX) + 1];
    size_t signature_n = 0;
    make_nonce(fresh, NONCE_CHARS);
    const char *used = nonce == NULL ? fresh : nonce;
    (void)snprintf(timestamp, sizeof timestamp, "%" PRId64, at_s);
    const struct sha256_part parts[] = {{timestamp, strlen(timestamp)}, {"\n", 1}, {used, strlen(used)}, {"\n", 1},
                                        {n == 0 ? "" : body, n},        {"\n", 1}};
    TRY(rsa_sign(key, parts, ARRAY_SIZE(parts), signature, &signature_n, err));
    base64_encode(signature, signature_n, base64);
    (void)buf_printf(out,
                     "Wechatpay-Serial: %s\nWechatpay-Timestamp: %s\nWechatpay-Nonce: %s\nWechatpay-Signature: %s\n"
                     "Wechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048\n",
                     serial, timestamp, used, base64);
    return RC_OK;
}
