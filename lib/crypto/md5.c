/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/md5.h"

#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *md5;

static void fetch(void)
{
    md5 = EVP_MD_fetch(NULL, "MD5", NULL);
}

bool md5_of_parts(const struct sha256_part *parts, size_t n, unsigned char out[MD5_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, fetch);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && md5 != NULL && EVP_DigestInit_ex2(ctx, md5, NULL) == 1;
    for (size_t i = 0; i < n && ok; i++) {
        ok = EVP_DigestUpdate(ctx, parts[i].bytes, parts[i].n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}
