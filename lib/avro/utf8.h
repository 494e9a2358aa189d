/* SPDX-License-Identifier: Apache-2.0 */
/* Is this text? RFC 3629: no surrogates, nothing above U+10FFFF, no overlong forms. */
#ifndef SLUICE_AVRO_UTF8_H
#define SLUICE_AVRO_UTF8_H

#include <stddef.h>

enum utf8_verdict {
    UTF8_TEXT,     /* valid, no NUL */
    UTF8_WITH_NUL, /* valid, but C strings and PostgreSQL's text cannot hold it */
    UTF8_INVALID,
};

/* out_at (may be NULL): offset of the first byte that is wrong, or of the first NUL; untouched for UTF8_TEXT. */
enum utf8_verdict utf8_check(const char *s, size_t n, size_t *out_at);

#endif
