/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/wechat_cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"

static const char *const STATES[CERT_STATES_N] = {
    [CERT_PREPARING] = "preparing",
    [CERT_ACTIVE] = "active",
    [CERT_DEPRECATED] = "deprecated",
    [CERT_EXPIRED] = "expired",
};

const char *cert_state_name(enum cert_state state)
{
    return STATES[state];
}

/* ---------------------------------------------------------------------------------------------------- one */

static bool has_serial(const X509 *x509, const char *serial)
{
    CLEANUP(bn_freep) BIGNUM *own = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
    BIGNUM *named = NULL;
    size_t n = strlen(serial);
    bool same = n > 0 && n <= CERT_SERIAL_MAX && strspn(serial, "0123456789ABCDEFabcdef") == n &&
                BN_hex2bn(&named, serial) == (int)n && own != NULL && BN_cmp(own, named) == 0;
    BN_free(named);
    return same;
}

static enum rc check(const struct wechat_cert *cert, const char *serial, const struct cert_roots *roots, int64_t now_s,
                     struct err *err)
{
    const EVP_PKEY *key = X509_get0_pubkey(cert->x509);
    if (!has_serial(cert->x509, serial)) {
        FAIL(err, RC_REJECT, "the certificate has another serial number");
    }
    if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < RSA_BITS_MIN ||
        EVP_PKEY_get_bits(key) > RSA_BITS_MAX) {
        FAIL(err, RC_REJECT, "expected an RSA key of %d to %d bits", RSA_BITS_MIN, RSA_BITS_MAX);
    }
    if (cert->begins_s >= cert->ends_s) {
        FAIL(err, RC_REJECT, "the certificate ends before it begins");
    }
    int64_t day_s = now_s < cert->begins_s ? cert->begins_s : now_s; /* one that has not begun is wanted, too */
    day_s = day_s >= cert->ends_s ? cert->ends_s - 1 : day_s;        /* OpenSSL takes the last second for too late */
    if (roots != NULL && !cert_roots_lead_to(roots, cert->x509, day_s)) {
        FAIL(err, RC_REJECT, "the certificate does not come from the certificates in root_file");
    }
    return RC_OK;
}

enum rc wechat_cert_read(const char *pem, size_t n, const char *serial, const struct cert_roots *roots, int64_t now_s,
                         struct wechat_cert *out_cert, struct err *err)
{
    struct wechat_cert cert = {0};
    if (n > CERT_PEM_MAX) {
        FAIL(err, RC_REJECT, "the certificate has more than %zu bytes", CERT_PEM_MAX);
    }
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem, (int)n);
    cert.x509 = PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    X509 *second = cert.x509 == NULL ? NULL : PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    bool one = cert.x509 != NULL && second == NULL && certificate_validity(cert.x509, &cert.begins_s, &cert.ends_s);
    X509_free(second);
    ERR_clear_error();
    enum rc rc = one ? check(&cert, serial, roots, now_s, err)
                     : err_set(err, RC_REJECT, __FILE__, __LINE__, "expected one certificate in PEM");
    if (rc != RC_OK) {
        wechat_cert_done(&cert);
        return rc;
    }
    memcpy(cert.serial, serial, strlen(serial) + 1);
    *out_cert = cert;
    return RC_OK;
}

void wechat_cert_done(struct wechat_cert *cert)
{
    X509_free(cert->x509);
    *cert = (struct wechat_cert){0};
}

void wechat_cert_print(const struct wechat_cert *cert, struct buf *out)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio == NULL || PEM_write_bio_X509(bio, cert->x509) != 1) {
        abort(); /* out of memory */
    }
    long n = BIO_get_mem_data(bio, &text);
    (void)buf_add(out, text, (size_t)n);
}

enum rc wechat_cert_key(const struct wechat_cert *cert, struct rsa_key **out_key, struct err *err)
{
    CLEANUP(buf_done) struct buf pem;
    struct rsa_certificate unused;
    buf_init(&pem, 2 * CERT_PEM_MAX);
    wechat_cert_print(cert, &pem);
    return rsa_read_public(buf_str(&pem), pem.len, out_key, &unused, err);
}

/* ---------------------------------------------------------------------------------------------------- all */

void wechat_certs_done(struct wechat_certs *certs)
{
    for (size_t i = 0; i < certs->n; i++) {
        wechat_cert_done(&certs->all[i]);
    }
    certs->n = 0;
}

struct wechat_cert *wechat_certs_find(struct wechat_certs *certs, const char *serial)
{
    for (size_t i = 0; i < certs->n; i++) {
        if (strcmp(certs->all[i].serial, serial) == 0) {
            return &certs->all[i];
        }
    }
    return NULL;
}

enum cert_state wechat_certs_state(const struct wechat_certs *certs, const struct wechat_cert *cert, int64_t now_s)
{
    if (now_s > cert->ends_s) {
        return CERT_EXPIRED;
    }
    if (!cert->listed) {
        return CERT_DEPRECATED;
    }
    for (size_t i = 0; i < certs->n; i++) {
        if (certs->all[i].seen_s != 0 && certs->all[i].begins_s > cert->begins_s) {
            return CERT_DEPRECATED;
        }
    }
    return now_s < cert->begins_s || cert->seen_s == 0 ? CERT_PREPARING : CERT_ACTIVE;
}

static void drop(struct wechat_certs *certs, size_t i)
{
    wechat_cert_done(&certs->all[i]);
    certs->n--;
    memmove(&certs->all[i], &certs->all[i + 1], (certs->n - i) * sizeof certs->all[0]);
}

/* Of those that are no longer listed the one that ends first. False: all are listed. */
static bool drop_one(struct wechat_certs *certs)
{
    size_t first = certs->n;
    for (size_t i = 0; i < certs->n; i++) {
        if (!certs->all[i].listed && (first == certs->n || certs->all[i].ends_s < certs->all[first].ends_s)) {
            first = i;
        }
    }
    if (first == certs->n) {
        return false;
    }
    drop(certs, first);
    return true;
}

static bool mark_listed(struct wechat_certs *certs, struct wechat_certs *list)
{
    bool changed = false;
    for (size_t i = 0; i < certs->n; i++) {
        bool listed = wechat_certs_find(list, certs->all[i].serial) != NULL;
        changed = changed || listed != certs->all[i].listed;
        certs->all[i].listed = listed;
    }
    return changed;
}

bool wechat_certs_join(struct wechat_certs *certs, struct wechat_certs *list, bool whole, int64_t now_s)
{
    bool changed = whole && mark_listed(certs, list);
    for (size_t i = 0; i < list->n; i++) {
        struct wechat_cert *kept = wechat_certs_find(certs, list->all[i].serial);
        if (kept != NULL) {
            changed = changed || !kept->listed;
            kept->listed = true;
        } else if (list->all[i].ends_s + CERT_FORGET_S >= now_s && (certs->n < CERTS_MAX || drop_one(certs))) {
            list->all[i].listed = true;
            certs->all[certs->n++] = list->all[i];
            list->all[i] = (struct wechat_cert){0};
            changed = true;
        }
    }
    wechat_certs_done(list);
    return changed;
}

bool wechat_certs_forget(struct wechat_certs *certs, int64_t now_s)
{
    size_t before = certs->n;
    for (size_t i = certs->n; i > 0; i--) {
        if (certs->all[i - 1].ends_s + CERT_FORGET_S < now_s) {
            drop(certs, i - 1);
        }
    }
    return certs->n != before;
}
