/* SPDX-License-Identifier: Apache-2.0 */
/* A provider's row of push_provider_tokens. Thread: the token thread's. Everything may block. */
#ifndef SLUICE_PUSH_TOKEN_ROW_H
#define SLUICE_PUSH_TOKEN_ROW_H

#include "crypto/aes_gcm.h"
#include "crypto/sha256.h"
#include "pg/conn.h"
#include "push/provider.h"

struct token_owner {
    const char *provider;
    unsigned char credential[SHA256_BYTES];
    unsigned char key[AES_GCM_KEY_BYTES];
};

/* What the token is encrypted to: NONCE CIPHERTEXT TAG as heap text "\x..." for PostgreSQL. */
char *token_seal(const struct token_owner *owner, const char *text) MUST_USE;
/* The other way, of the same form. NULL: it was made with another credential, or is damaged. Heap. */
char *token_open(const struct token_owner *owner, const char *sealed) MUST_USE;

/* *out->text NULL: there is no token, or one of another credential. */
enum rc token_row_read(PGconn *conn, const struct token_owner *owner, struct push_token *out, struct err *err) MUST_USE;
/* Begins a transaction in which the row is ours alone. RETRY with code 55P03: another instance has it. */
enum rc token_row_lock(PGconn *conn, const struct token_owner *owner, struct push_token *out, struct err *err) MUST_USE;
/* Ends that transaction; token NULL: nothing is changed. */
enum rc token_row_end(PGconn *conn, const struct token_owner *owner, const struct push_token *token,
                      struct err *err) MUST_USE;

void push_token_done(struct push_token *token); /* wipes and frees the text */

#endif
