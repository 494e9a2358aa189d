/* SPDX-License-Identifier: Apache-2.0 */
/* Apple's "restoring the symmetric key". */
#include "channel/applepay_key.h"

#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/mem.h"
#include "channel/ca.h"
#include "crypto/agree.h"
#include "crypto/openssl_own.h"

/* Each message has a key of its own, so that its nonce may be all zeros. */
static const unsigned char NONCE[16];

static int digit(char c)
{
    char low = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool applepay_unhex(const char *hex, unsigned char out[APPLEPAY_HEX_BYTES_MAX], size_t *out_n)
{
    size_t n = strlen(hex);
    if (n == 0 || n % 2 != 0 || n > (size_t)2 * APPLEPAY_HEX_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i += 2) {
        int high = digit(hex[i]);
        int low = digit(hex[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i / 2] = (unsigned char)(high << 4 | low);
    }
    *out_n = n / 2;
    return true;
}

/* The extension holds a string: tag, length, 64 hexadecimal digits. */
bool applepay_merchant_hash(const X509 *certificate, unsigned char out[SHA256_BYTES])
{
    CLEANUP(asn1_object_freep) ASN1_OBJECT *oid = OBJ_txt2obj(OID_APPLEPAY_MERCHANT, 1);
    unsigned char bytes[APPLEPAY_HEX_BYTES_MAX];
    char hex[SHA256_HEX_BYTES];
    size_t n = 0;
    int at = oid == NULL ? -1 : X509_get_ext_by_OBJ(certificate, oid, -1);
    const ASN1_OCTET_STRING *content = at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(certificate, at));
    if (content == NULL || ASN1_STRING_length(content) != SHA256_HEX_BYTES - 1 + 2) {
        return false;
    }
    memcpy(hex, ASN1_STRING_get0_data(content) + 2, sizeof hex - 1);
    hex[sizeof hex - 1] = '\0';
    if (!applepay_unhex(hex, bytes, &n) || n != SHA256_BYTES) {
        return false;
    }
    memcpy(out, bytes, SHA256_BYTES);
    return true;
}

bool applepay_agree(EVP_PKEY *own, EVP_PKEY *peer, const unsigned char merchant_hash[SHA256_BYTES],
                    struct applepay_message_key *out)
{
    static const unsigned char COUNTER[] = {0, 0, 0, 1};
    static const char USE[] = "\x0d"
                              "id-aes256-GCM"
                              "Apple";
    unsigned char z[ECDH_P256_BYTES];
    if (!ecdh_p256(own, peer, z)) {
        return false;
    }
    const struct sha256_part parts[] = {
        {COUNTER, sizeof COUNTER}, {z, sizeof z}, {USE, sizeof USE - 1}, {merchant_hash, SHA256_BYTES}};
    sha256_of_parts(parts, ARRAY_SIZE(parts), out->bytes);
    out->n = SHA256_BYTES;
    OPENSSL_cleanse(z, sizeof z);
    return true;
}

bool applepay_unwrap(EVP_PKEY *own, const void *wrapped, size_t n, struct applepay_message_key *out)
{
    return rsa_oaep_open(own, wrapped, n, out->bytes, sizeof out->bytes, &out->n) && (out->n == 16 || out->n == 32);
}

static struct aes_gcm cipher(const struct applepay_message_key *key)
{
    return (struct aes_gcm){.key = key->bytes, .key_n = key->n, .nonce = NONCE, .nonce_n = sizeof NONCE};
}

void applepay_encrypt(const struct applepay_message_key *key, const void *plain, size_t n, void *out)
{
    const struct aes_gcm g = cipher(key);
    aes_gcm_seal(&g, plain, n, out);
}

bool applepay_decrypt(const struct applepay_message_key *key, const void *sealed, size_t n, void *out)
{
    const struct aes_gcm g = cipher(key);
    return aes_gcm_open(&g, sealed, n, out);
}
