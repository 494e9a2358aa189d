/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of payments, as data: one table of edges, looked up from the top, first match.
 *
 *     INIT -> PENDING -> CONFIRMED -> REFUNDED
 *             PENDING -> EXPIRED, PENDING -> REVOKED (closed unpaid), CONFIRMED -> REVOKED (taken back)
 *             EXPIRED -> REVOKED (paid too late: the money goes to suspense and is asked back)
 *
 * An edge is chosen by the state, the event and its case: what the event turned out to be beside the order (the first
 * success or another one, a part or the rest of the refund, ...). Every (state, event, case) has exactly one answer:
 *
 *     STEP     a new version of the payment and a row of history; from = to is a step too (a partial refund)
 *     VIA      a step to PENDING first, then the same event once more: whatever happens to an order whose creation was
 *              not seen yet goes the same way as if it had been
 *     REPEAT   nothing changes: said before, or overtaken by what happened since
 *     REVIEW   nothing changes, a person has to look
 *
 * Whoever judges history (`sluice account check`) asks payment_step_legal(): versions of a payment are contiguous from
 * 1, the first step leaves INIT, each step begins where the one before ended.
 *
 * Thread: any; everything is constant.
 */
#ifndef SLUICE_PAYMENT_STATE_H
#define SLUICE_PAYMENT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum payment_state {
    PAYMENT_INIT,
    PAYMENT_PENDING,
    PAYMENT_CONFIRMED,
    PAYMENT_REFUNDED,
    PAYMENT_EXPIRED,
    PAYMENT_REVOKED,
    PAYMENT_STATES,
    PAYMENT_ANY_STATE = PAYMENT_STATES /* of an edge only */
};
extern const char *const PAYMENT_STATE_NAMES[PAYMENT_STATES]; /* "INIT", as in payment_transactions.state */

enum payment_event_type {
    PAYMENT_CREATED,
    PAYMENT_SUCCEEDED,
    PAYMENT_REFUND, /* "payment.refunded" */
    PAYMENT_EXPIRE, /* "payment.expired" */
    PAYMENT_CLOSED,
    PAYMENT_REVOKE, /* "payment.revoked" */
    PAYMENT_EVENTS
};
extern const char *const PAYMENT_EVENT_NAMES[PAYMENT_EVENTS]; /* "payment.created", as in payment_outbox.event_type */

/* What an event is beside the order. Created, expired, closed and revoked have no cases: CASE_ANY. */
enum payment_case {
    CASE_ANY,
    /* succeeded */
    CASE_WRONG_CHANNEL,
    CASE_WRONG_CURRENCY, /* refunded, too */
    CASE_WRONG_AMOUNT,
    CASE_FIRST,   /* no success was booked for this order so far */
    CASE_AGAIN,   /* this channel transaction, or this refund, was booked before */
    CASE_ANOTHER, /* another channel transaction was: paid twice */
    /* refunded */
    CASE_CONFLICT, /* the refund's id was booked before, with another amount */
    CASE_OVER,     /* more than is left */
    CASE_LATE,     /* behind the channel's refund window */
    CASE_SUSPENSE, /* of money that stands in suspense */
    CASE_PART,
    CASE_REST, /* all that is left */
    PAYMENT_CASES
};
extern const char *const PAYMENT_CASE_NAMES[PAYMENT_CASES]; /* "first"; "" for CASE_ANY */
/* What the case means, for people; "" for CASE_ANY. Static. */
const char *payment_case_text(enum payment_case c);
/* Can this event be this case? CASE_ANY only of events without cases. */
bool payment_case_of(enum payment_event_type event, enum payment_case c);

enum payment_answer { ANSWER_STEP, ANSWER_VIA, ANSWER_REPEAT, ANSWER_REVIEW };

/* What a step books; the entries are a matter of the posting rules (payment/posting.h). */
enum payment_booking {
    BOOK_NONE,
    BOOK_CONFIRM,         /* the order is paid: its account is credited */
    BOOK_SUSPEND,         /* money came that belongs to no account: to suspense */
    BOOK_REFUND,          /* the account gives back */
    BOOK_REFUND_SUSPENSE, /* suspense gives back */
    BOOK_REFUND_CARRIED,  /* the account could not: suspense carries it */
    BOOK_REVOKE,          /* what was credited and not refunded is taken back */
    BOOK_REVOKE_SUSPENSE,
    BOOK_REVOKE_CARRIED,
    PAYMENT_BOOKINGS
};
extern const char *const PAYMENT_BOOKING_NAMES[PAYMENT_BOOKINGS]; /* "confirm", as in posting.json; "" for none */
/* What is booked instead when the ledger refuses it; BOOK_NONE = there is nothing else. */
enum payment_booking payment_booking_fallback(enum payment_booking b);
/* What is booked instead when the order's money never reached its account and stands in suspense; else b itself. */
enum payment_booking payment_booking_uncredited(enum payment_booking b);

/* Why a person has to look. Names are part of the contract (payment_reviews.code) and never change. */
enum payment_review {
    REVIEW_NONE,
    REVIEW_ILLEGAL_TRANSITION,
    REVIEW_PAYMENT_UNKNOWN,
    REVIEW_CHANNEL_MISMATCH,
    REVIEW_CURRENCY_MISMATCH,
    REVIEW_AMOUNT_MISMATCH,
    REVIEW_DUPLICATE_PAYMENT,
    REVIEW_REFUND_CONFLICT,
    REVIEW_REFUND_EXCEEDS_PAYMENT,
    REVIEW_REFUND_WINDOW_CLOSED,
    REVIEW_ACCOUNT_NOT_CREDITED, /* the ledger refused the credit: the money is in suspense */
    REVIEW_ACCOUNT_NOT_DEBITED,  /* the ledger refused the debit: suspense carries it */
    REVIEW_BOOKING_REFUSED,      /* suspense was refused as well: nothing was booked, nothing has changed */
    PAYMENT_REVIEWS
};
extern const char *const PAYMENT_REVIEW_NAMES[PAYMENT_REVIEWS]; /* "amount_mismatch"; "" for none */
/* One sentence: what it is. Static. */
const char *payment_review_text(enum payment_review r);

struct payment_edge {
    enum payment_state from; /* PAYMENT_ANY_STATE: all of them */
    enum payment_event_type event;
    enum payment_case when; /* CASE_ANY: all of them */
    enum payment_answer answer;
    enum payment_state to; /* STEP, VIA; else the state itself, left out */
    enum payment_booking books;
    enum payment_review review; /* REVIEW; of a STEP: it happens, and a person has to look */
    bool asks_refund;           /* a request to give the money back goes out */
    const char *tells;          /* event_type of the merchant's callback; STEP, VIA */
};
extern const struct payment_edge PAYMENT_EDGES[];
extern const size_t PAYMENT_EDGES_N;

/* The first edge that fits; never NULL for a case the event can be. */
const struct payment_edge *payment_edge_find(enum payment_state from, enum payment_event_type event,
                                             enum payment_case c);

/* May a row of history say this? Steps over PENDING (VIA) are two rows with the same event. */
bool payment_step_legal(enum payment_state from, enum payment_event_type event, enum payment_state to);

/* False: there is none of that name; *out is left alone. */
bool payment_state_parse(const char *name, enum payment_state *out);
bool payment_event_parse(const char *name, enum payment_event_type *out);

/* The table as a Mermaid stateDiagram-v2: all steps, with what they book. */
void payment_states_mermaid(struct buf *out);

#endif
