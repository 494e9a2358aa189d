/* SPDX-License-Identifier: Apache-2.0 */
/* The file of callers and their tokens. */
#include "http/caller.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/option.h"
#include "http/secret.h"

struct caller {
    char *name;
    char *token;
};

struct callers {
    struct caller list[CALLERS_MAX];
    size_t n;
};

static void wipe(char *s)
{
    if (s != NULL) {
        explicit_bzero(s, strlen(s));
        free(s);
    }
}

struct callers *callers_free(struct callers *c)
{
    for (size_t i = 0; c != NULL && i < c->n; i++) {
        free(c->list[i].name);
        wipe(c->list[i].token);
    }
    free(c);
    return NULL;
}

size_t callers_count(const struct callers *c)
{
    return c == NULL ? 0 : c->n;
}

static enum rc wrong(const char *path, size_t line, const char *text, struct err *err)
{
    if (line == 0) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: %s", path, text);
    } else {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s:%zu: %s", path, line, text);
    }
    return err_code(err, ERR_CONFIG);
}

static enum rc read_file(const char *path, size_t max, char **out_text, struct err *err)
{
    return config_read_file(path, max, out_text, err) == RC_OK ? RC_OK : err_code(err, ERR_CONFIG);
}

static bool name_ok(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return s[n] == '\0' && n > 0 && n <= CALLER_NAME_MAX;
}

static bool token_ok(const char *s)
{
    size_t n = 0;
    for (; s[n] != '\0'; n++) {
        if (s[n] <= 0x20 || s[n] > 0x7e) {
            return false;
        }
    }
    return n >= CALLER_TOKEN_MIN && n <= CALLER_TOKEN_MAX;
}

/* "@file" beside the list. */
static enum rc token_of_file(const char *list_path, const char *name, char **out_token, struct err *err)
{
    const char *slash = strrchr(list_path, '/');
    int dir_n = name[0] == '/' || slash == NULL ? 0 : (int)(slash - list_path + 1);
    CLEANUP(freep) char *path = xasprintf("%.*s%s", dir_n, list_path, name);
    TRY(read_file(path, CALLER_TOKEN_MAX + 1, out_token, err));
    (*out_token)[strcspn(*out_token, "\r\n")] = '\0';
    return RC_OK;
}

static enum rc add(struct callers *c, const char *path, size_t line, const char *name, char *token, struct err *err)
{
    const char *why = NULL;
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->list[i].token, token) == 0) {
            why = "this token stands in the file before";
        }
    }
    if (!name_ok(name)) {
        why = "expected a caller's name of 1 to 64 of a-z 0-9 . _ -, and a token behind it";
    } else if (!token_ok(token)) {
        why = "expected a token of 16 to 512 printable characters without blanks, or @FILE";
    } else if (c->n == CALLERS_MAX) {
        why = "more than 256 tokens";
    }
    if (why != NULL) {
        wipe(token);
        return wrong(path, line, why, err);
    }
    c->list[c->n++] = (struct caller){xstrdup(name), token};
    return RC_OK;
}

static enum rc add_line(struct callers *c, const char *path, size_t line, char *text, struct err *err)
{
    static const char BLANKS[] = " \t\r";
    text += strspn(text, BLANKS);
    if (text[0] == '\0' || text[0] == '#') {
        return RC_OK;
    }
    char *token = text + strcspn(text, BLANKS);
    if (*token != '\0') {
        *token++ = '\0';
        token += strspn(token, BLANKS);
    }
    size_t n = strlen(token);
    while (n > 0 && strchr(BLANKS, token[n - 1]) != NULL) {
        token[--n] = '\0';
    }
    char *own = NULL;
    if (token[0] == '@') {
        TRY(token_of_file(path, token + 1, &own, err));
    } else {
        own = xstrdup(token);
    }
    return add(c, path, line, text, own, err);
}

enum rc callers_read(const char *path, struct callers **out_callers, struct err *err)
{
    char *text = NULL;
    TRY(read_file(path, CALLER_FILE_BYTES_MAX, &text, err));
    size_t text_n = strlen(text);
    struct callers *c = xcalloc(1, sizeof *c);
    enum rc rc = RC_OK;
    size_t line = 0;
    for (char *at = text, *next = text; rc == RC_OK && *at != '\0'; at = next) {
        size_t n = strcspn(at, "\n");
        next = at + n + (at[n] == '\n' ? 1 : 0);
        at[n] = '\0';
        rc = add_line(c, path, ++line, at, err);
    }
    explicit_bzero(text, text_n);
    free(text);
    if (rc == RC_OK && c->n == 0) {
        rc = wrong(path, 0, "no caller in it; expected lines of a caller's name and its token", err);
    }
    if (rc != RC_OK) {
        (void)callers_free(c);
        return rc;
    }
    *out_callers = c;
    return RC_OK;
}

const char *callers_find(const struct callers *c, const char *authorization)
{
    static const char SCHEME[] = "bearer ";
    const char *found = NULL;
    if (authorization == NULL || strncasecmp(authorization, SCHEME, sizeof SCHEME - 1) != 0) {
        return NULL;
    }
    const char *token = authorization + sizeof SCHEME - 1;
    token += strspn(token, " ");
    for (size_t i = 0; i < c->n; i++) {
        found = secret_same(c->list[i].token, token) ? c->list[i].name : found;
    }
    return found;
}
