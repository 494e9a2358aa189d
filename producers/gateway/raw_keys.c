/* SPDX-License-Identifier: Apache-2.0 */
/* The key file, and sealing by row and column. */
#include "gateway/raw_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "crypto/aes_gcm.h"
#include "crypto/base64.h"

#define PLACE_MAX 128 /* row id and column */

_Static_assert(RAW_SEALED_BYTES(0) == AES_GCM_NONCE_BYTES + AES_GCM_TAG_BYTES, "nonce and tag");

struct raw_key {
    char id[RAW_KEY_ID_MAX + 1];
    unsigned char bytes[AES_GCM_KEY_BYTES];
};

struct raw_keys {
    struct raw_key list[RAW_KEYS_MAX];
    size_t n;
};

struct raw_keys *raw_keys_free(struct raw_keys *keys)
{
    if (keys != NULL) {
        OPENSSL_cleanse(keys, sizeof *keys);
        free(keys);
    }
    return NULL;
}

void raw_keys_freep(struct raw_keys **keys)
{
    *keys = raw_keys_free(*keys);
}

const char *raw_keys_current(const struct raw_keys *keys)
{
    return keys->list[0].id;
}

static enum rc wrong(const char *path, size_t line, const char *text, struct err *err)
{
    if (line == 0) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: %s", path, text);
    } else {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s:%zu: %s", path, line, text);
    }
    return err_code(err, ERR_CONFIG);
}

static const struct raw_key *find(const struct raw_keys *keys, const char *id)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->list[i].id, id) == 0) {
            return &keys->list[i];
        }
    }
    return NULL;
}

/* "KEY_ID BASE64"; blank lines and remarks are none. */
static enum rc add_line(struct raw_keys *keys, const char *path, size_t number, char *text, struct err *err)
{
    static const char BLANKS[] = " \t\r";
    text += strspn(text, BLANKS);
    if (text[0] == '\0' || text[0] == '#') {
        return RC_OK;
    }
    size_t id_n = strcspn(text, BLANKS);
    const char *value = text + id_n + strspn(text + id_n, BLANKS);
    size_t value_n = strcspn(value, BLANKS);
    bool id_ok = id_n <= RAW_KEY_ID_MAX &&
                 strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == id_n;
    if (!id_ok || value_n == 0 || value[value_n + strspn(value + value_n, BLANKS)] != '\0') {
        return wrong(path, number,
                     "expected the key's id, 1 to 64 of A-Z a-z 0-9 . _ -, a blank and the base64 of 32 bytes", err);
    }
    if (keys->n == RAW_KEYS_MAX) {
        return wrong(path, number, "more than 64 keys", err);
    }
    struct raw_key *key = &keys->list[keys->n];
    size_t got = 0;
    (void)snprintf(key->id, sizeof key->id, "%.*s", (int)id_n, text);
    if (find(keys, key->id) != NULL) {
        return wrong(path, number, "the id of this key stands in the file before", err);
    }
    if (!base64_decode(value, value_n, key->bytes, sizeof key->bytes, &got) || got != sizeof key->bytes) {
        return wrong(path, number, "the key is not the base64 of 32 bytes", err);
    }
    keys->n++;
    return RC_OK;
}

static enum rc add_lines(struct raw_keys *keys, const char *path, char *text, struct err *err)
{
    size_t number = 0;
    for (char *at = text, *next = text; *at != '\0'; at = next) {
        size_t n = strcspn(at, "\n");
        next = at + n + (at[n] == '\n' ? 1 : 0);
        at[n] = '\0';
        TRY(add_line(keys, path, ++number, at, err));
    }
    return keys->n > 0 ? RC_OK
                       : wrong(path, 0, "no key in it; expected lines of an id and the base64 of 32 bytes", err);
}

enum rc raw_keys_read(const char *path, struct raw_keys **out_keys, struct err *err)
{
    char *text = NULL;
    TRY(config_read_secret(path, RAW_KEYS_FILE_BYTES_MAX, &text, err));
    struct raw_keys *keys = xcalloc(1, sizeof *keys);
    size_t text_n = strlen(text);
    enum rc rc = add_lines(keys, path, text, err);
    OPENSSL_cleanse(text, text_n);
    free(text);
    if (rc != RC_OK) {
        (void)raw_keys_free(keys);
        return rc;
    }
    *out_keys = keys;
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- sealing */

static size_t place(const char *row_id, const char *column, char out[PLACE_MAX])
{
    return (size_t)snprintf(out, PLACE_MAX, "%.64s/%.32s", row_id, column);
}

void raw_seal(const struct raw_keys *keys, const char *row_id, const char *column, const void *plain, size_t n,
              unsigned char *out)
{
    char aad[PLACE_MAX];
    if (RAND_bytes(out, AES_GCM_NONCE_BYTES) != 1) {
        (void)fprintf(stderr, "sluice: OpenSSL has no random bytes\n");
        abort();
    }
    const struct aes_gcm g = {.key = keys->list[0].bytes,
                              .nonce = out,
                              .nonce_n = AES_GCM_NONCE_BYTES,
                              .aad = aad,
                              .aad_n = place(row_id, column, aad)};
    aes_gcm_seal(&g, plain, n, out + AES_GCM_NONCE_BYTES);
}

enum rc raw_open(const struct raw_keys *keys, const char *key_id, const char *row_id, const char *column,
                 const void *sealed, size_t n, struct buf *out, struct err *err)
{
    char aad[PLACE_MAX];
    const struct raw_key *key = find(keys, key_id);
    if (key == NULL) {
        FAIL(err, RC_REJECT, "the key %.64s is not in the key file", key_id);
    }
    if (n < RAW_SEALED_BYTES(0)) {
        FAIL(err, RC_REJECT, "%s of %s: shorter than anything that was encrypted", column, row_id);
    }
    const struct aes_gcm g = {.key = key->bytes,
                              .nonce = sealed,
                              .nonce_n = AES_GCM_NONCE_BYTES,
                              .aad = aad,
                              .aad_n = place(row_id, column, aad)};
    size_t plain_n = n - RAW_SEALED_BYTES(0);
    CLEANUP(freep) unsigned char *plain = xcalloc(plain_n + 1, 1);
    if (!aes_gcm_open(&g, (const unsigned char *)sealed + AES_GCM_NONCE_BYTES, n - AES_GCM_NONCE_BYTES, plain)) {
        FAIL(err, RC_REJECT, "%s of %s does not decrypt: it was changed, or belongs to another row", column, row_id);
    }
    if (!buf_add(out, plain, plain_n)) {
        FAIL(err, RC_REJECT, "%s of %s is larger than anything that is stored", column, row_id);
    }
    return RC_OK;
}
