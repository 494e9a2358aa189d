/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls: each caller has a bearer token of its own, from a file of lines
 *
 *     # comment
 *     shop        3f1b...            the token itself
 *     billing     @billing.token     a file that holds it; relative to this one
 *
 * Names are 1 to 64 of a-z 0-9 . _ -; tokens 16 to 512 printable characters without blanks. A caller may stand there
 * several times with different tokens (a rotation); a token belongs to one caller only.
 */
#ifndef SLUICE_HTTP_CALLER_H
#define SLUICE_HTTP_CALLER_H

#include <stddef.h>

#include "base/err.h"

#define CALLER_NAME_MAX 64
#define CALLERS_MAX 256
#define CALLER_TOKEN_MIN 16
#define CALLER_TOKEN_MAX 512
#define CALLER_FILE_BYTES_MAX ((size_t)256 << 10)

struct callers;

/* FATAL with code ERR_CONFIG: names file and line, never a token. */
enum rc callers_read(const char *path, struct callers **out_callers, struct err *err) MUST_USE;
/* Wipes the tokens; accepts NULL, returns NULL. */
struct callers *callers_free(struct callers *c);
size_t callers_count(const struct callers *c);

/*
 * The caller of a header `Authorization: Bearer TOKEN` (NULL = there is none), or NULL. Looks at all tokens in any
 * case, each in a time that does not depend on where it differs. Belongs to c.
 */
const char *callers_find(const struct callers *c, const char *authorization);

#endif
