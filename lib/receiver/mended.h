/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that misbehave no more: those that begin with one of a few texts. */
#ifndef SLUICE_RECEIVER_MENDED_H
#define SLUICE_RECEIVER_MENDED_H

#include <stdbool.h>
#include <stddef.h>

#define MENDED_MAX 16
#define MENDED_BYTES_MAX 256 /* with its end */

struct mended {
    char begins[MENDED_MAX][MENDED_BYTES_MAX];
    size_t n;
};

/* False, and nothing is added: the list is full, the text is too long or does not begin with a slash. */
bool mended_add(struct mended *m, const char *begin);
bool mended_covers(const struct mended *m, const char *path);

#endif
