/* SPDX-License-Identifier: Apache-2.0 */
/* Each key holds contexts that are ready for use; a signature takes a copy of one, nothing is looked up by name. */
#include "crypto/rsa.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/rsa_key.h"

struct rsa_key {
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *verify, *sign; /* sign: NULL for a public key */
    atomic_uint refs;
};

struct rsa_key *rsa_ref(struct rsa_key *key)
{
    (void)atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

struct rsa_key *rsa_unref(struct rsa_key *key)
{
    if (key != NULL && atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) == 1) {
        EVP_PKEY_CTX_free(key->verify);
        EVP_PKEY_CTX_free(key->sign);
        EVP_PKEY_free(key->pkey);
        free(key);
    }
    return NULL;
}

void rsa_unrefp(struct rsa_key **key)
{
    *key = rsa_unref(*key);
}

unsigned rsa_bits(const struct rsa_key *key)
{
    return (unsigned)EVP_PKEY_get_bits(key->pkey);
}

bool rsa_can_sign(const struct rsa_key *key)
{
    return key->sign != NULL;
}

static EVP_PKEY_CTX *prepared(EVP_PKEY *pkey, const EVP_MD *md, int (*init)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (ctx != NULL && init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(ctx, md) == 1) {
        return ctx;
    }
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

enum rc rsa_key_new(EVP_PKEY *pkey, bool can_sign, struct rsa_key **out_key, struct err *err)
{
    struct rsa_key *key = xcalloc(1, sizeof *key);
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    key->refs = 1;
    key->pkey = pkey;
    key->verify = prepared(pkey, md, EVP_PKEY_verify_init);
    key->sign = can_sign ? prepared(pkey, md, EVP_PKEY_sign_init) : NULL;
    EVP_MD_free(md); /* the contexts hold their own */
    if (key->verify == NULL || (can_sign && key->sign == NULL)) {
        (void)rsa_unref(key);
        FAIL(err, RC_FATAL, "libcrypto does not take the key for SHA-256 with RSA");
    }
    *out_key = key;
    return RC_OK;
}

bool rsa_verify(const struct rsa_key *key, const struct sha256_part *parts, size_t n_parts, const void *signature,
                size_t signature_n)
{
    unsigned char digest[SHA256_BYTES];
    sha256_of_parts(parts, n_parts, digest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(key->verify);
    if (ctx == NULL) { /* as base/mem.h */
        abort();
    }
    bool good = EVP_PKEY_verify(ctx, signature, signature_n, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

enum rc rsa_sign(const struct rsa_key *key, const struct sha256_part *parts, size_t n_parts, void *out_signature,
                 size_t *out_n, struct err *err)
{
    unsigned char digest[SHA256_BYTES];
    if (key->sign == NULL) {
        FAIL(err, RC_FATAL, "a public key does not sign");
    }
    sha256_of_parts(parts, n_parts, digest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(key->sign);
    *out_n = RSA_SIGNATURE_BYTES_MAX;
    bool good = ctx != NULL && EVP_PKEY_sign(ctx, out_signature, out_n, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!good) {
        FAIL(err, RC_FATAL, "libcrypto does not sign with this key");
    }
    return RC_OK;
}
