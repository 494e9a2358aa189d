/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays as text parameters: a batch goes to the server as one column array each and comes back as rows by unnest().
 *
 *     array_begin(&ids);
 *     array_add(&ids, "a", 1);
 *     array_end(&ids);          // {"a"}
 */
#ifndef SLUICE_PG_ARRAY_H
#define SLUICE_PG_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void array_begin(struct buf *b);
/* Text of any content but NUL bytes; s NULL = SQL NULL. */
void array_add(struct buf *b, const char *s, size_t n);
void array_add_int(struct buf *b, int64_t v);
void array_add_null(struct buf *b);
void array_end(struct buf *b);

#endif
