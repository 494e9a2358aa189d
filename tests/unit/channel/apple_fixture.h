/* SPDX-License-Identifier: Apache-2.0 */
/* CAs, calls and verdicts for the tests of both Apple channels. Everything is made anew in each test's process. */
#ifndef SLUICE_TESTS_CHANNEL_APPLE_FIXTURE_H
#define SLUICE_TESTS_CHANNEL_APPLE_FIXTURE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "channel/account.h"
#include "channel/ca.h"
#include "channel/channel.h"
#include "crypto/chain.h"

#define NOW INT64_C(1700000000)
#define DAY 86400

/* A chain with the keys of its CAs, so that a test can make other certificates under them. */
struct authority {
    struct ca_chain chain;
    EVP_PKEY *root_key, *ca_key;
};
/* What may differ from a good one; zero is good. */
struct oddity {
    const char *leaf_curve, *ca_curve; /* "P-384" */
    const char *leaf_oid, *ca_oid;     /* "" = none */
    int64_t leaf_until_s, ca_until_s, leaf_from_s;
    bool without_key_ids, leaf_by_root, ca_is_none;
};
void authority_make(enum ca_kind kind, const struct oddity *odd, struct authority *out);
void authority_done(struct authority *a);

struct chain_trust *trust_in(X509 *root, enum ca_kind kind, bool strict, bool rsa, size_t cache_max);

/* One call; the verdict lives until the next one. */
const struct verdict *verdict_on(const struct account *account, const char *body, size_t n, int64_t now_s);
/* The verdict has this reason; and no reject is answered as a success. */
void expect_reason(enum channel channel, const struct verdict *v, enum channel_reason reason, const char *what);
void fixture_done(void);

#endif
