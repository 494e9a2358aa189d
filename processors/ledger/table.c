/* SPDX-License-Identifier: Apache-2.0 */
/* The table of strings: linear probing, at most half full. */
#include "ledger/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define PLACES_FIRST 256

void table_init(struct table *t, uint64_t seed)
{
    *t = (struct table){.seed = seed};
}

void table_done(struct table *t)
{
    free(t->places);
    free(t->all);
    *t = (struct table){.seed = t->seed};
}

void table_reset(struct table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        t->places[t->all[i]->place] = NULL;
    }
    t->n = 0;
}

/* Where the key is, or where it would go. */
static size_t place_of(const struct table *t, const char *key, uint64_t hash)
{
    size_t mask = t->places_n - 1;
    size_t at = (size_t)(hash ^ (hash >> 32)) & mask;
    for (; t->places[at] != NULL; at = (at + 1) & mask) {
        if (t->places[at]->hash == hash && strcmp(t->places[at]->key, key) == 0) {
            break;
        }
    }
    return at;
}

static void grow(struct table *t)
{
    free(t->places);
    t->places_n = t->places_n == 0 ? PLACES_FIRST : t->places_n * 2;
    t->places = xcalloc(t->places_n, sizeof *t->places);
    for (size_t i = 0; i < t->n; i++) {
        struct table_entry *e = t->all[i];
        e->place = place_of(t, e->key, e->hash);
        t->places[e->place] = e;
    }
}

void *table_find(const struct table *t, const char *key)
{
    if (t->n == 0) {
        return NULL;
    }
    return t->places[place_of(t, key, hash_bytes(t->seed, key, strlen(key)))];
}

void *table_get(struct table *t, struct arena *a, const char *key, size_t entry_bytes)
{
    if ((t->n + 1) * 2 > t->places_n) {
        grow(t);
    }
    size_t len = strlen(key);
    uint64_t hash = hash_bytes(t->seed, key, len);
    size_t at = place_of(t, key, hash);
    if (t->places[at] != NULL) {
        return t->places[at];
    }
    if (t->n == t->all_cap) {
        t->all_cap = t->all_cap == 0 ? PLACES_FIRST : t->all_cap * 2;
        t->all = xrealloc(t->all, t->all_cap * sizeof(struct table_entry *));
    }
    struct table_entry *e = arena_alloc(a, entry_bytes);
    memset(e, 0, entry_bytes);
    *e = (struct table_entry){.key = arena_strndup(a, key, len), .hash = hash, .place = at};
    t->places[at] = e;
    t->all[t->n++] = e;
    return e;
}
