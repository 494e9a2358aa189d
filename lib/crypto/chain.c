/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto builds and checks the path; what it must look like besides is checked here. */
#include "crypto/chain.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/chain_cache.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"

#define LEAF_CURVE "prime256v1"
#define CA_CURVE "secp384r1"
#define CHAIN_LENGTH 3
#define RSA_LEAF_BITS_MIN 2048
/* No hash below SHA-256 and no key below 112 bits anywhere in the chain. */
#define SECURITY_LEVEL 2

struct chain_trust {
    struct chain_rules rules;
    X509 *root;
    X509_STORE *store; /* the root, and nothing else */
    ASN1_OBJECT *leaf_oid, *ca_oid;
    int64_t from_s, until_s; /* the root's */
    struct chain_cache cache;
};

struct chain_trust *chain_trust_free(struct chain_trust *trust)
{
    if (trust != NULL) {
        X509_free(trust->root);
        X509_STORE_free(trust->store);
        ASN1_OBJECT_free(trust->leaf_oid);
        ASN1_OBJECT_free(trust->ca_oid);
        chain_cache_done(&trust->cache);
        free(trust);
    }
    return NULL;
}

void chain_trust_freep(struct chain_trust **trust)
{
    *trust = chain_trust_free(*trust);
}

enum rc chain_trust_create(const void *root, size_t n, const struct chain_rules *rules, struct chain_trust **out_trust,
                           struct err *err)
{
    CLEANUP(chain_trust_freep) struct chain_trust *trust = xcalloc(1, sizeof *trust);
    trust->rules = *rules;
    chain_cache_init(&trust->cache, rules->cache_max);
    TRY(pem_certificate(root, n, &trust->root, err));
    if (!certificate_validity(trust->root, &trust->from_s, &trust->until_s)) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "expected a certificate with dates of validity");
        return err_code(err, ERR_CONFIG);
    }
    trust->store = X509_STORE_new();
    trust->leaf_oid = OBJ_txt2obj(rules->leaf_oid, 1);
    trust->ca_oid = OBJ_txt2obj(rules->ca_oid, 1);
    if (trust->store == NULL || trust->leaf_oid == NULL || trust->ca_oid == NULL ||
        X509_STORE_add_cert(trust->store, trust->root) != 1) {
        FAIL(err, RC_FATAL, "libcrypto does not take the root certificate");
    }
    *out_trust = trust;
    trust = NULL;
    return RC_OK;
}

int64_t chain_trust_until_s(const struct chain_trust *trust)
{
    return trust->until_s;
}

uint64_t chain_trust_hits(struct chain_trust *trust)
{
    return chain_cache_hits(&trust->cache);
}

static bool ca_curve_ok(const struct chain_trust *trust, const X509 *ca)
{
    const EVP_PKEY *key = X509_get0_pubkey(ca);
    return key != NULL &&
           (pkey_is_on_curve(key, CA_CURVE) || (!trust->rules.strict && pkey_is_on_curve(key, LEAF_CURVE)));
}

const char *chain_trust_fault(const struct chain_trust *trust)
{
    if (X509_check_ca(trust->root) == 0) {
        return "it is not the certificate of a CA";
    }
    return ca_curve_ok(trust, trust->root) ? NULL : "its key is not on P-384";
}

/* ---------------------------------------------------------------------------------------------------- checking */

/* A certificate and nothing behind it; NULL otherwise. */
static X509 *parse(struct chain_der der)
{
    const unsigned char *at = der.bytes;
    X509 *certificate = der.n > CERTIFICATE_BYTES_MAX ? NULL : d2i_X509(NULL, &at, (long)der.n);
    if (certificate != NULL && at != der.bytes + der.n) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static enum chain_verdict verdict_of(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return CHAIN_EXPIRED;
    default:
        return CHAIN_INVALID;
    }
}

/* Is it the path that was shown, up to the pinned root? Not, say, a leaf that the root has signed itself. */
static bool is_path(const struct chain_trust *trust, STACK_OF(X509) * path, const X509 *leaf, const X509 *ca)
{
    return sk_X509_num(path) == CHAIN_LENGTH && X509_cmp(sk_X509_value(path, 0), leaf) == 0 &&
           X509_cmp(sk_X509_value(path, 1), ca) == 0 && X509_cmp(sk_X509_value(path, 2), trust->root) == 0;
}

static enum chain_verdict check_path(struct chain_trust *trust, X509 *leaf, X509 *ca, int64_t at_s,
                                     const char **out_why)
{
    CLEANUP(x509_ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    CLEANUP(x509_stack_freep) STACK_OF(X509) *others = sk_X509_new_null();
    if (ctx == NULL || others == NULL || sk_X509_push(others, ca) < 1 ||
        X509_STORE_CTX_init(ctx, trust->store, leaf, others) != 1) {
        abort(); /* as base/mem.h */
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at_s);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    if (trust->rules.strict) {
        (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    }
    if (X509_verify_cert(ctx) != 1) {
        int error = X509_STORE_CTX_get_error(ctx);
        *out_why = X509_verify_cert_error_string(error);
        return verdict_of(error);
    }
    if (!is_path(trust, X509_STORE_CTX_get0_chain(ctx), leaf, ca)) {
        *out_why = "the path is not leaf, intermediate, root";
        return CHAIN_INVALID;
    }
    return CHAIN_OK;
}

static bool leaf_key_ok(const struct chain_trust *trust, const EVP_PKEY *key)
{
    bool rsa = trust->rules.rsa_leaf && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_LEAF_BITS_MIN;
    return rsa || pkey_is_on_curve(key, LEAF_CURVE);
}

static enum chain_verdict check_form(const struct chain_trust *trust, X509 *leaf, X509 *ca, const char **out_why)
{
    const EVP_PKEY *key = X509_get0_pubkey(leaf);
    if (key == NULL || !leaf_key_ok(trust, key)) {
        *out_why = "the leaf's key is not of the expected kind";
        return CHAIN_INVALID;
    }
    if (!ca_curve_ok(trust, ca) || !ca_curve_ok(trust, trust->root)) {
        *out_why = "a CA's key is not on P-384";
        return CHAIN_INVALID;
    }
    if (X509_get_ext_by_OBJ(leaf, trust->leaf_oid, -1) < 0) {
        *out_why = "the leaf does not have its marker extension";
        return CHAIN_OID;
    }
    if (X509_get_ext_by_OBJ(ca, trust->ca_oid, -1) < 0) {
        *out_why = "the intermediate does not have its marker extension";
        return CHAIN_OID;
    }
    return CHAIN_OK;
}

/* When all three are valid. */
static bool common_validity(const struct chain_trust *trust, const X509 *leaf, const X509 *ca, struct chain_entry *e)
{
    const X509 *const both[] = {leaf, ca};
    e->from_s = trust->from_s;
    e->until_s = trust->until_s;
    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        int64_t from = 0;
        int64_t until = 0;
        if (!certificate_validity(both[i], &from, &until)) {
            return false;
        }
        e->from_s = from > e->from_s ? from : e->from_s;
        e->until_s = until < e->until_s ? until : e->until_s;
    }
    return true;
}

static enum chain_verdict check_new(struct chain_trust *trust, struct chain_der leaf_der, struct chain_der ca_der,
                                    int64_t at_s, struct chain_entry *e, const char **out_why)
{
    CLEANUP(x509_freep) X509 *leaf = parse(leaf_der);
    CLEANUP(x509_freep) X509 *ca = parse(ca_der);
    if (leaf == NULL || ca == NULL || !common_validity(trust, leaf, ca, e)) {
        *out_why = leaf == NULL ? "the leaf is no certificate" : "the intermediate is no certificate";
        return CHAIN_INVALID;
    }
    enum chain_verdict verdict = check_path(trust, leaf, ca, at_s, out_why);
    if (verdict == CHAIN_OK) {
        verdict = check_form(trust, leaf, ca, out_why);
    }
    if (verdict == CHAIN_OK) {
        e->key = X509_get_pubkey(leaf);
        chain_cache_add(&trust->cache, e);
    }
    return verdict;
}

/* Lengths first: no two pairs look the same. */
static void identify(struct chain_der leaf, struct chain_der ca, unsigned char id[SHA256_BYTES])
{
    const struct sha256_part parts[] = {
        {&leaf.n, sizeof leaf.n}, {leaf.bytes, leaf.n}, {&ca.n, sizeof ca.n}, {ca.bytes, ca.n}};
    sha256_of_parts(parts, ARRAY_SIZE(parts), id);
}

enum chain_verdict chain_check(struct chain_trust *trust, struct chain_der leaf, struct chain_der ca, int64_t at_s,
                               EVP_PKEY **out_key, const char **out_why)
{
    struct chain_entry e = {0};
    unsigned char id[SHA256_BYTES];
    identify(leaf, ca, id);
    if (chain_cache_find(&trust->cache, id, &e)) {
        if (at_s < e.from_s || at_s >= e.until_s) {
            EVP_PKEY_free(e.key);
            *out_why = "a certificate of the chain is not valid at that time";
            return CHAIN_EXPIRED;
        }
        *out_key = e.key;
        return CHAIN_OK;
    }
    memcpy(e.id, id, sizeof id);
    enum chain_verdict verdict = check_new(trust, leaf, ca, at_s, &e, out_why);
    if (verdict == CHAIN_OK) {
        *out_key = e.key;
    } else {
        ERR_clear_error();
    }
    return verdict;
}
