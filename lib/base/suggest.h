/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean ...?": the known word nearest to a mistyped one. */
#ifndef SLUICE_BASE_SUGGEST_H
#define SLUICE_BASE_SUGGEST_H

#include <stddef.h>

/* Words longer than this are never suggested and get no suggestion. */
#define SUGGEST_WORD_MAX 64

struct suggest {
    const char *word; /* what was typed */
    const char *best; /* nearest so far; NULL = none near enough */
    size_t distance;
};

/* A word is near when at most a third of it (at least one letter) has to change. */
void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *known); /* keeps the pointer */

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b; SUGGEST_WORD_MAX + 1 when too long.
 */
size_t suggest_distance(const char *a, const char *b);

#endif
