/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of UUIDs with open addressing, never more than half full. */
#include "dlq/deaths.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SLOTS_FIRST ((size_t)1024)

struct slot {
    uint64_t high, low; /* the UUID's bits */
    int64_t n;          /* 0 = empty */
};

struct deaths {
    struct slot *slots;
    size_t n_slots; /* a power of two */
    size_t used;
};

struct deaths *deaths_create(void)
{
    struct deaths *d = xcalloc(1, sizeof(*d));
    d->n_slots = SLOTS_FIRST;
    d->slots = xcalloc(d->n_slots, sizeof(*d->slots));
    return d;
}

void deaths_free(struct deaths *d)
{
    if (d != NULL) {
        free(d->slots);
        free(d);
    }
}

void deaths_freep(struct deaths **d)
{
    deaths_free(*d);
    *d = NULL;
}

static void read_uuid(const char *text, struct slot *out)
{
    uint64_t words[2] = {0, 0};
    for (int digits = 0; *text != '\0' && digits < 32; text++) {
        if (*text == '-') {
            continue;
        }
        int lower = *text | 0x20;
        unsigned v = (unsigned)(lower >= 'a' ? lower - 'a' + 10 : *text - '0') & 15U;
        words[digits / 16] = words[digits / 16] << 4 | v;
        digits++;
    }
    *out = (struct slot){.high = words[0], .low = words[1]};
}

/* Where it is, or the empty slot where it would be. Ids may be chosen by writers, so all bits are mixed. */
static struct slot *find(const struct deaths *d, const struct slot *key)
{
    uint64_t h = (key->high ^ key->low * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    size_t at = (size_t)(h ^ h >> 31) & (d->n_slots - 1);
    while (d->slots[at].n != 0 && (d->slots[at].high != key->high || d->slots[at].low != key->low)) {
        at = (at + 1) & (d->n_slots - 1);
    }
    return &d->slots[at];
}

static void grow(struct deaths *d)
{
    struct slot *old = d->slots;
    size_t n_old = d->n_slots;
    d->n_slots *= 2;
    d->slots = xcalloc(d->n_slots, sizeof(*d->slots));
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].n != 0) {
            *find(d, &old[i]) = old[i];
        }
    }
    free(old);
}

int64_t deaths_add(struct deaths *d, const char *event_id)
{
    struct slot key;
    read_uuid(event_id, &key);
    struct slot *at = find(d, &key);
    if (at->n == 0) {
        if (d->used >= DEATHS_EVENTS_MAX) {
            return 0;
        }
        if (2 * (d->used + 1) > d->n_slots) {
            grow(d);
            at = find(d, &key);
        }
        *at = key;
        d->used++;
    }
    return ++at->n;
}

int64_t deaths_of(const struct deaths *d, const char *event_id)
{
    struct slot key;
    read_uuid(event_id, &key);
    return find(d, &key)->n;
}
