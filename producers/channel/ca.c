/* SPDX-License-Identifier: Apache-2.0 */
/* Makes certificates with what Apple's have in them, and keeps them as PEM. */
#include "channel/ca.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"
#include "crypto/sha256.h"

#define DAY_S ((int64_t)86400)
#define VALID_S (3650 * DAY_S)

static enum rc refused(struct err *err, const char *what)
{
    ERR_clear_error();
    FAIL(err, RC_FATAL, "libcrypto does not make %s", what);
}

EVP_PKEY *ca_key_make(const char *kind)
{
    EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048) : EVP_EC_gen(kind);
    if (key == NULL) {
        abort();
    }
    return key;
}

/* ---------------------------------------------------------------------------------------------------- extensions */

static bool add_by_conf(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = extension != NULL && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool add_marker(X509 *x, const char *oid, const char *value)
{
    static const unsigned char NOTHING[] = {0x05, 0x00};
    unsigned char content[2 + 127];
    size_t n = value == NULL ? 0 : strlen(value);
    if (n > 127) {
        return false;
    }
    content[0] = 0x0c; /* UTF8String */
    content[1] = (unsigned char)n;
    memcpy(content + 2, value == NULL ? "" : value, n);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    CLEANUP(asn1_object_freep) ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    X509_EXTENSION *extension = NULL;
    bool good = octets != NULL && object != NULL &&
                ASN1_OCTET_STRING_set(octets, value == NULL ? NOTHING : content, (int)n + 2) == 1 &&
                (extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, octets)) != NULL &&
                X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
    return good;
}

static bool add_extensions(X509 *x, const struct ca_certificate *spec)
{
    X509 *issuer = spec->issuer == NULL ? x : spec->issuer;
    return add_by_conf(x, issuer, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_by_conf(x, issuer, NID_key_usage,
                       spec->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           (spec->without_key_ids || (add_by_conf(x, issuer, NID_subject_key_identifier, "hash") &&
                                      add_by_conf(x, issuer, NID_authority_key_identifier, "keyid:always"))) &&
           (spec->oid == NULL || add_marker(x, spec->oid, spec->value));
}

/* ---------------------------------------------------------------------------------------------------- certificates */

static bool set_serial(X509 *x)
{
    unsigned char bytes[8];
    CLEANUP(bn_freep) BIGNUM *number = NULL;
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    return number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
}

static bool set_name(X509 *x, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(x);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Not Apple Inc.", -1, -1,
                                      0) == 1;
}

static bool fill(X509 *x, const struct ca_certificate *spec)
{
    return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) && set_name(x, spec->name) &&
           X509_set_issuer_name(x, X509_get_subject_name(spec->issuer == NULL ? x : spec->issuer)) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(x), (time_t)spec->from_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)spec->until_s) != NULL && X509_set_pubkey(x, spec->key) == 1 &&
           add_extensions(x, spec);
}

enum rc ca_certificate_make(const struct ca_certificate *spec, X509 **out_certificate, struct err *err)
{
    EVP_PKEY *signing = spec->issuer == NULL ? spec->key : spec->issuer_key;
    CLEANUP(x509_freep) X509 *x = X509_new();
    const EVP_MD *md = pkey_is_on_curve(signing, "secp384r1") ? EVP_sha384() : EVP_sha256();
    if (x == NULL || !fill(x, spec) || X509_sign(x, signing, md) <= 0) {
        return refused(err, "the certificate");
    }
    *out_certificate = x;
    x = NULL;
    return RC_OK;
}

void ca_chain_done(struct ca_chain *chain)
{
    X509_free(chain->leaf);
    X509_free(chain->ca);
    X509_free(chain->root);
    EVP_PKEY_free(chain->key);
    *chain = (struct ca_chain){0};
}

enum rc ca_chain_make(enum ca_kind kind, int64_t now_s, struct ca_chain *out_chain, struct err *err)
{
    CLEANUP(ca_chain_done) struct ca_chain c = {.key = ca_key_make(kind == CA_APPLEPAY_RSA ? "RSA" : "P-256")};
    CLEANUP(pkey_freep) EVP_PKEY *root = ca_key_make("P-384");
    CLEANUP(pkey_freep) EVP_PKEY *ca = ca_key_make("P-384");
    bool store = kind == CA_APPSTORE;
    struct ca_certificate spec = {
        .name = "sluice test root", .key = root, .from_s = now_s - DAY_S, .until_s = now_s + VALID_S, .ca = true};
    TRY(ca_certificate_make(&spec, &c.root, err));
    spec.name = "sluice test intermediate";
    spec.key = ca;
    spec.issuer = c.root;
    spec.issuer_key = root;
    spec.oid = store ? OID_APPSTORE_CA : OID_APPLEPAY_CA;
    TRY(ca_certificate_make(&spec, &c.ca, err));
    spec.name = "sluice test signer";
    spec.key = c.key;
    spec.issuer = c.ca;
    spec.issuer_key = ca;
    spec.ca = false;
    spec.oid = store ? OID_APPSTORE_LEAF : OID_APPLEPAY_LEAF;
    TRY(ca_certificate_make(&spec, &c.leaf, err));
    *out_chain = c;
    c = (struct ca_chain){0};
    return RC_OK;
}

enum rc ca_merchant_make(const char *merchant_id, const char *kind, int64_t now_s, X509 **out_certificate,
                         EVP_PKEY **out_key, struct err *err)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = ca_key_make(kind);
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    sha256_of(merchant_id, strlen(merchant_id), hash);
    sha256_hex(hash, sizeof hash, hex);
    const struct ca_certificate spec = {.name = merchant_id,
                                        .key = key,
                                        .from_s = now_s - DAY_S,
                                        .until_s = now_s + VALID_S,
                                        .oid = OID_APPLEPAY_MERCHANT,
                                        .value = hex};
    TRY(ca_certificate_make(&spec, out_certificate, err));
    *out_key = key;
    key = NULL;
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- PEM */

static enum rc take(BIO *bio, bool good, struct buf *out, struct err *err)
{
    char *text = NULL;
    long n = good ? BIO_get_mem_data(bio, &text) : 0;
    if (n <= 0 || !buf_add(out, text, (size_t)n)) {
        return refused(err, "PEM of it");
    }
    return RC_OK;
}

enum rc ca_write_certificate(X509 *certificate, struct buf *out, struct err *err)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    return take(bio, bio != NULL && PEM_write_bio_X509(bio, certificate) == 1, out, err);
}

enum rc ca_write_key(EVP_PKEY *key, struct buf *out, struct err *err)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_secmem());
    return take(bio, bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, out, err);
}

enum rc ca_chain_write(const struct ca_chain *chain, struct buf *out, struct err *err)
{
    TRY(ca_write_key(chain->key, out, err));
    TRY(ca_write_certificate(chain->leaf, out, err));
    TRY(ca_write_certificate(chain->ca, out, err));
    return ca_write_certificate(chain->root, out, err);
}

enum rc ca_chain_read(const char *text, size_t n, struct ca_chain *out_chain, struct err *err)
{
    CLEANUP(ca_chain_done) struct ca_chain c = {0};
    CLEANUP(bio_freep) BIO *bio = NULL;
    TRY(pem_private_key(text, n, &c.key, err));
    bio = BIO_new_mem_buf(text, (int)n); /* its length was looked at */
    X509 **const certificates[] = {&c.leaf, &c.ca, &c.root};
    for (size_t i = 0; i < ARRAY_SIZE(certificates); i++) {
        *certificates[i] = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
        if (*certificates[i] == NULL) {
            ERR_clear_error();
            (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "expected a key and three certificates: leaf, CA, root");
            return err_code(err, ERR_CONFIG);
        }
    }
    if (X509_check_private_key(c.leaf, c.key) != 1) {
        ERR_clear_error();
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "the key is not that of the first certificate");
        return err_code(err, ERR_CONFIG);
    }
    *out_chain = c;
    c = (struct ca_chain){0};
    return RC_OK;
}
