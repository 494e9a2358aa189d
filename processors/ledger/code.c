/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of the codes, one row each. */
#include "ledger/code.h"

#include <string.h>

#include "base/mem.h"

static const struct {
    const char *name;
    const char *text;
} CODES[LEDGER_CODES] = {
    [CODE_OK] = {"", "It was done."},
    [CODE_TIMESTAMP_OUT_OF_RANGE] = {"timestamp_out_of_range",
                                     "A time lies too far in the past or in the future to be meant."},
    [CODE_AMOUNT_NOT_POSITIVE] = {"amount_not_positive", "The amount has to be above 0."},
    [CODE_ACCOUNTS_ARE_THE_SAME] = {"accounts_are_the_same", "Debit and credit name the same account."},
    [CODE_LINKED_MEMBER_TWICE] = {"linked_member_twice", "A transfer id stands twice in one linked set."},
    [CODE_EXISTS] = {"exists", "The same was asked before; what was answered then holds."},
    [CODE_EXISTS_FOR_ANOTHER_CALLER] = {"exists_for_another_caller", "The transfer id belongs to another caller."},
    [CODE_EXISTS_WITH_DIFFERENT_CONTENT] = {"exists_with_different_content",
                                            "The transfer id was used for something else."},
    [CODE_ALREADY_REJECTED] = {"already_rejected", "The transfer was refused before and stays refused."},
    [CODE_CANCELLED_BEFORE_TRY] = {"cancelled_before_try", "The transfer was cancelled before it was tried."},
    [CODE_TRANSFER_NOT_FOUND] = {"transfer_not_found", "There is no transfer of that id."},
    [CODE_DEBIT_ACCOUNT_MISMATCH] = {"debit_account_mismatch", "The transfer debits another account."},
    [CODE_NOT_A_HOLD] = {"not_a_hold", "The transfer was booked at once or refused: nothing is held."},
    [CODE_HOLD_CONFIRMED] = {"hold_confirmed", "The hold was confirmed already."},
    [CODE_HOLD_CONFIRMED_WITH_DIFFERENT_AMOUNT] = {"hold_confirmed_with_different_amount",
                                                   "The hold was confirmed already, with another amount."},
    [CODE_HOLD_CANCELLED] = {"hold_cancelled", "The hold was cancelled already."},
    [CODE_HOLD_EXPIRED] = {"hold_expired", "The hold's time is over."},
    [CODE_HOLD_NOT_EXPIRED] = {"hold_not_expired", "The hold's time is not over yet."},
    [CODE_AMOUNT_EXCEEDS_HOLD] = {"amount_exceeds_hold", "The amount is above what is held."},
    [CODE_DEBIT_ACCOUNT_NOT_FOUND] = {"debit_account_not_found", "There is no account to be debited of that id."},
    [CODE_CREDIT_ACCOUNT_NOT_FOUND] = {"credit_account_not_found", "There is no account to be credited of that id."},
    [CODE_CURRENCY_MISMATCH] = {"currency_mismatch", "The transfer and both accounts have to be of one currency."},
    [CODE_DEBIT_ACCOUNT_CLOSED] = {"debit_account_closed", "The account to be debited is closed."},
    [CODE_CREDIT_ACCOUNT_CLOSED] = {"credit_account_closed", "The account to be credited is closed."},
    [CODE_DEBIT_ACCOUNT_FROZEN] = {"debit_account_frozen", "The account to be debited is frozen."},
    [CODE_CREDIT_ACCOUNT_FROZEN] = {"credit_account_frozen", "The account to be credited is frozen."},
    [CODE_DEBIT_ACCOUNT_CREDIT_ONLY] = {"debit_account_credit_only", "The account to be debited takes credits only."},
    [CODE_CREDIT_ACCOUNT_DEBIT_ONLY] = {"credit_account_debit_only", "The account to be credited takes debits only."},
    [CODE_INSUFFICIENT_FUNDS] = {"insufficient_funds", "What is available is less than the amount."},
    [CODE_MAXIMUM_EXCEEDED] = {"maximum_exceeded", "The account to be credited would pass its maximum."},
    [CODE_OVERFLOW] = {"overflow", "A sum would leave 64 bits."},
    [CODE_LINKED_FAILED] = {"linked_failed", "Another transfer of its linked set was refused."},
    [CODE_ACCOUNT_EXISTS_WITH_DIFFERENT_CONTENT] = {"account_exists_with_different_content",
                                                    "The account exists, with other properties."},
    [CODE_ACCOUNT_NOT_FOUND] = {"account_not_found", "There is no account of that id."},
    [CODE_ACCOUNT_CLOSED] = {"account_closed", "The account is closed, and stays so."},
    [CODE_SETTINGS_CONTRADICT] = {"settings_contradict",
                                  "Credit-only and debit-only exclude each other; a maximum is 0 or above."},
    [CODE_ACCOUNT_NOT_EMPTY] = {"account_not_empty", "Only an account without balance and holds can be closed."},
    [CODE_BALANCE_BELOW_LIMIT] = {"balance_below_limit", "What is available is below 0 already."},
    [CODE_BALANCE_ABOVE_LIMIT] = {"balance_above_limit",
                                  "Balance and expected credits are above that maximum already."},
};

const char *ledger_code_name(enum ledger_code code)
{
    return (unsigned)code < LEDGER_CODES ? CODES[code].name : "";
}

const char *ledger_code_text(enum ledger_code code)
{
    return (unsigned)code < LEDGER_CODES ? CODES[code].text : "";
}

bool ledger_code_parse(const char *name, enum ledger_code *out_code)
{
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        if (strcmp(CODES[i].name, name) == 0) {
            *out_code = (enum ledger_code)i;
            return true;
        }
    }
    *out_code = CODE_OK;
    return false;
}
