/* SPDX-License-Identifier: Apache-2.0 */
/* So few that looking at all of them is quicker than hashing. */
#include "crypto/chain_cache.h"

#include <openssl/evp.h>
#include <string.h>

void chain_cache_init(struct chain_cache *cache, size_t max)
{
    *cache = (struct chain_cache){.max = max < CHAIN_CACHE_MAX ? max : CHAIN_CACHE_MAX};
    (void)pthread_mutex_init(&cache->mutex, NULL);
}

void chain_cache_done(struct chain_cache *cache)
{
    for (size_t i = 0; i < cache->n; i++) {
        EVP_PKEY_free(cache->entries[i].key);
    }
    (void)pthread_mutex_destroy(&cache->mutex);
}

/* With the mutex. NULL: there is none. */
static struct chain_entry *known(struct chain_cache *cache, const unsigned char id[SHA256_BYTES])
{
    for (size_t i = 0; i < cache->n; i++) {
        if (memcmp(cache->entries[i].id, id, SHA256_BYTES) == 0) {
            return &cache->entries[i];
        }
    }
    return NULL;
}

bool chain_cache_find(struct chain_cache *cache, const unsigned char id[SHA256_BYTES], struct chain_entry *out)
{
    (void)pthread_mutex_lock(&cache->mutex);
    struct chain_entry *entry = known(cache, id);
    bool found = entry != NULL && EVP_PKEY_up_ref(entry->key) == 1;
    if (found) {
        entry->used = ++cache->clock;
        cache->hits++;
        *out = *entry;
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    return found;
}

/* With the mutex: a free place, or that of the entry which was not used for longest. */
static struct chain_entry *place(struct chain_cache *cache)
{
    if (cache->n < cache->max) {
        return &cache->entries[cache->n++];
    }
    struct chain_entry *oldest = &cache->entries[0];
    for (size_t i = 1; i < cache->n; i++) {
        oldest = cache->entries[i].used < oldest->used ? &cache->entries[i] : oldest;
    }
    EVP_PKEY_free(oldest->key);
    return oldest;
}

void chain_cache_add(struct chain_cache *cache, const struct chain_entry *entry)
{
    (void)pthread_mutex_lock(&cache->mutex);
    if (cache->max > 0 && known(cache, entry->id) == NULL && EVP_PKEY_up_ref(entry->key) == 1) {
        struct chain_entry *to = place(cache);
        *to = *entry;
        to->used = ++cache->clock;
    }
    (void)pthread_mutex_unlock(&cache->mutex);
}

uint64_t chain_cache_hits(struct chain_cache *cache)
{
    (void)pthread_mutex_lock(&cache->mutex);
    uint64_t hits = cache->hits;
    (void)pthread_mutex_unlock(&cache->mutex);
    return hits;
}
