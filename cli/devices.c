/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice devices ls`, `show` and `deactivate`: phones, whose they are, and what became of messages to them. */
#include "devices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "express.h"
#include "pg/conn.h"
#include "table.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define TEXT_MAX 512
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 100000
#define REASON_MAX_BYTES 200

/* ---- ls ---- */

/* It has no appid, and another row of the same phone counts (schemas/push_device.h). */
#define PASSED_OVER "passed over: another row of this phone counts"

#define LIST_FROM                                                                            \
    " FROM push_devices d WHERE d.%s = $1::text::%s AND ($2::bool OR d.is_active) ORDER BY " \
    "d.last_seen_at DESC NULLS LAST, d.appid, d.cid LIMIT $3::bigint"
static const char LIST[] =
    "SELECT " PUSH_DEVICE_APPID("d") " || '/' || d.cid, d.user_id::text, d.merchant_id::text, d.platform, CASE WHEN "
                                     "NOT " PUSH_DEVICE_COUNTS("d") " THEN '" PASSED_OVER "' WHEN d.is_active THEN "
                                                                    "'active' ELSE coalesce('inactive: ' || "
                                                                    "d.inactive_reason, 'inactive') END, " SHOWN_TIME(
                                                                        "d.last_seen_at") ", d.strikes, d.id" LIST_FROM;
static const char *const LIST_HEADS[] = {"DEVICE",    "USER",     "MERCHANT", "PLATFORM", "STATE",
                                         "LAST SEEN", ">STRIKES", "ID",       NULL};
/* Beside the table's columns: passed_over. */
#define DEVICE_JSON                                                                                                  \
    "to_jsonb(d) || jsonb_build_object('appid', " PUSH_DEVICE_APPID("d") ", 'passed_over', NOT " PUSH_DEVICE_COUNTS( \
        "d") ")"
static const char LIST_JSON[] =
    "SELECT jsonb_build_object('devices', coalesce(jsonb_agg(x.j ORDER BY "
    "x.last_seen_at DESC NULLS LAST, x.appid, x.cid), '[]')) FROM (SELECT d.last_seen_at, d.appid, d.cid, " DEVICE_JSON
    " AS j" LIST_FROM ") x";

/* The one flag that says whose; NULL: none, or several. */
static const char *who(const struct cli *cli, const char **out_column)
{
    static const char *const FLAGS[][2] = {{"user", "user_id"}, {"merchant", "merchant_id"}, {"cid", "cid"}};
    const char *value = NULL;
    int n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(FLAGS); i++) {
        if (cli_flag(cli, FLAGS[i][0]) != NULL) {
            value = cli_flag(cli, FLAGS[i][0]);
            *out_column = FLAGS[i][1];
            n++;
        }
    }
    return n == 1 ? value : NULL;
}

static enum rc list(const struct cli *cli, const char *column, const char *const *params, struct buf *out, int *out_n,
                    struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char type[EXPRESS_TYPE_MAX];
    bool found = false;

    TRY(express_db(cli, "sluice devices ls", &conn, err));
    TRY(express_type(conn, "push_devices", column, type, err));
    char *sql CLEANUP(freep) = cli->json ? xasprintf(LIST_JSON, column, type) : xasprintf(LIST, column, type);
    if (cli->json) {
        return account_json(conn, sql, 3, params, out, &found, err);
    }
    TRY(pg_query(conn, sql, 3, params, &res, err));
    table_print(res, LIST_HEADS, "", out);
    *out_n = PQntuples(res);
    return RC_OK;
}

int cmd_devices_ls(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    const char *column = NULL;
    const char *value = who(cli, &column);
    int64_t limit = LIMIT_DEFAULT;
    char limit_text[24];
    struct err err;
    int n = 0;

    buf_init(&out, OUTPUT_MAX);
    if (!account_is_text(value, TEXT_MAX)) {
        return cli_usage(cli, "expected one of --user, --merchant and --cid, 1 to %d bytes", TEXT_MAX);
    }
    if (cli_flag_int(cli, "limit", 1, LIMIT_MAX, &limit, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    const char *const params[] = {value, cli_flag(cli, "all") != NULL ? "t" : "f", limit_text};
    if (list(cli, column, params, &out, &n, &err) != RC_OK) {
        return cli_fail("devices ls", &err);
    }
    if (n == limit) {
        cli_note(cli, "stopped after %d; --limit shows more", n);
    } else if (n == 0 && !cli->json && cli_flag(cli, "all") == NULL) {
        cli_note(cli, "no active device; --all shows the others too");
    }
    return cli_print(&out);
}

/* ---- which ---- */

enum rc device_parse(const char *text, struct device *out, struct err *err)
{
    const char *slash = strchr(text, '/');

    *out = (struct device){.text = text};
    if (uuid_check(text, strlen(text))) {
        out->id = text;
        return RC_OK;
    }
    if (slash == NULL || slash == text || slash[1] == '\0' || (size_t)(slash - text) >= sizeof(out->appid) ||
        !account_is_text(text, TEXT_MAX)) {
        FAIL(err, RC_REJECT, "\"%.80s\" is no device: expected APPID/CID, or the id of a row, a UUID", text);
    }
    memcpy(out->appid, text, (size_t)(slash - text));
    out->cid = slash + 1;
    return RC_OK;
}

enum rc device_query(PGconn *conn, const char *sql, const struct device *d, const char *more, PGresult **out_res,
                     struct err *err)
{
    const char *const params[] = {d->id, d->id != NULL ? NULL : d->appid, d->cid, more};
    return pg_query(conn, sql, more != NULL ? 4 : 3, params, out_res, err);
}

int device_missing(const char *command, const struct device *d)
{
    (void)fprintf(stderr, "sluice: devices %s: there is no device %.128s\n", command, d->text);
    return EXIT_NOT_FOUND;
}

/* ---- show ---- */

static const char SHOW[] = "SELECT d.id, " PUSH_DEVICE_APPID(
    "d") ", d.cid, d.user_id::text, d.merchant_id::text, d.platform, d.locale, d.is_active, "
         "d.inactive_reason, " SHOWN_TIME("d.inactive_at") ", d.strikes, " SHOWN_TIME("d.last_seen_at") ", " SHOWN_TIME(
             "d.created_at") ", " SHOWN_TIME("d.updated_at") " FROM push_devices d WHERE " DEVICE_WHICH("d");
static const char *const SHOW_NAMES[] = {"id",       "appid",     "cid",        "user",    "merchant",
                                         "platform", "locale",    "active",     "because", "inactive",
                                         "strikes",  "last seen", "registered", "changed"};
#define LAST "LIMIT 20"
static const char SENT[] =
    "SELECT x.message_id, x.aud, " SHOWN_TIME("x.created_at") ", x.generation, x.status, x.attempt_count, x.verdict, "
                                                              "x.provider, x.provider_code, x.last_error FROM "
                                                              "push_deliveries x WHERE x.appid = $1 AND x.cid = $2 "
                                                              "ORDER BY x.created_at DESC, x.id " LAST;
static const char *const SENT_HEADS[] = {"MESSAGE", "AUD",      "MADE", ">GEN",  "STATUS", ">ATTEMPTS",
                                         "VERDICT", "PROVIDER", "CODE", "ERROR", NULL};
static const char SHOW_JSON[] =
    "SELECT " DEVICE_JSON " || jsonb_build_object('deliveries', (SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY "
    "x.created_at DESC, x.id), '[]') FROM (SELECT * FROM push_deliveries p WHERE p.appid = " PUSH_DEVICE_APPID(
        "d") " AND p.cid = d.cid "
             "ORDER BY p.created_at DESC, p.id " LAST ") x)) FROM push_devices d WHERE " DEVICE_WHICH("d");

static enum rc show(const struct cli *cli, const struct device *d, struct buf *out, bool *out_found, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    PGresult *sent CLEANUP(pg_clearp) = NULL;

    TRY(express_db(cli, "sluice devices show", &conn, err));
    TRY(device_query(conn, cli->json ? SHOW_JSON : SHOW, d, NULL, &res, err));
    *out_found = PQntuples(res) > 0;
    if (!*out_found) {
        return RC_OK;
    }
    if (cli->json) {
        buf_printf(out, "%s\n", pg_text(res, 0, 0));
        return RC_OK;
    }
    const char *const device[] = {pg_text(res, 0, 1), pg_text(res, 0, 2)};
    account_print_row(res, SHOW_NAMES, ARRAY_SIZE(SHOW_NAMES), out);
    TRY(pg_query(conn, SENT, 2, device, &sent, err));
    if (PQntuples(sent) > 0) {
        buf_puts(out, "what was sent to it, the newest first (at most 20)\n");
        table_print(sent, SENT_HEADS, "  ", out);
    }
    return RC_OK;
}

int cmd_devices_show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    struct device d;
    struct err err;
    bool found = false;

    buf_init(&out, OUTPUT_MAX);
    if (device_parse(cli->argv[0], &d, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (show(cli, &d, &out, &found, &err) != RC_OK) {
        return cli_fail("devices show", &err);
    }
    return found ? cli_print(&out) : device_missing("show", &d);
}

/* ---- deactivate ---- */

static const char LOOK[] = "SELECT d.is_active, d.inactive_reason FROM push_devices d WHERE " DEVICE_WHICH("d");
static const char DEACTIVATE[] =
    "UPDATE push_devices d SET is_active = false, inactive_reason = $4, inactive_at = now(), updated_at = now() WHERE "
    "d.is_active AND " DEVICE_WHICH("d");

static int deactivate(const struct cli *cli, const struct device *d, const char *reason)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *found CLEANUP(pg_clearp) = NULL;
    PGresult *done CLEANUP(pg_clearp) = NULL;
    struct err err;

    if (express_db(cli, "sluice devices deactivate", &conn, &err) != RC_OK ||
        device_query(conn, LOOK, d, NULL, &found, &err) != RC_OK) {
        return cli_fail("devices deactivate", &err);
    }
    if (PQntuples(found) == 0) {
        return device_missing("deactivate", d);
    }
    if (pg_text(found, 0, 0)[0] != 't') {
        (void)fprintf(stderr, "sluice: devices deactivate: %.128s is inactive already: %.200s\n", d->text,
                      PQgetisnull(found, 0, 1) ? "no reason was given" : pg_text(found, 0, 1));
        return EXIT_REJECTED;
    }
    if (cli->dry_run) {
        cli_note(cli, "would deactivate %.128s", d->text);
        return EXIT_DONE;
    }
    int code = cli_confirm(cli, "Send nothing more to %.128s until it registers again?", d->text);
    if (code != EXIT_DONE) {
        return code;
    }
    if (device_query(conn, DEACTIVATE, d, reason, &done, &err) != RC_OK) {
        return cli_fail("devices deactivate", &err);
    }
    printf(cli->json ? "{\"deactivated\":%s}\n" : "deactivated: %s\n", PQcmdTuples(done));
    return EXIT_DONE;
}

int cmd_devices_deactivate(const struct cli *cli)
{
    const char *reason = cli_flag(cli, "reason");
    struct device d;
    struct err err;

    if (device_parse(cli->argv[0], &d, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (!account_is_text(reason, REASON_MAX_BYTES)) {
        return cli_usage(cli, "--reason: expected why, 1 to %d bytes of text", REASON_MAX_BYTES);
    }
    int code = cli_require(cli, "database.url");
    return code == EXIT_DONE ? deactivate(cli, &d, reason) : code;
}
