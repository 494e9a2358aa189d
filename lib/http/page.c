/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors and links. A cursor is "1" (its form) and the key in hexadecimal digits. */
#include "http/page.h"

#include <string.h>

#include "base/option.h"

#define FORM '1'

static int digit(char c)
{
    static const char DIGITS[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(DIGITS, c);
    return at == NULL ? -1 : (int)(at - DIGITS);
}

static bool read_cursor(const char *cursor, struct page *out)
{
    size_t n = strlen(cursor);
    if (n < 3 || n % 2 != 1 || n / 2 > PAGE_KEY_MAX || cursor[0] != FORM) {
        return false;
    }
    for (size_t i = 0; i < n / 2; i++) {
        int hi = digit(cursor[1 + 2 * i]);
        int lo = digit(cursor[2 + 2 * i]);
        int c = hi * 16 + lo;
        if (hi < 0 || lo < 0 || c < 0x20 || c > 0x7e) {
            return false;
        }
        out->after[i] = (char)c;
    }
    out->after[n / 2] = '\0';
    out->has_after = true;
    return true;
}

bool page_parse(const struct route_target *t, struct page *out, struct problem *problem)
{
    const char *limit = route_parameter(t, "limit");
    const char *cursor = route_parameter(t, "cursor");
    int64_t n = PAGE_LIMIT_DEFAULT;
    *out = (struct page){.limit = PAGE_LIMIT_DEFAULT};
    if (limit != NULL && !option_parse_int(limit, 1, PAGE_LIMIT_MAX, &n)) {
        problem_set(problem, 400, "parameter_invalid", "limit", "limit: expected a whole number from 1 to %d",
                    PAGE_LIMIT_MAX);
        return false;
    }
    out->limit = (int)n;
    if (cursor != NULL && !read_cursor(cursor, out)) {
        problem_set(problem, 400, "parameter_invalid", "cursor", "cursor: expected one that the page before gave");
        return false;
    }
    return true;
}

void page_cursor(const char *key, struct buf *out)
{
    (void)buf_putc(out, FORM);
    for (; *key != '\0'; key++) {
        (void)buf_printf(out, "%02x", (unsigned)(unsigned char)*key);
    }
}

static void encode(const char *s, struct buf *out)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (plain) {
            (void)buf_putc(out, *s);
        } else {
            (void)buf_printf(out, "%%%02X", (unsigned)c);
        }
    }
}

void page_link(const struct route_target *t, const char *key, struct buf *out)
{
    (void)buf_printf(out, "<%s?cursor=", t->path);
    page_cursor(key, out);
    for (size_t i = 0; i < t->n_parameters; i++) {
        if (strcmp(t->parameters[i].name, "cursor") == 0) {
            continue;
        }
        (void)buf_putc(out, '&');
        encode(t->parameters[i].name, out);
        (void)buf_putc(out, '=');
        encode(t->parameters[i].value, out);
    }
    (void)buf_puts(out, ">; rel=\"next\"");
}
