/* SPDX-License-Identifier: Apache-2.0 */
/* What the transaction coordinator's records say, in both versions, and where those of an id stand. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "txn_record.h"

TestSuite(txn_log, .init = txn_setup, .fini = txn_teardown);

#define OK(call) cr_assert_eq((call), RC_OK, "%s", txn_err.text)

static void expect_part(const char *name, int32_t partition, bool committed, bool last)
{
    for (size_t i = 0; i < seen.n; i++) {
        const struct txn_log_part *part = &seen.parts[i];
        if (part->partition == partition && strcmp(part->topic, name) == 0) {
            cr_expect_eq(part->committed, committed, "%s %d: committed", name, (int)partition);
            cr_expect_eq(part->last, last, "%s %d: last", name, (int)partition);
            return;
        }
    }
    cr_expect_fail("%s %d is not there", name, (int)partition);
}

/* --------------------------------------------------------------------------------------------------- the partition */

/* Hashes from Java. The last but one has the hash -2147483648, the others below zero are of plain size. */
Test(txn_log, an_id_stands_where_kafka_puts_it)
{
    static const struct {
        const char *id;
        int n;
        int32_t partition;
    } rows[] = {
        {"", 50, 0},
        {"a", 50, 47},                 /* 97 */
        {"kafka", 50, 10},             /* 101807910 */
        {"sluice-callback-0", 50, 28}, /* 71429478 */
        {"sluice-callback-0", 1, 0},
        {"zzzzzzzz", 50, 12},             /* -1910022912 */
        {"sluice-relay-payment", 49, 14}, /* -391442100 */
        {"polygenelubricants", 50, 0},
        {"polygenelubricants", 3, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int32_t got = txn_log_partition(rows[i].id, rows[i].n);
        cr_expect_eq(got, rows[i].partition, "\"%s\" of %d: %d", rows[i].id, rows[i].n, (int)got);
    }
}

/* ----------------------------------------------------------------------------------------------- what records say */

Test(txn_log, both_versions_name_the_topics_and_their_partitions)
{
    char longest[TXN_LOG_TOPIC_NAME_MAX + 1];

    memset(longest, 'x', TXN_LOG_TOPIC_NAME_MAX);
    longest[TXN_LOG_TOPIC_NAME_MAX] = '\0';
    for (int version = 0; version <= 1; version++) {
        txn_log_done(&seen);
        begin(version, PREPARE_COMMIT, 4);
        topic("orders", 3, 0);
        topic("none", 0, 0);
        topic(longest, 1, INT32_MAX);
        topic("order", 1, 1); /* the beginning of another one's name */
        end();
        OK(add());
        cr_assert_eq(seen.n, 5, "version %d: %zu", version, seen.n);
        cr_expect_eq(seen.decisions, 1);
        for (int32_t i = 0; i < 3; i++) {
            expect_part("orders", i, true, true);
        }
        expect_part(longest, INT32_MAX, true, true);
        expect_part("order", 1, true, true);
    }
}

static void add_hex(const char *hex)
{
    rec.n = 0;
    for (const char *at = hex; *at != '\0'; at += 2) {
        char digits[3] = {at[0], at[1], '\0'};
        number(strtoul(digits, NULL, 16), 1);
    }
    OK(add());
}

/* What a broker of version 4.4.0 wrote for one id: a transaction that init_transactions aborted, one committed. */
Test(txn_log, records_of_a_real_broker_are_understood)
{
    static const char opened[] =
        "0001000000000000002200000000ea6001020f7061796d656e742e6576656e747303000000020000000000"
        "000001a206a6bc74000001a206a6bc740100080000000000000022";
    static const char aborted[] = "0001000000000000002200010000ea6003030f7061796d656e742e6576656e7473030000000200000000"
                                  "0017736c756963652e72656c61792e706f736974696f6e73020000000500000001a206a6f6d9000001a2"
                                  "06a6bc74020008000000000000002202020002";
    static const char committed[] = "0001000000000000002200020000ea6002030f7061796d656e742e6576656e74730300000002000000"
                                    "00001263616c6c6261636b2e6f7574636f6d6573020000000500000001a206a6f8f1000001a206a6f8"
                                    "de0100080000000000000022";
    static const char completed[] = "0001000000000000002200020000ea600401000001a206a6f8f2000001a206a6f8de01000800000000"
                                    "00000022";

    add_hex(opened);
    cr_expect_eq(seen.n, 0);
    add_hex(aborted);
    cr_expect_eq(seen.n, 3);
    expect_part("payment.events", 0, false, true);
    expect_part("payment.events", 2, false, true);
    expect_part("sluice.relay.positions", 5, false, true);
    add_hex(committed);
    add_hex(completed);
    cr_expect_eq(seen.n, 4);
    cr_expect_eq(seen.decisions, 2);
    expect_part("payment.events", 0, true, true);
    expect_part("payment.events", 2, true, true);
    expect_part("callback.outcomes", 5, true, true);
    expect_part("sluice.relay.positions", 5, false, false);
}

Test(txn_log, only_decisions_count)
{
    static const int others[] = {EMPTY, ONGOING, COMPLETE_COMMIT, COMPLETE_ABORT, DEAD, PREPARE_EPOCH_FENCE, 255};

    begin(1, PREPARE_COMMIT, 1);
    topic("a", 1, 0);
    end();
    OK(add());
    for (int version = 0; version <= 1; version++) {
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
            begin(version, others[i], 1);
            topic("b", 1, 0);
            end();
            OK(add());
            head(version, others[i]); /* what follows is not even looked at */
            OK(add());
        }
    }
    cr_expect_eq(seen.n, 1, "%zu", seen.n);
    cr_expect_eq(seen.decisions, 1, "%zu", seen.decisions);
    expect_part("a", 0, true, true);
}

Test(txn_log, the_later_decision_counts_for_each_partition)
{
    for (int version = 0; version <= 1; version++) {
        txn_log_done(&seen);
        begin(version, PREPARE_COMMIT, 2);
        topic("a", 2, 0);
        topic("b", 1, 0);
        end();
        OK(add());
        begin(version, PREPARE_ABORT, 2);
        topic("c", 1, 7);
        topic("a", 1, 1);
        end();
        OK(add());
        cr_expect_eq(seen.n, 4, "%zu", seen.n);
        cr_expect_eq(seen.decisions, 2);
        expect_part("a", 0, true, false);
        expect_part("b", 0, true, false);
        expect_part("a", 1, false, true);
        expect_part("c", 7, false, true);
        begin(version, PREPARE_COMMIT, 1);
        topic("c", 1, 7);
        end();
        OK(add());
        expect_part("a", 1, false, false);
        expect_part("c", 7, true, true);
        cr_expect_eq(seen.n, 4, "%zu", seen.n);
    }
}

/* A transaction without records: it is the last one, and in no partition. */
Test(txn_log, a_null_array_is_an_empty_one)
{
    for (int version = 0; version <= 1; version++) {
        txn_log_done(&seen);
        begin(version, PREPARE_COMMIT, 1);
        topic_bytes("a", 1, UINT32_MAX); /* the partitions: null, -1 in version 0 and 0 in version 1 */
        no_tags();
        end();
        OK(add());
        cr_expect_eq(seen.n, 0);
        begin(version, PREPARE_COMMIT, 1);
        topic("a", 1, 0);
        end();
        OK(add());
        begin(version, PREPARE_ABORT, UINT32_MAX);
        end();
        OK(add());
        cr_expect_eq(seen.decisions, 3);
        cr_expect_eq(seen.n, 1);
        expect_part("a", 0, true, false);
    }
}
