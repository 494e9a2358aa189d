/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged records of the transaction coordinator, and what is larger than it may be: refused, and never believed. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "txn_record.h"

TestSuite(txn_log_damaged, .init = txn_setup, .fini = txn_teardown);

#define OK(call) cr_assert_eq((call), RC_OK, "%s", txn_err.text)

static void expect_reject(const char *what, const char *text)
{
    enum rc rc = add();

    cr_expect_eq(rc, RC_REJECT, "%s: %s", what, rc_name(rc));
    cr_expect(strstr(txn_err.text, text) != NULL, "%s: \"%s\" lacks \"%s\"", what, txn_err.text, text);
}

Test(txn_log_damaged, a_record_that_ends_anywhere_is_refused_or_whole)
{
    for (int version = 0; version <= 1; version++) {
        begin(version, PREPARE_ABORT, 3);
        topic("first", 3, 5);
        topic("second", 1, 0);
        topic("third", 2, 70000);
        size_t needed = rec.n;
        end();
        for (size_t n = 0; n <= rec.n; n++) {
            txn_log_done(&seen);
            enum rc rc = add_bytes(rec.bytes, n);
            cr_expect_eq(rc, n < needed ? RC_REJECT : RC_OK, "version %d, %zu of %zu bytes: %s %s", version, n, rec.n,
                         rc_name(rc), txn_err.text);
            cr_expect_eq(rc == RC_OK, txn_err.text[0] == '\0', "%zu bytes: %s", n, txn_err.text);
            cr_expect(rc != RC_OK || seen.n == 6);
        }
    }
}

Test(txn_log_damaged, versions_that_are_not_known_are_refused)
{
    static const int versions[] = {2, 3, 255, 256, 257, 32767, 65535};

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        char *text CLEANUP(freep) = xasprintf("version %d ", versions[i]);
        head(versions[i], ONGOING);
        number(0, 4);
        end();
        expect_reject(text, text);
    }
}

Test(txn_log_damaged, names_no_topic_has_are_refused)
{
    static const char nul[] = "a\0b";
    char *letters CLEANUP(freep) = xcalloc(TXN_LOG_TOPIC_NAME_MAX + 2, 1);
    const struct {
        const char *what;
        const char *name;
        size_t n;
    } rows[] = {
        {"no name", "", 0},
        {"too long", letters, TXN_LOG_TOPIC_NAME_MAX + 1},
        {"a NUL within", nul, 3},
        {"a NUL at the end", nul, 2},
    };

    memset(letters, 'x', TXN_LOG_TOPIC_NAME_MAX + 1);
    for (int version = 0; version <= 1; version++) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            begin(version, PREPARE_COMMIT, 1);
            topic_bytes(rows[i].name, rows[i].n, 1);
            number(0, 4);
            tags();
            end();
            expect_reject(rows[i].what, "a topic's name of ");
        }
    }
    cr_expect_eq(seen.n, 0);
}

Test(txn_log_damaged, partitions_below_zero_are_refused)
{
    static const uint32_t wrong[] = {(uint32_t)INT32_MAX + 1, UINT32_MAX};

    for (int version = 0; version <= 1; version++) {
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
            begin(version, PREPARE_COMMIT, 1);
            topic("a", 1, wrong[i]);
            end();
            expect_reject("below zero", "expected 0 to 2147483647");
        }
    }
    cr_expect_eq(seen.n, 0);
}

Test(txn_log_damaged, there_is_a_ceiling_for_partitions)
{
    for (int version = 0; version <= 1; version++) {
        txn_log_done(&seen);
        begin(version, PREPARE_COMMIT, 1);
        topic("a", TXN_LOG_PARTS_MAX, 0);
        end();
        OK(add());
        OK(add()); /* the same ones again: not one more */
        cr_expect_eq(seen.n, TXN_LOG_PARTS_MAX);
        begin(version, PREPARE_ABORT, 1);
        topic("a", 1, TXN_LOG_PARTS_MAX);
        end();
        expect_reject("one more", "more than 4096 partitions");
        cr_expect_eq(seen.n, TXN_LOG_PARTS_MAX);
    }
}

/* Each would be gigabytes, or hours, if it were believed. */
Test(txn_log_damaged, counts_larger_than_the_record_are_refused)
{
    static const uint32_t counts[] = {2, 1000000, INT32_MAX};

    for (int version = 0; version <= 1; version++) {
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
            begin(version, PREPARE_COMMIT, counts[i]);
            topic("a", 1, 0);
            expect_reject("topics", "within its partitions");
            begin(version, PREPARE_COMMIT, 1);
            topic_bytes("a", 1, counts[i]);
            number(0, 4);
            expect_reject("partitions", "within its partitions");
            begin(version, PREPARE_COMMIT, 1);
            length(version == 0 ? counts[i] % 0x8000 : counts[i], 2);
            number('a', 1);
            expect_reject("name", "within its partitions");
        }
    }
}

Test(txn_log_damaged, tagged_fields_larger_than_the_record_are_refused)
{
    static const struct {
        const char *what;
        uint8_t bytes[12];
        size_t n;
    } rows[] = {
        {"none", "", 0},
        {"one that is not there", "\x01", 1},
        {"no length", "\x01\x00", 2},
        {"a length of four gigabytes", "\x01\x00\xff\xff\xff\xff\x0f", 7},
        {"four thousand million of them", "\xff\xff\xff\xff\x0f\x00\x00", 7},
        {"more than 32 bits", "\x01\x00\xff\xff\xff\xff\x1f", 7},
        {"a length whose 33rd bit is lost", "\x01\x00\x80\x80\x80\x80\x10", 7},
        {"a number of six bytes", "\x01\xff\xff\xff\xff\xff\x01\x00", 8},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        begin(1, PREPARE_COMMIT, 1);
        topic_bytes("a", 1, 1);
        number(0, 4);
        memcpy(rec.bytes + rec.n, rows[i].bytes, rows[i].n);
        rec.n += rows[i].n;
        expect_reject(rows[i].what, "within its partitions");
    }
}
