/* SPDX-License-Identifier: Apache-2.0 */
/* Tables. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "shown.h"

#define COLUMNS_MAX 24
#define WIDTH_MAX 64

static char *cell(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? xstrdup("-") : shown(pg_text(res, row, col));
}

static size_t width_of(const char *text)
{
    size_t n = 0;
    for (const char *c = text; *c != '\0'; c++) {
        n += ((unsigned char)*c & 0xC0) != 0x80; /* characters, not bytes */
    }
    return n;
}

static void put(struct buf *out, const char *text, size_t width, bool right, bool last)
{
    size_t n = width_of(text);
    size_t pad = n < width ? width - n : 0;
    buf_printf(out, "%*s%s%*s", right ? (int)pad : 0, "", text, right || last ? 0 : (int)pad, "");
    buf_puts(out, last ? "\n" : "  ");
}

void table_print(const PGresult *res, const char *const *heads, const char *indent, struct buf *out)
{
    size_t width[COLUMNS_MAX];
    int n = 0;

    for (; n < COLUMNS_MAX && n < PQnfields(res) && heads[n] != NULL; n++) {
        width[n] = width_of(heads[n]) - (heads[n][0] == '>');
        for (int row = 0; row < PQntuples(res); row++) {
            CLEANUP(freep) char *text = cell(res, row, n);
            size_t w = width_of(text);
            width[n] = w > width[n] ? w : width[n];
        }
        width[n] = width[n] < WIDTH_MAX ? width[n] : WIDTH_MAX;
    }
    for (int row = -1; row < PQntuples(res); row++) {
        buf_puts(out, indent);
        for (int col = 0; col < n; col++) {
            bool right = heads[col][0] == '>';
            CLEANUP(freep) char *text = row < 0 ? xstrdup(heads[col] + right) : cell(res, row, col);
            put(out, text, width[col], right, col == n - 1);
        }
    }
}
