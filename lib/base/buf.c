/* SPDX-License-Identifier: Apache-2.0 */
/* The growing byte buffer with a ceiling, and JSON strings in it. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_CAPACITY 64

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}

/* Makes room for n more bytes and the NUL behind them. */
static bool reserve(struct buf *b, size_t n)
{
    if (b->overflow || n > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap < FIRST_CAPACITY ? FIRST_CAPACITY : b->cap;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    b->data = xrealloc(b->data, cap);
    b->cap = cap;
    return true;
}

bool buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n)) {
        return false;
    }
    if (n > 0) {
        memcpy(b->data + b->len, bytes, n);
        b->len += n;
    }
    b->data[b->len] = '\0';
    return true;
}

bool buf_puts(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

bool buf_putc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    bool ok = n >= 0 && reserve(b, (size_t)n);
    if (ok) {
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return ok;
}

static bool is_continuation(const unsigned char *s)
{
    return (*s & 0xc0) == 0x80;
}

size_t utf8_sequence(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    if (n == 0) {
        return 0;
    }
    if (u[0] < 0x80) {
        return 1;
    }
    if (u[0] >= 0xc2 && u[0] <= 0xdf) {
        return n >= 2 && is_continuation(u + 1) ? 2 : 0;
    }
    if (u[0] >= 0xe0 && u[0] <= 0xef) {
        if (n < 3 || !is_continuation(u + 1) || !is_continuation(u + 2)) {
            return 0;
        }
        bool overlong = u[0] == 0xe0 && u[1] < 0xa0;
        bool surrogate = u[0] == 0xed && u[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (u[0] >= 0xf0 && u[0] <= 0xf4) {
        if (n < 4 || !is_continuation(u + 1) || !is_continuation(u + 2) || !is_continuation(u + 3)) {
            return 0;
        }
        bool overlong = u[0] == 0xf0 && u[1] < 0x90;
        bool beyond_unicode = u[0] == 0xf4 && u[1] > 0x8f;
        return overlong || beyond_unicode ? 0 : 4;
    }
    return 0;
}

size_t utf8_blank(const char *s, size_t n)
{
    static const char *const wide[] = {"\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                       "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf"};

    if (n >= 1 && (s[0] == ' ' || (s[0] >= '\t' && s[0] <= '\r'))) {
        return 1;
    }
    if (n >= 3 && memcmp(s, "\xe2\x80", 2) == 0 && (unsigned char)s[2] >= 0x80 && (unsigned char)s[2] <= 0x8a) {
        return 3; /* U+2000 to U+200A */
    }
    for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
        size_t len = strlen(wide[i]);
        if (n >= len && memcmp(s, wide[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

bool utf8_is_blank(const char *s, size_t n)
{
    for (size_t k = utf8_blank(s, n); k > 0; k = utf8_blank(s, n)) {
        s += k;
        n -= k;
    }
    return n == 0;
}

static bool add_json_ascii(struct buf *b, char c)
{
    switch (c) {
    case '"':
        return buf_puts(b, "\\\"");
    case '\\':
        return buf_puts(b, "\\\\");
    case '\n':
        return buf_puts(b, "\\n");
    case '\r':
        return buf_puts(b, "\\r");
    case '\t':
        return buf_puts(b, "\\t");
    default:
        if ((unsigned char)c < 0x20 || c == 0x7f) {
            return buf_printf(b, "\\u%04x", (unsigned)c);
        }
        return buf_putc(b, c);
    }
}

static bool add_json_body(struct buf *b, const char *s, size_t n)
{
    size_t at = 0;
    while (at < n) {
        size_t seq = utf8_sequence(s + at, n - at);
        bool ok = false;
        if (seq == 0) {
            ok = buf_puts(b, "\xef\xbf\xbd");
            seq = 1;
        } else if (seq == 1) {
            ok = add_json_ascii(b, s[at]);
        } else {
            ok = buf_add(b, s + at, seq);
        }
        if (!ok) {
            return false;
        }
        at += seq;
    }
    return true;
}

bool buf_json_string(struct buf *b, const char *s, size_t n)
{
    size_t start = b->len;
    if (buf_putc(b, '"') && add_json_body(b, s, n) && buf_putc(b, '"')) {
        return true;
    }
    b->len = start; /* all or nothing, as every append */
    if (b->data != NULL) {
        b->data[start] = '\0';
    }
    return false;
}

const char *buf_str(const struct buf *b)
{
    return b->data == NULL ? "" : b->data;
}

char *buf_take(struct buf *b)
{
    char *text = b->data == NULL ? xstrdup("") : b->data;
    *b = (struct buf){.max = b->max};
    return text;
}
