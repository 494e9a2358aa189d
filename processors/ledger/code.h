/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the ledger refuses, and what a repetition is answered. The order is the order of precedence: of several reasons
 * the first one is given. Names are part of the contract: they stand in account_transfers.code, in account.flows, in
 * HTTP problem documents and in metrics, and never change.
 */
#ifndef SLUICE_LEDGER_CODE_H
#define SLUICE_LEDGER_CODE_H

#include <stdbool.h>

enum ledger_code {
    CODE_OK, /* "" */

    /* the command itself, whatever the state */
    CODE_TIMESTAMP_OUT_OF_RANGE, /* issued, effective or expiry beyond what is sensible */
    CODE_AMOUNT_NOT_POSITIVE,
    CODE_ACCOUNTS_ARE_THE_SAME,
    CODE_LINKED_MEMBER_TWICE, /* an id twice in one linked set */

    /* the id has been used */
    CODE_EXISTS, /* same content: the answer of then, not a rejection */
    CODE_EXISTS_FOR_ANOTHER_CALLER,
    CODE_EXISTS_WITH_DIFFERENT_CONTENT,
    CODE_ALREADY_REJECTED,     /* asked and refused before; it stays refused */
    CODE_CANCELLED_BEFORE_TRY, /* the cancellation came first: a late try freezes nothing */

    /* confirm, cancel, expire */
    CODE_TRANSFER_NOT_FOUND,
    CODE_DEBIT_ACCOUNT_MISMATCH,
    CODE_NOT_A_HOLD, /* posted at once, or rejected when tried */
    CODE_HOLD_CONFIRMED,
    CODE_HOLD_CONFIRMED_WITH_DIFFERENT_AMOUNT,
    CODE_HOLD_CANCELLED,
    CODE_HOLD_EXPIRED,
    CODE_HOLD_NOT_EXPIRED, /* expire: its time has not come */
    CODE_AMOUNT_EXCEEDS_HOLD,

    /* accounts: debit before credit */
    CODE_DEBIT_ACCOUNT_NOT_FOUND,
    CODE_CREDIT_ACCOUNT_NOT_FOUND,
    CODE_CURRENCY_MISMATCH,
    CODE_DEBIT_ACCOUNT_CLOSED,
    CODE_CREDIT_ACCOUNT_CLOSED,
    CODE_DEBIT_ACCOUNT_FROZEN,
    CODE_CREDIT_ACCOUNT_FROZEN,
    CODE_DEBIT_ACCOUNT_CREDIT_ONLY,
    CODE_CREDIT_ACCOUNT_DEBIT_ONLY,

    /* funds and room */
    CODE_INSUFFICIENT_FUNDS,
    CODE_MAXIMUM_EXCEEDED,
    CODE_OVERFLOW, /* a sum would leave 64 bits */

    CODE_LINKED_FAILED, /* another member of its set was refused */

    /* open, set */
    CODE_ACCOUNT_EXISTS_WITH_DIFFERENT_CONTENT,
    CODE_ACCOUNT_NOT_FOUND,
    CODE_ACCOUNT_CLOSED,
    CODE_SETTINGS_CONTRADICT, /* credit-only and debit-only; a maximum below zero */
    CODE_ACCOUNT_NOT_EMPTY,   /* closing with balance, frozen or incoming */
    CODE_BALANCE_BELOW_LIMIT, /* no_negative asked for while it is */
    CODE_BALANCE_ABOVE_LIMIT,

    LEDGER_CODES
};

/* "insufficient_funds"; "" for CODE_OK; static. */
const char *ledger_code_name(enum ledger_code code);
/* One sentence for people, static. */
const char *ledger_code_text(enum ledger_code code);
/* CODE_OK and false for what is no name. */
bool ledger_code_parse(const char *name, enum ledger_code *out_code);

#endif
