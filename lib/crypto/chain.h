/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signers that prove themselves by two certificates under a pinned root: leaf <- intermediate <- root. Nothing else is
 * trusted and nothing is fetched; marker extensions say what the certificates are for. Chains that held are remembered:
 * checking one takes twenty-five times as long as the signature it is for.
 *
 * Invariants: only chains that held are remembered, and their validity is looked at each time; at most cache_max are.
 *
 * Thread: any, several at once.
 */
#ifndef SLUICE_CRYPTO_CHAIN_H
#define SLUICE_CRYPTO_CHAIN_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHAIN_CACHE_MAX 32

struct chain_rules {
    const char *leaf_oid; /* the leaf must have this extension, whatever is in it; "1.2.840.113635.100.6.29" */
    const char *ca_oid;   /* the intermediate this one */
    bool strict;          /* RFC 5280 to the letter, CAs on P-384; otherwise they may be on P-256 */
    bool rsa_leaf;        /* the leaf's key may be RSA of 2048 bits or more; otherwise it is on P-256 */
    size_t cache_max;     /* 0 remembers nothing */
};

enum chain_verdict {
    CHAIN_OK,
    CHAIN_INVALID, /* unreadable, not under the root, a wrong curve, a CA that is none, ... */
    CHAIN_OID,
    CHAIN_EXPIRED, /* one of the three is not valid at that time */
};

struct chain_der {
    const unsigned char *bytes;
    size_t n;
};

struct chain_trust;

/* root: PEM or DER. RC_FATAL with ERR_CONFIG: it is no certificate. */
enum rc chain_trust_create(const void *root, size_t n, const struct chain_rules *rules, struct chain_trust **out_trust,
                           struct err *err) MUST_USE;
struct chain_trust *chain_trust_free(struct chain_trust *trust); /* accepts NULL, returns NULL */
void chain_trust_freep(struct chain_trust **trust);
/* When the root is no longer valid, in seconds since 1970. */
int64_t chain_trust_until_s(const struct chain_trust *trust);
/* Can a chain under this root hold at all? NULL: yes; otherwise why not, static. */
const char *chain_trust_fault(const struct chain_trust *trust);
/* How often a chain was known already. */
uint64_t chain_trust_hits(struct chain_trust *trust);

/*
 * Does the chain hold at that time (seconds since 1970)? With CHAIN_OK *out_key is the leaf's key, counted: the caller
 * says EVP_PKEY_free. Otherwise *out_why is what is wrong, static.
 */
enum chain_verdict chain_check(struct chain_trust *trust, struct chain_der leaf, struct chain_der ca, int64_t at_s,
                               EVP_PKEY **out_key, const char **out_why);

#endif
