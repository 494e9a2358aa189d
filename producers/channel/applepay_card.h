/* SPDX-License-Identifier: Apache-2.0 */
/* What is encrypted in a token. The card's number and the cryptogram are wiped before the function returns. */
#ifndef SLUICE_CHANNEL_APPLEPAY_CARD_H
#define SLUICE_CHANNEL_APPLEPAY_CARD_H

#include "channel/channel.h"

/* Lives in the arena that was given. */
struct applepay_card {
    const char *currency;                 /* "CNY"; digits of a number that the list does not have */
    int64_t amount;                       /* minor units */
    const char *last4;                    /* of the device's account number */
    const char *expires;                  /* "2031-12-31" */
    const char *manufacturer, *data_type; /* NULL = it does not say */
};

/* text is wiped in any case. BODY_MALFORMED. */
enum channel_reason applepay_read_card(char *text, size_t n, struct arena *arena, struct applepay_card *out,
                                       struct verdict *v);
/* The JSON that may be shown; in the arena. */
const char *applepay_card_json(const struct applepay_card *card, const char *transaction_id, const char *payment_id,
                               struct arena *arena);

#endif
