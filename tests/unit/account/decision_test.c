/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of decisions, whole: others rebuild tables from it. */
#include "account/decision.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define T0 INT64_C(1700000000000001)

static struct buf out;

static void setup(void)
{
    buf_init(&out, DECISION_BYTES_MAX);
}

static void teardown(void)
{
    buf_done(&out);
}

TestSuite(decision, .init = setup, .fini = teardown);

#define HASH "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fff"

static struct ledger_transfer full(void)
{
    struct ledger_transfer t = {.transfer_id = "t:1",
                                .state = TRANSFER_CONFIRMED,
                                .version = 2,
                                .debit = "a",
                                .credit = "b",
                                .debit_slot = 0,
                                .credit_slot = 7,
                                .amount = INT64_MAX,
                                .confirmed_amount = 5,
                                .currency = "CNY",
                                .reference = "a \"quoted\"\nline \xc3\xbc",
                                .caller = "shop",
                                .set_id = "t:0",
                                .event_id = "e1",
                                .effective_us = T0,
                                .expires_us = T0 + 1,
                                .booked_us = T0 + 2,
                                .updated_us = T0 + 3};

    for (int i = 0; i < LEDGER_HASH_BYTES; i++) {
        t.content_hash[i] = (unsigned char)(i == 31 ? 255 : i + 1);
    }
    return t;
}

Test(decision, a_transfer_with_every_column)
{
    const struct ledger_transfer t = full();

    decision_of_flow(&out, FLOW_CONFIRM, &t);
    cr_expect_str_eq(
        buf_str(&out),
        "{\"op\":\"confirm\",\"state\":\"confirmed\",\"version\":2,\"transfer_id\":\"t:1\",\"debit\":\"a\","
        "\"credit\":\"b\",\"debit_slot\":0,\"credit_slot\":7,\"amount\":9223372036854775807,\"confirmed_amount\":5,"
        "\"currency\":\"CNY\",\"reference\":\"a \\\"quoted\\\"\\nline "
        "\xc3\xbc\",\"caller\":\"shop\",\"set_id\":\"t:0\","
        "\"content_hash\":\"" HASH "\",\"event_id\":\"e1\",\"effective_at\":\"2023-11-14T22:13:20.000001Z\","
        "\"expires_at\":\"2023-11-14T22:13:20.000002Z\",\"booked_at\":\"2023-11-14T22:13:20.000003Z\","
        "\"updated_at\":\"2023-11-14T22:13:20.000004Z\"}");
}

Test(decision, what_is_null_is_left_out)
{
    struct ledger_transfer t = full();

    t.state = TRANSFER_CANCELLED_EMPTY;
    t.credit = t.currency = t.reference = t.set_id = NULL;
    t.debit_slot = t.credit_slot = -1;
    t.expires_us = LEDGER_NO_TIME;
    t.caller = "";
    const struct ledger_decision d = {
        .event_id = "e1", .account_id = "a", .transfer_id = "t:1", .op = OP_CANCEL, .applied = true, .decided = &t};
    decision_of_row(&out, &d, T0);
    cr_expect_str_eq(buf_str(&out), "{\"op\":\"cancel\",\"state\":\"cancelled_empty\",\"version\":2,\"transfer_id\":"
                                    "\"t:1\",\"debit\":\"a\",\"caller\":\"\",\"content_hash\":\"" HASH
                                    "\",\"event_id\":\"e1\",\"effective_at\":\"2023-11-14T22:13:20.000001Z\","
                                    "\"booked_at\":\"2023-11-14T22:13:20.000003Z\","
                                    "\"updated_at\":\"2023-11-14T22:13:20.000004Z\"}");
}

Test(decision, a_refusal_with_and_without_a_transfer)
{
    struct ledger_transfer t = full();
    struct ledger_decision d = {
        .event_id = "e1", .account_id = "a", .transfer_id = "t:1", .op = OP_CONFIRM, .code = CODE_AMOUNT_EXCEEDS_HOLD};

    decision_of_row(&out, &d, T0);
    cr_expect_str_eq(
        buf_str(&out),
        "{\"op\":\"confirm\",\"outcome\":\"rejected\",\"code\":\"amount_exceeds_hold\",\"transfer_id\":"
        "\"t:1\",\"account_id\":\"a\",\"event_id\":\"e1\",\"decided_at\":\"2023-11-14T22:13:20.000001Z\"}");
    t.state = TRANSFER_REJECTED;
    t.code = CODE_INSUFFICIENT_FUNDS;
    d.decided = &t;
    decision_of_row(&out, &d, T0);
    cr_expect_not_null(strstr(buf_str(&out), "\"state\":\"rejected\",\"version\":2,\"code\":\"insufficient_funds\""));
}

Test(decision, an_account_and_its_limits)
{
    const struct ledger_account a = {
        .account_id = "a",
        .currency = "JPY",
        .exponent = 0,
        .kind = KIND_MERCHANT,
        .settings = {.status = ACCOUNT_FROZEN, .no_negative = true, .has_max = true, .max_balance = -1},
        .settings_version = 3,
        .version = 9};
    const struct ledger_decision d = {
        .event_id = "e1", .account_id = "a", .op = OP_SET, .applied = true, .account = &a};

    decision_of_row(&out, &d, T0);
    cr_expect_str_eq(buf_str(&out),
                     "{\"op\":\"set\",\"account_id\":\"a\",\"currency\":\"JPY\",\"exponent\":0,\"kind\":\"merchant\","
                     "\"status\":\"frozen\",\"no_negative\":true,\"credit_only\":false,\"debit_only\":false,"
                     "\"max_balance\":-1,\"settings_version\":3,\"flows\":9,\"event_id\":\"e1\","
                     "\"decided_at\":\"2023-11-14T22:13:20.000001Z\"}");
}

Test(decision, ids_of_rows_are_uuids_of_version_8_and_always_the_same)
{
    unsigned char a[ROW_ID_BYTES];
    unsigned char b[ROW_ID_BYTES];
    unsigned char hash[LEDGER_HASH_BYTES];

    memset(hash, 0xff, sizeof(hash));
    flow_row_id(hash, a);
    cr_expect_eq(a[6], 0x8f);
    cr_expect_eq(a[8], 0xbf);
    decision_row_id("e1", 0, a);
    decision_row_id("e1", 0, b);
    cr_expect_arr_eq(a, b, sizeof(a));
    cr_expect_eq(a[6] >> 4, 8);
    decision_row_id("e1", 1, b);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
    decision_row_id("e2", 0, b);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}
