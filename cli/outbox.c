/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice outbox ls` and `show`: rows of the callback outbox. */
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

static const char LIST[] =
    "SELECT x.id, x.platform, x.status, " OUTBOX_STANDING ", x.attempt_count, x.round_attempts, x.queue_seq,"
    " to_char(x.next_attempt_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), extract(epoch FROM now() - x.created_at)::bigint,"
    " x.event_type, x.callback_target, left(translate(x.last_error, E'\\n\\r\\t', '   '), 80)"
    " FROM cs_platform_event_outbox x"
    " WHERE ($2 = 'all' OR ($2 = '' AND x.status <> 'delivered') OR x.status = $2)"
    " AND ($3::text IS NULL OR x.platform = $3)"
    " AND ($4::bigint IS NULL OR x.created_at < now() - $4::bigint * interval '1 millisecond')"
    " ORDER BY x.queue_seq NULLS LAST, x.id LIMIT $5::bigint";

struct listing {
    const char *status;
    char older_ms[24];
    char limit[24];
    int64_t limit_n;
};

static enum rc parse(const struct cli *cli, struct listing *l, struct err *err)
{
    static const char *const states[] = {"pending", "retrying", "delivered", "dead_letter", "all"};
    const char *older = cli_flag(cli, "older");
    int64_t ms = 0;
    bool known = cli_flag(cli, "status") == NULL;

    *l = (struct listing){.status = known ? "" : cli_flag(cli, "status"), .limit_n = LIMIT_DEFAULT};
    for (size_t i = 0; i < ARRAY_SIZE(states) && !known; i++) {
        known = strcmp(l->status, states[i]) == 0;
    }
    if (!known) {
        FAIL(err, RC_REJECT, "--status: \"%.40s\" is not pending, retrying, delivered, dead_letter or all", l->status);
    }
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

static void print_json(const PGresult *res, int row, struct buf *out)
{
    buf_printf(out, "%s{\"attempts\":%" PRId64 ",\"round_attempts\":%" PRId64 ",\"age_s\":%" PRId64 ",\"queue_seq\":%s",
               row > 0 ? ",\n" : "\n", pg_int(res, row, 4, 0), pg_int(res, row, 5, 0), pg_int(res, row, 8, 0),
               PQgetisnull(res, row, 6) ? "null" : pg_text(res, row, 6));
    add_json_text(out, res, row, 0, "id");
    add_json_text(out, res, row, 1, "platform");
    add_json_text(out, res, row, 9, "event_type");
    add_json_text(out, res, row, 10, "callback_target");
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

static enum rc list(const struct cli *cli, const struct listing *l, struct buf *out, int *out_n, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {config_str(cli->cfg, "topic.prefix"), l->status, cli_flag(cli, "platform"),
                            cli_flag(cli, "older") != NULL ? l->older_ms : NULL, l->limit};

    TRY(outbox_open(cli, &conn, err));
    TRY(pg_query(conn, LIST, ARRAY_SIZE(params), params, &res, err));
    *out_n = PQntuples(res);
    buf_puts(out, cli->json
                      ? "{\"rows\":["
                      : "ID                                    PLATFORM     STATUS      ATTEMPTS   AGE  STANDS    "
                        "                       NEXT ATTEMPT          LAST ERROR\n");
    for (int i = 0; i < *out_n; i++) {
        if (cli->json) {
            print_json(res, i, out);
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
        cli_note(cli, "no row matches%s", cli_flag(cli, "status") == NULL ? "; delivered ones are left out" : "");
    } else if (n == l.limit_n) {
        cli_note(cli, "stopped after %d; --limit shows more", n);
    }
    return code;
}

int cmd_outbox_show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    PGconn *conn CLEANUP(pg_closep) = NULL;
    const char *id = cli->argv[0];
    struct err err;
    bool found = false;

    buf_init(&out, OUTPUT_MAX);
    if (!uuid_check(id, strlen(id))) {
        return cli_usage(cli, "\"%.60s\" is not the id of a row, a UUID", id);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    buf_puts(&out, cli->json ? "{" : "");
    enum rc rc = outbox_open(cli, &conn, &err);
    rc = rc == RC_OK ? outbox_row_print(cli, conn, id, &out, &found, &err) : rc;
    if (rc != RC_OK) {
        return cli_fail("outbox show", &err);
    }
    if (!found) {
        (void)fprintf(stderr, "sluice: outbox show: there is no row %s\n", id);
        return EXIT_NOT_FOUND;
    }
    buf_puts(&out, cli->json ? "}\n" : "");
    return cli_print(&out);
}
