/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of payments against a table that was written by itself, from what payments are and not from the
 * code: each state, each event, each case of it, what happens then.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "payment/state.h"

/*
 * One line a (event, case), one column a state: INIT PENDING CONFIRMED REFUNDED EXPIRED REVOKED.
 *   =          said before, or overtaken
 *   !code      review
 *   >STATE booking[+code][?]   step; + a review beside it; ? the money is asked back
 *   ~          over PENDING first
 */
#define ILLEGAL "!illegal_transition"
#define EVERYWHERE(answer)                             \
    {                                                  \
        answer, answer, answer, answer, answer, answer \
    }
/* Of what supposes that money came. */
#define ONCE_PAID(answer)                                 \
    {                                                     \
        ILLEGAL, ILLEGAL, answer, answer, ILLEGAL, answer \
    }
static const struct {
    enum payment_event_type event;
    enum payment_case when;
    const char *answers[PAYMENT_STATES];
} EXPECTED[] = {
    {PAYMENT_CREATED, CASE_ANY, {">PENDING ", "=", "=", "=", "=", "="}},
    {PAYMENT_SUCCEEDED, CASE_WRONG_CHANNEL, EVERYWHERE("!channel_mismatch")},
    {PAYMENT_SUCCEEDED, CASE_WRONG_CURRENCY, EVERYWHERE("!currency_mismatch")},
    {PAYMENT_SUCCEEDED, CASE_WRONG_AMOUNT, EVERYWHERE("!amount_mismatch")},
    {PAYMENT_SUCCEEDED,
     CASE_FIRST,
     {"~", ">CONFIRMED confirm", ">CONFIRMED suspend+duplicate_payment?", ">REFUNDED suspend+duplicate_payment?",
      ">REVOKED suspend?", ">REVOKED suspend?"}},
    {PAYMENT_SUCCEEDED, CASE_AGAIN, {"~", ">CONFIRMED confirm", "=", "=", ">REVOKED suspend?", "="}},
    {PAYMENT_SUCCEEDED,
     CASE_ANOTHER,
     {"~", ">CONFIRMED confirm", ">CONFIRMED suspend+duplicate_payment?", ">REFUNDED suspend+duplicate_payment?",
      ">REVOKED suspend?", ">REVOKED suspend+duplicate_payment?"}},
    {PAYMENT_REFUND, CASE_WRONG_CURRENCY, ONCE_PAID("!currency_mismatch")},
    {PAYMENT_REFUND, CASE_AGAIN, ONCE_PAID("=")},
    {PAYMENT_REFUND, CASE_CONFLICT, ONCE_PAID("!refund_conflict")},
    {PAYMENT_REFUND, CASE_OVER, ONCE_PAID("!refund_exceeds_payment")},
    {PAYMENT_REFUND, CASE_LATE, ONCE_PAID("!refund_window_closed")},
    {PAYMENT_REFUND,
     CASE_SUSPENSE,
     {ILLEGAL, ILLEGAL, ">CONFIRMED refund_suspense", ">REFUNDED refund_suspense", ILLEGAL,
      ">REVOKED refund_suspense"}},
    {PAYMENT_REFUND,
     CASE_PART,
     {ILLEGAL, ILLEGAL, ">CONFIRMED refund", "!refund_exceeds_payment", ILLEGAL, "!refund_exceeds_payment"}},
    {PAYMENT_REFUND,
     CASE_REST,
     {ILLEGAL, ILLEGAL, ">REFUNDED refund", "!refund_exceeds_payment", ILLEGAL, "!refund_exceeds_payment"}},
    {PAYMENT_EXPIRE, CASE_ANY, {"~", ">EXPIRED ", "=", "=", "=", "="}},
    {PAYMENT_CLOSED, CASE_ANY, {"~", ">REVOKED ", ILLEGAL, "=", "=", "="}},
    {PAYMENT_REVOKE, CASE_ANY, {ILLEGAL, ILLEGAL, ">REVOKED revoke", ILLEGAL, ILLEGAL, "="}},
};

static void say(const struct payment_edge *e, char *out, size_t n)
{
    switch (e->answer) {
    case ANSWER_STEP:
        (void)snprintf(out, n, ">%s %s%s%s%s", PAYMENT_STATE_NAMES[e->to], PAYMENT_BOOKING_NAMES[e->books],
                       e->review != REVIEW_NONE ? "+" : "", PAYMENT_REVIEW_NAMES[e->review], e->asks_refund ? "?" : "");
        break;
    case ANSWER_VIA:
        (void)snprintf(out, n, "%s", e->to == PAYMENT_PENDING ? "~" : "via somewhere else");
        break;
    case ANSWER_REPEAT:
        (void)snprintf(out, n, "=");
        break;
    case ANSWER_REVIEW:
        (void)snprintf(out, n, "!%s", PAYMENT_REVIEW_NAMES[e->review]);
        break;
    }
}

Test(payment_state, every_state_event_and_case_is_as_expected)
{
    size_t seen = 0;

    for (size_t i = 0; i < ARRAY_SIZE(EXPECTED); i++) {
        for (int from = 0; from < PAYMENT_STATES; from++) {
            char got[120];
            const struct payment_edge *e =
                payment_edge_find((enum payment_state)from, EXPECTED[i].event, EXPECTED[i].when);
            cr_assert_not_null(e, "%s %s %s", PAYMENT_STATE_NAMES[from], PAYMENT_EVENT_NAMES[EXPECTED[i].event],
                               PAYMENT_CASE_NAMES[EXPECTED[i].when]);
            say(e, got, sizeof(got));
            cr_expect_str_eq(got, EXPECTED[i].answers[from], "%s %s %s: %s, expected %s", PAYMENT_STATE_NAMES[from],
                             PAYMENT_EVENT_NAMES[EXPECTED[i].event], PAYMENT_CASE_NAMES[EXPECTED[i].when], got,
                             EXPECTED[i].answers[from]);
            seen++;
        }
    }
    /* The table above leaves none out, and has none that cannot be. */
    size_t possible = 0;
    for (int event = 0; event < PAYMENT_EVENTS; event++) {
        for (int c = 0; c < PAYMENT_CASES; c++) {
            possible +=
                payment_case_of((enum payment_event_type)event, (enum payment_case)c) ? (size_t)PAYMENT_STATES : 0;
        }
    }
    cr_expect_eq(seen, possible, "%zu looked at, %zu possible", seen, possible);
}

Test(payment_state, every_edge_is_reached)
{
    for (size_t i = 0; i < PAYMENT_EDGES_N; i++) {
        bool reached = false;
        for (int from = 0; from < PAYMENT_STATES; from++) {
            for (int c = 0; c < PAYMENT_CASES; c++) {
                reached = reached || (payment_case_of(PAYMENT_EDGES[i].event, (enum payment_case)c) &&
                                      payment_edge_find((enum payment_state)from, PAYMENT_EDGES[i].event,
                                                        (enum payment_case)c) == &PAYMENT_EDGES[i]);
            }
        }
        cr_expect(reached, "edge %zu stands behind others that take everything", i);
    }
}

Test(payment_state, steps_tell_the_merchant_and_others_do_not)
{
    for (size_t i = 0; i < PAYMENT_EDGES_N; i++) {
        const struct payment_edge *e = &PAYMENT_EDGES[i];
        bool moves = e->answer == ANSWER_STEP || e->answer == ANSWER_VIA;
        cr_expect_eq(moves, e->tells != NULL, "edge %zu", i);
        cr_expect(moves || (e->books == BOOK_NONE && !e->asks_refund), "edge %zu", i);
        cr_expect(!e->asks_refund || e->books == BOOK_SUSPEND, "edge %zu asks back what is not in suspense", i);
        cr_expect(e->answer != ANSWER_REVIEW || e->review != REVIEW_NONE, "edge %zu", i);
        cr_expect(!moves || e->from != PAYMENT_ANY_STATE, "edge %zu", i);
    }
}

/* What a row of history may say, as pairs of states; the walk of the design and the steps that stay. */
Test(payment_state, history_walks_only_as_the_diagram_says)
{
    static const char *const legal[] = {
        "INIT PENDING",      "PENDING CONFIRMED", "PENDING EXPIRED",     "PENDING REVOKED",   "CONFIRMED REFUNDED",
        "CONFIRMED REVOKED", "EXPIRED REVOKED",   "CONFIRMED CONFIRMED", "REFUNDED REFUNDED", "REVOKED REVOKED"};

    for (int from = 0; from < PAYMENT_STATES; from++) {
        for (int to = 0; to < PAYMENT_STATES; to++) {
            char pair[40];
            bool expected = false;
            bool got = false;
            (void)snprintf(pair, sizeof(pair), "%s %s", PAYMENT_STATE_NAMES[from], PAYMENT_STATE_NAMES[to]);
            for (size_t i = 0; i < ARRAY_SIZE(legal); i++) {
                expected = expected || strcmp(legal[i], pair) == 0;
            }
            for (int event = 0; event < PAYMENT_EVENTS; event++) {
                got = got || payment_step_legal((enum payment_state)from, (enum payment_event_type)event,
                                                (enum payment_state)to);
            }
            cr_expect_eq(got, expected, "%s", pair);
        }
    }
    cr_expect(payment_step_legal(PAYMENT_INIT, PAYMENT_SUCCEEDED, PAYMENT_PENDING), "over PENDING");
    cr_expect(payment_step_legal(PAYMENT_EXPIRED, PAYMENT_SUCCEEDED, PAYMENT_REVOKED));
    cr_expect_not(payment_step_legal(PAYMENT_PENDING, PAYMENT_SUCCEEDED, PAYMENT_EXPIRED));
    cr_expect_not(payment_step_legal(PAYMENT_CONFIRMED, PAYMENT_EXPIRE, PAYMENT_EXPIRED));
}

Test(payment_state, what_the_ledger_refuses_has_another_place)
{
    for (int b = 0; b < PAYMENT_BOOKINGS; b++) {
        enum payment_booking next = payment_booking_fallback((enum payment_booking)b);
        enum payment_booking other = payment_booking_uncredited((enum payment_booking)b);
        bool touches_account = b == BOOK_CONFIRM || b == BOOK_REFUND || b == BOOK_REVOKE;
        cr_expect_eq(next != BOOK_NONE, touches_account, "%s", PAYMENT_BOOKING_NAMES[b]);
        cr_expect_eq(payment_booking_fallback(next), BOOK_NONE);
        cr_expect_eq(other != (enum payment_booking)b, b == BOOK_REFUND || b == BOOK_REVOKE);
    }
}

Test(payment_state, names_are_read_back)
{
    enum payment_state s = PAYMENT_STATES;
    enum payment_event_type e = PAYMENT_EVENTS;

    for (int i = 0; i < PAYMENT_STATES; i++) {
        cr_expect(payment_state_parse(PAYMENT_STATE_NAMES[i], &s) && s == (enum payment_state)i);
    }
    for (int i = 0; i < PAYMENT_EVENTS; i++) {
        cr_expect(payment_event_parse(PAYMENT_EVENT_NAMES[i], &e) && e == (enum payment_event_type)i);
    }
    cr_expect_not(payment_state_parse("confirmed", &s));
    cr_expect_not(payment_event_parse("payment.refund_requested", &e));
    for (int r = 1; r < PAYMENT_REVIEWS; r++) {
        cr_expect_neq(PAYMENT_REVIEW_NAMES[r][0], '\0');
        cr_expect_neq(payment_review_text((enum payment_review)r)[0], '\0');
    }
}
