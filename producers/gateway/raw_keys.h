/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys for what is kept of channels' calls: headers and bodies stand in payment_callbacks encrypted (AES-256-GCM).
 *
 * The file has a line `KEY_ID BASE64` a key, of 32 bytes; '#' begins a remark. The first one encrypts, all of them
 * decrypt: a new key is put in front, the old one stays as long as rows name it. The file must not be readable by
 * group and others. Keys are wiped by raw_keys_free().
 *
 * Thread: any, once they are read.
 */
#ifndef SLUICE_GATEWAY_RAW_KEYS_H
#define SLUICE_GATEWAY_RAW_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define RAW_KEYS_MAX 64
#define RAW_KEY_ID_MAX 64 /* A-Z a-z 0-9 . _ - */
#define RAW_KEYS_FILE_BYTES_MAX ((size_t)64 << 10)
/* What n bytes become: nonce, ciphertext, tag. */
#define RAW_SEALED_BYTES(n) ((n) + 28)

struct raw_keys;

/* RC_FATAL with ERR_CONFIG: the line, and what was expected; never what stands there. */
enum rc raw_keys_read(const char *path, struct raw_keys **out_keys, struct err *err) MUST_USE;
/* The file that is used where none is configured: raw.keys beside the accounts file. Heap memory of the caller. */
char *raw_keys_beside(const char *accounts);
/* Makes it, with one new key, where there is none; what is there stays. RC_FATAL with ERR_CONFIG: it cannot be. */
enum rc raw_keys_make(const char *path, bool *out_made, struct err *err) MUST_USE;
struct raw_keys *raw_keys_free(struct raw_keys *keys); /* accepts NULL, returns NULL */
void raw_keys_freep(struct raw_keys **keys);

/* The id of the key that encrypts; belongs to the keys. */
const char *raw_keys_current(const struct raw_keys *keys);

/* What is sealed for one row and column cannot be opened as that of another. out has RAW_SEALED_BYTES(n) bytes. */
void raw_seal(const struct raw_keys *keys, const char *row_id, const char *column, const void *plain, size_t n,
              unsigned char *out);
/* Appends to out. REJECT: no such key, or not what was sealed. */
enum rc raw_open(const struct raw_keys *keys, const char *key_id, const char *row_id, const char *column,
                 const void *sealed, size_t n, struct buf *out, struct err *err) MUST_USE;

#endif
