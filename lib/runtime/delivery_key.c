/* SPDX-License-Identifier: Apache-2.0 */
/* Which records have to wait for an earlier one of the same key. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "runtime/delivery_internal.h"

struct key {
    struct key *next; /* in the bucket */
    uint64_t hash;
    struct delivery_task *head; /* under way or ready; its event holds the key's bytes */
    struct delivery_task *tail;
    int64_t n;        /* behind the head */
    int64_t since_ms; /* of the head */
};

/* With a secret start: keys come from outside, and nobody should be able to fill one bucket. */
static uint64_t hash_of(const struct delivery_task *t)
{
    uint64_t start = t->d->seed ^ (uint64_t)(uint32_t)t->event.partition * 0x9E3779B97F4A7C15U;
    uint64_t h = hash_bytes(start, t->event.key, t->event.key_len);

    return h ^ h >> 29;
}

static bool same(const struct key *k, const struct delivery_task *t, uint64_t hash)
{
    const struct delivery_event *e = &k->head->event;

    return k->hash == hash && e->partition == t->event.partition && e->key_len == t->event.key_len &&
           memcmp(e->key, t->event.key, e->key_len) == 0;
}

bool delivery_key_join(struct delivery_task *t)
{
    if (t->event.key == NULL) {
        return true;
    }
    uint64_t hash = hash_of(t);
    struct key **bucket = &t->d->keys[hash % KEY_BUCKETS];
    for (struct key *k = *bucket; k != NULL; k = k->next) {
        if (!same(k, t, hash)) {
            continue;
        }
        if (t->d->proc->parks_behind && k->n >= t->d->lim.key_records_max) {
            t->event.behind = true;
            return true;
        }
        k->n++;
        t->key = k;
        k->tail->key_next = t;
        k->tail = t;
        return false;
    }
    struct key *k = xcalloc(1, sizeof(*k));
    *k = (struct key){.next = *bucket, .hash = hash, .head = t, .tail = t, .since_ms = clock_mono_ms()};
    *bucket = k;
    t->key = k;
    return true;
}

struct delivery_task *delivery_key_leave(struct delivery_task *t)
{
    struct key *k = t->key;

    if (k == NULL) {
        return NULL;
    }
    assert(k->head == t);
    k->head = t->key_next;
    t->key = NULL;
    t->key_next = NULL;
    if (k->head != NULL) {
        k->n--;
        k->since_ms = clock_mono_ms();
        return k->head;
    }
    struct key **at = &t->d->keys[k->hash % KEY_BUCKETS];
    while (*at != k) {
        at = &(*at)->next;
    }
    *at = k->next;
    free(k);
    return NULL;
}

/* Walks all keys, of which there are at most as many as records held: for the tick, not for each turn. */
struct delivery_task *delivery_key_overdue(struct delivery *d, int64_t now)
{
    struct delivery_task *list = NULL;
    struct delivery_task **end = &list;

    for (size_t i = 0; d->proc->parks_behind && i < KEY_BUCKETS; i++) {
        for (struct key *k = d->keys[i]; k != NULL; k = k->next) {
            if (k->n == 0 || now - k->since_ms <= d->lim.key_wait_ms) {
                continue;
            }
            *end = k->head->key_next;
            k->head->key_next = NULL;
            k->tail = k->head;
            k->n = 0;
            for (; *end != NULL; end = &(*end)->key_next) {
                (*end)->key = NULL;
                (*end)->event.behind = true;
            }
        }
    }
    return list;
}

void delivery_key_clear(struct delivery *d)
{
    for (size_t i = 0; i < KEY_BUCKETS; i++) {
        while (d->keys[i] != NULL) {
            struct key *k = d->keys[i];
            d->keys[i] = k->next;
            free(k);
        }
    }
}
