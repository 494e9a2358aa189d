/* SPDX-License-Identifier: Apache-2.0 */
/* What a notification says of its deliveries, and which of its rows are written for that. */
#include <criterion/criterion.h>

#include "support/pushed_rig.h"

TestSuite(pushed_notifications, .init = rig_open, .fini = rig_close);

Test(pushed_notifications, a_notification_follows_all_its_deliveries)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c2", 0);
    rig_insert(ID3, "m1", "c3", 0);
    rig_one(ID1, 1, PUSHED_FAILED);
    rig_expect_message("m1", "pending - -");
    rig_one(ID2, 2, PUSHED_RETRY);
    rig_expect_message("m1", "pending - -");
    rig_one(ID2, 2, PUSHED_DEAD_LETTER);
    rig_expect_message("m1", "pending - -");
    rig_one(ID3, 3, PUSHED_DELIVERED);
    rig_expect_message("m1", "success - -");
}

Test(pushed_notifications, the_last_reason_is_told)
{
    struct pushed o = rig_make(ID1, 1, PUSHED_FAILED);

    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c2", 0);
    o.verdict = "ignored";
    o.error_message = "away for too long";
    rig_one(ID2, 2, PUSHED_FAILED);
    pushed_batch_add(&rig.batch, &o);
    rig_apply();
    rig_expect_message("m1", "failed ignored away for too long");
}

Test(pushed_notifications, success_stays_whatever_comes_later)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c2", 0);
    rig_one(ID1, 1, PUSHED_DELIVERED);
    rig_one(ID2, 2, PUSHED_RETRY);
    rig_expect_message("m1", "success - -");
    rig_one(ID2, 2, PUSHED_DEAD_LETTER);
    rig_expect_message("m1", "success - -");
    rig_expect_row(ID2, "dead_letter 2 2 busy");
}

Test(pushed_notifications, success_stays_when_its_delivery_is_not_kept)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c2", 0);
    rig_one(ID1, 1, PUSHED_DELIVERED);
    stack_sql(rig.db, "DELETE FROM " T " WHERE id = '" ID1 "'");
    rig_one(ID2, 2, PUSHED_RETRY);
    rig_expect_message("m1", "success - -");
    rig_one(ID2, 2, PUSHED_FAILED);
    rig_expect_message("m1", "success - -");
}

Test(pushed_notifications, an_older_generation_counts_only_when_it_was_delivered)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c1", 1);
    rig_insert(ID3, "m1", "c2", 0);
    stack_sql(rig.db, "UPDATE " N " SET generation = 1");
    rig_one(ID1, 1, PUSHED_FAILED);
    rig_expect_message("m1", "pending - -");
    rig_one(ID2, 2, PUSHED_FAILED);
    rig_expect_message("m1", "failed provider_down busy"); /* although an old one is still under way */
    rig_one(ID3, 3, PUSHED_DELIVERED);
    rig_expect_message("m1", "success - -");
}

Test(pushed_notifications, a_notification_without_deliveries_of_its_generation_is_left)
{
    rig_insert(ID1, "m1", "c1", 0);
    stack_sql(rig.db, "UPDATE " N " SET generation = 1, send_status = 'no-targets', reason = 'no_device_rows'");
    rig_one(ID1, 1, PUSHED_FAILED);
    rig_expect_message("m1", "no-targets no_device_rows -");
}

Test(pushed_notifications, updates_stay_hot)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c2", 0);
    stack_sql(rig.db, "SELECT pg_stat_force_next_flush()");
    for (int i = 0; i < 20; i++) {
        rig_one(ID1, 1, PUSHED_RETRY);
    }
    rig_one(ID1, 1, PUSHED_FAILED);
    rig_one(ID2, 2, PUSHED_DELIVERED);
    stack_sql(rig.db, "SELECT pg_stat_force_next_flush()");
    stack_sql(rig.db, "SELECT pg_stat_clear_snapshot()");
    cr_expect_eq(stack_int(rig.db, "SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '" T "'"),
                 0);
    cr_expect_eq(stack_int(rig.db, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = '" T "'"), 22);
    cr_expect_eq(
        stack_int(rig.db, "SELECT n_tup_upd * 100 + n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '" N "'"),
        101, "one change, and it is HOT");
}
