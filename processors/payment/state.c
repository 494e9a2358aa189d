/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up edges, names what is in them, draws them. */
#include "payment/state.h"

#include <string.h>

#include "base/mem.h"
#include "base/names.h"

const char *const PAYMENT_STATE_NAMES[PAYMENT_STATES] = {
    [PAYMENT_INIT] = "INIT",         [PAYMENT_PENDING] = "PENDING", [PAYMENT_CONFIRMED] = "CONFIRMED",
    [PAYMENT_REFUNDED] = "REFUNDED", [PAYMENT_EXPIRED] = "EXPIRED", [PAYMENT_REVOKED] = "REVOKED",
};

const char *const PAYMENT_EVENT_NAMES[PAYMENT_EVENTS] = {
    [PAYMENT_CREATED] = "payment.created", [PAYMENT_SUCCEEDED] = "payment.succeeded",
    [PAYMENT_REFUND] = "payment.refunded", [PAYMENT_EXPIRE] = "payment.expired",
    [PAYMENT_CLOSED] = "payment.closed",   [PAYMENT_REVOKE] = "payment.revoked",
};

const char *const PAYMENT_CASE_NAMES[PAYMENT_CASES] = {
    [CASE_ANY] = "",
    [CASE_WRONG_CHANNEL] = "wrong channel",
    [CASE_WRONG_CURRENCY] = "wrong currency",
    [CASE_WRONG_AMOUNT] = "wrong amount",
    [CASE_FIRST] = "first",
    [CASE_AGAIN] = "again",
    [CASE_ANOTHER] = "another",
    [CASE_CONFLICT] = "conflict",
    [CASE_OVER] = "over",
    [CASE_LATE] = "late",
    [CASE_SUSPENSE] = "from suspense",
    [CASE_PART] = "part",
    [CASE_REST] = "rest",
};

static const char *const CASE_TEXTS[PAYMENT_CASES] = {
    [CASE_ANY] = "",
    [CASE_WRONG_CHANNEL] = "a success of another channel than the order's",
    [CASE_WRONG_CURRENCY] = "in another currency than the order's",
    [CASE_WRONG_AMOUNT] = "a success with another amount than the order's",
    [CASE_FIRST] = "the first success of this order",
    [CASE_AGAIN] = "booked before under the same number",
    [CASE_ANOTHER] = "another success after one that was booked: paid once more",
    [CASE_CONFLICT] = "booked before under the same number, with another amount",
    [CASE_OVER] = "more than is left to be given back",
    [CASE_LATE] = "a refund after the channel's refund window",
    [CASE_SUSPENSE] = "a refund of money that stands in suspense",
    [CASE_PART] = "a refund of a part of what is left",
    [CASE_REST] = "a refund of all that is left",
};

const char *const PAYMENT_BOOKING_NAMES[PAYMENT_BOOKINGS] = {
    [BOOK_NONE] = "",
    [BOOK_CONFIRM] = "confirm",
    [BOOK_SUSPEND] = "suspend",
    [BOOK_REFUND] = "refund",
    [BOOK_REFUND_SUSPENSE] = "refund_suspense",
    [BOOK_REFUND_CARRIED] = "refund_carried",
    [BOOK_REVOKE] = "revoke",
    [BOOK_REVOKE_SUSPENSE] = "revoke_suspense",
    [BOOK_REVOKE_CARRIED] = "revoke_carried",
};

const char *const PAYMENT_REVIEW_NAMES[PAYMENT_REVIEWS] = {
    [REVIEW_NONE] = "",
    [REVIEW_ILLEGAL_TRANSITION] = "illegal_transition",
    [REVIEW_PAYMENT_UNKNOWN] = "payment_unknown",
    [REVIEW_CHANNEL_MISMATCH] = "channel_mismatch",
    [REVIEW_CURRENCY_MISMATCH] = "currency_mismatch",
    [REVIEW_AMOUNT_MISMATCH] = "amount_mismatch",
    [REVIEW_DUPLICATE_PAYMENT] = "duplicate_payment",
    [REVIEW_REFUND_CONFLICT] = "refund_conflict",
    [REVIEW_REFUND_EXCEEDS_PAYMENT] = "refund_exceeds_payment",
    [REVIEW_REFUND_WINDOW_CLOSED] = "refund_window_closed",
    [REVIEW_ACCOUNT_NOT_CREDITED] = "account_not_credited",
    [REVIEW_ACCOUNT_NOT_DEBITED] = "account_not_debited",
    [REVIEW_BOOKING_REFUSED] = "booking_refused",
};

static const char *const REVIEW_TEXTS[PAYMENT_REVIEWS] = {
    [REVIEW_NONE] = "",
    [REVIEW_ILLEGAL_TRANSITION] = "The event cannot happen to a payment in this state.",
    [REVIEW_PAYMENT_UNKNOWN] = "There is no order of this number.",
    [REVIEW_CHANNEL_MISMATCH] = "The success is of another channel than the order.",
    [REVIEW_CURRENCY_MISMATCH] = "The currency is another than the order's.",
    [REVIEW_AMOUNT_MISMATCH] = "The amount paid is not the order's.",
    [REVIEW_DUPLICATE_PAYMENT] = "The order was paid once more: that money is in suspense, its refund was asked for.",
    [REVIEW_REFUND_CONFLICT] = "This refund was booked before, with another amount.",
    [REVIEW_REFUND_EXCEEDS_PAYMENT] = "The refund is more than is left of the payment.",
    [REVIEW_REFUND_WINDOW_CLOSED] = "The refund came after the channel's refund window.",
    [REVIEW_ACCOUNT_NOT_CREDITED] = "The order's account could not be credited: the money is in suspense.",
    [REVIEW_ACCOUNT_NOT_DEBITED] = "The order's account could not pay it back: suspense carries it.",
    [REVIEW_BOOKING_REFUSED] = "The ledger refused the booking: nothing was booked.",
};

const char *payment_review_text(enum payment_review r)
{
    return REVIEW_TEXTS[r];
}

const char *payment_case_text(enum payment_case c)
{
    return CASE_TEXTS[c];
}

bool payment_case_of(enum payment_event_type event, enum payment_case c)
{
    if (event == PAYMENT_SUCCEEDED) {
        return c >= CASE_WRONG_CHANNEL && c <= CASE_ANOTHER;
    }
    if (event == PAYMENT_REFUND) {
        return c == CASE_WRONG_CURRENCY || c == CASE_AGAIN || (c >= CASE_CONFLICT && c < PAYMENT_CASES);
    }
    return c == CASE_ANY;
}

/* What is booked where an account refuses, and where the money never came to it. */
static const struct {
    enum payment_booking refused, uncredited;
} INSTEAD[PAYMENT_BOOKINGS] = {
    [BOOK_CONFIRM] = {BOOK_SUSPEND, BOOK_NONE},
    [BOOK_REFUND] = {BOOK_REFUND_CARRIED, BOOK_REFUND_SUSPENSE},
    [BOOK_REVOKE] = {BOOK_REVOKE_CARRIED, BOOK_REVOKE_SUSPENSE},
};

enum payment_booking payment_booking_fallback(enum payment_booking b)
{
    return INSTEAD[b].refused;
}

enum payment_booking payment_booking_uncredited(enum payment_booking b)
{
    return INSTEAD[b].uncredited != BOOK_NONE ? INSTEAD[b].uncredited : b;
}

const struct payment_edge *payment_edge_find(enum payment_state from, enum payment_event_type event,
                                             enum payment_case c)
{
    for (size_t i = 0; i < PAYMENT_EDGES_N; i++) {
        const struct payment_edge *e = &PAYMENT_EDGES[i];
        if ((e->from == from || e->from == PAYMENT_ANY_STATE) && e->event == event &&
            (e->when == c || e->when == CASE_ANY)) {
            return e;
        }
    }
    return NULL;
}

bool payment_step_legal(enum payment_state from, enum payment_event_type event, enum payment_state to)
{
    for (size_t i = 0; i < PAYMENT_EDGES_N; i++) {
        const struct payment_edge *e = &PAYMENT_EDGES[i];
        bool moves = e->answer == ANSWER_STEP || e->answer == ANSWER_VIA;
        if (moves && e->from == from && e->event == event && e->to == to) {
            return true;
        }
    }
    return false;
}

bool payment_state_parse(const char *name, enum payment_state *out)
{
    int i = names_find(PAYMENT_STATE_NAMES, PAYMENT_STATES, name);

    *out = i >= 0 ? (enum payment_state)i : *out;
    return i >= 0;
}

bool payment_event_parse(const char *name, enum payment_event_type *out)
{
    int i = names_find(PAYMENT_EVENT_NAMES, PAYMENT_EVENTS, name);

    *out = i >= 0 ? (enum payment_event_type)i : *out;
    return i >= 0;
}

void payment_states_mermaid(struct buf *out)
{
    (void)buf_puts(out, "stateDiagram-v2\n    [*] --> INIT\n");
    for (size_t i = 0; i < PAYMENT_EDGES_N; i++) {
        const struct payment_edge *e = &PAYMENT_EDGES[i];
        if (e->answer != ANSWER_STEP && e->answer != ANSWER_VIA) {
            continue;
        }
        (void)buf_printf(out, "    %s --> %s: %s", PAYMENT_STATE_NAMES[e->from], PAYMENT_STATE_NAMES[e->to],
                         strchr(PAYMENT_EVENT_NAMES[e->event], '.') + 1);
        if (e->when != CASE_ANY) {
            (void)buf_printf(out, " (%s)", PAYMENT_CASE_NAMES[e->when]);
        }
        if (e->answer == ANSWER_VIA) {
            (void)buf_puts(out, ", then on from PENDING");
        }
        if (e->books != BOOK_NONE) {
            (void)buf_printf(out, " / %s%s", PAYMENT_BOOKING_NAMES[e->books], e->asks_refund ? ", ask for refund" : "");
        }
        (void)buf_putc(out, '\n');
    }
}
