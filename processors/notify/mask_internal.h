/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by mask.c (numbers) and mask_name.c (names). */
#ifndef SLUICE_NOTIFY_MASK_INTERNAL_H
#define SLUICE_NOTIFY_MASK_INTERNAL_H

#include <stdbool.h>

#include "notify/mask.h"

struct text {
    const char *s;
    size_t n;
};

/* Does the word stand at i? In any case of ASCII letters. */
bool mask_starts(struct text t, size_t i, const char *word);
/* Bytes of what nobody sees at i, or sees as a blank: blanks of all scripts, characters without width, controls, a byte
 * that is no UTF-8. 0: something else, or the end. */
size_t mask_blank_at(struct text t, size_t i);
/* Appends as it is, but controls and bytes that are no UTF-8, which become spaces. */
void mask_add(const char *s, size_t n, struct buf *out);
/* mask_name.c: the word at i with the name behind it. Returns what is behind both; i: there is none. */
size_t mask_name(struct text t, size_t i, struct buf *out);

#endif
