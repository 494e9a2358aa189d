/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a ceiling.
 *
 * Invariants: data[len] is always NUL once anything was added, so data may be used as a C string when
 * the content has no NUL. An append that would pass `max` changes nothing, sets `overflow` and every
 * later append is refused too: check once at the end.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    char *data; /* heap; NULL while empty */
    size_t len;
    size_t cap;
    size_t max; /* ceiling of len in bytes */
    bool overflow;
};

void buf_init(struct buf *b, size_t max_bytes); /* max_bytes 0 takes nothing at all */
void buf_done(struct buf *b);                   /* frees; the buffer may be initialised again */
void buf_clear(struct buf *b);                  /* length 0, memory kept, overflow forgotten */

bool buf_add(struct buf *b, const void *bytes, size_t n); /* false = over the ceiling */
bool buf_puts(struct buf *b, const char *s);
bool buf_putc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* s as a quoted JSON string; invalid UTF-8 becomes U+FFFD. */
bool buf_json_string(struct buf *b, const char *s, size_t n);

/* Length of the well-formed UTF-8 sequence at the start of s: 1 to 4, or 0 when there is none (RFC 3629). */
size_t utf8_sequence(const char *s, size_t n);
/* Length of the blank at the start of s, of any script: what JavaScript's trim() takes away. 0: there is none. */
size_t utf8_blank(const char *s, size_t n);
/* Is there nothing but such blanks? */
bool utf8_is_blank(const char *s, size_t n);

/* The content, NUL-terminated, "" when empty. Belongs to the buffer. */
const char *buf_str(const struct buf *b);
/* The content as heap memory the caller frees; the buffer is empty afterwards. Never NULL. */
char *buf_take(struct buf *b) MUST_USE;

#endif
