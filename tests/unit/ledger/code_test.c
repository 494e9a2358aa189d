/* SPDX-License-Identifier: Apache-2.0 */
/* Every code: its name, a script that reaches it, and that nothing moves then. */
#include "script.h"

#include <stdio.h>
#include <string.h>

struct reached {
    enum ledger_code code;
    const char *lines[16]; /* the last but the questions is answered with the code */
};

#define ACCOUNTS "open F", "open A no_negative", "open B", "transfer f0 F A 100"
#define STILL "account A 100 0 0", "account B 0 0 0"

static const struct reached REACHED[] = {
    {CODE_OK, {ACCOUNTS, "transfer T A B 100", "account A 0 0 0", "account B 100 0 0", "is T posted"}},
    {CODE_TIMESTAMP_OUT_OF_RANGE,
     {ACCOUNTS, "transfer T A B 1 issued=2d => rejected timestamp_out_of_range", STILL,
      "is T rejected timestamp_out_of_range"}},
    {CODE_AMOUNT_NOT_POSITIVE,
     {ACCOUNTS, "transfer T A B 0 => rejected amount_not_positive", STILL, "is T rejected amount_not_positive"}},
    {CODE_ACCOUNTS_ARE_THE_SAME,
     {ACCOUNTS, "transfer T A A 1 => rejected accounts_are_the_same", STILL, "is T rejected accounts_are_the_same"}},
    {CODE_LINKED_MEMBER_TWICE,
     {ACCOUNTS, "linked S A B 1 + T A B 1 + T A B 1 => rejected linked_member_twice", STILL,
      "is S rejected linked_failed", "is T rejected linked_member_twice"}},
    {CODE_EXISTS, {ACCOUNTS, "transfer T F B 7", "transfer T F B 7 => duplicate exists", "account B 7 0 0"}},
    {CODE_EXISTS_FOR_ANOTHER_CALLER,
     {ACCOUNTS, "transfer T F B 7", "transfer T F B 7 caller=x => rejected exists_for_another_caller",
      "account B 7 0 0", "is T posted"}},
    {CODE_EXISTS_WITH_DIFFERENT_CONTENT,
     {ACCOUNTS, "transfer T F B 7", "transfer T F B 8 => rejected exists_with_different_content", "account B 7 0 0",
      "is T posted"}},
    {CODE_ALREADY_REJECTED,
     {ACCOUNTS, "transfer T A B 101 => rejected insufficient_funds", "transfer f1 F A 1",
      "transfer T A B 101 => duplicate already_rejected", "account A 101 0 0", "is T rejected insufficient_funds"}},
    {CODE_CANCELLED_BEFORE_TRY,
     {ACCOUNTS, "cancel T A", "try T A B 7 => rejected cancelled_before_try", STILL, "is T cancelled_empty"}},
    {CODE_TRANSFER_NOT_FOUND, {ACCOUNTS, "confirm T A => rejected transfer_not_found", STILL, "is T absent"}},
    {CODE_DEBIT_ACCOUNT_MISMATCH,
     {ACCOUNTS, "try T A B 7", "confirm T B => rejected debit_account_mismatch", "account A 100 7 0", "account B 0 0 7",
      "is T held"}},
    {CODE_NOT_A_HOLD,
     {ACCOUNTS, "transfer T A B 7", "confirm T A => rejected not_a_hold", "account A 93 0 0", "is T posted"}},
    {CODE_HOLD_CONFIRMED,
     {ACCOUNTS, "try T A B 7", "confirm T A", "cancel T A => rejected hold_confirmed", "account A 93 0 0",
      "account B 7 0 0", "is T confirmed"}},
    {CODE_HOLD_CONFIRMED_WITH_DIFFERENT_AMOUNT,
     {ACCOUNTS, "try T A B 7", "confirm T A 3", "confirm T A => rejected hold_confirmed_with_different_amount",
      "account A 97 0 0", "account B 3 0 0", "is T confirmed"}},
    {CODE_HOLD_CANCELLED,
     {ACCOUNTS, "try T A B 7", "cancel T A", "confirm T A => rejected hold_cancelled", STILL, "is T cancelled"}},
    {CODE_HOLD_EXPIRED,
     {ACCOUNTS, "try T A B 7 expires=5", "expire T A issued=5 caller=", "confirm T A => rejected hold_expired", STILL,
      "is T expired"}},
    {CODE_HOLD_NOT_EXPIRED,
     {ACCOUNTS, "try T A B 7 expires=5", "expire T A issued=4 => rejected hold_not_expired", "account A 100 7 0",
      "is T held"}},
    {CODE_AMOUNT_EXCEEDS_HOLD,
     {ACCOUNTS, "try T A B 7", "confirm T A 8 => rejected amount_exceeds_hold", "account A 100 7 0", "account B 0 0 7",
      "is T held"}},
    {CODE_DEBIT_ACCOUNT_NOT_FOUND,
     {ACCOUNTS, "transfer T X B 1 => rejected debit_account_not_found", STILL,
      "is T rejected debit_account_not_found"}},
    {CODE_CREDIT_ACCOUNT_NOT_FOUND,
     {ACCOUNTS, "transfer T A X 1 => rejected credit_account_not_found", STILL,
      "is T rejected credit_account_not_found"}},
    {CODE_CURRENCY_MISMATCH,
     {ACCOUNTS, "transfer T A B 1 currency=USD => rejected currency_mismatch", STILL,
      "is T rejected currency_mismatch"}},
    {CODE_DEBIT_ACCOUNT_CLOSED,
     {ACCOUNTS, "open X", "set X status=closed", "transfer T X B 1 => rejected debit_account_closed", STILL}},
    {CODE_CREDIT_ACCOUNT_CLOSED,
     {ACCOUNTS, "open X", "set X status=closed", "transfer T A X 1 => rejected credit_account_closed", STILL}},
    {CODE_DEBIT_ACCOUNT_FROZEN,
     {ACCOUNTS, "set A status=frozen", "transfer T A B 1 => rejected debit_account_frozen", STILL}},
    {CODE_CREDIT_ACCOUNT_FROZEN,
     {ACCOUNTS, "set B status=frozen", "try T A B 1 => rejected credit_account_frozen", STILL}},
    {CODE_DEBIT_ACCOUNT_CREDIT_ONLY,
     {ACCOUNTS, "set A credit_only", "transfer T A B 1 => rejected debit_account_credit_only", STILL}},
    {CODE_CREDIT_ACCOUNT_DEBIT_ONLY,
     {ACCOUNTS, "set B debit_only", "transfer T A B 1 => rejected credit_account_debit_only", STILL}},
    {CODE_INSUFFICIENT_FUNDS,
     {ACCOUNTS, "transfer T A B 101 => rejected insufficient_funds", STILL, "is T rejected insufficient_funds"}},
    {CODE_MAXIMUM_EXCEEDED,
     {ACCOUNTS, "set B max=9", "transfer T A B 10 => rejected maximum_exceeded", STILL,
      "is T rejected maximum_exceeded"}},
    {CODE_OVERFLOW,
     {ACCOUNTS, "transfer T F B 9223372036854775807 => rejected overflow", STILL, "is T rejected overflow"}},
    {CODE_LINKED_FAILED,
     {ACCOUNTS, "linked S A B 1 event=e + T A B 100 => rejected insufficient_funds",
      "linked S A B 1 event=e + T A B 100 => duplicate insufficient_funds", STILL, "is S rejected linked_failed",
      "is T rejected insufficient_funds", "transfer S A B 1 => rejected already_rejected",
      "linked T2 A X 1 + U A B 1 => rejected credit_account_not_found", "is U rejected linked_failed"}},
    {CODE_ACCOUNT_EXISTS_WITH_DIFFERENT_CONTENT,
     {ACCOUNTS, "open A => rejected account_exists_with_different_content", STILL,
      "transfer T A B 101 => rejected insufficient_funds"}},
    {CODE_ACCOUNT_NOT_FOUND, {ACCOUNTS, "set X no_negative => rejected account_not_found", STILL}},
    {CODE_ACCOUNT_CLOSED,
     {ACCOUNTS, "open X", "set X status=closed", "set X status=open => rejected account_closed",
      "transfer T A X 1 => rejected credit_account_closed"}},
    {CODE_SETTINGS_CONTRADICT,
     {ACCOUNTS, "set A credit_only debit_only => rejected settings_contradict", STILL, "transfer T A B 1"}},
    {CODE_ACCOUNT_NOT_EMPTY,
     {ACCOUNTS, "set A status=closed => rejected account_not_empty", STILL, "transfer T A B 1"}},
    {CODE_BALANCE_BELOW_LIMIT,
     {ACCOUNTS, "set F no_negative => rejected balance_below_limit", STILL, "transfer T F B 1"}},
    {CODE_BALANCE_ABOVE_LIMIT, {ACCOUNTS, "set A max=99 => rejected balance_above_limit", STILL, "transfer T F A 1"}},
};

Test(ledger_code, every_code_is_reached_and_moves_nothing)
{
    bool seen[LEDGER_CODES] = {false};
    for (size_t i = 0; i < ARRAY_SIZE(REACHED); i++) {
        const struct reached *r = &REACHED[i];
        size_t n = 0;
        bool named = r->code == CODE_OK || r->code == CODE_LINKED_FAILED;
        while (n < ARRAY_SIZE(r->lines) && r->lines[n] != NULL) {
            const char *arrow = strstr(r->lines[n], "=>");
            const char *name = ledger_code_name(r->code);
            size_t len = strlen(r->lines[n]);
            named |= arrow != NULL && strlen(arrow) > strlen(name) &&
                     strcmp(r->lines[n] + len - strlen(name), name) == 0 && r->lines[n][len - strlen(name) - 1] == ' ';
            n++;
        }
        cr_assert(named, "the script of %s does not name it", ledger_code_name(r->code));
        script_run(ledger_code_name(r->code), r->lines, n);
        seen[r->code] = true;
    }
    for (int code = 0; code < LEDGER_CODES; code++) {
        cr_assert(seen[code], "no script reaches %s", ledger_code_name((enum ledger_code)code));
    }
}

Test(ledger_code, names_and_texts_are_there_and_differ)
{
    for (int i = 0; i < LEDGER_CODES; i++) {
        enum ledger_code code = LEDGER_CODES;
        const char *name = ledger_code_name((enum ledger_code)i);
        cr_assert((i == CODE_OK) == (name[0] == '\0'));
        cr_assert(strlen(ledger_code_text((enum ledger_code)i)) > 5);
        cr_assert(ledger_code_parse(name, &code) && (int)code == i, "%s", name);
        cr_assert(strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name), "%s", name);
    }
    enum ledger_code code = CODE_OVERFLOW;
    cr_assert(!ledger_code_parse("no_such_code", &code) && code == CODE_OK);
    cr_assert_str_eq(ledger_code_name(LEDGER_CODES), "");
    cr_assert_str_eq(ledger_code_text(LEDGER_CODES), "");
}

/* One line has as many faults as can be; each next one mends the first of them. The id is used up each time. */
Test(ledger_code, of_several_reasons_the_first_is_given)
{
    SCRIPT("open F max=9223372036854775807", "open P", "open A no_negative credit_only", "open B debit_only max=10",
           "open U currency=USD", "open X", "open Y", "set X status=closed", "set Y status=closed", /* closed */
           "set A status=frozen", "set B status=frozen",                                            /* frozen */
           "try used A2 B2 1 caller=other => rejected debit_account_not_found", /* an id of somebody else */
           "try used A A 0 issued=2d => rejected timestamp_out_of_range",       /* then: amount */
           "try used A A 0 => rejected amount_not_positive",                    /* then: same accounts */
           "try used A A 5 => rejected accounts_are_the_same",                  /* then: the id */
           "try used X Y 5 expires=-1 => rejected exists_for_another_caller",   /* then, as its owner: content */
           "try used X Y 5 expires=-1 caller=other => rejected exists_with_different_content",
           "try t1 N1 N2 5 expires=-1 => rejected hold_expired",                       /* then: accounts */
           "try t2 N1 N2 5 => rejected debit_account_not_found",                       /* */
           "try t3 X N2 5 => rejected credit_account_not_found",                       /* */
           "try t4 X U 5 => rejected currency_mismatch",                               /* */
           "try t5 X Y 5 => rejected debit_account_closed",                            /* */
           "try t6 A Y 5 => rejected credit_account_closed",                           /* */
           "try t7 A B 50 => rejected debit_account_frozen",                           /* */
           "set A status=open", "try t8 A B 50 => rejected credit_account_frozen",     /* */
           "set B status=open", "try t9 A B 50 => rejected debit_account_credit_only", /* */
           "set A credit_only=0", "try t10 A B 50 => rejected credit_account_debit_only", "set B debit_only=0",
           "try t11 A B 50 => rejected insufficient_funds", /* */
           "transfer f F A 4611686018427387900", "try t12 A B 4611686018427387900 => rejected maximum_exceeded",
           "open G max=5", "transfer g G P 4", "set B max=none",
           "try t13 A P 4611686018427387900 => rejected overflow");
}

Test(ledger_code, precedence_on_the_way_to_a_confirmation)
{
    SCRIPT("open F", "open A", "open B", "confirm T A 0 issued=2d => rejected timestamp_out_of_range",
           "confirm T A 0 => rejected amount_not_positive", "confirm T A 1 => rejected transfer_not_found",
           "try T A B 10 expires=5", "confirm T B 11 caller=x issued=6 => rejected exists_for_another_caller",
           "confirm T B 11 issued=6 => rejected debit_account_mismatch",
           "confirm T A 11 issued=6 => rejected hold_expired",
           "confirm T A 11 issued=5 => rejected amount_exceeds_hold", "is T held", "account A 0 10 0",
           "confirm T A 10 issued=5", "is T confirmed", "account A -10 0 0");
}

Test(ledger_code, precedence_of_settings)
{
    SCRIPT("open F", "set N credit_only debit_only max=-1 issued=2d => rejected timestamp_out_of_range",
           "set N credit_only debit_only max=-1 => rejected account_not_found", "open X", "set X status=closed",
           "set X credit_only debit_only max=-1 => rejected account_closed", "open A", "open B", "transfer T A B 10",
           "set A status=closed credit_only debit_only no_negative => rejected settings_contradict",
           "set A status=closed max=-1 => rejected settings_contradict",
           "set A status=closed no_negative max=0 => rejected account_not_empty",
           "set A no_negative max=0 => rejected balance_below_limit", "set A max=0",
           "set B no_negative max=9 => rejected balance_above_limit",
           "open N credit_only debit_only => rejected settings_contradict",
           "open N max=-1 => rejected settings_contradict",
           "open N max=-1 issued=2d => rejected timestamp_out_of_range", "open N max=0");
}
