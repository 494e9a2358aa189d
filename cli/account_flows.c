/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account flows` and `transfer`: what was booked, and who asked for it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "pg/conn.h"
#include "table.h"
#include "when.h"

#define OUTPUT_MAX ((size_t)256 << 20)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000000000

struct flows_query {
    const char *id;
    char from[CLOCK_RFC3339_MAX]; /* "" = none */
    char to[CLOCK_RFC3339_MAX];
    char limit[24]; /* "" = none, of CSV only */
    int64_t limit_n;
};

#define WHERE_FLOWS                                                               \
    " WHERE f.account_id = $1 AND ($2::timestamptz IS NULL OR f.booked_at >= $2)" \
    " AND ($3::timestamptz IS NULL OR f.booked_at < $3)"
#define NEWEST " ORDER BY f.booked_at DESC, f.queue_seq DESC, f.slot, f.version DESC LIMIT $4::bigint"

static const char FLOWS[] =
    "SELECT " SHOWN_TIME("f.booked_at") ", f.slot, f.version, f.kind, " MONEY("f.amount", "a.exponent") ", " MONEY(
        "f.balance_after",
        "a.exponent") ", " MONEY("f.frozen_after",
                                 "a.exponent") ", " MONEY("f.incoming_after",
                                                          "a.exponent") ", f.counter_account, f.transfer_id,"
                                                                        " left(f.reference, 60)"
                                                                        " FROM account_flows f JOIN account_slots a"
                                                                        " ON a.account_id = f.account_id AND"
                                                                        " a.slot = 0" WHERE_FLOWS NEWEST;
static const char *const FLOW_HEADS[] = {"BOOKED",  ">SLOT",     ">VERSION",      "KIND",     ">AMOUNT",   ">BALANCE",
                                         ">FROZEN", ">INCOMING", "OTHER ACCOUNT", "TRANSFER", "REFERENCE", NULL};

static const char FLOWS_JSON[] =
    "SELECT jsonb_build_object('account_id', $1::text, 'flows', coalesce(jsonb_agg(to_jsonb(x) - 'rank'"
    " ORDER BY rank), '[]')) FROM (SELECT row_number() OVER (ORDER BY f.booked_at DESC, f.queue_seq DESC, f.slot,"
    " f.version DESC) AS rank, f.id AS flow_id, f.slot, f.version, f.kind, f.amount, f.balance_after, f.frozen_delta,"
    " f.frozen_after, f.incoming_delta, f.incoming_after, f.currency, f.counter_account, f.transfer_id, f.event_id,"
    " f.reference, f.effective_at, f.booked_at, encode(f.hash, 'hex') AS hash FROM account_flows f" WHERE_FLOWS NEWEST
    ") x";

#define EXACT_TIME(column) "to_char(" column ", 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
/* COPY knows no parameters: %s are quoted literals, the last one is a number or ALL. */
static const char FLOWS_CSV[] = "COPY (SELECT " EXACT_TIME("f.booked_at") " AS booked_at, " EXACT_TIME(
    "f.effective_at") " AS effective_at, f.slot, f.version, f.kind, f.amount, f.balance_after, f.frozen_delta,"
                      " f.frozen_after, f.incoming_delta, f.incoming_after, f.currency, f.counter_account, "
                      "f.transfer_id, f.event_id,"
                      " f.reference, f.id AS flow_id FROM account_flows f WHERE f.account_id = %s"
                      " AND (%s::timestamptz IS NULL OR f.booked_at >= %s) AND (%s::timestamptz IS NULL OR f.booked_at "
                      "< %s)"
                      " ORDER BY f.booked_at, f.queue_seq, f.slot, f.version LIMIT %s) TO STDOUT (FORMAT csv, HEADER)";

static enum rc parse_time(const struct cli *cli, const char *name, char out[CLOCK_RFC3339_MAX], struct err *err)
{
    const char *text = cli_flag(cli, name);
    int64_t us = 0;
    if (text == NULL) {
        return RC_OK;
    }
    if (!when_parse(text, clock_utc_us(), &us)) {
        FAIL(err, RC_REJECT, "--%s: \"%.40s\" is neither a time (2026-11-22T20:37:20Z) nor a duration (30m, 12h, 7d)",
             name, text);
    }
    clock_rfc3339(us, out);
    return RC_OK;
}

static enum rc parse(const struct cli *cli, struct flows_query *q, struct err *err)
{
    *q = (struct flows_query){.id = cli->argv[0], .limit_n = LIMIT_DEFAULT};
    TRY(parse_time(cli, "from", q->from, err));
    TRY(parse_time(cli, "to", q->to, err));
    TRY(cli_flag_int(cli, "limit", 1, LIMIT_MAX, &q->limit_n, err));
    if (cli_flag(cli, "csv") == NULL || cli_flag(cli, "limit") != NULL) {
        (void)snprintf(q->limit, sizeof(q->limit), "%" PRId64, q->limit_n);
    }
    return RC_OK;
}

static char *literal(PGconn *conn, const char *text)
{
    if (text[0] == '\0') {
        return xstrdup("NULL");
    }
    char *quoted = PQescapeLiteral(conn, text, strlen(text));
    char *copy = xstrdup(quoted != NULL ? quoted : "NULL");
    PQfreemem(quoted);
    return copy;
}

/* A row at a time, so that a long statement needs no memory. */
static enum rc copy_out(PGconn *conn, const char *sql, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = PQexec(conn, sql);
    char *row = NULL;
    int n = 0;
    bool written = true;

    if (PQresultStatus(res) != PGRES_COPY_OUT) {
        return pg_fail(conn, res, err);
    }
    while ((n = PQgetCopyData(conn, &row, 0)) > 0) {
        written = written && fwrite(row, 1, (size_t)n, stdout) == (size_t)n;
        PQfreemem(row);
    }
    PQclear(res);
    res = PQgetResult(conn);
    if (n != -1 || PQresultStatus(res) != PGRES_COMMAND_OK) {
        return pg_fail(conn, res, err);
    }
    if (!written || fflush(stdout) != 0) {
        FAIL(err, RC_FATAL, "cannot write to standard output");
    }
    return RC_OK;
}

static enum rc print_csv(PGconn *conn, const struct flows_query *q, struct err *err)
{
    CLEANUP(freep) char *id = literal(conn, q->id);
    CLEANUP(freep) char *from = literal(conn, q->from);
    CLEANUP(freep) char *to = literal(conn, q->to);
    CLEANUP(freep)
    char *sql = xasprintf(FLOWS_CSV, id, from, from, to, to, q->limit[0] != '\0' ? q->limit : "ALL");
    return copy_out(conn, sql, err);
}

static enum rc print_flows(const struct cli *cli, PGconn *conn, const struct flows_query *q, int *out_n,
                           struct err *err)
{
    CLEANUP(buf_done) struct buf out;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {q->id, q->from[0] != '\0' ? q->from : NULL, q->to[0] != '\0' ? q->to : NULL, q->limit};
    bool found = false;

    buf_init(&out, OUTPUT_MAX);
    if (cli->json) {
        TRY(account_json(conn, FLOWS_JSON, 4, params, &out, &found, err));
    } else {
        TRY(pg_query(conn, FLOWS, 4, params, &res, err));
        *out_n = PQntuples(res);
        table_print(res, FLOW_HEADS, "", &out);
    }
    if (out.overflow) {
        FAIL(err, RC_FATAL, "more than %zu bytes; --limit, --from and --to take less, --csv takes all", OUTPUT_MAX);
    }
    if (cli_print(&out) != EXIT_DONE) {
        FAIL(err, RC_FATAL, "cannot write to standard output");
    }
    return RC_OK;
}

static enum rc flows(const struct cli *cli, const struct flows_query *q, bool *out_missing, int *out_n, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(account_db(cli, "sluice account flows", &conn, err));
    TRY(pg_query(conn, "SELECT 1 FROM account_slots WHERE account_id = $1 LIMIT 1", 1, &q->id, &res, err));
    *out_missing = PQntuples(res) == 0;
    if (*out_missing) {
        FAIL(err, RC_REJECT, "there is no account %.128s", q->id);
    }
    return cli_flag(cli, "csv") != NULL ? print_csv(conn, q, err) : print_flows(cli, conn, q, out_n, err);
}

int cmd_account_flows(const struct cli *cli)
{
    struct flows_query q;
    struct err err;
    bool missing = false;
    int n = 0;

    if (parse(cli, &q, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli->json && cli_flag(cli, "csv") != NULL) {
        return cli_usage(cli, "--json and --csv exclude each other");
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (flows(cli, &q, &missing, &n, &err) != RC_OK) {
        int code = cli_fail("account flows", &err);
        return missing ? EXIT_NOT_FOUND : code;
    }
    if (n == q.limit_n) {
        cli_note(cli, "the newest %d; --limit shows more, --csv all", n);
    }
    return EXIT_DONE;
}
