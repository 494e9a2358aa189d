/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for strings: open addressing, growing by doubling up to the ceiling. */
#include "receiver/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define SLOTS_FIRST 1024

void names_init(struct names *set, size_t max)
{
    *set = (struct names){.max = max < UINT32_MAX ? max : UINT32_MAX - 1};
}

void names_clear(struct names *set)
{
    for (size_t i = 0; i < set->n; i++) {
        free(set->names[i]);
    }
    free(set->names);
    free(set->slot);
    names_init(set, set->max);
}

void names_done(struct names *set)
{
    names_clear(set);
}

static uint64_t hash_of(const char *s)
{
    uint64_t h = hash_bytes(HASH_START, s, strlen(s));
    return h ^ h >> 32;
}

/* The slot that has name, or the free one where it belongs. */
static uint32_t *find(const struct names *set, const char *name)
{
    size_t i = (size_t)hash_of(name) & (set->slots - 1);
    while (set->slot[i] != 0 && strcmp(set->names[set->slot[i] - 1], name) != 0) {
        i = (i + 1) & (set->slots - 1);
    }
    return &set->slot[i];
}

static void grow(struct names *set)
{
    free(set->slot);
    set->slots = set->slots == 0 ? SLOTS_FIRST : set->slots * 2;
    set->slot = xcalloc(set->slots, sizeof *set->slot);
    for (size_t i = 0; i < set->n; i++) {
        *find(set, set->names[i]) = (uint32_t)(i + 1);
    }
}

size_t names_add(struct names *set, const char *name)
{
    if ((set->n + 1) * 2 > set->slots) {
        grow(set);
    }
    uint32_t *slot = find(set, name);
    if (*slot != 0) {
        return *slot - 1;
    }
    if (set->n >= set->max) {
        return NAMES_NONE;
    }
    if (set->n == set->cap) {
        set->cap = set->cap == 0 ? SLOTS_FIRST : set->cap * 2;
        set->names = xrealloc(set->names, set->cap * sizeof *set->names);
    }
    set->names[set->n++] = xstrdup(name);
    *slot = (uint32_t)set->n;
    return set->n - 1;
}
