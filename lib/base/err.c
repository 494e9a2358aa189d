/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the record of what went wrong: one line of bounded text without control characters. */
#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void make_one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        }
    }
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ') {
        text[--n] = '\0';
    }
}

/* A cut must not leave half a UTF-8 sequence behind: JSON readers of our logs would refuse the line. */
static void drop_half_character(char *text, size_t cut_at)
{
    size_t start = cut_at;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0xc0) {
        start--;
    }
    text[start] = '\0';
}

enum rc err_setv(struct err *err, enum rc rc, const char *file, int line, const char *fmt, va_list ap)
{
    if (err == NULL) {
        return rc;
    }
    /* An argument may point into err->text itself (wrapping a cause), so the text is made beside it. */
    char text[ERR_TEXT_MAX];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    if (n < 0) {
        text[0] = '\0';
    } else if ((size_t)n >= sizeof text) {
        drop_half_character(text, sizeof text - 1);
    }
    make_one_line(text);
    err->rc = rc;
    err->file = file;
    err->line = line;
    err->code[0] = '\0';
    memcpy(err->text, text, sizeof text);
    return rc;
}

enum rc err_set(struct err *err, enum rc rc, const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)err_setv(err, rc, file, line, fmt, ap);
    va_end(ap);
    return rc;
}

enum rc err_prefix(struct err *err, const char *fmt, ...)
{
    assert(err != NULL);
    char prefix[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return err->rc;
    }
    char old[ERR_TEXT_MAX];
    memcpy(old, err->text, sizeof old);
    char code[ERR_CODE_MAX];
    memcpy(code, err->code, sizeof code);
    (void)err_set(err, err->rc, err->file, err->line, "%s: %s", prefix, old);
    memcpy(err->code, code, sizeof code);
    return err->rc;
}

enum rc err_code(struct err *err, const char *code)
{
    assert(err != NULL);
    (void)snprintf(err->code, sizeof err->code, "%s", code == NULL ? "" : code);
    return err->rc;
}

bool err_is_config(const struct err *err)
{
    return strcmp(err->code, ERR_CONFIG) == 0;
}

const char *rc_name(enum rc rc)
{
    switch (rc) {
    case RC_OK:
        return "ok";
    case RC_RETRY:
        return "retry";
    case RC_REJECT:
        return "reject";
    case RC_FENCED:
        return "fenced";
    case RC_FATAL:
        return "fatal";
    }
    return "unknown";
}
