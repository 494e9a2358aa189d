/* SPDX-License-Identifier: Apache-2.0 */
/* What one option accepts, what it is called in the environment, how its value is shown. */
#include "base/option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SHOWN_MAX 80 /* bytes of a wrong value that a message repeats */

bool option_parse_int(const char *text, int64_t min, int64_t max, int64_t *out_value)
{
    bool negative = text[0] == '-';
    const char *digits = negative ? text + 1 : text;
    size_t n = strlen(digits);
    if (n == 0 || strspn(digits, "0123456789") != n) {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = digits[i] - '0';
        if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
            return false;
        }
    }
    if (value < min || value > max) {
        return false;
    }
    *out_value = value;
    return true;
}

static bool in_choices(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *c = choices; c != NULL;) {
        size_t len = strcspn(c, "|");
        if (len == n && memcmp(c, value, n) == 0) {
            return true;
        }
        c = c[len] == '\0' ? NULL : c + len + 1;
    }
    return false;
}

/* Is c in a set like "a-z0-9._-"? A '-' at either end stands for itself. */
static bool in_set(const char *set, char c)
{
    for (const char *s = set; *s != '\0'; s++) {
        bool is_range = s[1] == '-' && s[2] != '\0';
        if (is_range && c >= s[0] && c <= s[2]) {
            return true;
        }
        if (!is_range && c == *s) {
            return true;
        }
        s += is_range ? 2 : 0;
    }
    return false;
}

/* `"value" is WHAT; expected ...`, without the value when it is a secret. */
static enum rc refuse(const struct option *opt, const char *value, const char *what, const char *expected,
                      struct err *err)
{
    if (opt->secret) {
        FAIL(err, RC_FATAL, "the value is %s; expected %s", what, expected);
    }
    FAIL(err, RC_FATAL, "\"%.*s\" is %s; expected %s", SHOWN_MAX, value, what, expected);
}

static enum rc check_int(const struct option *opt, const char *value, struct err *err)
{
    char expected[64];
    (void)snprintf(expected, sizeof expected, "%lld..%lld", (long long)opt->min, (long long)opt->max);
    int64_t number = 0;
    if (option_parse_int(value, opt->min, opt->max, &number)) {
        return RC_OK;
    }
    const char *digits = value[0] == '-' ? value + 1 : value;
    bool is_number = digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
    return refuse(opt, value, is_number ? "out of range" : "not a whole number", expected, err);
}

static enum rc check_string(const struct option *opt, const char *value, struct err *err)
{
    size_t max = opt->max > 0 ? (size_t)opt->max : OPTION_STRING_MAX;
    size_t n = strlen(value);
    char expected[96];
    if (n > max) {
        (void)snprintf(expected, sizeof expected, "at most %zu bytes", max);
        return refuse(opt, value, "too long", expected, err);
    }
    for (size_t i = 0; i < n; i++) {
        bool control = iscntrl((unsigned char)value[i]) && !(opt->secret && strchr("\r\n\t", value[i]) != NULL);
        if (control) {
            return refuse(opt, value, "not one line of text", "no control characters", err);
        }
        if (opt->choices != NULL && !in_set(opt->choices, value[i])) {
            (void)snprintf(expected, sizeof expected, "only the characters %s", opt->choices);
            return refuse(opt, value, "not a valid name", expected, err);
        }
    }
    return RC_OK;
}

enum rc option_check(const struct option *opt, const char *value, struct err *err)
{
    switch (opt->type) {
    case OPTION_INT:
        return check_int(opt, value, err);
    case OPTION_BOOL:
        if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
            return RC_OK;
        }
        return refuse(opt, value, "not a truth value", "true or false", err);
    case OPTION_CHOICE:
        if (in_choices(opt->choices, value)) {
            return RC_OK;
        }
        return refuse(opt, value, "not one of the choices", opt->choices, err);
    case OPTION_STRING:
        return check_string(opt, value, err);
    }
    FAIL(err, RC_FATAL, "option %s has no type", opt->name);
}

const char *option_env(const struct option *opt, char *out, size_t out_size)
{
    if (opt->env != NULL) {
        (void)snprintf(out, out_size, "%s", opt->env);
        return out;
    }
    int n = snprintf(out, out_size, "SLUICE_%s", opt->name);
    for (int i = 0; i < n && (size_t)i < out_size && out[i] != '\0'; i++) {
        out[i] = out[i] == '.' || out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
    }
    return out;
}

/* The end of user:password@ in the authority of a URL, or NULL. */
static const char *userinfo_end(const char *authority)
{
    const char *end = NULL;
    for (const char *c = authority; *c != '\0' && strchr("/?#", *c) == NULL; c++) {
        if (*c == '@') {
            end = c;
        }
    }
    return end;
}

/* Copies a query string, with the values of parameters that hold secrets replaced. */
static void mask_query(const char *query, struct buf *out)
{
    while (*query != '\0') {
        size_t n = strcspn(query, "&");
        const char *equals = memchr(query, '=', n);
        size_t name_n = equals == NULL ? n : (size_t)(equals - query);
        CLEANUP(freep) char *name = xstrndup(query, name_n);
        bool hide = strcasestr(name, "password") != NULL || strcasestr(name, "secret") != NULL;
        (void)buf_add(out, query, hide ? name_n : n);
        (void)buf_puts(out, hide ? "=***" : "");
        query += n;
        if (*query == '&') {
            (void)buf_putc(out, '&');
            query++;
        }
    }
}

void option_masked(bool secret, const char *value, struct buf *out)
{
    const char *authority = strstr(value, "://");
    if (authority == NULL) {
        (void)buf_puts(out, secret && value[0] != '\0' ? "***" : value);
        return;
    }
    authority += 3;
    const char *at = userinfo_end(authority);
    const char *rest = authority;
    (void)buf_add(out, value, (size_t)(authority - value));
    if (at != NULL) {
        const char *colon = memchr(authority, ':', (size_t)(at - authority));
        (void)buf_add(out, authority, (size_t)((colon == NULL ? at : colon) - authority));
        (void)buf_puts(out, colon == NULL ? "" : ":***");
        rest = at;
    }
    size_t path_n = strcspn(rest, "?");
    (void)buf_add(out, rest, path_n);
    if (rest[path_n] == '?') {
        (void)buf_putc(out, '?');
        mask_query(rest + path_n + 1, out);
    }
}
