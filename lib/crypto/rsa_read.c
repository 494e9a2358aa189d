/* SPDX-License-Identifier: Apache-2.0 */
/* RSA keys from files: PEM, or the bare base64 that platforms show on their pages. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/base64.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"
#include "crypto/rsa_key.h"

static enum rc refuse(struct err *err, const char *why)
{
    ERR_clear_error();
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s", why);
    return err_code(err, ERR_CONFIG);
}

/* Blanks dropped, decoded. Heap memory of the caller, who knows its size to wipe it; NULL: no base64. */
static unsigned char *bare_der(const char *text, size_t n, size_t *out_n)
{
    char *packed = xcalloc(n + 1, 1);
    unsigned char *der = xcalloc(n + 1, 1);
    size_t packed_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0') {
            packed[packed_n++] = text[i];
        }
    }
    bool good = packed_n > 0 && base64_decode(packed, packed_n, der, n, out_n);
    OPENSSL_cleanse(packed, n);
    free(packed);
    if (!good) {
        OPENSSL_cleanse(der, n);
        free(der);
        return NULL;
    }
    return der;
}

/* ------------------------------------------------------------------------------------------------- certificates */

static bool serial_of(const X509 *x, char out[RSA_SERIAL_MAX])
{
    CLEANUP(bn_freep) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = number == NULL ? NULL : BN_bn2hex(number); /* whole bytes */
    bool good = hex != NULL && strlen(hex) < RSA_SERIAL_MAX;
    if (good) {
        memcpy(out, hex, strlen(hex) + 1);
    }
    OPENSSL_free(hex);
    return good;
}

static bool describe(const X509 *x, struct rsa_certificate *out)
{
    out->there = true;
    return serial_of(x, out->serial) && certificate_validity(x, &out->not_before_s, &out->not_after_s);
}

/* ------------------------------------------------------------------------------------------------------- keys */

/* Takes pkey in any case. */
static enum rc checked(EVP_PKEY *pkey, int bits_min, bool can_sign, struct rsa_key **out_key, struct err *err)
{
    int bits = EVP_PKEY_get_bits(pkey);
    bool rsa = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA;
    if (rsa && bits >= bits_min && bits <= RSA_BITS_MAX) {
        return rsa_key_new(pkey, can_sign, out_key, err);
    }
    EVP_PKEY_free(pkey);
    if (!rsa) {
        return refuse(err, "the key is not an RSA key");
    }
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "the RSA key has %d bits, expected %d to %d", bits, bits_min,
                  RSA_BITS_MAX);
    return err_code(err, ERR_CONFIG);
}

static EVP_PKEY *public_of_pem(const char *text, size_t n, struct rsa_certificate *out_cert, bool *out_sound)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(text, (int)n);
    CLEANUP(x509_freep) X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    if (x != NULL) {
        *out_sound = describe(x, out_cert);
        return X509_get_pubkey(x);
    }
    return bio == NULL || BIO_reset(bio) != 1 ? NULL : PEM_read_bio_PUBKEY(bio, NULL, pem_no_passphrase, NULL);
}

static EVP_PKEY *public_of_der(const char *text, size_t n)
{
    size_t der_n = 0;
    unsigned char *der = bare_der(text, n, &der_n);
    const unsigned char *at = der;
    EVP_PKEY *pkey = der == NULL ? NULL : d2i_PUBKEY(NULL, &at, (long)der_n);
    free(der);
    return pkey;
}

static enum rc read_public(const char *text, size_t n, int bits_min, struct rsa_key **out_key,
                           struct rsa_certificate *out_cert, struct err *err)
{
    struct rsa_certificate cert = {0};
    bool sound = true;
    EVP_PKEY *pkey = pem_is(text, n) ? public_of_pem(text, n, &cert, &sound) : public_of_der(text, n);
    if (pkey == NULL) {
        return refuse(err, "expected a certificate or a public key in PEM");
    }
    if (!sound) {
        EVP_PKEY_free(pkey);
        return refuse(err, "the certificate's serial number or times are malformed");
    }
    TRY(checked(pkey, bits_min, false, out_key, err));
    ERR_clear_error();
    *out_cert = cert;
    return RC_OK;
}

enum rc rsa_read_public(const char *text, size_t n, struct rsa_key **out_key, struct rsa_certificate *out_cert,
                        struct err *err)
{
    return read_public(text, n, RSA_BITS_MIN, out_key, out_cert, err);
}

enum rc rsa_read_public_weak(const char *text, size_t n, struct rsa_key **out_key, struct rsa_certificate *out_cert,
                             struct err *err)
{
    return read_public(text, n, RSA_BITS_WEAK, out_key, out_cert, err);
}

enum rc rsa_read_private(const char *text, size_t n, struct rsa_key **out_key, struct err *err)
{
    EVP_PKEY *pkey = NULL;
    if (pem_is(text, n)) {
        TRY(pem_private_key(text, n, &pkey, err));
    } else {
        size_t der_n = 0;
        unsigned char *der = bare_der(text, n, &der_n);
        const unsigned char *at = der;
        pkey = der == NULL ? NULL : d2i_AutoPrivateKey(NULL, &at, (long)der_n);
        if (der != NULL) {
            OPENSSL_cleanse(der, der_n);
        }
        free(der);
    }
    if (pkey == NULL) {
        return refuse(err, "expected a private key in PEM, without a passphrase");
    }
    TRY(checked(pkey, RSA_BITS_MIN, true, out_key, err));
    ERR_clear_error();
    return RC_OK;
}
