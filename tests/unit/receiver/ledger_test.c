/* SPDX-License-Identifier: Apache-2.0 */
/* Duplicates, order, overlaps, ceilings. */
#include "receiver/ledger.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static struct ledger ledger;

static void setup(void)
{
    ledger_init(&ledger, 2000);
}

static void teardown(void)
{
    ledger_done(&ledger);
}

TestSuite(ledger, .init = setup, .fini = teardown);

static struct ledger_mark once(const char *id, const char *key, int64_t seq, unsigned status)
{
    struct ledger_mark mark = ledger_begin(&ledger, id, key, seq, 1000);
    ledger_answered(&ledger, &mark, status);
    ledger_end(&ledger, &mark);
    return mark;
}

Test(ledger, a_duplicate_is_what_was_answered_well_before)
{
    cr_assert_eq(once("a", NULL, -1, 500).attempt, 1);
    struct ledger_mark second = once("a", NULL, -1, 200);
    cr_assert(second.attempt == 2 && !second.duplicate);
    struct ledger_mark third = once("a", NULL, -1, 200);
    cr_assert(third.attempt == 3 && third.duplicate);
    cr_assert_eq(ledger.duplicates, 1);
    cr_assert_eq(ledger.delivered, 1);
    cr_assert_eq(ledger.requests, 3);
    cr_assert_eq(ledger.statuses[200], 2);
}

Test(ledger, order_counts_ids_that_are_new)
{
    (void)once("a", "k", 1, 500);
    (void)once("c", "k", 3, 200);
    (void)once("a", "k", 1, 200); /* a retry comes after its successors */
    cr_assert_eq(ledger.disorder, 0);
    (void)once("b", "k", 2, 200);
    cr_assert_eq(ledger.disorder, 1);
    (void)once("d", "other", 0, 200);
    (void)once("e", NULL, 0, 200);
    (void)once("f", "k", -1, 200);
    cr_assert_eq(ledger.disorder, 1);
}

Test(ledger, requests_of_a_key_at_the_same_time_overlap)
{
    struct ledger_mark a = ledger_begin(&ledger, "a", "k", -1, 0);
    struct ledger_mark b = ledger_begin(&ledger, "b", "other", -1, 0);
    cr_assert_eq(ledger.overlaps, 0);
    struct ledger_mark c = ledger_begin(&ledger, "c", "k", -1, 0);
    cr_assert_eq(ledger.overlaps, 1);
    cr_assert_eq(ledger.in_flight, 3);
    ledger_end(&ledger, &a);
    ledger_end(&ledger, &b);
    ledger_end(&ledger, &c);
    (void)once("d", "k", -1, 200);
    cr_assert_eq(ledger.overlaps, 1);
    cr_assert_eq(ledger.in_flight, 0);
}

Test(ledger, ids_beyond_the_ceiling_are_only_counted)
{
    char id[16];
    for (int i = 0; i < 2500; i++) {
        (void)snprintf(id, sizeof id, "id%d", i);
        (void)once(id, id, i, 200);
    }
    cr_assert_eq(ledger.id_names.n, 2000);
    cr_assert_eq(ledger.overflow, 500);
    cr_assert_eq(ledger.requests, 2500);
    cr_assert_eq(once("id1999", NULL, -1, 200).attempt, 2);
    cr_assert_eq(once("id2000", NULL, -1, 200).attempt, 1);
}

Test(ledger, what_began_before_a_clear_does_not_count_after_it)
{
    struct ledger_mark mark = ledger_begin(&ledger, "a", "k", 1, 0);
    ledger_clear(&ledger);
    ledger_answered(&ledger, &mark, 200);
    ledger_end(&ledger, &mark);
    cr_assert_eq(ledger.in_flight, 0);
    cr_assert_eq(ledger.requests, 0);
    cr_assert_eq(once("a", "k", 1, 200).attempt, 1);
}

Test(ledger, json_with_and_without_ids)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    (void)once("a\"b", "k", 1, 500);
    ledger_json(&ledger, false, &out);
    cr_assert_not_null(strstr(buf_str(&out), "\"statuses\": {\"500\": 1}}\n"));
    buf_clear(&out);
    ledger_json(&ledger, true, &out);
    cr_assert_not_null(
        strstr(buf_str(&out), "\"a\\\"b\": {\"attempts\": 1, \"ok\": 0, \"key\": \"k\", \"times_ms\": [1000]}"));
}
