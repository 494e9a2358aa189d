/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice outbox replay`: rows back on the road, whatever their end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "delivery_state/requeue.h"
#include "outbox_row.h"
#include "pg/array.h"
#include "pg/conn.h"
#include "when.h"

#define IDS_MAX 1000
#define STUCK_MS_DEFAULT (3600 * INT64_C(1000))
#define STUCK_LIMIT_DEFAULT 10000
#define STUCK_LIMIT_MAX 100000
#define OUTPUT_MAX ((size_t)64 << 20)
#define BATCH 500
#define SHOWN_MAX 20

/* What is to be done with a row; by its state when it was looked at. */
enum plan { PLAN_NEW_ROUND, PLAN_DUE_NOW, PLAN_LEAVE };

#define COLUMNS "x.id, coalesce(x.queue_seq, 0), x.state, x.ended, x.waits, x.stands"
/* %s: the rows. */
static const char BY_ID[] =
    "SELECT " COLUMNS " FROM %s WHERE x.id = ANY ($2::uuid[]) ORDER BY x.queue_seq NULLS FIRST, x.id";

/* Published, and nothing has touched the row since: neither outcome nor repair. %s: the rows, when they were touched.
 */
static const char STUCK[] = "SELECT " COLUMNS " FROM %s WHERE NOT x.ended AND NOT x.waits"
                            " AND %s < now() - $2::bigint * interval '1 millisecond'"
                            " AND ($3::text IS NULL OR x.about = $3) AND x.stands LIKE 'published%%'"
                            " ORDER BY x.queue_seq LIMIT $4::bigint";

struct replay {
    const struct cli *cli;
    const struct row_kind *kind;
    bool stuck;
    int64_t older_ms, limit;
    char *ids[IDS_MAX];
    size_t n_ids;
    PGconn *conn;
    PGresult *found; /* the rows as they were seen; requeue_row points into it */
    struct requeue_row *rows;
    enum plan *plans;
    size_t n;
    size_t missing;
    size_t todo, left, done, changed; /* changed: not as it was seen any more, or locked */
};

static enum rc parse(struct replay *r, struct err *err)
{
    const struct cli *cli = r->cli;
    const char *older = cli_flag(cli, "older");
    r->stuck = cli_flag(cli, "stuck") != NULL;
    r->older_ms = STUCK_MS_DEFAULT;
    r->limit = STUCK_LIMIT_DEFAULT;
    TRY(outbox_source(cli, &r->kind, err));
    TRY(cli_flag_each(cli, "id", r->ids, IDS_MAX, &r->n_ids, err));
    if (r->stuck == (r->n_ids > 0)) {
        FAIL(err, RC_REJECT, "expected --id or --stuck, and not both");
    }
    if (!r->stuck && (older != NULL || cli_flag(cli, "platform") != NULL || cli_flag(cli, "limit") != NULL)) {
        FAIL(err, RC_REJECT, "--older, --platform and --limit go with --stuck");
    }
    if (older != NULL && !when_duration(older, &r->older_ms)) {
        FAIL(err, RC_REJECT, "--older: \"%.40s\" is not a duration (30m, 12h, 7d)", older);
    }
    for (size_t i = 0; i < r->n_ids; i++) {
        if (!uuid_check(r->ids[i], strlen(r->ids[i]))) {
            FAIL(err, RC_REJECT, "--id: \"%.60s\" is not the id of a row, a UUID", r->ids[i]);
        }
    }
    return cli_flag_int(cli, "limit", 1, STUCK_LIMIT_MAX, &r->limit, err);
}

static enum rc query_ids(struct replay *r, struct err *err)
{
    CLEANUP(buf_done) struct buf ids;
    buf_init(&ids, (size_t)1 << 20);
    array_begin(&ids);
    for (size_t i = 0; i < r->n_ids; i++) {
        array_add(&ids, r->ids[i], strlen(r->ids[i]));
    }
    array_end(&ids);
    const char *params[] = {config_str(r->cli->cfg, "topic.prefix"), buf_str(&ids)};
    char *from CLEANUP(freep) = outbox_from(r->kind);
    char *sql CLEANUP(freep) = xasprintf(BY_ID, from);
    enum rc rc = pg_query(r->conn, sql, ARRAY_SIZE(params), params, &r->found, err);
    return rc == RC_OK ? rc : row_kind_failed(r->kind, err);
}

static enum rc query_stuck(struct replay *r, struct err *err)
{
    char older[24];
    char limit[24];
    (void)snprintf(older, sizeof(older), "%" PRId64, r->older_ms);
    (void)snprintf(limit, sizeof(limit), "%" PRId64, r->limit);
    const char *params[] = {config_str(r->cli->cfg, "topic.prefix"), older, cli_flag(r->cli, "platform"), limit};
    char *from CLEANUP(freep) = outbox_from(r->kind);
    char *sql CLEANUP(freep) = xasprintf(STUCK, from, outbox_view_of(r->kind)->touched);
    return pg_query(r->conn, sql, ARRAY_SIZE(params), params, &r->found, err);
}

static enum plan plan_of(const struct replay *r, bool ended, bool waits)
{
    if (r->stuck || ended) {
        return PLAN_NEW_ROUND;
    }
    return waits ? PLAN_DUE_NOW : PLAN_LEAVE;
}

/* The same id may have been typed twice, in either case. */
static size_t count_missing(const struct replay *r)
{
    size_t missing = 0;
    for (size_t i = 0; i < r->n_ids; i++) {
        bool there = false;
        for (size_t k = 0; k < r->n && !there; k++) {
            there = strcasecmp(r->ids[i], r->rows[k].id) == 0;
        }
        if (!there) {
            (void)fprintf(stderr, "sluice: outbox replay: there is no row %s\n", r->ids[i]);
            missing++;
        }
    }
    return missing;
}

static enum rc look(struct replay *r, struct err *err)
{
    TRY(outbox_open(r->cli, &r->conn, err));
    TRY(r->stuck ? query_stuck(r, err) : query_ids(r, err));
    r->n = (size_t)PQntuples(r->found);
    r->rows = xcalloc(r->n + 1, sizeof(*r->rows));
    r->plans = xcalloc(r->n + 1, sizeof(*r->plans));
    for (size_t i = 0; i < r->n; i++) {
        int k = (int)i;
        r->rows[i] = (struct requeue_row){
            .id = pg_text(r->found, k, 0), .queue_seq = pg_int(r->found, k, 1, 0), .status = pg_text(r->found, k, 2)};
        r->plans[i] = plan_of(r, pg_text(r->found, k, 3)[0] == 't', pg_text(r->found, k, 4)[0] == 't');
        r->todo += r->plans[i] != PLAN_LEAVE ? 1 : 0;
        r->left += r->plans[i] == PLAN_LEAVE ? 1 : 0;
    }
    r->missing = count_missing(r);
    return RC_OK;
}

/* Those of one plan, in batches. Pending rows that wait get a new round too if they were never tried: same thing. */
static enum rc requeue(struct replay *r, enum plan plan, enum requeue_round round, struct err *err)
{
    struct requeue_row batch[BATCH];
    size_t at[BATCH];
    size_t n = 0;
    for (size_t i = 0; i <= r->n; i++) {
        if (i < r->n && r->plans[i] == plan) {
            at[n] = i;
            batch[n++] = r->rows[i];
        }
        if (n == BATCH || (i == r->n && n > 0)) {
            TRY(requeue_rows(r->conn, r->kind, batch, n, round, err));
            for (size_t k = 0; k < n; k++) {
                r->rows[at[k]].new_seq = batch[k].new_seq;
                r->done += batch[k].new_seq > 0 ? 1 : 0;
                r->changed += batch[k].new_seq > 0 ? 0 : 1;
            }
            n = 0;
        }
    }
    return RC_OK;
}

static void print_row(const struct replay *r, size_t i, struct buf *out, bool first)
{
    const struct requeue_row *row = &r->rows[i];
    const char *what = r->plans[i] == PLAN_LEAVE ? "on the road already"
                       : r->cli->dry_run         ? "would be put back"
                       : row->new_seq > 0        ? "put back"
                                                 : "changed meanwhile";
    if (r->cli->json) {
        buf_printf(out,
                   "%s{\"id\":\"%s\",\"was\":\"%s\",\"old_queue_seq\":%" PRId64 ",\"queue_seq\":", first ? "\n" : ",\n",
                   row->id, row->status, row->queue_seq);
        if (row->new_seq > 0) {
            buf_printf(out, "%" PRId64, row->new_seq);
        } else {
            buf_puts(out, "null");
        }
        buf_printf(out, ",\"result\":\"%s\"}", what);
        return;
    }
    buf_printf(out, "%-36s  %-11s  %-19s", row->id, row->status, what);
    if (row->new_seq > 0) {
        buf_printf(out, "  queue_seq %" PRId64, row->new_seq);
    }
    buf_putc(out, '\n');
}

static int print(const struct replay *r)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_MAX);
    buf_puts(&out, r->cli->json ? "{\"rows\":[" : "");
    for (size_t i = 0; i < r->n; i++) {
        print_row(r, i, &out, i == 0);
    }
    if (r->cli->json) {
        buf_printf(&out, "\n],\"replayed\":%zu,\"unchanged\":%zu,\"changed\":%zu,\"missing\":%zu}\n", r->done, r->left,
                   r->changed, r->missing);
    }
    return cli_print(&out);
}

static void audit(const struct replay *r, const char *what)
{
    char operator_name[AUDIT_NAME_MAX];
    audit_operator(r->cli, operator_name);
    log_write(LOG_INFO, "outbox", what, KV_S("operator", operator_name), KV_S("source", r->kind->source),
              KV_S("selection", r->stuck ? "stuck" : "ids"), KV_S("id", r->n_ids == 1 ? r->ids[0] : ""),
              KV_I("rows", (int64_t)r->todo), KV_I("replayed", (int64_t)r->done), KV_END);
}

static int verdict(const struct replay *r, int code)
{
    if (r->changed > 0) {
        cli_note(r->cli, "%zu rows changed meanwhile or are locked and were left; look and try again", r->changed);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    return r->missing > 0 ? EXIT_NOT_FOUND : r->changed > 0 ? EXIT_TRY_AGAIN : EXIT_DONE;
}

static int replay(struct replay *r)
{
    struct err err;
    if (look(r, &err) != RC_OK) {
        return cli_fail("outbox replay", &err);
    }
    if (r->stuck && r->n == 0) {
        cli_note(r->cli, "no row is stuck");
    }
    if (r->cli->dry_run || r->todo == 0) {
        return verdict(r, print(r));
    }
    if (!r->cli->yes) {
        for (size_t i = 0; i < r->n && i < SHOWN_MAX; i++) {
            cli_note(r->cli, "%s %s, %s", r->rows[i].id, r->rows[i].status, pg_text(r->found, (int)i, 5));
        }
    }
    int code = cli_confirm(r->cli, "Put %zu rows back on the road?", r->todo);
    if (code != EXIT_DONE) {
        return code;
    }
    audit(r, "replay begins");
    enum rc rc = requeue_session(r->conn, &err);
    rc = rc == RC_OK ? requeue(r, PLAN_NEW_ROUND, REQUEUE_NEW_ROUND, &err) : rc;
    rc = rc == RC_OK ? requeue(r, PLAN_DUE_NOW, REQUEUE_SAME_ROUND, &err) : rc;
    audit(r, rc == RC_OK ? "replay ends" : "replay ends early");
    if (rc != RC_OK) {
        return cli_fail("outbox replay", &err);
    }
    return verdict(r, print(r));
}

int cmd_outbox_replay(const struct cli *cli)
{
    struct replay r = {.cli = cli};
    struct err err;
    int code = EXIT_DONE;

    if (parse(&r, &err) != RC_OK) {
        code = cli_usage(cli, "%s", err.text);
    } else if (cli_require(cli, "database.url") != EXIT_DONE) {
        code = EXIT_CONFIG;
    } else {
        code = replay(&r);
    }
    for (size_t i = 0; i < IDS_MAX && r.ids[i] != NULL; i++) {
        free(r.ids[i]);
    }
    free(r.rows);
    free(r.plans);
    PQclear(r.found);
    pg_close(r.conn);
    return code;
}
