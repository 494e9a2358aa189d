/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MD5, for no other reason than that carriers sign so: nothing of our own rests on it. What follows from a good MD5 is
 * bounded by an allow-list, by bodies that count once, and by what a carrier may say at all. Thread: any.
 */
#ifndef SLUICE_CRYPTO_MD5_H
#define SLUICE_CRYPTO_MD5_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/sha256.h"

#define MD5_BYTES 16
#define MD5_HEX_BYTES (2 * MD5_BYTES + 1) /* with its NUL; sha256_hex() writes it */

/* Of all parts, one behind the other. False: this machine's libcrypto has no MD5 (FIPS). */
bool md5_of_parts(const struct sha256_part *parts, size_t n, unsigned char out[MD5_BYTES]);

#endif
