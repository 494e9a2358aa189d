/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 over the hash before and the flow's text. */
#include "ledger_check/flow_hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NUMBER_MAX 24

/* As %lld|, which is a third of the whole work otherwise. */
static char *put_number(char *at, int64_t v)
{
    char digits[NUMBER_MAX];
    size_t n = sizeof(digits);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--n] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        digits[--n] = '-';
    }
    memcpy(at, digits + n, sizeof(digits) - n);
    at += sizeof(digits) - n;
    *at = '|';
    return at + 1;
}

static char *put_text(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    at[n] = '|';
    return at + n + 1;
}

void flow_hash_of(const unsigned char before[FLOW_HASH_BYTES], const struct hashed_flow *f,
                  unsigned char out[FLOW_HASH_BYTES])
{
    static EVP_MD_CTX *ctx;
    const int64_t numbers[] = {f->slot,         f->version,      f->amount,         f->balance_after,
                               f->frozen_delta, f->frozen_after, f->incoming_delta, f->incoming_after};
    size_t account_n = strlen(f->account_id);
    size_t kind_n = strlen(f->kind);
    size_t transfer_n = strlen(f->transfer_id);
    size_t event_n = strlen(f->event_id);
    char on_stack[1024];
    size_t need = account_n + kind_n + transfer_n + event_n + 16 * (size_t)NUMBER_MAX;
    char *text = need <= sizeof(on_stack) ? on_stack : xcalloc(need, 1);
    char *at = put_text(text, f->account_id, account_n);

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        at = put_number(at, numbers[i]);
    }
    at = put_text(at, f->kind, kind_n);
    at = put_text(at, f->transfer_id, transfer_n);
    at = put_text(at, f->event_id, event_n);
    at = put_number(at, f->effective_us) - 1; /* nothing stands behind the last one */

    ctx = ctx != NULL ? ctx : EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, before, FLOW_HASH_BYTES) != 1 || EVP_DigestUpdate(ctx, text, (size_t)(at - text)) != 1 ||
        EVP_DigestFinal_ex(ctx, out, NULL) != 1) {
        abort(); /* libcrypto without SHA-256 */
    }
    if (text != on_stack) {
        free(text);
    }
}

void flow_hash_id(const unsigned char hash[FLOW_HASH_BYTES], char out[FLOW_ID_TEXT_MAX])
{
    unsigned char b[16];

    memcpy(b, hash, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x80);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, FLOW_ID_TEXT_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
