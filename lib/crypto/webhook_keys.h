/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a key set; only for the files of webhook.h. */
#ifndef SLUICE_CRYPTO_WEBHOOK_KEYS_H
#define SLUICE_CRYPTO_WEBHOOK_KEYS_H

#include <openssl/evp.h>

#include "crypto/webhook.h"

#define HMAC_BYTES 32
#define ED25519_KEY_BYTES 32
#define ED25519_BYTES 64

/* Exactly one of mac and pkey is set. */
struct webhook_key {
    EVP_MAC_CTX *mac; /* HMAC-SHA256, the key already in it; copied for each message, never used itself */
    EVP_PKEY *pkey;   /* Ed25519 */
    bool can_sign;
};

struct webhook_keys {
    struct webhook_key keys[WEBHOOK_KEYS_MAX];
    size_t n;
    struct {
        char *data;
        size_t cap;
    } scratch; /* id.timestamp.body for Ed25519, which needs it in one piece */
};

#endif
