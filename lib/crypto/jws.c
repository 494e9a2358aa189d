/* SPDX-License-Identifier: Apache-2.0 */
/* ES256: ECDSA on P-256 with SHA-256; the signature is two numbers of 32 bytes, not DER. */
#include "crypto/jws.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/base64.h"
#include "crypto/openssl_own.h"
#include "crypto/sha256.h"

#define HALF (JWS_ES256_BYTES / 2)

static bool segment(const char *text, size_t n, struct arena *a, const char **out, size_t *out_n)
{
    char *bytes = arena_alloc(a, n + 1);
    if (n == 0 || !base64url_decode(text, n, bytes, n, out_n)) {
        return false;
    }
    bytes[*out_n] = '\0';
    *out = bytes;
    return true;
}

bool jws_split(const char *text, size_t n, struct arena *a, struct jws *out)
{
    const char *end = text + n;
    const char *first = memchr(text, '.', n);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL) {
        return false;
    }
    *out = (struct jws){.is_signed = text, .signed_n = (size_t)(second - text)};
    size_t signature_n = 0;
    out->has_signature =
        base64url_decode(second + 1, (size_t)(end - second - 1), out->signature, sizeof out->signature, &signature_n) &&
        signature_n == sizeof out->signature;
    return segment(text, (size_t)(first - text), a, &out->header, &out->header_n) &&
           segment(first + 1, (size_t)(second - first - 1), a, &out->payload, &out->payload_n);
}

/* r and s as OpenSSL wants them; returns the length, 0 = refused. The bytes are libcrypto's. */
static size_t der_of(const unsigned char raw[JWS_ES256_BYTES], unsigned char **out)
{
    CLEANUP(ecdsa_sig_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, HALF, NULL);
    BIGNUM *s = BN_bin2bn(raw + HALF, HALF, NULL);
    if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return 0;
    }
    int n = i2d_ECDSA_SIG(sig, out);
    return n <= 0 ? 0 : (size_t)n;
}

bool jws_verify(const struct jws *jws, EVP_PKEY *key)
{
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = NULL;
    unsigned char hash[SHA256_BYTES];
    size_t der_n = jws->has_signature ? der_of(jws->signature, &der) : 0;
    if (der_n == 0) {
        return false;
    }
    sha256_of(jws->is_signed, jws->signed_n, hash);
    ctx = EVP_PKEY_CTX_new(key, NULL);
    bool good =
        ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, der, der_n, hash, sizeof hash) == 1;
    if (!good) {
        ERR_clear_error();
    }
    return good;
}

static bool sign_raw(EVP_PKEY *key, const unsigned char hash[SHA256_BYTES], unsigned char out[JWS_ES256_BYTES])
{
    unsigned char der[2 * JWS_ES256_BYTES];
    size_t der_n = sizeof der;
    CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 || EVP_PKEY_sign(ctx, der, &der_n, hash, SHA256_BYTES) != 1) {
        return false;
    }
    const unsigned char *at = der;
    CLEANUP(ecdsa_sig_freep) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der_n);
    return sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, HALF) == HALF &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + HALF, HALF) == HALF;
}

static void put_segment(struct buf *out, const void *bytes, size_t n)
{
    char *text = xcalloc(1, BASE64_LENGTH(n) + 1); /* longer than base64url: it is made out of base64 */
    base64url_encode(bytes, n, text);
    (void)buf_puts(out, text);
    free(text);
}

enum rc jws_sign(const char *header, const char *payload, EVP_PKEY *key, struct buf *out, struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    unsigned char raw[JWS_ES256_BYTES];
    size_t from = out->len;
    put_segment(out, header, strlen(header));
    (void)buf_putc(out, '.');
    put_segment(out, payload, strlen(payload));
    sha256_of(buf_str(out) + from, out->len - from, hash);
    if (out->overflow || !sign_raw(key, hash, raw)) {
        ERR_clear_error();
        FAIL(err, RC_FATAL, "the text is too long, or libcrypto does not sign with this key");
    }
    (void)buf_putc(out, '.');
    put_segment(out, raw, sizeof raw);
    return RC_OK;
}
