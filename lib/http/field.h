/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed reading of an object's members. The first thing that is wrong becomes the problem (status 422; codes
 * field_missing, field_type, field_invalid, field_unknown) and names the member; after it everything reads as absent,
 * so that a handler reads all of them and looks once at the end:
 *
 *     struct fields f;
 *     fields_begin(&f, value, "", &problem);
 *     const char *debit = field_text(&f, "debit", FIELD_REQUIRED, 128, id_ok, "an id");
 *     ...
 *     fields_end(&f);
 *     if (problem.status != 0) ...
 */
#ifndef SLUICE_HTTP_FIELD_H
#define SLUICE_HTTP_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "http/body.h"
#include "http/problem.h"

struct fields {
    struct body_value *object;
    char path[PROBLEM_FIELD_MAX]; /* put before names, "transfers[0]."; "" at the top */
    struct problem *problem;
};

enum field_need { FIELD_OPTIONAL, FIELD_REQUIRED };

/* value must be an object. path is copied. */
void fields_begin(struct fields *f, struct body_value *value, const char *path, struct problem *problem);
/* Members nobody has asked for are refused: a wrongly written name must not be passed over. */
void fields_end(struct fields *f);

/* NULL: absent (null counts as absent where the member is optional) or refused. */
struct body_value *field_find(struct fields *f, const char *name, enum field_need need);
/* Is the member there? Nobody has asked for it by this. */
bool field_has(const struct fields *f, const char *name);
/* Is the member there, and null? */
bool field_is_null(struct fields *f, const char *name);
/* A string of 1 to max bytes that passes ok (NULL = no control characters); what says what is expected. */
const char *field_text(struct fields *f, const char *name, enum field_need need, size_t max, bool (*ok)(const char *),
                       const char *what);
/* False: absent or refused. A whole number as JSON writes it: no point, no exponent. */
bool field_int(struct fields *f, const char *name, enum field_need need, int64_t min, int64_t max, int64_t *out);
bool field_bool(struct fields *f, const char *name, enum field_need need, bool *out);
/* RFC 3339 with a zone, in microseconds since 1970. */
bool field_time(struct fields *f, const char *name, enum field_need need, int64_t *out_us);
/* The member is wrong: status 422. name may be "" for the object itself. */
void field_refuse(struct fields *f, const char *name, const char *code, const char *what);

#endif
