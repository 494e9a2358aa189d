/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets of requests: the path in segments, parameters, and which route of a table they mean.
 *
 * A pattern is "/v1/transfers/{id}/confirm": a segment is text or one {name}, which stands for exactly one segment that
 * is not empty. The path is cut at its slashes before it is decoded, so an id may contain %2F. "+" is a plus in
 * parameters too.
 */
#ifndef SLUICE_HTTP_ROUTE_H
#define SLUICE_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

#define TARGET_BYTES_MAX 4096
#define TARGET_SEGMENTS_MAX 16
#define TARGET_PARAMETERS_MAX 16
#define ROUTE_ALLOW_MAX 64

struct route_parameter {
    const char *name;
    const char *value; /* "" for a name without = */
};

/* Strings are decoded, valid UTF-8 without control characters, and live in the arena. */
struct route_target {
    const char *path; /* as it came, without parameters */
    const char *segments[TARGET_SEGMENTS_MAX];
    size_t n_segments;
    struct route_parameter parameters[TARGET_PARAMETERS_MAX];
    size_t n_parameters;
};

/* False: not an absolute path, a broken %, a byte that may not be, too long, too many parts, a parameter twice.
 * out->path is there in any case. */
bool route_target_parse(const char *text, struct arena *a, struct route_target *out);
/* NULL when it is not there. */
const char *route_parameter(const struct route_target *t, const char *name);

/* The first parameter that is not among names (ending with NULL; NULL = none are known); NULL when all of them are. */
const char *route_parameter_unknown(const struct route_target *t, const char *const *names);

/* Does the path fit the pattern? Ids are those of the segments that {name} stands for, in order; at most ids_max. */
bool route_match(const char *pattern, const struct route_target *t, const char **out_ids, size_t ids_max);
/* Position of {name} among the {}s of a pattern, -1 when it has none of that name. */
int route_id_index(const char *pattern, const char *name);

enum route_result { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/* What route_find looks at; the rows of the caller's table have it at their beginning. */
struct route_key {
    const char *method; /* GET stands for HEAD too */
    const char *pattern;
};

/*
 * Looks through n rows of row_size bytes, each of which begins with a struct route_key. ROUTE_FOUND: *out_index.
 * ROUTE_NO_METHOD: out_allow is the value of the header Allow.
 */
enum route_result route_find(const void *rows, size_t n, size_t row_size, const char *method,
                             const struct route_target *t, size_t *out_index, char out_allow[ROUTE_ALLOW_MAX]);

#endif
