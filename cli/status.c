/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice status`: a look at every stage of the road, once or again and again. */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "kafka/conf.h"
#include "relay/relay.h"
#include "runtime/dbproc.h"
#include "runtime/delivery.h"
#include "schemas/topology.h"

#define OUTPUT_MAX ((size_t)1 << 20)
#define STUCK_AFTER_S 900

/* In the order of the roads. */
static const struct {
    const char *role, *topic;
    bool database;
} READERS[STATUS_READERS] = {{"callback", "callback.events", false},  {"sink", "callback.outcomes", true},
                             {"notify", "express.events", true},      {"push", "notification.pushes", false},
                             {"sink", "notification.outcomes", true}, {"account", "account.commands", true},
                             {"account", "payment.events", true}};

static void add_readers(struct status *st)
{
    for (size_t i = 0; i < STATUS_READERS; i++) {
        struct status_reader *r = &st->readers[i];
        const char *role = READERS[i].role;
        *r = (struct status_reader){.role = role,
                                    .topic = READERS[i].topic,
                                    .database = READERS[i].database,
                                    .members = STATUS_UNKNOWN,
                                    .lag = {.oldest_ms = -1},
                                    .rate = -1};
        r->group = r->database ? dbproc_group_name(st->cfg, role) : delivery_group_name(st->cfg, role);
        r->full_topic = kafka_topic_name(st->cfg, r->topic);
        for (size_t p = 0; p < STATUS_PARTITIONS_MAX; p++) {
            r->position[p] = -1;
        }
    }
}

static void add_source(struct status *st, const struct source *src)
{
    const struct row_kind *kind = row_kind_of_source(src->name);
    struct status_source *s = &st->sources[st->n_sources++];

    *s = (struct status_source){.name = src->name,
                                .table = src->table,
                                .has_waiting = src->queue == QUEUE_STATUS,
                                .has_rows = src->raw,
                                .next_due_s = STATUS_UNKNOWN,
                                .row_stuck = STATUS_UNKNOWN,
                                .rate = -1};
    if (kind != NULL && strcmp(kind->table, src->table) == 0) {
        s->view = outbox_view_of(kind);
    }
    for (size_t i = 0; i < ROW_STATES_MAX; i++) {
        s->row_states[i] = STATUS_UNKNOWN;
    }
}

int64_t status_rows(const struct status_source *s, const char *state)
{
    for (size_t i = 0; s->view != NULL && i < ROW_STATES_MAX && s->view->states[i] != NULL; i++) {
        if (strcmp(s->view->states[i], state) == 0) {
            return s->row_states[i];
        }
    }
    return STATUS_UNKNOWN;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s);
    size_t m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

enum rc status_init(struct status *st, const struct config *cfg, int64_t stuck_after_s, struct err *err)
{
    *st = (struct status){.cfg = cfg, .stuck_after_s = stuck_after_s};
    TRY(relay_load_sources(cfg, &st->source_list, err));
    for (int i = 0; i < st->source_list->n; i++) {
        add_source(st, &st->source_list->list[i]);
    }
    add_readers(st);
    for (size_t i = 0; i < TOPICS_N && i < STATUS_TOPICS_MAX; i++) {
        st->topics[st->n_topics++] = (struct status_topic){.name = TOPICS[i].name,
                                                           .full_name = kafka_topic_name(cfg, TOPICS[i].name),
                                                           .dead_letters = ends_with(TOPICS[i].name, ".dlq"),
                                                           .records = {.oldest_ms = -1},
                                                           .open = {.n = STATUS_UNKNOWN}};
    }
    return RC_OK;
}

void status_done(struct status *st)
{
    sources_free(st->source_list);
    for (size_t i = 0; i < STATUS_READERS; i++) {
        free(st->readers[i].group);
        free(st->readers[i].full_topic);
    }
    for (size_t i = 0; i < st->n_topics; i++) {
        free(st->topics[i].full_name);
    }
    *st = (struct status){.cfg = NULL};
}

static double per_second(int64_t now, int64_t before, int64_t ms)
{
    return ms > 0 && now >= before ? (double)(now - before) * 1000 / (double)ms : -1;
}

void status_rates(struct status *now, const struct status *before)
{
    int64_t ms = now->mono_ms - before->mono_ms;

    for (int i = 0; i < now->n_sources && now->db_known && before->db_known; i++) {
        now->sources[i].rate = per_second(now->sources[i].published, before->sources[i].published, ms);
    }
    for (size_t i = 0; i < STATUS_READERS; i++) {
        struct status_reader *r = &now->readers[i];
        if (now->kafka_known && before->kafka_known && r->known && before->readers[i].known) {
            r->rate = per_second(r->offset_sum, before->readers[i].offset_sum, ms);
        }
    }
}

static int exit_code(const struct status *st)
{
    const struct err *errs[] = {st->db_known ? NULL : &st->db_err, st->kafka_known ? NULL : &st->kafka_err};
    int code = EXIT_DONE;

    for (size_t i = 0; i < ARRAY_SIZE(errs); i++) {
        if (errs[i] != NULL) {
            int its = cli_fail("status", errs[i]);
            code = code == EXIT_DONE || its == EXIT_CONFIG ? its : code;
        }
    }
    return code;
}

static int show(const struct cli *cli, const struct status *st, bool clear)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, OUTPUT_MAX);
    buf_puts(&out, clear ? "\033[H\033[2J" : "");
    if (cli->json) {
        status_json(st, &out);
    } else {
        status_print(st, &out);
        buf_puts(&out, cli_flag(cli, "watch") != NULL && !clear ? "\n" : "");
    }
    int code = cli_print(&out);
    return code == EXIT_DONE ? exit_code(st) : code;
}

/* before: the last look, or NULL; replaced by this one. */
static int look(const struct cli *cli, int64_t stuck_after_s, struct status **before, bool clear)
{
    struct err err;
    struct status *st = xcalloc(1, sizeof(*st));

    if (status_init(st, cli->cfg, stuck_after_s, &err) != RC_OK) {
        status_done(st);
        free(st);
        return cli_fail("status", &err);
    }
    st->at_us = clock_utc_us();
    st->mono_ms = clock_mono_ms();
    status_ask_database(st);
    status_ask_kafka(st);
    if (*before != NULL) {
        status_rates(st, *before);
        status_done(*before);
        free(*before);
    }
    *before = st;
    return show(cli, st, clear);
}

int cmd_status(const struct cli *cli)
{
    struct err err;
    struct status *last = NULL;
    int64_t watch_s = 0;
    int64_t stuck_after_s = STUCK_AFTER_S;
    int code = EXIT_DONE;

    if (cli_flag_int(cli, "watch", 1, 86400, &watch_s, &err) != RC_OK ||
        cli_flag_int(cli, "stuck-after", 0, 31536000, &stuck_after_s, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    bool clear = watch_s > 0 && !cli->json && isatty(STDOUT_FILENO);
    do {
        code = look(cli, stuck_after_s, &last, clear);
        if (watch_s > 0 && code != EXIT_FAILED && code != EXIT_CONFIG) {
            clock_sleep_ms(watch_s * 1000);
        }
    } while (watch_s > 0 && code != EXIT_FAILED && code != EXIT_CONFIG);
    if (last != NULL) {
        status_done(last);
        free(last);
    }
    return code;
}
