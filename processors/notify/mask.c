/* SPDX-License-Identifier: Apache-2.0 */
/* Finds telephone numbers and names in a text, from left to right. */
#include "notify/mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define STARS "****"
#define NAME_STARS "**"
#define PHONE_DIGITS_MIN 7
#define NUMBER_DIGITS_MAX 64 /* of a number that is looked at as a whole */
#define FULL_WIDTH 3         /* bytes of a full-width digit */

struct text {
    const char *s;
    size_t n;
};

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

static bool is_separator(char c)
{
    return c == '-' || c == ' ' || c == '(' || c == ')';
}

/* Digits in groups, with at most two separators between them: "(021) 5555-1234". */
static void number_at(struct text t, size_t i, struct number *out)
{
    size_t len = 0;

    *out = (struct number){.groups = 1, .end = i};
    for (;;) {
        int d = digit_at(t, i, &len);
        if (d >= 0) {
            if (out->n < NUMBER_DIGITS_MAX) {
                out->digits[out->n] = (char)('0' + d);
            }
            out->n++;
            if (out->groups <= ARRAY_SIZE(out->lengths)) {
                out->lengths[out->groups - 1]++;
            }
            i += len;
            out->end = i;
            continue;
        }
        size_t gap = 0;
        while (gap < 2 && i + gap < t.n && is_separator(t.s[i + gap])) {
            gap++;
        }
        if (gap == 0 || digit_at(t, i + gap, &len) < 0) {
            return;
        }
        i += gap;
        out->groups++;
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

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) != 0;
}

/* Where the parcel's own number stands it stays, also within a longer word. */
static size_t kept_at(struct text t, size_t i, const char *keep)
{
    size_t n = keep != NULL ? strlen(keep) : 0;

    return n > 0 && i + n <= t.n && strncasecmp(t.s + i, keep, n) == 0 ? n : 0;
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
        buf_add(out, t.s + i, end - i);
        return end;
    }
    if (x.n < PHONE_DIGITS_MIN) {
        buf_add(out, t.s + i, x.end - i);
        return x.end;
    }
    buf_add(out, x.digits, 3);
    buf_puts(out, STARS);
    if (x.n >= 11 && x.n <= NUMBER_DIGITS_MAX) {
        buf_add(out, x.digits + x.n - 4, 4);
    }
    return x.end;
}

/* ---- Names ---- */

/* Longer ones before those they begin with. */
static const char *const BEFORE_NAMES[] = {
    "快递小哥",    "快递员",       "派件员",       "派送员",         "配送员",       "揽件员",    "揽收员",
    "收件员",      "投递员",       "业务员",       "取件员",         "小件员",       "快递哥",    "骑手",
    "收件人",      "收货人",       "签收人",       "寄件人",         "发件人",       "联系人",    "经手人",
    "代收人",      "负责人",       "courier",      "deliveryman",    "delivery man", "driver",    "postman",
    "rider",       "recipient",    "consignee",    "receiver",       "sender",       "signed by", "signed for by",
    "received by", "collected by", "delivered by", "contact person", "contact",
};
/* What no name begins with, or goes on with. */
static const char *const NO_NAME[] = {
    "正在", "已经", "已签", "已取", "已收", "已派", "已揽", "电话", "手机", "联系", "为您", "将为",
    "将于", "将在", "派送", "派件", "送达", "配送", "取件", "揽收", "签收", "收件", "送件", "投递",
    "代收", "号码", "会在", "给您", "尽快", "马上", "即将", "预计", "今日", "今天", "明日", "明天",
    "开始", "准备", "上门", "已在", "前往", "送货", "取走", "电联", "请您", "拒收", "确认", "姓名",
    "不在", "要求", "地址", "信息", "已将", "提醒", "通知", "您的", "服务",
};
/* Single characters that begin no name. */
static const char *const NO_FIRST[] = {"正", "已", "在", "的", "为", "将", "会", "给", "是", "与", "和",
                                       "把", "被", "无", "未", "或", "及", "可", "请", "到", "从"};

#define NAME_CHARACTERS_MAX 3

static bool starts(struct text t, size_t i, const char *word)
{
    size_t n = strlen(word);

    return i + n <= t.n && strncasecmp(t.s + i, word, n) == 0;
}

static bool starts_any(struct text t, size_t i, const char *const *words, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (starts(t, i, words[k])) {
            return true;
        }
    }
    return false;
}

/* Bytes of the word at i behind which a name may stand; 0: none. */
static size_t before_name(struct text t, size_t i)
{
    for (size_t k = 0; k < ARRAY_SIZE(BEFORE_NAMES); k++) {
        size_t n = strlen(BEFORE_NAMES[k]);
        if (!starts(t, i, BEFORE_NAMES[k])) {
            continue;
        }
        bool latin = is_letter(BEFORE_NAMES[k][0]);
        if (latin && ((i > 0 && is_letter(t.s[i - 1])) || (i + n < t.n && is_letter(t.s[i + n])))) {
            continue;
        }
        return n;
    }
    return 0;
}

/* What may stand between the word and the name. */
static size_t between(struct text t, size_t i)
{
    static const char *const signs[] = {" ",  "\t",   ":",    ",",   "-",   "(",    "[",  "<", "\"",
                                        "'",  "：",   "，",   "（",  "【",  "「",   "《", "“", "、",
                                        "　", "姓名", "name", "is ", "mr.", "mrs.", "ms."};
    size_t start = i;

    for (bool more = true; more;) {
        more = false;
        for (size_t k = 0; !more && k < ARRAY_SIZE(signs); k++) {
            if (starts(t, i, signs[k])) {
                i += strlen(signs[k]);
                more = true;
            }
        }
    }
    return i - start;
}

/* A Chinese character: U+3400 to U+9FFF, and the dot within foreign names. */
static bool han_at(struct text t, size_t i)
{
    if (i + 3 > t.n) {
        return false;
    }
    unsigned char a = (unsigned char)t.s[i];
    unsigned char b = (unsigned char)t.s[i + 1];
    return (a == 0xe3 && b >= 0x90) || (a >= 0xe4 && a <= 0xe9);
}

static size_t han_name(struct text t, size_t i)
{
    size_t start = i;

    if (starts_any(t, i, NO_FIRST, ARRAY_SIZE(NO_FIRST))) {
        return 0;
    }
    for (int k = 0; k < NAME_CHARACTERS_MAX && han_at(t, i) && !starts_any(t, i, NO_NAME, ARRAY_SIZE(NO_NAME)); k++) {
        i += 3;
    }
    return i - start;
}

/* A letter of a European name, in bytes; 0: none. */
static size_t latin_letter(struct text t, size_t i)
{
    if (i >= t.n) {
        return 0;
    }
    unsigned char c = (unsigned char)t.s[i];
    if (is_letter(t.s[i]) || c == '\'' || c == '-') {
        return 1;
    }
    return c >= 0xc3 && c <= 0xc9 && i + 2 <= t.n ? 2 : 0;
}

/* One to three words that begin with a capital. */
static size_t latin_name(struct text t, size_t i)
{
    size_t start = i;
    size_t end = i;

    for (int words = 0; words < 3 && i < t.n && (isupper((unsigned char)t.s[i]) || latin_letter(t, i) == 2); words++) {
        for (size_t len = latin_letter(t, i); len > 0; len = latin_letter(t, i)) {
            i += len;
        }
        end = i;
        i += i < t.n && t.s[i] == '.' ? 1 : 0;
        i += i < t.n && t.s[i] == ' ' ? 1 : 0;
    }
    return end - start;
}

/* The word at i with the name behind it. Returns what is behind both; i: there is none. */
static size_t take_name(struct text t, size_t i, struct buf *out)
{
    size_t word = before_name(t, i);

    if (word == 0) {
        return i;
    }
    size_t at = i + word + between(t, i + word);
    size_t name = han_name(t, at);
    name = name > 0 ? name : latin_name(t, at);
    buf_add(out, t.s + i, at - i);
    if (name > 0) {
        buf_puts(out, NAME_STARS);
    }
    return at + name;
}

/* ---- All of it ---- */

static size_t take_other(struct text t, size_t i, struct buf *out)
{
    size_t n = utf8_sequence(t.s + i, t.n - i);

    if (n == 0 || (unsigned char)t.s[i] < 0x20 || t.s[i] == 0x7f) {
        buf_putc(out, ' ');
        return i + 1;
    }
    buf_add(out, t.s + i, n);
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
            size_t behind = take_name(t, i, out);
            i = behind > i ? behind : take_other(t, i, out);
        }
    }
}
