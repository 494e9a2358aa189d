/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The number by which Alipay names certificates: MD5 over the issuer as RFC 2253 writes it, and the serial number in
 * decimal digits. MD5 protects nothing here: whoever finds another certificate with the same number does not get it
 * into the accounts file.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/mem.h"
#include "channel/alipay_account.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"
#include "crypto/sha256.h"

#define MD5_BYTES 16

static bool write_serial(BIO *to, const X509 *x)
{
    CLEANUP(bn_freep) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *text = number == NULL ? NULL : BN_bn2dec(number);
    bool good = text != NULL && BIO_puts(to, text) > 0;
    OPENSSL_free(text);
    return good;
}

static bool md5_hex(const void *bytes, size_t n, char out[ALIPAY_SN_BYTES])
{
    unsigned char digest[MD5_BYTES];
    size_t digest_n = 0;
    if (EVP_Q_digest(NULL, "MD5", NULL, bytes, n, digest, &digest_n) != 1 || digest_n != MD5_BYTES) {
        return false; /* a libcrypto without MD5 */
    }
    sha256_hex(digest, sizeof digest, out);
    return true;
}

bool alipay_sn(const char *pem, size_t n, char out[ALIPAY_SN_BYTES])
{
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem, (int)n);
    CLEANUP(bio_freep) BIO *text = BIO_new(BIO_s_mem());
    CLEANUP(x509_freep) X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    ERR_clear_error();
    if (x == NULL || text == NULL) {
        return false;
    }
    unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    if (X509_NAME_print_ex(text, X509_get_issuer_name(x), 0, form) < 0 || !write_serial(text, x)) {
        return false;
    }
    char *all = NULL;
    long all_n = BIO_get_mem_data(text, &all);
    return all_n > 0 && md5_hex(all, (size_t)all_n, out);
}
