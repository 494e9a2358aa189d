/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of other charsets, after their signature was looked at. */
#ifndef SLUICE_CHANNEL_CHARSET_H
#define SLUICE_CHANNEL_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

enum charset {
    CHARSET_UNKNOWN,
    CHARSET_UTF8,
    CHARSET_GBK, /* GB2312 too, which is a part of it */
    CHARSET_GB18030
};

/* By the name that the form gives, in either case. */
enum charset charset_find(const char *name);
bool charset_utf8_ok(const char *text, size_t n);

struct charset_reader; /* belongs to one thread */
/* NULL: this machine cannot read the charset. */
struct charset_reader *charset_open(enum charset charset);
void charset_closep(struct charset_reader **reader);
/* As UTF-8 in the arena; NULL: not of this charset. */
const char *charset_utf8(struct charset_reader *reader, const char *text, size_t n, struct arena *arena);

#endif
