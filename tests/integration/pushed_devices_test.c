/* SPDX-License-Identifier: Apache-2.0 */
/* What outcomes do to the device they are about: strikes, and its end. */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "support/pushed_rig.h"

TestSuite(pushed_devices, .init = rig_open, .fini = rig_close);

Test(pushed_devices, a_device_that_is_gone_is_deactivated_once)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_say(PUSHED_GONE, AT);
    rig_expect_device("f|0|invalid_target: getui 20001|2023");
    cr_expect_eq(rig.counts.deactivated, 1);
    rig_say(PUSHED_GONE, AT + INT64_C(40000000000000));
    rig_expect_device("f|0|invalid_target: getui 20001|2023"); /* the first reason stays */
    cr_expect_eq(rig.counts.deactivated, 0);
}

Test(pushed_devices, a_device_that_has_registered_since_is_left_alone)
{
    rig_insert(ID1, "m1", "c1", 0);
    stack_sql(rig.db, "UPDATE " D " SET last_seen_at = '" AT_TEXT "'::timestamptz + interval '1 microsecond'");
    rig_say(PUSHED_GONE, AT);
    for (int i = 0; i < 3; i++) {
        rig_say(PUSHED_STRIKE, AT);
    }
    rig_expect_device("t|0|-|-");
    rig_say(PUSHED_GONE, AT + 1); /* as of then it had registered: not later than that */
    rig_expect_device("f|0|invalid_target: getui 20001|2023");
}

Test(pushed_devices, a_device_that_never_said_when_it_was_seen_is_judged)
{
    rig_insert(ID1, "m1", "c1", 0);
    stack_sql(rig.db, "UPDATE " D " SET last_seen_at = NULL");
    rig_say(PUSHED_GONE, AT);
    rig_expect_device("f|0|invalid_target: getui 20001|2023");
}

Test(pushed_devices, three_strikes_in_a_row_deactivate)
{
    rig_insert(ID1, "m1", "c1", 0);
    rig_say(PUSHED_STRIKE, AT);
    rig_say(PUSHED_STRIKE, AT);
    rig_expect_device("t|2|-|-");
    rig_say(PUSHED_OK, AT);
    rig_expect_device("t|0|-|-");
    rig_say(PUSHED_STRIKE, AT);
    rig_say(PUSHED_STRIKE, AT);
    rig_expect_device("t|2|-|-");
    rig_say(PUSHED_STRIKE, AT);
    rig_expect_device("f|3|3 strikes: suspect: getui 20001|2023");
    cr_expect_eq(rig.counts.deactivated, 1);
}

Test(pushed_devices, other_devices_are_not_touched)
{
    rig_insert(ID1, "m1", "c1", 0);
    stack_sql(rig.db, "INSERT INTO " D " (appid, cid) VALUES ('b', 'c1x'), ('b', 'c1y')");
    stack_sql(rig.db, "UPDATE " D " SET last_seen_at = 'epoch'; UPDATE " D " SET cid = 'c2' WHERE cid = 'c1y'");
    rig_insert(ID2, "m2", "c2", 0);
    rig_say(PUSHED_GONE, AT);
    cr_expect_eq(stack_int(rig.db, "SELECT count(*) FROM " D " WHERE is_active"), 3);
}

Test(pushed_devices, what_is_well_already_is_not_written)
{
    rig_insert(ID1, "m1", "c1", 0);
    char *before CLEANUP(freep) = stack_text(rig.db, "SELECT concat(ctid, xmin, xmax) FROM " D);
    rig_say(PUSHED_OK, AT);
    char *after CLEANUP(freep) = stack_text(rig.db, "SELECT concat(ctid, xmin, xmax) FROM " D);
    cr_expect_str_eq(before, after, "neither changed nor locked");
}

/* Tables from before: the message went to that app, so what its provider says is about these rows, too. */
Test(pushed_devices, a_device_without_an_appid_is_one_of_the_usual_app)
{
    struct pushed o = rig_make(ID1, 1, PUSHED_RETRY);

    rig_insert(ID1, "m1", "c1", 0);
    stack_sql(rig.db, "DELETE FROM " D "; ALTER TABLE " D " ALTER appid DROP NOT NULL;"
                      "INSERT INTO " D " (appid, cid, user_id, last_seen_at) VALUES (NULL, 'c1', 'u', 'epoch'),"
                      " (NULL, 'c1', 'v', 'epoch'), ('default', 'c1', 'u', 'epoch'), ('a', 'c1', 'u', 'epoch')");
    o.device = PUSHED_GONE;
    o.appid = "default";
    pushed_batch_add(&rig.batch, &o);
    rig_apply();
    stack_expect(rig.db, "that phone, in whatever row",
                 "SELECT string_agg(concat(coalesce(appid, '-'), is_active), ' ' ORDER BY appid, user_id) FROM " D,
                 "at defaultf -f -f");
    cr_expect_eq(rig.counts.deactivated, 3);
}
