/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account show` and `ls`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "commands.h"
#include "ledger/ledger.h"
#include "pg/conn.h"
#include "table.h"

#define OUTPUT_MAX ((size_t)256 << 20)
#define HOLDS_SHOWN "200"
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000000

#define LIMITS                                                                                         \
    "concat_ws(', ', CASE WHEN no_negative THEN 'not below zero' END, CASE WHEN credit_only THEN"      \
    " 'takes only' END, CASE WHEN debit_only THEN 'gives only' END, CASE WHEN max_balance IS NOT NULL" \
    " THEN 'at most ' || " MONEY("max_balance", "exponent") " END)"

static const char ACCOUNT[] =
    "SELECT kind, currency, status, " MONEY("balance", "exponent") ", " MONEY("frozen", "exponent") ", " MONEY(
        "incoming",
        "exponent") ", " MONEY("balance::numeric - frozen",
                               "exponent") ","
                                           " coalesce(nullif(" LIMITS
                                           ", ''), 'none'), version, settings_version, " SHOWN_TIME(
                                               "created_at") ", " SHOWN_TIME("updated_at") " FROM accounts"
                                                                                           " WHERE account_id = $1";
static const char *const ACCOUNT_NAMES[] = {"kind",      "currency", "status", "balance",  "frozen",  "incoming",
                                            "available", "limits",   "flows",  "settings", "created", "last change"};

static const char SLOTS[] = "SELECT slot, " MONEY("balance", "exponent") ", " MONEY("frozen", "exponent") ", " MONEY(
    "incoming", "exponent") ", version, encode(hash, 'hex')"
                            " FROM account_slots WHERE account_id = $1 ORDER BY slot";
static const char *const SLOT_HEADS[] = {">SLOT",  ">BALANCE",         ">FROZEN", ">INCOMING",
                                         ">FLOWS", "HASH OF THE LAST", NULL};

static const char HOLDS[] =
    "SELECT t.transfer_id, CASE WHEN t.debit_account = $1 THEN 'gives' ELSE 'takes' END,"
    " CASE WHEN t.debit_account = $1 THEN t.debit_slot ELSE t.credit_slot END, " MONEY(
        "t.amount", "a.exponent") ", CASE WHEN t.debit_account = $1 THEN t.credit_account ELSE t.debit_account END,"
                                  " " SHOWN_TIME("t.booked_at") ", " SHOWN_TIME(
                                      "t.expires_at") ", left(t.reference, 60)"
                                                      " FROM account_transfers t, account_slots a"
                                                      " WHERE a.account_id = $1 AND a.slot = 0 AND t.state = 'held'"
                                                      " AND (t.debit_account = $1 OR t.credit_account = $1)"
                                                      " ORDER BY t.booked_at, t.transfer_id LIMIT " HOLDS_SHOWN;
static const char *const HOLD_HEADS[] = {"TRANSFER", "SIDE",    ">SLOT",     ">AMOUNT", "OTHER ACCOUNT",
                                         "SINCE",    "EXPIRES", "REFERENCE", NULL};

static const char AS_JSON[] =
    "SELECT to_jsonb(a) || jsonb_build_object('available', a.balance::numeric - a.frozen, 'slots',"
    " (SELECT jsonb_agg(jsonb_build_object('slot', s.slot, 'balance', s.balance, 'frozen', s.frozen,"
    "   'incoming', s.incoming, 'version', s.version, 'hash', encode(s.hash, 'hex')) ORDER BY s.slot)"
    "  FROM account_slots s WHERE s.account_id = $1),"
    " 'open_holds', coalesce((SELECT jsonb_agg(h) FROM (SELECT t.transfer_id, t.debit_account, t.debit_slot,"
    "   t.credit_account, t.credit_slot, t.amount, t.caller, t.reference, t.booked_at, t.expires_at"
    "  FROM account_transfers t WHERE t.state = 'held' AND (t.debit_account = $1 OR t.credit_account = $1)"
    "  ORDER BY t.booked_at, t.transfer_id LIMIT " HOLDS_SHOWN ") h), '[]'))"
    " FROM accounts a WHERE a.account_id = $1";

static enum rc show(const struct cli *cli, PGconn *conn, struct buf *out, bool *out_found, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *id = cli->argv[0];

    TRY(pg_exec(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, err));
    if (cli->json) {
        return account_json(conn, AS_JSON, 1, &id, out, out_found, err);
    }
    TRY(pg_query(conn, ACCOUNT, 1, &id, &res, err));
    *out_found = PQntuples(res) > 0;
    if (!*out_found) {
        return RC_OK;
    }
    buf_printf(out, "account %s\n", id);
    account_print_row(res, ACCOUNT_NAMES, ARRAY_SIZE(ACCOUNT_NAMES), out);
    TRY(account_print_part(conn, "slots", SLOTS, id, SLOT_HEADS, out, err));
    return account_print_part(conn, "open holds, the oldest first (at most " HOLDS_SHOWN ")", HOLDS, id, HOLD_HEADS,
                              out, err);
}

int cmd_account_show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct err err;
    bool found = false;

    buf_init(&out, OUTPUT_MAX);
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (account_db(cli, "sluice account show", &conn, &err) != RC_OK || show(cli, conn, &out, &found, &err) != RC_OK) {
        return cli_fail("account show", &err);
    }
    if (!found) {
        (void)fprintf(stderr, "sluice: account show: there is no account %.128s\n", cli->argv[0]);
        return EXIT_NOT_FOUND;
    }
    return cli_print(&out);
}

static const char LIST[] = "SELECT account_id, kind, currency, status, " MONEY("balance", "exponent") ", " MONEY(
    "frozen", "exponent") ", " MONEY("incoming", "exponent") ", version, slots, coalesce(" LIMITS ", '')"
                                                             " FROM accounts WHERE ($1::text IS NULL OR kind = $1) AND "
                                                             "($2::text IS NULL OR currency = $2)"
                                                             " AND ($3::text IS NULL OR account_id > $3) ORDER BY "
                                                             "account_id LIMIT $4::bigint";
static const char *const LIST_HEADS[] = {"ACCOUNT",   "KIND",   "CURRENCY", "STATUS", ">BALANCE", ">FROZEN",
                                         ">INCOMING", ">FLOWS", ">SLOTS",   "LIMITS", NULL};

static const char LIST_JSON[] =
    "SELECT jsonb_build_object('accounts', coalesce(jsonb_agg(x ORDER BY account_id COLLATE \"C\"), '[]'))"
    " FROM (SELECT * FROM accounts WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR currency = $2)"
    " AND ($3::text IS NULL OR account_id > $3) ORDER BY account_id LIMIT $4::bigint) x";

static enum rc list(const struct cli *cli, const char *limit, struct buf *out, int *out_n, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {cli_flag(cli, "kind"), cli_flag(cli, "currency"), cli_flag(cli, "after"), limit};
    bool found = false;

    TRY(account_db(cli, "sluice account ls", &conn, err));
    if (cli->json) {
        return account_json(conn, LIST_JSON, 4, params, out, &found, err);
    }
    TRY(pg_query(conn, LIST, 4, params, &res, err));
    table_print(res, LIST_HEADS, "", out);
    *out_n = PQntuples(res);
    return RC_OK;
}

int cmd_account_ls(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    const char *kind = cli_flag(cli, "kind");
    bool known = kind == NULL;
    int64_t limit = LIMIT_DEFAULT;
    char limit_text[24];
    struct err err;
    int n = 0;

    buf_init(&out, OUTPUT_MAX);
    for (size_t i = 0; i < LEDGER_KINDS && !known; i++) {
        known = strcmp(kind, LEDGER_KIND_NAMES[i]) == 0;
    }
    if (!known) {
        return cli_usage(cli, "--kind: \"%.40s\" is not user, merchant, clearing, suspense, fee or system", kind);
    }
    if (cli_flag_int(cli, "limit", 1, LIMIT_MAX, &limit, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    if (list(cli, limit_text, &out, &n, &err) != RC_OK) {
        return cli_fail("account ls", &err);
    }
    if (n == limit) {
        cli_note(cli, "stopped after %d; --after goes on behind an id, --limit shows more", n);
    }
    return cli_print(&out);
}
