/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up the files that were built in. */
#include "schemas/embedded.h"

#include <string.h>

const struct embedded *embedded_find(const struct embedded *files, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}
