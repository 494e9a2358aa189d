/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account adjust`: a booking by hand, which one person proposes and another one approves. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "ledger/ledger.h"
#include "pg/conn.h"
#include "shown.h"
#include "table.h"

#define NAME_MAX_BYTES 64
#define REASON_MAX_BYTES 256 /* it becomes the transfer's reference */
#define WAIT_MAX_S 600
#define OUTPUT_MAX ((size_t)16 << 20)

/* Letters that only look alike and blanks at the end would make one person two. */
static bool is_name(const char *text)
{
    size_t n = strlen(text);
    return n >= 1 && n <= NAME_MAX_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-") == n;
}

static enum rc parse_as(const struct cli *cli, const char **out_name, struct err *err)
{
    *out_name = cli_flag(cli, "as");
    if (*out_name == NULL || !is_name(*out_name)) {
        FAIL(err, RC_REJECT, "--as: expected who you are, 1 to %d letters, digits and . _ @ + -", NAME_MAX_BYTES);
    }
    return RC_OK;
}

/* ---- propose ---- */

struct proposal {
    const char *debit, *credit, *currency, *reason, *as;
    int64_t amount;
    char amount_text[24];
};

static enum rc parse_proposal(const struct cli *cli, struct proposal *p, struct err *err)
{
    *p = (struct proposal){.debit = cli_flag(cli, "debit"),
                           .credit = cli_flag(cli, "credit"),
                           .currency = cli_flag(cli, "currency"),
                           .reason = cli_flag(cli, "reason")};
    TRY(parse_as(cli, &p->as, err));
    TRY(cli_flag_int(cli, "amount", 1, INT64_MAX, &p->amount, err));
    (void)snprintf(p->amount_text, sizeof(p->amount_text), "%" PRId64, p->amount);
    if (p->debit == NULL || !ledger_is_id(p->debit) || p->credit == NULL || !ledger_is_id(p->credit)) {
        FAIL(err, RC_REJECT, "--debit, --credit: expected ids of accounts, 1 to 128 of A-Z a-z 0-9 . _ : ~ @ -");
    }
    if (strcmp(p->debit, p->credit) == 0) {
        FAIL(err, RC_REJECT, "--debit and --credit name the same account");
    }
    if (p->amount == 0) {
        FAIL(err, RC_REJECT, "--amount: expected minor units, 1 or more");
    }
    if (p->currency == NULL || !ledger_is_currency(p->currency)) {
        FAIL(err, RC_REJECT, "--currency: expected 1 to 12 letters and digits, such as CNY");
    }
    if (!account_is_text(p->reason, REASON_MAX_BYTES)) {
        FAIL(err, RC_REJECT, "--reason: expected 1 to %d bytes of text", REASON_MAX_BYTES);
    }
    return RC_OK;
}

/* What the ledger would refuse anyway is said at once. */
static enum rc check_accounts(PGconn *conn, const struct proposal *p, struct err *err)
{
    const char *const sides[] = {p->debit, p->credit};

    for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
        PGresult *res CLEANUP(pg_clearp) = NULL;
        TRY(pg_query(conn, "SELECT currency FROM account_slots WHERE account_id = $1 AND slot = 0", 1, &sides[i], &res,
                     err));
        if (PQntuples(res) == 0) {
            FAIL(err, RC_REJECT, "there is no account %s", sides[i]);
        }
        if (strcmp(pg_text(res, 0, 0), p->currency) != 0) {
            FAIL(err, RC_REJECT, "account %s has the currency %s, not %s", sides[i], pg_text(res, 0, 0), p->currency);
        }
    }
    return RC_OK;
}

static enum rc propose(const struct cli *cli, const struct proposal *p, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {p->debit, p->credit, p->amount_text, p->currency, p->reason, p->as};

    TRY(account_db(cli, "sluice account adjust", &conn, err));
    TRY(check_accounts(conn, p, err));
    if (cli->dry_run) {
        cli_note(cli, "would propose: %s %s from %s to %s", p->amount_text, p->currency, p->debit, p->credit);
        return RC_OK;
    }
    TRY(pg_query(
        conn,
        "INSERT INTO account_adjustments (debit_account, credit_account, amount, currency, reason, proposed_by)"
        " VALUES ($1, $2, $3::bigint, $4, $5, $6) RETURNING id",
        ARRAY_SIZE(params), params, &res, err));
    printf(cli->json ? "{\"id\":\"%s\",\"state\":\"proposed\"}\n" : "proposed: %s\n", pg_text(res, 0, 0));
    cli_note(cli, "somebody else may now say `sluice account adjust approve %s --as NAME`", pg_text(res, 0, 0));
    return RC_OK;
}

int cmd_account_adjust_propose(const struct cli *cli)
{
    struct proposal p;
    struct err err;

    if (parse_proposal(cli, &p, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    return propose(cli, &p, &err) == RC_OK ? EXIT_DONE : cli_fail("account adjust propose", &err);
}

/* ---- approve, refuse ---- */

#define ADJUSTMENT                                                                                                  \
    "SELECT a.state, a.proposed_by, a.debit_account, a.credit_account, " MONEY(                                     \
        "a.amount", "coalesce(s.exponent, 0)") ", a.currency, a.reason, a.decided_by, to_char(a.decided_at, "       \
                                               "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"                                 \
                                               " lower(a.proposed_by) = lower($2) FROM account_adjustments a LEFT " \
                                               "JOIN account_slots s"                                               \
                                               " ON s.account_id = a.debit_account AND s.slot = 0 WHERE a.id = $1"
enum adjustment_field { A_STATE, A_BY, A_DEBIT, A_CREDIT, A_AMOUNT, A_CURRENCY, A_REASON, A_DECIDED_BY, A_AT, A_OWN };

/* One step of the state, and only from `proposed`, whoever else decides at the same time. */
static const char DECIDE[] =
    "UPDATE account_adjustments SET state = $3, decided_by = $2, decided_session = session_user, decided_at = now(),"
    " decision_note = $4 WHERE id = $1 AND state = 'proposed' AND ($3 = 'refused' OR lower(proposed_by) <> lower($2))";
static const char COMMAND[] =
    "INSERT INTO account_command_outbox (partition_key, command, payload) SELECT debit_account, 'transfer',"
    " jsonb_build_object('transfer_id', 'adjust:' || id, 'debit', debit_account, 'credit', credit_account, 'amount',"
    " amount, 'currency', currency, 'reference', reason) FROM account_adjustments WHERE id = $1 RETURNING id,"
    " payload ->> 'transfer_id'";

/* Why it cannot be decided so; RC_OK: it can. */
static enum rc may(const PGresult *res, const char *id, bool approves, struct err *err)
{
    if (strcmp(pg_text(res, 0, A_STATE), "proposed") != 0) {
        FAIL(err, RC_REJECT, "%s was %s by %s at %s", id, pg_text(res, 0, A_STATE), pg_text(res, 0, A_DECIDED_BY),
             pg_text(res, 0, A_AT));
    }
    if (approves && pg_text(res, 0, A_OWN)[0] == 't') {
        FAIL(err, RC_REJECT, "%s proposed it; somebody else has to approve it", pg_text(res, 0, A_BY));
    }
    return RC_OK;
}

struct deciding {
    const struct cli *cli;
    PGconn *conn;
    const char *id, *as;
    bool approves;
    char *event_id, *transfer_id; /* of the command that was written */
};

static enum rc write_decision(struct deciding *d, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    PGresult *command CLEANUP(pg_clearp) = NULL;
    const char *params[] = {d->id, d->as, d->approves ? "approved" : "refused", cli_flag(d->cli, "note")};

    TRY(pg_exec(d->conn, "BEGIN", NULL, err));
    TRY(pg_query(d->conn, DECIDE, ARRAY_SIZE(params), params, &res, err));
    if (strcmp(PQcmdTuples(res), "1") != 0) {
        FAIL(err, RC_REJECT, "%s was decided by somebody else just now", d->id);
    }
    if (d->approves) {
        TRY(pg_query(d->conn, COMMAND, 1, params, &command, err));
        d->event_id = xstrdup(pg_text(command, 0, 0));
        d->transfer_id = xstrdup(pg_text(command, 0, 1));
    }
    return pg_exec(d->conn, "COMMIT", NULL, err);
}

static int report(const struct deciding *d)
{
    int64_t wait_s = 0;
    struct err err;

    if (d->approves && cli_flag_int(d->cli, "wait", 0, WAIT_MAX_S, &wait_s, &err) == RC_OK && wait_s > 0) {
        return account_wait(d->cli, d->conn, d->event_id, d->transfer_id, wait_s);
    }
    if (d->cli->json) {
        printf("{\"id\":\"%s\",\"state\":\"%s\",\"transfer_id\":%s%s%s}\n", d->id, d->approves ? "approved" : "refused",
               d->approves ? "\"" : "", d->approves ? d->transfer_id : "null", d->approves ? "\"" : "");
    } else {
        printf(d->approves ? "approved: transfer %s is asked for\n" : "refused: %s\n",
               d->approves ? d->transfer_id : d->id);
    }
    return EXIT_DONE;
}

static int ask_and_write(struct deciding *d, const PGresult *res)
{
    const struct cli *cli = d->cli;
    CLEANUP(freep) char *reason = shown(pg_text(res, 0, A_REASON));
    CLEANUP(freep)
    char *what =
        xasprintf("%s %s from %s to %s, proposed by %s: %s", pg_text(res, 0, A_AMOUNT), pg_text(res, 0, A_CURRENCY),
                  pg_text(res, 0, A_DEBIT), pg_text(res, 0, A_CREDIT), pg_text(res, 0, A_BY), reason);
    struct err err;

    if (cli->dry_run) {
        cli_note(cli, "would %s: %s", d->approves ? "approve" : "refuse", what);
        return EXIT_DONE;
    }
    cli_note(cli, "%s", what);
    int code = cli_confirm(cli, d->approves ? "Book it?" : "Refuse it?");
    if (code != EXIT_DONE) {
        return code;
    }
    return write_decision(d, &err) == RC_OK ? report(d) : cli_fail("account adjust", &err);
}

static int decide(struct deciding *d)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {d->id, d->as};
    struct err err;

    if (account_db(d->cli, "sluice account adjust", &d->conn, &err) != RC_OK ||
        pg_query(d->conn, ADJUSTMENT, 2, params, &res, &err) != RC_OK) {
        return cli_fail("account adjust", &err);
    }
    if (PQntuples(res) == 0) {
        (void)fprintf(stderr, "sluice: account adjust: there is no adjustment %s\n", d->id);
        return EXIT_NOT_FOUND;
    }
    if (may(res, d->id, d->approves, &err) != RC_OK) {
        return cli_fail("account adjust", &err);
    }
    return ask_and_write(d, res);
}

static int approve_or_refuse(const struct cli *cli, bool approves)
{
    struct deciding d = {.cli = cli, .id = cli->argv[0], .approves = approves};
    int64_t wait_s = 0;
    struct err err;

    if (!uuid_check(d.id, strlen(d.id))) {
        return cli_usage(cli, "\"%.60s\" is not the id of an adjustment, a UUID", d.id);
    }
    const char *note = cli_flag(cli, "note");
    if (note != NULL && !account_is_text(note, REASON_MAX_BYTES)) {
        return cli_usage(cli, "--note: expected 1 to %d bytes of text", REASON_MAX_BYTES);
    }
    if (parse_as(cli, &d.as, &err) != RC_OK ||
        (approves && cli_flag_int(cli, "wait", 0, WAIT_MAX_S, &wait_s, &err) != RC_OK)) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    int code = decide(&d);
    pg_close(d.conn);
    freep(&d.event_id);
    freep(&d.transfer_id);
    return code;
}

int cmd_account_adjust_approve(const struct cli *cli)
{
    return approve_or_refuse(cli, true);
}

int cmd_account_adjust_refuse(const struct cli *cli)
{
    return approve_or_refuse(cli, false);
}

/* ---- ls ---- */

static const char LIST[] =
    "SELECT a.id, a.state, coalesce(t.state, CASE a.state WHEN 'approved' THEN 'waits' END), " MONEY(
        "a.amount",
        "coalesce(s.exponent, 0)") ", a.currency, a.debit_account, a.credit_account, a.proposed_by, "
                                   "to_char(a.proposed_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), a.decided_by,"
                                   " to_char(a.decided_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), a.reason FROM "
                                   "account_adjustments a"
                                   " LEFT JOIN account_slots s ON s.account_id = a.debit_account AND s.slot = 0"
                                   " LEFT JOIN account_transfers t ON t.transfer_id = 'adjust:' || a.id WHERE ($1 = "
                                   "'all' OR a.state = $1)"
                                   " ORDER BY a.proposed_at DESC, a.id LIMIT 1000";
static const char *const LIST_HEADS[] = {"ID",          "STATE", "TRANSFER",   ">AMOUNT", "CURRENCY", "DEBIT", "CREDIT",
                                         "PROPOSED BY", "AT",    "DECIDED BY", "AT",      "REASON",   NULL};
static const char LIST_JSON[] =
    "SELECT jsonb_build_object('adjustments', coalesce(jsonb_agg(to_jsonb(a) || jsonb_build_object('transfer_id',"
    " 'adjust:' || a.id, 'transfer_state', t.state) ORDER BY a.proposed_at DESC, a.id), '[]')) FROM account_adjustments"
    " a LEFT JOIN account_transfers t ON t.transfer_id = 'adjust:' || a.id WHERE ($1 = 'all' OR a.state = $1)";

static enum rc list(const struct cli *cli, const char *state, struct buf *out, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    bool found = false;

    TRY(account_db(cli, "sluice account adjust", &conn, err));
    if (cli->json) {
        return account_json(conn, LIST_JSON, 1, &state, out, &found, err);
    }
    TRY(pg_query(conn, LIST, 1, &state, &res, err));
    table_print(res, LIST_HEADS, "", out);
    return RC_OK;
}

int cmd_account_adjust_ls(const struct cli *cli)
{
    static const char *const states[] = {"proposed", "approved", "refused", "all"};
    const char *state = cli_flag(cli, "state") != NULL ? cli_flag(cli, "state") : "proposed";
    CLEANUP(buf_done) struct buf out;
    bool known = false;
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        known = known || strcmp(state, states[i]) == 0;
    }
    if (!known) {
        return cli_usage(cli, "--state: \"%.40s\" is not proposed, approved, refused or all", state);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    return list(cli, state, &out, &err) == RC_OK ? cli_print(&out) : cli_fail("account adjust ls", &err);
}
