/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "pg/conn.h"
#include "table.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 100000
#define NAME_MAX_BYTES 64
#define NOTE_MAX_BYTES 500

/* ---- ls ---- */

static enum rc print_list(const struct cli *cli, const struct settle_list *list, const char *const *params,
                          struct buf *out, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    bool found = false;

    TRY(list->open(cli, list->app, &conn, err));
    if (cli->json) {
        return account_json(conn, list->list_json, 3, params, out, &found, err);
    }
    TRY(pg_query(conn, list->list, 3, params, &res, err));
    table_print(res, list->heads, "", out);
    return RC_OK;
}

int settle_ls(const struct cli *cli, const struct settle_list *list, const char *code)
{
    int64_t limit = LIMIT_DEFAULT;
    CLEANUP(buf_done) struct buf out;
    char limit_text[24];
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    if (cli_flag_int(cli, "limit", 1, LIMIT_MAX, &limit, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    const char *const params[] = {cli_flag(cli, "all") != NULL ? "t" : "f", code, limit_text};
    return print_list(cli, list, params, &out, &err) == RC_OK ? cli_print(&out) : cli_fail(list->command, &err);
}

/* ---- deeds ---- */

int settle_check_id(const struct cli *cli, const struct settle_list *list)
{
    if (!uuid_check(cli->argv[0], strlen(cli->argv[0]))) {
        return cli_usage(cli, "\"%.60s\" is not the id of a %s, a UUID", cli->argv[0], list->thing);
    }
    return cli_require(cli, "database.url");
}

int settle_not_found(const struct settle_list *list, const char *id)
{
    (void)fprintf(stderr, "sluice: %s: there is no %s of the id %s\n", list->command, list->thing, id);
    return EXIT_NOT_FOUND;
}

/* EXIT_DONE: it is open, and can be done. */
static int look(const struct settle_list *list, const struct settle_deed *deed, const PGresult *found, const char *id)
{
    if (PQntuples(found) == 0) {
        return settle_not_found(list, id);
    }
    if (!PQgetisnull(found, 0, 2)) {
        (void)fprintf(stderr, "sluice: %s %s: %s was %s by %s at %s\n", list->command, deed->name, id, list->settled,
                      pg_text(found, 0, 2), pg_text(found, 0, 3));
        return EXIT_REJECTED;
    }
    if (deed->tells && pg_text(found, 0, 4)[0] != 't') {
        (void)fprintf(stderr, "sluice: %s %s: %s says nothing about an order, there is no event of it\n", list->command,
                      deed->name, id);
        return EXIT_REJECTED;
    }
    return EXIT_DONE;
}

/* Once, whoever else does it at the same time. REJECT: it is settled. */
static enum rc settle(const struct cli *cli, const struct settle_list *list, const struct settle_deed *deed,
                      PGconn *conn, const char *const *params, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, deed->sql, 3, params, &res, err));
    if (strcmp(PQcmdTuples(res), "1") != 0) {
        FAIL(err, RC_REJECT, "%s was %s by somebody else just now", params[0], list->settled);
    }
    if (cli->json) {
        printf("{\"id\":\"%s\",\"state\":\"%s\"}\n", params[0], deed->done);
    } else {
        printf("%s: %s\n", deed->done, params[0]);
    }
    return RC_OK;
}

static int look_and_settle(const struct cli *cli, const struct settle_list *list, const struct settle_deed *deed,
                           const char *const *params)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *found CLEANUP(pg_clearp) = NULL;
    struct err err;

    if (list->open(cli, list->app, &conn, &err) != RC_OK ||
        pg_query(conn, list->find, 1, params, &found, &err) != RC_OK) {
        return cli_fail(list->command, &err);
    }
    int code = look(list, deed, found, params[0]);
    if (code != EXIT_DONE) {
        return code;
    }
    if (cli->dry_run) {
        cli_note(cli, "would %s: %s of payment %s", deed->name, pg_text(found, 0, 0),
                 PQgetisnull(found, 0, 1) ? "-" : pg_text(found, 0, 1));
        return EXIT_DONE;
    }
    return settle(cli, list, deed, conn, params, &err) == RC_OK ? EXIT_DONE : cli_fail(list->command, &err);
}

int settle_do(const struct cli *cli, const struct settle_list *list, const struct settle_deed *deed)
{
    const char *const params[] = {cli->argv[0], cli_flag(cli, "as"), cli_flag(cli, "note")};

    if (!account_is_text(params[1], NAME_MAX_BYTES)) {
        return cli_usage(cli, "--as: expected who you are, 1 to %d bytes of text", NAME_MAX_BYTES);
    }
    if (!account_is_text(params[2], NOTE_MAX_BYTES)) {
        return cli_usage(cli, "--note: expected %s, 1 to %d bytes of text", list->note, NOTE_MAX_BYTES);
    }
    int code = settle_check_id(cli, list);
    return code == EXIT_DONE ? look_and_settle(cli, list, deed, params) : code;
}
