/* SPDX-License-Identifier: Apache-2.0 */
/* Duplicates, order, overlaps, ceilings. */
#include "receiver/tally.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static struct tally tally;

static void setup(void)
{
    tally_init(&tally, 2000);
}

static void teardown(void)
{
    tally_done(&tally);
}

TestSuite(tally, .init = setup, .fini = teardown);

static struct tally_mark once(const char *id, const char *key, int64_t seq, unsigned status)
{
    struct tally_mark mark = tally_begin(&tally, id, key, seq, 1000);
    tally_answered(&tally, &mark, status);
    tally_end(&tally, &mark);
    return mark;
}

Test(tally, a_duplicate_is_what_was_answered_well_before)
{
    cr_assert_eq(once("a", NULL, -1, 500).attempt, 1);
    struct tally_mark second = once("a", NULL, -1, 200);
    cr_assert(second.attempt == 2 && !second.duplicate);
    struct tally_mark third = once("a", NULL, -1, 200);
    cr_assert(third.attempt == 3 && third.duplicate);
    cr_assert_eq(tally.duplicates, 1);
    cr_assert_eq(tally.delivered, 1);
    cr_assert_eq(tally.requests, 3);
    cr_assert_eq(tally.statuses[200], 2);
}

Test(tally, order_counts_ids_that_are_new)
{
    (void)once("a", "k", 1, 500);
    (void)once("c", "k", 3, 200);
    (void)once("a", "k", 1, 200); /* a retry comes after its successors */
    cr_assert_eq(tally.disorder, 0);
    (void)once("b", "k", 2, 200);
    cr_assert_eq(tally.disorder, 1);
    (void)once("d", "other", 0, 200);
    (void)once("e", NULL, 0, 200);
    (void)once("f", "k", -1, 200);
    cr_assert_eq(tally.disorder, 1);
}

Test(tally, requests_of_a_key_at_the_same_time_overlap)
{
    struct tally_mark a = tally_begin(&tally, "a", "k", -1, 0);
    struct tally_mark b = tally_begin(&tally, "b", "other", -1, 0);
    cr_assert_eq(tally.overlaps, 0);
    struct tally_mark c = tally_begin(&tally, "c", "k", -1, 0);
    cr_assert_eq(tally.overlaps, 1);
    cr_assert_eq(tally.in_flight, 3);
    tally_end(&tally, &a);
    tally_end(&tally, &b);
    tally_end(&tally, &c);
    (void)once("d", "k", -1, 200);
    cr_assert_eq(tally.overlaps, 1);
    cr_assert_eq(tally.in_flight, 0);
}

Test(tally, ids_beyond_the_ceiling_are_only_counted)
{
    char id[16];
    for (int i = 0; i < 2500; i++) {
        (void)snprintf(id, sizeof id, "id%d", i);
        (void)once(id, id, i, 200);
    }
    cr_assert_eq(tally.id_names.n, 2000);
    cr_assert_eq(tally.overflow, 500);
    cr_assert_eq(tally.requests, 2500);
    cr_assert_eq(once("id1999", NULL, -1, 200).attempt, 2);
    cr_assert_eq(once("id2000", NULL, -1, 200).attempt, 1);
}

Test(tally, what_began_before_a_clear_does_not_count_after_it)
{
    struct tally_mark mark = tally_begin(&tally, "a", "k", 1, 0);
    tally_clear(&tally);
    tally_answered(&tally, &mark, 200);
    tally_end(&tally, &mark);
    cr_assert_eq(tally.in_flight, 0);
    cr_assert_eq(tally.requests, 0);
    cr_assert_eq(once("a", "k", 1, 200).attempt, 1);
}

Test(tally, json_with_and_without_ids)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    (void)once("a\"b", "k", 1, 500);
    tally_json(&tally, false, &out);
    cr_assert_not_null(strstr(buf_str(&out), "\"statuses\": {\"500\": 1}}\n"));
    buf_clear(&out);
    tally_json(&tally, true, &out);
    cr_assert_not_null(
        strstr(buf_str(&out), "\"a\\\"b\": {\"attempts\": 1, \"ok\": 0, \"key\": \"k\", \"times_ms\": [1000]}"));
}
