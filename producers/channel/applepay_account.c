/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an Apple Pay account, and says what is wrong or about to be. */
#include "channel/applepay_account.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "channel/apple.h"
#include "channel/applepay_key.h"
#include "channel/ca.h"
#include "channel/channels.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"

#define WINDOW_S_MAX 86400
#define RSA_BITS_LEAST 2048
#define MERCHANT_ID_MAX 255

void applepay_free(void *opaque)
{
    struct applepay_account *own = opaque;
    if (own != NULL) {
        EVP_PKEY_free(own->ec.key);
        EVP_PKEY_free(own->rsa.key);
        (void)chain_trust_free(own->trust);
        free(own);
    }
}

struct pair {
    const char *certificate, *key; /* file names */
};

struct members {
    const char *root, *merchant_id;
    struct pair ec, rsa;
};

static enum rc read_members(struct account_reader *r, struct applepay_account *own, struct members *m, struct err *err)
{
    own->window_s = APPLEPAY_WINDOW_S;
    m->root = account_path(r, "root_file", FIELD_REQUIRED);
    m->ec.certificate = account_path(r, "merchant_certificate_file", FIELD_REQUIRED);
    m->ec.key = account_path(r, "merchant_key_file", FIELD_REQUIRED);
    m->rsa.certificate = account_path(r, "rsa_certificate_file", FIELD_OPTIONAL);
    m->rsa.key = account_path(r, "rsa_key_file", FIELD_OPTIONAL);
    m->merchant_id = field_text(&r->fields, "merchant_id", FIELD_OPTIONAL, MERCHANT_ID_MAX, NULL, "the merchant's id");
    (void)field_int(&r->fields, "window_s", FIELD_OPTIONAL, 1, WINDOW_S_MAX, &own->window_s);
    TRY(account_members_end(r, err));
    if ((m->rsa.certificate == NULL) != (m->rsa.key == NULL)) {
        return account_fail(r, m->rsa.key == NULL ? "rsa_key_file" : "rsa_certificate_file", err,
                            "rsa_certificate_file and rsa_key_file go together, and one is missing");
    }
    return RC_OK;
}

static enum rc read_certificate(struct account_reader *r, const char *member, const char *path, X509 **out,
                                struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    TRY(account_file(r, member, path, false, &text, err));
    return pem_certificate(buf_str(&text), text.len, out, err) == RC_OK ? RC_OK : account_wrap(r, member, path, err);
}

static enum rc read_key(struct account_reader *r, const char *member, const char *path, EVP_PKEY **out, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    TRY(account_file(r, member, path, true, &text, err));
    enum rc rc = pem_private_key(buf_str(&text), text.len, out, err);
    account_wipe(&text);
    return rc == RC_OK ? RC_OK : account_wrap(r, member, path, err);
}

/* Certificate and key, which must belong together. names: their members. */
static enum rc read_pair(struct account_reader *r, const struct pair *names, const struct pair *paths,
                         struct applepay_processing *out, X509 **out_certificate, struct err *err)
{
    int64_t from_s = 0;
    TRY(read_certificate(r, names->certificate, paths->certificate, out_certificate, err));
    TRY(read_key(r, names->key, paths->key, &out->key, err));
    if (!certificate_key_hash(*out_certificate, out->key_hash) ||
        !certificate_validity(*out_certificate, &from_s, &out->until_s)) {
        return account_fail(r, names->certificate, err, "%s: expected a certificate with a key and dates",
                            paths->certificate);
    }
    if (EVP_PKEY_eq(X509_get0_pubkey(*out_certificate), out->key) != 1) {
        return account_fail(r, names->key, err, "%s is not the key of the certificate in %s", paths->key,
                            paths->certificate);
    }
    return RC_OK;
}

static enum rc read_ec(struct account_reader *r, const struct members *m, struct applepay_account *own, struct err *err)
{
    static const struct pair NAMES = {"merchant_certificate_file", "merchant_key_file"};
    CLEANUP(x509_freep) X509 *certificate = NULL;
    TRY(read_pair(r, &NAMES, &m->ec, &own->ec, &certificate, err));
    if (!pkey_is_on_curve(own->ec.key, "prime256v1")) {
        return account_fail(r, NAMES.key, err, "%s: expected a key on P-256", m->ec.key);
    }
    if (!applepay_merchant_hash(certificate, own->merchant_hash)) {
        return account_fail(r, NAMES.certificate, err,
                            "%s: expected a payment processing certificate, with the merchant's id in the extension "
                            "" OID_APPLEPAY_MERCHANT,
                            m->ec.certificate);
    }
    sha256_hex(own->merchant_hash, sizeof own->merchant_hash, own->merchant);
    return RC_OK;
}

static enum rc read_rsa(struct account_reader *r, const struct members *m, struct applepay_account *own,
                        struct err *err)
{
    static const struct pair NAMES = {"rsa_certificate_file", "rsa_key_file"};
    CLEANUP(x509_freep) X509 *certificate = NULL;
    TRY(read_pair(r, &NAMES, &m->rsa, &own->rsa, &certificate, err));
    if (!EVP_PKEY_is_a(own->rsa.key, "RSA") || EVP_PKEY_get_bits(own->rsa.key) < RSA_BITS_LEAST) {
        return account_fail(r, NAMES.key, err, "%s: expected an RSA key of %d bits or more", m->rsa.key,
                            RSA_BITS_LEAST);
    }
    return RC_OK;
}

static enum rc check_merchant_id(struct account_reader *r, const char *id, const struct applepay_account *own,
                                 struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    if (id == NULL) {
        return RC_OK;
    }
    sha256_of(id, strlen(id), hash);
    return memcmp(hash, own->merchant_hash, sizeof hash) == 0
               ? RC_OK
               : account_fail(r, "merchant_id", err, "the certificate is another merchant's");
}

static enum rc read_all(struct account_reader *r, struct applepay_account *own, struct err *err)
{
    struct members m = {0};
    TRY(read_members(r, own, &m, err));
    /* Apple asks for the path and the markers; of the form of its certificates it says nothing here. */
    const struct chain_rules rules = {.leaf_oid = OID_APPLEPAY_LEAF,
                                      .ca_oid = OID_APPLEPAY_CA,
                                      .rsa_leaf = m.rsa.key != NULL,
                                      .cache_max = CHAIN_CACHE_MAX};
    TRY(apple_read_root(r, m.root, &rules, &own->trust, err));
    TRY(read_ec(r, &m, own, err));
    TRY(check_merchant_id(r, m.merchant_id, own, err));
    return m.rsa.key == NULL ? RC_OK : read_rsa(r, &m, own, err);
}

enum rc applepay_read(struct account_reader *r, void **out_own, struct err *err)
{
    struct applepay_account *own = xcalloc(1, sizeof *own);
    enum rc rc = read_all(r, own, err);
    if (rc != RC_OK) {
        applepay_free(own);
        return rc;
    }
    *out_own = own;
    return RC_OK;
}

void applepay_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque)
{
    const struct applepay_account *own = account->own;
    apple_check_root(account, own->trust, now_s, say, opaque);
    account_check_until(account, "merchant_certificate_file", own->ec.until_s, now_s, say, opaque);
    if (own->rsa.key != NULL) {
        account_check_until(account, "rsa_certificate_file", own->rsa.until_s, now_s, say, opaque);
    }
}

int64_t applepay_expires_s(const struct account *account)
{
    const struct applepay_account *own = account->own;
    int64_t root_s = chain_trust_until_s(own->trust);
    return own->ec.until_s < root_s ? own->ec.until_s : root_s;
}
