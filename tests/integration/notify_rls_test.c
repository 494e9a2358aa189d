/* SPDX-License-Identifier: Apache-2.0 */
/* Row-level security stays on: with the function orders are found, without it the row says what hides them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/orders_function.h"
#include "pg/conn.h"
#include "pg/rls.h"
#include "support/notify_rig.h"

static struct stack st;
static PGconn *db, *admin;
static struct notify_rig r;

#define PARCEL "TEST_YT_20260206_0007"
#define E1 "11111111-1111-4111-8111-111111111111"
#define GUEST "sluice_test_guest" /* a role that owns nothing */

/* A URL of the same database for another role. */
static char *guest_url(void)
{
    const char *at = strchr(st.url, '@');

    cr_assert_not_null(at);
    return xasprintf("postgresql://" GUEST ":guest%s", at);
}

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    admin = stack_session(&st, true);
    stack_sql(admin, "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '" GUEST
                     "') THEN CREATE ROLE " GUEST " LOGIN PASSWORD 'guest'; END IF; END $do$");
    stack_sql(admin, "GRANT USAGE ON SCHEMA public TO " GUEST "; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN"
                     " SCHEMA public TO " GUEST);
    stack_sql(db, "INSERT INTO ml_orders (id, user_id) VALUES ('o1', 'u1');"
                  "INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('" PARCEL "', 'o1');"
                  "INSERT INTO push_devices (cid, user_id) VALUES ('c', 'u1');"
                  "INSERT INTO notify_queue (id, tracking_no, status, node_at) VALUES ('" E1 "', '" PARCEL
                  "', 'delivered', now())");
    char *url CLEANUP(freep) = guest_url();
    cr_assert_eq(notify_rig_open(&r, url, NULL), RC_OK, "%s", r.err.text);
}

static void teardown(void)
{
    notify_rig_close(&r);
    pg_close(admin);
    stack_close(&st);
}

TestSuite(notify_rls, .init = setup, .fini = teardown);

#define ROW "SELECT concat_ws('|', process_status, last_error) FROM notify_queue"

static void run(void)
{
    notify_rig_rows(&r, db);
    notify_rig_must(&r);
}

static void rerun(void)
{
    stack_sql(db, "UPDATE public.notify_queue SET processed_at = NULL, process_status = NULL, last_error = NULL WHERE"
                  " id = '" E1 "'");
    run();
}

static enum rc function_sql(PGconn *conn, const char *role, struct buf *out)
{
    buf_init(out, (size_t)1 << 16);
    return orders_function_sql(conn, "public", role, out, &r.err);
}

static void install(const char *role)
{
    CLEANUP(buf_done) struct buf sql;

    cr_assert_eq(function_sql(db, role, &sql), RC_OK, "%s", r.err.text);
    stack_sql(db, "%s", buf_str(&sql));
}

Test(notify_rls, hidden_orders_are_explained_and_found_as_soon_as_the_function_is_there)
{
    stack_sql(db,
              "ALTER TABLE ml_orders ENABLE ROW LEVEL SECURITY;"
              "CREATE POLICY own_rows ON ml_orders USING (user_id = current_setting('app.user', true));"
              "CREATE POLICY merchants ON ml_orders FOR SELECT USING (merchant_id = current_setting('app.user', true));"
              "CREATE POLICY writers ON ml_orders FOR INSERT WITH CHECK (true)");
    run();
    stack_expect(db, "explained", ROW,
                 "failed|rows hidden by row-level security: table ml_orders, policies merchants, own_rows; run `sluice"
                 " migrate --rls-function`");
    install(GUEST);
    rerun(); /* the same session */
    stack_expect(db, "found", ROW, "queued");
    stack_expect(db, "told", "SELECT count(*) FROM push_deliveries", "1");
    stack_sql(db, "UPDATE platform_express_waybills SET order_id = 'gone'");
    rerun();
    stack_expect(db, "what is not there", ROW, "skipped|order not found for waybill: gone");
}

Test(notify_rls, only_one_role_may_execute_the_function)
{
    stack_sql(db, "ALTER TABLE ml_orders ENABLE ROW LEVEL SECURITY");
    install(NULL); /* not for the guest */
    stack_expect(db, "nobody else",
                 "SELECT has_function_privilege('" GUEST "', 'sluice_order_recipients(text[])',"
                 " 'EXECUTE')",
                 "f");
    run();
    stack_expect(
        db, "explained", ROW,
        "failed|rows hidden by row-level security: table ml_orders, no policy for this role; it may not execute"
        " sluice_order_recipients: run `sluice migrate --rls-function --role` with its name");
    install(GUEST);
    stack_expect(db, "a fixed path, its owner's rights",
                 "SELECT concat_ws('|', prosecdef, array_to_string(proconfig, ';')) FROM pg_proc WHERE proname ="
                 " 'sluice_order_recipients'",
                 "t|search_path=pg_catalog, pg_temp");
    rerun();
    stack_expect(db, "found", ROW, "queued");
    install(NULL); /* made anew for another: who had it before has it no more */
    stack_expect(db, "no more",
                 "SELECT has_function_privilege('" GUEST "', 'sluice_order_recipients(text[])',"
                 " 'EXECUTE')",
                 "f");
}

Test(notify_rls, the_function_is_made_for_the_types_there_are)
{
    stack_sql(db,
              "ALTER TABLE ml_orders ALTER id DROP DEFAULT; DELETE FROM ml_orders; ALTER TABLE ml_orders ALTER id TYPE"
              " uuid USING id::uuid; INSERT INTO ml_orders VALUES ('" E1 "', 'u1'); ALTER TABLE ml_orders ENABLE ROW"
              " LEVEL SECURITY");
    install(GUEST);
    stack_expect(db, "in order, what is no uuid left out",
                 "SELECT string_agg(n || user_id, ' ') FROM sluice_order_recipients(ARRAY['x', upper('" E1 "'), NULL])",
                 "2u1");
    stack_sql(db, "UPDATE platform_express_waybills SET order_id = '" E1 "'");
    char *url CLEANUP(freep) = guest_url();
    notify_rig_close(&r);
    cr_assert_eq(notify_rig_open(&r, url, NULL), RC_OK, "%s", r.err.text);
    run();
    stack_expect(db, "found", ROW, "queued");
}

Test(notify_rls, an_installer_who_sees_nothing_is_told)
{
    CLEANUP(buf_done) struct buf sql;
    CLEANUP(buf_done) struct buf other;

    stack_sql(db, "ALTER TABLE ml_orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY");
    cr_expect_eq(function_sql(db, GUEST, &sql), RC_REJECT);
    cr_expect_not_null(strstr(r.err.text, "table ml_orders, no policy for this role: the function would be as blind"));
    cr_expect_eq(function_sql(db, "nobody_of_that_name", &other), RC_REJECT);
    cr_expect_str_eq(r.err.text, "there is no role \"nobody_of_that_name\" in this database");
}

Test(notify_rls, waybills_and_devices_may_be_hidden_too)
{
    stack_sql(db, "ALTER TABLE platform_express_waybills ENABLE ROW LEVEL SECURITY;"
                  "CREATE POLICY w ON platform_express_waybills USING (false)");
    run();
    stack_expect(db, "waybills", ROW,
                 "failed|rows hidden by row-level security: table platform_express_waybills, policy w; give this role a"
                 " policy that shows it all rows, or BYPASSRLS");
    stack_sql(db,
              "DROP POLICY w ON platform_express_waybills; CREATE POLICY w ON platform_express_waybills USING (true);"
              "ALTER TABLE push_devices ENABLE ROW LEVEL SECURITY");
    rerun();
    stack_expect(db, "a notification stands", ROW, "queued");
    stack_expect(
        db, "and says why it has no device",
        "SELECT concat_ws('|', send_status, reason, split_part(last_error, ';', 1)) FROM express_notifications",
        "no-targets|rows_hidden|rows hidden by row-level security: table push_devices, no policy for this role");
    stack_sql(db, "CREATE POLICY d ON push_devices FOR SELECT USING (true)");
    rerun();
    stack_expect(db, "told", "SELECT count(*) FROM push_deliveries", "1");
}

Test(notify_rls, who_is_asked_about_and_what_hides)
{
    struct rls_table tables[] = {{.name = "ml_orders"},
                                 {.name = "push_devices"},
                                 {.name = "no_such_table"},
                                 {.name = "platform_express_waybills"}};

    stack_sql(db, "ALTER TABLE ml_orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON ml_orders USING (true);"
                  "CREATE POLICY narrow ON ml_orders AS RESTRICTIVE USING (false);"
                  "ALTER TABLE push_devices ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON push_devices USING"
                  " (true); CREATE POLICY other ON push_devices USING (false);"
                  "ALTER TABLE platform_express_waybills ENABLE ROW LEVEL SECURITY;"
                  "CREATE POLICY not_for_us ON platform_express_waybills TO pg_monitor USING (true)");
    cr_assert_eq(rls_ask(r.conn, tables, 4, &r.err), RC_OK, "%s", r.err.text);
    cr_expect(tables[0].hides && strcmp(tables[0].policies, "narrow, p") == 0, "%s", tables[0].policies);
    cr_expect(!tables[1].hides && !tables[2].hides);
    cr_expect(tables[3].hides && tables[3].policies[0] == '\0');
    cr_assert_eq(rls_ask(admin, tables, 4, &r.err), RC_OK, "%s", r.err.text); /* bypasses all of it */
    cr_expect(!tables[0].hides && !tables[1].hides && !tables[3].hides);
}
