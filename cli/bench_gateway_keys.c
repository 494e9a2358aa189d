/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of this run: made here, written where nobody else can read them, removed at the end. */
#include <errno.h>
#include <ftw.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_gateway.h"
#include "crypto/base64.h"

#define RSA_BITS 2048
#define RAW_KEY_BYTES 32
#define PEM_MAX 4096

static const char ACCOUNTS[] =
    "{\"wechat\": {\"" BENCH_GATEWAY_ACCOUNT "\": {\"mchid\": \"" BENCH_GATEWAY_MCHID
    "\", \"appid\": \"" BENCH_GATEWAY_APPID "\",\n  \"window_s\": 900, \"apiv3_key_file\": \"apiv3.key\","
    " \"keys\": {\"" BENCH_GATEWAY_KEY_ID "\": \"platform.pem\"}}}}\n";

static enum rc write_file(const struct gateway_keys *k, const char *name, const char *text, struct err *err)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", k->directory, name);
    FILE *f = fopen(path, "wxe");
    bool good = f != NULL && fchmod(fileno(f), S_IRUSR | S_IWUSR) == 0 && fputs(text, f) >= 0;

    if (f != NULL) {
        good = fclose(f) == 0 && good;
    }
    if (!good) {
        FAIL(err, RC_FATAL, "%s: %s", path, strerror(errno));
    }
    return RC_OK;
}

static enum rc make_directory(struct gateway_keys *k, struct err *err)
{
    const char *tmp = getenv("TMPDIR");

    k->directory = xasprintf("%s/sluice-bench-XXXXXX", tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (mkdtemp(k->directory) == NULL) {
        int why = errno;
        CLEANUP(freep) char *path = k->directory;
        k->directory = NULL;
        FAIL(err, RC_FATAL, "%s: %s", path, strerror(why));
    }
    k->accounts = xasprintf("%s/accounts.json", k->directory);
    k->raw_keys = xasprintf("%s/raw.keys", k->directory);
    return RC_OK;
}

static enum rc pem_of(EVP_PKEY *key, bool private, char out[PEM_MAX], struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = -1;

    if (bio != NULL && key != NULL &&
        (private ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                 : PEM_write_bio_PUBKEY(bio, key)) == 1) {
        n = BIO_read(bio, out, PEM_MAX - 1);
    }
    (void)BIO_free(bio);
    if (n <= 0) {
        FAIL(err, RC_FATAL, "libcrypto does not make an RSA key");
    }
    out[n] = '\0';
    return RC_OK;
}

static enum rc make_platform(struct gateway_keys *k, struct err *err)
{
    char pem[PEM_MAX];

    k->platform = EVP_RSA_gen(RSA_BITS);
    TRY(pem_of(k->platform, true, pem, err));
    enum rc rc = rsa_read_private(pem, strlen(pem), &k->signing, err);
    OPENSSL_cleanse(pem, sizeof pem);
    if (rc != RC_OK) {
        return rc;
    }
    TRY(pem_of(k->platform, false, pem, err));
    return write_file(k, "platform.pem", pem, err);
}

static enum rc write_secrets(struct gateway_keys *k, struct err *err)
{
    unsigned char random[RAW_KEY_BYTES];
    char text[BASE64_LENGTH(RAW_KEY_BYTES) + 1];

    if (RAND_bytes(random, sizeof random) != 1) {
        FAIL(err, RC_FATAL, "libcrypto has no random numbers");
    }
    base64_encode(random, sizeof random, text);
    (void)snprintf(k->apiv3, sizeof k->apiv3, "%.*s", BENCH_GATEWAY_APIV3_BYTES, text);
    TRY(write_file(k, "apiv3.key", k->apiv3, err));
    if (RAND_bytes(random, sizeof random) != 1) {
        FAIL(err, RC_FATAL, "libcrypto has no random numbers");
    }
    base64_encode(random, sizeof random, text);
    CLEANUP(freep) char *line = xasprintf("bench %s\n", text);
    return write_file(k, "raw.keys", line, err);
}

enum rc bench_gateway_keys(struct gateway_keys *k, struct err *err)
{
    TRY(make_directory(k, err));
    TRY(make_platform(k, err));
    TRY(write_secrets(k, err));
    return write_file(k, "accounts.json", ACCOUNTS, err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void bench_gateway_keys_done(struct gateway_keys *k)
{
    if (k->directory != NULL) {
        (void)nftw(k->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    EVP_PKEY_free(k->platform);
    k->signing = rsa_unref(k->signing);
    free(k->directory);
    free(k->accounts);
    free(k->raw_keys);
    *k = (struct gateway_keys){.directory = NULL};
}
