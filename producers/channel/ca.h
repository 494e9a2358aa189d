/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA of one's own that looks like Apple's: for `sluice sign`, the demo and the tests. Nobody trusts it but accounts
 * whose root_file names its root.
 *
 * Thread: any.
 */
#ifndef SLUICE_CHANNEL_CA_H
#define SLUICE_CHANNEL_CA_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Markers of Apple's certificates. */
#define OID_APPSTORE_LEAF "1.2.840.113635.100.6.11.1"
#define OID_APPSTORE_CA "1.2.840.113635.100.6.2.1"
#define OID_APPLEPAY_LEAF "1.2.840.113635.100.6.29"
#define OID_APPLEPAY_CA "1.2.840.113635.100.6.2.14"
#define OID_APPLEPAY_MERCHANT "1.2.840.113635.100.6.32"

/* How one certificate is made. */
struct ca_certificate {
    const char *name; /* common name */
    EVP_PKEY *key;    /* whose it is; public is enough, except for a root */
    X509 *issuer;     /* NULL: it is a root */
    EVP_PKEY *issuer_key;
    int64_t from_s, until_s; /* valid, seconds since 1970 */
    bool ca;
    bool without_key_ids; /* as Apple's test CA: strict checking refuses it */
    const char *oid;      /* marker extension; NULL = none */
    const char *value;    /* its content, a UTF8String; NULL = ASN.1's NULL */
};
/* RC_FATAL: libcrypto refuses. The caller frees. */
enum rc ca_certificate_make(const struct ca_certificate *spec, X509 **out_certificate, struct err *err) MUST_USE;
/* A new key on the curve "P-256" or "P-384"; RSA of 2048 bits for "RSA". Aborts where libcrypto has none. */
EVP_PKEY *ca_key_make(const char *kind);

/* Who signs: leaf <- ca <- root, and the leaf's key. */
struct ca_chain {
    X509 *leaf, *ca, *root;
    EVP_PKEY *key;
};
enum ca_kind { CA_APPSTORE, CA_APPLEPAY, CA_APPLEPAY_RSA };
/* All keys are new; valid for ten years, from a day before now_s. */
enum rc ca_chain_make(enum ca_kind kind, int64_t now_s, struct ca_chain *out_chain, struct err *err) MUST_USE;
void ca_chain_done(struct ca_chain *chain); /* accepts one that is all zeros */
/* As text, to be kept and read again: the key, and the three certificates, in PEM. The text is secret. */
enum rc ca_chain_write(const struct ca_chain *chain, struct buf *out, struct err *err) MUST_USE;
/* RC_FATAL with ERR_CONFIG: it is not what ca_chain_write() writes. */
enum rc ca_chain_read(const char *text, size_t n, struct ca_chain *out_chain, struct err *err) MUST_USE;

/* A merchant's payment processing certificate, which has the hash of merchant_id in it; kind as of ca_key_make(). */
enum rc ca_merchant_make(const char *merchant_id, const char *kind, int64_t now_s, X509 **out_certificate,
                         EVP_PKEY **out_key, struct err *err) MUST_USE;

/* Appends PEM. */
enum rc ca_write_certificate(X509 *certificate, struct buf *out, struct err *err) MUST_USE;
enum rc ca_write_key(EVP_PKEY *key, struct buf *out, struct err *err) MUST_USE;

#endif
