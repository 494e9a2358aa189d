/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account check`: prints what processors/ledger_check finds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "commands.h"
#include "ledger_check/check.h"
#include "pg/conn.h"
#include "progress.h"
#include "shown.h"

#define OUTPUT_MAX ((size_t)16 << 20)

static void on_progress(void *opaque, double part)
{
    progress_show(opaque, part);
}

static enum rc parse_only(const struct cli *cli, unsigned *out_only, struct err *err)
{
    char *names[CHECKS] = {NULL};
    size_t n = 0;
    enum check_id id = CHECK_I1;

    *out_only = 0;
    enum rc rc = cli_flag_each(cli, "only", names, CHECKS, &n, err);
    for (size_t i = 0; i < CHECKS && names[i] != NULL; i++) {
        if (rc == RC_OK && !check_parse(names[i], &id)) {
            rc = err_set(err, RC_REJECT, __FILE__, __LINE__, "--only: \"%.20s\" is none of I1 to I9 and I12", names[i]);
        }
        *out_only |= 1U << id;
        free(names[i]);
    }
    return rc;
}

static void add_json(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":", name);
    buf_json_string(out, text, strlen(text));
}

static void json_result(const struct check_report *r, int i, struct buf *out)
{
    const struct check_result *result = &r->results[i];

    buf_printf(out, "%s\n{\"name\":\"%s\",", i > 0 ? "," : "", CHECK_ABOUT[i].name);
    add_json(out, "title", CHECK_ABOUT[i].title);
    buf_printf(out, ",\"judged\":%s,\"offenders\":%" PRId64 ",\"first\":[", result->judged ? "true" : "false",
               result->offenders);
    for (size_t k = 0; k < result->n; k++) {
        const struct check_finding *f = &result->findings[k];
        buf_puts(out, k > 0 ? ",\n {" : "\n {");
        add_json(out, "where", f->where);
        buf_putc(out, ',');
        add_json(out, "what", f->what);
        buf_putc(out, ',');
        add_json(out, "expected", f->expected);
        buf_putc(out, ',');
        add_json(out, "found", f->found);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

static void print_json(const struct check_report *r, struct buf *out)
{
    buf_printf(out,
               "{\"clean\":%s,\"snapshot\":\"%s\",\"took_ms\":%" PRId64 ",\"accounts\":%" PRId64 ",\"slots\":%" PRId64
               ",\"flows\":%" PRId64 ",\"transfers\":%" PRId64 ",\"decisions\":%" PRId64 ",\"payments\":%" PRId64
               ",\"transitions\":%" PRId64 ",\"invariants\":[",
               check_offenders(r) == 0 ? "true" : "false", r->snapshot, r->took_us / 1000, r->accounts, r->slots,
               r->flows, r->transfers, r->decisions, r->payments, r->transitions);
    for (int i = 0; i < CHECKS; i++) {
        json_result(r, i, out);
    }
    buf_puts(out, "],\"clearing\":[");
    for (size_t i = 0; i < r->n_clearings; i++) {
        const struct check_clearing *c = &r->clearings[i];
        buf_puts(out, i > 0 ? ",{" : "{");
        add_json(out, "account_id", c->account_id);
        buf_putc(out, ',');
        add_json(out, "currency", c->currency);
        buf_printf(out, ",\"balance\":%" PRId64 ",\"of_payments\":%s}", c->balance,
                   c->expected[0] != '\0' ? c->expected : "null");
    }
    buf_puts(out, "]}\n");
}

static void print_result(const struct check_report *r, int i, struct buf *out)
{
    const struct check_result *result = &r->results[i];
    char count[32] = "ok";

    if (!result->judged) {
        return;
    }
    if (result->offenders > 0) {
        (void)snprintf(count, sizeof(count), "%" PRId64 " WRONG", result->offenders);
    }
    buf_printf(out, "%-4s %-72s %s\n", CHECK_ABOUT[i].name, CHECK_ABOUT[i].title, count);
    for (size_t k = 0; k < result->n; k++) {
        const struct check_finding *f = &result->findings[k];
        CLEANUP(freep) char *where = shown(f->where);
        CLEANUP(freep) char *what = shown(f->what);
        CLEANUP(freep) char *expected = shown(f->expected);
        CLEANUP(freep) char *found = shown(f->found);
        buf_printf(out, "     %s: %s\n       expected %s, found %s\n", where, what, shown_or_dash(expected),
                   shown_or_dash(found));
    }
    if (result->offenders > (int64_t)result->n) {
        buf_printf(out, "     ... and %" PRId64 " more\n", result->offenders - (int64_t)result->n);
    }
}

static void print_text(const struct check_report *r, struct buf *out)
{
    for (int i = 0; i < CHECKS; i++) {
        print_result(r, i, out);
    }
    for (size_t i = 0; i < r->n_clearings; i++) {
        const struct check_clearing *c = &r->clearings[i];
        CLEANUP(freep) char *id = shown(c->account_id);
        buf_printf(out, "     %s: balance %" PRId64 " %s, by payments %s (for information)\n", id, c->balance,
                   c->currency, shown_or_dash(c->expected));
    }
}

static void sum_up(const struct cli *cli, const struct check_report *r)
{
    double seconds = (double)r->took_us / 1e6;

    cli_note(cli,
             "%" PRId64 " accounts, %" PRId64 " flows, %" PRId64 " transfers, %" PRId64
             " payments in snapshot %s, %.1f s",
             r->accounts, r->flows, r->transfers, r->payments, r->snapshot, seconds);
}

static enum rc check(const struct cli *cli, unsigned only, const volatile sig_atomic_t *interrupted,
                     struct check_report *r, struct err *err)
{
    struct progress bar = {.cli = cli, .what = "checking"};
    const struct check_options opt = {.url = config_str(cli->cfg, "database.url"),
                                      .schema = config_str(cli->cfg, "database.schema"),
                                      .only = only,
                                      .interrupted = interrupted,
                                      .progress = on_progress,
                                      .opaque = &bar};
    enum rc rc = check_run(&opt, r, err);

    progress_end(&bar);
    return rc;
}

int cmd_account_check(const struct cli *cli)
{
    CLEANUP(check_report_done) struct check_report r = {0};
    CLEANUP(buf_done) struct buf out;
    unsigned only = 0;
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    if (parse_only(cli, &only, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    const volatile sig_atomic_t *interrupted = account_catch_signals();
    if (check(cli, only, interrupted, &r, &err) != RC_OK) {
        return *interrupted != 0 ? EXIT_INTERRUPTED : cli_fail("account check", &err);
    }
    if (cli->json) {
        print_json(&r, &out);
    } else {
        print_text(&r, &out);
        sum_up(cli, &r);
    }
    int code = cli_print(&out);
    return code == EXIT_DONE && check_offenders(&r) > 0 ? EXIT_REJECTED : code;
}
