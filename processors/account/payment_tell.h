/* SPDX-License-Identifier: Apache-2.0 */
/* What others are told of a payment: merchants, whoever gives money back, people. Texts in the arena. */
#ifndef SLUICE_ACCOUNT_PAYMENT_TELL_H
#define SLUICE_ACCOUNT_PAYMENT_TELL_H

#include "base/mem.h"
#include "ledger/code.h"
#include "payment/decide.h"

/* The merchant's callback: the order as it is after the step, and what happened. JSON. */
const char *payment_tell(struct arena *a, const char *event, enum payment_state from, const struct payment_order *after,
                         const struct payment_event *e);

/* payment.refund_requested: JSON of what is needed to give the money back. reason: "revoked", "paid_again", ... */
const char *payment_tell_request(struct arena *a, const struct payment_order *o, const struct payment_event *e,
                                 const char *refund_id, const char *reason);

/* A line of history: what was booked, and why not what should have been. NULL: nothing was. */
const char *payment_tell_note(struct arena *a, const struct payment_decision *d, enum payment_booked booked,
                              enum ledger_code refused);

/* What a person reads first. o: before the event. */
const char *payment_tell_review(struct arena *a, enum payment_review review, const struct payment_order *o,
                                const struct payment_event *e, enum ledger_code refused);

#endif
