/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of what is in memory. Aborts where there is no memory, or libcrypto has no SHA-256. Thread: any. */
#ifndef SLUICE_CRYPTO_SHA256_H
#define SLUICE_CRYPTO_SHA256_H

#include <stddef.h>

#define SHA256_BYTES 32
#define SHA256_HEX_BYTES (2 * SHA256_BYTES + 1) /* with its NUL */

struct sha256_part {
    const void *bytes;
    size_t n;
};

void sha256_of(const void *bytes, size_t n, unsigned char out[SHA256_BYTES]);
/* Of all parts, one behind the other. out may be a part. */
void sha256_of_parts(const struct sha256_part *parts, size_t n, unsigned char out[SHA256_BYTES]);

/* 2 * n hexadecimal digits in lower case and a NUL. */
void sha256_hex(const unsigned char *bytes, size_t n, char *out);

#endif
