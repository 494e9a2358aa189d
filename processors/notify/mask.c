/* SPDX-License-Identifier: Apache-2.0 */
/* Goes through a text from left to right; finds telephone numbers. */
#include "notify/mask.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "notify/mask_internal.h"

#define STARS "****"
#define PHONE_DIGITS_MIN 7
#define NUMBER_DIGITS_MAX 64 /* of a number that is looked at as a whole */
#define FULL_WIDTH 3         /* bytes of a full-width digit */
#define SEPARATORS_MAX 3

/* ---- What a text is made of ---- */

bool mask_starts(struct text t, size_t i, const char *word)
{
    size_t n = strlen(word);

    return i + n <= t.n && strncasecmp(t.s + i, word, n) == 0;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool starts_any(struct text t, size_t i, const char *const *words, size_t n, size_t *out_len)
{
    for (size_t k = 0; k < n; k++) {
        if (mask_starts(t, i, words[k])) {
            *out_len = strlen(words[k]);
            return true;
        }
    }
    return false;
}

size_t mask_blank_at(struct text t, size_t i)
{
    static const char *const unseen[] = {"\xc2\xad", "\xe2\x81\xa0"};
    size_t len = i < t.n ? utf8_blank(t.s + i, t.n - i) : 0;

    if (i >= t.n || len > 0) {
        return len;
    }
    if (is_control(t.s[i]) || utf8_sequence(t.s + i, t.n - i) == 0) {
        return 1;
    }
    if (mask_starts(t, i, "\xe2\x80") && (unsigned char)t.s[i + 2] >= 0x8b && (unsigned char)t.s[i + 2] <= 0x8f) {
        return 3; /* U+200B to U+200F */
    }
    return starts_any(t, i, unseen, ARRAY_SIZE(unseen), &len) ? len : 0;
}

void mask_add(const char *s, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n;) {
        size_t k = utf8_sequence(s + i, n - i);
        if (k == 0 || is_control(s[i])) {
            buf_putc(out, ' ');
            k = 1;
        } else {
            buf_add(out, s + i, k);
        }
        i += k;
    }
}

/* The digit at i, ASCII or full-width; -1: there is none. *out_len: its bytes. */
static int digit_at(struct text t, size_t i, size_t *out_len)
{
    if (i < t.n && t.s[i] >= '0' && t.s[i] <= '9') {
        *out_len = 1;
        return t.s[i] - '0';
    }
    if (i + FULL_WIDTH <= t.n && memcmp(t.s + i, "\xef\xbc", 2) == 0) {
        unsigned char last = (unsigned char)t.s[i + 2];
        if (last >= 0x90 && last <= 0x99) {
            *out_len = FULL_WIDTH;
            return last - 0x90;
        }
    }
    return -1;
}

/* ---- Numbers ---- */

struct number {
    char digits[NUMBER_DIGITS_MAX + 1];
    size_t n;          /* digits, also those that have no room */
    size_t groups;     /* that separators make */
    size_t lengths[8]; /* of the first groups */
    size_t end;        /* behind it in the text */
};

/* Bytes of one sign between groups of digits; 0: none. */
static size_t separator_at(struct text t, size_t i)
{
    static const char *const signs[] = {"-", "(", ")", "－", "‐", "‑", "‒", "–", "—", "−", "（", "）", "·"};
    size_t len = mask_blank_at(t, i);

    return len > 0 || starts_any(t, i, signs, ARRAY_SIZE(signs), &len) ? len : 0;
}

/* Bytes of what stands between two groups, at most three signs, or a dot alone: "(021) 5555-1234", "138.1234.5678". 0:
 * nothing, or no digit follows. */
static size_t gap_at(struct text t, size_t i)
{
    size_t start = i;
    size_t len = 0;

    if (mask_starts(t, i, ".")) {
        return digit_at(t, i + 1, &len) >= 0 ? 1 : 0;
    }
    for (int k = 0; k < SEPARATORS_MAX; k++) {
        i += separator_at(t, i);
    }
    return digit_at(t, i, &len) >= 0 ? i - start : 0;
}

/* Digits in groups. */
static void number_at(struct text t, size_t i, struct number *out)
{
    size_t len = 0;

    *out = (struct number){.groups = 1, .end = i};
    for (;;) {
        int d = digit_at(t, i, &len);
        if (d < 0) {
            len = gap_at(t, i);
            if (len == 0) {
                return;
            }
            i += len;
            out->groups++;
            continue;
        }
        if (out->n < NUMBER_DIGITS_MAX) {
            out->digits[out->n] = (char)('0' + d);
        }
        out->n++;
        if (out->groups <= ARRAY_SIZE(out->lengths)) {
            out->lengths[out->groups - 1]++;
        }
        i += len;
        out->end = i;
    }
}

static int two(const char *s)
{
    return (s[0] - '0') * 10 + (s[1] - '0');
}

/* 20260310, or the beginning of 2026-03-10 12:30. */
static bool is_date(const struct number *x)
{
    bool whole = x->groups == 1 && (x->n == 8 || x->n == 12 || x->n == 14);
    bool parts = x->groups >= 3 && x->lengths[0] == 4 && x->lengths[1] == 2 && x->lengths[2] == 2;

    return (whole || parts) && (two(x->digits) == 19 || two(x->digits) == 20) && two(x->digits + 4) >= 1 &&
           two(x->digits + 4) <= 12 && two(x->digits + 6) >= 1 && two(x->digits + 6) <= 31;
}

/* Where the parcel's own number stands it stays, also within a longer word, but not within a longer number. A short one
 * needs no keeping, and must not take a telephone number apart. */
static size_t kept_at(struct text t, size_t i, const char *keep)
{
    size_t n = keep != NULL ? strlen(keep) : 0;
    size_t len = 0;

    if (n < PHONE_DIGITS_MIN || !mask_starts(t, i, keep)) {
        return 0;
    }
    bool ends_in_digit = keep[n - 1] >= '0' && keep[n - 1] <= '9';
    return ends_in_digit && digit_at(t, i + n, &len) >= 0 ? 0 : n;
}

/* The number at i is masked, or is none that a person has: then it is taken over. Returns what is behind it. */
static size_t take_number(struct text t, size_t i, struct buf *out)
{
    struct number x;

    number_at(t, i, &x);
    /* A date ends before the time behind it: only its own digits are taken, the rest is looked at anew. */
    if (x.n >= 8 && x.n <= NUMBER_DIGITS_MAX && is_date(&x)) {
        size_t end = i;
        size_t len = 0;
        for (size_t digits = 0; digits < 8; end += len) {
            if (digit_at(t, end, &len) >= 0) {
                digits++;
            } else {
                len = 1;
            }
        }
        end = x.groups == 1 ? x.end : end;
        mask_add(t.s + i, end - i, out);
        return end;
    }
    if (x.n < PHONE_DIGITS_MIN) {
        mask_add(t.s + i, x.end - i, out);
        return x.end;
    }
    buf_add(out, x.digits, 3);
    buf_puts(out, STARS);
    if (x.n >= 11 && x.n <= NUMBER_DIGITS_MAX) {
        buf_add(out, x.digits + x.n - 4, 4);
    }
    return x.end;
}

/* ---- All of it ---- */

static size_t take_other(struct text t, size_t i, struct buf *out)
{
    size_t n = utf8_sequence(t.s + i, t.n - i);

    n = n == 0 ? 1 : n;
    mask_add(t.s + i, n, out);
    return i + n;
}

void notify_mask(const char *text, size_t n, const char *keep, struct buf *out)
{
    const struct text t = {text, n};
    size_t len = 0;

    for (size_t i = 0; i < n;) {
        size_t kept = kept_at(t, i, keep);
        if (kept > 0) {
            buf_add(out, text + i, kept);
            i += kept;
        } else if (digit_at(t, i, &len) >= 0) {
            i = take_number(t, i, out);
        } else {
            size_t behind = mask_name(t, i, out);
            i = behind > i ? behind : take_other(t, i, out);
        }
    }
}
