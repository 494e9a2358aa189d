/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens in PostgreSQL. */
#include "push/token_row.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "push/token.h"

#define SEALED_MAX (AES_GCM_NONCE_BYTES + PUSH_TOKEN_BYTES_MAX + AES_GCM_TAG_BYTES)
#define COLUMNS                                                          \
    "'\\x' || encode(credential, 'hex'), '\\x' || encode(token, 'hex')," \
    " (extract(epoch FROM obtained_at) * 1000000)::bigint, (extract(epoch FROM expires_at) * 1000000)::bigint"

void push_token_done(struct push_token *token)
{
    if (token->text != NULL) {
        OPENSSL_cleanse(token->text, strlen(token->text));
        free(token->text);
        token->text = NULL;
    }
}

/* ---------------------------------------------------------------------------------------------------- encryption */

static struct aes_gcm cipher_of(const struct token_owner *owner, const unsigned char *nonce)
{
    return (struct aes_gcm){.key = owner->key,
                            .nonce = nonce,
                            .nonce_n = AES_GCM_NONCE_BYTES,
                            .aad = owner->provider,
                            .aad_n = strlen(owner->provider)};
}

static char *hex_of(const unsigned char *bytes, size_t n)
{
    char *out = xcalloc(2 * n + 3, 1);

    out[0] = '\\';
    out[1] = 'x';
    sha256_hex(bytes, n, out + 2);
    return out;
}

/* False: not of the form \x0123..., or longer than out. */
static bool bytes_of(const char *hex, unsigned char *out, size_t size, size_t *out_n)
{
    size_t n = strlen(hex);

    if (n < 2 || n % 2 != 0 || hex[0] != '\\' || hex[1] != 'x' || (n - 2) / 2 > size) {
        return false;
    }
    for (size_t i = 2; i < n; i += 2) {
        char digits[3] = {hex[i], hex[i + 1], '\0'};
        char *end = NULL;
        out[(i - 2) / 2] = (unsigned char)strtoul(digits, &end, 16);
        if (end != digits + 2) {
            return false;
        }
    }
    *out_n = (n - 2) / 2;
    return true;
}

char *token_seal(const struct token_owner *owner, const char *text)
{
    unsigned char sealed[SEALED_MAX];
    size_t n = strlen(text);

    if (n > PUSH_TOKEN_BYTES_MAX || RAND_bytes(sealed, AES_GCM_NONCE_BYTES) != 1) {
        abort(); /* the length was looked at */
    }
    const struct aes_gcm cipher = cipher_of(owner, sealed);
    aes_gcm_seal(&cipher, text, n, sealed + AES_GCM_NONCE_BYTES);
    return hex_of(sealed, AES_GCM_NONCE_BYTES + n + AES_GCM_TAG_BYTES);
}

char *token_open(const struct token_owner *owner, const char *sealed)
{
    unsigned char bytes[SEALED_MAX];
    size_t n = 0;

    if (!bytes_of(sealed, bytes, sizeof bytes, &n) || n <= AES_GCM_NONCE_BYTES + AES_GCM_TAG_BYTES) {
        return NULL;
    }
    size_t text_n = n - AES_GCM_NONCE_BYTES - AES_GCM_TAG_BYTES;
    char *text = xcalloc(text_n + 1, 1);
    const struct aes_gcm cipher = cipher_of(owner, bytes);
    if (!aes_gcm_open(&cipher, bytes + AES_GCM_NONCE_BYTES, n - AES_GCM_NONCE_BYTES, text) || strlen(text) != text_n) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---------------------------------------------------------------------------------------------------- the row */

static void read_row(const struct token_owner *owner, const PGresult *res, struct push_token *out)
{
    CLEANUP(freep) char *mine = hex_of(owner->credential, sizeof owner->credential);

    *out = (struct push_token){0};
    if (PQntuples(res) > 0 && strcmp(pg_text(res, 0, 0), mine) == 0) {
        out->text = token_open(owner, pg_text(res, 0, 1));
        out->obtained_us = pg_int(res, 0, 2, 0);
        out->expires_us = pg_int(res, 0, 3, 0);
    }
}

enum rc token_row_read(PGconn *conn, const struct token_owner *owner, struct push_token *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {owner->provider};

    TRY(pg_query(conn, "SELECT " COLUMNS " FROM push_provider_tokens WHERE provider = $1", 1, params, &res, err));
    read_row(owner, res, out);
    return RC_OK;
}

enum rc token_row_lock(PGconn *conn, const struct token_owner *owner, struct push_token *out, struct err *err)
{
    static const char insert[] = "INSERT INTO push_provider_tokens (provider, credential, token, obtained_at,"
                                 " expires_at) VALUES ($1, '', '', 'epoch', 'epoch') ON CONFLICT DO NOTHING";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {owner->provider};

    TRY(pg_query(conn, insert, 1, params, NULL, err));
    TRY(pg_exec(conn, "BEGIN", NULL, err));
    TRY(pg_query(conn, "SELECT " COLUMNS " FROM push_provider_tokens WHERE provider = $1 FOR UPDATE NOWAIT", 1, params,
                 &res, err));
    read_row(owner, res, out);
    return RC_OK;
}

enum rc token_row_end(PGconn *conn, const struct token_owner *owner, const struct push_token *token, struct err *err)
{
    static const char update[] =
        "UPDATE push_provider_tokens SET credential = $2::bytea, token = $3::bytea,"
        " obtained_at = timestamptz 'epoch' + $4::bigint * interval '1 microsecond',"
        " expires_at = timestamptz 'epoch' + $5::bigint * interval '1 microsecond' WHERE provider = $1";

    if (token == NULL) {
        return pg_exec(conn, "ROLLBACK", NULL, err);
    }
    CLEANUP(freep) char *credential = hex_of(owner->credential, sizeof owner->credential);
    CLEANUP(freep) char *sealed = token_seal(owner, token->text);
    char obtained[24];
    char expires[24];
    (void)snprintf(obtained, sizeof obtained, "%" PRId64, token->obtained_us);
    (void)snprintf(expires, sizeof expires, "%" PRId64, token->expires_us);
    const char *params[] = {owner->provider, credential, sealed, obtained, expires};
    TRY(pg_query(conn, update, 5, params, NULL, err));
    return pg_exec(conn, "COMMIT", NULL, err);
}
