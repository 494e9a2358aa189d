/* SPDX-License-Identifier: Apache-2.0 */
/* A recursive descent over JSON text that always knows in which member it is. */
#include "http/body.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

struct parser {
    const char *at, *end;
    struct arena *arena;
    struct problem *problem;
    const struct body_limits *limits;
    size_t values;
    int depth;
    char path[PROBLEM_FIELD_MAX]; /* "transfers[3].amount" */
};

static bool parse_value(struct parser *p, struct body_value **out);

static bool fail(struct parser *p, const char *code, const char *what)
{
    problem_set(p->problem, 400, code, p->path, "%s%s%s", p->path, p->path[0] == '\0' ? "" : ": ", what);
    return false;
}

static bool malformed(struct parser *p, const char *what)
{
    return fail(p, "json_malformed", what);
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')) {
        p->at++;
    }
}

/* Takes c if it is next. */
static bool take(struct parser *p, char c)
{
    if (p->at == p->end || *p->at != c) {
        return false;
    }
    p->at++;
    return true;
}

static struct body_value *value_new(struct parser *p, enum body_type type)
{
    struct body_value *v = arena_alloc(p->arena, sizeof *v);
    *v = (struct body_value){.type = type};
    return v;
}

/* ---------------------------------------------------------------------------------------------------- strings */

static bool hex4(struct parser *p, uint32_t *out)
{
    uint32_t v = 0;
    if (p->end - p->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = *p->at++;
        char low = (char)(c | 0x20);
        uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (uint32_t)(low - 'a' + 10);
        if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'f')) {
            return false;
        }
        v = v * 16 + d;
    }
    *out = v;
    return true;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Behind "\u": one character, perhaps of two escapes. 0 = refused. */
static uint32_t escaped_character(struct parser *p)
{
    uint32_t c = 0;
    uint32_t low = 0;
    if (!hex4(p, &c) || (c >= 0xdc00 && c < 0xe000)) {
        return 0;
    }
    if (c < 0xd800 || c >= 0xdc00) {
        return c;
    }
    if (!take(p, '\\') || !take(p, 'u') || !hex4(p, &low) || low < 0xdc00 || low >= 0xe000) {
        return 0;
    }
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* Behind a backslash; returns the bytes written, 0 = refused. */
static size_t escape(struct parser *p, char *out)
{
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    if (p->at == p->end) {
        return 0;
    }
    char c = *p->at++;
    const char *simple = c == '\0' ? NULL : strchr(FROM, c);
    if (simple != NULL) {
        out[0] = TO[simple - FROM];
        return 1;
    }
    uint32_t wide = c == 'u' ? escaped_character(p) : 0;
    return wide == 0 ? 0 : put_utf8(out, wide);
}

/* Behind the opening quote. What comes out is never longer than what was written. */
static bool parse_string(struct parser *p, const char **out_text, size_t *out_n)
{
    const char *quote = p->at;
    while (quote < p->end && *quote != '"') {
        quote += *quote == '\\' && quote + 1 < p->end ? 2 : 1;
    }
    if (quote >= p->end) {
        return malformed(p, "a string without its closing quote");
    }
    char *out = arena_alloc(p->arena, (size_t)(quote - p->at) + 1);
    size_t n = 0;
    while (p->at < quote) {
        size_t k = utf8_sequence(p->at, (size_t)(quote - p->at));
        if (k == 0) {
            return malformed(p, "a string that is not UTF-8");
        }
        if (*p->at == '\\') {
            p->at++;
            size_t written = escape(p, out + n);
            if (written == 0) {
                return malformed(p, "an escape in a string that is not allowed");
            }
            n += written;
            continue;
        }
        if ((unsigned char)*p->at < 0x20) {
            return malformed(p, "a control character in a string");
        }
        memcpy(out + n, p->at, k);
        n += k;
        p->at += k;
    }
    out[n] = '\0';
    p->at = quote + 1;
    *out_text = out;
    *out_n = n;
    return true;
}

/* ---------------------------------------------------------------------------------------------------- numbers, words
 */

static bool digits(struct parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
        p->at++;
    }
    return p->at > from;
}

static bool parse_number(struct parser *p, struct body_value **out)
{
    const char *from = p->at;
    (void)take(p, '-');
    bool zero = p->at < p->end && *p->at == '0';
    const char *whole = p->at;
    bool good = digits(p) && (!zero || p->at == whole + 1);
    if (good && take(p, '.')) {
        good = digits(p);
    }
    if (good && (take(p, 'e') || take(p, 'E'))) {
        (void)(take(p, '+') || take(p, '-'));
        good = digits(p);
    }
    if (!good) {
        return malformed(p, "expected a JSON value");
    }
    *out = value_new(p, BODY_NUMBER);
    (*out)->n = (size_t)(p->at - from);
    (*out)->text = arena_strndup(p->arena, from, (*out)->n);
    return true;
}

static bool parse_word(struct parser *p, struct body_value **out)
{
    static const struct {
        const char *word;
        size_t n;
        enum body_type type;
    } WORDS[] = {{"null", 4, BODY_NULL}, {"true", 4, BODY_TRUE}, {"false", 5, BODY_FALSE}};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
        if ((size_t)(p->end - p->at) >= WORDS[i].n && memcmp(p->at, WORDS[i].word, WORDS[i].n) == 0) {
            p->at += WORDS[i].n;
            *out = value_new(p, WORDS[i].type);
            return true;
        }
    }
    return malformed(p, "expected a JSON value");
}

/* ---------------------------------------------------------------------------------------------------- containers */

/* Links v behind the others. */
static void append(struct body_value *box, struct body_value **last, struct body_value *v)
{
    if (*last == NULL) {
        box->first = v;
    } else {
        (*last)->next = v;
    }
    *last = v;
    box->n++;
}

static bool parse_array(struct parser *p, struct body_value **out)
{
    struct body_value *last = NULL;
    size_t path_n = strlen(p->path);
    *out = value_new(p, BODY_ARRAY);
    skip_blanks(p);
    if (take(p, ']')) {
        return true;
    }
    do {
        struct body_value *v = NULL;
        (void)snprintf(p->path + path_n, sizeof p->path - path_n, "[%zu]", (*out)->n);
        if (!parse_value(p, &v)) {
            return false;
        }
        p->path[path_n] = '\0';
        append(*out, &last, v);
        skip_blanks(p);
    } while (take(p, ','));
    return take(p, ']') || malformed(p, "expected , or ] in an array");
}

static bool parse_key(struct parser *p, const struct body_value *box, const char **out_key)
{
    size_t n = 0;
    skip_blanks(p);
    if (!take(p, '"')) {
        return malformed(p, "expected a member's name in quotes");
    }
    if (!parse_string(p, out_key, &n)) {
        return false;
    }
    size_t path_n = strlen(p->path);
    (void)snprintf(p->path + path_n, sizeof p->path - path_n, "%s%s", path_n == 0 ? "" : ".", *out_key);
    if (box->n == p->limits->members) {
        return fail(p, "json_too_large", "too many members in one object");
    }
    for (const struct body_value *v = box->first; v != NULL; v = v->next) {
        if (strcmp(v->key, *out_key) == 0) {
            return fail(p, "field_twice", "the member stands there twice");
        }
    }
    skip_blanks(p);
    return take(p, ':') || malformed(p, "expected : behind a member's name");
}

static bool parse_object(struct parser *p, struct body_value **out)
{
    struct body_value *last = NULL;
    size_t path_n = strlen(p->path);
    *out = value_new(p, BODY_OBJECT);
    skip_blanks(p);
    if (take(p, '}')) {
        return true;
    }
    do {
        const char *key = NULL;
        struct body_value *v = NULL;
        if (!parse_key(p, *out, &key) || !parse_value(p, &v)) {
            return false;
        }
        p->path[path_n] = '\0';
        v->key = key;
        append(*out, &last, v);
        skip_blanks(p);
    } while (take(p, ','));
    return take(p, '}') || malformed(p, "expected , or } in an object");
}

static bool parse_value(struct parser *p, struct body_value **out)
{
    const char *text = NULL;
    size_t n = 0;
    skip_blanks(p);
    if (++p->values > p->limits->values) {
        return fail(p, "json_too_large", "too many values");
    }
    if (p->at < p->end && (*p->at == '-' || (*p->at >= '0' && *p->at <= '9'))) {
        return parse_number(p, out);
    }
    if (take(p, '"')) {
        if (!parse_string(p, &text, &n)) {
            return false;
        }
        *out = value_new(p, BODY_STRING);
        (*out)->text = text;
        (*out)->n = n;
        return true;
    }
    bool array = take(p, '[');
    if (!array && !take(p, '{')) {
        return parse_word(p, out);
    }
    if (++p->depth > p->limits->depth) {
        return fail(p, "json_too_deep", "nested too deep");
    }
    bool good = array ? parse_array(p, out) : parse_object(p, out);
    p->depth--;
    return good;
}

enum rc body_parse_within(const struct body_limits *limits, const char *text, size_t n, struct arena *a,
                          struct body_value **out_value, struct problem *problem)
{
    struct parser p = {.at = text, .end = text + n, .arena = a, .problem = problem, .limits = limits};
    struct body_value *v = NULL;
    if (!parse_value(&p, &v)) {
        return RC_REJECT;
    }
    skip_blanks(&p);
    if (p.at != p.end) {
        (void)malformed(&p, "something stands behind the end");
        return RC_REJECT;
    }
    *out_value = v;
    return RC_OK;
}

enum rc body_parse(const char *text, size_t n, struct arena *a, struct body_value **out_value, struct problem *problem)
{
    static const struct body_limits REQUEST = {
        .depth = BODY_DEPTH_MAX, .members = BODY_MEMBERS_MAX, .values = BODY_VALUES_MAX};
    return body_parse_within(&REQUEST, text, n, a, out_value, problem);
}
