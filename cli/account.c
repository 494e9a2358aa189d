/* SPDX-License-Identifier: Apache-2.0 */
/* The session, names and waiting of `sluice account ...`. */
#include "account.h"

#include <stdio.h>
#include <string.h>

#include "avro/utf8.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/opened_sql.h"
#include "pg/conn.h"
#include "shown.h"
#include "table.h"

#define STATEMENT_TIMEOUT_MS 300000
#define LOOK_MS 50

enum rc account_db(const struct cli *cli, const char *app, PGconn **out_conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const struct pg_options opt = {
        .app = app, .schema = config_str(cli->cfg, "database.schema"), .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    TRY(pg_open(config_str(cli->cfg, "database.url"), &opt, out_conn, err));
    TRY(pg_exec(*out_conn,
                "SELECT to_regclass('account_slots') IS NULL OR to_regclass('payment_state_transitions') IS NULL", &res,
                err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL, "the database has no tables of the ledger; run `sluice migrate`");
    }
    return RC_OK;
}

bool account_is_text(const char *text, size_t max)
{
    size_t n = text == NULL ? 0 : strlen(text);
    bool control = false;

    for (size_t i = 0; i < n; i++) {
        control = control || (unsigned char)text[i] < ' ' || text[i] == 0x7f;
    }
    return n >= 1 && n <= max && !control && utf8_check(text, n, NULL) != UTF8_INVALID;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

const volatile sig_atomic_t *account_catch_signals(void)
{
    const struct sigaction stop = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    return &interrupted;
}

void account_print_row(const PGresult *res, const char *const *names, size_t n, struct buf *out)
{
    for (int i = 0; PQntuples(res) > 0 && i < PQnfields(res) && i < (int)n; i++) {
        if (!PQgetisnull(res, 0, i)) {
            CLEANUP(freep) char *text = shown(pg_text(res, 0, i));
            buf_printf(out, "  %-12s %s\n", names[i], text);
        }
    }
}

enum rc account_print_part(PGconn *conn, const char *title, const char *sql, const char *id, const char *const *heads,
                           struct buf *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, sql, 1, &id, &res, err));
    if (PQntuples(res) > 0) {
        buf_printf(out, "%s\n", title);
        table_print(res, heads, "  ", out);
    }
    return RC_OK;
}

enum rc account_json(PGconn *conn, const char *sql, int n, const char *const *params, struct buf *out, bool *out_found,
                     struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, sql, n, params, &res, err));
    *out_found = PQntuples(res) > 0;
    if (*out_found) {
        buf_puts(out, pg_text(res, 0, 0));
        buf_putc(out, '\n');
    }
    return RC_OK;
}

/*
 * A decision that moved nothing, else what the transfer's flows of this event did. An opening gets no decision where
 * the account is as it is asked for, so the two are compared, as the gateway does. One snapshot: what this very command
 * has opened has a decision, too.
 */
static const char DECIDED[] =
    "SELECT outcome, code FROM (SELECT 1 AS rank, outcome, coalesce(code, '') AS code FROM account_decisions "
    "WHERE event_id = $1 UNION ALL SELECT 2, 'applied', '' FROM account_transfers WHERE transfer_id = $2 "
    "AND event_id = $1 AND state NOT IN ('rejected', 'cancelled_empty') "
    "UNION ALL SELECT 3, 'already', '' FROM account_command_outbox m JOIN account_slots a "
    "ON a.account_id = m.partition_key AND a.slot = 0 WHERE m.id = $1::text::uuid AND m.command = 'open' "
    "AND " OPENED_AS_ASKED_SQL ") d ORDER BY rank LIMIT 1";

static int say(const struct cli *cli, const char *event_id, const char *outcome, const char *code)
{
    bool already = strcmp(outcome, "already") == 0;
    bool done = already || strcmp(outcome, "applied") == 0;
    if (cli->json) {
        printf("{\"command\":\"%s\",\"outcome\":\"%s\",\"code\":", event_id, outcome);
        printf(code[0] != '\0' ? "\"%s\"}\n" : "null}\n", code);
    } else if (already) {
        printf("the account is as it is asked for already\n");
    } else {
        printf("%s%s%s\n", outcome, code[0] != '\0' ? ": " : "", code);
    }
    return done ? EXIT_DONE : EXIT_REJECTED;
}

int account_wait(const struct cli *cli, PGconn *conn, const char *event_id, const char *transfer_id, int64_t seconds)
{
    const char *params[] = {event_id, transfer_id};
    int64_t end_ms = clock_mono_ms() + seconds * 1000;
    struct err err;

    for (;;) {
        PGresult *res CLEANUP(pg_clearp) = NULL;
        if (pg_query(conn, DECIDED, 2, params, &res, &err) != RC_OK) {
            return cli_fail("account", &err);
        }
        if (PQntuples(res) > 0) {
            return say(cli, event_id, pg_text(res, 0, 0), pg_text(res, 0, 1));
        }
        if (clock_mono_ms() >= end_ms) {
            break;
        }
        clock_sleep_ms(LOOK_MS);
    }
    (void)fprintf(stderr, "sluice: command %s is not decided after %lld s; `sluice status` shows what waits\n",
                  event_id, (long long)seconds);
    return EXIT_TRY_AGAIN;
}
