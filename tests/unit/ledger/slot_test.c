/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: where accounts without a limit book, and what becomes of it when they get one. */
#include "script.h"

Test(ledger_slot, a_limit_moves_everything_into_slot_0)
{
    SCRIPT("slot 0", "open A", "open B", "open F", "transfer t0 F A 10", "slot 1", "transfer t1 F A 20", "slot 2",
           "transfer t2 A F 5", "try h1 A B 7", "try h2 B A 3", "slot 3", "try h3 A B 2", "in A 0 10 0 0",
           "in A 1 20 0 0", "in A 2 -5 7 3", "in A 3 0 2 0", "account A 25 9 3", "set A no_negative max=28",
           "in A 0 25 9 3", "in A 1 0 0 0", "in A 2 0 0 0", "in A 3 0 0 0",
           "transfer t3 A B 17 => rejected insufficient_funds", "transfer t4 A B 16", "confirm h1 A", "cancel h3 A",
           "confirm h2 B", "account A 5 0 0", "in A 0 5 0 0", "transfer t5 A B 6 => rejected insufficient_funds");
}

Test(ledger_slot, the_sum_decides_whether_a_limit_can_be_set)
{
    SCRIPT("slot 0", "open A", "open B", "transfer t0 B A 10", "slot 1", "transfer t1 A B 4", "set A no_negative max=6",
           "in A 0 6 0 0", "open C", "slot 1", "transfer t2 C B 1", "slot 2", "transfer t3 B C 1", "account C 0 0 0",
           "set C status=closed", "in C 0 0 0 0", "in C 1 0 0 0", "in C 2 0 0 0",
           /* not enough: nothing is moved */
           "slot 0", "open D", "open E", "slot 2", "transfer t4 D E 1", "in D 2 -1 0 0",
           "set D no_negative => rejected balance_below_limit", "set E max=0 => rejected balance_above_limit",
           "in D 2 -1 0 0", "in E 2 1 0 0");
}

/* All in one batch when the script runs joined: the holds are still in memory when the slots are merged. */
Test(ledger_slot, holds_of_the_same_batch_follow)
{
    SCRIPT("slot 2", "open A", "open B", "open F", "transfer t0 F A 10", "try h1 A B 3", "try h2 B A 4",
           "set A no_negative", "confirm h1 A", "confirm h2 B 2", "account A 9 0 0", "try h3 A B 9",
           "set B status=frozen", "confirm h3 A", "account A 0 0 0", "account B 10 0 0");
    SCRIPT("slot 1", "open A", "open B", "try h1 A B 3", "try h2 A B 4", "slot 1", "set B max=100", "confirm h1 A",
           "set A status=frozen", "cancel h2 A", "account A -3 0 0", "account B 3 0 0", "in A 0 -3 0 0",
           "in B 0 3 0 0");
}

/* Holds of an earlier batch, in slots above 0, put beside the command that merges these; then they are resolved. */
Test(ledger_slot, holds_that_were_read_follow)
{
    SCRIPT("open A", "open B", "slot 2", "try h1 A B 3", "try h2 B A 4", "try h3 A B 5", "in A 2 0 8 4", "in B 2 0 4 8",
           "set A max=10", "confirm h1 A", "cancel h2 B", "in A 0 -3 5 0", "in A 2 0 0 0", "in B 2 3 0 5",
           "set B status=frozen", "confirm h3 A 4", "in B 0 7 0 0", "in B 2 0 0 0", "in A 0 -7 0 0");
}

Test(ledger_slot, without_the_limit_slots_are_used_again)
{
    SCRIPT("slot 1", "open A", "open B", "transfer t1 A B 1", "set A max=5", "in A 0 -1 0 0", "set A max=none",
           "slot 2", "transfer t2 A B 2", "in A 0 -1 0 0", "in A 2 -2 0 0", "set A status=frozen", "in A 0 -3 0 0",
           "set A status=open", "slot 1", "transfer t3 A B 4", "in A 1 -4 0 0", "account A -7 0 0", "account B 7 0 0");
}
