/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of a flow, against what sha256sum says of the same text; and a batch that contradicts itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bank.h"
#include "ledger/internal.h"

static void expect_hash(const unsigned char before[LEDGER_HASH_BYTES], const char *account_id, int slot,
                        const struct ledger_flow *f, const char *want)
{
    unsigned char hash[LEDGER_HASH_BYTES];
    char hex[2 * LEDGER_HASH_BYTES + 1];
    ledger_flow_hash(before, account_id, slot, f, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }
    cr_assert_str_eq(hex, want);
}

Test(ledger_seal, hash_of_a_flow)
{
    unsigned char before[LEDGER_HASH_BYTES] = {0};
    const struct ledger_flow first = {
        .version = 1, .kind = FLOW_POST, .amount = 5, .balance_after = 5, .transfer_id = "t", .event_id = "e"};
    expect_hash(before, "a", 0, &first, "6be85090564a492a789d28516a9230305cef61d1b3346b9749f2b26159b3a5b3");
    for (size_t i = 0; i < sizeof before; i++) {
        before[i] = (unsigned char)i;
    }
    const struct ledger_flow f = {.version = 41,
                                  .kind = FLOW_CONFIRM,
                                  .amount = -12345,
                                  .balance_after = INT64_MAX,
                                  .frozen_after = INT64_MIN,
                                  .incoming_delta = 100,
                                  .incoming_after = 7,
                                  .counter_account = "is not in it",
                                  .transfer_id = "t-1",
                                  .event_id = "8f14e45f",
                                  .reference = "neither",
                                  .effective_us = INT64_C(1790000000123456)};
    expect_hash(before, "shop:clearing", 3, &f, "2cf2eb4bd1eef6f8fe6f9e9bc9f419df28783e3411138d51f92521bcd143fc71");
}

/* Two accounts, one transfer, decided; then somebody's mistake, made by hand. */
static struct ledger *decided(void)
{
    struct ledger *l = ledger_create();
    struct ledger_result result = {0};
    struct ledger_command c = bank_command(OP_TRANSFER, "e", "t", "a", "b", 5);
    struct ledger_account a = {.account_id = "a", .exists = true, .currency = "CNY", .exponent = 2, .balance = 5};
    const struct ledger_want_account *wants = NULL;
    ledger_begin(l, BANK_NOW_US);
    ledger_want(l, &c);
    cr_assert_eq(ledger_wanted_accounts(l, &wants), 2);
    ledger_put_account(l, &a);
    a.account_id = "b";
    ledger_put_account(l, &a);
    ledger_decide(l, &c, &result);
    cr_assert_eq(result.outcome, OUTCOME_APPLIED);
    return l;
}

static void expect_refused(struct ledger *l, const char *why)
{
    struct err err = {0};
    cr_assert_eq(ledger_seal(l, &err), RC_FATAL);
    cr_assert_not_null(strstr(err.text, why), "%s", err.text);
    (void)ledger_free(l);
}

Test(ledger_seal, a_batch_that_contradicts_itself_is_not_sealed)
{
    struct err err = {0};
    struct ledger *l = decided();
    cr_assert_eq(ledger_seal(l, &err), RC_OK);
    (void)ledger_free(l);

    l = decided();
    l->flows[1].amount = 4;
    expect_refused(l, "debits and credits of this batch do not balance in CNY");
    l = decided();
    l->flows[1].incoming_delta = 4;
    expect_refused(l, "do not balance");
    l = decided();
    l->slots[0]->a.frozen = -1;
    expect_refused(l, "would have -1 frozen");
    l = decided();
    l->slots[1]->a.incoming = -1;
    expect_refused(l, "-1 incoming");
    l = decided();
    l->slots[0]->a.balance = -1;
    l->slots[0]->a.settings.no_negative = true;
    expect_refused(l, "account a would pass its limit");
    l = decided();
    l->slots[1]->a.settings.has_max = true;
    expect_refused(l, "account b would pass its limit");
    l = decided();
    l->slots[1]->a.settings.credit_only = true;
    l->slots[1]->a.slot = 1;
    expect_refused(l, "is limited and would have something in slot 1");
}

Test(ledger_seal, debits_and_credits_balance_in_each_currency)
{
    struct ledger *l = decided();
    l->slots[1]->a.currency = "USD";
    expect_refused(l, "do not balance in CNY");
}

Test(ledger_seal, lookups_and_wants)
{
    struct ledger *l = ledger_create();
    struct ledger_command c[3] = {bank_command(OP_TRY, "e1", "t", "b", "a", 5),
                                  bank_command(OP_OPEN, "e2", "", "c", "", 0),
                                  bank_command(OP_CONFIRM, "e3", "h", "x", "", 0)};
    const struct ledger_transfer hold = {.transfer_id = "h",
                                         .state = TRANSFER_HELD,
                                         .version = 1,
                                         .debit = "b",
                                         .credit = "d",
                                         .debit_slot = 3,
                                         .credit_slot = 0,
                                         .amount = 1,
                                         .currency = "CNY",
                                         .caller = "shop",
                                         .event_id = "e0",
                                         .effective_us = 0,
                                         .expires_us = LEDGER_NO_TIME};
    const struct ledger_want_account *w = NULL;
    const char *const *ids = NULL;
    ledger_begin(l, BANK_NOW_US);
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        ledger_want(l, &c[i]);
    }
    cr_assert_eq(ledger_wanted_transfers(l, &ids), 2);
    cr_assert(strcmp(ids[0], "h") == 0 && strcmp(ids[1], "t") == 0);
    cr_assert_eq(ledger_wanted_events(l, &ids), 3);
    ledger_put_transfer(l, &hold);
    cr_assert_eq(ledger_wanted_accounts(l, &w), 4);
    /* the hold's slot serves the try too */
    cr_assert(strcmp(w[0].account_id, "a") == 0 && w[0].slot == LEDGER_ANY_SLOT);
    cr_assert(strcmp(w[1].account_id, "b") == 0 && w[1].slot == 3);
    cr_assert(strcmp(w[2].account_id, "c") == 0 && w[2].slot == LEDGER_ANY_SLOT);
    cr_assert(strcmp(w[3].account_id, "d") == 0 && w[3].slot == 0);
    cr_assert_null(ledger_find_account(l, "b"));
    cr_assert_null(ledger_find_transfer(l, "t"));
    cr_assert_null(ledger_find_transfer(l, "nobody asked"));
    cr_assert_eq(ledger_find_transfer(l, "h")->amount, 1);
    ledger_put_account(l, &(struct ledger_account){.account_id = "c"});
    ledger_put_account(l, &(struct ledger_account){.account_id = "b", .slot = 3, .exists = true, .currency = "CNY"});
    cr_assert_null(ledger_find_account(l, "c"));
    cr_assert_eq(ledger_find_account(l, "b")->slot, 3);
    /* settings want all slots, and nothing beside them */
    c[0] = bank_command(OP_SET, "e4", "", "b", "", 0);
    ledger_want(l, &c[0]);
    cr_assert_eq(ledger_wanted_accounts(l, &w), 4);
    cr_assert_eq(w[1].slot, LEDGER_ALL_SLOTS);
    (void)ledger_free(l);
}
