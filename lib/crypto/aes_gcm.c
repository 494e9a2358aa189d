/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms are fetched once, as in sha256.c. */
#include "crypto/aes_gcm.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#define BYTES_MAX ((size_t)1 << 30)

static EVP_CIPHER *aes_128;
static EVP_CIPHER *aes_256;

static void fetch(void)
{
    aes_128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    aes_256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

/* Ready for the message: key, nonce and additional data are in it. */
static EVP_CIPHER_CTX *begin(const struct aes_gcm *g, size_t n, int encrypt)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fetch);
    const EVP_CIPHER *cipher = g->key_n == 0 || g->key_n == AES_GCM_KEY_BYTES ? aes_256
                               : g->key_n == 16                               ? aes_128
                                                                              : NULL;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0;
    if (ctx == NULL || cipher == NULL || n > BYTES_MAX || g->aad_n > BYTES_MAX || g->nonce_n == 0 ||
        g->nonce_n > AES_GCM_NONCE_BYTES_MAX || EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, encrypt, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)g->nonce_n, NULL) != 1 ||
        EVP_CipherInit_ex2(ctx, NULL, g->key, g->nonce, encrypt, NULL) != 1 ||
        (g->aad_n > 0 && EVP_CipherUpdate(ctx, NULL, &done, g->aad, (int)g->aad_n) != 1)) {
        abort();
    }
    return ctx;
}

void aes_gcm_seal(const struct aes_gcm *g, const void *plain, size_t n, void *out)
{
    EVP_CIPHER_CTX *ctx = begin(g, n, 1);
    unsigned char *to = out;
    int done = 0;
    if ((n > 0 && EVP_EncryptUpdate(ctx, to, &done, plain, (int)n) != 1) ||
        EVP_EncryptFinal_ex(ctx, to + n, &done) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AES_GCM_TAG_BYTES, to + n) != 1) {
        abort();
    }
    EVP_CIPHER_CTX_free(ctx);
}

bool aes_gcm_open(const struct aes_gcm *g, const void *sealed, size_t n, void *out)
{
    if (n < AES_GCM_TAG_BYTES) {
        return false;
    }
    const unsigned char *from = sealed;
    unsigned char *to = out;
    unsigned char tag[AES_GCM_TAG_BYTES];
    unsigned char rest[EVP_MAX_BLOCK_LENGTH];
    int done = 0;
    n -= AES_GCM_TAG_BYTES;
    for (size_t i = 0; i < sizeof tag; i++) {
        tag[i] = from[n + i];
    }
    EVP_CIPHER_CTX *ctx = begin(g, n, 0);
    bool good = (n == 0 || EVP_DecryptUpdate(ctx, to, &done, from, (int)n) == 1) &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AES_GCM_TAG_BYTES, tag) == 1 &&
                EVP_DecryptFinal_ex(ctx, rest, &done) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good && n > 0) {
        OPENSSL_cleanse(to, n);
    }
    return good;
}
