/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for one statement: a column each is an array parameter, and unnest() makes rows of them again. */
#ifndef SLUICE_GATEWAY_COLUMNS_H
#define SLUICE_GATEWAY_COLUMNS_H

#include "base/buf.h"

#define COLUMNS_MAX 32

struct columns {
    struct buf list[COLUMNS_MAX];
    size_t n;
};

void columns_begin(struct columns *c, size_t n);
/* One value for each column, NULL for SQL NULL. */
void columns_add(struct columns *c, const char *const *values);
/* params has room for n; they belong to the columns. */
void columns_end(struct columns *c, const char **params);
void columns_done(struct columns *c);

#endif
