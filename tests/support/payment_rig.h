/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For integration tests of payments: the suite `payment`, whose cases begin with migrated tables and an instance of the
 * account role that owns a partition of account.commands and one of payment.events. Whatever fails fails the test.
 */
#ifndef SLUICE_TESTS_PAYMENT_RIG_H
#define SLUICE_TESTS_PAYMENT_RIG_H

#include "payment/state.h"
#include "support/account_rig.h"
#include "support/stack.h"

#define CLEARING "clearing:wechat:CNY"
#define SUSPENSE "suspense:wechat:CNY"
/* Their partitions among those of a rig. */
#define PAY_COMMANDS 0
#define PAY_EVENTS 1

struct pay {
    struct stack st;
    PGconn *db; /* that of the test */
    struct rig one;
    struct rig *to; /* the instance whose batch is filled; one */
    int64_t now_us; /* when everything was asked for, and paid */
};
extern struct pay pay;

/* An instance with a partition each. */
void pay_rig_open(struct rig *r, int32_t partition);

/* ---- records for the batch of pay.to ---- */

void pay_add(const char *type, const char *payment, const char *payload);
void pay_add_as(const char *event_id, const char *type, const char *payment, const char *payload);
void pay_success(const char *payment, const char *txn, int64_t amount);
void pay_success_at(const char *payment, const char *txn, int64_t amount, int64_t at_us);
void pay_refund(const char *payment, const char *refund, int64_t amount);
void pay_refund_at(const char *payment, const char *refund, int64_t amount, int64_t at_us);
void pay_command(const char *command, const char *payload);
/* The batch, which must work. */
void pay_run(void);

/* ---- rows ---- */

/* target: an SQL expression; NULL = nobody is told. */
void pay_order(const char *id, const char *account, int64_t amount, const char *target);
/* By a batch of its own; more: further fields of the command, from their comma on. */
void pay_open(const char *id, const char *more);

/* ---- expectations ---- */

int64_t pay_balance(const char *account);
#define EXPECT_BALANCES(account, in_account, in_clearing, in_suspense)                                      \
    do {                                                                                                    \
        cr_expect_eq(pay_balance(account), (in_account), "%s has %" PRId64, account, pay_balance(account)); \
        cr_expect_eq(pay_balance(CLEARING), (in_clearing), "clearing has %" PRId64, pay_balance(CLEARING)); \
        cr_expect_eq(pay_balance(SUSPENSE), (in_suspense), "suspense has %" PRId64, pay_balance(SUSPENSE)); \
    } while (0)
/* "STATE version refunded suspense carried" */
void pay_expect_order(const char *id, const char *expected);
/* "version:FROM>TO", a blank between. */
void pay_expect_history(const char *id, const char *expected);
/* Codes, a blank between. */
void pay_expect_reviews(const char *expected);
/* What holds of every database, at any time. */
void pay_expect_sound(void);
/* Of the metric of transitions. */
double pay_counted(const char *from, const char *to, bool again);

#endif
