/* SPDX-License-Identifier: Apache-2.0 */
/* A table in which each account has one place, given by its hash. */
#include "account/known.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

struct entry {
    char *id; /* NULL = free */
    uint64_t slots;
    int seen;
};

struct known {
    uint64_t secret; /* ids come from outside */
    struct entry list[KNOWN_MAX];
};

struct known *known_create(void)
{
    struct known *k = xcalloc(1, sizeof(*k));

    k->secret = HASH_START ^ clock_random();
    return k;
}

struct known *known_free(struct known *k)
{
    if (k != NULL) {
        for (size_t i = 0; i < KNOWN_MAX; i++) {
            free(k->list[i].id);
        }
        free(k);
    }
    return NULL;
}

static struct entry *place(struct known *k, const char *id)
{
    uint64_t h = hash_bytes(k->secret, id, strlen(id));

    return &k->list[(h ^ (h >> 32)) % KNOWN_MAX];
}

static const struct entry *find(const struct known *k, const char *id)
{
    uint64_t h = hash_bytes(k->secret, id, strlen(id));
    const struct entry *e = &k->list[(h ^ (h >> 32)) % KNOWN_MAX];

    return e->id != NULL && strcmp(e->id, id) == 0 ? e : NULL;
}

void known_seen(struct known *k, const char *account_id)
{
    struct entry *e = place(k, account_id);

    if (e->id == NULL || strcmp(e->id, account_id) != 0) {
        free(e->id);
        *e = (struct entry){.id = xstrdup(account_id)};
    }
    e->seen += e->seen < KNOWN_AFTER ? 1 : 0;
}

void known_forget(struct known *k, const char *account_id)
{
    struct entry *e = place(k, account_id);

    if (e->id != NULL && strcmp(e->id, account_id) == 0) {
        free(e->id);
        *e = (struct entry){.id = NULL};
    }
}

bool known_without_limit(const struct known *k, const char *account_id)
{
    const struct entry *e = find(k, account_id);

    return e != NULL && e->seen >= KNOWN_AFTER;
}

bool known_slot(const struct known *k, const char *account_id, int slot)
{
    const struct entry *e = find(k, account_id);

    assert(slot >= 1 && slot < 64);
    return e != NULL && (e->slots & (UINT64_C(1) << slot)) != 0;
}

void known_slot_is_there(struct known *k, const char *account_id, int slot)
{
    struct entry *e = place(k, account_id);

    assert(slot >= 1 && slot < 64);
    if (e->id != NULL && strcmp(e->id, account_id) == 0) {
        e->slots |= UINT64_C(1) << slot;
    }
}
