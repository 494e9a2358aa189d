/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured request headers: a text with one `Name: value` a line, CRLF or LF, up to an empty line or the end.
 * Names compare without regard to case; duplicates stay duplicates; blanks around a value are dropped.
 */
#ifndef SLUICE_HTTP_HEADER_FILE_H
#define SLUICE_HTTP_HEADER_FILE_H

#include <stddef.h>

#include "base/err.h"

#define HEADER_FILE_BYTES_MAX ((size_t)256 << 10)
#define HEADER_FILE_LINES_MAX 256

struct header_line {
    const char *name;
    const char *value;
};

struct header_file {
    char *text; /* what the lines point into */
    struct header_line lines[HEADER_FILE_LINES_MAX];
    size_t n;
};

/* REJECT: a line without a colon, an empty or malformed name, a control character, too much. Say done in any case. */
enum rc header_file_parse(const char *text, size_t n, struct header_file *out_file, struct err *err) MUST_USE;
void header_file_done(struct header_file *file);

/* The first value of that name, NULL when there is none; *out_count is how many there are (may be NULL). */
const char *header_file_get(const struct header_file *file, const char *name, size_t *out_count);

#endif
