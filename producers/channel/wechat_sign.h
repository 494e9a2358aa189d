/* SPDX-License-Identifier: Apache-2.0 */
/* WeChat Pay's notifications as it sends them, with keys of one's own. Thread: any. */
#ifndef SLUICE_CHANNEL_WECHAT_SIGN_H
#define SLUICE_CHANNEL_WECHAT_SIGN_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/aes_gcm.h"
#include "crypto/rsa.h"

#define WECHAT_SEAL_NONCE_BYTES 12

/* What it says. What is NULL is left out. */
struct wechat_notice {
    const char *id;
    const char *type;          /* "TRANSACTION.SUCCESS", "REFUND.SUCCESS", ... */
    const char *mchid, *appid; /* appid: of payments */
    const char *payment_id;    /* out_trade_no */
    const char *txn_id;        /* transaction_id */
    const char *refund_id;     /* out_refund_no, of refunds */
    int64_t amount;            /* minor units: of the payment, or of this refund */
    int64_t total;             /* of refunds: what was paid */
    const char *currency;
    int64_t at_s; /* when it happened, seconds since 1970 */
};

/* Appends the resource as it is before it is encrypted. */
void wechat_notice_json(const struct wechat_notice *notice, struct buf *out);

/* text encrypted: appends {"algorithm", "ciphertext", "associated_data", "nonce"}. nonce: WECHAT_SEAL_NONCE_BYTES
 * characters; NULL = new ones. extra: more members, ", \"original_type\": ..."; may be "". */
void wechat_seal_json(const unsigned char *apiv3_key, const char *aad, const char *nonce, const char *extra,
                      const void *text, size_t n, struct buf *out);

/* Appends the body of a call. */
void wechat_notice_body(const struct wechat_notice *notice, const unsigned char *apiv3_key, struct buf *out);

/*
 * Appends the four headers and the type of signature, each `Name: value` with LF, for these bytes; serial names the
 * key. nonce NULL = a new one. RC_FATAL: libcrypto refuses.
 */
enum rc wechat_sign_headers(const struct rsa_key *key, const char *serial, int64_t at_s, const char *nonce,
                            const void *body, size_t n, struct buf *out, struct err *err) MUST_USE;

#endif
