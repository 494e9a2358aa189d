/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice outbox ls` and `show`: rows of the outboxes. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "outbox_row.h"
#include "pg/conn.h"
#include "shown.h"
#include "when.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 100000
#define OUTPUT_MAX ((size_t)256 << 20)

/* %s: attempts, round, next_at, type, target, error of the view; the rows; good. */
static const char LIST[] =
    "SELECT x.id, x.about, x.state, x.stands, %s, %s, x.queue_seq, %s,"
    " extract(epoch FROM now() - x.created_at)::bigint, %s, %s, left(translate(%s, E'\\n\\r\\t', '   '), 80)"
    " FROM %s"
    " WHERE ($2 = 'all' OR ($2 = '' AND x.state NOT IN (%s)) OR x.state = $2)"
    " AND ($3::text IS NULL OR x.about = $3)"
    " AND ($4::bigint IS NULL OR x.created_at < now() - $4::bigint * interval '1 millisecond')"
    " ORDER BY x.queue_seq NULLS LAST, x.id LIMIT $5::bigint";

struct listing {
    const struct row_kind *kind;
    const struct outbox_view *view;
    const char *status;
    char older_ms[24];
    char limit[24];
    int64_t limit_n;
};

static enum rc parse_status(struct listing *l, struct err *err)
{
    char known[128] = "";

    if (l->status[0] == '\0' || strcmp(l->status, "all") == 0 || row_state_in(l->view->states, l->status)) {
        return RC_OK;
    }
    for (size_t i = 0; i < ROW_STATES_MAX && l->view->states[i] != NULL; i++) {
        size_t at = strlen(known);
        (void)snprintf(known + at, sizeof(known) - at, "%s%s", i > 0 ? ", " : "", l->view->states[i]);
    }
    FAIL(err, RC_REJECT, "--status: \"%.40s\" is not %s or all", l->status, known);
}

static enum rc parse(const struct cli *cli, struct listing *l, struct err *err)
{
    const char *older = cli_flag(cli, "older");
    const char *status = cli_flag(cli, "status");
    int64_t ms = 0;

    *l = (struct listing){.status = status == NULL ? "" : status, .limit_n = LIMIT_DEFAULT};
    TRY(outbox_source(cli, &l->kind, err));
    l->view = outbox_view_of(l->kind);
    TRY(parse_status(l, err));
    if (older != NULL && !when_duration(older, &ms)) {
        FAIL(err, RC_REJECT, "--older: \"%.40s\" is not a duration (30m, 12h, 7d)", older);
    }
    TRY(cli_flag_int(cli, "limit", 1, LIMIT_MAX, &l->limit_n, err));
    (void)snprintf(l->older_ms, sizeof(l->older_ms), "%" PRId64, ms);
    (void)snprintf(l->limit, sizeof(l->limit), "%" PRId64, l->limit_n);
    return RC_OK;
}

static void add_json_text(struct buf *out, const PGresult *res, int row, int col, const char *name)
{
    buf_printf(out, ",\"%s\":", name);
    if (PQgetisnull(res, row, col)) {
        buf_puts(out, "null");
    } else {
        buf_json_string(out, pg_text(res, row, col), strlen(pg_text(res, row, col)));
    }
}

static void add_json_number(struct buf *out, const PGresult *res, int row, int col, const char *name)
{
    buf_printf(out, "%s\"%s\":%s", buf_str(out)[out->len - 1] == '{' ? "" : ",", name,
               PQgetisnull(res, row, col) ? "null" : pg_text(res, row, col));
}

static void print_json(const struct listing *l, const PGresult *res, int row, struct buf *out)
{
    buf_puts(out, row > 0 ? ",\n{" : "\n{");
    add_json_number(out, res, row, 4, "attempts");
    add_json_number(out, res, row, 5, "round_attempts");
    add_json_number(out, res, row, 8, "age_s");
    add_json_number(out, res, row, 6, "queue_seq");
    add_json_text(out, res, row, 0, "id");
    add_json_text(out, res, row, 1, l->view->about_name);
    add_json_text(out, res, row, 9, l->view->type_name);
    add_json_text(out, res, row, 10, l->view->role_name);
    add_json_text(out, res, row, 2, "status");
    add_json_text(out, res, row, 3, "stands");
    add_json_text(out, res, row, 7, "next_attempt_at");
    add_json_text(out, res, row, 11, "last_error");
    buf_putc(out, '}');
}

static void print_text(const PGresult *res, int row, struct buf *out)
{
    char age[WHEN_TEXT_MAX];
    when_age(pg_int(res, row, 8, 0), age);
    CLEANUP(freep) char *platform = shown(pg_text(res, row, 1));
    CLEANUP(freep) char *error = shown(pg_text(res, row, 11));
    buf_printf(out, "%-36s  %-12s %-11s %8s %5s  %-32s %-20s  %s\n", pg_text(res, row, 0), platform,
               pg_text(res, row, 2), pg_text(res, row, 4), age, pg_text(res, row, 3), pg_text(res, row, 7), error);
}

static void print_head(const struct listing *l, struct buf *out)
{
    char about[16] = "";
    for (size_t i = 0; i + 1 < sizeof(about) && l->view->about_name[i] != '\0'; i++) {
        about[i] = (char)toupper((unsigned char)l->view->about_name[i]);
    }
    buf_printf(out, "%-36s  %-12s %-11s %8s %5s  %-32s %-20s  %s\n", "ID", about, "STATUS", "ATTEMPTS", "AGE", "STANDS",
               "NEXT ATTEMPT", "LAST ERROR");
}

static enum rc list(const struct cli *cli, const struct listing *l, struct buf *out, int *out_n, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {config_str(cli->cfg, "topic.prefix"), l->status, cli_flag(cli, "platform"),
                            cli_flag(cli, "older") != NULL ? l->older_ms : NULL, l->limit};

    const struct outbox_view *v = l->view;
    char *from CLEANUP(freep) = outbox_from(l->kind);
    char *sql CLEANUP(freep) =
        xasprintf(LIST, v->attempts, v->round, v->next_at, v->type, v->target, v->error, from, v->good);

    TRY(outbox_open(cli, &conn, err));
    TRY(pg_query(conn, sql, ARRAY_SIZE(params), params, &res, err));
    *out_n = PQntuples(res);
    if (cli->json) {
        buf_puts(out, "{\"rows\":[");
    } else {
        print_head(l, out);
    }
    for (int i = 0; i < *out_n; i++) {
        if (cli->json) {
            print_json(l, res, i, out);
        } else {
            print_text(res, i, out);
        }
    }
    buf_puts(out, cli->json ? "\n]}\n" : "");
    return RC_OK;
}

int cmd_outbox_ls(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    struct listing l;
    struct err err;
    int n = 0;

    buf_init(&out, OUTPUT_MAX);
    if (parse(cli, &l, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (list(cli, &l, &out, &n, &err) != RC_OK) {
        return cli_fail("outbox ls", &err);
    }
    int code = cli_print(&out);
    if (n == 0) {
        cli_note(cli, "no row matches%s",
                 cli_flag(cli, "status") == NULL ? "; those with a good end are left out" : "");
    } else if (n == l.limit_n) {
        cli_note(cli, "stopped after %d; --limit shows more", n);
    }
    return code;
}

/* In the table that --source names, else in the first one that has it. */
static enum rc show(const struct cli *cli, const char *id, struct buf *out, bool *out_found, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    const struct row_kind *kind = row_kind_of_source(cli_flag(cli, "source") == NULL ? "" : cli_flag(cli, "source"));

    TRY(outbox_open(cli, &conn, err));
    for (size_t i = 0; i < ROW_KINDS_N && !*out_found; i++) {
        if (kind == NULL || kind == &ROW_KINDS[i]) {
            buf_clear(out);
            buf_puts(out, cli->json ? "{" : "");
            TRY(outbox_row_print(cli, conn, &ROW_KINDS[i], id, out, out_found, err));
        }
    }
    return RC_OK;
}

int cmd_outbox_show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    const struct row_kind *kind = NULL;
    const char *id = cli->argv[0];
    struct err err;
    bool found = false;

    buf_init(&out, OUTPUT_MAX);
    if (!uuid_check(id, strlen(id))) {
        return cli_usage(cli, "\"%.60s\" is not the id of a row, a UUID", id);
    }
    if (outbox_source(cli, &kind, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (show(cli, id, &out, &found, &err) != RC_OK) {
        return cli_fail("outbox show", &err);
    }
    if (!found) {
        (void)fprintf(stderr, "sluice: outbox show: there is no row %s\n", id);
        return EXIT_NOT_FOUND;
    }
    buf_puts(&out, cli->json ? "}\n" : "");
    return cli_print(&out);
}
