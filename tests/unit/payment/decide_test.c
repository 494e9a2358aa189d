/* SPDX-License-Identifier: Apache-2.0 */
/* What events do to an order: cases told apart at their edges, money counted, and random walks that keep it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "payment/decide.h"
#include "support/random.h"

#define T0 INT64_C(1790000000000000)
#define DAY (INT64_C(24) * 3600 * 1000000)

static struct payment_order order;
static struct payment_seen seen;
static struct payment_decision d;

static void fresh(enum payment_state state)
{
    bool paid = state == PAYMENT_CONFIRMED || state == PAYMENT_REFUNDED;

    order = (struct payment_order){.payment_id = "p1",
                                   .account_id = "u1",
                                   .channel = "wechat",
                                   .currency = "CNY",
                                   .amount = 1000,
                                   .exponent = 2,
                                   .state = state,
                                   .version = 7,
                                   .channel_txn_id = paid ? "t1" : NULL,
                                   .credited = paid,
                                   .refunded_amount = state == PAYMENT_REFUNDED ? 1000 : 0,
                                   .confirmed_us = paid ? T0 : PAYMENT_NO_TIME};
    seen = (struct payment_seen){.receipt = false};
}

static struct payment_event success(const char *txn, int64_t amount)
{
    return (struct payment_event){.type = PAYMENT_SUCCEEDED,
                                  .event_id = "e1",
                                  .payment_id = "p1",
                                  .channel = "wechat",
                                  .channel_txn_id = txn,
                                  .currency = "CNY",
                                  .amount = amount,
                                  .at_us = T0};
}

static struct payment_event refund(const char *id, int64_t amount, int64_t at_us)
{
    return (struct payment_event){.type = PAYMENT_REFUND,
                                  .event_id = "e2",
                                  .payment_id = "p1",
                                  .refund_id = id,
                                  .currency = "CNY",
                                  .amount = amount,
                                  .at_us = at_us};
}

static enum payment_review go(const struct payment_event *e, enum payment_booked booked)
{
    payment_decide(&order, e, &seen, 365, &d);
    return payment_apply(&order, e, &d, booked);
}

Test(payment_decide, the_created_event_may_come_after_the_success)
{
    struct payment_event e = success("t1", 1000);

    fresh(PAYMENT_INIT);
    order.version = 0;
    cr_expect_eq(go(&e, BOOKED), REVIEW_NONE);
    cr_assert_not_null(d.via);
    cr_expect(order.state == PAYMENT_CONFIRMED && order.version == 2 && order.credited);
    cr_expect_str_eq(order.channel_txn_id, "t1");
    cr_expect_eq(order.confirmed_us, T0);
    e.type = PAYMENT_CREATED;
    cr_expect_eq(go(&e, BOOKED), REVIEW_NONE);
    cr_expect(order.version == 2 && !payment_moves(&d, BOOKED));
}

Test(payment_decide, a_success_that_is_not_the_orders_changes_nothing)
{
    static const struct {
        const char *channel, *currency;
        int64_t amount;
        enum payment_review expected;
    } wrong[] = {
        {"alipay", "CNY", 1000, REVIEW_CHANNEL_MISMATCH}, {"wechat", "USD", 1000, REVIEW_CURRENCY_MISMATCH},
        {"wechat", "CNY", 999, REVIEW_AMOUNT_MISMATCH},   {"wechat", "CNY", 1001, REVIEW_AMOUNT_MISMATCH},
        {"alipay", "USD", 1, REVIEW_CHANNEL_MISMATCH},    {"wechat", "cny", 1000, REVIEW_CURRENCY_MISMATCH},
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        for (int state = 0; state < PAYMENT_STATES; state++) {
            struct payment_event e = success("t1", wrong[i].amount);
            fresh((enum payment_state)state);
            struct payment_order before = order;
            e.channel = wrong[i].channel;
            e.currency = wrong[i].currency;
            cr_expect_eq(go(&e, BOOKED), wrong[i].expected, "%zu in %s", i, PAYMENT_STATE_NAMES[state]);
            cr_expect_eq(memcmp(&before, &order, sizeof(order)), 0);
            cr_expect_eq(d.booking, BOOK_NONE);
        }
    }
}

Test(payment_decide, refunds_end_where_the_payment_ends)
{
    struct payment_event part = refund("r1", 999, T0);
    struct payment_event over = refund("r2", 2, T0);
    struct payment_event rest = refund("r3", 1, T0);

    fresh(PAYMENT_CONFIRMED);
    cr_expect_eq(go(&part, BOOKED), REVIEW_NONE);
    cr_expect(order.state == PAYMENT_CONFIRMED && order.refunded_amount == 999 && order.version == 8);
    cr_expect_str_eq(d.edge->tells, "payment.partially_refunded");
    cr_expect_eq(go(&over, BOOKED), REVIEW_REFUND_EXCEEDS_PAYMENT);
    cr_expect_eq(order.refunded_amount, 999);
    cr_expect_eq(go(&rest, BOOKED), REVIEW_NONE);
    cr_expect(order.state == PAYMENT_REFUNDED && order.refunded_amount == 1000);
    rest.refund_id = "r4";
    cr_expect_eq(go(&rest, BOOKED), REVIEW_REFUND_EXCEEDS_PAYMENT, "nothing is left");
    over.amount = INT64_MAX;
    fresh(PAYMENT_CONFIRMED);
    cr_expect_eq(go(&over, BOOKED), REVIEW_REFUND_EXCEEDS_PAYMENT);
}

Test(payment_decide, a_refund_is_known_by_its_number_and_content)
{
    struct payment_event e = refund("r1", 400, T0);

    fresh(PAYMENT_CONFIRMED);
    seen = (struct payment_seen){.refund = true, .refund_amount = 400, .refund_currency = "CNY"};
    cr_expect_eq(go(&e, BOOKED), REVIEW_NONE);
    cr_expect(d.edge->answer == ANSWER_REPEAT && order.refunded_amount == 0);
    seen.refund_amount = 401;
    cr_expect_eq(go(&e, BOOKED), REVIEW_REFUND_CONFLICT);
    seen.refund_amount = 400;
    seen.refund_currency = "USD";
    cr_expect_eq(go(&e, BOOKED), REVIEW_REFUND_CONFLICT);
}

Test(payment_decide, a_total_says_what_is_new_whatever_came_before)
{
    static const struct {
        int64_t before, total, booked;
    } rows[] = {{0, 400, 400}, {400, 400, 0}, {400, 300, 0}, {400, 1000, 600}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct payment_event e = refund("r9", rows[i].total, T0);
        e.amount_is_total = true;
        fresh(PAYMENT_CONFIRMED);
        order.refunded_amount = rows[i].before;
        seen.refunded_of_txn = rows[i].before;
        payment_event_resolve(&e, &seen);
        payment_event_resolve(&e, &seen); /* once is enough, twice the same */
        cr_expect_eq(e.amount, rows[i].booked, "row %zu", i);
        cr_expect_eq(go(&e, BOOKED), REVIEW_NONE, "row %zu", i);
        cr_expect_eq(order.refunded_amount, rows[i].before + rows[i].booked, "row %zu", i);
        cr_expect_eq(d.edge->answer, rows[i].booked > 0 ? ANSWER_STEP : ANSWER_REPEAT, "row %zu", i);
    }
}

Test(payment_decide, the_window_closes_after_the_last_microsecond)
{
    struct payment_event e = refund("r1", 400, T0 + 365 * DAY);

    fresh(PAYMENT_CONFIRMED);
    cr_expect_eq(go(&e, BOOKED), REVIEW_NONE);
    e.at_us++;
    cr_expect_eq(go(&e, BOOKED), REVIEW_REFUND_WINDOW_CLOSED);
    payment_decide(&order, &e, &seen, PAYMENT_NO_WINDOW, &d);
    cr_expect_eq(d.what, CASE_PART, "no window");
    payment_decide(&order, &e, &seen, 0, &d);
    cr_expect_eq(d.what, CASE_LATE);
    order.confirmed_us = PAYMENT_NO_TIME;
    payment_decide(&order, &e, &seen, 365, &d);
    cr_expect_eq(d.what, CASE_LATE, "nobody knows when it began");
}

Test(payment_decide, an_account_that_refuses_leaves_the_money_in_suspense)
{
    struct payment_event e = success("t1", 1000);
    struct payment_event r = refund("r1", 300, T0);
    struct payment_event back = {.type = PAYMENT_REVOKE, .at_us = T0};

    fresh(PAYMENT_PENDING);
    cr_expect_eq(go(&e, BOOKED_INSTEAD), REVIEW_ACCOUNT_NOT_CREDITED);
    cr_expect(d.booking == BOOK_CONFIRM && d.fallback == BOOK_SUSPEND);
    cr_expect(order.state == PAYMENT_CONFIRMED && !order.credited && order.suspense_amount == 1000);
    /* Refunds of such an order come out of suspense. */
    cr_expect_eq(go(&r, BOOKED), REVIEW_NONE);
    cr_expect(d.booking == BOOK_REFUND_SUSPENSE && d.fallback == BOOK_NONE && !d.refund_of_suspense);
    cr_expect(order.refunded_amount == 300 && order.suspense_amount == 700 && order.state == PAYMENT_CONFIRMED);
    cr_expect_eq(go(&back, BOOKED), REVIEW_NONE);
    cr_expect(d.booking == BOOK_REVOKE_SUSPENSE && d.booked_amount == 700 && order.suspense_amount == 0);
}

Test(payment_decide, suspense_carries_what_the_account_cannot_pay)
{
    struct payment_event r = refund("r1", 300, T0);
    struct payment_event back = {.type = PAYMENT_REVOKE, .at_us = T0};

    fresh(PAYMENT_CONFIRMED);
    cr_expect_eq(go(&r, BOOKED_INSTEAD), REVIEW_ACCOUNT_NOT_DEBITED);
    cr_expect(d.fallback == BOOK_REFUND_CARRIED && order.carried_amount == 300 && order.refunded_amount == 300);
    cr_expect_eq(go(&back, BOOKED_INSTEAD), REVIEW_ACCOUNT_NOT_DEBITED);
    cr_expect(d.fallback == BOOK_REVOKE_CARRIED && d.booked_amount == 700 && order.carried_amount == 1000);
    cr_expect_eq(order.state, PAYMENT_REVOKED);
}

Test(payment_decide, what_the_ledger_refuses_altogether_changes_nothing)
{
    struct payment_event e = success("t1", 1000);

    fresh(PAYMENT_INIT);
    struct payment_order before = order;
    cr_expect_eq(go(&e, BOOKED_NOTHING), REVIEW_BOOKING_REFUSED);
    cr_expect_eq(memcmp(&before, &order, sizeof(order)), 0);
    cr_expect_not(payment_moves(&d, BOOKED_NOTHING));
}

Test(payment_decide, money_that_came_too_often_is_in_suspense_until_it_is_returned)
{
    struct payment_event again = success("t2", 1000);
    struct payment_event back = refund("s1", 1000, T0 + 4000 * DAY);

    fresh(PAYMENT_CONFIRMED);
    cr_expect_eq(go(&again, BOOKED), REVIEW_DUPLICATE_PAYMENT);
    cr_expect(d.booking == BOOK_SUSPEND && d.edge->asks_refund && order.suspense_amount == 1000);
    cr_expect_str_eq(order.channel_txn_id, "t1");
    seen.receipt = true;
    cr_expect_eq(go(&again, BOOKED), REVIEW_NONE);
    cr_expect(d.edge->answer == ANSWER_REPEAT && order.suspense_amount == 1000);
    /* Its refund is known by the number under which it was asked for; the order's window is not its window. */
    seen = (struct payment_seen){.asked = true};
    cr_expect_eq(go(&back, BOOKED), REVIEW_NONE);
    cr_expect(d.what == CASE_SUSPENSE && d.refund_of_suspense && order.suspense_amount == 0);
    cr_expect(order.refunded_amount == 0 && order.state == PAYMENT_CONFIRMED);
    back.refund_id = "s2";
    cr_expect_eq(go(&back, BOOKED), REVIEW_REFUND_EXCEEDS_PAYMENT);
}

Test(payment_decide, an_uncredited_orders_money_is_not_returned_as_somebody_elses)
{
    struct payment_event e = success("t1", 1000);
    struct payment_event again = success("t2", 1000);
    struct payment_event back = refund("s1", 1001, T0);

    fresh(PAYMENT_PENDING);
    cr_expect_eq(go(&e, BOOKED_INSTEAD), REVIEW_ACCOUNT_NOT_CREDITED);
    cr_expect_eq(go(&again, BOOKED), REVIEW_DUPLICATE_PAYMENT);
    cr_expect_eq(order.suspense_amount, 2000);
    seen.asked = true;
    cr_expect_eq(go(&back, BOOKED), REVIEW_REFUND_EXCEEDS_PAYMENT);
    back.amount = 1000;
    cr_expect_eq(go(&back, BOOKED), REVIEW_NONE);
    cr_expect_eq(order.suspense_amount, 1000);
}

Test(payment_decide, sums_of_suspense_do_not_overflow)
{
    struct payment_event e = success("t9", INT64_MAX);

    fresh(PAYMENT_REVOKED);
    order.amount = INT64_MAX;
    order.suspense_amount = 1;
    cr_expect_eq(go(&e, BOOKED), REVIEW_AMOUNT_MISMATCH);
    cr_expect_eq(order.suspense_amount, 1);
}

/*
 * Random walks, the money counted beside the code in the words of the design: what came in, what went out, what the
 * account and suspense hold.
 */
struct money {
    int64_t came, went; /* over clearing */
    int64_t account, suspense;
    int64_t asked_back;
};

static void book(struct money *m, enum payment_booking b, int64_t amount)
{
    static const struct {
        int account, suspense;
    } effect[PAYMENT_BOOKINGS] = {
        [BOOK_CONFIRM] = {1, 0},          [BOOK_SUSPEND] = {0, 1},         [BOOK_REFUND] = {-1, 0},
        [BOOK_REFUND_SUSPENSE] = {0, -1}, [BOOK_REFUND_CARRIED] = {0, -1}, [BOOK_REVOKE] = {-1, 0},
        [BOOK_REVOKE_SUSPENSE] = {0, -1}, [BOOK_REVOKE_CARRIED] = {0, -1},
    };
    int both = effect[b].account + effect[b].suspense;

    m->account += effect[b].account * amount;
    m->suspense += effect[b].suspense * amount;
    m->came += both > 0 ? amount : 0;
    m->went += both < 0 ? amount : 0;
}

Test(payment_decide, random_walks_keep_the_money)
{
    static const char *const txns[] = {"t1", "t2", "t3"};
    static const char *const refunds[] = {"r1", "r2", "r3", "r4"};
    int moved = 0;

    for (uint32_t walk = 0; walk < 20000; walk++) {
        uint32_t seed = walk * 7919u + 1;
        struct money m = {.came = 0};
        bool receipts[3] = {false};
        bool suspended[3] = {false};
        int64_t refunded[4] = {0};
        fresh(PAYMENT_INIT);
        order.version = 0;
        for (int step = 0; step < 14; step++) {
            enum payment_event_type type = (enum payment_event_type)(next_random(&seed) % PAYMENT_EVENTS);
            uint32_t t = next_random(&seed) % 3;
            uint32_t r = next_random(&seed) % 4;
            struct payment_event e = {.type = type, .at_us = T0};
            seen = (struct payment_seen){.receipt = false};
            if (type == PAYMENT_SUCCEEDED) {
                e = success(txns[t], next_random(&seed) % 8 == 0 ? 7 : 1000);
                seen.receipt = receipts[t];
            } else if (type == PAYMENT_REFUND) {
                e = refund(refunds[r], 1 + next_random(&seed) % 600, T0);
                seen.refund = refunded[r] > 0;
                seen.refund_amount = refunded[r];
                seen.refund_currency = "CNY";
                seen.asked = suspended[t] && next_random(&seed) % 2 == 0;
            }
            struct payment_order before = order;
            payment_decide(&order, &e, &seen, 365, &d);
            enum payment_booked booked =
                d.fallback == BOOK_NONE || next_random(&seed) % 4 != 0 ? BOOKED : BOOKED_INSTEAD;
            (void)payment_apply(&order, &e, &d, booked);
            if (!payment_moves(&d, booked)) {
                cr_assert_eq(memcmp(&before, &order, sizeof(order)), 0);
                continue;
            }
            moved++;
            book(&m, booked == BOOKED ? d.booking : d.fallback, d.booked_amount);
            if (type == PAYMENT_SUCCEEDED) {
                receipts[t] = true;
                suspended[t] = d.edge->asks_refund;
            } else if (type == PAYMENT_REFUND) {
                refunded[r] = e.amount;
            }
            cr_assert_eq(order.version, before.version + (d.via != NULL ? 2 : 1));
            cr_assert(payment_step_legal(d.via != NULL ? PAYMENT_PENDING : before.state, type, order.state));
            cr_assert_eq(m.came - m.went, m.account + m.suspense, "walk %u", walk);
            cr_assert_eq(m.suspense, order.suspense_amount - order.carried_amount, "walk %u", walk);
            cr_assert(order.suspense_amount >= 0 && order.carried_amount >= 0 && m.account >= 0, "walk %u", walk);
            cr_assert(order.refunded_amount >= 0 && order.refunded_amount <= order.amount, "walk %u", walk);
            cr_assert(order.state != PAYMENT_REFUNDED || order.refunded_amount == order.amount, "walk %u", walk);
            int64_t receipts_sum = 0;
            for (int i = 0; i < 3; i++) {
                receipts_sum += receipts[i] ? 1000 : 0;
            }
            cr_assert_eq(m.came, receipts_sum, "walk %u: what came is what was received", walk);
        }
    }
    cr_expect_gt(moved, 50000);
}
