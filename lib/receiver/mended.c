/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are mended. */
#include "receiver/mended.h"

#include <string.h>

bool mended_add(struct mended *m, const char *begin)
{
    size_t n = strlen(begin);

    if (m->n == MENDED_MAX || n >= MENDED_BYTES_MAX || begin[0] != '/') {
        return false;
    }
    memcpy(m->begins[m->n++], begin, n + 1);
    return true;
}

bool mended_covers(const struct mended *m, const char *path)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strncmp(path, m->begins[i], strlen(m->begins[i])) == 0) {
            return true;
        }
    }
    return false;
}
