/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of carriers: MD5 over the content and the salt behind it, written in three ways.
 *
 *     kuaidi100 hexadecimal, in capitals
 *     kdniao    base64 of the hexadecimal digits; other pages of theirs have base64 of the sixteen bytes
 *     cainiao   base64 of the sixteen bytes
 *
 * Hexadecimal digits count in either case. A blank in base64 is a plus that the sender did not encode.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "carrier/carrier.h"
#include "crypto/base64.h"
#include "crypto/md5.h"

#define HEX_N (2 * MD5_BYTES)

static bool digest(const char *content, size_t n, const char *salt, size_t salt_n, unsigned char out[MD5_BYTES])
{
    const struct sha256_part parts[] = {{content, n}, {salt, salt_n}};
    return md5_of_parts(parts, 2, out);
}

static bool same_hex(const unsigned char md5[MD5_BYTES], const char *text, size_t n)
{
    char wanted[MD5_HEX_BYTES];
    char given[HEX_N];
    if (n != HEX_N) {
        return false;
    }
    sha256_hex(md5, MD5_BYTES, wanted);
    for (size_t i = 0; i < HEX_N; i++) {
        given[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] | 0x20 : text[i]);
    }
    return CRYPTO_memcmp(wanted, given, HEX_N) == 0;
}

/* Decodes at most 32 bytes; false: it is no base64, or more. */
static bool decode(const char *text, unsigned char out[HEX_N], size_t *out_n)
{
    char copy[CARRIER_SIGNATURE_MAX];
    size_t n = strlen(text);
    if (n >= sizeof copy) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        copy[i] = (char)(text[i] == ' ' ? '+' : text[i]);
    }
    return base64_decode(copy, n, out, HEX_N, out_n);
}

bool carrier_signed(enum carrier_form form, const char *content, size_t n, const char *salt, size_t salt_n,
                    const char *signature)
{
    unsigned char md5[MD5_BYTES];
    unsigned char given[HEX_N];
    size_t given_n = 0;
    if (carrier_facts(form)->signature == NULL || !digest(content, n, salt, salt_n, md5)) {
        return false;
    }
    if (form == CARRIER_KUAIDI100) {
        return same_hex(md5, signature, strlen(signature));
    }
    if (!decode(signature, given, &given_n)) {
        return false;
    }
    if (given_n == MD5_BYTES) {
        return CRYPTO_memcmp(md5, given, MD5_BYTES) == 0;
    }
    return form == CARRIER_KDNIAO && same_hex(md5, (const char *)given, given_n);
}

bool carrier_sign(enum carrier_form form, const char *content, size_t n, const char *salt, size_t salt_n,
                  char out[CARRIER_SIGNATURE_MAX])
{
    unsigned char md5[MD5_BYTES];
    char hex[MD5_HEX_BYTES];
    if (carrier_facts(form)->signature == NULL || !digest(content, n, salt, salt_n, md5)) {
        return false;
    }
    sha256_hex(md5, MD5_BYTES, hex);
    if (form == CARRIER_CAINIAO) {
        base64_encode(md5, MD5_BYTES, out);
    } else if (form == CARRIER_KDNIAO) {
        base64_encode(hex, HEX_N, out);
    } else {
        for (size_t i = 0; i <= HEX_N; i++) {
            out[i] = (char)(hex[i] >= 'a' && hex[i] <= 'f' ? hex[i] & ~0x20 : hex[i]);
        }
    }
    return true;
}
