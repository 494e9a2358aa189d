/* SPDX-License-Identifier: Apache-2.0 */
/* Two hashes, as RFC 2104 has it. */
#include "crypto/hmac.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

#define BLOCK_BYTES 64

void hmac_sha256(const void *key, size_t key_n, const struct sha256_part *parts, size_t n,
                 unsigned char out[SHA256_BYTES])
{
    unsigned char block[BLOCK_BYTES] = {0};
    unsigned char pad[BLOCK_BYTES];
    struct sha256_part all[HMAC_PARTS_MAX + 1] = {{.bytes = pad, .n = sizeof pad}};

    assert(n <= HMAC_PARTS_MAX);
    if (key_n > sizeof block) {
        sha256_of(key, key_n, block);
    } else if (key_n > 0) {
        memcpy(block, key, key_n);
    }
    for (size_t i = 0; i < sizeof block; i++) {
        pad[i] = block[i] ^ 0x36;
    }
    for (size_t i = 0; i < n; i++) {
        all[i + 1] = parts[i];
    }
    sha256_of_parts(all, n + 1, out);
    for (size_t i = 0; i < sizeof block; i++) {
        pad[i] = block[i] ^ 0x5c;
    }
    const struct sha256_part outer[] = {{.bytes = pad, .n = sizeof pad}, {.bytes = out, .n = SHA256_BYTES}};
    sha256_of_parts(outer, 2, out);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(pad, sizeof pad);
}
