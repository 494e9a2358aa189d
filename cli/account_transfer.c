/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account transfer`: a transfer, how its state came about, and the commands that asked. */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "commands.h"
#include "pg/conn.h"
#include "table.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define ROWS_SHOWN "200"
/* The currency's digits are those of the debit account; a transfer that was refused may name one that is not there. */
#define EXPONENT \
    "coalesce((SELECT exponent FROM account_slots a WHERE a.account_id = t.debit_account AND a.slot = 0), 0)"

static const char TRANSFER[] =
    "SELECT t.state, t.code, t.debit_account || coalesce(' (slot ' || t.debit_slot || ')', ''),"
    " t.credit_account || coalesce(' (slot ' || t.credit_slot || ')', ''), " MONEY("t.amount", EXPONENT) ", " MONEY(
        "t.confirmed_amount",
        EXPONENT) ", t.currency, t.reference, nullif(t.caller, ''), t.set_id, t.version,"
                  " t.event_id, " SHOWN_TIME("t.effective_at") ", " SHOWN_TIME("t.expires_at") ", " SHOWN_TIME(
                      "t.booked_at") ", " SHOWN_TIME("t.updated_at") " FROM account_transfers t WHERE t.transfer_id = "
                                                                     "$1";
static const char *const TRANSFER_NAMES[] = {"state",     "code",      "debit",  "credit",     "amount",  "confirmed",
                                             "currency",  "reference", "caller", "set",        "version", "decided by",
                                             "effective", "expires",   "booked", "last change"};

static const char FLOWS[] = "SELECT " SHOWN_TIME("f.booked_at") ", f.kind, f.account_id, f.slot, f.version, " MONEY(
    "f.amount",
    "a.exponent") ", " MONEY("f.frozen_delta",
                             "a.exponent") ", " MONEY("f.incoming_delta",
                                                      "a.exponent") ", f.event_id FROM account_flows f JOIN "
                                                                    "account_slots a"
                                                                    " ON a.account_id = f.account_id AND a.slot = 0"
                                                                    " WHERE f.transfer_id = $1 ORDER BY f.queue_seq, "
                                                                    "f.account_id LIMIT " ROWS_SHOWN;
static const char *const FLOW_HEADS[] = {"BOOKED",  "KIND",    "ACCOUNT",   ">SLOT", ">VERSION",
                                         ">AMOUNT", ">FROZEN", ">INCOMING", "EVENT", NULL};

static const char DECISIONS[] = "SELECT " SHOWN_TIME("d.decided_at") ", d.command, d.outcome, d.code, d.event_id"
                                                                     " FROM account_decisions d"
                                                                     " WHERE d.transfer_id = $1"
                                                                     " ORDER BY d.queue_seq LIMIT " ROWS_SHOWN;
static const char *const DECISION_HEADS[] = {"DECIDED", "COMMAND", "OUTCOME", "CODE", "EVENT", NULL};

static const char COMMANDS[] = "SELECT " SHOWN_TIME("c.created_at") ", c.command, c.partition_key, nullif(c.caller, '')"
                                                                    ", c.id FROM account_command_outbox c"
                                                                    " WHERE c.payload ->> 'transfer_id' = $1"
                                                                    " ORDER BY c.queue_seq LIMIT " ROWS_SHOWN;
static const char *const COMMAND_HEADS[] = {"ASKED", "COMMAND", "KEY", "CALLER", "EVENT", NULL};

static const char AS_JSON[] =
    "SELECT jsonb_build_object('transfer', (SELECT to_jsonb(t) || jsonb_build_object('content_hash',"
    "  encode(t.content_hash, 'hex')) FROM account_transfers t WHERE t.transfer_id = $1),"
    " 'flows', coalesce((SELECT jsonb_agg((to_jsonb(f) - '{decision,queue_txid}'::text[]) || jsonb_build_object('hash',"
    "  encode(f.hash, 'hex')) ORDER BY f.queue_seq) FROM account_flows f WHERE f.transfer_id = $1), '[]'),"
    " 'decisions', coalesce((SELECT jsonb_agg(to_jsonb(d) - '{decision,queue_txid}'::text[] ORDER BY d.queue_seq)"
    "  FROM account_decisions d WHERE d.transfer_id = $1), '[]'),"
    " 'commands', coalesce((SELECT jsonb_agg(to_jsonb(c) - 'queue_txid' ORDER BY c.queue_seq)"
    "  FROM account_command_outbox c WHERE c.payload ->> 'transfer_id' = $1), '[]'))";
static const char KNOWN[] = "SELECT EXISTS (SELECT FROM account_transfers WHERE transfer_id = $1)"
                            " OR EXISTS (SELECT FROM account_flows WHERE transfer_id = $1)"
                            " OR EXISTS (SELECT FROM account_decisions WHERE transfer_id = $1)"
                            " OR EXISTS (SELECT FROM account_command_outbox WHERE payload ->> 'transfer_id' = $1)";

static enum rc print_row(PGconn *conn, const char *id, struct buf *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    TRY(pg_query(conn, TRANSFER, 1, &id, &res, err));
    buf_printf(out, "transfer %s\n%s", id, PQntuples(res) == 0 ? "  nothing was decided under this id yet\n" : "");
    account_print_row(res, TRANSFER_NAMES, ARRAY_SIZE(TRANSFER_NAMES), out);
    return RC_OK;
}

static enum rc show(const struct cli *cli, PGconn *conn, struct buf *out, bool *out_found, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *id = cli->argv[0];

    TRY(pg_exec(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, err));
    TRY(pg_query(conn, KNOWN, 1, &id, &res, err));
    *out_found = pg_text(res, 0, 0)[0] == 't';
    if (!*out_found) {
        return RC_OK;
    }
    if (cli->json) {
        return account_json(conn, AS_JSON, 1, &id, out, out_found, err);
    }
    TRY(print_row(conn, id, out, err));
    TRY(account_print_part(conn, "flows", FLOWS, id, FLOW_HEADS, out, err));
    TRY(account_print_part(conn, "decisions that moved nothing", DECISIONS, id, DECISION_HEADS, out, err));
    return account_print_part(conn, "commands", COMMANDS, id, COMMAND_HEADS, out, err);
}

int cmd_account_transfer(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct err err;
    bool found = false;

    buf_init(&out, OUTPUT_MAX);
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (account_db(cli, "sluice account transfer", &conn, &err) != RC_OK ||
        show(cli, conn, &out, &found, &err) != RC_OK) {
        return cli_fail("account transfer", &err);
    }
    if (!found) {
        (void)fprintf(stderr, "sluice: account transfer: nobody has asked for %.128s\n", cli->argv[0]);
        return EXIT_NOT_FOUND;
    }
    return cli_print(&out);
}
