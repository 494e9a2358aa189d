/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Money has come with ONE_TIME_CHARGE, SUBSCRIBED and OFFER_REDEEMED, unless it is shared in a family (then
 * another notification tells of the payment) or an offer that only takes effect later; it goes back with REFUND.
 * DID_RENEW comes under the token of the first purchase, and would be taken for a second payment of that order, to be
 * given back. REVOKE ends a family member's share, who has not paid. Everything else is kept and changes nothing.
 */
#include "channel/appstore_event.h"

#include <stdio.h>
#include <string.h>

#include "base/currency.h"
#include "channel/appstore_jws.h"
#include "channel/event_text.h"

#define PERCENT_ALL 100000
#define PAYMENT_ID_MAX 64
#define US_PER_MS 1000

void appstore_read_transaction(struct fields *f, struct appstore_transaction *out)
{
    *out = (struct appstore_transaction){.refunded_milli = PERCENT_ALL};
    out->id = field_text(f, "transactionId", FIELD_REQUIRED, EVENT_ID_MAX, event_id_ok, EVENT_ID_WHAT);
    out->original_id = field_text(f, "originalTransactionId", FIELD_OPTIONAL, EVENT_ID_MAX, event_id_ok, EVENT_ID_WHAT);
    out->product_id = field_text(f, "productId", FIELD_OPTIONAL, 256, NULL, "a product's id");
    out->payment_id = field_text(f, "appAccountToken", FIELD_OPTIONAL, EVENT_ID_MAX, event_id_ok, EVENT_ID_WHAT);
    out->currency = field_text(f, "currency", FIELD_OPTIONAL, 3, event_currency_ok, EVENT_CURRENCY_WHAT);
    const char *ownership = field_text(f, "inAppOwnershipType", FIELD_OPTIONAL, 64, NULL, "PURCHASED or FAMILY_SHARED");
    out->family_shared = ownership != NULL && strcmp(ownership, "FAMILY_SHARED") == 0;
    out->has_price = field_int(f, "price", FIELD_OPTIONAL, 0, INT64_MAX, &out->price_milli);
    (void)field_int(f, "revocationPercentage", FIELD_OPTIONAL, 0, PERCENT_ALL, &out->refunded_milli);
    (void)field_int(f, "purchaseDate", FIELD_OPTIONAL, 0, APPSTORE_MS_MAX, &out->purchase_ms);
    (void)field_int(f, "revocationDate", FIELD_OPTIONAL, 0, APPSTORE_MS_MAX, &out->revocation_ms);
}

/* ---------------------------------------------------------------------------------------------------- meaning */

static bool one_of(const char *type, const char *const *types, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum payment_effect effect_of(const char *type, const char *subtype)
{
    static const char *const PAID[] = {"ONE_TIME_CHARGE", "SUBSCRIBED", "OFFER_REDEEMED"};
    bool later = strcmp(type, "OFFER_REDEEMED") == 0 && subtype != NULL && strcmp(subtype, "DOWNGRADE") == 0;
    if (one_of(type, PAID, sizeof PAID / sizeof PAID[0]) && !later) {
        return EFFECT_SUCCEEDED;
    }
    return strcmp(type, "REFUND") == 0 ? EFFECT_REFUNDED : EFFECT_NONE;
}

/* Thousandths to minor units; false: there are no minor units so small, or too many. */
static bool minor_of(int64_t milli, const char *currency, int64_t *out)
{
    static const int64_t POWERS[] = {1, 10, 100, 1000, 10000};
    int64_t product = 0;
    if (__builtin_mul_overflow(milli, POWERS[currency_digits(currency)], &product) || product % 1000 != 0) {
        return false;
    }
    *out = product / 1000;
    return true;
}

/* The percentage is rounded to its third digit, so the nearest minor unit is the right one of all but huge prices. */
static int64_t part_of(int64_t amount, int64_t percent_milli)
{
    int64_t whole = amount / PERCENT_ALL * percent_milli;
    return whole + (amount % PERCENT_ALL * percent_milli + PERCENT_ALL / 2) / PERCENT_ALL;
}

/* As orders' numbers are made (docs/payments.md); others cannot be one. */
static bool payment_id_ok(const char *id)
{
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~@-");
    return n > 0 && n <= PAYMENT_ID_MAX && id[n] == '\0';
}

static void fill_money(const struct appstore_transaction *t, struct arena *arena, struct channel_event *e)
{
    int64_t amount = 0;
    if (!t->has_price || t->currency == NULL || !minor_of(t->price_milli, t->currency, &amount)) {
        e->effect = EFFECT_NONE;
        return;
    }
    if (e->effect == EFFECT_REFUNDED) {
        char id[EVENT_ID_MAX + 32];
        int n = snprintf(id, sizeof id, "%.100s-%lld", t->id, (long long)t->revocation_ms);
        e->refund_id = arena_strndup(arena, id, (size_t)n);
        e->amount_is_total = true;
        amount = part_of(amount, t->refunded_milli);
    }
    e->has_amount = true;
    e->amount = amount;
    e->currency = t->currency;
    if (amount == 0 || t->family_shared || t->payment_id == NULL || !payment_id_ok(t->payment_id)) {
        e->effect = EFFECT_NONE;
    }
}

/* ---------------------------------------------------------------------------------------------------- shown */

static void add(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        (void)buf_printf(out, "%s\"%s\": ", out->len > 1 ? ", " : "", name);
        (void)buf_json_string(out, value, strlen(value));
    }
}

static const char *safe_json(const struct appstore_transaction *t, const char *environment, struct arena *arena)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, CHANNEL_BODY_BYTES_MAX);
    (void)buf_putc(&out, '{');
    add(&out, "environment", environment);
    if (t != NULL) {
        add(&out, "product_id", t->product_id);
        add(&out, "original_transaction_id", t->original_id);
        add(&out, "ownership", t->family_shared ? "FAMILY_SHARED" : NULL);
    }
    (void)buf_putc(&out, '}');
    return arena_strndup(arena, buf_str(&out), out.len);
}

void appstore_fill_event(const char *type, const char *subtype, int64_t signed_ms, const struct appstore_transaction *t,
                         const char *environment, struct arena *arena, struct channel_event *e)
{
    int64_t at_ms = 0;
    e->type = type;
    e->state = subtype;
    e->effect = t == NULL ? EFFECT_NONE : effect_of(type, subtype);
    e->safe = safe_json(t, environment, arena);
    if (t != NULL) {
        e->channel_txn_id = t->id;
        e->payment_id = t->payment_id;
        at_ms = e->effect == EFFECT_REFUNDED ? t->revocation_ms : t->purchase_ms;
        fill_money(t, arena, e);
    }
    e->at_us = (at_ms == 0 ? signed_ms : at_ms) * US_PER_MS;
}
