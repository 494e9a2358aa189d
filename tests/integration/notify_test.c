/* SPDX-License-Identifier: Apache-2.0 */
/* The notify role against PostgreSQL: who is told, once, and why not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/metric.h"
#include "pg/conn.h"
#include "support/notify_rig.h"

static struct stack st;
static PGconn *db;
static struct notify_rig r;

#define PARCEL "TEST_YT_20260206_0007"
#define E1 "11111111-1111-4111-8111-111111111111"
#define E2 "22222222-2222-4222-8222-222222222222"
#define E3 "33333333-3333-4333-8333-333333333333"

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    stack_sql(db, "INSERT INTO ml_orders (id, user_id, merchant_id) VALUES ('o1', 'u1', 'm1');"
                  "INSERT INTO platform_express_waybills (tracking_no, carrier, order_id) VALUES ('" PARCEL
                  "', 'yuantong', 'o1');"
                  "INSERT INTO push_devices (appid, cid, user_id, platform, last_seen_at) VALUES"
                  " ('default', 'c-u1', 'u1', 'android', now()), ('default', 'c-u1-old', 'u1', 'ios', now() - interval"
                  " '1 day');"
                  "INSERT INTO push_devices (appid, cid, merchant_id) VALUES ('default', 'c-m1', 'm1')");
    cr_assert_eq(notify_rig_open(&r, st.url, NULL), RC_OK, "%s", r.err.text);
}

static void teardown(void)
{
    notify_rig_close(&r);
    stack_close(&st);
}

TestSuite(notify, .init = setup, .fini = teardown);

#define ROWS                                                                                                         \
    "SELECT string_agg(concat_ws('|', left(id::text, 1), process_status, last_error, processed_at IS NOT NULL), ' '" \
    " ORDER BY id) FROM notify_queue"
#define NOTIFICATIONS                                                                                                \
    "SELECT string_agg(concat_ws('|', left(event_id::text, 1), aud, recipient_id, status, send_status, reason), ' '" \
    " ORDER BY event_id, aud DESC) FROM express_notifications"
#define DELIVERIES                                                                                          \
    "SELECT string_agg(concat_ws('|', aud, recipient_id, cid, generation, status), ' ' ORDER BY queue_seq)" \
    " FROM push_deliveries"
#define TOLD "SELECT concat_ws('|', notified_status, notified_at) FROM platform_express_waybills"

/* A row of notify_queue: minutes before now. */
static void event(const char *id, const char *status, int minutes)
{
    stack_sql(db,
              "INSERT INTO notify_queue (id, tracking_no, carrier, status, context, node_at) VALUES ('%s', '" PARCEL
              "', 'yuantong', '%s', '快递员张三 13812345678 正在处理', now() - interval '%d min')",
              id, status, minutes);
}

static void run(void)
{
    notify_rig_rows(&r, db);
    notify_rig_must(&r);
}

Test(notify, user_and_merchant_are_told_on_each_active_device)
{
    event(E1, "out_for_delivery", 5);
    run();
    stack_expect(db, "rows", ROWS, "1|queued|t");
    stack_expect(db, "last_error", "SELECT count(*) FROM notify_queue WHERE last_error IS NULL", "1");
    stack_expect(db, "notifications", NOTIFICATIONS,
                 "1|user|u1|out_for_delivery|pending 1|merchant|m1|out_for_delivery|pending");
    stack_expect(db, "deliveries", DELIVERIES,
                 "user|u1|c-u1|0|pending user|u1|c-u1-old|0|pending merchant|m1|c-m1|0|pending");
    stack_expect(db, "texts",
                 "SELECT concat_ws('|', title, body, event_text_safe, locale) FROM express_notifications"
                 " WHERE aud = 'user'",
                 "您的包裹正在派送|圆通速递 " PARCEL
                 "：快递员** 138****5678 正在处理，请保持电话畅通|快递员** 138****5678"
                 " 正在处理|zh-CN");
    stack_expect(db, "on the road",
                 "SELECT bool_and(queue_txid IS NOT NULL AND partition_key = aud || ':' || recipient_id"
                 " AND expires_at > now() + interval '71 h') FROM push_deliveries",
                 "t");
    stack_expect(db, "payload",
                 "SELECT bool_and(payload = jsonb_build_object('type', 'express', 'tracking_no', '" PARCEL
                 "', 'status', 'out_for_delivery', 'aud', n.aud, 'message_id', n.message_id, 'notification_id', n.id))"
                 " FROM push_deliveries d JOIN express_notifications n USING (message_id)",
                 "t");
    stack_expect(db, "what was told last",
                 "SELECT notified_status FROM platform_express_waybills"
                 " WHERE notified_at = (SELECT node_at FROM notify_queue)",
                 "out_for_delivery");
}

Test(notify, the_same_record_again_changes_nothing)
{
    event(E1, "delivered", 5);
    notify_rig_row(&r, db, E1);
    notify_rig_row(&r, db, E1); /* twice in one batch */
    notify_rig_must(&r);
    char *before CLEANUP(freep) = stack_text(db, "SELECT string_agg(x::text, ';') FROM (SELECT xmin, id FROM"
                                                 " express_notifications UNION ALL SELECT xmin, id FROM push_deliveries"
                                                 " UNION ALL SELECT xmin, id FROM notify_queue ORDER BY 2) x");
    stack_expect(db, "once", "SELECT count(*) FROM push_deliveries", "3");
    notify_rig_row(&r, db, E1); /* and once more in another one */
    notify_rig_must(&r);
    char *after CLEANUP(freep) = stack_text(db, "SELECT string_agg(x::text, ';') FROM (SELECT xmin, id FROM"
                                                " express_notifications UNION ALL SELECT xmin, id FROM push_deliveries"
                                                " UNION ALL SELECT xmin, id FROM notify_queue ORDER BY 2) x");
    cr_expect_str_eq(before, after);
}

/* The statement as the document has it. */
static void rerun(const char *id)
{
    stack_sql(
        db,
        "UPDATE public.notify_queue\nSET processed_at = NULL,\n    process_status = NULL,\n    last_error = NULL\n"
        "WHERE id = '%s';",
        id);
}

Test(notify, a_rerun_makes_no_second_notification)
{
    event(E1, "delivered", 5);
    run();
    rerun(E1);
    stack_expect(db, "on the road again", "SELECT queue_txid IS NOT NULL FROM notify_queue", "t");
    run();
    stack_expect(db, "rows", ROWS, "1|queued|t");
    stack_expect(db, "notifications", "SELECT count(*) FROM express_notifications", "2");
    stack_expect(db, "deliveries", "SELECT count(*) || ' ' || max(generation) FROM push_deliveries", "3 0");
}

Test(notify, a_record_of_an_older_queueing_is_late)
{
    event(E1, "delivered", 5);
    notify_rig_row(&r, db, E1);
    rerun(E1); /* before it was handled: another queue_seq */
    notify_rig_must(&r);
    stack_expect(db, "nothing", ROWS, "1|f");
    run();
    stack_expect(db, "then all of it", ROWS, "1|queued|t");
}

Test(notify, devices_that_register_later_are_found_by_a_rerun)
{
    stack_sql(db, "DELETE FROM push_devices");
    event(E1, "delivered", 5);
    run();
    stack_expect(db, "rows", ROWS, "1|queued|t");
    stack_expect(db, "notifications", NOTIFICATIONS,
                 "1|user|u1|delivered|no-targets|no_device_rows 1|merchant|m1|delivered|no-targets|no_device_rows");
    stack_expect(db, "text", "SELECT DISTINCT last_error FROM express_notifications", "no active devices");
    stack_sql(db, "INSERT INTO push_devices (appid, cid, user_id, locale) VALUES ('default', 'c2', 'u1', 'en_GB')");
    rerun(E1);
    run();
    stack_expect(db, "notifications", NOTIFICATIONS,
                 "1|user|u1|delivered|pending 1|merchant|m1|delivered|no-targets|no_device_rows");
    stack_expect(db, "deliveries", DELIVERIES, "user|u1|c2|0|pending");
    stack_expect(db, "in the device's language",
                 "SELECT concat_ws('|', locale, title, last_error) FROM express_notifications WHERE aud = 'user'",
                 "en|Your parcel was delivered");
}

Test(notify, a_rerun_puts_back_what_has_failed_and_nothing_else)
{
    event(E1, "delivered", 5);
    run();
    stack_sql(db,
              "UPDATE push_deliveries SET status = 'dead_letter', last_error = 'x' WHERE cid = 'c-u1';"
              "UPDATE push_deliveries SET status = 'failed', last_error = 'x' WHERE cid = 'c-u1-old';"
              "UPDATE push_deliveries SET status = 'delivered' WHERE cid = 'c-m1';"
              "UPDATE push_devices SET is_active = false WHERE cid = 'c-u1-old';"
              "UPDATE express_notifications SET send_status = CASE aud WHEN 'user' THEN 'failed' ELSE 'success' END");
    rerun(E1);
    run();
    stack_expect(db, "deliveries",
                 "SELECT string_agg(concat_ws('|', cid, generation, status, last_error), ' ' ORDER BY cid)"
                 " FROM push_deliveries",
                 "c-m1|0|delivered c-u1|0|pending c-u1-old|0|failed|x");
    stack_expect(db, "notifications", NOTIFICATIONS, "1|user|u1|delivered|pending 1|merchant|m1|delivered|success");
}

/* Somebody has set the notification to failed by hand: what a device has, or what is on its way to it, stays. */
Test(notify, a_rerun_sends_nothing_that_a_device_has)
{
    event(E1, "delivered", 5);
    run();
    stack_sql(db,
              "UPDATE push_deliveries SET status = CASE cid WHEN 'c-u1' THEN 'delivered' WHEN 'c-m1' THEN 'retrying'"
              " ELSE 'failed' END; UPDATE express_notifications SET send_status = 'failed'");
    rerun(E1);
    run();
    stack_expect(db, "deliveries",
                 "SELECT string_agg(concat_ws('|', cid, status), ' ' ORDER BY cid) FROM push_deliveries",
                 "c-m1|retrying c-u1|delivered c-u1-old|pending");
}

Test(notify, why_there_are_no_devices)
{
    stack_sql(db, "UPDATE push_devices SET is_active = false WHERE user_id = 'u1';"
                  "UPDATE push_devices SET user_id = 'm1', merchant_id = NULL WHERE merchant_id = 'm1';"
                  "INSERT INTO push_devices (cid, user_id) VALUES ('x1', 'm1'), ('x2', 'm1')");
    event(E1, "delivered", 5);
    run();
    stack_expect(
        db, "reasons",
        "SELECT string_agg(concat_ws('|', aud, reason, last_error), ' ' ORDER BY aud DESC)"
        " FROM express_notifications",
        "user|only_inactive|no active devices: all 2 are inactive "
        "merchant|registered_under_other_identity|no active devices: devices known under the user identity only"
        " (3 with user_id m1, none with merchant_id)");
}

/* Tables from before have rows like these: they end no process and hold nobody up. */
Test(notify, rows_that_are_no_devices_are_passed_over)
{
    stack_sql(db, "ALTER TABLE push_devices ALTER appid DROP NOT NULL, ALTER cid DROP NOT NULL;"
                  "INSERT INTO push_devices (appid, cid, user_id) VALUES (NULL, 'c-u1', 'u1'), (NULL, 'c-none', 'u1'),"
                  " ('default', NULL, 'u1'), ('default', '', 'u1'), (repeat('a', 513), 'x', 'u1')");
    event(E1, "delivered", 5);
    run();
    stack_expect(db, "rows", ROWS, "1|queued|t");
    stack_expect(db, "deliveries",
                 "SELECT string_agg(concat_ws('|', appid, cid), ' ' ORDER BY cid) FROM push_deliveries"
                 " WHERE aud = 'user'",
                 "default|c-none default|c-u1 default|c-u1-old");
}

/* Of several rows of one phone one counts: neither its first owner nor anybody twice gets a message there. */
Test(notify, a_phone_belongs_to_whom_it_was_registered_for_last)
{
    stack_sql(db, "ALTER TABLE push_devices ALTER appid DROP NOT NULL; DELETE FROM push_devices WHERE user_id = 'u1';"
                  "INSERT INTO push_devices (appid, cid, user_id, last_seen_at) VALUES"
                  " (NULL, 'moved', 'u1', now()), ('default', 'moved', 'u2', now() - interval '1 h'),"
                  " (NULL, 'sold', 'u1', now() - interval '1 h'), (NULL, 'sold', 'u2', now()),"
                  " (NULL, 'twice', 'u1', now()), (NULL, 'twice', 'u1', NULL)");
    event(E1, "delivered", 5);
    run();
    stack_expect(db, "deliveries",
                 "SELECT string_agg(concat_ws('|', appid, cid), ' ') FROM push_deliveries WHERE aud = 'user'",
                 "default|twice");
}

Test(notify, at_most_so_many_devices_those_seen_last)
{
    static const char *const options[] = {"notify.devices.max=3", NULL};

    stack_sql(db, "INSERT INTO push_devices (cid, user_id, last_seen_at) SELECT 'd' || i, 'u1', now() - i * interval"
                  " '1 min' FROM generate_series(1, 30) i; INSERT INTO push_devices (cid, user_id, last_seen_at) VALUES"
                  " ('never', 'u1', NULL)");
    notify_rig_close(&r);
    cr_assert_eq(notify_rig_open(&r, st.url, options), RC_OK, "%s", r.err.text);
    event(E1, "delivered", 5);
    run();
    stack_expect(db, "deliveries",
                 "SELECT string_agg(cid, ' ' ORDER BY queue_seq) FROM push_deliveries WHERE aud ="
                 " 'user'",
                 "c-u1 d1 d2");
    stack_expect(db, "and how many are not",
                 "SELECT string_agg(concat(aud, ' ', devices_left_out), ' ' ORDER BY aud) FROM express_notifications",
                 "merchant  user 30");
    cr_expect_eq(metric_value(metric_counter("sluice_notify_devices_left_out_total", "", NULL)), 30);
}

Test(notify, late_states_are_superseded_in_one_batch_and_over_two)
{
    event(E1, "out_for_delivery", 30);
    event(E2, "delivered", 10);
    event(E3, "collected", 60);
    run();
    stack_expect(db, "rows",
                 "SELECT string_agg(concat_ws('|', left(id::text, 1), process_status, left(last_error, 24)),"
                 " ' ' ORDER BY id) FROM notify_queue",
                 "1|queued 2|queued 3|skipped|superseded: delivered of");
    stack_sql(db, "UPDATE notify_queue SET status = 'in_transit', node_at = now() WHERE id = '" E3 "'");
    rerun(E3); /* newer, but behind what was told */
    run();
    stack_expect(db, "by rank too",
                 "SELECT process_status || '|' || left(last_error, 10) FROM notify_queue WHERE id ="
                 " '" E3 "'",
                 "skipped|superseded");
    stack_sql(db, "UPDATE notify_queue SET status = 'exception' WHERE id = '" E3 "'");
    rerun(E3);
    run();
    stack_expect(db, "a difficulty is told", "SELECT process_status FROM notify_queue WHERE id = '" E3 "'", "queued");
}

Test(notify, nobody_is_told_of_what_is_muted_unknown_old_or_not_there)
{
    stack_sql(db, "INSERT INTO notify_mutes (aud, recipient_id, status) VALUES ('user', 'u1', 'in_transit'),"
                  " ('merchant', 'm1', '*')");
    event(E1, "in_transit", 5);
    event(E2, "out_for_delivery", 4);
    event(E3, "teleported", 3);
    stack_sql(db, "INSERT INTO notify_queue (id, tracking_no, status, node_at) VALUES"
                  " ('44444444-4444-4444-8444-444444444444', 'OTHER', 'delivered', now()),"
                  " ('55555555-5555-4555-8555-555555555555', '" PARCEL "', 'delivered', now() - interval '73 h')");
    run();
    stack_expect(db, "rows",
                 "SELECT string_agg(concat_ws('|', left(id::text, 1), process_status, split_part(last_error,"
                 " ':', 1)), ' ' ORDER BY id) FROM notify_queue",
                 "1|skipped|muted 2|queued 3|skipped|unknown status 4|skipped|waybill not found 5|skipped|too old");
    stack_expect(db, "notifications", NOTIFICATIONS,
                 "2|user|u1|out_for_delivery|pending 2|merchant|m1|out_for_delivery|no-targets|muted");
}

/* Whoever has muted it beside one who is told is no riddle: his notification says it, and is sent once he listens. */
Test(notify, a_muted_audience_has_a_row_that_says_so)
{
    stack_sql(db, "INSERT INTO notify_mutes (aud, recipient_id) VALUES ('merchant', 'm1')");
    event(E1, "delivered", 5);
    run();
    stack_expect(db, "rows", ROWS, "1|queued|t");
    stack_expect(db, "notifications", NOTIFICATIONS,
                 "1|user|u1|delivered|pending 1|merchant|m1|delivered|no-targets|muted");
    stack_expect(db, "text",
                 "SELECT concat_ws('|', last_error, title) FROM express_notifications WHERE aud = 'merchant'",
                 "muted|订单包裹已签收");
    stack_expect(db, "deliveries", DELIVERIES, "user|u1|c-u1|0|pending user|u1|c-u1-old|0|pending");
    cr_expect_eq(metric_value(metric_counter("sluice_notify_notifications_total", "", "%s",
                                             "aud=\"merchant\",status=\"no-targets\",reason=\"muted\"")),
                 1);
    rerun(E1); /* still muted */
    run();
    stack_expect(db, "the same", "SELECT count(*) FROM push_deliveries", "2");
    stack_sql(db, "UPDATE notify_mutes SET muted_until = now() - interval '1 s'");
    rerun(E1);
    run();
    stack_expect(db, "notifications", NOTIFICATIONS, "1|user|u1|delivered|pending 1|merchant|m1|delivered|pending");
    stack_expect(db, "deliveries", DELIVERIES,
                 "user|u1|c-u1|0|pending user|u1|c-u1-old|0|pending merchant|m1|c-m1|0|pending");
}

Test(notify, an_order_that_is_not_there_or_names_nobody)
{
    stack_sql(db, "INSERT INTO ml_orders (id) VALUES ('o2'); UPDATE platform_express_waybills SET order_id = 'gone'");
    event(E1, "delivered", 5);
    run();
    stack_expect(db, "not there", ROWS, "1|skipped|order not found for waybill: gone|t");
    stack_sql(db, "UPDATE platform_express_waybills SET order_id = NULL");
    rerun(E1);
    run();
    stack_expect(db, "none named", ROWS, "1|skipped|order not found for waybill: the waybill names none|t");
    stack_sql(db, "UPDATE platform_express_waybills SET order_id = 'o2'");
    rerun(E1);
    run();
    stack_expect(db, "nobody", ROWS, "1|skipped|no recipients: order o2 has neither user nor merchant|t");
    stack_expect(db, "nothing was told", "SELECT notified_at IS NULL FROM platform_express_waybills", "t");
}

Test(notify, bad_records_are_dead_letters_and_their_neighbours_pass)
{
    event(E1, "delivered", 5);
    notify_rig_value(&r, "{\"no\":\"event\"}");
    notify_rig_value(&r, "{\"event_id\":\"7\",\"tracking_no\":\"x\",\"status\":\"delivered\",\"queue_seq\":1}");
    notify_rig_value(&r, "{\"event_id\":\"" E2 "\",\"tracking_no\":\"\",\"status\":\"delivered\",\"queue_seq\":1}");
    notify_rig_row(&r, db, E1);
    notify_rig_must(&r);
    stack_expect(db, "neighbour", ROWS, "1|queued|t");
    cr_expect_eq(
        metric_value(metric_counter("sluice_notify_events_total", "", "%s", "result=\"failed\",reason=\"malformed\"")),
        0, "a row that is not there");
    stack_expect(db, "dead letters",
                 "SELECT count(*) || ' ' || string_agg(DISTINCT topic, ' ') FROM dead_letter_outbox", "3 express.dlq");
}

/* As a table from before may have them, whose columns have no limits. */
Test(notify, the_row_of_a_malformed_record_says_so)
{
    stack_sql(db, "ALTER TABLE notify_queue DROP CONSTRAINT notify_queue_tracking_no_check;"
                  "INSERT INTO notify_queue (id, tracking_no, status) VALUES ('" E1 "', repeat('x', 65), 'delivered');"
                  "INSERT INTO notify_queue (id, tracking_no, status, node_at) VALUES ('" E2 "', '" PARCEL
                  "', 'delivered', '9999-12-31 23:59:59+00'::timestamptz + interval '1 h'), ('" E3 "', '" PARCEL
                  "', 'delivered', now())");
    run();
    stack_expect(
        db, "rows", ROWS,
        "1|failed|malformed record: field tracking_no has 65 bytes; expected 1 to 64|t"
        " 2|failed|malformed record: field node_at is 253402304399000000; expected microseconds between 1970 and"
        " 9999|t 3|queued|t");
    stack_expect(db, "dead letters", "SELECT count(*) FROM dead_letter_outbox", "2");
    cr_expect_eq(
        metric_value(metric_counter("sluice_notify_events_total", "", "%s", "result=\"failed\",reason=\"malformed\"")),
        2);
    event("66666666-6666-4666-8666-666666666666", "delivered", 1);
    notify_rig_row(&r, db, "66666666-6666-4666-8666-666666666666");
    rerun("66666666-6666-4666-8666-666666666666"); /* and another queueing than the one it was of is left alone */
    stack_sql(db, "UPDATE notify_queue SET process_status = 'queued' WHERE id = '" E1 "'; UPDATE notify_queue SET"
                  " tracking_no = repeat('y', 70), process_status = NULL, processed_at = NULL WHERE id = '" E2 "'");
    notify_rig_row(&r, db, E1);
    notify_rig_row(&r, db, E2);
    rerun(E2);
    notify_rig_must(&r);
    stack_expect(db, "rows", ROWS,
                 "1|queued|malformed record: field tracking_no has 65 bytes; expected 1 to 64|t 2|f 3|queued|t 6|f");
}

Test(notify, a_partial_index_is_named_with_what_mends_it)
{
    stack_sql(db, "DROP INDEX express_notifications_message_id_key;"
                  "CREATE UNIQUE INDEX ux_express_notifications_message_id ON express_notifications(message_id)"
                  " WHERE message_id IS NOT NULL");
    /* In a session that began before: the batch is repeated, and says what to do from then on. */
    event(E1, "delivered", 5);
    notify_rig_rows(&r, db);
    cr_expect_eq(notify_rig_run(&r), RC_RETRY);
    cr_expect_eq(notify_rig_run(&r), RC_RETRY);
    const char *want = "index ux_express_notifications_message_id of express_notifications (message_id) is partial (it"
                       " has a WHERE), ON CONFLICT cannot use it; run: DROP INDEX IF EXISTS"
                       " public.ux_express_notifications_message_id; CREATE UNIQUE INDEX IF NOT EXISTS"
                       " ux_express_notifications_message_id ON public.express_notifications(message_id);";
    cr_expect_str_eq(r.err.text, want);
    cr_expect_eq(r.proc.session(r.proc.self, r.conn, &r.err), RC_RETRY);
    cr_expect_str_eq(r.err.text, want);
    stack_sql(db, "%s", strstr(want, "DROP INDEX"));
    notify_rig_must(&r);
    stack_expect(db, "goes on by itself", ROWS, "1|queued|t");
}

/* Tables of the business with ids of their own types. */
Test(notify, ids_may_be_uuids_and_numbers)
{
#define U "aaaaaaaa-0000-4000-8000-000000000001"
    stack_sql(db,
              "DELETE FROM ml_orders; DELETE FROM push_devices; DELETE FROM platform_express_waybills;"
              "ALTER TABLE ml_orders ALTER id DROP DEFAULT, ALTER id TYPE uuid USING id::uuid, ALTER user_id TYPE"
              " uuid USING user_id::uuid, ALTER merchant_id TYPE bigint USING merchant_id::bigint;"
              "ALTER TABLE push_devices ALTER user_id TYPE uuid USING user_id::uuid, ALTER merchant_id TYPE bigint"
              " USING merchant_id::bigint;"
              "INSERT INTO ml_orders VALUES ('" E1 "', '" U "', 42);"
              "INSERT INTO push_devices (cid, user_id) VALUES ('a', '" U "');"
              "INSERT INTO push_devices (cid, merchant_id) VALUES ('b', 42);"
              "INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('" PARCEL "', upper('" E1 "'))");
    notify_rig_close(&r);
    cr_assert_eq(notify_rig_open(&r, st.url, NULL), RC_OK, "%s", r.err.text);
    event(E1, "delivered", 5);
    run();
    stack_expect(db, "deliveries", DELIVERIES, "user|" U "|a|0|pending merchant|42|b|0|pending");
    stack_sql(db, "UPDATE platform_express_waybills SET order_id = 'no uuid'");
    event(E2, "returned", 4);
    run();
    stack_expect(db, "what is no uuid is not looked for", "SELECT last_error FROM notify_queue WHERE id = '" E2 "'",
                 "order not found for waybill: no uuid");
}

/* The role ends with that, and does not try again for ever. */
Test(notify, ids_that_no_record_can_name_are_refused_by_name)
{
    static const struct {
        const char *sql, *want;
    } table[] = {
        {"ALTER TABLE notify_queue ALTER id DROP DEFAULT, ALTER id TYPE text",
         "column notify_queue.id is of type text; expected uuid, for records and dead letters name its rows by UUIDs:"
         " ALTER TABLE notify_queue ALTER id DROP DEFAULT, ALTER id TYPE uuid USING id::uuid, ALTER id SET DEFAULT"
         " gen_random_uuid()"},
        {"ALTER TABLE notify_queue ALTER id DROP DEFAULT, ALTER id TYPE bigint USING 1",
         "column notify_queue.id is of type bigint; expected uuid, for records and dead letters name its rows by "
         "UUIDs"},
        {"ALTER TABLE ml_orders ALTER id DROP DEFAULT, ALTER id TYPE date USING now()",
         "column ml_orders.id is of type date; expected uuid, text, varchar or an integer"},
    };

    event(E1, "delivered", 5);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        stack_sql(db, "%s", table[i].sql);
        struct err err;
        cr_expect_eq(r.proc.session(r.proc.self, r.conn, &err), RC_FATAL);
        cr_expect_str_eq(err.code, ERR_CONFIG);
        cr_expect_str_eq(err.text, table[i].want);
        if (i == 0) { /* what it says mends it */
            stack_sql(db, "%s", strstr(err.text, "ALTER TABLE"));
            stack_sql(r.conn, "DEALLOCATE ALL"); /* as in a new session */
            cr_expect_eq(r.proc.session(r.proc.self, r.conn, &err), RC_OK, "%s", err.text);
        } else if (i == 1) {
            stack_sql(db, "ALTER TABLE notify_queue ALTER id TYPE uuid USING gen_random_uuid()");
        }
    }
}

/* The runtime repeats a batch that was rolled back; here its position is taken back by hand, as a lost COMMIT would. */
Test(notify, a_batch_that_is_repeated_has_its_effects_once)
{
    event(E1, "out_for_delivery", 5);
    event(E2, "delivered", 4);
    stack_sql(r.conn, "BEGIN");
    notify_rig_rows(&r, db);
    struct dbproc_batch *b = &r.d.batch;
    struct dbproc_verdicts v = {.arena = &b->arena, .list = b->verdicts, .n = b->n};
    memset(b->verdicts, 0, b->n * sizeof(*b->verdicts));
    cr_assert_eq(r.proc.apply(r.proc.self, r.conn, b->events, b->n, &v, &r.err), RC_OK, "%s", r.err.text);
    stack_sql(r.conn, "ROLLBACK");
    stack_expect(db, "nothing yet", ROWS, "1|f 2|f");
    notify_rig_must(&r);
    notify_rig_row(&r, db, E1);
    notify_rig_row(&r, db, E2);
    notify_rig_must(&r);
    stack_expect(db, "rows", ROWS, "1|queued|t 2|queued|t");
    stack_expect(db, "deliveries", "SELECT count(*) || ' ' || count(DISTINCT (message_id, cid)) FROM push_deliveries",
                 "6 6");
}

/* A whole batch takes as many statements as one event: what is slow here is a statement for each. */
Test(notify, five_hundred_parcels_in_one_batch)
{
    stack_sql(db,
              "INSERT INTO ml_orders (id, user_id, merchant_id) SELECT 'x' || i, 'xu' || i, 'xm' || mod(i, 7) FROM"
              " generate_series(1, 500) i;"
              "INSERT INTO platform_express_waybills (tracking_no, order_id) SELECT 'X' || i, 'x' || i FROM"
              " generate_series(1, 500) i;"
              "INSERT INTO push_devices (cid, user_id) SELECT 'cu' || i, 'xu' || i FROM generate_series(1, 500) i;"
              "INSERT INTO push_devices (cid, merchant_id) SELECT 'cm' || i, 'xm' || i FROM generate_series(0, 6) i;"
              "INSERT INTO notify_queue (tracking_no, status) SELECT 'X' || i, 'delivered' FROM generate_series(1,"
              " 500) i");
    run();
    stack_expect(db, "rows", "SELECT count(*) FROM notify_queue WHERE process_status = 'queued'", "500");
    stack_expect(db, "each to its own",
                 "SELECT count(*) FROM push_deliveries WHERE replace(recipient_id, 'x', 'c') = cid", "1000");
    stack_expect(db, "waybills", "SELECT count(*) FROM platform_express_waybills WHERE notified_status = 'delivered'",
                 "500");
}
