/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account rebuild` and `digest`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "commands.h"
#include "ledger_check/check.h"
#include "ledger_rebuild/rebuild.h"
#include "pg/conn.h"
#include "progress.h"
#include "shown.h"

#define OUTPUT_MAX ((size_t)16 << 20)

/* ---- digest ---- */

static void digests_json(const struct digests *d, int parts, struct buf *out)
{
    buf_putc(out, '{');
    for (int i = 0; i < parts; i++) {
        buf_printf(out, "%s\"%s\":{\"rows\":%" PRId64 ",\"sha256\":\"%s\"}", i > 0 ? "," : "", DIGEST_NAMES[i],
                   d->rows[i], d->sha256[i]);
    }
    buf_putc(out, '}');
}

int cmd_account_digest(const struct cli *cli)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    CLEANUP(buf_done) struct buf out;
    int parts = cli_flag(cli, "balances") != NULL ? DIGEST_ORDERLESS : DIGESTS;
    struct digests d;
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    const volatile sig_atomic_t *interrupted = account_catch_signals();
    if (account_db(cli, "sluice account digest", &conn, &err) != RC_OK ||
        pg_exec(conn, "SET statement_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, &err) !=
            RC_OK ||
        digest_ledger(conn, parts, interrupted, &d, &err) != RC_OK) {
        return *interrupted != 0 ? EXIT_INTERRUPTED : cli_fail("account digest", &err);
    }
    if (cli->json) {
        digests_json(&d, parts, &out);
        buf_putc(&out, '\n');
    } else {
        for (int i = 0; i < parts; i++) {
            buf_printf(&out, "%-10s %12" PRId64 "  %s\n", DIGEST_NAMES[i], d.rows[i], d.sha256[i]);
        }
    }
    return cli_print(&out);
}

/* ---- rebuild ---- */

static void on_progress(void *opaque, const char *what, double part)
{
    struct progress *p = opaque;

    if (strcmp(p->what, what) != 0) {
        progress_end(p);
        p->what = what;
    }
    progress_show(p, part);
}

static void print_findings(const struct rebuild_findings *f, const char *a, const char *b, struct buf *out)
{
    for (int64_t i = 0; i < f->n && i < REBUILD_FINDINGS_MAX; i++) {
        const struct rebuild_finding *one = &f->first[i];
        CLEANUP(freep) char *where = shown(one->where);
        CLEANUP(freep) char *what = shown(one->what);
        CLEANUP(freep) char *left = shown(one->a);
        CLEANUP(freep) char *right = shown(one->b);
        buf_printf(out, "  %s: %s\n    %s %s, %s %s\n", where, what, a, shown_or_dash(left), b, shown_or_dash(right));
    }
    if (f->n > REBUILD_FINDINGS_MAX) {
        buf_printf(out, "  ... and %" PRId64 " more\n", f->n - REBUILD_FINDINGS_MAX);
    }
}

static void print_text(const struct cli *cli, const struct rebuild_report *r, struct buf *out)
{
    buf_printf(out, "log        %d partitions, %" PRId64 " offsets", r->partitions, r->offsets);
    if (!cli->dry_run) {
        buf_printf(out, ": %" PRId64 " flows, %" PRId64 " decisions; %" PRId64 " of them published before", r->flows,
                   r->decisions, r->again);
    }
    buf_printf(out, "\n%s", r->log.n > 0 ? "the log is not whole\n" : "");
    print_findings(&r->log, "expected", "found", out);
    for (int i = 0; i < DIGESTS && !cli->dry_run; i++) {
        bool same = r->compared && strcmp(r->live.sha256[i], r->rebuilt.sha256[i]) == 0;
        if (same) {
            buf_printf(out, "%-10s %12" PRId64 "  %s  equal\n", DIGEST_NAMES[i], r->rebuilt.rows[i],
                       r->rebuilt.sha256[i]);
        } else if (r->compared) {
            buf_printf(out, "%-10s %12" PRId64 "  %s  live\n%-10s %12" PRId64 "  %s  rebuilt: DIFFERENT\n",
                       DIGEST_NAMES[i], r->live.rows[i], r->live.sha256[i], "", r->rebuilt.rows[i],
                       r->rebuilt.sha256[i]);
        } else if (r->rebuilt.sha256[i][0] != '\0') {
            buf_printf(out, "%-10s %12" PRId64 "  %s\n", DIGEST_NAMES[i], r->rebuilt.rows[i], r->rebuilt.sha256[i]);
        }
    }
    print_findings(&r->differences, "live", "rebuilt", out);
}

static void json_findings(const struct rebuild_findings *f, const char *a, const char *b, struct buf *out)
{
    buf_printf(out, "{\"n\":%" PRId64 ",\"first\":[", f->n);
    for (int64_t i = 0; i < f->n && i < REBUILD_FINDINGS_MAX; i++) {
        const char *const names[] = {"where", "what", a, b};
        const char *const texts[] = {f->first[i].where, f->first[i].what, f->first[i].a, f->first[i].b};
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
            buf_printf(out, "%s\"%s\":", k > 0 ? "," : (i > 0 ? ",{" : "{"), names[k]);
            buf_json_string(out, texts[k], strlen(texts[k]));
        }
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

static void print_json(const struct rebuild_report *r, struct buf *out)
{
    buf_printf(out,
               "{\"partitions\":%d,\"offsets\":%" PRId64 ",\"flows\":%" PRId64 ",\"decisions\":%" PRId64
               ",\"again\":%" PRId64 ",\"compared\":%s,\"log\":",
               r->partitions, r->offsets, r->flows, r->decisions, r->again, r->compared ? "true" : "false");
    json_findings(&r->log, "expected", "found", out);
    buf_puts(out, ",\"live\":");
    digests_json(&r->live, DIGESTS, out);
    buf_puts(out, ",\"rebuilt\":");
    digests_json(&r->rebuilt, DIGESTS, out);
    buf_puts(out, ",\"differences\":");
    json_findings(&r->differences, "live", "rebuilt", out);
    buf_puts(out, "}\n");
}

static int verdict(const struct cli *cli, const struct rebuild_report *r)
{
    if (r->log.n > 0 || r->differences.n > 0) {
        return EXIT_REJECTED;
    }
    if (r->moved) {
        cli_note(cli, "the live ledger went on while its log was read, so it was not compared; stop the role account, "
                      "empty the other database, try again");
        return EXIT_TRY_AGAIN;
    }
    return EXIT_DONE;
}

static enum rc rebuild(const struct cli *cli, const volatile sig_atomic_t *interrupted, struct rebuild_report *r,
                       struct err *err)
{
    struct progress bar = {.cli = cli, .what = ""};
    const struct rebuild_options opt = {.cfg = cli->cfg,
                                        .into = cli_flag(cli, "into"),
                                        .dry_run = cli->dry_run,
                                        .alone = cli_flag(cli, "alone") != NULL,
                                        .interrupted = interrupted,
                                        .progress = on_progress,
                                        .opaque = &bar};
    enum rc rc = rebuild_run(&opt, r, err);

    progress_end(&bar);
    return rc;
}

int cmd_account_rebuild(const struct cli *cli)
{
    CLEANUP(rebuild_report_done) struct rebuild_report r = {0};
    CLEANUP(buf_done) struct buf out;
    struct err err;

    buf_init(&out, OUTPUT_MAX);
    if (cli_flag(cli, "into") == NULL || cli_flag(cli, "into")[0] == '\0') {
        return cli_usage(cli, "--into: expected the URL of a migrated database without accounts");
    }
    bool live = cli_flag(cli, "alone") == NULL;
    if (cli_require(cli, "kafka.brokers") != EXIT_DONE || (live && cli_require(cli, "database.url") != EXIT_DONE)) {
        return EXIT_CONFIG;
    }
    const volatile sig_atomic_t *interrupted = account_catch_signals();
    if (rebuild(cli, interrupted, &r, &err) != RC_OK) {
        return *interrupted != 0 ? EXIT_INTERRUPTED : cli_fail("account rebuild", &err);
    }
    if (cli->json) {
        print_json(&r, &out);
    } else {
        print_text(cli, &r, &out);
    }
    int code = cli_print(&out);
    return code == EXIT_DONE ? verdict(cli, &r) : code;
}
