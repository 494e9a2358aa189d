/* SPDX-License-Identifier: Apache-2.0 */
/* Field paths for messages. */
#include "avro/place.h"

#include <stdbool.h>
#include <string.h>

const char *place_path(const struct place *here, char out[PLACE_PATH_MAX])
{
    size_t at = PLACE_PATH_MAX - 1;
    out[at] = '\0';
    for (; here != NULL; here = here->up) {
        const char *name = here->name != NULL ? here->name : "[]";
        size_t n = strlen(name);
        bool dot = out[at] != '\0' && out[at] != '[';
        if (at < n + 1) {
            break;
        }
        if (dot) {
            out[--at] = '.';
        }
        at -= n;
        memcpy(out + at, name, n);
    }
    return out[at] != '\0' ? out + at : "value";
}
