/* SPDX-License-Identifier: Apache-2.0 */
/* Sending again on purpose: a new generation, to those who do not have it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/resend.h"
#include "pg/conn.h"
#include "support/notify_rig.h"

static struct stack st;
static PGconn *db;
static struct notify_rig r;
static struct arena a;
static struct resend_types types;
static struct resend *list;
static size_t n;
static struct err err;

#define PARCEL "TEST_YT_20260206_0007"
#define E1 "11111111-1111-4111-8111-111111111111"

static void setup(void)
{
    arena_init(&a, 65536);
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    stack_sql(db, "INSERT INTO ml_orders (id, user_id) VALUES ('o1', 'u1');"
                  "INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('" PARCEL "', 'o1');"
                  "INSERT INTO push_devices (cid, user_id, last_seen_at) VALUES ('a', 'u1', now()), ('b', 'u1', now() -"
                  " interval '1 h'), ('c', 'u1', now() - interval '2 h');"
                  "INSERT INTO notify_queue (id, tracking_no, status) VALUES ('" E1 "', '" PARCEL "', 'delivered')");
    cr_assert_eq(notify_rig_open(&r, st.url, NULL), RC_OK, "%s", r.err.text);
    notify_rig_rows(&r, db);
    notify_rig_must(&r);
    cr_assert_eq(resend_session(db, &types, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    notify_rig_close(&r);
    stack_close(&st);
    arena_done(&a);
}

TestSuite(notify_resend, .init = setup, .fini = teardown);

static const struct resend_options plain = {.ttl_s = 3600, .devices_max = 20};
static const struct resend_options all = {.all = true, .ttl_s = 3600, .devices_max = 20};
static const struct resend_options force = {.force = true, .ttl_s = 3600, .devices_max = 20};

static void find(const struct resend_options *opt)
{
    cr_assert_eq(resend_find(db, &types, NULL, 0, PARCEL, opt, &a, &list, &n, &err), RC_OK, "%s", err.text);
    cr_assert_eq(n, 1);
}

#define DELIVERIES \
    "SELECT string_agg(concat_ws('|', cid, generation, status), ' ' ORDER BY generation, cid) FROM push_deliveries"

Test(notify_resend, only_to_those_who_have_not_accepted_it_and_whom_it_is_not_under_way_to)
{
    stack_sql(db, "UPDATE push_deliveries SET status = CASE cid WHEN 'a' THEN 'delivered' WHEN 'b' THEN 'failed' ELSE"
                  " 'retrying' END");
    find(&plain);
    cr_expect(list[0].state == RESEND_READY && list[0].n_devices == 1 && list[0].accepted == 1 &&
              list[0].under_way == 1);
    cr_expect_str_eq(list[0].devices[0].cid, "b");
    cr_assert_eq(resend_do(db, &types, &list[0], &plain, &err), RC_OK, "%s", err.text);
    cr_expect_eq(list[0].state, RESEND_DONE);
    stack_expect(db, "deliveries", DELIVERIES, "a|0|delivered b|0|failed c|0|retrying b|1|pending");
    stack_expect(
        db, "on the road, as what was sent first",
        "SELECT bool_and(d.queue_txid IS NOT NULL AND d.title = o.title AND d.payload = o.payload AND d.expires_at"
        " = o.expires_at AND d.partition_key = o.partition_key) FROM push_deliveries d JOIN push_deliveries o ON"
        " o.cid = d.cid AND o.generation = 0 WHERE d.generation = 1",
        "t");
    find(&all);
    cr_expect_eq(list[0].n_devices, 1, "under way stays out, also with all");
    cr_expect_str_eq(list[0].devices[0].cid, "a");
}

/* Also who has muted it since he was told; only of what he has muted, and no longer than he has. */
Test(notify_resend, who_has_muted_it_is_not_told)
{
    stack_sql(db,
              "UPDATE push_deliveries SET status = 'failed'; UPDATE express_notifications SET send_status = 'failed';"
              "INSERT INTO notify_mutes (aud, recipient_id, status, muted_until) VALUES"
              " ('merchant', 'u1', '*', NULL), ('user', 'u1', 'collected', NULL),"
              " ('user', 'u1', 'delivered', now() - interval '1 s')");
    find(&plain);
    cr_expect_eq(list[0].state, RESEND_READY);
    stack_sql(db, "UPDATE notify_mutes SET muted_until = now() + interval '1 h' WHERE status = 'delivered'");
    find(&plain);
    cr_expect_eq(list[0].state, RESEND_MUTED);
    find(&force);
    cr_expect_eq(list[0].state, RESEND_MUTED, "force is for what is too old");
    cr_expect_str_eq(resend_state_name(list[0].state), "muted");
}

Test(notify_resend, devices_beyond_the_ceiling_are_counted)
{
    static const struct resend_options two = {.ttl_s = 3600, .devices_max = 2};

    stack_sql(db, "UPDATE push_deliveries SET status = 'failed'");
    find(&two);
    cr_expect(list[0].n_devices == 2 && list[0].left_out == 1);
    cr_assert_eq(resend_do(db, &types, &list[0], &two, &err), RC_OK, "%s", err.text);
    stack_expect(db, "in the row", "SELECT devices_left_out FROM express_notifications", "1");
    stack_sql(db, "UPDATE push_deliveries SET status = 'failed'");
    find(&plain);
    cr_expect_eq(list[0].left_out, 0);
    cr_assert_eq(resend_do(db, &types, &list[0], &plain, &err), RC_OK, "%s", err.text);
    stack_expect(db, "none", "SELECT devices_left_out IS NULL FROM express_notifications", "t");
}

Test(notify_resend, two_who_do_it_at_once_send_once)
{
    struct resend second;

    stack_sql(db, "UPDATE push_deliveries SET status = 'failed'; UPDATE express_notifications SET send_status ="
                  " 'failed', last_error = 'x', reason = 'y'");
    find(&plain);
    second = list[0];
    cr_assert_eq(resend_do(db, &types, &list[0], &plain, &err), RC_OK, "%s", err.text);
    cr_assert_eq(resend_do(db, &types, &second, &plain, &err), RC_OK, "%s", err.text);
    cr_expect_eq(second.state, RESEND_CHANGED);
    stack_expect(db, "once", "SELECT count(*) FROM push_deliveries WHERE generation > 0", "3");
    stack_expect(db, "notification",
                 "SELECT concat_ws('|', generation, send_status, last_error, reason) FROM"
                 " express_notifications",
                 "1|pending");
}

Test(notify_resend, what_has_expired_needs_force)
{
    stack_sql(db, "UPDATE push_deliveries SET status = 'failed', expires_at = now() - interval '1 s'");
    find(&plain);
    cr_expect_eq(list[0].state, RESEND_EXPIRED);
    find(&force);
    cr_expect_eq(list[0].state, RESEND_READY);
    cr_assert_eq(resend_do(db, &types, &list[0], &force, &err), RC_OK, "%s", err.text);
    stack_expect(db, "another lifetime",
                 "SELECT bool_and(expires_at BETWEEN now() + interval '59 min' AND now() +"
                 " interval '61 min') FROM push_deliveries WHERE generation = 1",
                 "t");
}

Test(notify_resend, by_id_and_by_message_id)
{
    char *id CLEANUP(freep) = stack_text(db, "SELECT id FROM express_notifications");
    char *message CLEANUP(freep) = stack_text(db, "SELECT message_id FROM express_notifications");
    const char *const names[] = {id, message, "neither"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        cr_assert_eq(resend_find(db, &types, &names[i], 1, NULL, &plain, &a, &list, &n, &err), RC_OK, "%s", err.text);
        cr_expect_eq(n, i < 2 ? 1 : 0, "%s", names[i]);
    }
    cr_assert_eq(resend_find(db, &types, names, 3, NULL, &plain, &a, &list, &n, &err), RC_OK, "%s", err.text);
    cr_expect_eq(n, 1);
}

/* The event runs again behind a resend: nothing of an older generation comes back. */
Test(notify_resend, a_rerun_keeps_the_generation)
{
    stack_sql(db, "UPDATE push_deliveries SET status = 'failed'");
    find(&plain);
    cr_assert_eq(resend_do(db, &types, &list[0], &plain, &err), RC_OK, "%s", err.text);
    stack_sql(db,
              "UPDATE push_deliveries SET status = 'failed'; UPDATE express_notifications SET send_status = 'failed';"
              "UPDATE notify_queue SET processed_at = NULL, process_status = NULL, last_error = NULL");
    notify_rig_rows(&r, db);
    notify_rig_must(&r);
    stack_expect(db, "deliveries", DELIVERIES, "a|0|failed b|0|failed c|0|failed a|1|pending b|1|pending c|1|pending");
}
