/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's things for CLEANUP(): each takes a pointer to the handle and accepts NULL in it. */
#ifndef SLUICE_CRYPTO_OPENSSL_OWN_H
#define SLUICE_CRYPTO_OPENSSL_OWN_H

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#define OPENSSL_OWN(name, type, free_fn) \
    static inline void name(type **p)    \
    {                                    \
        free_fn(*p);                     \
        *p = NULL;                       \
    }

OPENSSL_OWN(x509_freep, X509, X509_free)
OPENSSL_OWN(x509_store_freep, X509_STORE, X509_STORE_free)
OPENSSL_OWN(x509_ctx_freep, X509_STORE_CTX, X509_STORE_CTX_free)
OPENSSL_OWN(x509_stack_freep, STACK_OF(X509), sk_X509_free)
OPENSSL_OWN(asn1_object_freep, ASN1_OBJECT, ASN1_OBJECT_free)
OPENSSL_OWN(pkey_freep, EVP_PKEY, EVP_PKEY_free)
OPENSSL_OWN(pkey_ctx_freep, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
OPENSSL_OWN(md_ctx_freep, EVP_MD_CTX, EVP_MD_CTX_free)
OPENSSL_OWN(ecdsa_sig_freep, ECDSA_SIG, ECDSA_SIG_free)
OPENSSL_OWN(cms_freep, CMS_ContentInfo, CMS_ContentInfo_free)
OPENSSL_OWN(bn_freep, BIGNUM, BN_free)
OPENSSL_OWN(bio_freep, BIO, BIO_free_all)

static inline void x509_stack_and_all_freep(STACK_OF(X509) * *p)
{
    sk_X509_pop_free(*p, X509_free);
    *p = NULL;
}

/* Bytes that libcrypto has allocated. */
static inline void openssl_bytes_freep(unsigned char **p)
{
    OPENSSL_free(*p);
    *p = NULL;
}

#endif
