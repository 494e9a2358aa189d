/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice waybills ls` and `show`: parcels, and the whole story of one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "carrier/carrier.h"
#include "commands.h"
#include "express.h"
#include "pg/conn.h"
#include "schemas/express_status.h"
#include "table.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 100000

/* ---- ls ---- */

#define WAYBILLS_FROM                                                                                   \
    " FROM platform_express_waybills w WHERE ($1::text IS NULL OR w.status = $1) AND ($2::text IS NULL" \
    " OR w.tracking_no = $2) ORDER BY w.node_at DESC NULLS LAST, w.tracking_no LIMIT $3::bigint"
static const char WAYBILLS[] = "SELECT w.tracking_no, w.carrier, w.order_id::text, w.status, " SHOWN_TIME(
    "w.node_at") ", w.notified_status, "
                 "(SELECT count(*) FROM express_nodes n WHERE n.tracking_no = w.tracking_no), "
                 "(SELECT count(*) FROM notify_queue q WHERE q.tracking_no = w.tracking_no AND q.process_status = "
                 "'queued'), "
                 "(SELECT count(*) FROM notify_queue q WHERE q.tracking_no = w.tracking_no AND q.process_status IN "
                 "('skipped', 'failed'))" WAYBILLS_FROM;
static const char *const WAYBILL_HEADS[] = {"TRACKING NO", "CARRIER", "ORDER",   "STATUS",   "NEWEST NODE",
                                            "TOLD",        ">NODES",  ">QUEUED", ">SKIPPED", NULL};
static const char WAYBILLS_JSON[] =
    "SELECT jsonb_build_object('waybills', coalesce(jsonb_agg(to_jsonb(x) ORDER BY x.node_at DESC NULLS LAST, "
    "x.tracking_no), '[]')) FROM (SELECT w.*" WAYBILLS_FROM ") x";

/* $1 is that of waybills: none of these has a status. $4: days for which a number is looked for; $5: also those that
 * rest. */
#define PARKED_FROM                                                                                             \
    " FROM express_parked p WHERE $1::text IS NULL AND ($2::text IS NULL OR p.tracking_no = $2) AND ($5::bool " \
    "OR $2 IS NOT NULL OR p.due_at < 'infinity') ORDER BY p.last_at DESC, p.tracking_no LIMIT $3::bigint"
#define PARKED_NODES "(SELECT count(*) FROM express_nodes n WHERE n.tracking_no = p.tracking_no AND n.decided IS NULL)"
#define NEXT_TRY                                                                                                       \
    "CASE WHEN p.due_at <= now() THEN 'now' WHEN p.due_at = 'infinity' THEN 'rests' ELSE " SHOWN_TIME("p.due_at") " E" \
                                                                                                                  "ND"
#define UNTIL(days) "CASE WHEN " days "::int > 0 THEN p.last_at + " days "::int * interval '1 day' END"
#define SHOWN_UNTIL(days) "coalesce(" SHOWN_TIME("(" UNTIL(days) ")") ", 'for ever')"
static const char PARKED[] =
    "SELECT p.tracking_no, p.carrier, nullif(p.account, ''), " SHOWN_TIME("p.first_at") ", " SHOWN_TIME(
        "p.last_at") ", p.calls, " PARKED_NODES ", p.tries, " SHOWN_UNTIL("$4") ", " NEXT_TRY PARKED_FROM;
static const char *const PARKED_HEADS[] = {"TRACKING NO", "CARRIER", "ACCOUNT", "SINCE",    "LAST CALL", ">CALLS",
                                           ">NODES",      ">TRIES",  "UNTIL",   "NEXT TRY", NULL};
static const char PARKED_JSON[] =
    "SELECT jsonb_build_object('parked', coalesce(jsonb_agg(to_jsonb(x) ORDER BY x.last_at DESC, x.tracking_no), '[]'))"
    " FROM (SELECT p.*, " PARKED_NODES " AS nodes, p.due_at = 'infinity' AS rests, " UNTIL("$4") " AS until" PARKED_FROM
                                                                                                 ") x";

static enum rc list(const struct cli *cli, const char *const *params, struct buf *out, int *out_n, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    bool parked = cli_flag(cli, "parked") != NULL;
    bool found = false;
    int n = parked ? 5 : 3;

    TRY(express_db(cli, "sluice waybills ls", &conn, err));
    if (cli->json) {
        return account_json(conn, parked ? PARKED_JSON : WAYBILLS_JSON, n, params, out, &found, err);
    }
    TRY(pg_query(conn, parked ? PARKED : WAYBILLS, n, params, &res, err));
    table_print(res, parked ? PARKED_HEADS : WAYBILL_HEADS, "", out);
    *out_n = PQntuples(res);
    return RC_OK;
}

/* EXIT_DONE: the flags fit. */
static int check_flags(const struct cli *cli, const char *status, const char *tracking_no)
{
    if (status != NULL && cli_flag(cli, "parked") != NULL) {
        return cli_usage(cli, "--parked and --status exclude each other: what is parked has no waybill");
    }
    if (cli_flag(cli, "all") != NULL && cli_flag(cli, "parked") == NULL) {
        return cli_usage(cli, "--all goes with --parked");
    }
    if (status != NULL && express_status_find(status) == EXPRESS_UNKNOWN && strcmp(status, "unknown") != 0) {
        return cli_usage(cli,
                         "--status: \"%.40s\" is not collected, in_transit, customs, out_for_delivery, exception, "
                         "delivered, returned or unknown",
                         status);
    }
    if (tracking_no != NULL && !carrier_tracking_ok(tracking_no)) {
        return cli_usage(cli, "--tracking-no: expected 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    return EXIT_DONE;
}

int cmd_waybills_ls(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    const char *status = cli_flag(cli, "status");
    const char *tracking_no = cli_flag(cli, "tracking-no");
    int64_t limit = LIMIT_DEFAULT;
    char limit_text[24];
    char days[24];
    struct err err;
    int n = 0;

    buf_init(&out, OUTPUT_MAX);
    int code = check_flags(cli, status, tracking_no);
    if (code != EXIT_DONE) {
        return code;
    }
    if (cli_flag_int(cli, "limit", 1, LIMIT_MAX, &limit, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    /* Of this configuration: the gateway's may be another one. */
    (void)snprintf(days, sizeof(days), "%" PRId64, config_int(cli->cfg, "express.parked.keep.days"));
    const char *const params[] = {status, tracking_no, limit_text, days, cli_flag(cli, "all") != NULL ? "t" : "f"};
    if (list(cli, params, &out, &n, &err) != RC_OK) {
        return cli_fail("waybills ls", &err);
    }
    if (n == limit) {
        cli_note(cli, "stopped after %d; --limit shows more", n);
    }
    return cli_print(&out);
}

/* ---- show ---- */

static const char WAYBILL[] = "SELECT w.tracking_no, w.carrier, w.order_id::text, w.status, " SHOWN_TIME("w.node_at") ", w.notified_status, " SHOWN_TIME(
    "w.notified_at") ", " SHOWN_TIME("w.created_at") ", " SHOWN_TIME("w.updated_at") " FROM "
                                                                                     "platform_express_waybills w "
                                                                                     "WHERE w.tracking_no = $1";
static const char *const WAYBILL_NAMES[] = {"waybill", "carrier", "order",   "status", "newest node",
                                            "told",    "told of", "created", "changed"};
static const char *const ORDER_NAMES[] = {"user", "merchant"};

static const char PARKED_ONE[] = "SELECT nullif(p.account, ''), p.carrier, " SHOWN_TIME("p.first_at") ", " SHOWN_TIME(
    "p.last_at") ", p.calls, p.tries, " NEXT_TRY " FROM express_parked p WHERE p.tracking_no = $1";
static const char *const PARKED_ONE_HEADS[] = {"ACCOUNT", "CARRIER", "SINCE",    "LAST CALL",
                                               ">CALLS",  ">TRIES",  "NEXT TRY", NULL};

static const char NODES[] =
    "SELECT " SHOWN_TIME("n.node_at") ", n.status, n.code, coalesce(n.decided, 'waits'), n.carrier, " SHOWN_TIME(
        "n.created_at") ", n.queue_id, left(n.context, 60) FROM express_nodes n WHERE n.tracking_no = $1 ORDER BY "
                        "n.node_at, n.ordinal, n.node_hash LIMIT 1000";
static const char *const NODE_HEADS[] = {"AT",    "STATUS",    "CODE",    "DECIDED", "CARRIER",
                                         "HEARD", "QUEUE ROW", "CONTEXT", NULL};

static const char QUEUE[] =
    "SELECT q.id, " SHOWN_TIME("q.node_at") ", q.status, coalesce(q.process_status, CASE WHEN q.queue_seq IS NULL "
                                            "THEN 'unknown to sluice' ELSE 'on the road' END), " SHOWN_TIME(
                                                "q.processed_at") ", q.last_error FROM "
                                                                  "notify_queue q WHERE q.tracking_no = $1 ORDER BY "
                                                                  "q.node_at, q.queue_seq LIMIT 1000";
static const char *const QUEUE_HEADS[] = {"QUEUE ROW", "NODE AT", "STATUS", "PROCESS", "PROCESSED", "REASON", NULL};

static const char NOTIFICATIONS[] =
    "SELECT e.message_id, e.aud, e.recipient_id, e.status, e.send_status, concat_ws('; ', coalesce(e.last_error, "
    "e.reason), e.devices_left_out || ' devices left out beyond notify.devices.max'), " SHOWN_TIME(
        "e.updated_at") ", e.title FROM express_notifications e WHERE e.tracking_no = $1 ORDER BY e.created_at, e.aud "
                        "DESC, e.message_id LIMIT 1000";
static const char *const NOTIFICATION_HEADS[] = {"MESSAGE", "AUD",     "RECIPIENT", "STATUS", "SENT",
                                                 "REASON",  "CHANGED", "TITLE",     NULL};

#define DELIVERIES_FROM                                                                                 \
    " FROM push_deliveries d JOIN express_notifications e USING (message_id) WHERE e.tracking_no = $1 " \
    "ORDER BY d.created_at, d.id LIMIT 1000"
static const char DELIVERIES[] = "SELECT d.message_id, d.aud, d.appid || '/' || left(d.cid, 40), d.generation, "
                                 "d.status, d.attempt_count, d.verdict, "
                                 "d.provider, d.provider_code, d.last_error" DELIVERIES_FROM;
static const char *const DELIVERY_HEADS[] = {"MESSAGE", "AUD",      "DEVICE", ">GEN",  "STATUS", ">ATTEMPTS",
                                             "VERDICT", "PROVIDER", "CODE",   "ERROR", NULL};

/* Nothing but null where there is neither waybill, parked number nor row of any kind. */
static const char SHOW_JSON[] =
    "WITH x AS (SELECT (SELECT to_jsonb(w) FROM platform_express_waybills w WHERE w.tracking_no = $1) AS waybill, "
    "(SELECT to_jsonb(p) FROM express_parked p WHERE p.tracking_no = $1) AS parked, "
    "(SELECT coalesce(jsonb_agg(to_jsonb(n) - 'node_hash' ORDER BY n.node_at, n.ordinal, n.node_hash), '[]') FROM "
    "express_nodes n WHERE n.tracking_no = $1) AS nodes, "
    "(SELECT coalesce(jsonb_agg(to_jsonb(q) ORDER BY q.node_at, q.queue_seq), '[]') FROM notify_queue q WHERE "
    "q.tracking_no = $1) AS queue, "
    "(SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.created_at, e.message_id), '[]') FROM express_notifications e "
    "WHERE e.tracking_no = $1) AS notifications, "
    "(SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.created_at, d.id), '[]') FROM push_deliveries d JOIN "
    "express_notifications e USING (message_id) WHERE e.tracking_no = $1) AS deliveries) "
    "SELECT to_jsonb(x) FROM x WHERE waybill IS NOT NULL OR parked IS NOT NULL OR nodes <> '[]' OR queue <> '[]'";

static enum rc show_order(PGconn *conn, const char *order_id, struct buf *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    enum rc rc = express_order(conn, order_id, &res, err);

    if (rc == RC_REJECT) {
        buf_printf(out, "  %-12s %s\n", "recipients", err->text);
        return RC_OK;
    }
    TRY(rc);
    account_print_row(res, ORDER_NAMES, ARRAY_SIZE(ORDER_NAMES), out);
    return RC_OK;
}

static enum rc show_parts(PGconn *conn, const char *id, struct buf *out, struct err *err)
{
    static const struct {
        const char *title, *sql;
        const char *const *heads;
    } PARTS[] = {
        {"parked: no waybill has this number", PARKED_ONE, PARKED_ONE_HEADS},
        {"what carriers have said", NODES, NODE_HEADS},
        {"notify_queue", QUEUE, QUEUE_HEADS},
        {"express_notifications", NOTIFICATIONS, NOTIFICATION_HEADS},
        {"push_deliveries", DELIVERIES, DELIVERY_HEADS},
    };

    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
        TRY(account_print_part(conn, PARTS[i].title, PARTS[i].sql, id, PARTS[i].heads, out, err));
    }
    return RC_OK;
}

static enum rc show(const struct cli *cli, const char *id, struct buf *out, bool *out_found, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(express_db(cli, "sluice waybills show", &conn, err));
    if (cli->json) {
        return account_json(conn, SHOW_JSON, 1, &id, out, out_found, err);
    }
    TRY(pg_query(conn, WAYBILL, 1, &id, &res, err));
    account_print_row(res, WAYBILL_NAMES, ARRAY_SIZE(WAYBILL_NAMES), out);
    if (PQntuples(res) > 0 && PQgetisnull(res, 0, 2)) {
        buf_printf(out, "  %-12s %s\n", "order", "none: nobody can be told; sluice waybills link");
    } else if (PQntuples(res) > 0) {
        TRY(show_order(conn, pg_text(res, 0, 2), out, err));
    }
    TRY(show_parts(conn, id, out, err));
    *out_found = out->len > 0;
    return RC_OK;
}

int cmd_waybills_show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    struct err err;
    bool found = false;

    buf_init(&out, OUTPUT_MAX);
    if (!carrier_tracking_ok(cli->argv[0])) {
        return cli_usage(cli, "\"%.80s\" is no tracking number: 1 to 64 of A-Z a-z 0-9 . _ -", cli->argv[0]);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (show(cli, cli->argv[0], &out, &found, &err) != RC_OK) {
        return cli_fail("waybills show", &err);
    }
    if (!found) {
        (void)fprintf(stderr, "sluice: waybills show: nobody has heard of %s\n", cli->argv[0]);
        return EXIT_NOT_FOUND;
    }
    return cli_print(&out);
}
