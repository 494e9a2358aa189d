/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the keys of Standard Webhooks and prepares them for use. */
#include "crypto/webhook_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/base64.h"

#define KEY_TEXT_MAX 128 /* longer cannot be a key: 64 bytes are 88 characters */

static const char SEPARATORS[] = " \t\r\n,";

static void macp(EVP_MAC **mac)
{
    EVP_MAC_free(*mac);
}

static enum rc malformed(size_t number, const char *why, struct err *err)
{
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "key %zu is malformed: %s", number, why);
    return err_code(err, ERR_CONFIG);
}

static enum rc add_hmac(struct webhook_key *key, const unsigned char *bytes, size_t n, struct err *err)
{
    CLEANUP(macp) EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    if (mac == NULL) {
        FAIL(err, RC_FATAL, "OpenSSL has no HMAC");
    }
    static char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    key->mac = EVP_MAC_CTX_new(mac);
    if (key->mac == NULL || EVP_MAC_init(key->mac, bytes, n, params) != 1) {
        FAIL(err, RC_FATAL, "OpenSSL has no HMAC-SHA256");
    }
    key->can_sign = true;
    return RC_OK;
}

static enum rc add_private(struct webhook_key *key, size_t number, const unsigned char *bytes, size_t n,
                           struct err *err)
{
    key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, ED25519_KEY_BYTES);
    if (key->pkey == NULL) {
        FAIL(err, RC_FATAL, "OpenSSL does not take key %zu for Ed25519", number);
    }
    key->can_sign = true;
    unsigned char public_key[ED25519_KEY_BYTES];
    size_t public_n = sizeof public_key;
    bool fits = n == ED25519_KEY_BYTES ||
                (EVP_PKEY_get_raw_public_key(key->pkey, public_key, &public_n) == 1 && public_n == ED25519_KEY_BYTES &&
                 memcmp(public_key, bytes + ED25519_KEY_BYTES, public_n) == 0);
    return fits ? RC_OK : malformed(number, "its second half is not the public key of the first", err);
}

static enum rc add_public(struct webhook_key *key, size_t number, const unsigned char *bytes, struct err *err)
{
    key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, ED25519_KEY_BYTES);
    if (key->pkey == NULL) {
        FAIL(err, RC_FATAL, "OpenSSL does not take key %zu for Ed25519", number);
    }
    return RC_OK;
}

static bool has_prefix(const char *text, size_t n, const char *prefix)
{
    return n >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* bytes is wiped by the caller. */
static enum rc key_decode(struct webhook_key *key, size_t number, const char *text, size_t text_n,
                          unsigned char bytes[WEBHOOK_SECRET_BYTES_MAX], struct err *err)
{
    bool is_secret = has_prefix(text, text_n, "whsec_");
    bool is_private = has_prefix(text, text_n, "whsk_");
    bool is_public = has_prefix(text, text_n, "whpk_");
    if (!is_secret && !is_private && !is_public) {
        return malformed(number, "it must begin with whsec_, whsk_ or whpk_", err);
    }
    size_t skip = is_secret ? strlen("whsec_") : strlen("whsk_");
    size_t n = 0;
    if (text_n > KEY_TEXT_MAX || !base64_decode(text + skip, text_n - skip, bytes, WEBHOOK_SECRET_BYTES_MAX, &n)) {
        return malformed(number, "what follows the prefix is not the base64 of at most 64 bytes", err);
    }
    if (is_secret) {
        return n < WEBHOOK_SECRET_BYTES_MIN ? malformed(number, "a whsec_ key has 24 to 64 bytes", err)
                                            : add_hmac(key, bytes, n, err);
    }
    if (is_private) {
        return n != ED25519_KEY_BYTES && n != (size_t)2 * ED25519_KEY_BYTES
                   ? malformed(number, "a whsk_ key has 32 or 64 bytes", err)
                   : add_private(key, number, bytes, n, err);
    }
    return n != ED25519_KEY_BYTES ? malformed(number, "a whpk_ key has 32 bytes", err)
                                  : add_public(key, number, bytes, err);
}

static enum rc keys_add(struct webhook_keys *keys, const char *text, size_t text_n, struct err *err)
{
    if (keys->n == WEBHOOK_KEYS_MAX) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "more than %d keys", WEBHOOK_KEYS_MAX);
        return err_code(err, ERR_CONFIG);
    }
    unsigned char bytes[WEBHOOK_SECRET_BYTES_MAX];
    struct webhook_key *key = &keys->keys[keys->n++];
    enum rc rc = key_decode(key, keys->n, text, text_n, bytes, err);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return rc;
}

enum rc webhook_keys_parse(const char *text, struct webhook_keys **out_keys, struct err *err)
{
    struct webhook_keys *keys = xcalloc(1, sizeof *keys);
    enum rc rc = RC_OK;
    for (text += strspn(text, SEPARATORS); *text != '\0' && rc == RC_OK; text += strspn(text, SEPARATORS)) {
        size_t n = strcspn(text, SEPARATORS);
        rc = keys_add(keys, text, n, err);
        text += n;
    }
    if (rc == RC_OK && keys->n == 0) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                      "there is no key; expected whsec_ and base64 of 24 to 64 bytes");
        rc = err_code(err, ERR_CONFIG);
    }
    if (rc != RC_OK) {
        (void)webhook_keys_free(keys);
        return rc;
    }
    *out_keys = keys;
    return RC_OK;
}

struct webhook_keys *webhook_keys_free(struct webhook_keys *keys)
{
    if (keys == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < keys->n; i++) {
        EVP_MAC_CTX_free(keys->keys[i].mac); /* OpenSSL wipes keys when it frees them */
        EVP_PKEY_free(keys->keys[i].pkey);
    }
    free(keys->scratch.data);
    free(keys);
    return NULL;
}

void webhook_keys_freep(struct webhook_keys **keys)
{
    *keys = webhook_keys_free(*keys);
}

size_t webhook_keys_count(const struct webhook_keys *keys)
{
    return keys->n;
}

bool webhook_keys_can_sign(const struct webhook_keys *keys)
{
    bool can = false;
    for (size_t i = 0; i < keys->n; i++) {
        can = can || keys->keys[i].can_sign;
    }
    return can;
}
