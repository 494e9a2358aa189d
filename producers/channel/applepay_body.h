/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A payment token as it is handed in, in one of three forms:
 *
 *     {"version": ..., "data": ..., "signature": ..., "header": {...}}     paymentData alone
 *     {"paymentData": {...}, ...}                                           the token as devices give it
 *     {"token": one of these, "payment_id": ..., "amount": 1200, "currency": "CNY"}   with the order to compare it with
 */
#ifndef SLUICE_CHANNEL_APPLEPAY_BODY_H
#define SLUICE_CHANNEL_APPLEPAY_BODY_H

#include "channel/applepay_key.h"
#include "channel/channel.h"

#define APPLEPAY_ID_BYTES_MAX 32
#define APPLEPAY_DATA_HASH_BYTES 32 /* applicationData: a SHA-256 */

/* Everything lives in the arena. */
struct applepay_token {
    bool rsa;               /* RSA_v1, otherwise EC_v1 */
    struct sha256_part key; /* ephemeralPublicKey or wrappedKey */
    struct sha256_part data, signature;
    unsigned char key_hash[SHA256_BYTES];
    const char *transaction_id;               /* hexadecimal in lower case */
    unsigned char id[APPLEPAY_HEX_BYTES_MAX]; /* the same as bytes */
    size_t id_n;
    unsigned char data_hash[APPLEPAY_HEX_BYTES_MAX]; /* applicationData */
    size_t data_hash_n;                              /* 0 = there is none */
    /* The order */
    const char *payment_id; /* NULL = not given */
    bool has_amount;        /* amount and currency are given */
    int64_t amount;
    const char *currency;
};

/* BODY_MALFORMED, or ALG_UNSUPPORTED: another version; with_rsa: RSA_v1 is one of them. */
enum channel_reason applepay_read_body(const struct capture *c, bool with_rsa, struct arena *arena,
                                       struct applepay_token *out, struct verdict *v);

#endif
