/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice dlq redrive`: first what would be done, counted and with samples, then doing it. */
#include "dlq/redrive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "commands.h"
#include "dlq_query.h"

#define RATE_DEFAULT 200
#define RATE_MAX 100000
#define WAIT_MS_DEFAULT 15000
#define OUTPUT_MAX ((size_t)16 << 20)
#define PROGRESS_MS 200

struct redriving {
    const struct cli *cli;
    struct dlq_query q;
    struct redrive_options opt;
    struct deaths *deaths;
    /* what the first reading found */
    struct groups groups; /* open, not held back */
    struct redrive_counts found;
    /* the doing */
    struct redrive *redrive;
    bool show_progress;
    int64_t shown_ms;
};

static enum rc parse_rate(const struct cli *cli, int64_t *out, struct err *err)
{
    const char *text = cli_flag(cli, "rate");
    char digits[24] = "";
    if (text == NULL) {
        return RC_OK;
    }
    size_t n = strcspn(text, "/");
    bool unit = text[n] == '\0' || strcmp(text + n, "/s") == 0;
    memcpy(digits, text, n < sizeof(digits) ? n : 0);
    if (!unit || !option_parse_int(digits, 1, RATE_MAX, out)) {
        FAIL(err, RC_REJECT, "--rate: \"%.40s\" is not N or N/s with N in 1..%d", text, RATE_MAX);
    }
    return RC_OK;
}

static enum rc parse_options(struct redriving *r, struct err *err)
{
    int64_t wait_s = WAIT_MS_DEFAULT / 1000;
    r->opt = (struct redrive_options){.rate = RATE_DEFAULT,
                                      .limit = INT64_MAX,
                                      .force = cli_flag(r->cli, "force") != NULL,
                                      .interrupted = &dlq_interrupted};
    TRY(parse_rate(r->cli, &r->opt.rate, err));
    TRY(cli_flag_int(r->cli, "limit", 1, INT64_MAX, &r->opt.limit, err));
    TRY(cli_flag_int(r->cli, "wait", 0, 3600, &wait_s, err));
    r->opt.wait_ms = wait_s * 1000;
    if (!dlq_filter_any(&r->q.filter) && cli_flag(r->cli, "everything") == NULL) {
        FAIL(err, RC_REJECT, "a filter is missing; --everything means all open dead letters");
    }
    if (dlq_filter_any(&r->q.filter) && cli_flag(r->cli, "everything") != NULL) {
        FAIL(err, RC_REJECT, "--everything and a filter exclude each other");
    }
    return RC_OK;
}

static enum rc count_batch(struct letter *letters, size_t n, void *opaque, bool *stop, struct err *err)
{
    struct redriving *r = opaque;
    (void)stop;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        if (redrive_wants(&r->opt, &letters[i], &r->found)) {
            groups_add(&r->groups, &letters[i]);
        }
    }
    return RC_OK;
}

static void add_counts(struct buf *out, const struct redrive_counts *c)
{
    buf_printf(out,
               "\"not_settled\":%" PRId64 ",\"no_route\":%" PRId64 ",\"held_back\":%" PRId64 ",\"expired\":%" PRId64
               ",\"inactive\":%" PRId64 ",\"already\":%" PRId64,
               c->unsettled, c->no_route, c->held, c->expired, c->inactive, c->already);
}

/* For --dry-run as data, otherwise for whoever is asked. */
static int print_plan(const struct redriving *r)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_MAX);
    if (r->cli->json) {
        buf_printf(&out, "{\"open\":%" PRId64 ",", r->groups.total);
        add_counts(&out, &r->found);
        buf_putc(&out, ',');
        dlq_groups_print(&r->groups, true, true, &out);
        buf_puts(&out, "}\n");
    } else {
        dlq_groups_print(&r->groups, false, true, &out);
    }
    if (r->cli->dry_run) {
        return cli_print(&out);
    }
    if (!r->cli->json && !r->cli->quiet) {
        (void)fputs(buf_str(&out), stderr);
    }
    return EXIT_DONE;
}

/* Whatever is not redriven, and why: nobody should have to guess. */
static void note_rest(const struct cli *cli, const struct redrive_counts *c)
{
    if (c->unsettled > 0) {
        cli_note(cli,
                 "%" PRId64 " not settled: the sink has not recorded them (does `sluice run sink` run?), or their rows "
                 "are locked; try again",
                 c->unsettled);
    }
    if (c->no_route > 0) {
        cli_note(cli,
                 "%" PRId64 " skipped: no row with a status stands behind them (any more); sending such records to "
                 "their topic again is not there yet",
                 c->no_route);
    }
    if (c->held > 0) {
        cli_note(cli, "%" PRId64 " held back: they have died %d times or more; --force sends them nevertheless",
                 c->held, REDRIVE_DEATHS_MAX);
    }
    if (c->expired > 0) {
        cli_note(cli, "%" PRId64 " held back: too old, nobody would want them now; --force sends them nevertheless",
                 c->expired);
    }
    if (c->inactive > 0) {
        cli_note(cli,
                 "%" PRId64 " left: their devices are not active any more; `sluice notify resend` looks for the "
                 "recipient's others",
                 c->inactive);
    }
}

/* How many will be sent at most. */
static int64_t target(const struct redriving *r)
{
    return r->groups.total < r->opt.limit ? r->groups.total : r->opt.limit;
}

static void draw(struct redriving *r)
{
    struct redrive_counts c = redrive_counts(r->redrive);
    int64_t total = target(r);
    int filled = (int)(c.redriven >= total ? 30 : c.redriven * 30 / total);
    (void)fprintf(stderr, "\r[%.*s%.*s] %" PRId64 " of %" PRId64 ", at most %" PRId64 "/s ", filled,
                  "##############################", 30 - filled, "..............................", c.redriven, total,
                  r->opt.rate);
    (void)fflush(stderr);
    r->shown_ms = clock_mono_ms();
}

static void on_progress(void *opaque)
{
    struct redriving *r = opaque;
    if (r->show_progress && clock_mono_ms() - r->shown_ms >= PROGRESS_MS) {
        draw(r);
    }
}

/* One line before anything is changed and one after: who, what, how many. Also with --quiet. */
static void audit(const struct redriving *r, const char *what, const struct redrive_counts *c)
{
    char filter[512];
    char operator_name[AUDIT_NAME_MAX];
    dlq_filter_text(&r->q.filter, filter, sizeof(filter));
    audit_operator(r->cli, operator_name);
    log_write(LOG_INFO, "dlq", what, KV_S("operator", operator_name), KV_S("filter", filter),
              KV_S("dlq", r->q.n_topics == 1 ? r->q.topics[0] : "all"), KV_I("open", r->groups.total),
              KV_I("redriven", c->redriven), KV_I("not_settled", c->unsettled), KV_I("no_route", c->no_route),
              KV_I("held_back", c->held), KV_I("expired", c->expired), KV_I("inactive", c->inactive), KV_END);
}

static int report(const struct redriving *r, const struct redrive_counts *c)
{
    const struct cli *cli = r->cli;
    bool enough = c->redriven >= r->opt.limit;
    if (cli->json) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, OUTPUT_MAX);
        buf_printf(&out, "{\"redriven\":%" PRId64 ",", c->redriven);
        add_counts(&out, c);
        buf_puts(&out, "}\n");
        if (cli_print(&out) != EXIT_DONE) {
            return EXIT_FAILED;
        }
    }
    cli_note(cli, "%" PRId64 " redriven", c->redriven);
    if (dlq_interrupted) {
        cli_note(cli, "interrupted; the same command goes on with the others");
        return EXIT_INTERRUPTED;
    }
    note_rest(cli, c);
    if (c->unsettled > 0 && !enough) {
        return EXIT_TRY_AGAIN;
    }
    return c->no_route + c->held + c->expired + c->inactive > 0 ? EXIT_REJECTED : EXIT_DONE;
}

static int do_it(struct redriving *r)
{
    struct err err;
    r->opt.conn = r->q.conn;
    r->opt.deaths = r->deaths;
    r->opt.progress = on_progress;
    r->opt.opaque = r;
    r->redrive = redrive_create(&r->opt);
    r->show_progress = !r->cli->quiet && isatty(STDERR_FILENO) == 1;
    struct redrive_counts before = {.redriven = 0};
    audit(r, "redrive begins", &before);
    enum rc rc = dlq_query_read(&r->q, NULL, redrive_batch, r->redrive, &err);
    rc = rc == RC_OK ? redrive_rest(r->redrive, &err) : rc;
    struct redrive_counts c = redrive_counts(r->redrive);
    if (r->show_progress) {
        draw(r);
        (void)fputc('\n', stderr);
    }
    audit(r, rc == RC_OK ? "redrive ends" : "redrive ends early", &c);
    if (rc != RC_OK) {
        cli_note(r->cli, "%" PRId64 " redriven so far; the same command goes on with the others", c.redriven);
        return cli_fail("dlq redrive", &err);
    }
    return report(r, &c);
}

static int redrive(struct redriving *r)
{
    struct err err;
    if (dlq_query_read(&r->q, r->deaths, count_batch, r, &err) != RC_OK) {
        return cli_fail("dlq redrive", &err);
    }
    if (dlq_interrupted) {
        return EXIT_INTERRUPTED;
    }
    groups_sort(&r->groups);
    int64_t all = r->groups.total + r->found.held + r->found.expired + r->found.inactive + r->found.unsettled +
                  r->found.no_route + r->found.already;
    if (all == 0) {
        cli_note(r->cli, "no dead letter matches");
        return r->q.filter.n_ids > 0 ? EXIT_NOT_FOUND : EXIT_DONE;
    }
    cli_note(r->cli, "%" PRId64 " open dead letters match%s", r->groups.total,
             r->found.already > 0 ? "; others have been put back before" : "");
    int code = print_plan(r);
    if (r->cli->dry_run || code != EXIT_DONE) {
        note_rest(r->cli, &r->found);
        return code;
    }
    if (r->groups.total + r->found.unsettled > 0) {
        code = cli_confirm(r->cli, "Send %" PRId64 " dead letters again?", target(r));
    }
    return code == EXIT_DONE ? do_it(r) : code;
}

int cmd_dlq_redrive(const struct cli *cli)
{
    struct redriving r = {.cli = cli};
    struct err err;
    int code = dlq_query_parse(cli, cli->argc > 0 ? cli->argv[0] : NULL, &r.q);

    if (code == EXIT_DONE && parse_options(&r, &err) != RC_OK) {
        code = cli_usage(cli, "%s", err.text);
    }
    if (code == EXIT_DONE) {
        r.deaths = deaths_create();
        code = dlq_query_open(&r.q);
    }
    if (code == EXIT_DONE) {
        code = redrive(&r);
    }
    redrive_free(r.redrive);
    deaths_free(r.deaths);
    groups_done(&r.groups);
    dlq_query_done(&r.q);
    return code;
}
