/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of this run: made here, written where nobody else can read them, removed at the end. */
#include <errno.h>
#include <ftw.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_gateway.h"
#include "crypto/pem.h"
#include "file.h"
#include "sign_channel.h"

#define FILE_BYTES_MAX ((size_t)8 << 10)

/* What `sluice sign init` makes, but for the window: calls are signed long before the last of them is sent. */
static const char ACCOUNTS[] = "{\"wechat\": {\"" BENCH_GATEWAY_ACCOUNT "\": {\"mchid\": \"" BENCH_GATEWAY_MCHID
                               "\", \"appid\": \"" BENCH_GATEWAY_APPID "\",\n  \"window_s\": 900, "
                               "\"apiv3_key_file\": \"" SIGN_WECHAT_APIV3_KEY "\", "
                               "\"keys\": {\"" SIGN_WECHAT_PUBLIC_ID "\": \"" SIGN_WECHAT_PUBLIC "\"}}}}\n";

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
    k->accounts = xasprintf("%s/bench.json", k->directory);
    k->raw_keys = xasprintf("%s/raw.keys", k->directory);
    return RC_OK;
}

static enum rc read_platform(struct gateway_keys *k, struct buf *text, struct err *err)
{
    CLEANUP(freep) char *path = xasprintf("%s/" SIGN_WECHAT_PUBLIC_KEY, k->directory);

    TRY(file_read(path, text, err));
    TRY(pem_private_key(buf_str(text), text->len, &k->platform, err));
    return rsa_read_private(buf_str(text), text->len, &k->signing, err);
}

static enum rc read_apiv3(struct gateway_keys *k, struct buf *text, struct err *err)
{
    CLEANUP(freep) char *path = xasprintf("%s/" SIGN_WECHAT_APIV3_KEY, k->directory);

    TRY(file_read(path, text, err));
    (void)snprintf(k->apiv3, sizeof k->apiv3, "%s", buf_str(text)); /* without the line's end */
    return RC_OK;
}

static enum rc read_with(enum rc (*fn)(struct gateway_keys *, struct buf *, struct err *), struct gateway_keys *k,
                         struct err *err)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, FILE_BYTES_MAX);
    enum rc rc = fn(k, &text, err);
    OPENSSL_cleanse(text.data, text.cap);
    return rc;
}

static enum rc write_accounts(const struct gateway_keys *k, struct err *err)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, FILE_BYTES_MAX);
    (void)buf_puts(&text, ACCOUNTS);
    return file_write_new(k->accounts, &text, err);
}

enum rc bench_gateway_keys(struct gateway_keys *k, struct err *err)
{
    TRY(make_directory(k, err));
    TRY(sign_init(k->directory, clock_utc_us() / 1000000, err));
    TRY(read_with(read_platform, k, err));
    TRY(read_with(read_apiv3, k, err));
    return write_accounts(k, err);
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
