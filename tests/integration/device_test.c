/* SPDX-License-Identifier: Apache-2.0 */
/* Phones on a real database: who is on them, and who is not any more. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/device.h"
#include "gateway/store.h"
#include "gateway/store_devices.h"
#include "pg/conn.h"
#include "support/stack.h"

static struct stack st;
static struct session session;
static struct session_options options;
static struct arena arena;
static struct err err;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    options = (struct session_options){.url = st.url, .schema = "public", .statement_timeout_ms = 20000};
    session = (struct session){.opt = &options};
    arena_init(&arena, 4096);
    cr_assert_eq(session_open(&session, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    session_close(&session);
    arena_done(&arena);
    stack_close(&st);
}

TestSuite(device, .init = setup, .fini = teardown, .timeout = 100);

#define SAME "(same)" /* not spoken of */

static struct job *register_job(const char *cid, const char *user, const char *merchant)
{
    struct job *j = arena_alloc(&arena, sizeof *j);
    struct device *d = arena_alloc(&arena, sizeof *d);
    *d = (struct device){.appid = "default", .cid = cid};
    if (user == NULL || strcmp(user, SAME) != 0) {
        d->identity[IDENTITY_USER].given = true;
        d->identity[IDENTITY_USER].value = user;
    }
    if (merchant == NULL || strcmp(merchant, SAME) != 0) {
        d->identity[IDENTITY_MERCHANT].given = true;
        d->identity[IDENTITY_MERCHANT].value = merchant;
    }
    *j = (struct job){.arena = &arena, .kind = JOB_DEVICE, .caller = "", .device = d, .wait_s = -1};
    uuid_make(j->id);
    return j;
}

static void put(struct job **jobs, size_t n)
{
    bool unknown = false;
    cr_assert_eq(jobs_store(&session, jobs, n, &unknown, &err), RC_OK, "%s", err.text);
}

static void reg(const char *cid, const char *user, const char *merchant)
{
    struct job *job = register_job(cid, user, merchant);
    put(&job, 1);
    cr_assert_null(job->device->refused);
    cr_assert_not_null(strstr(job->shown, cid), "%s", job->shown);
}

static void is_on(const char *what, const char *want)
{
    stack_expect(st.conn, what,
                 "SELECT string_agg(concat_ws('/', cid, coalesce(user_id::text, '-'), coalesce(merchant_id::text, "
                 "'-')), ' ' ORDER BY cid) FROM push_devices",
                 want);
}

Test(device, identities_are_added_moved_and_taken_away)
{
    reg("c1", "u1", SAME);
    is_on("a user", "c1/u1/-");
    reg("c1", SAME, "m1");
    is_on("his shop is added", "c1/u1/m1");
    reg("c1", "u1", SAME);
    is_on("the same again", "c1/u1/m1");
    reg("c1", "u2", SAME);
    is_on("another user: the shop of the login before goes", "c1/u2/-");
    reg("c1", "u3", "m3");
    is_on("both at once", "c1/u3/m3");
    reg("c1", SAME, "m4");
    is_on("another shop: the user of the login before goes", "c1/-/m4");
    reg("c1", "u4", "m4");
    reg("c1", NULL, SAME);
    is_on("the user logs out", "c1/-/m4");
    reg("c1", SAME, NULL);
    is_on("and the shop", "c1/-/-");
    reg("c1", "u5", "m4");
    reg("c1", "u6", "m4");
    is_on("another user, the shop named again", "c1/u6/m4");
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM push_devices"), 1);
}

Test(device, who_registers_is_seen_and_active)
{
    reg("c1", "u1", SAME);
    stack_sql(st.conn, "UPDATE push_devices SET is_active = false, inactive_reason = 'gone', inactive_at = now(), "
                       "strikes = 3, platform = 'ios', locale = 'en', last_seen_at = now() - interval '1 day', "
                       "updated_at = now() - interval '1 day'");
    reg("c1", "u1", SAME);
    stack_expect(st.conn, "as new, and what was not said again stays",
                 "SELECT concat_ws(' ', is_active, inactive_reason IS NULL, inactive_at IS NULL, strikes, platform, "
                 "locale, last_seen_at > now() - interval '1 hour', updated_at > now() - interval '1 hour') FROM "
                 "push_devices",
                 "t t t 0 ios en t t");
}

/* One phone several times in one batch, as an impatient client does it. */
Test(device, a_batch_applies_what_is_said_one_after_the_other)
{
    struct job *jobs[] = {register_job("c1", "u1", SAME), register_job("c2", "u1", SAME),
                          register_job("c1", SAME, "m1"), register_job("c1", "u2", SAME),
                          register_job("c2", SAME, "m2")};
    put(jobs, ARRAY_SIZE(jobs));
    is_on("in their order", "c1/u2/- c2/u1/m2");
    cr_assert_not_null(strstr(jobs[2]->shown, "\"m1\""), "each hears what was then: %s", jobs[2]->shown);
    jobs[0] = register_job("c1", "u2", SAME);
    jobs[0]->device->appid = "other";
    put(jobs, 1);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM push_devices WHERE cid = 'c1'"), 2, "another app");
}

#define UUID_A "0b7f3e0a-58a1-4c5e-9d0e-0123456789ab"
#define UUID_B "1b7f3e0a-58a1-4c5e-9d0e-0123456789ab"

/* Tables that were there before us. */
Test(device, identities_may_be_uuids_and_numbers)
{
    stack_sql(st.conn, "ALTER TABLE push_devices ALTER user_id TYPE uuid USING NULL, ALTER merchant_id TYPE integer "
                       "USING NULL");
    session_close(&session);
    cr_assert_eq(session_open(&session, &err), RC_OK, "%s", err.text);
    struct job *jobs[] = {register_job("c1", UUID_A, "42"), register_job("c2", "u1", SAME),
                          register_job("c3", SAME, "2147483648"), register_job("c4", SAME, "m")};
    put(jobs, ARRAY_SIZE(jobs));
    is_on("what fits", "c1/" UUID_A "/42");
    cr_assert_null(jobs[0]->device->refused);
    cr_assert_str_eq(jobs[1]->device->refused, "user_id");
    cr_assert_str_eq(jobs[1]->device->expected, "a uuid");
    cr_assert_str_eq(jobs[2]->device->refused, "merchant_id");
    cr_assert_str_eq(jobs[3]->device->refused, "merchant_id");
    reg("c1", UUID_B, SAME);
    is_on("moves", "c1/" UUID_B "/-");
}

/* A row without an appid is the phone's that registers: one phone is one device, and nobody else's any more. */
Test(device, rows_without_an_appid_become_those_of_the_phone_that_registers)
{
    stack_sql(
        st.conn,
        "ALTER TABLE push_devices ALTER appid DROP NOT NULL;"
        "INSERT INTO push_devices (appid, cid, user_id, last_seen_at) VALUES (NULL, 'c1', 'u1', now()),"
        " (NULL, 'c1', 'older', now() - interval '1 day'), (NULL, 'c2', 'u9', now()), ('default', 'c3', 'u3', now()),"
        " (NULL, 'c3', 'u8', now()), (NULL, 'c4', 'u4', now())");
    struct job *jobs[] = {register_job("c1", SAME, "m1"), register_job("c3", "u3", SAME)};
    put(jobs, ARRAY_SIZE(jobs));
    stack_expect(
        st.conn, "rows",
        "SELECT string_agg(concat_ws('/', coalesce(appid, '-'), cid, user_id, merchant_id, " PUSH_DEVICE_COUNTS(
            "d") "), ' ' ORDER BY cid, appid, user_id) FROM push_devices d",
        "default/c1/u1/m1/t -/c1/older/f -/c2/u9/t default/c3/u3/t -/c3/u8/f -/c4/u4/t");
    cr_expect_not_null(strstr(jobs[0]->shown, "\"default\""));
    reg("c1", "u2", SAME);
    stack_expect(st.conn, "the phone has moved, the shop has gone",
                 "SELECT string_agg(concat_ws('/', user_id, merchant_id), ' ') FROM push_devices d WHERE cid = 'c1' "
                 "AND " PUSH_DEVICE_COUNTS("d"),
                 "u2");
    reg("c9", "u9", SAME);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM push_devices WHERE cid = 'c9'"), 1);
}

static void *put_both(void *jobs)
{
    put(jobs, 2);
    return NULL;
}

/* The sink locks a phone's rows by app and cid; so does the gateway before it touches one that has no appid. */
Test(device, rows_without_an_appid_are_locked_in_the_order_of_the_others)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    struct job *jobs[] = {register_job("c1", "u1", SAME), register_job("c2", "u2", SAME)};
    int64_t waits = 0;
    pthread_t thread;

    jobs[1]->device->appid = "a";
    stack_sql(st.conn, "ALTER TABLE push_devices ALTER appid DROP NOT NULL;"
                       "INSERT INTO push_devices (appid, cid, user_id) VALUES ('a', 'c2', 'u2'), (NULL, 'c1', 'u1')");
    stack_sql(other, "BEGIN; SELECT FROM push_devices WHERE cid = 'c2' FOR UPDATE");
    cr_assert_eq(pthread_create(&thread, NULL, put_both, jobs), 0);
    for (int i = 0; i < 1000 && waits == 0; i++) {
        clock_sleep_ms(10);
        waits = stack_int(st.conn, "SELECT count(*) FROM pg_locks WHERE pid = %d AND NOT granted",
                          PQbackendPID(session.conn));
    }
    cr_expect_eq(waits, 1, "it waits for nobody");
    /* It stands at the first device and has not locked the second. */
    stack_sql(st.conn, "SELECT FROM push_devices WHERE cid = 'c1' FOR UPDATE NOWAIT");
    stack_sql(other, "COMMIT");
    (void)pthread_join(thread, NULL);
    stack_expect(st.conn, "then it has its appid", "SELECT count(*) FROM push_devices WHERE appid IS NULL", "0");
}
