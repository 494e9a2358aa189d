/* SPDX-License-Identifier: Apache-2.0 */
/* What an App Store notification means for an order. */
#ifndef SLUICE_CHANNEL_APPSTORE_EVENT_H
#define SLUICE_CHANNEL_APPSTORE_EVENT_H

#include "channel/channel.h"
#include "http/field.h"

/* Of the verified transaction. */
struct appstore_transaction {
    const char *id, *original_id, *product_id; /* NULL = it does not say */
    const char *payment_id;                    /* appAccountToken */
    const char *currency;
    bool family_shared; /* another member of the family has paid */
    bool has_price;
    int64_t price_milli;                /* thousandths of the currency, for the whole quantity */
    int64_t refunded_milli;             /* thousandths of a percent of it that were refunded; 100000 = all */
    int64_t purchase_ms, revocation_ms; /* since 1970; 0 = it does not say */
};

/* The payload of a signedTransactionInfo, but for bundle and environment. */
void appstore_read_transaction(struct fields *f, struct appstore_transaction *out);
/* Fills everything of the event but merchant and ids. t: NULL = the notification has none. */
void appstore_fill_event(const char *type, const char *subtype, int64_t signed_ms, const struct appstore_transaction *t,
                         const char *environment, struct arena *arena, struct channel_event *out);

#endif
