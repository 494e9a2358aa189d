/* SPDX-License-Identifier: Apache-2.0 */
/* GnuTLS, which libmicrohttpd uses, says little about what is wrong with a pair; OpenSSL is here anyway. */
#include "http/tls_files.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/option.h"

#define SECURITY_BITS_MIN 112 /* RSA of 2,048 bits, EC of 224 */

static void x509p(X509 **x)
{
    X509_free(*x);
}

static void pkeyp(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void biop(BIO **bio)
{
    (void)BIO_free(*bio);
}

static int no_passphrase(char *out, int n, int writing, void *opaque)
{
    (void)out;
    (void)n;
    (void)writing;
    (void)opaque;
    return 0;
}

static enum rc wrong(const char *path, const char *what, struct err *err)
{
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: %s", path, what);
    return err_code(err, ERR_CONFIG);
}

/* All of the chain, so that a damaged one is not found out by clients. */
static X509 *parse_chain(const char *text, bool *out_whole)
{
    CLEANUP(biop) BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *first = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    size_t n = first == NULL ? 0 : 1;
    while (n > 0) {
        CLEANUP(x509p) X509 *next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (next == NULL) {
            break;
        }
        n++;
    }
    size_t begun = 0;
    for (const char *at = text; (at = strstr(at, "-----BEGIN ")) != NULL; at++) {
        begun++;
    }
    *out_whole = n == begun;
    return first;
}

static bool end_of(const X509 *x, int64_t *out_s)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1) {
        return false;
    }
    *out_s = (int64_t)timegm(&tm);
    return true;
}

enum rc tls_files_read(const char *cert_path, const char *key_path, struct tls_files *out, struct err *err)
{
    *out = (struct tls_files){0};
    if (config_read_file(cert_path, TLS_FILE_BYTES_MAX, &out->cert, err) != RC_OK) {
        return err_code(err, ERR_CONFIG);
    }
    TRY(config_read_secret(key_path, TLS_FILE_BYTES_MAX, &out->key, err));
    bool whole = false;
    CLEANUP(x509p) X509 *cert = parse_chain(out->cert, &whole);
    if (cert == NULL || !whole || !end_of(cert, &out->expires_s)) {
        return wrong(cert_path, "expected certificates in PEM form, that of the server first, and nothing else", err);
    }
    CLEANUP(biop) BIO *bio = BIO_new_mem_buf(out->key, -1);
    CLEANUP(pkeyp) EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (key == NULL) {
        return wrong(key_path, "expected a private key in PEM form, not encrypted", err);
    }
    if (X509_check_private_key(cert, key) != 1) {
        return wrong(key_path, "the key is not that of the certificate", err);
    }
    if (EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN) {
        return wrong(key_path, "the key is too short; expected RSA of 2048 bits or more, or EC", err);
    }
    return RC_OK;
}

void tls_files_done(struct tls_files *files)
{
    if (files->key != NULL) {
        OPENSSL_cleanse(files->key, strlen(files->key));
    }
    free(files->cert);
    free(files->key);
    *files = (struct tls_files){0};
}
