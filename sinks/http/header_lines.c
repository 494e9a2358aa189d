/* SPDX-License-Identifier: Apache-2.0 */
/* Headers as libcurl takes them: checked, and as lines of one piece of memory. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/engine_internal.h"
#include "http/header_text.h"

#define NO_EXPECT "Expect:" /* nothing after the colon: libcurl leaves it out */
#define NO_TYPE "Content-Type:"

static bool is_ours(const char *name)
{
    static const char *const ours[] = {"host", "content-length", "transfer-encoding", "expect", "connection"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        found = found || strcasecmp(name, ours[i]) == 0;
    }
    return found;
}

static bool can_be_sent(const struct http_header *h)
{
    return header_name_ok(h->name) && header_value_ok(h->value) && !is_ours(h->name) &&
           strnlen(h->value, HTTP_ENGINE_HEADER_BYTES_MAX + 1) <= HTTP_ENGINE_HEADER_BYTES_MAX;
}

/* *out_bytes: what all lines take. */
static enum rc check(const struct http_header *headers, size_t n, bool *out_has_type, size_t *out_bytes,
                     struct err *err)
{
    size_t bytes = sizeof NO_EXPECT + sizeof NO_TYPE;
    bool has_type = false;
    for (size_t i = 0; i < n; i++) {
        const struct http_header *h = &headers[i];
        if (i >= HTTP_ENGINE_HEADERS_MAX || !can_be_sent(h)) {
            (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "header \"%.40s\" cannot be sent", h->name);
            return err_code(err, "header-malformed");
        }
        has_type = has_type || strcasecmp(h->name, "content-type") == 0;
        bytes += strlen(h->name) + strlen(h->value) + 3;
    }
    *out_has_type = has_type;
    *out_bytes = bytes;
    return RC_OK;
}

static char *put(char *at, const char *text)
{
    size_t n = strlen(text);
    memcpy(at, text, n + 1);
    return at + n;
}

/* A line of up to three parts at `at`; returns where the next one begins. */
static char *add(struct header_lines *l, char *at, const char *name, const char *middle, const char *value)
{
    struct curl_slist *node = &l->nodes[l->n];
    *node = (struct curl_slist){.data = at};
    if (l->n > 0) {
        l->nodes[l->n - 1].next = node;
    }
    l->n++;
    return put(put(put(at, name), middle), value) + 1;
}

enum rc header_lines_make(struct header_lines *l, const struct http_header *headers, size_t n, struct err *err)
{
    bool has_type = false;
    size_t bytes = 0;
    TRY(check(headers, n, &has_type, &bytes, err));
    if (l->cap < bytes) {
        l->text = xrealloc(l->text, bytes);
        l->cap = bytes;
    }
    l->n = 0;
    char *at = add(l, l->text, NO_EXPECT, "", "");
    for (size_t i = 0; i < n; i++) {
        const struct http_header *h = &headers[i];
        at = add(l, at, h->name, h->value[0] == '\0' ? ";" : ": ", h->value); /* ";": libcurl sends it without value */
    }
    if (!has_type) {
        (void)add(l, at, NO_TYPE, "", "");
    }
    return RC_OK;
}

void header_lines_trim(struct header_lines *l)
{
    l->n = 0;
    if (l->cap > HEADER_TEXT_KEPT) {
        free(l->text);
        l->text = NULL;
        l->cap = 0;
    }
}
