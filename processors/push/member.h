/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed reading of a provider's object in the providers file. The first thing that is wrong is kept, and named; after
 * it everything reads as absent, so that a kind reads all members and looks once at the end:
 *
 *     struct members m;
 *     members_begin(&m, config, directory, err);
 *     const char *url = members_text(&m, "url", true, TARGET_URL_BYTES_MAX);
 *     char *secret = members_secret(&m, "secret", true);   wiped and freed with members_wipe()
 *     TRY(members_end(&m));                                 members nobody has asked for are refused, too
 *
 * Thread: the one that opens the role.
 */
#ifndef SLUICE_PUSH_MEMBER_H
#define SLUICE_PUSH_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MEMBERS_MAX 24
#define MEMBER_NAME_MAX 48
#define MEMBER_SECRET_BYTES_MAX ((size_t)16 << 10)

struct json_t;

struct members {
    const struct json_t *object;
    const char *directory; /* names of files are relative to it */
    char asked[MEMBERS_MAX][MEMBER_NAME_MAX];
    size_t n;
    struct err *err;
    bool failed;
};

void members_begin(struct members *m, const struct json_t *object, const char *directory, struct err *err);
/* 1 to max bytes without control characters; lives as long as the object. NULL: absent, or refused. */
const char *members_text(struct members *m, const char *name, bool required, size_t max);
/* True where it is there and good; *out is left alone otherwise. */
bool members_int(struct members *m, const char *name, int64_t min, int64_t max, int64_t *out);
bool members_bool(struct members *m, const char *name, bool *out);
/* An object; NULL: absent. Read it with members_begin(), and say members_end() of it, too. */
const struct json_t *members_object(struct members *m, const char *name);
/* A list of at most max texts; NULL: absent. Read it with jansson. */
const struct json_t *members_texts(struct members *m, const char *name, size_t max);
/*
 * A secret: member NAME_file (a file that only its owner can read) or NAME_env (a variable of the environment), never a
 * member with the secret itself. Without the end of its last line. Heap; NULL: absent, or refused.
 */
char *members_secret(struct members *m, const char *name, bool required);
void members_wipe(char *secret); /* accepts NULL */
/* Something in a member that was read is wrong: "member NAME: ...". */
void members_refuse(struct members *m, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* ERR_CONFIG: what was wrong first. */
enum rc members_end(struct members *m) MUST_USE;

#endif
