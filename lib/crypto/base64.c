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

void base64url_encode(const void *bytes, size_t n, char *out)
{
    base64_encode(bytes, n, out);
    out[BASE64URL_LENGTH(n)] = '\0';
    for (; *out != '\0'; out++) {
        *out = *out == '+' ? '-' : *out == '/' ? '_' : *out;
    }
}

/* 0..63, or -1 when it is no character of the alphabet, whose last two are given. */
static int value_of(char c, const char last[2])
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
    if (c == last[0]) {
        return 62;
    }
    return c == last[1] ? 63 : -1;
}

/* text_n without padding. */
static bool decode(const char *text, size_t text_n, const char last[2], void *out, size_t out_size, size_t *out_n)
{
    size_t n = text_n / 4 * 3 + text_n % 4 * 3 / 4;
    if (text_n % 4 == 1 || n > out_size) {
        return false;
    }
    unsigned char *to = out;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text_n; i++) {
        int v = value_of(text[i], last);
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

bool base64_decode(const char *text, size_t text_n, void *out, size_t out_size, size_t *out_n)
{
    if (text_n % 4 != 0) {
        return false;
    }
    size_t padding = 0;
    while (padding < 2 && padding < text_n && text[text_n - 1 - padding] == '=') {
        padding++;
    }
    return decode(text, text_n - padding, "+/", out, out_size, out_n);
}

bool base64url_decode(const char *text, size_t text_n, void *out, size_t out_size, size_t *out_n)
{
    return decode(text, text_n, "-_", out, out_size, out_n);
}
