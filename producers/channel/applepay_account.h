/* SPDX-License-Identifier: Apache-2.0 */
/* A merchant at Apple Pay: what account->own is for CHANNEL_APPLEPAY. Constant but for the chains it remembers. */
#ifndef SLUICE_CHANNEL_APPLEPAY_ACCOUNT_H
#define SLUICE_CHANNEL_APPLEPAY_ACCOUNT_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/chain.h"
#include "crypto/sha256.h"

#define APPLEPAY_WINDOW_S 300

/* A key that tokens are encrypted for, and its certificate. */
struct applepay_processing {
    EVP_PKEY *key; /* NULL = there is none */
    unsigned char key_hash[SHA256_BYTES];
    int64_t until_s; /* when the certificate is no longer valid */
};

struct applepay_account {
    struct applepay_processing ec, rsa;        /* EC_v1; RSA_v1 */
    unsigned char merchant_hash[SHA256_BYTES]; /* of the merchant's id */
    char merchant[SHA256_HEX_BYTES];           /* the same in hexadecimal */
    int64_t window_s;                          /* between signingTime and the clock; the limit itself is accepted */
    struct chain_trust *trust;
};

#endif
