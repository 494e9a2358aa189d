/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways in which Apple Pay hands over a message's key. */
#include "crypto/agree.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"

#define PEER_BYTES_MAX 256

EVP_PKEY *ecdh_p256_peer(const void *der, size_t n)
{
    const unsigned char *at = der;
    EVP_PKEY *key = n > PEER_BYTES_MAX ? NULL : d2i_PUBKEY(NULL, &at, (long)n);
    if (key != NULL && at == (const unsigned char *)der + n && pkey_is_on_curve(key, "prime256v1")) {
        return key;
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
    return NULL;
}

bool ecdh_p256(EVP_PKEY *own, EVP_PKEY *peer, unsigned char out[ECDH_P256_BYTES])
{
    CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    unsigned char z[ECDH_P256_BYTES];
    size_t n = sizeof z;
    bool good = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                EVP_PKEY_derive(ctx, z, &n) == 1 && n <= sizeof z;
    memset(out, 0, ECDH_P256_BYTES);
    if (good) { /* libcrypto pads already; should it ever not, every 256th message would not open */
        memcpy(out + (sizeof z - n), z, n);
    } else {
        ERR_clear_error();
    }
    OPENSSL_cleanse(z, sizeof z);
    return good;
}

static bool oaep(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

bool rsa_oaep_open(EVP_PKEY *own, const void *in, size_t n, unsigned char *out, size_t out_size, size_t *out_n)
{
    CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    unsigned char plain[RSA_OAEP_BYTES_MAX];
    size_t plain_n = sizeof plain;
    bool good = ctx != NULL && EVP_PKEY_get_bits(own) <= RSA_OAEP_BYTES_MAX * 8 && EVP_PKEY_decrypt_init(ctx) == 1 &&
                oaep(ctx) && EVP_PKEY_decrypt(ctx, plain, &plain_n, in, n) == 1 && plain_n <= out_size;
    memset(out, 0, out_size);
    if (good) {
        memcpy(out, plain, plain_n);
        *out_n = plain_n;
    } else {
        ERR_clear_error();
    }
    OPENSSL_cleanse(plain, sizeof plain);
    return good;
}

bool rsa_oaep_seal(EVP_PKEY *peer, const void *in, size_t n, unsigned char *out, size_t *out_n)
{
    CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(peer, NULL);
    *out_n = RSA_OAEP_BYTES_MAX;
    bool good = ctx != NULL && EVP_PKEY_get_bits(peer) <= RSA_OAEP_BYTES_MAX * 8 && EVP_PKEY_encrypt_init(ctx) == 1 &&
                oaep(ctx) && EVP_PKEY_encrypt(ctx, out, out_n, in, n) == 1;
    if (!good) {
        ERR_clear_error();
    }
    return good;
}
