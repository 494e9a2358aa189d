/* SPDX-License-Identifier: Apache-2.0 */
/* Finds names: by the words before them, for a text does not say what is one. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "notify/mask_internal.h"

#define NAME_STARS "**"

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

/* Family names of two characters. */
static const char *const LONG_FAMILY[] = {"欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟",
                                          "公孙", "慕容", "令狐", "宇文", "长孙", "司徒", "夏侯",
                                          "端木", "南宫", "独孤", "司空", "百里", "轩辕"};

#define NAME_CHARACTERS_MAX 3
#define PART_CHARACTERS_MAX 8 /* of a name with dots, between two of them */
#define NAME_PARTS_MAX 4
#define NAME_WORDS_MAX 3

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) != 0;
}

static bool starts_any(struct text t, size_t i, const char *const *words, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (mask_starts(t, i, words[k])) {
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
        if (!mask_starts(t, i, BEFORE_NAMES[k])) {
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
    static const char *const signs[] = {":",  ",", ";",  "-",  "/",  "|",    "=",    "(",   ")",   "[",    "]",  "<",
                                        "\"", "'", "：", "，", "；", "（",   "）",   "【",  "】",  "「",   "」", "《",
                                        "“",  "‘", "、", "－", "／", "姓名", "name", "is ", "mr.", "mrs.", "ms."};
    size_t start = i;

    for (bool more = true; more;) {
        size_t blank = mask_blank_at(t, i);
        more = blank > 0;
        i += blank;
        for (size_t k = 0; !more && k < ARRAY_SIZE(signs); k++) {
            if (mask_starts(t, i, signs[k])) {
                i += strlen(signs[k]);
                more = true;
            }
        }
    }
    return i - start;
}

/* ---- Names written without blanks ---- */

static unsigned byte_at(struct text t, size_t i)
{
    return (unsigned char)t.s[i];
}

/* Bytes of a Chinese character at i, a kana or a Korean syllable; 0: none. */
static size_t character_at(struct text t, size_t i)
{
    size_t n = i < t.n ? utf8_sequence(t.s + i, t.n - i) : 0;
    if (n < 3) {
        return 0;
    }
    unsigned a = byte_at(t, i);
    unsigned b = byte_at(t, i + 1);
    bool chinese = (a == 0xe3 && b >= 0x90) || (a >= 0xe4 && a <= 0xe9) || /* U+3400 to U+9FFF */
                   (a == 0xef && b >= 0xa4 && b <= 0xab) ||                /* U+F900 to U+FAFF */
                   (n == 4 && a == 0xf0 && (b & 0xf0) == 0xa0) ||          /* U+20000 to U+2FFFF */
                   mask_starts(t, i, "〇");
    bool other = (a == 0xe3 && b >= 0x81 && b <= 0x83) || (a >= 0xea && a <= 0xed); /* kana; Korean */
    return chinese || other ? n : 0;
}

/* The dot within foreign names. */
static size_t dot_at(struct text t, size_t i)
{
    static const char *const dots[] = {"·", "・", "•", "‧", "．"};

    for (size_t k = 0; k < ARRAY_SIZE(dots); k++) {
        if (mask_starts(t, i, dots[k])) {
            return strlen(dots[k]);
        }
    }
    return 0;
}

/* Bytes of at most max characters that may belong to a name. */
static size_t characters(struct text t, size_t i, int max)
{
    size_t start = i;

    for (int k = 0; k < max && dot_at(t, i) == 0 && !starts_any(t, i, NO_NAME, ARRAY_SIZE(NO_NAME)); k++) {
        i += character_at(t, i);
    }
    return i - start;
}

static size_t whole_name(struct text t, size_t i)
{
    size_t start = i;

    if (starts_any(t, i, NO_FIRST, ARRAY_SIZE(NO_FIRST))) {
        return 0;
    }
    int max = starts_any(t, i, LONG_FAMILY, ARRAY_SIZE(LONG_FAMILY)) ? NAME_CHARACTERS_MAX + 1 : NAME_CHARACTERS_MAX;
    size_t part = characters(t, i, PART_CHARACTERS_MAX);
    if (part == 0 || dot_at(t, i + part) == 0) {
        return characters(t, i, max);
    }
    for (int k = 0; k < NAME_PARTS_MAX && part > 0; k++) {
        i += part;
        size_t dot = dot_at(t, i);
        part = dot > 0 ? characters(t, i + dot, PART_CHARACTERS_MAX) : 0;
        part += part > 0 ? dot : 0;
    }
    return i - start;
}

/* ---- Names of words ---- */

/* Bytes of a letter that is not ASCII; 0: none. Latin, Greek, Cyrillic, and the marks that are put over letters. */
static size_t wide_letter(struct text t, size_t i)
{
    size_t n = i < t.n ? utf8_sequence(t.s + i, t.n - i) : 0;
    if (n < 2) {
        return 0;
    }
    unsigned a = byte_at(t, i);
    unsigned b = byte_at(t, i + 1);
    bool sign = a == 0xc3 && (b == 0x97 || b == 0xb7); /* multiplied, divided by */
    return (n == 2 && a >= 0xc3 && a <= 0xd4 && !sign) || (a == 0xe1 && b >= 0xb8 && b <= 0xbb) ? n : 0;
}

/* A letter of a European name, in bytes; 0: none. */
static size_t letter_at(struct text t, size_t i)
{
    if (i >= t.n) {
        return 0;
    }
    if (is_letter(t.s[i]) || t.s[i] == '\'' || t.s[i] == '-') {
        return 1;
    }
    return mask_starts(t, i, "’") ? strlen("’") : wide_letter(t, i);
}

static bool is_capital(struct text t, size_t i)
{
    return i < t.n && (isupper((unsigned char)t.s[i]) || wide_letter(t, i) > 0);
}

/* Bytes of a small word within a name, with the blank behind it; 0: none, or no name goes on behind it. */
static size_t particle_at(struct text t, size_t i)
{
    static const char *const words[] = {"da ",  "de ", "del ", "der ", "di ",  "do ",  "dos ", "du ",
                                        "den ", "la ", "le ",  "van ", "von ", "bin ", "al ",  "el "};
    size_t start = i;
    size_t k = 0;

    while (k < ARRAY_SIZE(words)) {
        bool found = mask_starts(t, i, words[k]);
        i += found ? strlen(words[k]) : 0;
        k = found ? 0 : k + 1;
    }
    return is_capital(t, i) ? i - start : 0;
}

/* One to three words that begin with a capital, and small ones between them. */
static size_t latin_name(struct text t, size_t i)
{
    size_t start = i;
    size_t end = i;

    for (int words = 0; words < NAME_WORDS_MAX && is_capital(t, i); words++) {
        for (size_t len = letter_at(t, i); len > 0; len = letter_at(t, i)) {
            i += len;
        }
        end = i;
        i += i < t.n && t.s[i] == '.' ? 1 : 0;
        i += i < t.n && t.s[i] == ' ' ? 1 : 0;
        i += particle_at(t, i);
    }
    return end - start;
}

size_t mask_name(struct text t, size_t i, struct buf *out)
{
    size_t word = before_name(t, i);

    if (word == 0) {
        return i;
    }
    size_t at = i + word + between(t, i + word);
    size_t name = whole_name(t, at);
    name = name > 0 ? name : latin_name(t, at);
    mask_add(t.s + i, at - i, out);
    if (name > 0) {
        buf_puts(out, NAME_STARS);
    }
    return at + name;
}
