/* SPDX-License-Identifier: Apache-2.0 */
/* Apple Pay payment tokens as a device makes them, signed by a CA of one's own. Thread: any. */
#ifndef SLUICE_CHANNEL_APPLEPAY_SIGN_H
#define SLUICE_CHANNEL_APPLEPAY_SIGN_H

#include "channel/ca.h"

/* What it says. */
struct applepay_payment {
    const char *transaction_id;   /* hexadecimal, of the token */
    const char *application_data; /* hexadecimal hash; NULL = none */
    const char *dpan, *expires;   /* "4817499130000001", "311231" */
    const char *currency;         /* numeric, "156" */
    int64_t amount;               /* minor units */
    const char *plain;            /* the JSON to be encrypted, instead of what stands above; NULL = made of it */
    bool rsa;                     /* RSA_v1: the merchant's key is RSA */
};

/* A token without its signature. */
struct applepay_sealed {
    bool rsa;
    const char *transaction_id, *application_data;
    unsigned char key_hash[32]; /* of the merchant's key */
    struct buf key;             /* ephemeral public key, or wrapped key */
    struct buf data;            /* what is encrypted */
    struct buf content;         /* what is to be signed */
};

/* Encrypts for the merchant, whose certificate has his hash in it. ephemeral: NULL = a new one. */
enum rc applepay_seal(const struct applepay_payment *payment, X509 *merchant, EVP_PKEY *ephemeral,
                      struct applepay_sealed *out, struct err *err) MUST_USE;
void applepay_sealed_done(struct applepay_sealed *sealed);
/* Appends paymentData with this signature, which is CMS. */
void applepay_token_json(const struct applepay_sealed *sealed, const void *cms, size_t n, struct buf *out);

/* How the CMS is made; all other members but the chain are for misuse. */
struct applepay_signature {
    const struct ca_chain *chain;
    int64_t signed_at_s;
    const struct ca_chain *second; /* signs too */
    X509 *third;                   /* one more certificate */
    const char *digest;            /* NULL = SHA-256 */
    bool embed;                    /* the content travels along */
    bool definite;                 /* DER instead of indefinite lengths */
};
/* Appends the CMS over the content. */
enum rc applepay_sign_content(const struct applepay_signature *how, const struct buf *content, struct buf *out,
                              struct err *err) MUST_USE;

/* All of it: appends paymentData. */
enum rc applepay_sign(const struct ca_chain *chain, X509 *merchant, const struct applepay_payment *payment,
                      int64_t signed_at_s, struct buf *out, struct err *err) MUST_USE;

#endif
