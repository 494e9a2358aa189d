/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the text form of PostgreSQL's arrays. Rules: PostgreSQL, "Array Input and Output Syntax". */
#include "pg/array.h"

#include <inttypes.h>

void array_begin(struct buf *b)
{
    buf_clear(b);
    buf_putc(b, '{');
}

static void separate(struct buf *b)
{
    if (b->len > 1) {
        buf_putc(b, ',');
    }
}

void array_add(struct buf *b, const char *s, size_t n)
{
    if (s == NULL) {
        array_add_null(b);
        return;
    }
    separate(b);
    buf_putc(b, '"');
    for (size_t i = 0; i < n; i++) {
        size_t plain = i;
        while (i < n && s[i] != '"' && s[i] != '\\') {
            i++;
        }
        buf_add(b, s + plain, i - plain); /* most texts have nothing to escape: as a whole */
        if (i < n) {
            buf_putc(b, '\\');
            buf_putc(b, s[i]);
        }
    }
    buf_putc(b, '"');
}

void array_add_int(struct buf *b, int64_t v)
{
    separate(b);
    buf_printf(b, "%" PRId64, v);
}

void array_add_null(struct buf *b)
{
    separate(b);
    buf_puts(b, "NULL");
}

void array_end(struct buf *b)
{
    buf_putc(b, '}');
}
