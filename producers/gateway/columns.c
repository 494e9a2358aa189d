/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of a batch as PostgreSQL's arrays. */
#include "gateway/columns.h"

#include <string.h>

#include "pg/array.h"

#define ARRAY_BYTES_MAX ((size_t)512 << 20) /* bodies are bounded, and so is a batch */

void columns_begin(struct columns *c, size_t n)
{
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        buf_init(&c->list[i], ARRAY_BYTES_MAX);
        array_begin(&c->list[i]);
    }
}

void columns_add(struct columns *c, const char *const *values)
{
    for (size_t i = 0; i < c->n; i++) {
        array_add(&c->list[i], values[i], values[i] == NULL ? 0 : strlen(values[i]));
    }
}

void columns_end(struct columns *c, const char **params)
{
    for (size_t i = 0; i < c->n; i++) {
        array_end(&c->list[i]);
        params[i] = buf_str(&c->list[i]);
    }
}

void columns_done(struct columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        buf_done(&c->list[i]);
    }
}
