/* SPDX-License-Identifier: Apache-2.0 */
/* Chains that held: the leaf's key and when the whole chain is valid; the one not used for longest makes room. */
#ifndef SLUICE_CRYPTO_CHAIN_CACHE_H
#define SLUICE_CRYPTO_CHAIN_CACHE_H

#include <openssl/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/chain.h"
#include "crypto/sha256.h"

struct chain_entry {
    unsigned char id[SHA256_BYTES];
    EVP_PKEY *key;
    int64_t from_s, until_s; /* valid, the last one not included, as libcrypto has it */
    uint64_t used;           /* when last, in hits and additions */
};

struct chain_cache {
    pthread_mutex_t mutex;
    struct chain_entry entries[CHAIN_CACHE_MAX];
    size_t n, max;
    uint64_t clock, hits;
};

void chain_cache_init(struct chain_cache *cache, size_t max);
void chain_cache_done(struct chain_cache *cache);
/* False: it is not known. *out has a key of its own, which the caller frees. */
bool chain_cache_find(struct chain_cache *cache, const unsigned char id[SHA256_BYTES], struct chain_entry *out);
/* Takes a reference of the key. Remembers nothing where max is 0 or it is known already. */
void chain_cache_add(struct chain_cache *cache, const struct chain_entry *entry);
uint64_t chain_cache_hits(struct chain_cache *cache);

#endif
