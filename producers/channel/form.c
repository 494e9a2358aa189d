/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/form.h"

#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* NULL: a broken %, or a NUL. */
static const char *decode(const char *from, size_t n, struct arena *arena, size_t *out_n)
{
    char *out = arena_alloc(arena, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        char c = from[i] == '+' ? ' ' : from[i];
        if (c == '%') {
            int high = i + 2 < n ? hex(from[i + 1]) : -1;
            int low = i + 2 < n ? hex(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            return NULL;
        }
        out[k++] = c;
    }
    out[k] = '\0';
    *out_n = k;
    return out;
}

static bool name_ok(const char *name, size_t n)
{
    return n > 0 && n <= FORM_NAME_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static enum channel_reason add_pair(const char *pair, size_t n, struct arena *arena, struct form *out,
                                    struct verdict *v)
{
    const char *equals = memchr(pair, '=', n);
    size_t name_raw_n = equals == NULL ? n : (size_t)(equals - pair);
    size_t name_n = 0;
    struct form_param p = {0};
    if (out->n == FORM_PARAMS_MAX) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "more than %d parameters", FORM_PARAMS_MAX);
    }
    p.name = decode(pair, name_raw_n, arena, &name_n);
    if (p.name == NULL || !name_ok(p.name, name_n)) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "parameter %zu: expected a name of A-Z a-z 0-9 . _ -",
                              out->n + 1);
    }
    p.value = equals == NULL ? "" : decode(equals + 1, n - name_raw_n - 1, arena, &p.value_n);
    if (p.value == NULL) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "%s: a broken %% or a NUL", p.name);
    }
    if (form_get(out, p.name) != NULL) {
        return verdict_refuse(v, REASON_PARAM_DUP, "%s: stands there twice", p.name);
    }
    out->params[out->n++] = p;
    return REASON_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct form_param *x = a;
    const struct form_param *y = b;
    return strcmp(x->name, y->name);
}

enum channel_reason form_parse(const void *body, size_t n, struct arena *arena, struct form *out, struct verdict *v)
{
    const char *at = body;
    out->n = 0;
    for (size_t done = 0; done < n;) {
        const char *pair = at + done;
        const char *end = memchr(pair, '&', n - done);
        size_t pair_n = end == NULL ? n - done : (size_t)(end - pair);
        if (pair_n > 0 && add_pair(pair, pair_n, arena, out, v) != REASON_OK) {
            return v->reason;
        }
        done += pair_n + 1;
    }
    if (out->n > 1) {
        qsort(out->params, out->n, sizeof out->params[0], by_name);
    }
    return REASON_OK;
}

const char *form_get(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->n; i++) {
        if (strcmp(form->params[i].name, name) == 0) {
            return form->params[i].value;
        }
    }
    return NULL;
}
