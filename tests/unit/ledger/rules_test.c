/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, times, holds, accounts: the rules by example. */
#include "script.h"

#define MAX64 "9223372036854775807"

Test(ledger_rules, holds_count_against_the_balance)
{
    SCRIPT("open F", "open A no_negative", "open B", "transfer f F A 100", "try h1 A B 60",
           "transfer t1 A B 41 => rejected insufficient_funds", "try h2 A B 41 => rejected insufficient_funds",
           "transfer t2 A B 40", "account A 60 60 0", "account B 40 0 60", "confirm h1 A", "account A 0 0 0",
           "account B 100 0 0");
}

Test(ledger_rules, what_is_expected_counts_against_the_maximum_and_cannot_be_spent)
{
    SCRIPT("open F", "open A max=100 no_negative", "open B", "try h F A 60", "account A 0 0 60",
           "transfer t1 A B 1 => rejected insufficient_funds", "transfer t2 F A 41 => rejected maximum_exceeded",
           "try t3 F A 41 => rejected maximum_exceeded", "transfer t4 F A 40",
           "transfer t5 F A 1 => rejected maximum_exceeded", "confirm h F 1", "account A 41 0 0", "transfer t6 F A 59",
           "transfer t7 F A 1 => rejected maximum_exceeded", "transfer t8 A B 100", "account A 0 0 0");
}

Test(ledger_rules, a_maximum_of_nothing_and_one_far_above_a_debt)
{
    SCRIPT("open F", "open A max=0", "transfer t1 F A 1 => rejected maximum_exceeded", "transfer t2 A F 5",
           "transfer t3 F A 6 => rejected maximum_exceeded", "transfer t4 F A 5", "account A 0 0 0",
           /* the room of M passes 64 bits */
           "set F max=" MAX64, "open M max=" MAX64, "open G credit_only", "transfer m1 M G " MAX64,
           "account M -" MAX64 " 0 0", "transfer m2 F M 4611686018427387000", "account M -4611686018427388807 0 0");
}

Test(ledger_rules, the_end_of_64_bits)
{
    SCRIPT("open A max=" MAX64, "open B max=" MAX64, "open F", "transfer t1 A B " MAX64, "account A -" MAX64 " 0 0",
           "account B " MAX64 " 0 0", "transfer t2 A F 1 => rejected overflow",
           "transfer t3 F B 1 => rejected maximum_exceeded", "set B max=none no_negative",
           "transfer t4 F B 1 => rejected overflow", "try t5 F B 1 => rejected overflow", "transfer t6 B A 1",
           "try h F B 1", "transfer t7 F B 1 => rejected overflow", "confirm h F", "account B " MAX64 " 0 0",
           /* a hold of all of it */
           "open C max=" MAX64, "open D max=" MAX64, "try h2 C D " MAX64, "account C 0 " MAX64 " 0",
           "account D 0 0 " MAX64, "try h3 C D 1 => rejected maximum_exceeded",
           "transfer t8 C F 1 => rejected overflow", "confirm h2 C", "account C -" MAX64 " 0 0",
           "account D " MAX64 " 0 0");
}

Test(ledger_rules, a_hold_is_released_whatever_stands_beside_it_at_the_end_of_64_bits)
{
    SCRIPT("open A max=" MAX64, "open B max=" MAX64, "open F", "try h A B 4611686018427387904",
           "transfer t A B 4611686018427387903", "try i A F 1 => rejected overflow", "cancel h A",
           "account A -4611686018427387903 0 0", "account B 4611686018427387903 0 0");
}

/* On either side the other counter leaves room; what is held must fit by itself. */
Test(ledger_rules, the_end_of_64_bits_for_what_is_held)
{
    SCRIPT("open A max=" MAX64, "open B max=" MAX64, "open C max=" MAX64, "open D max=" MAX64, "open E max=" MAX64,
           "transfer t1 A B " MAX64, "try h1 C A " MAX64, "try h2 B A 1 => rejected overflow", "try h3 B D " MAX64,
           "try h4 B E 1 => rejected overflow", "transfer t2 E A 1", "transfer t3 B E 1",
           "account A -9223372036854775806 0 " MAX64, "account B 9223372036854775806 " MAX64 " 0");
}

Test(ledger_rules, an_account_without_limit_has_a_share_for_each_slot)
{
    SCRIPT("slot 0", "open A", "open L max=" MAX64, "transfer t1 L A 4611686018427387903",
           "transfer t2 L A 1 => rejected overflow", "slot 1", "transfer t3 L A 72057594037927935",
           "transfer t4 L A 1 => rejected overflow", "slot 2", "transfer t5 L A 72057594037927935", "slot 0",
           "account A 4755801206503243773 0 0", "set A no_negative", "in A 0 4755801206503243773 0 0",
           "set A no_negative=0 => rejected overflow", "transfer t6 A L 144115188075855870", "set A no_negative=0");
}

Test(ledger_rules, frozen_accounts_take_nothing_new_and_finish_what_is_open)
{
    SCRIPT("open F", "open A", "open B", "try h1 A B 5", "try h2 A B 6", "try h3 B A 7", "set A status=frozen",
           "transfer t1 A B 1 => rejected debit_account_frozen", "try t2 A B 1 => rejected debit_account_frozen",
           "transfer t3 B A 1 => rejected credit_account_frozen", "confirm h1 A", "cancel h2 A", "confirm h3 B",
           "account A 2 0 0", "account B -2 0 0", "set A status=open", "transfer t4 A B 2", "account A 0 0 0");
}

Test(ledger_rules, one_way_accounts)
{
    SCRIPT(
        "open F", "open C credit_only", "open D debit_only", "transfer t1 F C 5", "transfer t2 D F 5",
        "transfer t3 C F 1 => rejected debit_account_credit_only", "try t4 C F 1 => rejected debit_account_credit_only",
        "transfer t5 F D 1 => rejected credit_account_debit_only", "try t6 F D 1 => rejected credit_account_debit_only",
        "transfer t7 D C 1", "account C 6 0 0", "account D -6 0 0",
        /* set later: open holds keep their right */
        "open A", "try h A F 3", "set A credit_only", "confirm h A", "account A -3 0 0",
        "transfer t8 A F 1 => rejected debit_account_credit_only");
}

Test(ledger_rules, closing)
{
    SCRIPT("open F", "open A", "try h F A 5", "set A status=closed => rejected account_not_empty", "confirm h F 5",
           "set A status=closed => rejected account_not_empty", "try g A F 5",
           "set A status=closed => rejected account_not_empty", "cancel g A", "transfer t A F 5", "set A status=closed",
           "set A status=closed => rejected account_closed", "set A max=5 => rejected account_closed",
           "transfer u F A 1 => rejected credit_account_closed", "transfer v A F 1 => rejected debit_account_closed",
           "open A => rejected account_exists_with_different_content", "account A 0 0 0");
}

Test(ledger_rules, opening)
{
    SCRIPT("open A no_negative max=5 kind=merchant exponent=3", /* again: a repetition */
           "open A no_negative max=5 kind=merchant exponent=3 => duplicate exists",
           "open A no_negative max=6 kind=merchant exponent=3 => rejected account_exists_with_different_content",
           "open A no_negative max=5 kind=user exponent=3 => rejected account_exists_with_different_content",
           "open A no_negative max=5 kind=merchant exponent=2 => rejected account_exists_with_different_content",
           "open A no_negative max=5 kind=merchant exponent=3 currency=USD => rejected "
           "account_exists_with_different_content",
           "open A max=5 kind=merchant exponent=3 => rejected account_exists_with_different_content",
           "set A max=7", /* it is not any more what was opened */
           "open A no_negative max=5 kind=merchant exponent=3 => rejected account_exists_with_different_content",
           "open A no_negative max=7 kind=merchant exponent=3 => duplicate exists", "account A 0 0 0");
}

Test(ledger_rules, settings_that_change_nothing_are_applied)
{
    SCRIPT("open A no_negative", "set A no_negative", "set A max=5", "set A max=5", "set A status=frozen",
           "set A status=frozen", "set A max=none no_negative=0 status=open", "account A 0 0 0");
}

Test(ledger_rules, limits_are_held_against_what_is_there)
{
    SCRIPT("open F", "open A", "open B", "transfer t1 F A 10", "try h1 A B 8", "try h2 F A 5",
           "set A no_negative max=14 => rejected balance_above_limit", "set A no_negative max=15",
           "transfer t2 A B 3 => rejected insufficient_funds", "set A no_negative=0", "transfer t3 A B 3",
           "set A no_negative => rejected balance_below_limit", "cancel h1 A", "set A no_negative", "account A 7 0 5");
}

Test(ledger_rules, currencies_and_their_digits)
{
    SCRIPT("open A", "open B", "open U currency=USD", "open E exponent=3",
           "transfer t1 A U 1 => rejected currency_mismatch", "transfer t2 U A 1 => rejected currency_mismatch",
           "transfer t3 U A 1 currency=USD => rejected currency_mismatch",
           "transfer t4 A B 1 currency=USD => rejected currency_mismatch",
           "transfer t5 A E 1 => rejected currency_mismatch", "account A 0 0 0");
}

Test(ledger_rules, times)
{
    SCRIPT("open A", "open B", "transfer t1 A B 1 issued=1d",
           "transfer t2 A B 1 issued=86401 => rejected timestamp_out_of_range", "transfer t3 A B 1 issued=-1790000000",
           "transfer t4 A B 1 issued=-1790000001 => rejected timestamp_out_of_range", "transfer t5 A B 1 effective=1d",
           "transfer t6 A B 1 effective=86401 => rejected timestamp_out_of_range",
           /* 946684800 s between 1970 and 2000 */
           "transfer t7 A B 1 effective=-843315200",
           "transfer t8 A B 1 effective=-843315201 => rejected timestamp_out_of_range", "try h1 A B 1 expires=400d",
           "try h2 A B 1 expires=34560001 => rejected timestamp_out_of_range", "try h3 A B 1 issued=10 expires=10",
           "try h4 A B 1 issued=11 expires=10 => rejected hold_expired",
           "try h5 A B 1 expires=-1790000001 => rejected timestamp_out_of_range", "account A -4 2 0",
           /* what was refused stays refused when its time has come */
           "now 5d", "transfer t2 A B 1 issued=86401 => duplicate already_rejected", "account A -4 2 0",
           "confirm h1 A issued=7d => rejected timestamp_out_of_range",
           "cancel h1 A issued=7d => rejected timestamp_out_of_range",
           "expire h3 A issued=7d => rejected timestamp_out_of_range",
           "set A max=5 issued=7d => rejected timestamp_out_of_range", "account A -4 2 0");
}

Test(ledger_rules, expiry_goes_by_when_it_was_asked)
{
    SCRIPT("open A", "open B", "try h1 A B 1 expires=10", "now 1d", "confirm h1 A issued=10", "account A -1 0 0",
           "try h2 A B 1 expires=10", "confirm h2 A issued=11 => rejected hold_expired", "is h2 held",
           "expire h2 A issued=9 => rejected hold_not_expired", "expire h2 A issued=10", "account A -1 0 0",
           "try h3 A B 1", "expire h3 A => rejected hold_not_expired", "confirm h3 A issued=1d",
           "try h4 A B 1 expires=10", "cancel h4 A issued=1d", "account A -2 0 0", "account B 2 0 0");
}

Test(ledger_rules, callers)
{
    SCRIPT("open A", "open B", "try h1 A B 5 caller=x", "confirm h1 A caller=y => rejected exists_for_another_caller",
           "cancel h1 A caller=y => rejected exists_for_another_caller",
           "expire h1 A caller=y => rejected exists_for_another_caller",
           "try h1 A B 5 caller=y => rejected exists_for_another_caller",
           "transfer h1 A B 5 caller=y => rejected exists_for_another_caller", "is h1 held", "confirm h1 A caller=x",
           /* nobody named: the database's side, which may do all */
           "try h2 A B 5 caller=x", "cancel h2 A caller=", "try h3 A B 5 caller=x expires=1",
           "expire h3 A issued=2 caller=", "is h3 expired", "try h4 A B 5 caller=x expires=1",
           "expire h4 A issued=2 caller=x",
           /* but what is nobody's is not everybody's */
           "try h5 A B 5 caller=", "confirm h5 A caller=x => rejected exists_for_another_caller",
           "confirm h5 A caller=", "cancel h6 A caller=x",
           "try h6 A B 5 caller=y => rejected exists_for_another_caller",
           "try h6 A B 5 caller=x => rejected cancelled_before_try", "account A -10 0 0");
}

Test(ledger_rules, an_event_is_decided_once)
{
    SCRIPT("open A", "open B", "confirm h A event=e1 => rejected transfer_not_found", "try h A B 5",
           "confirm h A event=e1 => duplicate transfer_not_found", "is h held", "confirm h A event=e2",
           "confirm h A event=e2 => duplicate exists", "set A max=5 event=e3", "set A max=6",
           "set A max=5 event=e3 => duplicate exists", "transfer t B A 12 => rejected maximum_exceeded",
           "transfer u B A 11", "cancel x A event=e4", "cancel x A event=e4 => duplicate exists",
           /* several commands of one event */
           "open C event=e5", "transfer v A C 1 event=e5 => duplicate exists", "is v absent",
           "transfer v A C 1 event=e5 ordinal=1", "account C 1 0 0",
           "transfer w C N 1 event=e5 ordinal=2 => rejected credit_account_not_found",
           "transfer w2 C N 1 event=e5 ordinal=2 => duplicate credit_account_not_found", "is w2 absent");
}
