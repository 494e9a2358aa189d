/* SPDX-License-Identifier: Apache-2.0 */
/* Chains under a pinned root: one that holds, and each way in which one does not. */
#include "crypto/chain.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "channel/apple_fixture.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"

static enum chain_verdict check(struct chain_trust *trust, X509 *leaf, X509 *ca, int64_t at_s)
{
    CLEANUP(openssl_bytes_freep) unsigned char *leaf_der = NULL;
    CLEANUP(openssl_bytes_freep) unsigned char *ca_der = NULL;
    CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
    const char *why = NULL;
    struct chain_der l = {.n = (size_t)i2d_X509(leaf, &leaf_der)};
    struct chain_der c = {.n = (size_t)i2d_X509(ca, &ca_der)};
    l.bytes = leaf_der;
    c.bytes = ca_der;
    enum chain_verdict verdict = chain_check(trust, l, c, at_s, &key, &why);
    cr_assert_eq(verdict == CHAIN_OK, key != NULL);
    cr_assert_eq(verdict == CHAIN_OK, why == NULL);
    cr_assert(key == NULL || EVP_PKEY_eq(key, X509_get0_pubkey(leaf)) == 1);
    return verdict;
}

static enum chain_verdict check_odd(const struct oddity *odd, bool strict)
{
    CLEANUP(authority_done) struct authority a;
    authority_make(CA_APPSTORE, odd, &a);
    CLEANUP(chain_trust_freep)
    struct chain_trust *trust = trust_in(a.chain.root, CA_APPSTORE, strict, false, CHAIN_CACHE_MAX);
    enum chain_verdict first = check(trust, a.chain.leaf, a.chain.ca, NOW);
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW), first, "the second time");
    cr_assert_eq(chain_trust_hits(trust), first == CHAIN_OK ? 1 : 0, "only what held is remembered");
    return first;
}

Test(chain, each_rule_of_its_own)
{
    static const struct {
        const char *what;
        struct oddity odd;
        enum chain_verdict strict, lenient;
    } rows[] = {
        {"good", {0}, CHAIN_OK, CHAIN_OK},
        {"a leaf on P-384", {.leaf_curve = "P-384"}, CHAIN_INVALID, CHAIN_INVALID},
        {"CAs on P-256", {.ca_curve = "P-256"}, CHAIN_INVALID, CHAIN_OK},
        {"CAs on P-521", {.ca_curve = "P-521"}, CHAIN_INVALID, CHAIN_INVALID},
        {"no key ids", {.without_key_ids = true}, CHAIN_INVALID, CHAIN_OK},
        {"a leaf by the root", {.leaf_by_root = true}, CHAIN_INVALID, CHAIN_INVALID},
        {"an intermediate that is no CA", {.ca_is_none = true}, CHAIN_INVALID, CHAIN_INVALID},
        {"no marker in the leaf", {.leaf_oid = ""}, CHAIN_OID, CHAIN_OID},
        {"another marker in the leaf", {.leaf_oid = OID_APPLEPAY_LEAF}, CHAIN_OID, CHAIN_OID},
        {"no marker in the intermediate", {.ca_oid = ""}, CHAIN_OID, CHAIN_OID},
        {"the leaf's marker in the intermediate", {.ca_oid = OID_APPSTORE_LEAF}, CHAIN_OID, CHAIN_OID},
        {"an expired leaf", {.leaf_until_s = NOW}, CHAIN_EXPIRED, CHAIN_EXPIRED},
        {"a leaf of tomorrow", {.leaf_from_s = NOW + 1}, CHAIN_EXPIRED, CHAIN_EXPIRED},
        {"an expired intermediate", {.ca_until_s = NOW}, CHAIN_EXPIRED, CHAIN_EXPIRED},
        {"the last second", {.leaf_until_s = NOW + 1}, CHAIN_OK, CHAIN_OK},
        {"the first second", {.leaf_from_s = NOW}, CHAIN_OK, CHAIN_OK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(check_odd(&rows[i].odd, true), rows[i].strict, "strict: %s", rows[i].what);
        cr_assert_eq(check_odd(&rows[i].odd, false), rows[i].lenient, "lenient: %s", rows[i].what);
    }
}

Test(chain, the_root_is_pinned_and_the_path_must_be_the_one_shown)
{
    CLEANUP(authority_done) struct authority a;
    CLEANUP(authority_done) struct authority b;
    authority_make(CA_APPSTORE, NULL, &a);
    authority_make(CA_APPSTORE, NULL, &b); /* the same names, other keys */
    CLEANUP(chain_trust_freep) struct chain_trust *trust = trust_in(a.chain.root, CA_APPSTORE, true, false, 8);
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(check(trust, b.chain.leaf, b.chain.ca, NOW), CHAIN_INVALID, "another root");
    cr_assert_eq(check(trust, b.chain.leaf, a.chain.ca, NOW), CHAIN_INVALID, "another's leaf");
    cr_assert_eq(check(trust, a.chain.leaf, b.chain.ca, NOW), CHAIN_INVALID, "another's intermediate");
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.root, NOW), CHAIN_INVALID, "the root as intermediate");
    cr_assert_eq(check(trust, a.chain.ca, a.chain.root, NOW), CHAIN_INVALID, "the intermediate as leaf");
    cr_assert_eq(check(trust, a.chain.ca, a.chain.leaf, NOW), CHAIN_INVALID, "turned round");
}

Test(chain, what_is_remembered_must_still_be_valid)
{
    CLEANUP(authority_done) struct authority a;
    authority_make(CA_APPSTORE, &(struct oddity){.ca_until_s = NOW + DAY}, &a);
    CLEANUP(chain_trust_freep) struct chain_trust *trust = trust_in(a.chain.root, CA_APPSTORE, true, false, 8);
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW + DAY - 1), CHAIN_OK, "the intermediate's last second");
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW + DAY), CHAIN_EXPIRED);
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW - 10 * (int64_t)DAY), CHAIN_OK, "the leaf's first second");
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW - 10 * (int64_t)DAY - 1), CHAIN_EXPIRED);
    cr_assert_eq(chain_trust_hits(trust), 4);
}

Test(chain, no_more_are_remembered_than_there_is_room_for)
{
    CLEANUP(authority_done) struct authority a;
    authority_make(CA_APPSTORE, NULL, &a);
    CLEANUP(chain_trust_freep) struct chain_trust *trust = trust_in(a.chain.root, CA_APPSTORE, true, false, 2);
    X509 *leaves[3];
    struct err err;
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        const struct ca_certificate spec = {.name = "leaf",
                                            .key = a.chain.key,
                                            .issuer = a.chain.ca,
                                            .issuer_key = a.ca_key,
                                            .from_s = NOW - DAY,
                                            .until_s = NOW + DAY,
                                            .oid = OID_APPSTORE_LEAF};
        cr_assert_eq(ca_certificate_make(&spec, &leaves[i], &err), RC_OK, "%s", err.text);
        cr_assert_eq(check(trust, leaves[i], a.chain.ca, NOW), CHAIN_OK);
    }
    cr_assert_eq(chain_trust_hits(trust), 0);
    cr_assert_eq(check(trust, leaves[1], a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(check(trust, leaves[2], a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(chain_trust_hits(trust), 2, "the last two are there");
    cr_assert_eq(check(trust, leaves[0], a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(chain_trust_hits(trust), 2, "the first one had to go");
    cr_assert_eq(check(trust, leaves[2], a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(chain_trust_hits(trust), 3, "the one used last has stayed");
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        X509_free(leaves[i]);
    }
}

struct worker {
    struct chain_trust *trust;
    const struct authority *authorities;
};

static void *work(void *opaque)
{
    const struct worker *w = opaque;
    for (int i = 0; i < 60; i++) {
        const struct ca_chain *c = &w->authorities[i % 3].chain;
        cr_assert_eq(check(w->trust, c->leaf, c->ca, NOW), i % 3 == 0 ? CHAIN_OK : CHAIN_INVALID);
    }
    return NULL;
}

Test(chain, several_threads_at_once)
{
    struct authority authorities[3];
    pthread_t threads[4];
    for (size_t i = 0; i < 3; i++) {
        authority_make(CA_APPSTORE, NULL, &authorities[i]);
    }
    CLEANUP(chain_trust_freep)
    struct chain_trust *trust = trust_in(authorities[0].chain.root, CA_APPSTORE, true, false, 1);
    struct worker worker = {trust, authorities};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &worker), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    cr_assert_geq(chain_trust_hits(trust), 76, "80 good ones, of which each thread's first may be new");
    for (size_t i = 0; i < 3; i++) {
        authority_done(&authorities[i]);
    }
}

Test(chain, what_is_no_certificate)
{
    CLEANUP(authority_done) struct authority a;
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    CLEANUP(freep) unsigned char *big = xcalloc(1, CERTIFICATE_BYTES_MAX + 1);
    EVP_PKEY *key = NULL;
    const char *why = NULL;
    authority_make(CA_APPSTORE, NULL, &a);
    CLEANUP(chain_trust_freep) struct chain_trust *trust = trust_in(a.chain.root, CA_APPSTORE, true, false, 8);
    int n = i2d_X509(a.chain.leaf, &der);
    unsigned char *ca = NULL;
    struct chain_der good_ca = {.n = (size_t)i2d_X509(a.chain.ca, &ca)};
    good_ca.bytes = ca;
    memcpy(big, der, (size_t)n);
    const struct chain_der rows[] = {{der, (size_t)n - 1},
                                     {big, (size_t)n + 1},
                                     {big, CERTIFICATE_BYTES_MAX + 1},
                                     {der, 0},
                                     {(const unsigned char *)"\x30\x84\xff\xff\xff\xff", 6}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(chain_check(trust, rows[i], good_ca, NOW, &key, &why), CHAIN_INVALID, "leaf %zu", i);
        cr_assert_eq(chain_check(trust, (struct chain_der){der, (size_t)n}, rows[i], NOW, &key, &why), CHAIN_INVALID,
                     "intermediate %zu", i);
    }
    OPENSSL_free(ca);
}

Test(chain, the_root_s_file_is_PEM_or_DER)
{
    CLEANUP(authority_done) struct authority a;
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    struct err err;
    struct chain_trust *trust = NULL;
    const struct chain_rules rules = {.leaf_oid = OID_APPSTORE_LEAF, .ca_oid = OID_APPSTORE_CA, .strict = true};
    authority_make(CA_APPSTORE, NULL, &a);
    int n = i2d_X509(a.chain.root, &der);
    cr_assert_eq(chain_trust_create(der, (size_t)n, &rules, &trust, &err), RC_OK, "%s", err.text);
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(check(trust, a.chain.leaf, a.chain.ca, NOW), CHAIN_OK);
    cr_assert_eq(chain_trust_hits(trust), 0, "a cache of none");
    cr_assert_null(chain_trust_fault(trust));
    cr_assert_eq(chain_trust_until_s(trust), NOW + 1000 * (int64_t)DAY);
    trust = chain_trust_free(trust);
    static const char *const bad[] = {"", "x", "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n",
                                      "-----BEGIN RSA PRIVATE KEY-----\n"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert_eq(chain_trust_create(bad[i], strlen(bad[i]), &rules, &trust, &err), RC_FATAL, "row %zu", i);
        cr_assert(err_is_config(&err));
    }
    cr_assert_eq(chain_trust_create(der, (size_t)n - 1, &rules, &trust, &err), RC_FATAL);
    cr_assert_null(trust);
}

Test(chain, a_root_that_can_hold_nothing_is_told)
{
    CLEANUP(authority_done) struct authority small;
    CLEANUP(authority_done) struct authority good;
    authority_make(CA_APPSTORE, &(struct oddity){.ca_curve = "P-256"}, &small);
    authority_make(CA_APPSTORE, NULL, &good);
    CLEANUP(chain_trust_freep) struct chain_trust *curve = trust_in(small.chain.root, CA_APPSTORE, true, false, 0);
    CLEANUP(chain_trust_freep) struct chain_trust *lenient = trust_in(small.chain.root, CA_APPSTORE, false, false, 0);
    CLEANUP(chain_trust_freep) struct chain_trust *leaf = trust_in(good.chain.leaf, CA_APPSTORE, true, false, 0);
    cr_assert_str_eq(chain_trust_fault(curve), "its key is not on P-384");
    cr_assert_null(chain_trust_fault(lenient));
    cr_assert_str_eq(chain_trust_fault(leaf), "it is not the certificate of a CA");
}

Test(chain, an_RSA_key_signs_only_where_it_may)
{
    CLEANUP(authority_done) struct authority a;
    authority_make(CA_APPLEPAY_RSA, NULL, &a);
    CLEANUP(chain_trust_freep) struct chain_trust *without = trust_in(a.chain.root, CA_APPLEPAY, true, false, 8);
    CLEANUP(chain_trust_freep) struct chain_trust *with = trust_in(a.chain.root, CA_APPLEPAY, true, true, 8);
    cr_assert_eq(check(without, a.chain.leaf, a.chain.ca, NOW), CHAIN_INVALID);
    cr_assert_eq(check(with, a.chain.leaf, a.chain.ca, NOW), CHAIN_OK);
}
