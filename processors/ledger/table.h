/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of strings of one batch, each with something behind it: open addressing, entries in the batch's arena and never
 * moved, listed in the order in which they came.
 *
 * An entry is a struct whose first member is a struct table_entry.
 */
#ifndef SLUICE_LEDGER_TABLE_H
#define SLUICE_LEDGER_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct table_entry {
    const char *key; /* in the arena */
    uint64_t hash;
    size_t place;
};

struct table {
    struct table_entry **places; /* NULL = free */
    size_t places_n;             /* a power of 2, or 0 */
    struct table_entry **all;
    size_t n, all_cap;
    uint64_t seed; /* a secret: keys come from outside */
};

void table_init(struct table *t, uint64_t seed);
void table_done(struct table *t);
/* Forgets all entries; the arena is the caller's to reset. */
void table_reset(struct table *t);
/* NULL: not there. */
void *table_find(const struct table *t, const char *key);
/* What is there, or a new entry of that size, zeroed but for its key. */
void *table_get(struct table *t, struct arena *a, const char *key, size_t entry_bytes);

#endif
