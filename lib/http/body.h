/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON bodies, read strictly (RFC 8259, and narrower): UTF-8, one value, no member twice, no NUL in strings, bounded
 * depth and number of values. Numbers stay as they were written, so that whoever reads one decides what it may be.
 *
 * Why not a library's parser: what it refuses has to be told with the member's name, also when the member is a number
 * too large for it or stands there twice.
 */
#ifndef SLUICE_HTTP_BODY_H
#define SLUICE_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "http/problem.h"

#define BODY_DEPTH_MAX 8
#define BODY_MEMBERS_MAX 64  /* of one object */
#define BODY_VALUES_MAX 4096 /* of all */

enum body_type { BODY_NULL, BODY_FALSE, BODY_TRUE, BODY_NUMBER, BODY_STRING, BODY_ARRAY, BODY_OBJECT };

/* Lives in the arena. */
struct body_value {
    enum body_type type;
    bool asked;       /* somebody has looked for this member */
    const char *key;  /* of a member, else NULL */
    const char *text; /* string: decoded; number: as it was written */
    size_t n;         /* bytes of text; values of an array; members of an object */
    struct body_value *first, *next;
};

/* How much a text may be; body_parse() takes the ceilings above. */
struct body_limits {
    int depth;
    size_t members, values;
};

/*
 * REJECT: *problem has status 400, a code (json_malformed, json_too_deep, json_too_large, field_twice) and the member.
 */
enum rc body_parse(const char *text, size_t n, struct arena *a, struct body_value **out_value,
                   struct problem *problem) MUST_USE;
/* For files of one's own, which have more in them than a request. */
enum rc body_parse_within(const struct body_limits *limits, const char *text, size_t n, struct arena *a,
                          struct body_value **out_value, struct problem *problem) MUST_USE;

#endif
