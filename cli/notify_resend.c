/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice notify resend`: looks, asks, sends again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "carrier/carrier.h"
#include "commands.h"
#include "express.h"
#include "notify/resend.h"
#include "pg/conn.h"

#define OUTPUT_MAX ((size_t)16 << 20)
#define NAME_MAX_BYTES 128

struct job {
    const struct cli *cli;
    PGconn *conn;
    struct arena arena;
    struct resend_types types;
    struct resend_options opt;
    struct resend *list;
    size_t n, ready, devices, missing, refused, changed;
};

static enum rc look(struct job *j, struct err *err)
{
    const struct cli *cli = j->cli;

    TRY(express_db(cli, "sluice notify resend", &j->conn, err));
    TRY(resend_session(j->conn, &j->types, err));
    TRY(resend_find(j->conn, &j->types, cli->argc > 0 ? cli->argv : NULL, (size_t)cli->argc,
                    cli_flag(cli, "tracking-no"), &j->opt, &j->arena, &j->list, &j->n, err));
    for (size_t i = 0; i < j->n; i++) {
        bool ready = j->list[i].state == RESEND_READY;
        j->ready += ready ? 1 : 0;
        j->devices += ready ? j->list[i].n_devices : 0;
        j->refused += ready ? 0 : 1;
    }
    return RC_OK;
}

/* Those that were named and are not there. */
static void say_missing(struct job *j)
{
    for (int k = 0; k < j->cli->argc; k++) {
        bool found = false;
        for (size_t i = 0; i < j->n && !found; i++) {
            found =
                strcasecmp(j->list[i].id, j->cli->argv[k]) == 0 || strcmp(j->list[i].message_id, j->cli->argv[k]) == 0;
        }
        if (!found) {
            j->missing++;
            (void)fprintf(stderr, "sluice: notify resend: there is no notification %s\n", j->cli->argv[k]);
        }
    }
    if (j->cli->argc == 0 && j->n == 0) {
        j->missing = 1;
        (void)fprintf(stderr, "sluice: notify resend: there is no notification about this parcel\n");
    }
}

static void print_one(const struct job *j, const struct resend *r, struct buf *out, bool first)
{
    if (!j->cli->json) {
        buf_printf(out, "%s  %-8s  %-36s  %-10s  generation %lld  %-8s  to %zu devices", r->id, r->aud, r->recipient,
                   r->send_status, (long long)(r->generation + (r->state == RESEND_DONE ? 1 : 0)),
                   resend_state_name(r->state), r->n_devices);
        if (r->accepted > 0) {
            buf_printf(out, ", %zu have accepted it", r->accepted);
        }
        if (r->under_way > 0) {
            buf_printf(out, ", under way to %zu", r->under_way);
        }
        if (r->left_out > 0) {
            buf_printf(out, ", %" PRId64 " left out beyond notify.devices.max", r->left_out);
        }
        buf_putc(out, '\n');
        return;
    }
    buf_puts(out, first ? "" : ",");
    buf_puts(out, "\n{\"id\":");
    buf_json_string(out, r->id, strlen(r->id));
    buf_puts(out, ",\"message_id\":");
    buf_json_string(out, r->message_id, strlen(r->message_id));
    buf_puts(out, ",\"recipient_id\":");
    buf_json_string(out, r->recipient, strlen(r->recipient));
    buf_printf(out,
               ",\"aud\":\"%s\",\"send_status\":\"%s\",\"generation\":%lld,\"result\":\"%s\",\"accepted\":%zu,"
               "\"under_way\":%zu,\"devices_left_out\":%" PRId64 ",\"devices\":[",
               r->aud, r->send_status, (long long)(r->generation + (r->state == RESEND_DONE ? 1 : 0)),
               resend_state_name(r->state), r->accepted, r->under_way, r->left_out);
    for (size_t i = 0; i < r->n_devices; i++) {
        buf_puts(out, i > 0 ? ",{\"appid\":" : "{\"appid\":");
        buf_json_string(out, r->devices[i].appid, strlen(r->devices[i].appid));
        buf_puts(out, ",\"cid\":");
        buf_json_string(out, r->devices[i].cid, strlen(r->devices[i].cid));
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

static int print(const struct job *j)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, OUTPUT_MAX);
    buf_puts(&out, j->cli->json ? "{\"notifications\":[" : "");
    for (size_t i = 0; i < j->n; i++) {
        print_one(j, &j->list[i], &out, i == 0);
    }
    buf_puts(&out, j->cli->json ? "]}\n" : "");
    return cli_print(&out);
}

static void audit(const struct job *j, const char *what)
{
    char operator_name[AUDIT_NAME_MAX];

    audit_operator(j->cli, operator_name);
    log_write(LOG_INFO, "notify", what, KV_S("operator", operator_name), KV_I("notifications", (int64_t)j->ready),
              KV_I("devices", (int64_t)j->devices), KV_S("id", j->n == 1 ? j->list[0].id : ""), KV_END);
}

static int verdict(const struct job *j, int code)
{
    return code != EXIT_DONE ? code
           : j->missing > 0  ? EXIT_NOT_FOUND
           : j->changed > 0  ? EXIT_TRY_AGAIN
           : j->refused > 0  ? EXIT_REJECTED
                             : EXIT_DONE;
}

static enum rc send_all(struct job *j, struct err *err)
{
    for (size_t i = 0; i < j->n; i++) {
        if (j->list[i].state == RESEND_READY) {
            TRY(resend_do(j->conn, &j->types, &j->list[i], &j->opt, err));
            j->changed += j->list[i].state == RESEND_CHANGED ? 1 : 0;
        }
    }
    return RC_OK;
}

static int resend(struct job *j)
{
    struct err err;

    if (look(j, &err) != RC_OK) {
        return cli_fail("notify resend", &err);
    }
    say_missing(j);
    if (j->cli->dry_run || j->ready == 0) {
        return verdict(j, print(j));
    }
    int code = cli_confirm(j->cli, "Send %zu notifications again, to %zu devices?", j->ready, j->devices);
    if (code != EXIT_DONE) {
        return code;
    }
    audit(j, "resend begins");
    if (send_all(j, &err) != RC_OK) {
        (void)print(j); /* what is done is done */
        return cli_fail("notify resend", &err);
    }
    return verdict(j, print(j));
}

/* EXIT_DONE, or it was said what is wrong. */
static int check(const struct cli *cli)
{
    const char *tracking = cli_flag(cli, "tracking-no");

    if ((cli->argc > 0) == (tracking != NULL)) {
        return cli_usage(cli, "expected notifications, or --tracking-no");
    }
    if (tracking != NULL && !carrier_tracking_ok(tracking)) {
        return cli_usage(cli, "--tracking-no: expected 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    for (int i = 0; i < cli->argc; i++) {
        if (cli->argc > RESEND_MAX || cli->argv[i][0] == '\0' || strlen(cli->argv[i]) > NAME_MAX_BYTES) {
            return cli_usage(cli, "expected at most %d ids of at most %d bytes", RESEND_MAX, NAME_MAX_BYTES);
        }
    }
    return cli_require(cli, "database.url");
}

int cmd_notify_resend(const struct cli *cli)
{
    struct job j = {.cli = cli,
                    .opt = {.all = cli_flag(cli, "all") != NULL,
                            .force = cli_flag(cli, "force") != NULL,
                            .ttl_s = config_int(cli->cfg, "notify.ttl.s"),
                            .devices_max = (size_t)config_int(cli->cfg, "notify.devices.max")}};
    int code = check(cli);

    if (code != EXIT_DONE) {
        return code;
    }
    arena_init(&j.arena, (size_t)64 << 10);
    code = resend(&j);
    arena_done(&j.arena);
    pg_close(j.conn);
    return code;
}
