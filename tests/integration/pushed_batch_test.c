/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of notifications' outcomes is its outcomes one by one, and two sinks lose nothing of each other. */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "support/batch_ways.h"
#include "support/pushed_rig.h"
#include "support/random.h"

TestSuite(pushed_batch, .init = rig_open, .fini = rig_close);

/* What both ways leave, but for times; when the next attempt would have been says nothing of a row at its end. */
static char *state(void)
{
    return stack_text(
        rig.db,
        "SELECT concat((SELECT string_agg(concat_ws(',', id, status, attempt_count, round_attempts, last_error,"
        " verdict, provider_code, delivered_at, status = 'retrying' AND next_attempt_at > now() + interval '10 s'),"
        " ';' ORDER BY id) FROM " T "),"
        " (SELECT string_agg(concat_ws(',', cid, is_active, strikes, inactive_reason, inactive_at), ';'"
        " ORDER BY cid) FROM " D "),"
        " (SELECT string_agg(concat_ws(',', message_id, send_status), ';' ORDER BY message_id) FROM " N "))");
}

static void add_random(uint32_t *seed)
{
    static const char *const ids[] = {ID1, ID2, ID3, "44444444-4444-4444-4444-444444444444"};
    static const char *const cids[] = {"c1", "c2"};
    static const char *const messages[] = {NULL, "a", "b"};
    enum pushed_kind kind = (enum pushed_kind)(next_random(seed) % 9 % PUSHED_KINDS);
    struct pushed o = rig_make(ids[next_random(seed) % 4], 1 + next_random(seed) % 4, kind);

    o.error_message = messages[next_random(seed) % 3];
    o.provider_code = messages[next_random(seed) % 3];
    o.device = (enum pushed_device)(next_random(seed) % 9 % PUSHED_DEVICES);
    o.device = o.device == PUSHED_GONE && next_random(seed) % 3 > 0 ? PUSHED_STRIKE : o.device;
    o.cid = cids[next_random(seed) % 2];
    o.device_at_us = AT + next_random(seed) % 4;
    o.happened_at_us = AT + next_random(seed) % 100;
    pushed_batch_add(&rig.batch, &o);
}

static void begin(uint32_t round)
{
    stack_sql(rig.db, "DELETE FROM " T "; DELETE FROM " D "; DELETE FROM " N "; DELETE FROM sluice_waiting;"
                      " ALTER SEQUENCE sluice_queue_seq RESTART");
    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c2", 0);
    rig_insert(ID3, "m2", "c1", 0);
    stack_sql(rig.db,
              "UPDATE " T " SET next_attempt_at = clock_timestamp() WHERE id = '" ID3 "'; " /* seq 4 */
              "UPDATE " D " SET last_seen_at = '" AT_TEXT "'::timestamptz + interval '1 microsecond',"
              " strikes = %u WHERE cid = 'c2'",
              round % 3);
}

Test(pushed_batch, ends_as_its_outcomes_one_by_one)
{
    batch_ways_agree(&(struct batch_ways){
        .rounds = 30, .outcomes = 12, .begin = begin, .add = add_random, .apply = rig_apply, .state = state});
}

Test(pushed_batch, rows_are_locked_in_one_order)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&rig.st, false);
    PGconn *admin CLEANUP(pg_closep) = stack_session(&rig.st, true);

    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m2", "c2", 0);
    stack_sql(other, "BEGIN; SELECT 1 FROM " T " WHERE id = '" ID1 "' FOR UPDATE");
    rig_add(ID2, 2, PUSHED_RETRY);
    rig_add(ID1, 1, PUSHED_RETRY);
    stack_sql(rig.db, "SET lock_timeout = 200; BEGIN");
    cr_expect_eq(pushed_apply(rig.db, &rig.batch, &rig.counts, &rig.err), RC_RETRY, "%s", rig.err.text);
    cr_expect_str_eq(rig.err.code, "55P03");
    /* It stood at the first row by id and had not locked the second. */
    stack_sql(admin, "SET lock_timeout = 200; SELECT 1 FROM " T " WHERE id = '" ID2 "' FOR UPDATE");
    stack_sql(rig.db, "ROLLBACK");
}

/* Each ends one of two deliveries. The second one must see what the first has done, or the notification stays pending.
 */
Test(pushed_batch, of_two_sinks_the_second_one_sees_both_ends)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&rig.st, false);
    CLEANUP(pushed_batch_done) struct pushed_batch theirs;
    struct pushed_counts ignored;
    struct pushed o = rig_make(ID2, 2, PUSHED_FAILED);

    rig_insert(ID1, "m1", "c1", 0);
    rig_insert(ID2, "m1", "c2", 0);
    pushed_batch_init(&theirs);
    pushed_batch_add(&theirs, &o);
    stack_sql(other, "BEGIN");
    cr_assert_eq(pushed_apply(other, &theirs, &ignored, &rig.err), RC_OK, "%s", rig.err.text);
    rig_add(ID1, 1, PUSHED_FAILED);
    stack_sql(rig.db, "SET lock_timeout = 200; BEGIN");
    cr_expect_eq(pushed_apply(rig.db, &rig.batch, &rig.counts, &rig.err), RC_RETRY, "the notification is not locked");
    stack_sql(rig.db, "ROLLBACK");
    stack_sql(other, "COMMIT");
    pushed_batch_clear(&rig.batch);
    rig_one(ID1, 1, PUSHED_FAILED);
    rig_expect_message("m1", "failed provider_down busy");
}
