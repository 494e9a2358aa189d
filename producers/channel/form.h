/* SPDX-License-Identifier: Apache-2.0 */
/*
 * application/x-www-form-urlencoded over bytes as they came: `+` is a blank, %XX one byte, decoded exactly once and in
 * whatever charset they are. Narrower than browsers: a parameter twice, a NUL, a broken % and names of other characters
 * than A-Z a-z 0-9 . _ - are refused, for two readers must not see two things in one body.
 */
#ifndef SLUICE_CHANNEL_FORM_H
#define SLUICE_CHANNEL_FORM_H

#include "channel/channel.h"

#define FORM_PARAMS_MAX 128
#define FORM_NAME_MAX 64

/* Lives in the arena; a NUL behind the value, none in it. */
struct form_param {
    const char *name;
    const char *value;
    size_t value_n;
};

struct form {
    struct form_param params[FORM_PARAMS_MAX]; /* in the order of their names' bytes */
    size_t n;
};

/* OK, PARAM_DUP or BODY_MALFORMED. */
enum channel_reason form_parse(const void *body, size_t n, struct arena *arena, struct form *out, struct verdict *v);
/* NULL: there is none. */
const char *form_get(const struct form *form, const char *name);

#endif
