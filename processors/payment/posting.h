/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posting rules: which accounts a booking of the state machine debits and credits. A small JSON file,
 * schemas/posting.json unless account.posting.file names another; docs/payments.md describes it.
 *
 * Checked when it is read, so that a mistake stops the start and not a payment:
 *   - every booking has a rule, and there are no others;
 *   - each rule balances: for each term as many debits as credits;
 *   - it does to the order's account and to suspense what the booking stands for, once: the state machine counts on it;
 *   - every account and term is known, every name in braces is known, nothing unknown is in the file.
 *
 * Accounts: `order` is the order's own account; the others come from templates with {channel} and {currency} and are
 * opened on first use, without limits. A rule becomes transfers, one for each debit and its credit, linked when there
 * are several. Thread: any; constant after reading.
 */
#ifndef SLUICE_PAYMENT_POSTING_H
#define SLUICE_PAYMENT_POSTING_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "payment/state.h"

#define POSTING_BYTES_MAX ((size_t)64 << 10)
#define POSTING_ACCOUNTS_MAX 8  /* templates */
#define POSTING_PAIRS_MAX 4     /* a rule has at most so many debits */
#define POSTING_CHANNELS_MAX 32 /* refund windows */
#define POSTING_TEMPLATE_MAX 64
#define POSTING_ORDER (-1) /* instead of a template: the order's account */
#define POSTING_DAYS_MAX 3650

/* What a booking's amount is called; each booking has one. */
enum posting_term { TERM_RECEIVED, TERM_REFUNDED, TERM_REMAINING, POSTING_TERMS };
extern const char *const POSTING_TERM_NAMES[POSTING_TERMS]; /* "received" */
enum posting_term posting_term_of(enum payment_booking b);

struct posting_account {
    char name[POSTING_TEMPLATE_MAX];
    char template[POSTING_TEMPLATE_MAX];
};

/* One debit and its credit; indexes into accounts, or POSTING_ORDER. */
struct posting_pair {
    int debit, credit;
};

struct posting_rule {
    struct posting_pair pairs[POSTING_PAIRS_MAX];
    size_t n;
};

struct posting {
    struct posting_account accounts[POSTING_ACCOUNTS_MAX];
    size_t n_accounts;
    struct {
        char channel[POSTING_TEMPLATE_MAX]; /* "*": any other */
        int64_t days;                       /* PAYMENT_NO_WINDOW */
    } windows[POSTING_CHANNELS_MAX];
    size_t n_windows;
    struct posting_rule rules[PAYMENT_BOOKINGS]; /* of BOOK_NONE: empty */
};

/* origin names the text in messages. FATAL with code ERR_CONFIG: one text with rule, field and what was expected. */
enum rc posting_parse(const char *text, size_t n, const char *origin, struct posting *out, struct err *err) MUST_USE;
/* The file at path, or with "" the text that was built in (name posting.json). */
enum rc posting_load(const char *path, const char *builtin, size_t builtin_n, struct posting *out,
                     struct err *err) MUST_USE;

/* Days in which the channel refunds, from the success; PAYMENT_NO_WINDOW: for ever. */
int64_t posting_window_days(const struct posting *p, const char *channel);

/* Appends the account's id: clearing:wechat:CNY, or order_account for POSTING_ORDER. */
void posting_account_id(const struct posting *p, int account, const char *order_account, const char *channel,
                        const char *currency, struct buf *out);

#endif
