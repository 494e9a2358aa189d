/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account open` and `set`: commands to the ledger, written by an operator. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "commands.h"
#include "ledger/ledger.h"
#include "pg/conn.h"

#define PAYLOAD_MAX 4096
#define WAIT_MAX_S 600

struct asking {
    const struct cli *cli;
    struct buf payload;
    int settings; /* named so far */
    int64_t wait_s;
};

static void add_text(struct asking *a, const char *name, const char *text)
{
    buf_printf(&a->payload, ",\"%s\":", name);
    buf_json_string(&a->payload, text, strlen(text));
}

static enum rc add_choice(struct asking *a, const char *flag, const char *name, const char *const *choices, size_t n,
                          struct err *err)
{
    const char *text = cli_flag(a->cli, flag);
    for (size_t i = 0; text != NULL && i < n; i++) {
        if (strcmp(text, choices[i]) == 0) {
            add_text(a, name, text);
            a->settings++;
            return RC_OK;
        }
    }
    if (text != NULL) {
        CLEANUP(freep) char *list = xstrdup(choices[0]);
        for (size_t i = 1; i < n; i++) {
            char *longer = xasprintf("%s, %s", list, choices[i]);
            freep(&list);
            list = longer;
        }
        FAIL(err, RC_REJECT, "--%s: \"%.40s\" is none of %s", flag, text, list);
    }
    return RC_OK;
}

/* A switch of `open` is true by being there; of `set` it says true or false. */
static enum rc add_switch(struct asking *a, const char *flag, const char *name, bool says, struct err *err)
{
    const char *text = cli_flag(a->cli, flag);
    if (text == NULL) {
        return RC_OK;
    }
    if (says && strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        FAIL(err, RC_REJECT, "--%s: \"%.40s\" is neither true nor false", flag, text);
    }
    buf_printf(&a->payload, ",\"%s\":%s", name, says ? text : "true");
    a->settings++;
    return RC_OK;
}

static enum rc add_settings(struct asking *a, bool set, struct err *err)
{
    const char *max = cli_flag(a->cli, "max-balance");
    int64_t n = 0;

    TRY(add_switch(a, "no-negative", "no_negative", set, err));
    TRY(add_switch(a, "credit-only", "credit_only", set, err));
    TRY(add_switch(a, "debit-only", "debit_only", set, err));
    if (max != NULL && set && strcmp(max, "none") == 0) {
        buf_puts(&a->payload, ",\"max_balance\":null");
        a->settings++;
    } else if (max != NULL) {
        TRY(cli_flag_int(a->cli, "max-balance", 0, INT64_MAX, &n, err));
        buf_printf(&a->payload, ",\"max_balance\":%" PRId64, n);
        a->settings++;
    }
    return RC_OK;
}

static enum rc parse_open(struct asking *a, struct err *err)
{
    const char *currency = cli_flag(a->cli, "currency");
    int64_t exponent = 2;

    if (currency == NULL || !ledger_is_currency(currency)) {
        FAIL(err, RC_REJECT, "--currency: expected 1 to 12 letters and digits, such as CNY");
    }
    add_text(a, "currency", currency);
    TRY(cli_flag_int(a->cli, "exponent", 0, 4, &exponent, err));
    buf_printf(&a->payload, ",\"exponent\":%" PRId64, exponent);
    TRY(add_choice(a, "kind", "kind", LEDGER_KIND_NAMES, LEDGER_KINDS, err));
    return add_settings(a, false, err);
}

static enum rc parse_set(struct asking *a, struct err *err)
{
    TRY(add_choice(a, "status", "status", LEDGER_STATUS_NAMES, LEDGER_STATUSES, err));
    TRY(add_settings(a, true, err));
    if (a->settings == 0) {
        FAIL(err, RC_REJECT,
             "expected at least one of --status, --no-negative, --credit-only, --debit-only, "
             "--max-balance");
    }
    return RC_OK;
}

static enum rc parse(struct asking *a, bool set, struct err *err)
{
    const char *id = a->cli->argv[0];

    if (!ledger_is_id(id)) {
        FAIL(err, RC_REJECT, "\"%.60s\" is no id of an account: 1 to 128 of A-Z a-z 0-9 . _ : ~ @ -", id);
    }
    TRY(cli_flag_int(a->cli, "wait", 0, WAIT_MAX_S, &a->wait_s, err));
    buf_puts(&a->payload, "{\"account_id\":");
    buf_json_string(&a->payload, id, strlen(id));
    TRY(set ? parse_set(a, err) : parse_open(a, err));
    buf_putc(&a->payload, '}');
    return RC_OK;
}

static enum rc write_command(const struct asking *a, PGconn *conn, const char *command, PGresult **out_res,
                             struct err *err)
{
    const char *params[] = {a->cli->argv[0], command, buf_str(&a->payload)};
    return pg_query(conn,
                    "INSERT INTO account_command_outbox (partition_key, command, payload) VALUES ($1, $2, $3::jsonb)"
                    " RETURNING id",
                    3, params, out_res, err);
}

static int ask(struct asking *a, const char *command)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct err err;

    if (cli_require(a->cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (a->cli->dry_run) {
        cli_note(a->cli, "would ask: %s %s", command, buf_str(&a->payload));
        return EXIT_DONE;
    }
    if (account_db(a->cli, "sluice account", &conn, &err) != RC_OK ||
        write_command(a, conn, command, &res, &err) != RC_OK) {
        return cli_fail("account", &err);
    }
    const char *id = pg_text(res, 0, 0);
    if (a->wait_s > 0) {
        return account_wait(a->cli, conn, id, NULL, a->wait_s);
    }
    printf(a->cli->json ? "{\"command\":\"%s\",\"outcome\":null,\"code\":null}\n" : "asked: %s\n", id);
    return EXIT_DONE;
}

static int open_or_set(const struct cli *cli, bool set)
{
    struct asking a = {.cli = cli};
    struct err err;

    buf_init(&a.payload, PAYLOAD_MAX);
    int code = parse(&a, set, &err) != RC_OK ? cli_usage(cli, "%s", err.text) : ask(&a, set ? "set" : "open");
    buf_done(&a.payload);
    return code;
}

int cmd_account_open(const struct cli *cli)
{
    return open_or_set(cli, false);
}

int cmd_account_set(const struct cli *cli)
{
    return open_or_set(cli, true);
}
