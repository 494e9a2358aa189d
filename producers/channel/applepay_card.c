/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the decrypted part of a token, and keeps of it what may be kept. */
#include "channel/applepay_card.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/currency.h"
#include "channel/apple.h"
#include "http/field.h"

#define ARENA_BYTES ((size_t)16 << 10)
#define WHERE "data, decrypted"

static bool digits(const char *text, size_t least, size_t most)
{
    size_t n = strspn(text, "0123456789");
    return text[n] == '\0' && n >= least && n <= most;
}

static bool number_ok(const char *text)
{
    return digits(text, 12, 19);
}

static bool currency_ok(const char *text)
{
    return digits(text, 3, 3);
}

static bool expires_ok(const char *text)
{
    int month = 0;
    int day = 0;
    return digits(text, 6, 6) && sscanf(text + 2, "%2d%2d", &month, &day) == 2 && month >= 1 && month <= 12 &&
           day >= 1 && day <= 31;
}

static bool word_ok(const char *text)
{
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static const char *copy(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

/* Every text that was decoded; the tree is not deeper than the parser lets it be. */
static void wipe(const struct body_value *v)
{
    for (; v != NULL; v = v->next) {
        if (v->text != NULL) {
            OPENSSL_cleanse((void *)(uintptr_t)v->text, v->n);
        }
        wipe(v->first);
    }
}

static void read_members(struct fields *f, struct arena *arena, struct applepay_card *out)
{
    char iso[16];
    char code[4];
    const char *number =
        field_text(f, "applicationPrimaryAccountNumber", FIELD_REQUIRED, 19, number_ok, "12 to 19 digits");
    const char *expires = field_text(f, "applicationExpirationDate", FIELD_REQUIRED, 6, expires_ok, "YYMMDD");
    const char *currency = field_text(f, "currencyCode", FIELD_REQUIRED, 3, currency_ok, "three digits of ISO 4217");
    (void)field_int(f, "transactionAmount", FIELD_REQUIRED, 0, INT64_MAX, &out->amount);
    out->manufacturer =
        copy(arena, field_text(f, "deviceManufacturerIdentifier", FIELD_OPTIONAL, 64, word_ok, "an id"));
    out->data_type = copy(arena, field_text(f, "paymentDataType", FIELD_OPTIONAL, 64, word_ok, "3DSecure or EMV"));
    if (f->problem->status != 0) {
        return;
    }
    (void)snprintf(iso, sizeof iso, "20%.2s-%.2s-%.2s", expires, expires + 2, expires + 4);
    out->expires = copy(arena, iso);
    out->last4 = copy(arena, number + strlen(number) - 4);
    out->currency = copy(arena, currency_of_number(currency, code) ? code : currency);
}

enum channel_reason applepay_read_card(char *text, size_t n, struct arena *arena, struct applepay_card *out,
                                       struct verdict *v)
{
    CLEANUP(arena_done) struct arena own;
    struct problem problem = {0};
    struct body_value *value = NULL;
    struct fields f;
    arena_init(&own, ARENA_BYTES);
    *out = (struct applepay_card){0};
    if (body_parse(text, n, &own, &value, &problem) == RC_OK) {
        fields_begin(&f, value, "", &problem);
        read_members(&f, arena, out);
        wipe(value);
    }
    OPENSSL_cleanse(text, n);
    return problem.status == 0 ? REASON_OK : apple_malformed(v, WHERE, &problem);
}

static void add(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        (void)buf_printf(out, ", \"%s\": ", name);
        (void)buf_json_string(out, value, strlen(value));
    }
}

const char *applepay_card_json(const struct applepay_card *card, const char *transaction_id, const char *payment_id,
                               struct arena *arena)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, CHANNEL_BODY_BYTES_MAX);
    (void)buf_puts(&out, "{\"verified\": true");
    add(&out, "transaction_id", transaction_id);
    add(&out, "payment_id", payment_id);
    (void)buf_printf(&out, ", \"amount\": %lld", (long long)card->amount);
    add(&out, "currency", card->currency);
    add(&out, "dpan_last4", card->last4);
    add(&out, "expires", card->expires);
    add(&out, "device_manufacturer_id", card->manufacturer);
    add(&out, "payment_data_type", card->data_type);
    (void)buf_putc(&out, '}');
    return arena_strndup(arena, buf_str(&out), out.len);
}
