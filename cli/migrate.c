/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice migrate`: creates and upgrades the tables; prints the SQL or the grants of a least-privilege role. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "notify/orders_function.h"
#include "pg/conn.h"
#include "pg/migrate.h"
#include "schemas/embedded.h"

#define MIGRATIONS_MAX 512
#define PRINT_MAX ((size_t)4 << 20)

/*
 * What the roles of sluice need and no more. The writers of outbox rows need INSERT on the outbox alone: the triggers
 * run with the owner's rights.
 */
static const char ROLE_SQL[] =
    "-- A role for `sluice run ...` that owns nothing. Replace the password; run as the owner of the tables.\n"
    "CREATE ROLE sluice_run LOGIN PASSWORD 'change-me' NOSUPERUSER NOCREATEDB NOCREATEROLE;\n"
    "GRANT USAGE ON SCHEMA @SCHEMA@ TO sluice_run;\n"
    "GRANT SELECT ON ALL TABLES IN SCHEMA @SCHEMA@ TO sluice_run;\n"
    "GRANT UPDATE ON @SCHEMA@.cs_platform_event_outbox TO sluice_run;\n"
    "GRANT INSERT, UPDATE, DELETE ON @SCHEMA@.sluice_waiting, @SCHEMA@.sluice_positions,\n"
    "    @SCHEMA@.sluice_relay_positions, @SCHEMA@.cs_platform_event_delivery_attempts,\n"
    "    @SCHEMA@.cs_platform_event_dead_letters TO sluice_run;\n"
    "GRANT INSERT ON @SCHEMA@.sluice_delivery_partitions TO sluice_run;\n"
    "GRANT INSERT, UPDATE, DELETE ON @SCHEMA@.dead_letter_outbox TO sluice_run;\n"
    "-- The relay deletes what is old and published; it locks such rows first.\n"
    "GRANT UPDATE, DELETE ON @SCHEMA@.account_command_outbox, @SCHEMA@.payment_outbox TO sluice_run;\n"
    "GRANT SELECT, USAGE ON SEQUENCE @SCHEMA@.sluice_queue_seq TO sluice_run;\n"
    "-- The ledger and payments: what is booked is never deleted, flows and decisions are never changed.\n"
    "GRANT INSERT, UPDATE ON @SCHEMA@.account_slots, @SCHEMA@.account_transfers, @SCHEMA@.account_journal,\n"
    "    @SCHEMA@.account_adjustments, @SCHEMA@.payment_transactions, @SCHEMA@.payment_reviews TO sluice_run;\n"
    "GRANT INSERT ON @SCHEMA@.account_flows, @SCHEMA@.account_decisions, @SCHEMA@.account_command_outbox,\n"
    "    @SCHEMA@.payment_state_transitions, @SCHEMA@.payment_receipts, @SCHEMA@.payment_refunds,\n"
    "    @SCHEMA@.payment_outbox, @SCHEMA@.cs_platform_event_outbox TO sluice_run;\n"
    "-- Calls of channels: never deleted; what was sent is erased, what is in quarantine is settled.\n"
    "GRANT INSERT, UPDATE ON @SCHEMA@.payment_callbacks, @SCHEMA@.payment_quarantine TO sluice_run;\n"
    "-- Parcels and phones: what carriers tell (gateway), who is told (notify), what became of it (sink), tokens of\n"
    "-- push providers (push). Orders are only read: where row-level security hides them, run as their owner\n"
    "-- `sluice migrate --rls-function`.\n"
    "GRANT INSERT, UPDATE ON @SCHEMA@.express_callbacks, @SCHEMA@.express_nodes, @SCHEMA@.notify_queue,\n"
    "    @SCHEMA@.express_notifications, @SCHEMA@.push_deliveries, @SCHEMA@.push_devices TO sluice_run;\n"
    "GRANT UPDATE ON @SCHEMA@.platform_express_waybills TO sluice_run;\n"
    "GRANT INSERT, UPDATE, DELETE ON @SCHEMA@.express_parked, @SCHEMA@.push_provider_tokens TO sluice_run;\n"
    "-- A role for the business that writes events:\n"
    "--   GRANT INSERT ON @SCHEMA@.cs_platform_event_outbox, @SCHEMA@.payment_outbox,\n"
    "--       @SCHEMA@.account_command_outbox, @SCHEMA@.notify_queue TO your_app;\n";

static size_t list_migrations(struct migration out[MIGRATIONS_MAX])
{
    size_t n = SCHEMAS_SQL_n < MIGRATIONS_MAX ? SCHEMAS_SQL_n : MIGRATIONS_MAX;

    for (size_t i = 0; i < n; i++) {
        out[i] = (struct migration){.name = SCHEMAS_SQL[i].name, .sql = SCHEMAS_SQL[i].text};
    }
    return n;
}

struct applying {
    const struct cli *cli;
    size_t applied; /* by us: another `sluice migrate` may be faster */
};

static void note_applied(const char *name, void *opaque)
{
    struct applying *a = opaque;

    a->applied++;
    cli_note(a->cli, "applied %s", name);
}

static int print_sql(const struct cli *cli, bool role)
{
    struct migration list[MIGRATIONS_MAX];
    struct migration grants = {.name = "role", .sql = ROLE_SQL};
    size_t n = list_migrations(list);
    char *quoted CLEANUP(freep) = xasprintf("\"%s\"", config_str(cli->cfg, "database.schema"));
    struct buf out;

    buf_init(&out, PRINT_MAX);
    migrate_print(quoted, role ? &grants : list, role ? 1 : n, &out);
    int code = cli_print(&out);
    buf_done(&out);
    return code;
}

static enum rc open_database(const struct cli *cli, PGconn **out_conn, struct err *err)
{
    struct pg_options opt = {.app = "sluice migrate", .schema = config_str(cli->cfg, "database.schema")};

    TRY(pg_open(config_str(cli->cfg, "database.url"), &opt, out_conn, err));
    return pg_require_direct(*out_conn, err); /* the lock of migrations belongs to a session */
}

/* The reader of orders under row-level security; --dry-run prints its SQL. */
static enum rc install_function(const struct cli *cli, struct buf *sql, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;

    TRY(open_database(cli, &conn, err));
    TRY(orders_function_sql(conn, config_str(cli->cfg, "database.schema"), cli_flag(cli, "role"), sql, err));
    return cli->dry_run ? RC_OK : pg_exec(conn, buf_str(sql), NULL, err);
}

static int rls_function(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf sql;
    struct err err;

    buf_init(&sql, PRINT_MAX);
    if (install_function(cli, &sql, &err) != RC_OK) {
        return cli_fail("migrate", &err);
    }
    if (cli->dry_run) {
        return cli_print(&sql);
    }
    cli_note(cli, "installed sluice_order_recipients: it reads user_id and merchant_id of ml_orders, nothing else");
    return EXIT_DONE;
}

static enum rc apply(const struct cli *cli, size_t *out_applied, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct migration list[MIGRATIONS_MAX];
    size_t n = list_migrations(list);
    const char *schema = config_str(cli->cfg, "database.schema");

    TRY(open_database(cli, &conn, err));
    TRY(migrate_pending(conn, schema, list, n, out_applied, err));
    if (cli->dry_run) {
        for (size_t i = n - *out_applied; i < n; i++) {
            cli_note(cli, "would apply %s", list[i].name);
        }
        return RC_OK;
    }
    struct applying a = {.cli = cli};
    enum rc rc = migrate_apply(conn, schema, list, n, note_applied, &a, err);
    *out_applied = a.applied;
    return rc;
}

int cmd_migrate(const struct cli *cli)
{
    struct err err;
    size_t applied = 0;

    if (cli_flag(cli, "print") != NULL) {
        return print_sql(cli, false);
    }
    if (cli_flag(cli, "print-role") != NULL) {
        return print_sql(cli, true);
    }
    if (cli_flag(cli, "rls-function") != NULL) {
        return rls_function(cli);
    }
    if (cli_flag(cli, "role") != NULL) {
        return cli_usage(cli, "--role belongs to --rls-function");
    }
    if (apply(cli, &applied, &err) != RC_OK) {
        return cli_fail("migrate", &err);
    }
    if (cli->json) {
        printf("{\"migrations\":%zu,\"%s\":%zu}\n", SCHEMAS_SQL_n, cli->dry_run ? "pending" : "applied", applied);
    } else if (applied == 0) {
        cli_note(cli, "the database is up to date (%zu migrations)", SCHEMAS_SQL_n);
    }
    return EXIT_DONE;
}
