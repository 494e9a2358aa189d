/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice gateway quarantine`: genuine notifications that the ledger has not been told of, and what becomes of them. */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "commands.h"
#include "gateway.h"
#include "pg/conn.h"
#include "settle.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define STATEMENT_TIMEOUT_MS 300000

/* Headers and bodies are not shown. */
#define CALLBACK_JSON "to_jsonb(c) - '{id,raw_headers,raw_body,content_hash,fingerprint}'::text[]"
#define FROM_BOTH " FROM payment_quarantine q JOIN payment_callbacks c USING (id) "
#define WHICH FROM_BOTH "WHERE ($1::bool OR q.settled_at IS NULL) AND ($2::text IS NULL OR q.code = $2)"
#define NEWEST " ORDER BY q.created_at DESC, q.id LIMIT $3::bigint"
#define SINCE SHOWN_TIME("q.created_at")
#define SETTLED_AT SHOWN_TIME("q.settled_at")
#define OCCURRED_AT SHOWN_TIME("c.occurred_at")
#define RECEIVED_AT SHOWN_TIME("c.received_at")

static const char LIST[] =
    "SELECT q.id, c.channel || '.' || c.account, coalesce(q.payment_id, '-'), q.code, " SINCE ", "
    "CASE WHEN q.settled_at IS NULL THEN 'open' WHEN q.settled_by = 'order appeared' THEN q.settled_by "
    "WHEN q.released THEN 'released by ' || q.settled_by ELSE 'dismissed by ' || q.settled_by END, "
    "concat_ws(' | ', q.detail, q.note)" WHICH NEWEST;
static const char *const HEADS[] = {"ID", "ACCOUNT", "PAYMENT", "CODE", "SINCE", "STATE", "WHAT", NULL};
static const char LIST_JSON[] =
    "SELECT jsonb_build_object('quarantine', coalesce(jsonb_agg(x.one ORDER BY x.created_at DESC, x.id), '[]')) FROM "
    "(SELECT q.created_at, q.id, to_jsonb(q) || jsonb_build_object('callback', " CALLBACK_JSON ") AS one" WHICH NEWEST
    ") x";

static const char SHOW_JSON[] =
    "SELECT to_jsonb(q) || jsonb_build_object('callback', " CALLBACK_JSON ")" FROM_BOTH "WHERE q.id = $1::uuid";
static const char SHOW[] =
    "SELECT q.id, c.channel, c.account, q.code, q.detail, q.payment_id, c.event_type, c.state, q.event_type, c.amount, "
    "c.currency, c.channel_txn_id, c.refund_id, c.merchant, c.notification_id, " OCCURRED_AT ", " RECEIVED_AT ", "
    "c.address, q.payload, " SETTLED_AT ", q.settled_by, q.released, q.note, c.event_id" FROM_BOTH
    "WHERE q.id = $1::uuid";
static const char *const SHOW_NAMES[] = {"id",      "channel",  "account",      "code",     "detail",   "payment",
                                         "type",    "state",    "event",        "amount",   "currency", "txn",
                                         "refund",  "merchant", "notification", "occurred", "received", "address",
                                         "payload", "settled",  "settled by",   "released", "note",     "event id"};

static const char FIND[] =
    "SELECT code, payment_id, settled_by, " SETTLED_AT ", payload IS NOT NULL AND payment_id IS NOT NULL "
    "FROM payment_quarantine q WHERE id = $1::uuid";
static const char DISMISS[] =
    "UPDATE payment_quarantine SET settled_at = now(), settled_by = $2, note = $3, released = "
    "false WHERE id = $1::uuid AND settled_at IS NULL";
/* The event as it was when it came, under an id of its own. */
static const char RELEASE[] =
    "WITH q AS (UPDATE payment_quarantine SET settled_at = now(), settled_by = $2, note = $3, released = true "
    "WHERE id = $1::uuid AND settled_at IS NULL AND payload IS NOT NULL AND payment_id IS NOT NULL RETURNING *), "
    "e AS (INSERT INTO payment_outbox (partition_key, event_type, payload, traceparent) SELECT payment_id, event_type, "
    "payload, traceparent FROM q RETURNING id) "
    "UPDATE payment_callbacks c SET event_id = e.id FROM e, q WHERE c.id = q.id";

static const struct settle_list QUARANTINE = {.command = "gateway quarantine",
                                              .app = "sluice gateway quarantine",
                                              .thing = "notification in quarantine",
                                              .settled = "settled",
                                              .note = "why",
                                              .open = gateway_db,
                                              .list = LIST,
                                              .list_json = LIST_JSON,
                                              .heads = HEADS,
                                              .find = FIND};
static const struct settle_deed TO_RELEASE = {"release", RELEASE, "released", true};
static const struct settle_deed TO_DISMISS = {"dismiss", DISMISS, "dismissed", false};

enum rc gateway_db(const struct cli *cli, const char *app, PGconn **out_conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const struct pg_options opt = {
        .app = app, .schema = config_str(cli->cfg, "database.schema"), .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    TRY(pg_open(config_str(cli->cfg, "database.url"), &opt, out_conn, err));
    TRY(pg_exec(*out_conn, "SELECT to_regclass('payment_quarantine') IS NULL", &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL, "the database has no tables for calls of channels; run `sluice migrate`");
    }
    return RC_OK;
}

int cmd_gateway_quarantine_ls(const struct cli *cli)
{
    const char *code = cli_flag(cli, "code");

    if (code != NULL && strcmp(code, "conflict") != 0 && strcmp(code, "unknown_order") != 0) {
        return cli_usage(cli, "--code: expected conflict or unknown_order");
    }
    return settle_ls(cli, &QUARANTINE, code);
}

static enum rc show(const struct cli *cli, const char *id, struct buf *out, bool *out_found, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(gateway_db(cli, QUARANTINE.app, &conn, err));
    if (cli->json) {
        return account_json(conn, SHOW_JSON, 1, &id, out, out_found, err);
    }
    TRY(pg_query(conn, SHOW, 1, &id, &res, err));
    *out_found = PQntuples(res) > 0;
    account_print_row(res, SHOW_NAMES, ARRAY_SIZE(SHOW_NAMES), out);
    return RC_OK;
}

int cmd_gateway_quarantine_show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    bool found = false;
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    int code = settle_check_id(cli, &QUARANTINE);
    if (code != EXIT_DONE) {
        return code;
    }
    if (show(cli, cli->argv[0], &out, &found, &err) != RC_OK) {
        return cli_fail(QUARANTINE.command, &err);
    }
    return found ? cli_print(&out) : settle_not_found(&QUARANTINE, cli->argv[0]);
}

int cmd_gateway_quarantine_release(const struct cli *cli)
{
    return settle_do(cli, &QUARANTINE, &TO_RELEASE);
}

int cmd_gateway_quarantine_dismiss(const struct cli *cli)
{
    return settle_do(cli, &QUARANTINE, &TO_DISMISS);
}
