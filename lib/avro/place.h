/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a record a walk is, for messages: a list on the stack, innermost first. */
#ifndef SLUICE_AVRO_PLACE_H
#define SLUICE_AVRO_PLACE_H

#include <stddef.h>

struct place {
    const struct place *up;
    const char *name; /* field; NULL = an element of an array or map */
};

#define PLACE_PATH_MAX 128

/* "a.b[].c"; "value" for NULL; the outermost names are missing when it would be longer than the buffer. */
const char *place_path(const struct place *here, char out[PLACE_PATH_MAX]);

#endif
