/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account reviews`: payment events that need a person, and that somebody has looked at them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "payment/state.h"
#include "pg/conn.h"
#include "table.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 100000
#define NAME_MAX_BYTES 64
#define NOTE_MAX_BYTES 500

#define WHICH "FROM payment_reviews WHERE ($1::bool OR resolved_at IS NULL) AND ($2::text IS NULL OR code = $2)"
static const char LIST[] =
    "SELECT id, payment_id, code, " SHOWN_TIME("created_at") ", coalesce(resolved_by, 'open'),"
                                                             " concat_ws(' | ', detail, note) " WHICH
                                                             " ORDER BY created_at DESC, id LIMIT $3::bigint";
static const char *const HEADS[] = {"ID", "PAYMENT", "CODE", "SINCE", "BY", "WHAT", NULL};
static const char LIST_JSON[] =
    "SELECT jsonb_build_object('reviews', coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.created_at DESC, r.id), '[]'))"
    " FROM (SELECT * " WHICH " ORDER BY created_at DESC, id LIMIT $3::bigint) r";

static const char FIND[] = "SELECT payment_id, code, resolved_by, " SHOWN_TIME("resolved_at") " FROM payment_reviews"
                                                                                              " WHERE id = $1::uuid";
/* Once, whoever else does it at the same time. */
static const char RESOLVE[] = "UPDATE payment_reviews SET resolved_at = now(), resolved_by = $2, note = $3"
                              " WHERE id = $1::uuid AND resolved_at IS NULL";

/* The event as it came, under an id of its own: the one that was reviewed stays so. Once, as above. */
static const char RETRY[] =
    "WITH r AS (UPDATE payment_reviews SET resolved_at = now(), resolved_by = $2, note = $3"
    "  WHERE id = $1::uuid AND resolved_at IS NULL RETURNING payment_id, event_type, event -> 'payload' AS payload)"
    " INSERT INTO payment_outbox (partition_key, event_type, payload) SELECT payment_id, event_type, payload FROM r";

static enum rc list(const struct cli *cli, const char *const *params, struct buf *out, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    bool found = false;

    TRY(account_db(cli, "sluice account reviews", &conn, err));
    if (cli->json) {
        return account_json(conn, LIST_JSON, 3, params, out, &found, err);
    }
    TRY(pg_query(conn, LIST, 3, params, &res, err));
    table_print(res, HEADS, "", out);
    return RC_OK;
}

static bool is_code(const char *code)
{
    for (int i = 1; i < PAYMENT_REVIEWS; i++) {
        if (strcmp(code, PAYMENT_REVIEW_NAMES[i]) == 0) {
            return true;
        }
    }
    return false;
}

int cmd_account_reviews_ls(const struct cli *cli)
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
    if (code != NULL && !is_code(code)) {
        return cli_usage(cli, "--code: \"%.40s\" is no code of a review, such as amount_mismatch", code);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    (void)snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    const char *const params[] = {cli_flag(cli, "all") != NULL ? "t" : "f", code, limit_text};
    return list(cli, params, &out, &err) == RC_OK ? cli_print(&out) : cli_fail("account reviews", &err);
}

/* ---- resolve ---- */

/* What is done with a review. */
struct deed {
    const char *name; /* of the command */
    const char *sql;  /* changes one row, or none */
    const char *done;
};
static const struct deed TO_RESOLVE = {"resolve", RESOLVE, "resolved"};
static const struct deed TO_RETRY = {"retry", RETRY, "asked again"};

/* REJECT: it is resolved. */
static enum rc resolve(const struct cli *cli, PGconn *conn, const struct deed *deed, const char *const *params,
                       struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, deed->sql, 3, params, &res, err));
    if (strcmp(PQcmdTuples(res), "1") != 0) {
        FAIL(err, RC_REJECT, "%s was resolved by somebody else just now", params[0]);
    }
    if (cli->json) {
        printf("{\"id\":\"%s\",\"state\":\"%s\"}\n", params[0], deed->done);
    } else {
        printf("%s: %s\n", deed->done, params[0]);
    }
    return RC_OK;
}

static int look_and_resolve(const struct cli *cli, const struct deed *deed, const char *const *params)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct err err;

    if (account_db(cli, "sluice account reviews", &conn, &err) != RC_OK ||
        pg_query(conn, FIND, 1, params, &res, &err) != RC_OK) {
        return cli_fail("account reviews", &err);
    }
    if (PQntuples(res) == 0) {
        (void)fprintf(stderr, "sluice: account reviews %s: there is no review %s\n", deed->name, params[0]);
        return EXIT_NOT_FOUND;
    }
    if (!PQgetisnull(res, 0, 2)) {
        (void)fprintf(stderr, "sluice: account reviews %s: %s was resolved by %s at %s\n", deed->name, params[0],
                      pg_text(res, 0, 2), pg_text(res, 0, 3));
        return EXIT_REJECTED;
    }
    if (cli->dry_run) {
        cli_note(cli, "would %s: %s of payment %s", deed->name, pg_text(res, 0, 1), pg_text(res, 0, 0));
        return EXIT_DONE;
    }
    return resolve(cli, conn, deed, params, &err) == RC_OK ? EXIT_DONE : cli_fail("account reviews", &err);
}

static int check_and_do(const struct cli *cli, const struct deed *deed)
{
    const char *const params[] = {cli->argv[0], cli_flag(cli, "as"), cli_flag(cli, "note")};

    if (!uuid_check(params[0], strlen(params[0]))) {
        return cli_usage(cli, "\"%.60s\" is not the id of a review, a UUID", params[0]);
    }
    if (!account_is_text(params[1], NAME_MAX_BYTES)) {
        return cli_usage(cli, "--as: expected who you are, 1 to %d bytes of text", NAME_MAX_BYTES);
    }
    if (!account_is_text(params[2], NOTE_MAX_BYTES)) {
        return cli_usage(cli, "--note: expected what was done about it, 1 to %d bytes of text", NOTE_MAX_BYTES);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    return look_and_resolve(cli, deed, params);
}

int cmd_account_reviews_resolve(const struct cli *cli)
{
    return check_and_do(cli, &TO_RESOLVE);
}

int cmd_account_reviews_retry(const struct cli *cli)
{
    return check_and_do(cli, &TO_RETRY);
}
