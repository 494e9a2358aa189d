/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is looked at before anything is stored. Codes are the ledger's where it has one for the same thing. Nothing here
 * depends on the state of an account, and nothing that was taken once is refused later: whether an expiry has passed is
 * the ledger's business, or a repeated request would not get the answer of the first.
 */
#ifndef SLUICE_GATEWAY_CHECK_H
#define SLUICE_GATEWAY_CHECK_H

#include "http/field.h"

#define CHECK_PAYMENT_ID_MAX 64
#define CHECK_CHANNEL_MAX 32
#define CHECK_TIMEOUT_S_MAX INT64_C(34560000) /* 400 days, as far ahead as the ledger takes an expiry */

#define CHECK_ID_WHAT "an id of 1 to 128 of A-Z a-z 0-9 . _ : ~ @ -"
#define CHECK_CURRENCY_WHAT "a currency of 1 to 12 of A-Z a-z 0-9"

/* Characters only; field_text() looks at the length. */
bool check_is_channel(const char *s);

/* Where ledger_account_reserved(): services neither open, set nor name them. */
#define CHECK_OWN_ACCOUNT_WHAT "accounts that begin with clearing: and suspense: are kept for the program"

/* Members that several bodies have; as field_text() and field_int(). */
const char *member_id(struct fields *f, const char *name, enum field_need need);
/* An account that services may book on. */
const char *member_account(struct fields *f, const char *name, enum field_need need);
const char *member_currency(struct fields *f, enum field_need need);
/* Minor units from 1; codes amount_not_positive, amount_too_large. */
bool member_amount(struct fields *f, enum field_need need, int64_t *out);
/* Codes timestamp_out_of_range. Microseconds since 1970. */
bool member_effective(struct fields *f, int64_t *out_us);
/* `expires_at` or `timeout_s`, at most one of them. */
struct expiry {
    bool has_at, has_timeout;
    int64_t at_us, timeout_s;
};
void member_expiry(struct fields *f, struct expiry *out);

#endif
