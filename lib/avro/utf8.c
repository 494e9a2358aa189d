/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 validation, eight bytes at a time while the text is ASCII. */
#include "avro/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define LOW_ONES UINT64_C(0x0101010101010101)

/* True when none of the eight bytes at p is NUL or above 0x7f. */
static bool plain_word(const unsigned char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return ((w | (w - LOW_ONES)) & HIGH_BITS) == 0;
}

static bool continues(unsigned char c)
{
    return (c & 0xC0U) == 0x80U;
}

/* Length of the sequence that starts with a byte above 0x7f; 0 = invalid. */
static size_t sequence_bytes(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];
    if (c >= 0xC2 && c <= 0xDF) {
        return left >= 2 && continues(p[1]) ? 2 : 0;
    }
    if (c >= 0xE0 && c <= 0xEF) {
        bool tail = left >= 3 && continues(p[1]) && continues(p[2]);
        bool overlong = tail && c == 0xE0 && p[1] < 0xA0;
        bool surrogate = tail && c == 0xED && p[1] > 0x9F;
        return tail && !overlong && !surrogate ? 3 : 0;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        bool tail = left >= 4 && continues(p[1]) && continues(p[2]) && continues(p[3]);
        bool overlong = tail && c == 0xF0 && p[1] < 0x90;
        bool beyond = tail && c == 0xF4 && p[1] > 0x8F;
        return tail && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

static void note(size_t *out_at, size_t at)
{
    if (out_at != NULL) {
        *out_at = at;
    }
}

enum utf8_verdict utf8_check(const char *s, size_t n, size_t *out_at)
{
    const unsigned char *p = (const unsigned char *)s;
    enum utf8_verdict verdict = UTF8_TEXT;
    size_t i = 0;
    while (i < n) {
        if (n - i >= sizeof(uint64_t) && plain_word(p + i)) {
            i += sizeof(uint64_t);
            continue;
        }
        if (p[i] == 0 && verdict == UTF8_TEXT) {
            verdict = UTF8_WITH_NUL;
            note(out_at, i);
        }
        size_t step = p[i] < 0x80 ? 1 : sequence_bytes(p + i, n - i);
        if (step == 0) {
            note(out_at, i);
            return UTF8_INVALID;
        }
        i += step;
    }
    return verdict;
}
