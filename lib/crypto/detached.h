/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detached signatures in CMS (RFC 5652) by a signer who shows his two certificates: BER with indefinite lengths too, as
 * Apple writes it. The certificate whose chain was checked is the one that must have signed, there is one signature,
 * and no content travels along: "some certificate in there is genuine, and somebody in there has signed" is not enough.
 *
 * Thread: any.
 */
#ifndef SLUICE_CRYPTO_DETACHED_H
#define SLUICE_CRYPTO_DETACHED_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/chain.h"
#include "crypto/sha256.h"

enum detached_verdict {
    DETACHED_OK,
    DETACHED_MALFORMED, /* no CMS of the kind, or something behind it */
    DETACHED_LENGTH,    /* not exactly two certificates */
    DETACHED_CHAIN,     /* chain says which */
    DETACHED_WEAK,      /* a hash below SHA-256 */
    DETACHED_INVALID,   /* the signature does not hold, or is not the leaf's, or covers something else */
};

struct detached {
    enum chain_verdict chain;
    bool rsa;            /* the leaf's key is RSA; otherwise it is on P-256 */
    int64_t signed_at_s; /* what the signer says, since 1970 */
    const char *why;     /* of what is not DETACHED_OK, static */
};

/* Of the parts, one behind the other. at_s: when the chain must be valid, seconds since 1970. */
enum detached_verdict detached_verify(struct chain_trust *trust, const void *ber, size_t n,
                                      const struct sha256_part *parts, size_t n_parts, int64_t at_s,
                                      struct detached *out);

#endif
