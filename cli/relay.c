/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice relay position show|set`: where each source stands, and how to go on after a restore. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "relay/relay.h"
#include "relay/reposition.h"

#define OUTPUT_MAX ((size_t)8 << 20)

static const struct source *find_source(const struct sources *sources, const char *name)
{
    for (int i = 0; i < sources->n; i++) {
        if (strcmp(sources->list[i].name, name) == 0) {
            return &sources->list[i];
        }
    }
    return NULL;
}

static void print_report(const struct cli *cli, const struct source *src, const struct position_report *r,
                         struct buf *out)
{
    const struct position *p = &r->kafka;

    if (cli->json) {
        buf_printf(out, "{\"source\":\"%s\",\"found\":%s,\"kafka\":", src->name, r->found ? "true" : "false");
        if (r->found) {
            position_encode(p, src->name, out);
        } else {
            buf_puts(out, "null");
        }
        buf_printf(out, ",\"copy_published\":%" PRId64 ",\"system_id\":\"%s\",\"timeline\":%" PRId64 ",\"state\":",
                   r->copied, r->db.system_id, r->db.timeline);
        buf_json_string(out, r->state, strlen(r->state));
        buf_puts(out, "}\n");
        return;
    }
    buf_printf(out, "source %s\n", src->name);
    if (r->found) {
        buf_printf(out, "  position   %s%s%s, last queue_seq %" PRId64 ", %" PRId64 " rows published\n", p->s1,
                   position_mid_window(p) ? " on the way to " : "", position_mid_window(p) ? p->s2 : "", p->last_seq,
                   p->published);
        buf_printf(out, "  belongs to cluster %s, timeline %" PRId64 ", database oid %" PRId64 "\n", p->db.system_id,
                   p->db.timeline, p->db.database_oid);
    } else {
        buf_puts(out, "  position   none: the relay starts with the first queued row\n");
    }
    buf_printf(out, "  database   cluster %s, timeline %" PRId64 ", database oid %" PRId64 "\n", r->db.system_id,
               r->db.timeline, r->db.database_oid);
    if (r->copied >= 0) {
        buf_printf(out, "  copy       %" PRId64 " rows published, last written by %s\n", r->copied, r->owner);
    }
    buf_printf(out, "  verdict    %s\n", r->state[0] == '\0' ? "the relay goes on from here" : r->state);
}

int cmd_relay_position_show(const struct cli *cli)
{
    struct sources *sources CLEANUP(sources_freep) = NULL;
    struct buf out;
    struct err err;
    enum rc rc = relay_load_sources(cli->cfg, &sources, &err);
    bool blocked = false;

    if (rc == RC_OK && cli->argc > 0 && find_source(sources, cli->argv[0]) == NULL) {
        fprintf(stderr, "sluice: relay position: there is no source %s in sources.json\n", cli->argv[0]);
        return EXIT_NOT_FOUND;
    }

    buf_init(&out, OUTPUT_MAX);
    for (int i = 0; rc == RC_OK && i < sources->n; i++) {
        struct position_report r;
        if (cli->argc > 0 && strcmp(cli->argv[0], sources->list[i].name) != 0) {
            continue;
        }
        rc = reposition_show(cli->cfg, &sources->list[i], &r, &err);
        if (rc == RC_OK) {
            blocked = blocked || r.state[0] != '\0';
            print_report(cli, &sources->list[i], &r, &out);
            position_done(&r.kafka);
        }
    }
    int code = rc != RC_OK ? cli_fail("relay position", &err) : cli_print(&out);
    buf_done(&out);
    return code == EXIT_DONE && blocked ? EXIT_REJECTED : code;
}

static const char *consequence(enum reposition_to to)
{
    switch (to) {
    case REPOSITION_START:
        return "every queued row of the table is published again: receivers see each event a second time";
    case REPOSITION_NOW:
        return "rows committed but not published yet are skipped and never published";
    case REPOSITION_ACCEPT:
        return "the relay goes on from the same snapshot in this database: right after a synchronous failover or a "
               "clean "
               "move; after a restore rows may be missing or doubled";
    case REPOSITION_SNAPSHOT:
        return "rows visible in this snapshot count as published, all others are published";
    }
    return "";
}

int cmd_relay_position_set(const struct cli *cli)
{
    struct sources *sources CLEANUP(sources_freep) = NULL;
    struct err err;
    struct position pos;
    const char *to_text = cli_flag(cli, "to");
    enum reposition_to to = REPOSITION_SNAPSHOT;

    if (to_text == NULL) {
        return cli_usage(cli, "--to is missing; expected start, now, accept or a snapshot");
    }
    to = strcmp(to_text, "start") == 0    ? REPOSITION_START
         : strcmp(to_text, "now") == 0    ? REPOSITION_NOW
         : strcmp(to_text, "accept") == 0 ? REPOSITION_ACCEPT
                                          : REPOSITION_SNAPSHOT;
    if (relay_load_sources(cli->cfg, &sources, &err) != RC_OK) {
        return cli_fail("relay position", &err);
    }
    const struct source *src = find_source(sources, cli->argv[0]);
    if (src == NULL) {
        fprintf(stderr, "sluice: relay position: there is no source %s in sources.json\n", cli->argv[0]);
        return EXIT_NOT_FOUND;
    }
    cli_note(cli, "source %s: %s", src->name, consequence(to));
    if (cli->dry_run || !cli->yes) {
        cli_note(cli, "nothing was changed%s", cli->dry_run ? "" : "; say --yes to do it");
        return cli->dry_run ? EXIT_DONE : EXIT_USAGE;
    }
    if (reposition_set(cli->cfg, src, to, to_text, &pos, &err) != RC_OK) {
        return cli_fail("relay position", &err);
    }
    cli_note(cli, "source %s: position is now %s", src->name, pos.s1);
    position_done(&pos);
    return EXIT_DONE;
}
