/* SPDX-License-Identifier: Apache-2.0 */
/* RSA keys and signatures, against libcrypto used in another way. */
#include "crypto/rsa.h"

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/base64.h"
#include "crypto/cert_roots.h"
#include "crypto/pem.h"
#include "support/test_keys.h"

#define SERIAL "00AB0C0D0E0F101112131415161718191A1B1C1D"
#define SERIAL_WRITTEN "AB0C0D0E0F101112131415161718191A1B1C1D" /* whole bytes: what the number is */

static struct rsa_key *public_of(const char *text, struct rsa_certificate *cert)
{
    struct err err = {0};
    struct rsa_key *key = NULL;
    cr_assert_eq(rsa_read_public(text, strlen(text), &key, cert, &err), RC_OK, "%s", err.text);
    return key;
}

static struct rsa_key *private_of(const char *text)
{
    struct err err = {0};
    struct rsa_key *key = NULL;
    cr_assert_eq(rsa_read_private(text, strlen(text), &key, &err), RC_OK, "%s", err.text);
    return key;
}

Test(rsa, others_signatures_are_verified_in_parts)
{
    EVP_PKEY *other = test_key(TEST_KEY_A);
    struct rsa_certificate cert;
    CLEANUP(freep) char *pem = test_public_pem(other);
    CLEANUP(freep) char *base64 = test_sign(other, "one, two", 8);
    CLEANUP(rsa_unrefp) struct rsa_key *key = public_of(pem, &cert);
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    size_t n = 0;
    const struct sha256_part parts[] = {{"one", 3}, {"", 0}, {", two", 5}};
    cr_assert(base64_decode(base64, strlen(base64), signature, sizeof signature, &n));
    cr_expect_eq(rsa_bits(key), 2048);
    cr_expect_not(cert.there);
    cr_expect(rsa_verify(key, parts, 3, signature, n));
    cr_expect(rsa_verify(key, parts, 3, signature, n), "as often as one likes");
    cr_expect_not(rsa_verify(key, parts, 2, signature, n));
    cr_expect_not(rsa_verify(key, parts, 3, signature, n - 1));
    cr_expect_not(rsa_verify(key, parts, 3, signature, 0));
    signature[0] ^= 1;
    cr_expect_not(rsa_verify(key, parts, 3, signature, n));
    EVP_PKEY_free(other);
}

Test(rsa, what_is_signed_here_others_verify)
{
    CLEANUP(rsa_unrefp) struct rsa_key *key = private_of(TEST_KEY_A);
    EVP_PKEY *other = test_key(TEST_KEY_A);
    struct err err = {0};
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    size_t n = 0;
    const struct sha256_part parts[] = {{"one", 3}, {", two", 5}};
    cr_assert(rsa_can_sign(key));
    cr_assert_eq(rsa_sign(key, parts, 2, signature, &n, &err), RC_OK);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, other), 1);
    cr_expect_eq(EVP_DigestVerify(ctx, signature, n, (const unsigned char *)"one, two", 8), 1);
    EVP_MD_CTX_free(ctx);
    CLEANUP(freep) char *pem = test_public_pem(other);
    struct rsa_certificate cert;
    CLEANUP(rsa_unrefp) struct rsa_key *public_key = public_of(pem, &cert);
    cr_expect_not(rsa_can_sign(public_key));
    cr_expect_eq(rsa_sign(public_key, parts, 2, signature, &n, &err), RC_FATAL);
    EVP_PKEY_free(other);
}

/* A signature under another scheme of the same key is none: PSS, and PKCS#1 over another digest. */
Test(rsa, padding_and_digest_are_pinned)
{
    static const struct {
        const char *digest;
        int padding;
    } ROWS[] = {{"SHA256", RSA_PKCS1_PSS_PADDING},
                {"SHA1", RSA_PKCS1_PADDING},
                {"MD5", RSA_PKCS1_PADDING},
                {"SHA512", RSA_PKCS1_PADDING}};
    EVP_PKEY *other = test_key(TEST_KEY_A);
    struct rsa_certificate cert;
    CLEANUP(freep) char *pem = test_public_pem(other);
    CLEANUP(rsa_unrefp) struct rsa_key *key = public_of(pem, &cert);
    const struct sha256_part part = {"text", 4};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
        size_t n = sizeof signature;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *how = NULL;
        cr_assert_eq(EVP_DigestSignInit_ex(ctx, &how, ROWS[i].digest, NULL, NULL, other, NULL), 1);
        cr_assert_eq(EVP_PKEY_CTX_set_rsa_padding(how, ROWS[i].padding), 1);
        cr_assert_eq(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)"text", 4), 1);
        cr_expect_not(rsa_verify(key, &part, 1, signature, n), "%s", ROWS[i].digest);
        EVP_MD_CTX_free(ctx);
    }
    EVP_PKEY_free(other);
}

Test(rsa, certificates_say_serial_and_times)
{
    EVP_PKEY *other = test_key(TEST_KEY_B);
    struct rsa_certificate cert;
    CLEANUP(freep) char *pem = test_certificate(other, SERIAL, 1500000000, 4102444800);
    CLEANUP(rsa_unrefp) struct rsa_key *key = public_of(pem, &cert);
    cr_expect(cert.there && key != NULL);
    cr_expect_str_eq(cert.serial, SERIAL_WRITTEN);
    cr_expect_eq(cert.not_before_s, 1500000000);
    cr_expect_eq(cert.not_after_s, 4102444800);
    CLEANUP(freep) char *absurd = test_certificate(other, "0", 0, 253402300799);
    CLEANUP(rsa_unrefp) struct rsa_key *second = public_of(absurd, &cert);
    cr_expect(second != NULL && cert.not_before_s == 0 && cert.not_after_s == 253402300799);
    EVP_PKEY_free(other);
}

Test(rsa, bare_base64_is_read_as_platforms_show_it)
{
    EVP_PKEY *other = test_key(TEST_KEY_A);
    struct rsa_certificate cert;
    CLEANUP(freep) char *bare = test_public_bare(other);
    CLEANUP(freep) char *spaced = xasprintf("%.64s\r\n%s\n", bare, bare + 64);
    CLEANUP(rsa_unrefp) struct rsa_key *key = public_of(spaced, &cert);
    cr_expect_eq(rsa_bits(key), 2048);
    EVP_PKEY_free(other);
}

Test(rsa, what_is_no_key_is_refused)
{
    EVP_PKEY *weak = test_key(TEST_KEY_WEAK);
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    CLEANUP(freep) char *weak_pem = test_public_pem(weak);
    CLEANUP(freep) char *ec_pem = test_public_pem(ec);
    CLEANUP(freep) char *cut = xstrndup(TEST_KEY_A, 400);
    const char *const bad[] = {"",
                               "\n",
                               "AAAA",
                               "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                               "-----BEGIN ",
                               weak_pem,
                               ec_pem,
                               cut,
                               TEST_KEY_WEAK};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err err = {0};
        struct rsa_key *key = NULL;
        struct rsa_certificate cert;
        cr_expect_eq(rsa_read_public(bad[i], strlen(bad[i]), &key, &cert, &err), RC_FATAL, "%zu", i);
        cr_expect(err_is_config(&err) && key == NULL);
        cr_expect_eq(rsa_read_private(bad[i], strlen(bad[i]), &key, &err), RC_FATAL, "%zu", i);
        cr_expect(err_is_config(&err) && key == NULL);
        cr_expect_null(strstr(err.text, "MII"), "no key in an error");
    }
    EVP_PKEY_free(weak);
    EVP_PKEY_free(ec);
}

/* Whoever asks for a passphrase after this, without a terminal, is given the right one. */
static void tell_passphrase(void)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "secret\n", 7), 7);
    cr_assert_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Nobody is asked for a passphrase on the terminal. */
Test(rsa, a_key_with_a_passphrase_is_refused)
{
    EVP_PKEY *other = test_key(TEST_KEY_A);
    struct err err = {0};
    struct rsa_key *key = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    cr_assert_eq(PEM_write_bio_PKCS8PrivateKey(bio, other, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
    long n = BIO_get_mem_data(bio, &text);
    tell_passphrase();
    cr_expect_eq(rsa_read_private(text, (size_t)n, &key, &err), RC_FATAL);
    BIO_free(bio);
    EVP_PKEY_free(other);
}

Test(rsa, a_certificate_with_a_passphrase_is_refused)
{
    struct err err = {0};
    struct rsa_key *key = NULL;
    struct rsa_certificate cert;
    struct cert_roots *roots = NULL;
    X509 *found = NULL;
    X509 *other = NULL;
    EVP_PKEY *pkey = test_key(TEST_KEY_A);
    CLEANUP(freep) char *open = test_certificate(pkey, SERIAL, 0, 1);
    cr_assert_eq(pem_certificate(open, strlen(open), &found, &err), RC_OK, "%s", err.text);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    cr_assert_eq(PEM_ASN1_write_bio((i2d_of_void *)i2d_X509, PEM_STRING_X509, bio, found, EVP_aes_256_cbc(),
                                    (const unsigned char *)"secret", 6, NULL, NULL),
                 1);
    size_t n = (size_t)BIO_get_mem_data(bio, &text);
    tell_passphrase();
    cr_expect_eq(cert_roots_read(text, n, &roots, &err), RC_FATAL);
    cr_expect_eq(pem_certificate(text, n, &other, &err), RC_FATAL);
    cr_expect_eq(rsa_read_public(text, n, &key, &cert, &err), RC_FATAL);
    BIO_free(bio);
    X509_free(found);
    EVP_PKEY_free(pkey);
}
