/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the cases of an event apart, and counts what a step has done. */
#include "payment/decide.h"

#include <string.h>

#define DAY_US (INT64_C(24) * 3600 * 1000000)

static enum payment_case classify_success(const struct payment_order *o, const struct payment_event *e,
                                          const struct payment_seen *seen)
{
    int64_t sum = 0;

    if (strcmp(e->channel, o->channel) != 0) {
        return CASE_WRONG_CHANNEL;
    }
    if (strcmp(e->currency, o->currency) != 0) {
        return CASE_WRONG_CURRENCY;
    }
    /* A payment that came so often that its sum leaves 64 bits is none that can be counted. */
    if (e->amount != o->amount || __builtin_add_overflow(o->suspense_amount, e->amount, &sum)) {
        return CASE_WRONG_AMOUNT;
    }
    if (seen->receipt) {
        return CASE_AGAIN;
    }
    return o->channel_txn_id == NULL ? CASE_FIRST : CASE_ANOTHER;
}

/* Of the order's own money: what has not been given back. */
static int64_t order_left(const struct payment_order *o)
{
    return o->state == PAYMENT_CONFIRMED ? o->amount - o->refunded_amount : 0;
}

/* What stands in suspense beside the order's own money. */
static int64_t suspense_left(const struct payment_order *o)
{
    return o->suspense_amount - (o->credited ? 0 : order_left(o));
}

static bool is_late(const struct payment_order *o, const struct payment_event *e, int64_t window_days)
{
    if (window_days == PAYMENT_NO_WINDOW) {
        return false;
    }
    return o->confirmed_us == PAYMENT_NO_TIME || e->at_us > o->confirmed_us + window_days * DAY_US;
}

static enum payment_case classify_refund(const struct payment_order *o, const struct payment_event *e,
                                         const struct payment_seen *seen, int64_t window_days)
{
    if (e->amount == 0) {
        return CASE_AGAIN;
    }
    if (seen->refund) {
        bool same = seen->refund_amount == e->amount && strcmp(seen->refund_currency, e->currency) == 0;
        return same ? CASE_AGAIN : CASE_CONFLICT;
    }
    if (strcmp(e->currency, o->currency) != 0) {
        return CASE_WRONG_CURRENCY;
    }
    /* Where nothing of the order is left, only suspense can have something to give back. */
    if (seen->asked || seen->receipt_suspense || order_left(o) == 0) {
        return e->amount <= suspense_left(o) ? CASE_SUSPENSE : CASE_OVER;
    }
    if (e->amount > order_left(o)) {
        return CASE_OVER;
    }
    if (is_late(o, e, window_days)) {
        return CASE_LATE;
    }
    return e->amount == order_left(o) ? CASE_REST : CASE_PART;
}

static enum payment_case classify(const struct payment_order *o, const struct payment_event *e,
                                  const struct payment_seen *seen, int64_t window_days)
{
    if (e->type == PAYMENT_SUCCEEDED) {
        return classify_success(o, e, seen);
    }
    return e->type == PAYMENT_REFUND ? classify_refund(o, e, seen, window_days) : CASE_ANY;
}

static int64_t amount_of(enum payment_booking b, const struct payment_order *o, const struct payment_event *e)
{
    if (b == BOOK_NONE) {
        return 0;
    }
    return b == BOOK_REVOKE || b == BOOK_REVOKE_SUSPENSE ? order_left(o) : e->amount;
}

void payment_event_resolve(struct payment_event *event, const struct payment_seen *seen)
{
    if (event->amount_is_total) {
        event->amount = event->amount > seen->refunded_of_txn ? event->amount - seen->refunded_of_txn : 0;
        event->amount_is_total = false;
    }
}

void payment_decide(const struct payment_order *order, const struct payment_event *event,
                    const struct payment_seen *seen, int64_t window_days, struct payment_decision *out)
{
    enum payment_case what = classify(order, event, seen, window_days);
    const struct payment_edge *edge = payment_edge_find(order->state, event->type, what);

    *out = (struct payment_decision){.what = what, .edge = edge};
    if (edge->answer == ANSWER_VIA) {
        out->via = edge;
        out->edge = edge = payment_edge_find(edge->to, event->type, what);
    }
    if (edge->answer != ANSWER_STEP) {
        return;
    }
    out->refund_of_suspense = what == CASE_SUSPENSE;
    out->booking = order->credited ? edge->books : payment_booking_uncredited(edge->books);
    out->fallback = payment_booking_fallback(out->booking);
    out->booked_amount = amount_of(out->booking, order, event);
}

static enum payment_review apply_booking(struct payment_order *o, const struct payment_event *e,
                                         const struct payment_decision *d, bool instead)
{
    int64_t amount = d->booked_amount;

    switch (d->booking) {
    case BOOK_CONFIRM:
        o->confirmed_us = e->at_us;
        o->credited = !instead;
        o->suspense_amount += instead ? amount : 0;
        return instead ? REVIEW_ACCOUNT_NOT_CREDITED : REVIEW_NONE;
    case BOOK_SUSPEND:
        o->suspense_amount += amount;
        return REVIEW_NONE;
    case BOOK_REFUND:
    case BOOK_REVOKE:
        o->carried_amount += instead ? amount : 0;
        return instead ? REVIEW_ACCOUNT_NOT_DEBITED : REVIEW_NONE;
    case BOOK_REFUND_SUSPENSE:
    case BOOK_REVOKE_SUSPENSE:
        o->suspense_amount -= amount;
        return REVIEW_NONE;
    case BOOK_NONE:
    case BOOK_REFUND_CARRIED:
    case BOOK_REVOKE_CARRIED:
    case PAYMENT_BOOKINGS:
    default:
        return REVIEW_NONE;
    }
}

enum payment_review payment_apply(struct payment_order *order, const struct payment_event *event,
                                  const struct payment_decision *d, enum payment_booked booked)
{
    if (booked == BOOKED_NOTHING) {
        return REVIEW_BOOKING_REFUSED;
    }
    if (d->edge->answer != ANSWER_STEP) {
        return d->edge->review;
    }
    enum payment_review review = apply_booking(order, event, d, booked == BOOKED_INSTEAD);
    if (event->type == PAYMENT_REFUND && !d->refund_of_suspense) {
        order->refunded_amount += d->booked_amount;
    }
    if (event->type == PAYMENT_SUCCEEDED && order->channel_txn_id == NULL) {
        order->channel_txn_id = event->channel_txn_id;
    }
    order->state = d->edge->to;
    order->version += d->via != NULL ? 2 : 1;
    return review != REVIEW_NONE ? review : d->edge->review;
}
