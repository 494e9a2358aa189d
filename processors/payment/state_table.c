/* SPDX-License-Identifier: Apache-2.0 */
/* The edges of the state machine, from the top, first match. Why each is as it is stands beside it. */
#include "base/mem.h"
#include "payment/state.h"

#define STEP(f, e, c, t, says, ...)                                                                            \
    {                                                                                                          \
        .from = PAYMENT_##f, .event = PAYMENT_##e, .when = CASE_##c, .answer = ANSWER_STEP, .to = PAYMENT_##t, \
        .tells = "payment." says, __VA_ARGS__                                                                  \
    }
#define VIA_PENDING(e)                                                                           \
    {                                                                                            \
        .from = PAYMENT_INIT, .event = PAYMENT_##e, .answer = ANSWER_VIA, .to = PAYMENT_PENDING, \
        .tells = "payment.pending"                                                               \
    }
#define REPEAT(f, e, c)                                                                      \
    {                                                                                        \
        .from = PAYMENT_##f, .event = PAYMENT_##e, .when = CASE_##c, .answer = ANSWER_REPEAT \
    }
#define REVIEW(f, e, c, r)                                                                                         \
    {                                                                                                              \
        .from = PAYMENT_##f, .event = PAYMENT_##e, .when = CASE_##c, .answer = ANSWER_REVIEW, .review = REVIEW_##r \
    }
#define ILLEGAL(f, e) REVIEW(f, e, ANY, ILLEGAL_TRANSITION)

const struct payment_edge PAYMENT_EDGES[] = {
    /* A success that is not of this order changes nothing, wherever the order stands. */
    REVIEW(ANY_STATE, SUCCEEDED, WRONG_CHANNEL, CHANNEL_MISMATCH),
    REVIEW(ANY_STATE, SUCCEEDED, WRONG_CURRENCY, CURRENCY_MISMATCH),
    REVIEW(ANY_STATE, SUCCEEDED, WRONG_AMOUNT, AMOUNT_MISMATCH),

    STEP(INIT, CREATED, ANY, PENDING, "pending", .books = BOOK_NONE),
    VIA_PENDING(SUCCEEDED),
    VIA_PENDING(EXPIRE),
    VIA_PENDING(CLOSED),
    ILLEGAL(INIT, REFUND),
    ILLEGAL(INIT, REVOKE),

    REPEAT(PENDING, CREATED, ANY),
    STEP(PENDING, SUCCEEDED, ANY, CONFIRMED, "confirmed", .books = BOOK_CONFIRM),
    STEP(PENDING, EXPIRE, ANY, EXPIRED, "expired", .books = BOOK_NONE),
    STEP(PENDING, CLOSED, ANY, REVOKED, "revoked", .books = BOOK_NONE),
    ILLEGAL(PENDING, REFUND),
    ILLEGAL(PENDING, REVOKE),

    /* Paid twice: the second money came as well, so it is booked, and given back. */
    REPEAT(CONFIRMED, CREATED, ANY),
    REPEAT(CONFIRMED, SUCCEEDED, AGAIN),
    STEP(CONFIRMED, SUCCEEDED, ANY, CONFIRMED, "paid_again", .books = BOOK_SUSPEND, .review = REVIEW_DUPLICATE_PAYMENT,
         .asks_refund = true),
    STEP(CONFIRMED, REFUND, PART, CONFIRMED, "partially_refunded", .books = BOOK_REFUND),
    STEP(CONFIRMED, REFUND, REST, REFUNDED, "refunded", .books = BOOK_REFUND),
    STEP(CONFIRMED, REFUND, SUSPENSE, CONFIRMED, "returned", .books = BOOK_REFUND_SUSPENSE),
    /* Whoever asked for the expiry was overtaken by the success: that is how a race ends well. */
    REPEAT(CONFIRMED, EXPIRE, ANY),
    /* A channel does not close what it says is paid. */
    ILLEGAL(CONFIRMED, CLOSED),
    STEP(CONFIRMED, REVOKE, ANY, REVOKED, "revoked", .books = BOOK_REVOKE),

    REPEAT(REFUNDED, CREATED, ANY),
    REPEAT(REFUNDED, SUCCEEDED, AGAIN),
    STEP(REFUNDED, SUCCEEDED, ANY, REFUNDED, "paid_again", .books = BOOK_SUSPEND, .review = REVIEW_DUPLICATE_PAYMENT,
         .asks_refund = true),
    STEP(REFUNDED, REFUND, SUSPENSE, REFUNDED, "returned", .books = BOOK_REFUND_SUSPENSE),
    REPEAT(REFUNDED, EXPIRE, ANY),
    /* Alipay says TRADE_CLOSED also of what was refunded as a whole. */
    REPEAT(REFUNDED, CLOSED, ANY),
    ILLEGAL(REFUNDED, REVOKE),

    /* The money came too late and must not be dropped. */
    REPEAT(EXPIRED, CREATED, ANY),
    STEP(EXPIRED, SUCCEEDED, ANY, REVOKED, "revoked", .books = BOOK_SUSPEND, .asks_refund = true),
    REPEAT(EXPIRED, EXPIRE, ANY),
    REPEAT(EXPIRED, CLOSED, ANY),
    ILLEGAL(EXPIRED, REFUND),
    ILLEGAL(EXPIRED, REVOKE),

    REPEAT(REVOKED, CREATED, ANY),
    REPEAT(REVOKED, SUCCEEDED, AGAIN),
    STEP(REVOKED, SUCCEEDED, FIRST, REVOKED, "paid_late", .books = BOOK_SUSPEND, .asks_refund = true),
    STEP(REVOKED, SUCCEEDED, ANOTHER, REVOKED, "paid_again", .books = BOOK_SUSPEND, .review = REVIEW_DUPLICATE_PAYMENT,
         .asks_refund = true),
    STEP(REVOKED, REFUND, SUSPENSE, REVOKED, "returned", .books = BOOK_REFUND_SUSPENSE),
    REPEAT(REVOKED, EXPIRE, ANY),
    REPEAT(REVOKED, CLOSED, ANY),
    REPEAT(REVOKED, REVOKE, ANY),

    /* Refunds of what has been paid at some time, in CONFIRMED, REFUNDED and REVOKED. */
    REPEAT(ANY_STATE, REFUND, AGAIN),
    REVIEW(ANY_STATE, REFUND, WRONG_CURRENCY, CURRENCY_MISMATCH),
    REVIEW(ANY_STATE, REFUND, CONFLICT, REFUND_CONFLICT),
    REVIEW(ANY_STATE, REFUND, OVER, REFUND_EXCEEDS_PAYMENT),
    REVIEW(ANY_STATE, REFUND, LATE, REFUND_WINDOW_CLOSED),
    /* Nothing is left to be refunded there; classify() says OVER, so these are never reached. */
    REVIEW(ANY_STATE, REFUND, PART, REFUND_EXCEEDS_PAYMENT),
    REVIEW(ANY_STATE, REFUND, REST, REFUND_EXCEEDS_PAYMENT),
};
const size_t PAYMENT_EDGES_N = ARRAY_SIZE(PAYMENT_EDGES);
