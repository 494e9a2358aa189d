/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: certificates and keys from files, PEM and DER. Claims: what is refused leaves nothing behind; a certificate
 * that is taken can be written, and read again as the same.
 */
#include <string.h>

#include "base/mem.h"
#include "channel/applepay_key.h"
#include "channel/ca.h"
#include "crypto/chain.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"
#include "fuzz.h"

#define PEM_MAX ((size_t)1 << 20)

static void certificate(const uint8_t *data, size_t n)
{
    CLEANUP(x509_freep) X509 *first = NULL;
    CLEANUP(x509_freep) X509 *second = NULL;
    CLEANUP(buf_done) struct buf pem;
    unsigned char hash[SHA256_BYTES];
    struct err err;
    int64_t from_s = 0;
    int64_t until_s = 0;
    buf_init(&pem, PEM_MAX);
    if (pem_certificate(data, n, &first, &err) != RC_OK) {
        CLAIM(first == NULL && err_is_config(&err));
        return;
    }
    (void)certificate_validity(first, &from_s, &until_s);
    (void)certificate_key_hash(first, hash);
    (void)applepay_merchant_hash(first, hash);
    if (ca_write_certificate(first, &pem, &err) == RC_OK) {
        CLAIM(pem_certificate(buf_str(&pem), pem.len, &second, &err) == RC_OK && X509_cmp(first, second) == 0);
    }
}

static void root(const uint8_t *data, size_t n)
{
    static const struct chain_rules RULES = {.leaf_oid = OID_APPSTORE_LEAF, .ca_oid = OID_APPSTORE_CA};
    CLEANUP(chain_trust_freep) struct chain_trust *trust = NULL;
    CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
    const char *why = NULL;
    struct err err;
    if (chain_trust_create(data, n, &RULES, &trust, &err) != RC_OK) {
        CLAIM(trust == NULL);
        return;
    }
    (void)chain_trust_fault(trust);
    const struct chain_der der = {data, n};
    CLAIM(chain_check(trust, der, der, 1700000000, &key, &why) != CHAIN_OK && why != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
    CLEANUP(ca_chain_done) struct ca_chain chain = {0};
    struct err err;
    certificate(data, size);
    root(data, size);
    CLAIM(pem_private_key((const char *)data, size, &key, &err) == RC_OK || key == NULL);
    CLAIM(ca_chain_read((const char *)data, size, &chain, &err) == RC_OK || chain.key == NULL);
    return 0;
}
