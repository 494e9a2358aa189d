/* SPDX-License-Identifier: Apache-2.0 */
/* A row and what hangs on it. */
#include "outbox_row.h"

#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "shown.h"

#define STATEMENT_TIMEOUT_MS 60000
#define TIME(column) "to_char(" column ", 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

static const char ATTEMPTS[] = "SELECT attempt_no, " TIME(
    "created_at") ", coalesce(outcome, '-'), coalesce(response_status::text, '-'),"
                  " coalesce(duration_ms || ' ms', '-'), coalesce(queue_seq::text, '-'), coalesce(error_message, '')"
                  " FROM cs_platform_event_delivery_attempts WHERE event_id = $1 ORDER BY attempt_no DESC LIMIT 200";

static const char DEAD[] =
    "SELECT " TIME("created_at") ", attempt_count, coalesce(error_class, '-'),"
                                 " coalesce(final_error, '') FROM cs_platform_event_dead_letters WHERE event_id = $1";

enum rc outbox_open(const struct cli *cli, PGconn **out_conn, struct err *err)
{
    const struct pg_options opt = {.app = "sluice outbox",
                                   .schema = config_str(cli->cfg, "database.schema"),
                                   .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    return pg_open(config_str(cli->cfg, "database.url"), &opt, out_conn, err);
}

/* A member that is a list is one without a row, too. */
static const char *empty(const char *name)
{
    return strcmp(name, "attempts") == 0 || strcmp(name, "notifications") == 0 ? "[]" : "null";
}

static void print_json(const PGresult *res, struct buf *out)
{
    bool found = PQntuples(res) > 0;

    for (int i = 0; i < PQnfields(res); i++) {
        const char *name = PQfname(res, i);
        bool there = found && !PQgetisnull(res, 0, i);
        buf_printf(out, "%s\"%s\":%s", i > 0 ? "," : "", name, there ? pg_text(res, 0, i) : empty(name));
    }
}

static enum rc print_attempts(PGconn *conn, const char *id, struct buf *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    PGresult *dead CLEANUP(pg_clearp) = NULL;
    const char *params[] = {id};
    TRY(pg_query(conn, ATTEMPTS, 1, params, &res, err));
    TRY(pg_query(conn, DEAD, 1, params, &dead, err));
    if (PQntuples(res) > 0) {
        buf_puts(out, "attempts, the newest first\n   NO  TIME                      OUTCOME      STATUS  TOOK       "
                      "QUEUE_SEQ  ERROR\n");
    }
    for (int i = 0; i < PQntuples(res); i++) {
        CLEANUP(freep) char *outcome = shown(pg_text(res, i, 2));
        CLEANUP(freep) char *error = shown(pg_text(res, i, 6));
        buf_printf(out, "  %3s  %-24s  %-11s  %-6s  %-9s  %-9s  %s\n", pg_text(res, i, 0), pg_text(res, i, 1), outcome,
                   pg_text(res, i, 3), pg_text(res, i, 4), pg_text(res, i, 5), error);
    }
    if (PQntuples(dead) > 0) {
        CLEANUP(freep) char *class = shown(pg_text(dead, 0, 2));
        CLEANUP(freep) char *error = shown(pg_text(dead, 0, 3));
        buf_printf(out, "dead letter of %s after %s attempts: %s: %s\n", pg_text(dead, 0, 0), pg_text(dead, 0, 1),
                   class, error);
    }
    return RC_OK;
}

static enum rc print_detail(PGconn *conn, const struct outbox_view *view, const char *id, struct buf *out,
                            struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {id};

    if (view->detail == NULL) {
        return print_attempts(conn, id, out, err);
    }
    TRY(pg_query(conn, view->detail, 1, params, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        CLEANUP(freep) char *text = shown(pg_text(res, i, 0));
        buf_printf(out, "%s\n", text);
    }
    return RC_OK;
}

enum rc outbox_row_print(const struct cli *cli, PGconn *conn, const struct row_kind *kind, const char *id,
                         struct buf *out, bool *out_found, struct err *err)
{
    const struct outbox_view *view = outbox_view_of(kind);
    char *from CLEANUP(freep) = outbox_from(kind);
    char *sql CLEANUP(freep) = xasprintf("SELECT %s%s FROM %s WHERE x.id = $2",
                                         cli->json ? "to_jsonb(x) - '{state,about,ended,waits}'::text[] AS row, " : "",
                                         cli->json ? view->json : view->row, from);
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {config_str(cli->cfg, "topic.prefix"), id};

    TRY(pg_query(conn, sql, 2, params, &res, err));
    *out_found = PQntuples(res) > 0;
    if (cli->json) {
        print_json(res, out);
        return RC_OK;
    }
    if (!*out_found) {
        return RC_OK;
    }
    buf_printf(out, "row %s\n", id);
    for (int i = 0; i < PQnfields(res); i++) {
        if (!PQgetisnull(res, 0, i)) {
            CLEANUP(freep) char *text = shown(pg_text(res, 0, i));
            buf_printf(out, "  %-13s %s\n", PQfname(res, i), text);
        }
    }
    return print_detail(conn, view, id, out, err);
}
