/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions with one snapshot, and the passes one after the other. */
#include "ledger_check/check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "internal.h"
#include "pg/conn.h"

#define PROGRESS_MS 200

const struct check_about CHECK_ABOUT[CHECKS] = {
    [CHECK_I1] = {"I1", "every transfer and every currency sum up to zero"},
    [CHECK_I2] = {"I2", "balances follow from their flows, versions have no gap"},
    [CHECK_I3] = {"I3", "limits hold at every flow; frozen and incoming are the open holds"},
    [CHECK_I4] = {"I4", "transfers have the flows of their state; a hold is resolved once"},
    [CHECK_I5] = {"I5", "every record was counted once, as what became of it"},
    [CHECK_I6] = {"I6", "every flow and decision is in the outbox exactly once"},
    [CHECK_I7] = {"I7", "payments walked legally through their states; refunds add up"},
    [CHECK_I8] = {"I8", "what was refused has moved nothing"},
    [CHECK_I9] = {"I9", "the hash chain of each slot"},
    [CHECK_I12] = {"I12", "suspense holds what payments say that it holds"},
};

bool check_parse(const char *name, enum check_id *out_id)
{
    for (int i = 0; i < CHECKS; i++) {
        if (strcasecmp(name, CHECK_ABOUT[i].name) == 0) {
            *out_id = (enum check_id)i;
            return true;
        }
    }
    return false;
}

void offend(struct checker *c, enum check_id id, const char *where, const char *what, const char *expected,
            const char *found)
{
    struct check_result *r = &c->report->results[id];

    if (!check_wants(c, id)) {
        return;
    }
    r->offenders++;
    if (r->n < CHECK_FINDINGS_MAX) {
        r->findings[r->n++] = (struct check_finding){.where = xstrdup(where),
                                                     .what = xstrdup(what),
                                                     .expected = xstrdup(expected != NULL ? expected : ""),
                                                     .found = xstrdup(found != NULL ? found : "")};
    }
}

void offend_int(struct checker *c, enum check_id id, const char *where, const char *what, int64_t expected,
                int64_t found)
{
    char expected_text[WIDE_TEXT_MAX];
    char found_text[WIDE_TEXT_MAX];
    offend(c, id, where, what, wide_text(expected, expected_text), wide_text(found, found_text));
}

const char *wide_text(wide v, char out[WIDE_TEXT_MAX])
{
    unsigned_wide rest = v < 0 ? -(unsigned_wide)v : (unsigned_wide)v;
    size_t at = WIDE_TEXT_MAX - 1;

    out[at] = '\0';
    do {
        out[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        out[--at] = '-';
    }
    memmove(out, out + at, WIDE_TEXT_MAX - at);
    return out;
}

enum rc check_step(struct checker *c, struct err *err)
{
    c->rows_done++;
    if (((int64_t)c->rows_done & 1023) != 0) {
        return RC_OK;
    }
    if (c->opt->interrupted != NULL && *c->opt->interrupted) {
        FAIL(err, RC_FATAL, "interrupted");
    }
    int64_t now = clock_mono_ms();
    if (c->opt->progress != NULL && now - c->last_progress_ms >= PROGRESS_MS) {
        c->last_progress_ms = now;
        double part = c->rows_total > 0 ? c->rows_done / c->rows_total : 0;
        c->opt->progress(c->opt->opaque, part < 0.99 ? part : 0.99);
    }
    return RC_OK;
}

/* The first session's snapshot is given to the others. */
static enum rc open_sessions(struct checker *c, struct err *err)
{
    const struct pg_options opt = {.app = "sluice account check", .schema = c->opt->schema};
    PGresult *res CLEANUP(pg_clearp) = NULL;

    for (int i = 0; i < SESSIONS; i++) {
        TRY(pg_open(c->opt->url, &opt, &c->conns[i], err));
        TRY(pg_exec(c->conns[i],
                    "SET work_mem = '64MB'; SET jit = off; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL,
                    err));
        if (i == 0) {
            TRY(pg_exec(c->conns[0], "SELECT pg_export_snapshot(), pg_current_snapshot()", &res, err));
            c->report->snapshot = xstrdup(pg_text(res, 0, 1));
        } else {
            CLEANUP(freep) char *sql = xasprintf("SET TRANSACTION SNAPSHOT '%s'", pg_text(res, 0, 0));
            TRY(pg_exec(c->conns[i], sql, NULL, err));
        }
    }
    return RC_OK;
}

/* Only for the progress bar. */
static enum rc estimate(struct checker *c, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    TRY(pg_exec(c->conns[0],
                "SELECT coalesce(sum(CASE WHEN relname = 'account_flows' THEN 2 ELSE 1 END * (CASE WHEN reltuples > 0"
                " THEN reltuples ELSE pg_relation_size(oid) / 400 END)), 0)::bigint FROM pg_class WHERE oid IN"
                " ('account_flows'::regclass, 'account_transfers'::regclass, 'account_slots'::regclass,"
                " 'payment_state_transitions'::regclass, 'payment_transactions'::regclass)",
                &res, err));
    c->rows_total = (double)pg_int(res, 0, 0, 0) * 1.25; /* the sums that the server makes at the end */
    return RC_OK;
}

static enum rc run(struct checker *c, struct err *err)
{
    static const unsigned slots = 1U << CHECK_I1 | 1U << CHECK_I2 | 1U << CHECK_I3 | 1U << CHECK_I6 | 1U << CHECK_I9;
    static const unsigned transfers = 1U << CHECK_I1 | 1U << CHECK_I4 | 1U << CHECK_I8;

    TRY(open_sessions(c, err));
    TRY(estimate(c, err));
    if ((c->only & slots) != 0) {
        TRY(check_slots(c, err));
    }
    if ((c->only & transfers) != 0) {
        TRY(check_transfers(c, err));
    }
    if (check_wants(c, CHECK_I7)) {
        TRY(check_payments(c, err));
    }
    return check_queries(c, err);
}

enum rc check_run(const struct check_options *opt, struct check_report *out, struct err *err)
{
    struct checker c = {.opt = opt, .report = out, .only = opt->only != 0 ? opt->only : CHECK_ALL};
    int64_t start_us = clock_mono_us();

    *out = (struct check_report){0};
    for (int i = 0; i < CHECKS; i++) {
        out->results[i].judged = check_wants(&c, (enum check_id)i);
    }
    enum rc rc = run(&c, err);
    for (int i = 0; i < SESSIONS; i++) {
        pg_close(c.conns[i]);
    }
    if (rc != RC_OK && (strcmp(err->code, "42P01") == 0 || strcmp(err->code, "42703") == 0)) {
        err_prefix(err, "the tables are not as this program makes them; run `sluice migrate`");
    }
    if (rc == RC_OK && opt->progress != NULL) {
        opt->progress(opt->opaque, 1);
    }
    out->took_us = clock_mono_us() - start_us;
    return rc;
}

void check_report_done(struct check_report *r)
{
    for (int i = 0; i < CHECKS; i++) {
        for (size_t k = 0; k < r->results[i].n; k++) {
            struct check_finding *f = &r->results[i].findings[k];
            freep(&f->where);
            freep(&f->what);
            freep(&f->expected);
            freep(&f->found);
        }
        r->results[i].n = 0;
    }
    for (size_t i = 0; i < r->n_clearings; i++) {
        freep(&r->clearings[i].account_id);
        freep(&r->clearings[i].currency);
        freep(&r->clearings[i].expected);
    }
    r->n_clearings = 0;
    freep(&r->snapshot);
}

int64_t check_offenders(const struct check_report *r)
{
    int64_t n = 0;
    for (int i = 0; i < CHECKS; i++) {
        n += r->results[i].offenders;
    }
    return n;
}
