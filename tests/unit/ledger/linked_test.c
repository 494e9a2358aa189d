/* SPDX-License-Identifier: Apache-2.0 */
/* Linked sets: all or none, remembered as such. */
#include "script.h"

Test(ledger_linked, all_or_none)
{
    SCRIPT("open F", "open A no_negative", "open B no_negative", "open C", "transfer f F A 10",
           "linked s1 A B 10 + s2 B C 10", "account A 0 0 0", "account B 0 0 0", "account C 10 0 0", "is s1 posted",
           /* the order counts: each member sees what the ones before it have done */
           "linked r1 B C 1 + r2 C B 1 => rejected insufficient_funds", "is r1 rejected insufficient_funds",
           "is r2 rejected linked_failed", "linked q1 C B 1 + q2 B C 1", "account C 10 0 0",
           /* the last one fails, and takes three with it */
           "linked p1 C A 3 + p2 A B 3 + p3 B A 1 + p4 B A 3 => rejected insufficient_funds",
           "is p1 rejected linked_failed", "is p2 rejected linked_failed", "is p3 rejected linked_failed",
           "is p4 rejected insufficient_funds", "account A 0 0 0", "account B 0 0 0", "account C 10 0 0",
           "transfer x C A 1", "account A 1 0 0");
}

Test(ledger_linked, repetitions)
{
    SCRIPT("open A", "open B", "linked s1 A B 1 + s2 A B 2", "linked s1 A B 1 + s2 A B 2 => duplicate exists",
           "linked s1 A B 1 + s2 A B 3 => rejected exists_with_different_content",
           "linked s1 A B 1 + s2 A B 2 caller=x => rejected exists_with_different_content",
           "linked s1 A B 1 caller=x + s2 A B 2 => rejected exists_for_another_caller",
           "linked s1 A B 1 + s2 A B 2 + s3 A B 3 => rejected exists_with_different_content",
           "is s3 rejected linked_failed", "linked s2 A B 2 + s1 A B 1 => rejected exists_with_different_content",
           /* a member alone is something else */
           "transfer s1 A B 1 => rejected exists_with_different_content", "account A -3 0 0",
           /* refused ones */
           "linked r1 A B 1 + r2 A N 2 => rejected credit_account_not_found", "open N",
           "linked r1 A B 1 + r2 A N 2 => duplicate already_rejected", "is r1 rejected linked_failed",
           "transfer r1 A B 1 => rejected already_rejected", "linked r2 A N 2 + r4 A B 1 => rejected already_rejected",
           "is r4 rejected linked_failed", "cancel c A", "linked d A B 1 + c A B 1 => rejected cancelled_before_try",
           "is c cancelled_empty", "is d rejected linked_failed", "account A -3 0 0", "account B 3 0 0");
}

Test(ledger_linked, a_set_that_is_repeated_as_an_event)
{
    SCRIPT("open A", "open B", "linked s1 A B 1 event=e + s2 A N 2 => rejected credit_account_not_found",
           "linked s1 A B 1 event=e + s2 A N 2 => duplicate credit_account_not_found",
           "linked t1 A B 1 event=e + t2 A B 2 => duplicate credit_account_not_found", "is t1 absent",
           "account A 0 0 0");
}

Test(ledger_linked, an_id_twice)
{
    SCRIPT("open A", "open B", "linked s A B 1 + s A B 1 => rejected linked_member_twice",
           "is s rejected linked_member_twice", "linked u A B 1 + v A B 1 + u A B 2 => rejected linked_member_twice",
           "is u rejected linked_member_twice", "is v rejected linked_failed",
           "linked w A B 0 + w A B 1 => rejected amount_not_positive", "is w rejected amount_not_positive",
           "account A 0 0 0");
}

Test(ledger_linked, members_of_a_set_and_holds_in_one_batch)
{
    SCRIPT("open F", "open A no_negative", "open B max=10", "transfer f F A 10", "try h A B 4",
           "linked s1 A B 6 + s2 A B 1 => rejected insufficient_funds",
           "linked t1 A B 6 + t2 F B 1 => rejected maximum_exceeded", "linked u1 A B 5 + u2 F B 1", "account A 5 4 0",
           "account B 6 0 4", "confirm h A 1", "account A 4 0 0", "account B 7 0 0",
           "confirm s1 A => rejected not_a_hold", "confirm u1 A => rejected not_a_hold");
}
