/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one event does to one order: which case it is, which edge it takes, what is booked, and the order afterwards.
 *
 *     payment_event_resolve(&event, &seen);
 *     payment_decide(&order, &event, &seen, window_days, &d);
 *     if d.booking: the ledger is asked; if it refuses, for d.fallback
 *     payment_apply(&order, &event, &d, what the ledger said);
 *
 * Of each payment these hold, whatever comes in which order:
 *   - what came (receipts) = what the account was credited + what went to suspense;
 *   - refunded_amount is at most the amount; suspense_amount is what stands in suspense for it, carried_amount what
 *     suspense has paid because the account could not; neither is ever below zero.
 *
 * No clock, no database. Strings belong to the caller. Thread: any.
 */
#ifndef SLUICE_PAYMENT_DECIDE_H
#define SLUICE_PAYMENT_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "payment/state.h"

#define PAYMENT_ID_MAX 64   /* bytes of payment_id: transfer ids are made of it and have 128 */
#define PAYMENT_TXN_MAX 128 /* bytes of channel_txn_id and refund_id */
#define PAYMENT_NO_TIME INT64_MIN
#define PAYMENT_NO_WINDOW (-1) /* refunds at any time */

/* A row of payment_transactions. */
struct payment_order {
    const char *payment_id;
    const char *account_id;
    const char *channel;
    const char *currency;
    int64_t amount;
    int exponent;
    enum payment_state state;
    int64_t version;
    const char *channel_txn_id; /* of the first success; NULL = none yet */
    int64_t refunded_amount;
    int64_t suspense_amount;
    int64_t carried_amount;
    bool credited;
    int64_t confirmed_us; /* PAYMENT_NO_TIME = not yet */
};

/* A record of payment.events; fields an event of this type does not have are NULL, 0, PAYMENT_NO_TIME. */
struct payment_event {
    enum payment_event_type type;
    const char *event_id;
    const char *payment_id;
    const char *channel;        /* succeeded */
    const char *channel_txn_id; /* succeeded; refunded may name it */
    const char *refund_id;      /* refunded */
    const char *currency;       /* succeeded, refunded */
    int64_t amount;             /* the same; above 0, but see payment_event_resolve() */
    bool amount_is_total;       /* refunded: of channel_txn_id until now, not by this refund */
    int64_t at_us;              /* paid_at, refunded_at; else when it was written down */
};

/* What was booked before under the numbers that the event names. */
struct payment_seen {
    bool receipt;          /* its channel_txn_id came before */
    bool receipt_suspense; /* ... stands in suspense, and its refund was asked for */
    bool asked;            /* its refund_id is the one under which a refund of suspense was asked for */
    bool refund;           /* its refund_id was booked before */
    int64_t refund_amount; /* ... with this amount */
    const char *refund_currency;
    int64_t refunded_of_txn; /* sum of the refunds that named its channel_txn_id */
};

struct payment_decision {
    enum payment_case what;
    const struct payment_edge *via;  /* the step over PENDING; NULL = none */
    const struct payment_edge *edge; /* where it ends; its state is reached over via */
    enum payment_booking booking;    /* BOOK_NONE: nothing */
    enum payment_booking fallback;   /* when the ledger refuses; BOOK_NONE: nothing else */
    int64_t booked_amount;
    bool refund_of_suspense; /* payment_refunds.origin */
};

enum payment_booked {
    BOOKED,         /* or nothing had to be */
    BOOKED_INSTEAD, /* the fallback */
    BOOKED_NOTHING, /* both were refused */
};

/*
 * Some channels (Alipay) tell with each refund what was refunded of the transaction in all. The event then says what is
 * new: the difference, or 0 where nothing is, because a later notification came before it. Before payment_decide().
 */
void payment_event_resolve(struct payment_event *event, const struct payment_seen *seen);

/* window_days: of the order's channel, or PAYMENT_NO_WINDOW. */
void payment_decide(const struct payment_order *order, const struct payment_event *event,
                    const struct payment_seen *seen, int64_t window_days, struct payment_decision *out);

/*
 * The order after the event; version counts each step. The review that is due, or REVIEW_NONE. BOOKED_NOTHING changes
 * nothing and is REVIEW_BOOKING_REFUSED.
 */
enum payment_review payment_apply(struct payment_order *order, const struct payment_event *event,
                                  const struct payment_decision *d, enum payment_booked booked);

/* Did the event move the payment? Then it has as many rows of history as steps: one, or two with via. */
static inline bool payment_moves(const struct payment_decision *d, enum payment_booked booked)
{
    return d->edge->answer == ANSWER_STEP && booked != BOOKED_NOTHING;
}

#endif
