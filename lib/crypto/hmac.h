/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA256 (RFC 2104) of what is in memory. Thread: any. */
#ifndef SLUICE_CRYPTO_HMAC_H
#define SLUICE_CRYPTO_HMAC_H

#include "crypto/sha256.h"

#define HMAC_PARTS_MAX 8

/* Of all parts, one behind the other; at most HMAC_PARTS_MAX (asserted). */
void hmac_sha256(const void *key, size_t key_n, const struct sha256_part *parts, size_t n,
                 unsigned char out[SHA256_BYTES]);

#endif
