/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice doctor`, PostgreSQL: server, tables, privileges, rows that policies hide, the index, the clock. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "doctor.h"
#include "notify/store.h"
#include "pg/conn.h"
#include "pg/migrate.h"
#include "pg/rls.h"
#include "schemas/embedded.h"
#include "schemas/push_device.h"

#define STATEMENT_TIMEOUT_MS 10000
#define VERSION_MIN 150000
#define CLOCK_FAIL_MS 300000

/* What the roles do with the tables of each road; the least of `sluice migrate --print-role`. */
static const struct {
    const char *table, *privileges;
} NEEDS[] = {
    {"cs_platform_event_outbox", "SELECT, UPDATE"},
    {"cs_platform_event_delivery_attempts", "SELECT, INSERT"},
    {"cs_platform_event_dead_letters", "SELECT, INSERT, DELETE"},
    {"sluice_positions", "SELECT, INSERT, UPDATE"},
    {"sluice_relay_positions", "SELECT, INSERT, UPDATE"},
    {"sluice_waiting", "SELECT, INSERT, DELETE"},
    {"dead_letter_outbox", "SELECT, INSERT"},
    {"ml_orders", "SELECT"},
    {"platform_express_waybills", "SELECT, UPDATE"},
    {"express_callbacks", "SELECT, INSERT"},
    {"express_nodes", "SELECT, INSERT, UPDATE"},
    {"express_parked", "SELECT, INSERT, UPDATE, DELETE"},
    {"notify_queue", "SELECT, INSERT, UPDATE"},
    {"express_notifications", "SELECT, INSERT, UPDATE"},
    {"push_devices", "SELECT, INSERT, UPDATE"},
    {"push_deliveries", "SELECT, INSERT, UPDATE"},
    {"notify_mutes", "SELECT"},
    {"push_provider_tokens", "SELECT, INSERT, UPDATE"},
};

static void check_server(struct doctor *d, PGconn *conn)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    int version = PQserverVersion(conn);
    char where[256];
    struct err err;

    if (pg_exec(conn, "SELECT pg_is_in_recovery(), current_user", &res, &err) != RC_OK) {
        doctor_say(d, "database", DOCTOR_FAIL, "%s", err.text);
        return;
    }
    if (pg_text(res, 0, 0)[0] == 't') {
        doctor_say(d, "database", DOCTOR_FAIL, "%s is a standby", pg_where(conn, where, sizeof(where)));
        doctor_hint(d, "DATABASE_URL must name the primary");
        return;
    }
    doctor_say(d, "database", version >= VERSION_MIN ? DOCTOR_OK : DOCTOR_WARN, "%s, PostgreSQL %d.%d, as %s",
               pg_where(conn, where, sizeof(where)), version / 10000, version % 10000, pg_text(res, 0, 1));
    if (version < VERSION_MIN) {
        doctor_hint(d, "sluice is tested with PostgreSQL 15 and newer");
    }
    if (pg_require_direct(conn, &err) != RC_OK) {
        doctor_say(d, "pooler", DOCTOR_FAIL, "%s", err.text);
        doctor_hint(d, "DATABASE_URL must name PostgreSQL itself, not a connection pooler");
    }
}

/* False: without the tables nothing else can be asked. */
static bool check_migrated(struct doctor *d, PGconn *conn)
{
    struct migration *list CLEANUP(freep) = xcalloc(SCHEMAS_SQL_n, sizeof(*list));
    size_t missing = 0;
    struct err err;

    for (size_t i = 0; i < SCHEMAS_SQL_n; i++) {
        list[i] = (struct migration){.name = SCHEMAS_SQL[i].name, .sql = SCHEMAS_SQL[i].text};
    }
    if (migrate_pending(conn, config_str(d->cfg, "database.schema"), list, SCHEMAS_SQL_n, &missing, &err) != RC_OK) {
        doctor_say(d, "tables", DOCTOR_FAIL, "%s", err.text);
        return false;
    }
    if (missing > 0) {
        doctor_say(d, "tables", DOCTOR_FAIL, "%zu of %zu migrations are missing, the first is %s", missing,
                   SCHEMAS_SQL_n, list[SCHEMAS_SQL_n - missing].name);
        doctor_hint(d, "sluice migrate");
        return false;
    }
    doctor_say(d, "tables", DOCTOR_OK, "schema %s, %zu migrations", config_str(d->cfg, "database.schema"),
               SCHEMAS_SQL_n);
    return true;
}

static enum rc lacking(PGconn *conn, const char *table, const char *privileges, struct buf *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *const params[] = {table, privileges};

    TRY(pg_query(conn,
                 "SELECT string_agg(p, ', ') FROM unnest(string_to_array($2, ', ')) p WHERE "
                 "NOT coalesce(has_table_privilege(to_regclass(quote_ident($1))::oid, p), false)",
                 2, params, &res, err));
    if (!PQgetisnull(res, 0, 0)) {
        buf_printf(out, "%s%s on %s", out->len == 0 ? "" : "; ", pg_text(res, 0, 0), table);
    }
    return RC_OK;
}

static void check_privileges(struct doctor *d, PGconn *conn)
{
    CLEANUP(buf_done) struct buf missing;
    struct err err;

    buf_init(&missing, (size_t)16 << 10);
    for (size_t i = 0; i < ARRAY_SIZE(NEEDS); i++) {
        if (lacking(conn, NEEDS[i].table, NEEDS[i].privileges, &missing, &err) != RC_OK) {
            doctor_say(d, "privileges", DOCTOR_FAIL, "%s", err.text);
            return;
        }
    }
    if (missing.len > 0) {
        doctor_say(d, "privileges", DOCTOR_FAIL, "this role lacks %s", buf_str(&missing));
        doctor_hint(d, "GRANT them as the tables' owner; sluice migrate --print-role prints all that is needed");
        return;
    }
    doctor_say(d, "privileges", DOCTOR_OK, "all that the roles need, on %zu tables", ARRAY_SIZE(NEEDS));
}

/* May this role read recipients of orders through the function that `sluice migrate --rls-function` makes? */
static bool has_function(PGconn *conn)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct err err;

    return pg_exec(conn,
                   "SELECT coalesce(has_function_privilege(to_regprocedure('sluice_order_recipients(text[])')::oid, "
                   "'EXECUTE'), false)",
                   &res, &err) == RC_OK &&
           pg_text(res, 0, 0)[0] == 't';
}

static void say_hidden(struct doctor *d, PGconn *conn, const struct rls_table *table)
{
    char text[RLS_TEXT_BYTES];
    bool orders = strcmp(table->name, "ml_orders") == 0;

    if (orders && has_function(conn)) {
        doctor_say(d, "row security", DOCTOR_OK,
                   "hides rows of ml_orders; their recipients are read through "
                   "sluice_order_recipients");
        return;
    }
    doctor_say(d, "row security", DOCTOR_FAIL, "%s", rls_text(table, text));
    doctor_hint(d, orders ? "leave it on; `sluice migrate --rls-function`, run as the owner of ml_orders, lets notify "
                            "read who is to be told, and nothing else"
                          : "give this role a policy that shows it all rows, or BYPASSRLS");
}

static void check_rls(struct doctor *d, PGconn *conn)
{
    struct rls_table tables[ARRAY_SIZE(NEEDS)];
    size_t hiding = 0;
    struct err err;

    for (size_t i = 0; i < ARRAY_SIZE(NEEDS); i++) {
        tables[i] = (struct rls_table){.name = NEEDS[i].table};
    }
    if (rls_ask(conn, tables, ARRAY_SIZE(NEEDS), &err) != RC_OK) {
        doctor_say(d, "row security", DOCTOR_FAIL, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(NEEDS); i++) {
        if (tables[i].hides) {
            hiding++;
            say_hidden(d, conn, &tables[i]);
        }
    }
    if (hiding == 0) {
        doctor_say(d, "row security", DOCTOR_OK, "hides no rows from this role");
    }
}

static void check_types(struct doctor *d, PGconn *conn)
{
    struct err err;

    if (notify_types_check(conn, &err) == RC_OK) {
        doctor_say(d, "columns", DOCTOR_OK, "ids are of types that the parcels' roles can use");
        return;
    }
    doctor_say(d, "columns", DOCTOR_FAIL, "%s", err.text);
    doctor_hint(d, "change the column's type: notify does not start, and calls of carriers may not be stored");
}

static void check_index(struct doctor *d, PGconn *conn)
{
    struct err err;

    if (notify_index_check(conn, &err) == RC_OK) {
        doctor_say(d, "message_id", DOCTOR_OK, "express_notifications has a plain unique index over it");
        return;
    }
    const char *cure = strstr(err.text, NOTIFY_INDEX_CURE);
    if (cure == NULL) {
        doctor_say(d, "message_id", DOCTOR_FAIL, "%s", err.text);
        return;
    }
    doctor_say(d, "message_id", DOCTOR_FAIL, "%.*s", (int)(cure - err.text), err.text);
    doctor_hint(d, "%s", cure + strlen(NOTIFY_INDEX_CURE));
}

/* Tables from before may have them: they count as devices of the usual app, see schemas/push_device.h. */
static void check_devices(struct doctor *d, PGconn *conn)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct err err;

    if (pg_exec(conn,
                "SELECT count(*), count(*) FILTER (WHERE NOT counts) FROM (SELECT " PUSH_DEVICE_COUNTS(
                    "d") " AS counts FROM push_devices d WHERE d.appid IS NULL LIMIT 10000) x",
                &res, &err) != RC_OK) {
        doctor_say(d, "devices", DOCTOR_FAIL, "%s", err.text);
    } else if (pg_int(res, 0, 0, 0) == 0) {
        doctor_say(d, "devices", DOCTOR_OK, "all rows of push_devices have an appid");
    } else {
        doctor_say(d, "devices", DOCTOR_WARN,
                   "%" PRId64 " rows of push_devices have no appid and count as \"" PUSH_APPID_DEFAULT "\"; %" PRId64
                   " of them are passed over, for another row of their phone counts",
                   pg_int(res, 0, 0, 0), pg_int(res, 0, 1, 0));
        doctor_hint(d, "each gets its appid when its phone registers; make what writes them name one");
    }
}

static void check_clock(struct doctor *d, PGconn *conn)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    int64_t alarm_ms = config_int(d->cfg, "gateway.clock.skew.ms");
    int64_t before = clock_utc_us();
    struct err err;

    if (pg_exec(conn, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", &res, &err) != RC_OK) {
        doctor_say(d, "clock", DOCTOR_FAIL, "%s", err.text);
        return;
    }
    int64_t after = clock_utc_us();
    doctor_clock(d, (pg_int(res, 0, 0, 0) - (before + (after - before) / 2)) / 1000, alarm_ms);
}

void doctor_clock(struct doctor *d, int64_t off_ms, int64_t alarm_ms)
{
    int64_t size = off_ms < 0 ? -off_ms : off_ms;
    enum doctor_state state = size > CLOCK_FAIL_MS ? DOCTOR_FAIL : size > alarm_ms ? DOCTOR_WARN : DOCTOR_OK;
    doctor_say(d, "clock", state, "PostgreSQL's is %" PRId64 " ms %s this machine's", size,
               off_ms < 0 ? "behind" : "ahead of");
    if (state != DOCTOR_OK) {
        doctor_hint(d, "set the clock that is wrong (NTP): what is too old is not sent, signatures have times");
    }
}

void doctor_database(struct doctor *d)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    const struct pg_options opt = {.app = "sluice doctor",
                                   .schema = config_str(d->cfg, "database.schema"),
                                   .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    struct err err;

    if (config_str(d->cfg, "database.url")[0] == '\0') {
        doctor_say(d, "database", DOCTOR_FAIL, "DATABASE_URL is not set");
        doctor_hint(d, "DATABASE_URL=postgresql://user:password@host:port/database");
        return;
    }
    if (pg_open(config_str(d->cfg, "database.url"), &opt, &conn, &err) != RC_OK) {
        doctor_say(d, "database", DOCTOR_FAIL, "%s", err.text);
        doctor_hint(d, err_is_config(&err) ? "DATABASE_URL is wrong"
                                           : "is PostgreSQL up, and can it be reached from here?");
        return;
    }
    check_server(d, conn);
    check_clock(d, conn);
    if (check_migrated(d, conn)) {
        check_privileges(d, conn);
        check_rls(d, conn);
        check_types(d, conn);
        check_index(d, conn);
        check_devices(d, conn);
    }
}
