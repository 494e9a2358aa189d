/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice notify preview`: the role's rules over one event, in a transaction that only reads. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "carrier/carrier.h"
#include "commands.h"
#include "express.h"
#include "notify/notify.h"
#include "notify/store.h"
#include "pg/conn.h"

#define OUTPUT_MAX ((size_t)4 << 20)

static const char ROW[] =
    "SELECT id, coalesce(tracking_no, ''), carrier, coalesce(status, ''), left(context, 2048),"
    " (extract(epoch FROM node_at) * 1000000)::bigint, (extract(epoch FROM created_at) * 1000000)::bigint"
    " FROM notify_queue WHERE id = $1";

static const char *keep(struct arena *a, const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : arena_strndup(a, text, strlen(text));
}

static enum rc read_row(const struct cli *cli, PGconn *conn, struct arena *a, struct notify_event *ev, bool *out_found,
                        struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, ROW, 1, cli->argv, &res, err));
    *out_found = PQntuples(res) > 0;
    if (*out_found) {
        const char *status = keep(a, pg_text(res, 0, 3));
        *ev = (struct notify_event){.event_id = keep(a, pg_text(res, 0, 0)),
                                    .tracking_no = arena_strndup(a, pg_text(res, 0, 1), strlen(pg_text(res, 0, 1))),
                                    .carrier = keep(a, pg_text(res, 0, 2)),
                                    .status_text = status != NULL ? status : "",
                                    .context = keep(a, pg_text(res, 0, 4)),
                                    .node_us = pg_int(res, 0, 5, NOTIFY_NO_TIME),
                                    .created_us = pg_int(res, 0, 6, NOTIFY_NO_TIME)};
    }
    return RC_OK;
}

/* An event that is not there: it happens now, under an id that no row has. */
static void make_event(const struct cli *cli, struct arena *a, struct notify_event *ev)
{
    char id[UUID_TEXT_LEN + 1];

    uuid_make(id);
    *ev = (struct notify_event){.event_id = keep(a, id),
                                .tracking_no = cli_flag(cli, "tracking-no"),
                                .carrier = cli_flag(cli, "carrier"),
                                .status_text = cli_flag(cli, "status"),
                                .context = keep(a, cli_flag(cli, "context")),
                                .node_us = clock_utc_us(),
                                .created_us = NOTIFY_NO_TIME};
}

/* ---- Printing ---- */

static void put_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text == NULL) {
        buf_puts(out, "null");
    } else {
        buf_json_string(out, text, strlen(text));
    }
}

static void json_message(const struct notify_batch *b, const struct notify_message *m, const struct notify_rules *rules,
                         struct buf *out)
{
    const struct notify_recipient *r = &b->recipients[m->recipient];

    buf_printf(out, "{\"aud\":\"%s\"", notify_aud_name(r->aud));
    put_text(out, "recipient_id", r->id);
    put_text(out, "message_id", m->id);
    buf_printf(out, ",\"muted\":%s,\"written\":%s", m->muted ? "true" : "false", m->writes ? "true" : "false");
    put_text(out, "stands", m->known.found ? m->known.send_status : NULL);
    put_text(out, "reason", m->reason != NOTIFY_NO_REASON ? notify_reason_code(m->reason) : NULL);
    put_text(out, "last_error", m->last_error);
    put_text(out, "locale", templates_locale(rules->templates, m->locale));
    put_text(out, "title", m->text.title);
    put_text(out, "body", m->text.body);
    buf_printf(out, ",\"devices_left_out\":%" PRId64 ",\"devices\":[", r->left_out);
    for (size_t i = 0; i < r->n_devices; i++) {
        buf_puts(out, i > 0 ? ",{\"appid\":" : "{\"appid\":");
        buf_json_string(out, r->devices[i].appid, strlen(r->devices[i].appid));
        put_text(out, "cid", r->devices[i].cid);
        put_text(out, "platform", r->devices[i].platform);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

static void print_json(const struct notify_batch *b, const struct notify_rules *rules, struct buf *out)
{
    const struct notify_item *it = &b->items[0];

    buf_puts(out, "{\"event_id\":");
    buf_json_string(out, it->ev.event_id, strlen(it->ev.event_id));
    put_text(out, "tracking_no", it->ev.tracking_no);
    put_text(out, "status", it->ev.status_text);
    put_text(out, "result", notify_result_name(it->result));
    put_text(out, "reason", it->reason != NOTIFY_NO_REASON ? notify_reason_code(it->reason) : NULL);
    put_text(out, "last_error", it->last_error);
    buf_puts(out, ",\"notifications\":[");
    for (size_t k = 0; k < it->n_messages; k++) {
        buf_puts(out, k > 0 ? "," : "");
        json_message(b, &it->messages[k], rules, out);
    }
    buf_puts(out, "]}\n");
}

static void text_message(const struct notify_batch *b, const struct notify_message *m, const struct notify_rules *rules,
                         struct buf *out)
{
    const struct notify_recipient *r = &b->recipients[m->recipient];

    buf_printf(out, "\n%s %s: ", notify_aud_name(r->aud), r->id);
    if (m->muted) {
        buf_puts(out, "muted\n");
        return;
    }
    if (m->known.found && !m->writes) {
        buf_printf(out, "told already (%s)\n", m->known.send_status);
    } else {
        buf_printf(out, "%s%s\n", m->known.found ? "tried again, " : "",
                   m->last_error != NULL ? m->last_error : "would be told");
    }
    buf_printf(out, "  %-6s  %s\n  %-6s  %s\n", templates_locale(rules->templates, m->locale), m->text.title, "",
               m->text.body);
    for (size_t i = 0; i < r->n_devices; i++) {
        const struct notify_device *d = &r->devices[i];
        buf_printf(out, "  device  %s/%s%s%s\n", d->appid, d->cid, d->platform != NULL ? "  " : "",
                   d->platform != NULL ? d->platform : "");
    }
    if (r->left_out > 0) {
        buf_printf(out, "  left out  %" PRId64 " more active devices, beyond notify.devices.max\n", r->left_out);
    }
}

static void print_text(const struct notify_batch *b, const struct notify_rules *rules, struct buf *out)
{
    const struct notify_item *it = &b->items[0];
    char at[CLOCK_RFC3339_MAX];

    clock_rfc3339(it->node_us, at);
    buf_printf(out, "event   %s\nparcel  %s, %s at %s\nresult  %s%s%s\n", it->ev.event_id, it->ev.tracking_no,
               it->ev.status_text, at, notify_result_name(it->result), it->last_error != NULL ? ": " : "",
               it->last_error != NULL ? it->last_error : "");
    for (size_t k = 0; k < it->n_messages; k++) {
        text_message(b, &it->messages[k], rules, out);
    }
}

/* ---- The command ---- */

/* *out_code: NOT_FOUND, or whether anybody would be told. */
static enum rc decide(const struct cli *cli, PGconn *conn, struct notify_batch *b, const struct notify_rules *rules,
                      int *out_code, struct err *err)
{
    struct notify_store *store = notify_store_create(rules->devices_max, false);
    struct notify_event ev;
    bool found = true;

    enum rc rc = notify_store_session(store, conn, err);
    if (rc == RC_OK) {
        rc = pg_exec(conn, "BEGIN READ ONLY", NULL, err); /* ends with the session */
    }
    if (rc == RC_OK && cli->argc > 0) {
        rc = read_row(cli, conn, &b->arena, &ev, &found, err);
    } else {
        make_event(cli, &b->arena, &ev);
    }
    if (rc == RC_OK && found) {
        ev.status = express_status_find(ev.status_text);
        b->preview = true;
        notify_batch_add(b, &ev);
        rc = notify_store_decide(store, conn, b, rules, err);
    }
    notify_store_free(store);
    *out_code = !found ? EXIT_NOT_FOUND : EXIT_DONE;
    return rc;
}

static int show(const struct cli *cli, const struct notify_batch *b, const struct notify_rules *rules)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, OUTPUT_MAX);
    if (cli->json) {
        print_json(b, rules, &out);
    } else {
        print_text(b, rules, &out);
    }
    int code = cli_print(&out);
    return code == EXIT_DONE && b->items[0].result != NOTIFY_QUEUED ? EXIT_REJECTED : code;
}

static int preview(const struct cli *cli, const struct notify_rules *rules)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct notify_batch b;
    struct err err;
    int code = EXIT_DONE;

    notify_batch_init(&b);
    if (express_db(cli, "sluice notify preview", &conn, &err) != RC_OK ||
        decide(cli, conn, &b, rules, &code, &err) != RC_OK) {
        code = cli_fail("notify preview", &err);
    } else if (code == EXIT_NOT_FOUND) {
        (void)fprintf(stderr, "sluice: notify preview: there is no row %s in notify_queue\n", cli->argv[0]);
    } else {
        code = show(cli, &b, rules);
    }
    notify_batch_done(&b);
    return code;
}

/* EXIT_DONE, or it was said what is wrong. */
static int check(const struct cli *cli)
{
    const char *tracking = cli_flag(cli, "tracking-no");
    const char *status = cli_flag(cli, "status");

    if (cli->argc > 0 ? tracking != NULL || status != NULL : tracking == NULL || status == NULL) {
        return cli_usage(cli, "expected the id of a row of notify_queue, or --tracking-no and --status");
    }
    if (cli->argc > 0 && !uuid_check(cli->argv[0], strlen(cli->argv[0]))) {
        return cli_usage(cli, "\"%.60s\" is not the id of a row of notify_queue, a UUID", cli->argv[0]);
    }
    if (tracking != NULL && !carrier_tracking_ok(tracking)) {
        return cli_usage(cli, "--tracking-no: expected 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    if (status != NULL && express_status_find(status) == EXPRESS_UNKNOWN) {
        return cli_usage(cli,
                         "--status: expected collected, in_transit, customs, out_for_delivery, exception, delivered"
                         " or returned");
    }
    return cli_require(cli, "database.url");
}

int cmd_notify_preview(const struct cli *cli)
{
    struct templates *templates = NULL;
    struct notify_rules rules;
    struct err err;
    int code = check(cli);

    if (code != EXIT_DONE) {
        return code;
    }
    if (notify_rules_load(cli->cfg, &templates, &rules, &err) != RC_OK) {
        return cli_fail("notify preview", &err);
    }
    code = preview(cli, &rules);
    templates_free(templates);
    return code;
}
