/* SPDX-License-Identifier: Apache-2.0 */
/* The chain's hash is written down twice, for the ledger and for whoever checks it: both must mean the same. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/sha256.h"
#include "ledger/ledger.h"
#include "ledger_check/check.h"
#include "ledger_check/flow_hash.h"

static void expect_same(const struct ledger_flow *f, const char *account, int slot, const char *kind)
{
    const struct hashed_flow h = {.account_id = account,
                                  .slot = slot,
                                  .version = f->version,
                                  .amount = f->amount,
                                  .balance_after = f->balance_after,
                                  .frozen_delta = f->frozen_delta,
                                  .frozen_after = f->frozen_after,
                                  .incoming_delta = f->incoming_delta,
                                  .incoming_after = f->incoming_after,
                                  .kind = kind,
                                  .transfer_id = f->transfer_id,
                                  .event_id = f->event_id,
                                  .effective_us = f->effective_us};
    unsigned char before[LEDGER_HASH_BYTES];
    unsigned char theirs[LEDGER_HASH_BYTES];
    unsigned char ours[LEDGER_HASH_BYTES];

    memset(before, slot * 7, sizeof(before));
    ledger_flow_hash(before, account, slot, f, theirs);
    flow_hash_of(before, &h, ours);
    cr_assert_arr_eq(ours, theirs, LEDGER_HASH_BYTES, "%s %s", account, kind);
}

Test(flow_hash, is_the_ledgers)
{
    for (int k = 0; k < LEDGER_FLOW_KINDS; k++) {
        const struct ledger_flow small = {
            .version = 1, .kind = (enum ledger_flow_kind)k, .transfer_id = "t", .event_id = "e"};
        const struct ledger_flow large = {.version = INT64_MAX,
                                          .kind = (enum ledger_flow_kind)k,
                                          .amount = INT64_MIN,
                                          .balance_after = INT64_MAX,
                                          .frozen_delta = -1,
                                          .frozen_after = 10,
                                          .incoming_delta = 9,
                                          .incoming_after = 99,
                                          .transfer_id = "adjust:00000000-0000-0000-0000-000000000000",
                                          .event_id = "",
                                          .effective_us = 1795431720541794};
        expect_same(&small, "a", 0, LEDGER_FLOW_KIND_NAMES[k]);
        expect_same(&large, "clearing:wechat:CNY", 32, LEDGER_FLOW_KIND_NAMES[k]);
    }
}

/* printf 'a|0|1|5|5|0|0|0|0|post|t|e|7' behind 32 zero bytes, by sha256sum. */
Test(flow_hash, is_that_of_the_text_in_the_schema)
{
    static const unsigned char none[FLOW_HASH_BYTES];
    const struct hashed_flow f = {.account_id = "a",
                                  .version = 1,
                                  .amount = 5,
                                  .balance_after = 5,
                                  .kind = "post",
                                  .transfer_id = "t",
                                  .event_id = "e",
                                  .effective_us = 7};
    unsigned char hash[FLOW_HASH_BYTES];
    char text[2 * FLOW_HASH_BYTES + 1];
    char id[FLOW_ID_TEXT_MAX];

    flow_hash_of(none, &f, hash);
    sha256_hex(hash, FLOW_HASH_BYTES, text);
    flow_hash_id(hash, id);
    cr_assert_str_eq(text, "ac9cc0b324b6f8870eb62872099f12da8d5f6e534f649bda989e34db28cae578");
    cr_assert_str_eq(id, "ac9cc0b3-24b6-8887-8eb6-2872099f12da");
}

Test(flow_hash, long_ids_have_room)
{
    char long_id[5000];
    const struct ledger_flow f = {.version = 3, .kind = FLOW_POST, .transfer_id = long_id, .event_id = long_id};

    memset(long_id, 'x', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = '\0';
    expect_same(&f, "a", 1, "post");
}

Test(check_names, are_known_in_either_case)
{
    enum check_id id = CHECK_I1;

    for (int i = 0; i < CHECKS; i++) {
        cr_assert(check_parse(CHECK_ABOUT[i].name, &id));
        cr_assert_eq((int)id, i);
    }
    cr_assert(check_parse("i12", &id));
    cr_assert_eq(id, CHECK_I12);
    cr_assert_not(check_parse("I10", &id));
    cr_assert_not(check_parse("", &id));
}
