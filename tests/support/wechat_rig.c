/* SPDX-License-Identifier: Apache-2.0 */
#include "support/wechat_rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static EVP_PKEY *pkeys[RIG_KEYS_N];
static struct rsa_key *rsas[RIG_KEYS_N];
static EVP_PKEY *ca_keys[2];
static X509 *roots[2];

__attribute__((destructor)) static void forget(void)
{
    for (int i = 0; i < RIG_KEYS_N; i++) {
        EVP_PKEY_free(pkeys[i]);
        (void)rsa_unref(rsas[i]);
    }
    for (int i = 0; i < 2; i++) {
        EVP_PKEY_free(ca_keys[i]);
        X509_free(roots[i]);
    }
}

EVP_PKEY *rig_pkey(enum rig_key key)
{
    if (pkeys[key] == NULL) {
        pkeys[key] = EVP_RSA_gen(2048);
        cr_assert_not_null(pkeys[key]);
    }
    return pkeys[key];
}

const struct rsa_key *rig_rsa(enum rig_key key)
{
    struct err err = {0};
    if (rsas[key] == NULL) {
        CLEANUP(freep) char *pem = rig_private_pem(key);
        cr_assert_eq(rsa_read_private(pem, strlen(pem), &rsas[key], &err), RC_OK, "%s", err.text);
    }
    return rsas[key];
}

static X509 *make(EVP_PKEY *key, const char *name, const char *serial, int64_t begins_s, int64_t ends_s)
{
    X509 *x = X509_new();
    BIGNUM *number = NULL;
    X509_NAME *subject = X509_get_subject_name(x);
    cr_assert_gt(BN_hex2bn(&number, serial), 0);
    cr_assert_not_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)));
    BN_free(number);
    (void)X509_set_version(x, X509_VERSION_3);
    (void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    (void)ASN1_TIME_set(X509_getm_notBefore(x), (time_t)begins_s);
    (void)ASN1_TIME_set(X509_getm_notAfter(x), (time_t)ends_s);
    cr_assert_eq(X509_set_pubkey(x, key), 1);
    return x;
}

static void sign(X509 *x, enum rig_ca ca)
{
    cr_assert_eq(X509_set_issuer_name(x, X509_get_subject_name(roots[ca] == NULL ? x : roots[ca])), 1);
    cr_assert_gt(X509_sign(x, ca_keys[ca], EVP_sha256()), 0);
}

X509 *rig_root(enum rig_ca ca)
{
    if (roots[ca] == NULL) {
        ca_keys[ca] = EVP_EC_gen("P-256");
        X509 *root = make(ca_keys[ca], "sluice test root", ca == RIG_CA ? "01" : "02", RIG_NOW_S - 3650 * RIG_DAY_S,
                          RIG_NOW_S + 3650 * RIG_DAY_S);
        X509_EXTENSION *is_ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        cr_assert_eq(X509_add_ext(root, is_ca, -1), 1);
        X509_EXTENSION_free(is_ca);
        sign(root, ca);
        roots[ca] = root;
    }
    return roots[ca];
}

X509 *rig_certificate(enum rig_ca ca, EVP_PKEY *key, const char *serial, int64_t begins_s, int64_t ends_s)
{
    (void)rig_root(ca);
    X509 *x = make(key, "sluice test platform", serial, begins_s, ends_s);
    sign(x, ca);
    return x;
}

/* ---------------------------------------------------------------------------------------------------- PEM */

static char *text_of(BIO *bio, int written)
{
    char *text = NULL;
    cr_assert_eq(written, 1);
    long n = BIO_get_mem_data(bio, &text);
    char *copy = xstrndup(text, (size_t)n);
    BIO_free(bio);
    return copy;
}

char *rig_certificate_pem(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of(bio, PEM_write_bio_X509(bio, certificate));
}

char *rig_public_pem(enum rig_key key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of(bio, PEM_write_bio_PUBKEY(bio, rig_pkey(key)));
}

char *rig_private_pem(enum rig_key key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of(bio, PEM_write_bio_PrivateKey(bio, rig_pkey(key), NULL, NULL, 0, NULL, NULL));
}

/* ---------------------------------------------------------------------------------------------------- files */

char *rig_directory(void)
{
    char *name = xstrdup("/tmp/sluice-rig-XXXXXX");
    cr_assert_not_null(mkdtemp(name));
    return name;
}

static void remove_all(const char *directory)
{
    DIR *d = opendir(directory);
    for (struct dirent *e = NULL; d != NULL && (e = readdir(d)) != NULL;) {
        CLEANUP(freep) char *path = xasprintf("%s/%s", directory, e->d_name);
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            remove_all(path);
        } else {
            (void)unlink(path);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    (void)rmdir(directory);
}

void rig_directory_remove(char *directory)
{
    if (directory != NULL) {
        remove_all(directory);
        free(directory);
    }
}

void rig_write(const char *directory, const char *name, const char *text)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", directory, name);
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(close(fd), 0);
}

struct accounts *rig_accounts(const char *directory, const char *json)
{
    struct accounts *accounts = NULL;
    struct err err = {0};
    CLEANUP(freep) char *path = xasprintf("%s/accounts.json", directory);
    CLEANUP(freep) char *merchant = rig_private_pem(RIG_KEY_A);
    rig_write(directory, "merchant.pem", merchant);
    rig_write(directory, "apiv3.key", RIG_APIV3_KEY "\n");
    rig_write(directory, "accounts.json", json);
    cr_assert_eq(accounts_read(path, &accounts, &err), RC_OK, "%s", err.text);
    return accounts;
}
