/* SPDX-License-Identifier: Apache-2.0 */
/* The command, its arguments and its report. */
#include "selftest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/clock.h"
#include "base/mem.h"
#include "carrier/carrier.h"
#include "commands.h"
#include "express.h"
#include "pg/conn.h"
#include "shown.h"

#define OUTPUT_MAX ((size_t)256 << 10)
#define TIMEOUT_DEFAULT_S 30
#define TIMEOUT_MAX_S 600

static struct selftest_stage *add_stage(struct selftest *t, const char *name, bool ok)
{
    int64_t now = clock_mono_ms();
    struct selftest_stage *s = &t->stages[t->n_stages < SELFTEST_STAGES_MAX - 1 ? t->n_stages++ : t->n_stages];

    *s = (struct selftest_stage){.name = name, .ok = ok, .ms = now - t->began_ms};
    t->began_ms = now;
    return s;
}

void selftest_ok(struct selftest *t, const char *stage, const char *fmt, ...)
{
    struct selftest_stage *s = add_stage(t, stage, true);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(s->text, sizeof(s->text), fmt, ap);
    va_end(ap);
}

bool selftest_fail(struct selftest *t, const char *stage, const char *hint, const char *fmt, ...)
{
    struct selftest_stage *s = add_stage(t, stage, false);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(s->text, sizeof(s->text), fmt, ap);
    va_end(ap);
    (void)snprintf(s->hint, sizeof(s->hint), "%s", hint);
    return false;
}

static void print_json(const struct selftest *t, bool ok, struct buf *out)
{
    buf_printf(out, "{\"ok\":%s,\"tracking_no\":\"%s\",\"stages\":[", ok ? "true" : "false", t->number);
    for (size_t i = 0; i < t->n_stages; i++) {
        const struct selftest_stage *s = &t->stages[i];
        buf_printf(out, "%s\n {\"stage\":\"%s\",\"ok\":%s,\"ms\":%" PRId64 ",\"text\":", i == 0 ? "" : ",", s->name,
                   s->ok ? "true" : "false", s->ms);
        buf_json_string(out, s->text, strlen(s->text));
        buf_puts(out, ",\"hint\":");
        if (s->hint[0] != '\0') {
            buf_json_string(out, s->hint, strlen(s->hint));
        } else {
            buf_puts(out, "null");
        }
        buf_putc(out, '}');
    }
    buf_puts(out, "]}\n");
}

static void print_text(const struct selftest *t, struct buf *out)
{
    for (size_t i = 0; i < t->n_stages; i++) {
        const struct selftest_stage *s = &t->stages[i];
        CLEANUP(freep) char *text = shown(s->text);
        CLEANUP(freep) char *hint = shown(s->hint);
        buf_printf(out, "%-5s %-22s %6" PRId64 " ms  %s\n", s->ok ? "ok" : "FAIL", s->name, s->ms, text);
        if (hint[0] != '\0') {
            buf_printf(out, "%-5s %-22s %9s  -> %s\n", "", "", "", hint);
        }
    }
}

static int report(const struct selftest *t, bool ok)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, OUTPUT_MAX);
    if (t->cli->json) {
        print_json(t, ok, &out);
    } else {
        print_text(t, &out);
    }
    int code = cli_print(&out);
    if (*t->stop) {
        return EXIT_INTERRUPTED;
    }
    return code == EXIT_DONE && !ok ? EXIT_FAILED : code;
}

static int run(struct selftest *t)
{
    t->began_ms = clock_mono_ms();
    bool ok = (!t->own || selftest_make(t)) && selftest_send(t) && selftest_watch(t);
    if (t->own) {
        selftest_clean(t);
    }
    return report(t, ok);
}

/* "0.0.0.0:7201" is asked at 127.0.0.1, and so is "[::]:7201". */
static void url_of(const char *listen, char out[SELFTEST_URL_MAX])
{
    const char *port = strrchr(listen, ':');
    bool any = strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0;

    if (any && port != NULL) {
        (void)snprintf(out, SELFTEST_URL_MAX, "http://127.0.0.1%s", port);
    } else {
        (void)snprintf(out, SELFTEST_URL_MAX, "http://%s", listen);
    }
}

static int urls(struct selftest *t)
{
    const char *webhook = cli_flag(t->cli, "url");
    const char *device = cli_flag(t->cli, "device-url");
    struct err err;

    url_of(config_str(t->cli->cfg, "express.listen"), t->webhook_url);
    url_of(config_str(t->cli->cfg, "device.listen"), t->device_url);
    if (webhook != NULL) {
        (void)snprintf(t->webhook_url, sizeof(t->webhook_url), "%s", webhook);
    }
    if (device != NULL) {
        (void)snprintf(t->device_url, sizeof(t->device_url), "%s", device);
    }
    if (fetch_url_check(t->webhook_url, &err) != RC_OK) {
        return cli_usage(t->cli, "--url: %s", err.text);
    }
    if (fetch_url_check(t->device_url, &err) != RC_OK) {
        return cli_usage(t->cli, "--device-url: %s", err.text);
    }
    return cli_require(t->cli, "database.url");
}

int cmd_selftest_express(const struct cli *cli)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct selftest *t CLEANUP(freep) = xcalloc(1, sizeof(*t));
    const char *number = cli_flag(cli, "tracking-no");
    int64_t timeout_s = TIMEOUT_DEFAULT_S;
    struct err err;

    t->cli = cli;
    t->own = number == NULL;
    if (number != NULL && !carrier_tracking_ok(number)) {
        return cli_usage(cli, "--tracking-no: expected 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    if (cli_flag_int(cli, "timeout", 1, TIMEOUT_MAX_S, &timeout_s, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    int code = urls(t);
    if (code == EXIT_DONE && number != NULL) {
        code = cli_confirm(cli, "Tell the real recipients of %s that their parcel is on its way?", number);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    if (express_db(cli, "sluice selftest", &conn, &err) != RC_OK) {
        return cli_fail("selftest express", &err);
    }
    (void)snprintf(t->number, sizeof(t->number), "%s", number != NULL ? number : "");
    t->conn = conn;
    t->timeout_ms = timeout_s * 1000;
    t->stop = account_catch_signals();
    t->fetcher = fetcher_create();
    code = run(t);
    t->fetcher = fetcher_free(t->fetcher);
    return code;
}
