/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice gateway quarantine`: genuine notifications that the ledger has not been told of, and what becomes of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "gateway.h"
#include "pg/conn.h"
#include "table.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 100000
#define NAME_MAX_BYTES 64
#define NOTE_MAX_BYTES 500
#define STATEMENT_TIMEOUT_MS 300000

/* Headers and bodies are not shown. */
#define CALLBACK_JSON "to_jsonb(c) - '{id,raw_headers,raw_body,content_hash,fingerprint}'::text[]"

#define WHICH                                                                                                 \
    "FROM payment_quarantine q JOIN payment_callbacks c USING (id) WHERE ($1::bool OR q.settled_at IS NULL) " \
    "AND ($2::text IS NULL OR q.code = $2)"
static const char LIST[] =
    "SELECT q.id, c.channel || '.' || c.account, coalesce(q.payment_id, '-'), q.code, " SHOWN_TIME(
        "q.created_at") ", CASE WHEN q.settled_at IS NULL THEN 'open' WHEN q.settled_by = 'order appeared' THEN "
                        "q.settled_by WHEN q.released THEN 'released by ' || "
                        "q.settled_by ELSE "
                        "'dismissed by ' || q.settled_by END, concat_ws(' | ', q.detail, q.note) " WHICH
                        " ORDER BY q.created_at DESC, q.id LIMIT $3::bigint";
static const char *const HEADS[] = {"ID", "ACCOUNT", "PAYMENT", "CODE", "SINCE", "STATE", "WHAT", NULL};
static const char LIST_JSON[] =
    "SELECT jsonb_build_object('quarantine', coalesce(jsonb_agg(x.one ORDER BY x.created_at DESC, x.id), '[]')) FROM "
    "(SELECT q.created_at, q.id, to_jsonb(q) || jsonb_build_object('callback', " CALLBACK_JSON ") AS one " WHICH
    " ORDER BY q.created_at DESC, q.id LIMIT $3::bigint) x";

static const char SHOW_JSON[] = "SELECT to_jsonb(q) || jsonb_build_object('callback', " CALLBACK_JSON
                                ") FROM payment_quarantine q JOIN payment_callbacks c USING (id) WHERE q.id = $1::uuid";
static const char SHOW[] =
    "SELECT q.id, c.channel, c.account, q.code, q.detail, q.payment_id, c.event_type, c.state, q.event_type, c.amount, "
    "c.currency, c.channel_txn_id, c.refund_id, c.merchant, c.notification_id, " SHOWN_TIME(
        "c.occurred_at") ", " SHOWN_TIME("c.received_at") ", c.address, q.payload, " SHOWN_TIME("q.settled_at") ", "
                                                                                                                "q."
                                                                                                                "settle"
                                                                                                                "d_by, "
                                                                                                                "q."
                                                                                                                "releas"
                                                                                                                "ed, "
                                                                                                                "q."
                                                                                                                "note, "
                                                                                                                "c."
                                                                                                                "event_"
                                                                                                                "id "
                                                                                                                "FROM "
                                                                                                                "paymen"
                                                                                                                "t_"
                                                                                                                "quaran"
                                                                                                                "tine "
                                                                                                                "q "
                                                                                                                "JOIN "
                                                                                                                "paymen"
                                                                                                                "t_"
                                                                                                                "callba"
                                                                                                                "cks c "
                                                                                                                "USING "
                                                                                                                "(id) "
                                                                                                                "WHERE "
                                                                                                                "q.id "
                                                                                                                "= "
                                                                                                                "$1::"
                                                                                                                "uuid";
static const char *const SHOW_NAMES[] = {"id",      "channel",  "account",      "code",     "detail",   "payment",
                                         "type",    "state",    "event",        "amount",   "currency", "txn",
                                         "refund",  "merchant", "notification", "occurred", "received", "address",
                                         "payload", "settled",  "settled by",   "released", "note",     "event id"};

static const char FIND[] = "SELECT code, payment_id, settled_by, " SHOWN_TIME(
    "settled_at") ", payload IS NOT NULL AND payment_id IS NOT NULL FROM payment_quarantine WHERE id = $1::uuid";
/* Once, whoever else does it at the same time. */
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

/* ---- ls, show ---- */

static enum rc list(const struct cli *cli, const char *const *params, struct buf *out, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    bool found = false;

    TRY(gateway_db(cli, "sluice gateway quarantine", &conn, err));
    if (cli->json) {
        return account_json(conn, LIST_JSON, 3, params, out, &found, err);
    }
    TRY(pg_query(conn, LIST, 3, params, &res, err));
    table_print(res, HEADS, "", out);
    return RC_OK;
}

int cmd_gateway_quarantine_ls(const struct cli *cli)
{
    const char *code = cli_flag(cli, "code");
    int64_t limit = LIMIT_DEFAULT;
    CLEANUP(buf_done) struct buf out;
    char limit_text[24];
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    if (cli_flag_int(cli, "limit", 1, LIMIT_MAX, &limit, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (code != NULL && strcmp(code, "conflict") != 0 && strcmp(code, "unknown_order") != 0) {
        return cli_usage(cli, "--code: expected conflict or unknown_order");
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    const char *const params[] = {cli_flag(cli, "all") != NULL ? "t" : "f", code, limit_text};
    return list(cli, params, &out, &err) == RC_OK ? cli_print(&out) : cli_fail("gateway quarantine", &err);
}

static int not_found(const char *id)
{
    (void)fprintf(stderr, "sluice: gateway quarantine: there is no %s in quarantine\n", id);
    return EXIT_NOT_FOUND;
}

static enum rc show(const struct cli *cli, const char *id, struct buf *out, bool *out_found, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(gateway_db(cli, "sluice gateway quarantine", &conn, err));
    if (cli->json) {
        return account_json(conn, SHOW_JSON, 1, &id, out, out_found, err);
    }
    TRY(pg_query(conn, SHOW, 1, &id, &res, err));
    *out_found = PQntuples(res) > 0;
    account_print_row(res, SHOW_NAMES, ARRAY_SIZE(SHOW_NAMES), out);
    return RC_OK;
}

/* EXIT_DONE, or what was said. */
static int check_id(const struct cli *cli)
{
    if (!uuid_check(cli->argv[0], strlen(cli->argv[0]))) {
        return cli_usage(cli, "\"%.60s\" is not the id of a notification in quarantine, a UUID", cli->argv[0]);
    }
    return cli_require(cli, "database.url");
}

int cmd_gateway_quarantine_show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    bool found = false;
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    int code = check_id(cli);
    if (code != EXIT_DONE) {
        return code;
    }
    if (show(cli, cli->argv[0], &out, &found, &err) != RC_OK) {
        return cli_fail("gateway quarantine", &err);
    }
    return found ? cli_print(&out) : not_found(cli->argv[0]);
}

/* ---- release, dismiss ---- */

/* What is done with a notification. */
struct deed {
    const char *name; /* of the command */
    const char *sql;  /* changes one row, or none */
    const char *done;
    bool tells; /* the ledger */
};
static const struct deed TO_RELEASE = {"release", RELEASE, "released", true};
static const struct deed TO_DISMISS = {"dismiss", DISMISS, "dismissed", false};

/* REJECT: it is settled. */
static enum rc settle(const struct cli *cli, PGconn *conn, const struct deed *deed, const char *const *params,
                      struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, deed->sql, 3, params, &res, err));
    if (strcmp(PQcmdTuples(res), "1") != 0) {
        FAIL(err, RC_REJECT, "%s was settled by somebody else just now", params[0]);
    }
    if (cli->json) {
        printf("{\"id\":\"%s\",\"state\":\"%s\"}\n", params[0], deed->done);
    } else {
        printf("%s: %s\n", deed->done, params[0]);
    }
    return RC_OK;
}

/* EXIT_DONE: it is open, and can be done. */
static int look(const struct deed *deed, const PGresult *res, const char *id)
{
    if (PQntuples(res) == 0) {
        return not_found(id);
    }
    if (!PQgetisnull(res, 0, 2)) {
        (void)fprintf(stderr, "sluice: gateway quarantine %s: %s was settled by %s at %s\n", deed->name, id,
                      pg_text(res, 0, 2), pg_text(res, 0, 3));
        return EXIT_REJECTED;
    }
    if (deed->tells && pg_text(res, 0, 4)[0] != 't') {
        (void)fprintf(stderr,
                      "sluice: gateway quarantine %s: %s says nothing about an order, there is no event of it\n",
                      deed->name, id);
        return EXIT_REJECTED;
    }
    return EXIT_DONE;
}

static int look_and_settle(const struct cli *cli, const struct deed *deed, const char *const *params)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct err err;

    if (gateway_db(cli, "sluice gateway quarantine", &conn, &err) != RC_OK ||
        pg_query(conn, FIND, 1, params, &res, &err) != RC_OK) {
        return cli_fail("gateway quarantine", &err);
    }
    int code = look(deed, res, params[0]);
    if (code != EXIT_DONE) {
        return code;
    }
    if (cli->dry_run) {
        cli_note(cli, "would %s: %s of payment %s", deed->name, pg_text(res, 0, 0),
                 PQgetisnull(res, 0, 1) ? "-" : pg_text(res, 0, 1));
        return EXIT_DONE;
    }
    return settle(cli, conn, deed, params, &err) == RC_OK ? EXIT_DONE : cli_fail("gateway quarantine", &err);
}

static int check_and_do(const struct cli *cli, const struct deed *deed)
{
    const char *const params[] = {cli->argv[0], cli_flag(cli, "as"), cli_flag(cli, "note")};

    if (!account_is_text(params[1], NAME_MAX_BYTES)) {
        return cli_usage(cli, "--as: expected who you are, 1 to %d bytes of text", NAME_MAX_BYTES);
    }
    if (!account_is_text(params[2], NOTE_MAX_BYTES)) {
        return cli_usage(cli, "--note: expected why, 1 to %d bytes of text", NOTE_MAX_BYTES);
    }
    int code = check_id(cli);
    return code == EXIT_DONE ? look_and_settle(cli, deed, params) : code;
}

int cmd_gateway_quarantine_release(const struct cli *cli)
{
    return check_and_do(cli, &TO_RELEASE);
}

int cmd_gateway_quarantine_dismiss(const struct cli *cli)
{
    return check_and_do(cli, &TO_DISMISS);
}
