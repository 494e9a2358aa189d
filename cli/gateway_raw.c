/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice gateway erase` and `reverify`: what is kept of channels' calls. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "gateway.h"
#include "gateway/reverify.h"
#include "pg/conn.h"
#include "shown.h"
#include "when.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define SHOWN_MAX 10000 /* differences; beyond they are only counted */
#define ERASED_AT_ONCE 1000

/* ---- erase ---- */

#define WHICH \
    "erased_at IS NULL AND ($1::text IS NULL OR payment_id = $1) AND ($2::timestamptz IS NULL OR received_at < $2)"
static const char COUNT[] = "SELECT count(*) FROM payment_callbacks WHERE " WHICH;
static const char ERASE[] =
    "UPDATE payment_callbacks SET raw_headers = NULL, raw_body = NULL, key_id = NULL, erased_at = now() WHERE id IN "
    "(SELECT id FROM payment_callbacks WHERE " WHICH " LIMIT $3::bigint FOR UPDATE)";

static enum rc erase_all(PGconn *conn, const char *const *params, int64_t *out_erased, struct err *err)
{
    int64_t n = ERASED_AT_ONCE;
    *out_erased = 0;
    while (n == ERASED_AT_ONCE) {
        PGresult *res CLEANUP(pg_clearp) = NULL;
        TRY(pg_query(conn, ERASE, 3, params, &res, err));
        n = strtoll(PQcmdTuples(res), NULL, 10);
        *out_erased += n;
    }
    return RC_OK;
}

static int count_and_erase(const struct cli *cli, PGconn *conn, const char *const *params)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct err err;
    int64_t erased = 0;

    if (pg_query(conn, COUNT, 2, params, &res, &err) != RC_OK) {
        return cli_fail("gateway erase", &err);
    }
    int64_t n = pg_int(res, 0, 0, 0);
    if (cli->dry_run) {
        cli_note(cli, "would erase headers and body of %" PRId64 " calls", n);
        return EXIT_DONE;
    }
    int code = n == 0 ? EXIT_DONE : cli_confirm(cli, "Erase headers and body of %" PRId64 " calls for ever?", n);
    if (code != EXIT_DONE) {
        return code;
    }
    if (erase_all(conn, params, &erased, &err) != RC_OK) {
        return cli_fail("gateway erase", &err);
    }
    printf(cli->json ? "{\"erased\":%" PRId64 "}\n" : "erased: headers and body of %" PRId64 " calls\n", erased);
    return EXIT_DONE;
}

int cmd_gateway_erase(const struct cli *cli)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    const char *payment = cli_flag(cli, "payment");
    const char *before = cli_flag(cli, "before");
    char at[CLOCK_RFC3339_MAX];
    char limit[24];
    int64_t at_us = 0;
    struct err err;

    if ((payment == NULL) == (before == NULL)) {
        return cli_usage(cli, "expected --payment ID or --before WHEN");
    }
    if (before != NULL && !when_parse(before, clock_utc_us(), &at_us)) {
        return cli_usage(cli, "--before: expected RFC 3339, or 30m, 12h, 7d before now");
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    clock_rfc3339(at_us, at);
    (void)snprintf(limit, sizeof limit, "%d", ERASED_AT_ONCE);
    const char *const params[] = {payment, before == NULL ? NULL : at, limit};
    if (gateway_db(cli, "sluice gateway erase", &conn, &err) != RC_OK) {
        return cli_fail("gateway erase", &err);
    }
    return count_and_erase(cli, conn, params);
}

/* ---- reverify ---- */

struct shown_differences {
    struct buf *out;
    bool json;
    int64_t n;
};

static void add_member(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, "\"%s\": ", name);
    (void)buf_json_string(out, value, strlen(value));
}

static void on_difference(void *opaque, const struct reverify_difference *d)
{
    struct shown_differences *s = opaque;
    if (s->n++ >= SHOWN_MAX) {
        return;
    }
    if (!s->json) {
        CLEANUP(freep) char *stored = shown(d->stored);
        CLEANUP(freep) char *now = shown(d->now);
        (void)buf_printf(s->out, "%s  %s.%s  %s  %s: %s -> %s\n", d->id, d->channel, d->account, d->received_at,
                         d->what, stored, now);
        return;
    }
    (void)buf_printf(s->out, "%s{\"id\": \"%s\", ", s->n == 1 ? "" : ", ", d->id);
    const char *const members[] = {"channel", d->channel, "account", d->account, "received_at", d->received_at,
                                   "what",    d->what,    "stored",  d->stored,  "now",         d->now};
    for (size_t i = 0; i < ARRAY_SIZE(members); i += 2) {
        (void)buf_puts(s->out, i == 0 ? "" : ", ");
        add_member(s->out, members[i], members[i + 1]);
    }
    (void)buf_putc(s->out, '}');
}

static void accounts_freep(struct accounts **accounts)
{
    *accounts = accounts_free(*accounts);
}

static enum rc run(const struct cli *cli, const struct reverify_filter *filter, struct shown_differences *s,
                   struct reverify_counts *counts, struct err *err)
{
    CLEANUP(accounts_freep) struct accounts *accounts = NULL;
    CLEANUP(raw_keys_freep) struct raw_keys *keys = NULL;
    PGconn *conn CLEANUP(pg_closep) = NULL;
    TRY(accounts_read(config_str(cli->cfg, "gateway.accounts"), &accounts, err));
    const char *configured = config_str(cli->cfg, "gateway.raw.keys.file");
    CLEANUP(freep)
    char *path =
        configured[0] == '\0' ? raw_keys_beside(config_str(cli->cfg, "gateway.accounts")) : xstrdup(configured);
    TRY(raw_keys_read(path, &keys, err));
    TRY(gateway_db(cli, "sluice gateway reverify", &conn, err));
    return reverify_run(conn, accounts, keys, filter, on_difference, s, counts, err);
}

static int reverify(const struct cli *cli, const struct reverify_filter *filter)
{
    CLEANUP(buf_done) struct buf out;
    struct shown_differences s = {.out = &out, .json = cli->json};
    struct reverify_counts counts;
    struct err err;
    buf_init(&out, OUTPUT_MAX);
    (void)buf_puts(&out, cli->json ? "{\"differences\": [" : "");
    if (run(cli, filter, &s, &counts, &err) != RC_OK) {
        return cli_fail("gateway reverify", &err);
    }
    (void)buf_printf(&out,
                     cli->json ? "], \"looked_at\": %" PRId64 ", \"changed\": %" PRId64 ", \"unreadable\": %" PRId64
                                 "}\n"
                               : "%" PRId64 " calls looked at, %" PRId64 " changed, %" PRId64 " unreadable\n",
                     counts.looked_at, counts.changed, counts.unreadable);
    int code = cli_print(&out);
    return code != EXIT_DONE ? code : (counts.changed + counts.unreadable == 0 ? EXIT_DONE : EXIT_REJECTED);
}

int cmd_gateway_reverify(const struct cli *cli)
{
    static const char *const NEEDED[] = {"database.url", "gateway.accounts"};
    const char *since = cli_flag(cli, "since");
    char at[CLOCK_RFC3339_MAX];
    int64_t at_us = 0;
    struct reverify_filter filter = {
        .channel = cli_flag(cli, "channel"), .account = cli_flag(cli, "account"), .verdict = cli_flag(cli, "reason")};
    if (since != NULL && !when_parse(since, clock_utc_us(), &at_us)) {
        return cli_usage(cli, "--since: expected RFC 3339, or 30m, 12h, 7d before now");
    }
    if (filter.channel != NULL && channel_find(filter.channel) < 0) {
        return cli_usage(cli, "--channel: expected wechat, alipay, appstore or applepay");
    }
    if (filter.verdict != NULL && strcmp(filter.verdict, "ok") != 0 && strcmp(filter.verdict, "conflict") != 0 &&
        strcmp(filter.verdict, "unknown_order") != 0) {
        return cli_usage(cli, "--reason: expected ok, conflict or unknown_order");
    }
    for (size_t i = 0; i < ARRAY_SIZE(NEEDED); i++) {
        if (cli_require(cli, NEEDED[i]) != EXIT_DONE) {
            return EXIT_CONFIG;
        }
    }
    clock_rfc3339(at_us, at);
    filter.since = since == NULL ? NULL : at;
    return reverify(cli, &filter);
}
