/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a delivery in the tables by its outcomes: states, numbers, repairs that are not undone. */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "support/pushed_rig.h"

#define AWKWARD "\"\\{},' \xc3\xbc"

TestSuite(pushed_deliveries, .init = rig_open, .fini = rig_close);

Test(pushed_deliveries, an_accepted_push_ends_the_row)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_one(ID1, 1, PUSHED_RETRY);
    rig_one(ID1, 1, PUSHED_DELIVERED);
    rig_expect_row(ID1, "delivered 2 2 -");
    rig_expect_message("m1", "success - -");
    cr_expect(rig.counts.settled == 1 && rig.counts.late == 0 && rig.counts.gone == 0);
    cr_expect_eq(stack_int(rig.db, "SELECT 1 FROM " T " WHERE delivered_at = '" AT_TEXT "' AND verdict = 'sent_online'"
                                   " AND provider = 'getui' AND provider_code = '0' AND response_status = 200"
                                   " AND updated_at > created_at"),
                 1);
}

Test(pushed_deliveries, a_retry_waits_by_the_databases_clock)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_one(ID1, 1, PUSHED_RETRY);
    rig_expect_row(ID1, "retrying 1 1 busy");
    rig_expect_message("m1", "pending - -");
    cr_expect_eq(stack_int(rig.db,
                           "SELECT 1 FROM " T
                           " WHERE next_attempt_at BETWEEN now() + interval '50 s' AND now() + interval '60 s'"),
                 1);
    cr_expect_eq(stack_int(rig.db, "SELECT count(*) FROM sluice_waiting w JOIN " T
                                   " o ON o.id::text = w.row_id AND w.due_at = o.next_attempt_at"),
                 1);
    cr_expect_eq(stack_int(rig.db, "SELECT 1 FROM " T " WHERE queue_seq = 1 AND queue_txid IS NOT NULL"), 1,
                 "the sink leaves both");
}

Test(pushed_deliveries, what_is_parked_waits_without_attempt_and_budget)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_one(ID1, 1, PUSHED_PARKED);
    rig_expect_row(ID1, "retrying 0 0 busy");
    cr_expect_eq(stack_int(rig.db, "SELECT count(*) FROM sluice_waiting"), 1);
}

Test(pushed_deliveries, both_kinds_of_a_bad_end_are_kept_apart)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m2", "c1", 0);
    rig_one(ID1, 1, PUSHED_FAILED);
    rig_one(ID2, 2, PUSHED_DEAD_LETTER);
    rig_expect_row(ID1, "failed 1 1 busy");
    rig_expect_row(ID2, "dead_letter 1 1 busy");
    rig_expect_message("m1", "failed provider_down busy");
    rig_expect_message("m2", "failed provider_down busy");
    cr_expect_eq(stack_int(rig.db, "SELECT count(*) FROM sluice_waiting"), 0);
    cr_expect_eq(stack_int(rig.db, "SELECT count(*) FROM " T " WHERE delivered_at IS NOT NULL"), 0);
}

Test(pushed_deliveries, an_end_that_nobody_explains_still_says_something)
{
    struct pushed o = rig_make(ID1, 1, PUSHED_DEAD_LETTER);

    rig_insert(ID1, "m1", "c1", 0);
    o.error_class = o.error_message = o.verdict = NULL;
    pushed_batch_add(&rig.batch, &o);
    rig_apply();
    rig_expect_row(ID1, "dead_letter 1 1 dead_letter");
    rig_expect_message("m1", "failed dead_letter dead_letter");
}

Test(pushed_deliveries, two_outcomes_of_one_row_in_one_batch_count_twice)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m2", "c1", 0);
    rig_add(ID1, 1, PUSHED_RETRY);
    rig_add(ID2, 2, PUSHED_RETRY);
    rig_add(ID1, 1, PUSHED_RETRY);
    rig_add(ID1, 1, PUSHED_FAILED);
    rig_apply();
    rig_expect_row(ID1, "failed 3 3 busy");
    rig_expect_row(ID2, "retrying 1 1 busy");
    cr_expect_eq(rig.counts.settled, 4);
}

Test(pushed_deliveries, an_outcome_that_comes_late_undoes_no_repair)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_one(ID1, 1, PUSHED_DEAD_LETTER);
    stack_sql(rig.db,
              "UPDATE " T " SET status = 'pending', next_attempt_at = now(), last_error = NULL, verdict = NULL");
    cr_expect_eq(stack_int(rig.db, "SELECT queue_seq FROM " T), 2);
    for (int kind = 0; kind < PUSHED_KINDS; kind++) {
        rig_one(ID1, 1, (enum pushed_kind)kind);
        cr_expect(rig.counts.late == 1 && rig.counts.settled == 0);
        cr_expect_eq(stack_int(rig.db, "SELECT 1 FROM " T " WHERE status = 'pending' AND round_attempts = 0"
                                       " AND queue_seq = 2 AND last_error IS NULL AND verdict IS NULL"
                                       " AND delivered_at IS NULL AND next_attempt_at <= now()"),
                     1, "%s", PUSHED_NAMES[kind]);
        rig_expect_message("m1", "pending - -");
    }
    rig_one(ID1, 2, PUSHED_RETRY);
    rig_expect_row(ID1, "retrying 6 1 busy"); /* the budget is new, the numbers go on */
}

Test(pushed_deliveries, an_end_stays_an_end)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_one(ID1, 1, PUSHED_FAILED);
    rig_one(ID1, 1, PUSHED_DELIVERED);
    rig_expect_row(ID1, "failed 2 2 busy");
    rig_expect_message("m1", "failed provider_down busy");
    cr_expect_eq(rig.counts.late, 1);
}

Test(pushed_deliveries, a_row_that_is_gone_is_counted_and_its_device_is_still_judged)
{
    struct pushed o = rig_make(ID2, 9, PUSHED_FAILED);

    rig_insert(ID1, "m1", "c1", 0);
    o.device = PUSHED_GONE;
    pushed_batch_add(&rig.batch, &o);
    rig_add(ID1, 1, PUSHED_DELIVERED);
    rig_apply();
    cr_expect(rig.counts.gone == 1 && rig.counts.settled == 1 && rig.counts.deactivated == 1);
    rig_expect_device("f|0|provider_down: getui 0|2023");
}

Test(pushed_deliveries, texts_arrive_as_they_are)
{
    struct pushed o = rig_make(ID1, 1, PUSHED_RETRY);

    rig_insert(ID1, "m1", "c1", 0);
    o.error_message = o.verdict = o.provider = o.provider_code = AWKWARD;
    o.has_status = false;
    pushed_batch_add(&rig.batch, &o);
    rig_apply();
    char *got CLEANUP(freep) =
        stack_text(rig.db, "SELECT last_error FROM " T " WHERE response_status IS NULL AND verdict = last_error"
                           " AND provider = last_error AND provider_code = last_error");
    cr_expect_str_eq(got, AWKWARD);
}
