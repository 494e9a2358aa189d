/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is signed is key, data, transactionId and applicationData, one behind the other and without lengths: whoever has
 * a token could move bytes from one to the next and have the same signature over another transactionId. So a
 * transactionId has at most 32 bytes and applicationData exactly 32, which leaves one way to cut them; the rest is held
 * by the encryption.
 */
#include "channel/applepay_body.h"

#include <stdio.h>
#include <string.h>

#include "channel/apple.h"
#include "channel/event_text.h"
#include "crypto/base64.h"
#include "http/field.h"

#define BASE64_WHAT "base64"
#define PAYMENT_ID_MAX 64

static bool payment_id_ok(const char *id)
{
    return id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~@-")] == '\0';
}

/* At least one byte. */
static struct sha256_part binary(struct fields *f, const char *name, struct arena *arena)
{
    size_t n = 0;
    const char *text = field_text(f, name, FIELD_REQUIRED, CHANNEL_BODY_BYTES_MAX, NULL, BASE64_WHAT);
    if (text == NULL) {
        return (struct sha256_part){0};
    }
    unsigned char *bytes = arena_alloc(arena, strlen(text));
    if (!base64_decode(text, strlen(text), bytes, strlen(text), &n) || n == 0) {
        field_refuse(f, name, "field_invalid", "expected " BASE64_WHAT);
        return (struct sha256_part){0};
    }
    return (struct sha256_part){bytes, n};
}

/* Several spellings of one number would be several numbers. */
static const char *lower_case(const char *hex, struct arena *arena)
{
    char *out = arena_strndup(arena, hex, strlen(hex));
    for (char *c = out; *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'F' ? (char)(*c | 0x20) : *c;
    }
    return out;
}

static void read_header(struct fields *f, struct arena *arena, struct applepay_token *t)
{
    t->key = binary(f, t->rsa ? "wrappedKey" : "ephemeralPublicKey", arena);
    struct sha256_part hash = binary(f, "publicKeyHash", arena);
    const char *id = field_text(f, "transactionId", FIELD_REQUIRED, (size_t)2 * APPLEPAY_ID_BYTES_MAX, NULL,
                                "1 to 32 bytes in hexadecimal");
    const char *data = field_text(f, "applicationData", FIELD_OPTIONAL, (size_t)2 * APPLEPAY_DATA_HASH_BYTES, NULL,
                                  "32 bytes in hexadecimal");
    if (f->problem->status != 0) {
        return;
    }
    if (hash.n != SHA256_BYTES) {
        field_refuse(f, "publicKeyHash", "field_invalid", "expected base64 of 32 bytes");
        return;
    }
    memcpy(t->key_hash, hash.bytes, SHA256_BYTES);
    if (!applepay_unhex(id, t->id, &t->id_n)) {
        field_refuse(f, "transactionId", "field_invalid", "expected 1 to 32 bytes in hexadecimal");
        return;
    }
    t->transaction_id = lower_case(id, arena);
    if (data != NULL &&
        (!applepay_unhex(data, t->data_hash, &t->data_hash_n) || t->data_hash_n != APPLEPAY_DATA_HASH_BYTES)) {
        field_refuse(f, "applicationData", "field_invalid", "expected 32 bytes in hexadecimal");
    }
}

/* paymentData. */
static enum channel_reason read_data(struct body_value *value, const char *path, bool with_rsa, struct arena *arena,
                                     struct applepay_token *t, struct verdict *v)
{
    struct problem problem = {0};
    struct fields f;
    struct fields header;
    char header_path[PROBLEM_FIELD_MAX];
    fields_begin(&f, value, path, &problem);
    const char *version = field_text(&f, "version", FIELD_REQUIRED, 64, NULL, "EC_v1 or RSA_v1");
    if (version == NULL) {
        return apple_malformed(v, "", &problem);
    }
    t->rsa = strcmp(version, "RSA_v1") == 0;
    if (t->rsa ? !with_rsa : strcmp(version, "EC_v1") != 0) {
        return verdict_refuse(v, REASON_ALG_UNSUPPORTED, "%sversion: expected EC_v1%s", path,
                              with_rsa ? " or RSA_v1" : "; the account has no key for RSA_v1");
    }
    t->data = binary(&f, "data", arena);
    t->signature = binary(&f, "signature", arena);
    struct body_value *box = field_find(&f, "header", FIELD_REQUIRED);
    if (box != NULL) {
        (void)snprintf(header_path, sizeof header_path, "%.64sheader.", path);
        fields_begin(&header, box, header_path, &problem);
        read_header(&header, arena, t);
    }
    return problem.status == 0 ? REASON_OK : apple_malformed(v, "", &problem);
}

/* The order in the third form. */
static void read_order(struct fields *f, struct applepay_token *t)
{
    t->payment_id = field_text(f, "payment_id", FIELD_OPTIONAL, PAYMENT_ID_MAX, payment_id_ok,
                               "the order's number: 1 to 64 of A-Z a-z 0-9 . _ : ~ @ -");
    t->has_amount = field_int(f, "amount", FIELD_OPTIONAL, 1, INT64_MAX, &t->amount);
    t->currency = field_text(f, "currency", FIELD_OPTIONAL, 3, event_currency_ok, EVENT_CURRENCY_WHAT);
    fields_end(f); /* a misspelt amount must not go uncompared */
    if (f->problem->status == 0 && t->has_amount != (t->currency != NULL)) {
        field_refuse(f, t->has_amount ? "currency" : "amount", "field_missing",
                     "amount and currency go together, and one is missing");
    }
}

static struct body_value *member(const struct body_value *object, const char *name)
{
    struct body_value *m = object->type == BODY_OBJECT ? object->first : NULL;
    while (m != NULL && strcmp(m->key, name) != 0) {
        m = m->next;
    }
    return m;
}

enum channel_reason applepay_read_body(const struct capture *c, bool with_rsa, struct arena *arena,
                                       struct applepay_token *out, struct verdict *v)
{
    struct problem problem = {0};
    struct body_value *value = NULL;
    const char *path = "";
    *out = (struct applepay_token){0};
    if (body_parse(c->body, c->body_n, arena, &value, &problem) != RC_OK) {
        return apple_malformed(v, "", &problem);
    }
    if (member(value, "token") != NULL) {
        struct fields f;
        fields_begin(&f, value, "", &problem);
        value = field_find(&f, "token", FIELD_REQUIRED);
        path = "token.";
        read_order(&f, out);
        if (problem.status != 0) {
            return apple_malformed(v, "", &problem);
        }
    }
    struct body_value *inner = member(value, "paymentData");
    if (inner != NULL) {
        path = path[0] == '\0' ? "paymentData." : "token.paymentData.";
        value = inner;
    }
    return read_data(value, path, with_rsa, arena, out, v);
}
