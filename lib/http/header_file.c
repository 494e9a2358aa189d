/* SPDX-License-Identifier: Apache-2.0 */
/* Reads headers that somebody has written down. */
#include "http/header_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/header_text.h"

/* line has its NUL already. */
static enum rc add_line(struct header_file *file, size_t number, char *line, struct err *err)
{
    char *colon = strchr(line, ':');
    if (colon == NULL) {
        FAIL(err, RC_REJECT, "line %zu: expected `Name: value`", number);
    }
    if (file->n == HEADER_FILE_LINES_MAX) {
        FAIL(err, RC_REJECT, "more than %d headers", HEADER_FILE_LINES_MAX);
    }
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--) {
        value[n - 1] = '\0';
    }
    if (!header_name_ok(line) || !header_value_ok(value)) {
        FAIL(err, RC_REJECT, "line %zu: a character that no header may have", number);
    }
    file->lines[file->n++] = (struct header_line){.name = line, .value = value};
    return RC_OK;
}

enum rc header_file_parse(const char *text, size_t n, struct header_file *out_file, struct err *err)
{
    *out_file = (struct header_file){0};
    if (n > HEADER_FILE_BYTES_MAX) {
        FAIL(err, RC_REJECT, "more than %zu bytes of headers", HEADER_FILE_BYTES_MAX);
    }
    if (n > 0 && memchr(text, '\0', n) != NULL) {
        FAIL(err, RC_REJECT, "a NUL in the headers");
    }
    out_file->text = xcalloc(n + 1, 1);
    memcpy(out_file->text, n == 0 ? "" : text, n);
    char *line = out_file->text;
    for (size_t number = 1; line != NULL && *line != '\0'; number++) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        size_t len = strlen(line);
        if (len > 0 && line[len - 1] == '\r') {
            line[len - 1] = '\0';
        }
        if (line[0] == '\0') {
            break;
        }
        TRY(add_line(out_file, number, line, err));
        line = next;
    }
    return RC_OK;
}

void header_file_done(struct header_file *file)
{
    free(file->text);
    *file = (struct header_file){0};
}

const char *header_file_get(const struct header_file *file, const char *name, size_t *out_count)
{
    const char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < file->n; i++) {
        if (strcasecmp(file->lines[i].name, name) == 0) {
            first = count == 0 ? file->lines[i].value : first;
            count++;
        }
    }
    if (out_count != NULL) {
        *out_count = count;
    }
    return first;
}
