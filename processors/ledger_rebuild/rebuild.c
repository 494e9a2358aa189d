/* SPDX-License-Identifier: Apache-2.0 */
/* The order of things: is the target fit, does the live ledger stand still, read, fill, compare. */
#include "ledger_rebuild/rebuild.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "internal.h"
#include "pg/conn.h"

#define SETTLE_MS 10000 /* for the relay's copy of its position, which is written once a second */
#define LOOK_MS 200

struct run {
    const struct rebuild_options *opt;
    struct rebuild_report *report;
    PGconn *live, *target;
    struct stage *stage;
    int64_t live_last; /* queue_seq of its last row, when the log's ends were asked for */
    int64_t live_rows;
};

void found(struct rebuild_findings *f, const char *where, const char *what, const char *a, const char *b)
{
    if (f->n < REBUILD_FINDINGS_MAX) {
        f->first[f->n] = (struct rebuild_finding){xstrdup(where), xstrdup(what), xstrdup(a), xstrdup(b)};
    }
    f->n++;
}

static void findings_done(struct rebuild_findings *f)
{
    for (int64_t i = 0; i < f->n && i < REBUILD_FINDINGS_MAX; i++) {
        freep(&f->first[i].where);
        freep(&f->first[i].what);
        freep(&f->first[i].a);
        freep(&f->first[i].b);
    }
    f->n = 0;
}

void rebuild_report_done(struct rebuild_report *r)
{
    findings_done(&r->log);
    findings_done(&r->differences);
}

static void tell(const struct run *r, const char *what, double part)
{
    if (r->opt->progress != NULL) {
        r->opt->progress(r->opt->opaque, what, part);
    }
}

static enum rc open_database(const struct run *r, const char *url, const char *which, PGconn **out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const struct pg_options opt = {.app = "sluice account rebuild",
                                   .schema = config_str(r->opt->cfg, "database.schema")};

    enum rc rc = pg_open(url, &opt, out, err);
    if (rc != RC_OK) {
        return err_prefix(err, "%s", which);
    }
    TRY(pg_exec(*out, "SELECT to_regclass('account_slots') IS NULL OR to_regclass('account_decisions') IS NULL", &res,
                err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_REJECT, "%s has no tables of the ledger; run `sluice migrate` there", which);
    }
    return RC_OK;
}

/* The same schema of the same database under another name would be the live ledger itself. */
static enum rc check_target(struct run *r, struct err *err)
{
    static const char who[] =
        "SELECT (SELECT system_identifier FROM pg_control_system())::text || ' ' || d.oid || ' ' ||"
        " current_schema() FROM pg_database d WHERE d.datname = current_database()";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    PGresult *ours CLEANUP(pg_clearp) = NULL;
    PGresult *theirs CLEANUP(pg_clearp) = NULL;

    TRY(open_database(r, r->opt->into, "the database to rebuild into", &r->target, err));
    if (!r->opt->alone) {
        TRY(pg_exec(r->live, who, &ours, err));
        TRY(pg_exec(r->target, who, &theirs, err));
        if (strcmp(pg_text(ours, 0, 0), pg_text(theirs, 0, 0)) == 0) {
            FAIL(err, RC_REJECT, "the database to rebuild into is the live one");
        }
    }
    TRY(pg_exec(r->target,
                "SELECT EXISTS (SELECT FROM account_slots) OR EXISTS (SELECT FROM account_flows) OR"
                " EXISTS (SELECT FROM account_transfers) OR EXISTS (SELECT FROM account_decisions)",
                &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_REJECT, "the database to rebuild into has a ledger already; expected an empty one");
    }
    return RC_OK;
}

/* Rows that the relay has not published, as far as its copied position says. */
static const char UNPUBLISHED[] =
    "SELECT count(*) FROM (SELECT f.queue_txid, p.snapshot_before AS s FROM sluice_relay_positions p JOIN "
    "account_flows f"
    " ON f.queue_txid >= pg_snapshot_xmin(p.snapshot_before) WHERE p.source = 'account-flow' AND p.topic_prefix = $1"
    " UNION ALL SELECT d.queue_txid, p.snapshot_before FROM sluice_relay_positions p JOIN account_decisions d"
    " ON d.queue_txid >= pg_snapshot_xmin(p.snapshot_before) WHERE p.source = 'account-decision'"
    " AND p.topic_prefix = $1) x WHERE NOT pg_visible_in_snapshot(queue_txid, s)";

static enum rc wait_published(const struct run *r, struct err *err)
{
    const char *prefix = config_str(r->opt->cfg, "topic.prefix");
    int64_t end_ms = clock_mono_ms() + SETTLE_MS;

    for (;;) {
        PGresult *res CLEANUP(pg_clearp) = NULL;
        TRY(pg_query(r->live, UNPUBLISHED, 1, &prefix, &res, err));
        int64_t n = pg_int(res, 0, 0, 0);
        if (n == 0) {
            return RC_OK;
        }
        if (clock_mono_ms() >= end_ms) {
            FAIL(err, RC_FENCED, "%" PRId64 " flows and decisions are not published yet; start the relay, try again",
                 n);
        }
        clock_sleep_ms(LOOK_MS);
    }
}

/* Numbers of the queue are drawn by each row, and rows are never removed. */
static enum rc mark_live(const struct run *r, int64_t *out_last, int64_t *out_rows, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    TRY(pg_exec(r->live,
                "SELECT greatest((SELECT max(queue_seq) FROM account_flows), (SELECT max(queue_seq) FROM"
                " account_decisions)), (SELECT count(*) FROM account_flows) + (SELECT count(*) FROM account_decisions)",
                &res, err));
    *out_last = pg_int(res, 0, 0, 0);
    *out_rows = pg_int(res, 0, 1, 0);
    return RC_OK;
}

static void differs(void *opaque, enum digest_part part, const char *where, const char *what, const char *a,
                    const char *b)
{
    struct rebuild_report *r = opaque;
    CLEANUP(freep) char *place = xasprintf("%s: %s", DIGEST_NAMES[part], where);
    found(&r->differences, place, what, a, b);
}

static enum rc compare(struct run *r, struct err *err)
{
    int64_t last = 0;
    int64_t rows = 0;

    TRY(pg_exec(r->live, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, err));
    TRY(pg_exec(r->target, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, err));
    TRY(mark_live(r, &last, &rows, err));
    r->report->moved = last != r->live_last || rows != r->live_rows;
    if (r->report->moved) {
        return RC_OK;
    }
    r->report->compared = true;
    return digest_compare(r->live, r->target, r->opt->interrupted, &r->report->live, &r->report->rebuilt, differs,
                          r->report, err);
}

static enum rc read_and_fill(struct run *r, struct err *err)
{
    TRY(pg_exec(r->target, "SET work_mem = '64MB'; SET jit = off; BEGIN", NULL, err));
    TRY(stage_create(r->target, &r->stage, err));
    TRY(log_read(r->opt, r->stage, r->report, err));
    tell(r, "filling the tables", 0.5);
    TRY(fill_tables(r->target, r->report, err));
    return pg_exec(r->target, "COMMIT", NULL, err);
}

static enum rc run(struct run *r, struct err *err)
{
    if (!r->opt->alone) {
        TRY(open_database(r, config_str(r->opt->cfg, "database.url"), "the live database", &r->live, err));
    }
    TRY(check_target(r, err));
    if (!r->opt->alone) {
        TRY(wait_published(r, err));
        TRY(mark_live(r, &r->live_last, &r->live_rows, err));
    }
    if (r->opt->dry_run) {
        return log_read(r->opt, NULL, r->report, err);
    }
    TRY(read_and_fill(r, err));
    tell(r, "comparing", 0.9);
    if (r->opt->alone) {
        TRY(pg_exec(r->target, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, err));
        return digest_ledger(r->target, DIGESTS, r->opt->interrupted, &r->report->rebuilt, err);
    }
    return compare(r, err);
}

enum rc rebuild_run(const struct rebuild_options *opt, struct rebuild_report *out, struct err *err)
{
    struct run r = {.opt = opt, .report = out};

    *out = (struct rebuild_report){0};
    enum rc rc = run(&r, err);
    stage_free(r.stage);
    pg_close(r.live);
    pg_close(r.target);
    return rc;
}
