/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of accounts, and of events. */
#include "account/known.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "account/decided.h"

Test(known, an_account_counts_after_some_bookings_until_it_is_forgotten)
{
    struct known *k = known_create();

    for (int i = 0; i < KNOWN_AFTER; i++) {
        cr_expect_not(known_without_limit(k, "a"), "after %d", i);
        known_seen(k, "a");
    }
    cr_expect(known_without_limit(k, "a"));
    cr_expect_not(known_without_limit(k, "b"));
    known_forget(k, "b");
    cr_expect(known_without_limit(k, "a"));
    known_forget(k, "a");
    cr_expect_not(known_without_limit(k, "a"));
    known_seen(k, "a");
    cr_expect_not(known_without_limit(k, "a"), "counted anew");
    known_free(k);
}

Test(known, slots_are_those_of_the_account)
{
    struct known *k = known_create();

    known_slot_is_there(k, "a", 3);
    cr_expect_not(known_slot(k, "a", 3), "nobody has seen the account");
    known_seen(k, "a");
    known_slot_is_there(k, "a", 1);
    known_slot_is_there(k, "a", 63);
    cr_expect(known_slot(k, "a", 1) && known_slot(k, "a", 63) && !known_slot(k, "a", 2) && !known_slot(k, "b", 1));
    known_forget(k, "a");
    known_seen(k, "a");
    cr_expect_not(known_slot(k, "a", 1));
    known_free(k);
}

/* More accounts than there is room for: newer ones take places, and no answer is another account's. */
Test(known, it_is_bounded)
{
    struct known *k = known_create();
    char id[32];
    int kept = 0;

    for (int i = 0; i < 3 * KNOWN_MAX; i++) {
        (void)snprintf(id, sizeof(id), "account-%d", i);
        for (int n = 0; n < KNOWN_AFTER; n++) {
            known_seen(k, id);
        }
        cr_assert(known_without_limit(k, id));
    }
    for (int i = 0; i < 3 * KNOWN_MAX; i++) {
        (void)snprintf(id, sizeof(id), "account-%d", i);
        kept += known_without_limit(k, id) ? 1 : 0;
    }
    cr_expect(kept > KNOWN_MAX / 2 && kept <= KNOWN_MAX, "%d", kept);
    known_free(k);
}

static bool another(struct decided *d, enum ledger_op op, const char *event, const char *transfer, const char *debit)
{
    const struct ledger_command c = {.op = op, .event_id = event, .transfer_id = transfer, .debit = debit};

    return decided_for_another(d, &c);
}

Test(decided, an_event_is_known_by_what_it_asked)
{
    struct decided d = {0};

    cr_expect_not(another(&d, OP_TRANSFER, "e", "t", "a"), "nothing is known yet");
    decided_add(&d, "e", "transfer", "t");
    decided_add(&d, "e", "cancel", "u"); /* the first one counts */
    decided_add(&d, "s", "set", "a");
    cr_expect_not(another(&d, OP_TRANSFER, "e", "t", "a"));
    cr_expect_not(another(&d, OP_LINKED, "e", "t", "a"), "a set is known by its first member");
    cr_expect(another(&d, OP_TRANSFER, "e", "u", "a"));
    cr_expect(another(&d, OP_TRY, "e", "t", "a"));
    cr_expect_not(another(&d, OP_TRY, "f", "t", "a"));
    cr_expect_not(another(&d, OP_SET, "s", "", "a"));
    cr_expect(another(&d, OP_SET, "s", "", "b"));
    cr_expect(another(&d, OP_OPEN, "s", "", "a"));
    decided_clear(&d);
    cr_expect_not(another(&d, OP_TRY, "e", "t", "a"), "another batch");
    decided_done(&d);
}

Test(decided, thousands_of_events)
{
    struct decided d = {0};
    static char ids[5000][8];

    for (int i = 0; i < 5000; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "e%d", i);
        decided_add(&d, ids[i], "transfer", ids[i]);
    }
    for (int i = 0; i < 5000; i++) {
        cr_assert_not(another(&d, OP_TRANSFER, ids[i], ids[i], "a"));
        cr_assert(another(&d, OP_TRANSFER, ids[i], ids[(i + 1) % 5000], "a"));
    }
    decided_done(&d);
}
