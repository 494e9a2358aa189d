/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the files that accounts name. */
#include "crypto/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/openssl_own.h"
#include "crypto/sha256.h"

#define PEM_BEGIN "-----BEGIN "

static enum rc refused(struct err *err, const char *expected)
{
    ERR_clear_error();
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "expected %s", expected);
    return err_code(err, ERR_CONFIG);
}

bool pem_is(const char *text, size_t n)
{
    return memmem(text, n, PEM_BEGIN, strlen(PEM_BEGIN)) != NULL;
}

int pem_no_passphrase(char *out, int size, int writing, void *opaque)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)opaque;
    return -1;
}

enum rc pem_certificate(const void *text, size_t n, X509 **out_certificate, struct err *err)
{
    CLEANUP(x509_freep) X509 *certificate = NULL;
    const unsigned char *at = text;
    if (n > INT_MAX) {
        return refused(err, "a certificate in PEM or DER");
    }
    if (pem_is(text, n)) {
        CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(text, (int)n);
        certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    } else {
        certificate = d2i_X509(NULL, &at, (long)n);
        if (certificate != NULL && at != (const unsigned char *)text + n) {
            return refused(err, "one certificate in DER, and nothing behind it");
        }
    }
    if (certificate == NULL) {
        return refused(err, "a certificate in PEM or DER");
    }
    *out_certificate = certificate;
    certificate = NULL;
    return RC_OK;
}

enum rc pem_private_key(const char *text, size_t n, EVP_PKEY **out_key, struct err *err)
{
    CLEANUP(bio_freep) BIO *bio = n > INT_MAX ? NULL : BIO_new_mem_buf(text, (int)n);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, pem_no_passphrase, NULL);
    if (key == NULL) {
        return refused(err, "a private key in PEM, without a passphrase");
    }
    *out_key = key;
    return RC_OK;
}

static bool seconds_of(const ASN1_TIME *time, int64_t *out_s)
{
    struct tm tm;
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *out_s = (int64_t)timegm(&tm);
    return true;
}

bool certificate_validity(const X509 *certificate, int64_t *out_from_s, int64_t *out_until_s)
{
    return seconds_of(X509_get0_notBefore(certificate), out_from_s) &&
           seconds_of(X509_get0_notAfter(certificate), out_until_s);
}

bool certificate_key_hash(const X509 *certificate, unsigned char out[32])
{
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (n <= 0) {
        return false;
    }
    sha256_of(der, (size_t)n, out);
    return true;
}

bool pkey_is_on_curve(const EVP_PKEY *key, const char *curve)
{
    char name[64];
    size_t n = 0;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, name, sizeof name, &n) == 1 &&
           strcmp(name, curve) == 0;
}
