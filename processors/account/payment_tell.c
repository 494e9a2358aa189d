/* SPDX-License-Identifier: Apache-2.0 */
/* Texts about payments. */
#include "account/payment_tell.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#define TEXT_MAX ((size_t)16 << 10)

static const char *keep(struct arena *a, struct buf *b)
{
    const char *text = arena_strndup(a, buf_str(b), b->len);

    buf_done(b);
    return text;
}

static void member(struct buf *b, const char *name, const char *value)
{
    (void)buf_printf(b, "%s\"%s\": ", b->len == 1 ? "" : ", ", name);
    if (value == NULL) {
        (void)buf_puts(b, "null");
    } else {
        (void)buf_json_string(b, value, strlen(value));
    }
}

static void number(struct buf *b, const char *name, int64_t value)
{
    (void)buf_printf(b, ", \"%s\": %" PRId64, name, value);
}

const char *payment_tell(struct arena *a, const char *event, enum payment_state from, const struct payment_order *after,
                         const struct payment_event *e)
{
    char at[CLOCK_RFC3339_MAX];
    struct buf b;

    buf_init(&b, TEXT_MAX);
    (void)buf_putc(&b, '{');
    member(&b, "event", event);
    member(&b, "payment_id", after->payment_id);
    member(&b, "state", PAYMENT_STATE_NAMES[after->state]);
    member(&b, "from_state", PAYMENT_STATE_NAMES[from]);
    number(&b, "version", after->version);
    number(&b, "amount", after->amount);
    member(&b, "currency", after->currency);
    number(&b, "exponent", after->exponent);
    member(&b, "account_id", after->account_id);
    member(&b, "channel", after->channel);
    member(&b, "channel_txn_id", after->channel_txn_id);
    number(&b, "refunded_amount", after->refunded_amount);
    number(&b, "suspense_amount", after->suspense_amount);
    if (e->type == PAYMENT_REFUND) {
        member(&b, "refund_id", e->refund_id);
        number(&b, "refund_amount", e->amount);
    }
    clock_rfc3339(e->at_us, at);
    member(&b, "occurred_at", at);
    (void)buf_putc(&b, '}');
    return keep(a, &b);
}

const char *payment_tell_request(struct arena *a, const struct payment_order *o, const struct payment_event *e,
                                 const char *refund_id, const char *reason)
{
    struct buf b;

    buf_init(&b, TEXT_MAX);
    (void)buf_putc(&b, '{');
    member(&b, "payment_id", o->payment_id);
    member(&b, "refund_id", refund_id);
    number(&b, "amount", e->amount);
    member(&b, "currency", o->currency);
    number(&b, "exponent", o->exponent);
    member(&b, "channel", o->channel);
    member(&b, "channel_txn_id", e->channel_txn_id);
    member(&b, "reason", reason);
    (void)buf_putc(&b, '}');
    return keep(a, &b);
}

const char *payment_tell_note(struct arena *a, const struct payment_decision *d, enum payment_booked booked,
                              enum ledger_code refused)
{
    struct buf b;

    if (d->booking == BOOK_NONE) {
        return NULL;
    }
    buf_init(&b, TEXT_MAX);
    if (booked == BOOKED_INSTEAD) {
        (void)buf_printf(&b, "booked %s instead of %s: %s", PAYMENT_BOOKING_NAMES[d->fallback],
                         PAYMENT_BOOKING_NAMES[d->booking],
                         refused == CODE_OK ? "no such account id" : ledger_code_name(refused));
    } else {
        (void)buf_printf(&b, "booked %s", PAYMENT_BOOKING_NAMES[d->booking]);
    }
    return keep(a, &b);
}

const char *payment_tell_review(struct arena *a, enum payment_review review, const struct payment_order *o,
                                const struct payment_event *e, enum ledger_code refused)
{
    struct buf b;

    buf_init(&b, TEXT_MAX);
    (void)buf_printf(&b, "%s", payment_review_text(review));
    if (review == REVIEW_ILLEGAL_TRANSITION) {
        (void)buf_printf(&b, " %s in %s.", PAYMENT_EVENT_NAMES[e->type], PAYMENT_STATE_NAMES[o->state]);
    } else if (review == REVIEW_CHANNEL_MISMATCH) {
        (void)buf_printf(&b, " Paid with %.64s, ordered with %.64s.", e->channel, o->channel);
    } else if (review == REVIEW_REFUND_EXCEEDS_PAYMENT || review == REVIEW_REFUND_WINDOW_CLOSED ||
               review == REVIEW_REFUND_CONFLICT) {
        (void)buf_printf(&b, " %" PRId64 " %.12s as %.128s; the order has %" PRId64 ", refunded %" PRId64 ".",
                         e->amount, e->currency, e->refund_id, o->amount, o->refunded_amount);
    } else if (e->currency != NULL) {
        (void)buf_printf(&b, " %" PRId64 " %.12s; the order has %" PRId64 " %.12s.", e->amount, e->currency, o->amount,
                         o->currency);
    }
    if (refused != CODE_OK) {
        (void)buf_printf(&b, " The ledger said %s: %s", ledger_code_name(refused), ledger_code_text(refused));
    }
    return keep(a, &b);
}
