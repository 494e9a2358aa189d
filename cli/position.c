/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice position show|set`: where database processors stand, and how to put them elsewhere. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "base/mem.h"
#include "commands.h"
#include "delivery_state/sink.h"
#include "kafka/conf.h"
#include "notify/notify.h"
#include "runtime/dbproc.h"
#include "runtime/dbproc_stand.h"

#define OUTPUT_MAX ((size_t)8 << 20)

/* The database processors that there are. */
static const struct {
    const char *role;
    const struct dbproc_topic *topics;
    const size_t *n_topics;
} PROCESSORS[] = {{"account", ACCOUNT_TOPICS, &ACCOUNT_TOPICS_N},
                  {"notify", NOTIFY_TOPICS, &NOTIFY_TOPICS_N},
                  {"sink", SINK_TOPICS, &SINK_TOPICS_N}};

/* A group as it was named: by its full name, without the prefix, or by its role. */
struct group {
    char *name;
    char *topics[DBPROC_TOPICS_MAX];
    size_t n_topics;
};

static void group_done(struct group *g)
{
    free(g->name);
    for (size_t i = 0; i < g->n_topics; i++) {
        free(g->topics[i]);
    }
}

static bool is_named(const struct cli *cli, const char *text, const char *role, const char *full)
{
    const char *prefix = config_str(cli->cfg, "topic.prefix");

    return strcmp(text, role) == 0 || strcmp(text, full) == 0 || strcmp(text, full + strlen(prefix)) == 0;
}

/* A name that is none of ours may still have rows: of a group option that was another. */
static void find_group(const struct cli *cli, const char *text, struct group *out)
{
    *out = (struct group){.name = NULL};
    for (size_t i = 0; i < ARRAY_SIZE(PROCESSORS); i++) {
        char *full CLEANUP(freep) = dbproc_group_name(cli->cfg, PROCESSORS[i].role);
        if (!is_named(cli, text, PROCESSORS[i].role, full)) {
            continue;
        }
        out->name = full;
        full = NULL;
        for (size_t t = 0; t < *PROCESSORS[i].n_topics; t++) {
            out->topics[out->n_topics++] = kafka_topic_name(cli->cfg, PROCESSORS[i].topics[t].name);
        }
        return;
    }
    out->name = xstrdup(text);
}

static enum rc read_group(const struct cli *cli, const struct group *g, struct dbproc_stands *out, struct err *err)
{
    return dbproc_stands_read(cli->cfg, g->name, (const char *const *)g->topics, g->n_topics, out, err);
}

static int require(const struct cli *cli)
{
    int code = cli_require(cli, "database.url");

    return code == EXIT_DONE ? cli_require(cli, "kafka.brokers") : code;
}

static int no_group(const struct group *g)
{
    (void)fprintf(stderr,
                  "sluice: position: group %s has no positions; expected a database processor's, such as sink\n",
                  g->name);
    return EXIT_NOT_FOUND;
}

/* ---------------------------------------------------------------------------------------------------- show */

static void add_offset(struct buf *out, const char *name, int64_t offset)
{
    if (offset < 0) {
        buf_printf(out, ",\"%s\":null", name);
    } else {
        buf_printf(out, ",\"%s\":%" PRId64, name, offset);
    }
}

static void print_json(const struct group *g, const struct dbproc_stand *p, struct buf *out)
{
    buf_puts(out, "{\"group\":");
    buf_json_string(out, g->name, strlen(g->name));
    buf_puts(out, ",\"topic\":");
    buf_json_string(out, p->topic, strlen(p->topic));
    buf_printf(out, ",\"partition\":%" PRId32, p->partition);
    add_offset(out, "position", p->found ? p->next_offset : -1);
    add_offset(out, "epoch", p->found ? p->epoch : -1);
    add_offset(out, "log_start", p->log_start);
    add_offset(out, "log_end", p->log_end);
    add_offset(out, "group_offset", p->group_offset);
    buf_puts(out, ",\"owner\":");
    buf_json_string(out, p->owner, strlen(p->owner));
    buf_puts(out, ",\"state\":");
    buf_json_string(out, p->state, strlen(p->state));
    buf_puts(out, "}\n");
}

static const char *offset_text(char out[24], int64_t offset)
{
    (void)snprintf(out, 24, "%" PRId64, offset);
    return offset < 0 ? "-" : out;
}

static void print_row(const struct dbproc_stand *p, struct buf *out)
{
    char a[24];
    char b[24];
    char c[24];
    char d[24];

    buf_printf(out, "%-26s %9" PRId32 " %10s %10s %10s %10s %6" PRId64 "  %s%s%s\n", p->topic, p->partition,
               offset_text(a, p->found ? p->next_offset : -1), offset_text(b, p->log_start), offset_text(c, p->log_end),
               offset_text(d, p->group_offset), p->epoch, p->found ? p->owner : "never started",
               p->state[0] != '\0' ? "; " : "", p->state);
}

static int print_group(const struct cli *cli, const struct group *g, const struct dbproc_stands *s)
{
    CLEANUP(buf_done) struct buf out;
    bool halted = false;

    buf_init(&out, OUTPUT_MAX);
    if (!cli->json) {
        buf_printf(&out, "group %s, %" PRId64 " members\n", g->name, s->members);
        buf_puts(&out,
                 "TOPIC                      PARTITION   POSITION  LOG START    LOG END      GROUP  EPOCH  OWNER\n");
    }
    for (size_t i = 0; i < s->n; i++) {
        halted = halted || s->list[i].state[0] != '\0';
        if (cli->json) {
            print_json(g, &s->list[i], &out);
        } else {
            print_row(&s->list[i], &out);
        }
    }
    int code = cli_print(&out);
    return code == EXIT_DONE && halted ? EXIT_REJECTED : code;
}

static int show_group(const struct cli *cli, const char *name)
{
    CLEANUP(group_done) struct group g;
    CLEANUP(dbproc_stands_done) struct dbproc_stands s = {.list = NULL};
    struct err err;

    find_group(cli, name, &g);
    if (read_group(cli, &g, &s, &err) != RC_OK) {
        return cli_fail("position", &err);
    }
    return s.n == 0 ? no_group(&g) : print_group(cli, &g, &s);
}

int cmd_position_show(const struct cli *cli)
{
    int worst = EXIT_DONE;

    if (require(cli) != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (cli->argc > 0) {
        return show_group(cli, cli->argv[0]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(PROCESSORS); i++) {
        int code = show_group(cli, PROCESSORS[i].role);
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* ---------------------------------------------------------------------------------------------------- set */

enum where { TO_EARLIEST, TO_LATEST, TO_OFFSET };

struct wish {
    enum where where;
    int64_t offset;
    int64_t partition; /* -1 = all */
    const char *topic; /* NULL = all; with or without prefix */
};

/* REJECT: the text names the flag. */
static enum rc read_wish(const struct cli *cli, struct wish *w, struct err *err)
{
    const char *to = cli_flag(cli, "to");

    *w = (struct wish){.partition = -1, .topic = cli_flag(cli, "topic")};
    TRY(cli_flag_int(cli, "partition", 0, INT32_MAX, &w->partition, err));
    if (to == NULL) {
        FAIL(err, RC_REJECT, "--to is missing; expected earliest, latest or an offset");
    }
    w->where = strcmp(to, "earliest") == 0 ? TO_EARLIEST : strcmp(to, "latest") == 0 ? TO_LATEST : TO_OFFSET;
    if (w->where != TO_OFFSET) {
        return RC_OK;
    }
    if (cli_flag_int(cli, "to", 0, INT64_MAX / 4, &w->offset, err) != RC_OK) {
        FAIL(err, RC_REJECT, "--to: \"%.40s\" is none of earliest, latest or an offset", to);
    }
    if (w->partition < 0) {
        FAIL(err, RC_REJECT, "--to OFFSET is about one partition; --partition is missing");
    }
    return RC_OK;
}

static bool is_meant(const struct cli *cli, const struct wish *w, const struct dbproc_stand *p)
{
    const char *prefix = config_str(cli->cfg, "topic.prefix");
    size_t skip = strncmp(p->topic, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;

    return (w->partition < 0 || w->partition == p->partition) &&
           (w->topic == NULL || strcmp(w->topic, p->topic) == 0 || strcmp(w->topic, p->topic + skip) == 0);
}

/* Where each of them goes. REJECT: an offset the log does not have. */
static enum rc plan(const struct cli *cli, const struct wish *w, struct dbproc_stands *s, size_t *out_n,
                    struct err *err)
{
    *out_n = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct dbproc_stand *p = &s->list[i];
        if (!is_meant(cli, w, p)) {
            continue;
        }
        if (p->log_end < 0) {
            FAIL(err, RC_REJECT, "%s partition %d: Kafka has no such partition", p->topic, (int)p->partition);
        }
        p->to = w->where == TO_EARLIEST ? p->log_start : w->where == TO_LATEST ? p->log_end : w->offset;
        if (p->to < p->log_start || p->to > p->log_end) {
            FAIL(err, RC_REJECT,
                 "%s partition %d: offset %" PRId64 " is outside of the log; expected %" PRId64 " to %" PRId64,
                 p->topic, (int)p->partition, p->to, p->log_start, p->log_end);
        }
        p->move = !p->found || p->to != p->next_offset;
        (*out_n)++;
    }
    return RC_OK;
}

static void say_plan(const struct cli *cli, const struct dbproc_stand *p)
{
    int64_t from = p->found ? p->next_offset : p->log_start;

    if (p->to == from) {
        cli_note(cli, "%s partition %d: at %" PRId64 "%s", p->topic, (int)p->partition, p->to,
                 p->found ? ", nothing changes" : ", as a first start");
    } else if (p->to < from) {
        cli_note(cli,
                 "%s partition %d: from %" PRId64 " back to %" PRId64 ": these %" PRId64
                 " offsets are handled again, and what is not idempotent happens twice",
                 p->topic, (int)p->partition, from, p->to, from - p->to);
    } else {
        cli_note(cli,
                 "%s partition %d: from %" PRId64 " on to %" PRId64 ": the records of these %" PRId64
                 " offsets are skipped and never take effect",
                 p->topic, (int)p->partition, from, p->to, p->to - from);
    }
}

static int move(const struct cli *cli, const struct group *g, const struct dbproc_stands *s)
{
    struct err err;
    bool force = cli_flag(cli, "force") != NULL;

    if (cli->dry_run || !cli->yes) {
        cli_note(cli, "nothing was changed%s", cli->dry_run ? "" : "; say --yes to do it");
        return cli->dry_run ? EXIT_DONE : EXIT_USAGE;
    }
    if (s->members > 0 && !force) {
        (void)fprintf(stderr,
                      "sluice: position: group %s has %" PRId64 " members; stop them first, or say --force: they are "
                      "fenced and go on from there\n",
                      g->name, s->members);
        return EXIT_TRY_AGAIN;
    }
    if (dbproc_stands_move(cli->cfg, g->name, s, force, &err) != RC_OK) {
        return cli_fail("position", &err);
    }
    cli_note(cli, "group %s: done", g->name);
    return EXIT_DONE;
}

int cmd_position_set(const struct cli *cli)
{
    CLEANUP(group_done) struct group g;
    CLEANUP(dbproc_stands_done) struct dbproc_stands s = {.list = NULL};
    struct wish wish;
    struct err err;
    size_t n = 0;

    find_group(cli, cli->argv[0], &g);
    if (read_wish(cli, &wish, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (require(cli) != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    if (read_group(cli, &g, &s, &err) != RC_OK) {
        return cli_fail("position", &err);
    }
    if (s.n == 0) {
        return no_group(&g);
    }
    if (plan(cli, &wish, &s, &n, &err) != RC_OK) {
        return cli_fail("position", &err);
    }
    if (n == 0) {
        (void)fprintf(stderr, "sluice: position: group %s reads no such topic or partition\n", g.name);
        return EXIT_NOT_FOUND;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (is_meant(cli, &wish, &s.list[i])) {
            say_plan(cli, &s.list[i]);
        }
    }
    return move(cli, &g, &s);
}
