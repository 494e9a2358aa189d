/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in both directions; OpenSSL's decoder skips blanks and is too generous for keys and signatures. */
#include "crypto/base64.h"

#include <stdint.h>
#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t n, char *out)
{
    const unsigned char *in = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)in[i] << 16;
        v |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)in[i + 2] : 0;
        *out++ = ALPHABET[v >> 18];
        *out++ = ALPHABET[v >> 12 & 63];
        *out++ = left > 1 ? ALPHABET[v >> 6 & 63] : '=';
        *out++ = left > 2 ? ALPHABET[v & 63] : '=';
    }
    *out = '\0';
}

/* 0..63, or -1 when it is no character of the alphabet. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

bool base64_decode(const char *text, size_t text_n, void *out, size_t out_size, size_t *out_n)
{
    if (text_n % 4 != 0) {
        return false;
    }
    size_t padding = 0;
    while (padding < 2 && padding < text_n && text[text_n - 1 - padding] == '=') {
        padding++;
    }
    size_t n = text_n / 4 * 3 - padding;
    if (n > out_size) {
        return false;
    }
    unsigned char *to = out;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text_n - padding; i++) {
        int v = value_of(text[i]);
        if (v < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (unsigned char)(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    *out_n = n;
    return bits == 0; /* what is left over must be nothing */
}
