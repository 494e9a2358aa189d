/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts and decodes targets, and finds the route that is meant. */
#include "http/route.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool text_ok(const char *s, size_t n)
{
    while (n > 0) {
        size_t k = utf8_sequence(s, n);
        if (k == 0 || (unsigned char)*s < 0x20 || *s == 0x7f) {
            return false;
        }
        s += k;
        n -= k;
    }
    return true;
}

/* NULL: a broken %, or not text. */
static const char *decode(const char *s, size_t n, struct arena *a)
{
    char *out = arena_alloc(a, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int hi = s[i] == '%' && i + 2 < n ? hex_value(s[i + 1]) : -1;
        int lo = hi >= 0 ? hex_value(s[i + 2]) : -1;
        if (s[i] == '%' && lo < 0) {
            return NULL;
        }
        out[k++] = s[i] == '%' ? (char)(hi * 16 + lo) : s[i];
        i += s[i] == '%' ? 2 : 0;
    }
    out[k] = '\0';
    return text_ok(out, k) ? out : NULL;
}

static bool cut_path(struct route_target *t, const char *path, struct arena *a)
{
    while (*path == '/') {
        size_t n = strcspn(++path, "/");
        if (t->n_segments == TARGET_SEGMENTS_MAX) {
            return false;
        }
        const char *segment = decode(path, n, a);
        if (segment == NULL) {
            return false;
        }
        t->segments[t->n_segments++] = segment;
        path += n;
    }
    return *path == '\0' && t->n_segments > 0;
}

static bool cut_parameters(struct route_target *t, const char *query, struct arena *a)
{
    while (*query != '\0') {
        size_t n = strcspn(query, "&");
        size_t name_n = strcspn(query, "=&");
        size_t value_at = name_n < n ? name_n + 1 : n;
        if (t->n_parameters == TARGET_PARAMETERS_MAX) {
            return false;
        }
        const char *name = decode(query, name_n, a);
        const char *value = decode(query + value_at, n - value_at, a);
        if (name == NULL || value == NULL || route_parameter(t, name) != NULL) {
            return false;
        }
        t->parameters[t->n_parameters++] = (struct route_parameter){name, value};
        query += n;
        query += *query == '&' ? 1 : 0;
    }
    return true;
}

bool route_target_parse(const char *text, struct arena *a, struct route_target *out)
{
    size_t n = strlen(text);
    *out = (struct route_target){.path = ""};
    if (n > TARGET_BYTES_MAX || text[0] != '/') {
        return false;
    }
    size_t path_n = strcspn(text, "?");
    out->path = arena_strndup(a, text, path_n);
    return cut_path(out, out->path, a) && cut_parameters(out, text[path_n] == '?' ? text + path_n + 1 : "", a);
}

const char *route_parameter(const struct route_target *t, const char *name)
{
    for (size_t i = 0; i < t->n_parameters; i++) {
        if (strcmp(t->parameters[i].name, name) == 0) {
            return t->parameters[i].value;
        }
    }
    return NULL;
}

const char *route_parameter_unknown(const struct route_target *t, const char *const *names)
{
    for (size_t i = 0; i < t->n_parameters; i++) {
        const char *const *name = names;
        while (name != NULL && *name != NULL && strcmp(*name, t->parameters[i].name) != 0) {
            name++;
        }
        if (name == NULL || *name == NULL) {
            return t->parameters[i].name;
        }
    }
    return NULL;
}

bool route_match(const char *pattern, const struct route_target *t, const char **out_ids, size_t ids_max)
{
    size_t ids = 0;
    size_t i = 0;
    for (; *pattern == '/' && i < t->n_segments; i++) {
        size_t n = strcspn(++pattern, "/");
        bool is_id = n > 1 && pattern[0] == '{';
        if (is_id ? t->segments[i][0] == '\0' || ids == ids_max
                  : strlen(t->segments[i]) != n || memcmp(t->segments[i], pattern, n) != 0) {
            return false;
        }
        if (is_id) {
            out_ids[ids++] = t->segments[i];
        }
        pattern += n;
    }
    return *pattern == '\0' && i == t->n_segments;
}

int route_id_index(const char *pattern, const char *name)
{
    size_t n = strlen(name);
    int index = 0;
    for (const char *at = strchr(pattern, '{'); at != NULL; at = strchr(at + 1, '{'), index++) {
        if (strncmp(at + 1, name, n) == 0 && at[1 + n] == '}') {
            return index;
        }
    }
    return -1;
}

static void allow_add(char allow[ROUTE_ALLOW_MAX], const char *method)
{
    size_t n = strlen(allow);
    bool get = strcmp(method, "GET") == 0;
    (void)snprintf(allow + n, ROUTE_ALLOW_MAX - n, "%s%s", n == 0 ? "" : ", ", get ? "GET, HEAD" : method);
}

enum route_result route_find(const void *rows, size_t n, size_t row_size, const char *method,
                             const struct route_target *t, size_t *out_index, char out_allow[ROUTE_ALLOW_MAX])
{
    const char *ids[TARGET_SEGMENTS_MAX];
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    out_allow[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const struct route_key *key = (const void *)((const char *)rows + i * row_size);
        if (!route_match(key->pattern, t, ids, TARGET_SEGMENTS_MAX)) {
            continue;
        }
        if (strcmp(key->method, wanted) == 0) {
            *out_index = i;
            return ROUTE_FOUND;
        }
        allow_add(out_allow, key->method);
    }
    return out_allow[0] == '\0' ? ROUTE_NO_PATH : ROUTE_NO_METHOD;
}
