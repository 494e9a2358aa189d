/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of words that stand for an enum's values. */
#ifndef SLUICE_BASE_NAMES_H
#define SLUICE_BASE_NAMES_H

#include <string.h>

/* The index of the name in the list of n; -1 where it is not there. */
static inline int names_find(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

#endif
