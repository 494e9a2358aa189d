/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 section 4), strict: padded, no line breaks, unused bits zero, so that each value has one spelling.
 */
#ifndef SLUICE_CRYPTO_BASE64_H
#define SLUICE_CRYPTO_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters without the NUL that n bytes become. */
#define BASE64_LENGTH(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LENGTH(n) characters and a NUL to out. */
void base64_encode(const void *bytes, size_t n, char *out);

/* Decodes text_n characters into out (room for out_size bytes). False: not base64, or more than out_size bytes. */
bool base64_decode(const char *text, size_t text_n, void *out, size_t out_size, size_t *out_n);

/* The same for base64url without padding (RFC 4648 section 5), as JWS writes it. */
#define BASE64URL_LENGTH(n) (((n)*4 + 2) / 3)

/* Room for BASE64_LENGTH(n) characters and a NUL: it is made out of the other. */
void base64url_encode(const void *bytes, size_t n, char *out);
bool base64url_decode(const char *text, size_t text_n, void *out, size_t out_size, size_t *out_n);

#endif
