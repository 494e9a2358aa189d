/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice sign init`: keys and certificates of one's own for every channel, and the accounts that verify with them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "carrier/carrier.h"
#include "channel/ca.h"
#include "commands.h"
#include "crypto/openssl_own.h"
#include "crypto/rsa.h"
#include "file.h"
#include "gateway/raw_keys.h"
#include "sign_channel.h"

#define VALID_S ((int64_t)3650 * 86400)
#define DAY_S ((int64_t)86400)
#define MCHID "1900000001"
#define APPID "wx0000000000000001"
#define ALIPAY_APP_ID "2021000000000001"
#define ALIPAY_SELLER_ID "2088000000000001"
#define BUNDLE_ID "com.example.game1"
#define APPLE_ID 1000000001
#define MERCHANT_ID "merchant.com.example.shop1"

struct kit {
    const char *directory;
    int64_t now_s;
    char wechat_serial[RSA_SERIAL_MAX];
};

/* DIRECTORY/name, which is new; 0600 and wiped from memory, whether it is a secret or not. */
static enum rc put(const struct kit *k, const char *name, struct buf *text, struct err *err)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", k->directory, name);
    enum rc rc = file_write_new(path, text, err);
    OPENSSL_cleanse(text->data, text->cap);
    buf_clear(text);
    return rc;
}

static enum rc put_key(const struct kit *k, const char *name, EVP_PKEY *key, struct buf *text, struct err *err)
{
    TRY(ca_write_key(key, text, err));
    return put(k, name, text, err);
}

static enum rc put_certificate(const struct kit *k, const char *name, X509 *x, struct buf *text, struct err *err)
{
    TRY(ca_write_certificate(x, text, err));
    return put(k, name, text, err);
}

static enum rc put_public(const struct kit *k, const char *name, EVP_PKEY *key, struct buf *text, struct err *err)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    if (bio == NULL || PEM_write_bio_PUBKEY(bio, key) != 1) {
        FAIL(err, RC_FATAL, "libcrypto does not write the public key");
    }
    long n = BIO_get_mem_data(bio, &pem);
    (void)buf_add(text, pem, (size_t)n);
    return put(k, name, text, err);
}

/* n characters of 64, and a newline. */
static enum rc put_random(const struct kit *k, const char *name, size_t n, struct buf *text, struct err *err)
{
    unsigned char random[64];
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901";
    if (n > sizeof random || RAND_bytes(random, (int)n) != 1) {
        FAIL(err, RC_FATAL, "libcrypto has no source of randomness");
    }
    for (size_t i = 0; i < n; i++) {
        (void)buf_putc(text, LETTERS[random[i] & 63]);
    }
    (void)buf_putc(text, '\n');
    return put(k, name, text, err);
}

/* ---------------------------------------------------------------------------------------------------- channels */

static enum rc make_wechat(struct kit *k, struct buf *text, struct err *err)
{
    CLEANUP(pkey_freep) EVP_PKEY *root_key = ca_key_make("P-384");
    CLEANUP(pkey_freep) EVP_PKEY *key = ca_key_make("RSA");
    CLEANUP(pkey_freep) EVP_PKEY *public_key = ca_key_make("RSA");
    CLEANUP(x509_freep) X509 *root = NULL;
    CLEANUP(x509_freep) X509 *x = NULL;
    CLEANUP(rsa_unrefp) struct rsa_key *read = NULL;
    struct rsa_certificate certificate;
    struct ca_certificate spec = {.name = "sluice test platform root",
                                  .key = root_key,
                                  .from_s = k->now_s - DAY_S,
                                  .until_s = k->now_s + VALID_S,
                                  .ca = true};
    TRY(ca_certificate_make(&spec, &root, err));
    spec = (struct ca_certificate){.name = "sluice test platform",
                                   .key = key,
                                   .issuer = root,
                                   .issuer_key = root_key,
                                   .from_s = k->now_s - DAY_S,
                                   .until_s = k->now_s + VALID_S};
    TRY(ca_certificate_make(&spec, &x, err));
    TRY(ca_write_certificate(x, text, err));
    TRY(rsa_read_public(buf_str(text), text->len, &read, &certificate, err));
    (void)snprintf(k->wechat_serial, sizeof k->wechat_serial, "%s", certificate.serial);
    TRY(put(k, "wechat-certificate.pem", text, err));
    TRY(put_certificate(k, "wechat-root.pem", root, text, err));
    TRY(put_public(k, SIGN_WECHAT_PUBLIC, public_key, text, err));
    TRY(put_random(k, SIGN_WECHAT_APIV3_KEY, 32, text, err));
    TRY(put_key(k, SIGN_WECHAT_CERTIFICATE_KEY, key, text, err));
    return put_key(k, SIGN_WECHAT_PUBLIC_KEY, public_key, text, err);
}

static enum rc make_alipay(const struct kit *k, struct buf *text, struct err *err)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = ca_key_make("RSA");
    TRY(put_public(k, "alipay-public.pem", key, text, err));
    return put_key(k, SIGN_ALIPAY_KEY, key, text, err);
}

static enum rc make_chain(const struct kit *k, enum ca_kind kind, const char *root, const char *signing,
                          struct buf *text, struct err *err)
{
    CLEANUP(ca_chain_done) struct ca_chain chain = {0};
    TRY(ca_chain_make(kind, k->now_s, &chain, err));
    TRY(put_certificate(k, root, chain.root, text, err));
    TRY(ca_chain_write(&chain, text, err));
    return put(k, signing, text, err);
}

static enum rc make_merchant(const struct kit *k, struct buf *text, struct err *err)
{
    CLEANUP(x509_freep) X509 *x = NULL;
    CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
    TRY(ca_merchant_make(MERCHANT_ID, "P-256", k->now_s, &x, &key, err));
    TRY(put_certificate(k, SIGN_APPLEPAY_MERCHANT, x, text, err));
    return put_key(k, "applepay-merchant.key", key, text, err);
}

/* One line, as carriers give it. */
static enum rc make_salts(const struct kit *k, struct buf *text, struct err *err)
{
    for (int form = 0; form < CARRIER_FORMS; form++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s.salt", carrier_form_name((enum carrier_form)form));
        if (carrier_facts((enum carrier_form)form)->signature != NULL) {
            TRY(put_random(k, name, 32, text, err));
        }
    }
    return RC_OK;
}

static void add_express(struct buf *text)
{
    const char *before = " \"express\":  {";
    for (int form = 0; form < CARRIER_FORMS; form++) {
        const char *name = carrier_form_name((enum carrier_form)form);
        if (carrier_facts((enum carrier_form)form)->signature != NULL) {
            (void)buf_printf(text, "%s\"%s\": {\"form\": \"%s\", \"salt_file\": \"%s.salt\"}", before, name, name,
                             name);
            before = ",\n              ";
        }
    }
    (void)buf_puts(text, "}}\n");
}

static enum rc make_raw_keys(const struct kit *k, struct err *err)
{
    CLEANUP(freep) char *path = xasprintf("%s/raw.keys", k->directory);
    bool made = false;
    return raw_keys_make(path, &made, err);
}

static enum rc make_accounts(const struct kit *k, struct buf *text, struct err *err)
{
    (void)buf_printf(
        text,
        "{\"wechat\":   {\"" SIGN_SHOP "\": {\"mchid\": \"" MCHID "\", \"appid\": \"" APPID "\",\n"
        "                        \"apiv3_key_file\": \"" SIGN_WECHAT_APIV3_KEY "\",\n"
        "                        \"keys\": {\"%s\": \"wechat-certificate.pem\",\n"
        "                                 \"" SIGN_WECHAT_PUBLIC_ID "\": \"" SIGN_WECHAT_PUBLIC "\"}}},\n"
        " \"alipay\":   {\"" SIGN_SHOP "\": {\"app_id\": \"" ALIPAY_APP_ID "\", \"seller_id\": \"" ALIPAY_SELLER_ID
        "\",\n"
        "                        \"public_key_file\": \"alipay-public.pem\", \"sign_rule\": \"V1\"}},\n"
        " \"appstore\": {\"" SIGN_GAME "\": {\"bundle_id\": \"" BUNDLE_ID "\", \"app_apple_id\": %d,\n"
        "                        \"environment\": \"Production\", \"root_file\": \"appstore-root.pem\"}},\n"
        " \"applepay\": {\"" SIGN_SHOP "\": {\"root_file\": \"applepay-root.pem\",\n"
        "                        \"merchant_certificate_file\": \"" SIGN_APPLEPAY_MERCHANT "\",\n"
        "                        \"merchant_key_file\": \"applepay-merchant.key\"}},\n",
        k->wechat_serial, APPLE_ID);
    add_express(text);
    return put(k, "accounts.json", text, err);
}

/* accounts.json comes last: a directory that has one is complete. */
static enum rc make_all(struct kit *k, struct buf *text, struct err *err)
{
    TRY(make_wechat(k, text, err));
    TRY(make_alipay(k, text, err));
    TRY(make_chain(k, CA_APPSTORE, "appstore-root.pem", SIGN_APPSTORE, text, err));
    TRY(make_chain(k, CA_APPLEPAY, "applepay-root.pem", SIGN_APPLEPAY, text, err));
    TRY(make_merchant(k, text, err));
    TRY(make_salts(k, text, err));
    TRY(make_raw_keys(k, err));
    return make_accounts(k, text, err);
}

static enum rc make_directories(const char *directory, struct err *err)
{
    CLEANUP(freep) char *signing = xasprintf("%s/signing", directory);
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        FAIL(err, RC_FATAL, "%s: %s", directory, strerror(errno));
    }
    if (mkdir(signing, 0700) != 0) {
        FAIL(err, errno == EEXIST ? RC_REJECT : RC_FATAL, "%s: %s", signing,
             errno == EEXIST ? "is there already; keys are not overwritten" : strerror(errno));
    }
    return RC_OK;
}

enum rc sign_init(const char *directory, int64_t now_s, struct err *err)
{
    struct kit k = {.directory = directory, .now_s = now_s};
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, SIGN_FILE_BYTES_MAX);
    TRY(make_directories(directory, err));
    return make_all(&k, &text, err);
}

int cmd_sign_init(const struct cli *cli)
{
    int64_t now_s = clock_utc_ms() / 1000;
    struct err err = {0};
    if (cli_flag_int(cli, "at", DAY_S, INT32_MAX, &now_s, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (sign_init(cli->argv[0], now_s, &err) != RC_OK) {
        return cli_fail("sign init", &err);
    }
    cli_note(cli,
             "keys and accounts are in %s: wechat, alipay, applepay " SIGN_SHOP ", appstore " SIGN_GAME ", express",
             cli->argv[0]);
    return EXIT_DONE;
}
