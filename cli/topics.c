/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice topics`: the topics of the topology, compared with the cluster's, created and configured. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "kafka/conf.h"
#include "kafka/topics.h"
#include "schemas/topology.h"
#include "topics_plan.h"

#define OUTPUT_MAX ((size_t)1 << 20)

void topics_plan_done(struct topics_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->wants[i].name);
    }
    free(p->wants);
    free(p->diffs);
}

static void want(struct topic_want *w, const char *key, const char *fmt, int64_t number)
{
    struct topic_config *c = &w->configs[w->n_configs++];

    c->key = key;
    if (fmt == NULL) {
        snprintf(c->value, sizeof(c->value), "%" PRId64, number);
    } else {
        snprintf(c->value, sizeof(c->value), "%s", fmt);
    }
}

static void plan_topic(const struct config *cfg, const struct topic_spec *spec, struct topic_want *w)
{
    int64_t min_insync = config_int(cfg, "topics.min.insync");

    w->name = kafka_topic_name(cfg, spec->name);
    w->partitions = spec->partitions;
    w->replication = (int)config_int(cfg, "topics.replication");
    want(w, "max.message.bytes", NULL, spec->max_message_bytes);
    if (spec->compacted) {
        /* Small segments: the log of a state topic is read at each take-over. */
        want(w, "cleanup.policy", "compact", 0);
        want(w, "segment.bytes", NULL, 4 << 20);
        want(w, "segment.ms", NULL, 3600 * 1000);
        want(w, "min.cleanable.dirty.ratio", "0.1", 0);
    } else {
        want(w, "cleanup.policy", "delete", 0);
        want(w, "retention.ms", NULL, spec->retention_ms);
    }
    if (min_insync > 0) {
        want(w, "min.insync.replicas", NULL, min_insync);
    }
}

void topics_plan_make(const struct config *cfg, struct topics_plan *p)
{
    p->n = TOPICS_N;
    p->wants = xcalloc(TOPICS_N, sizeof(*p->wants));
    p->diffs = xcalloc(TOPICS_N, sizeof(*p->diffs));
    for (size_t i = 0; i < TOPICS_N; i++) {
        plan_topic(cfg, &TOPICS[i], &p->wants[i]);
    }
}

static const char *state_name(enum topic_state state)
{
    static const char *const names[] = {"same", "missing", "differs", "wrong partition count"};

    return names[state];
}

static int print_plan(const struct cli *cli, const struct topics_plan *p)
{
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    for (size_t i = 0; i < p->n; i++) {
        const struct topic_diff *d = &p->diffs[i];
        if (cli->json) {
            buf_printf(&out,
                       "%s{\"topic\":\"%s\",\"state\":\"%s\",\"partitions\":%d,\"detail\":", i == 0 ? "[" : ",\n ",
                       p->wants[i].name, state_name(d->state), d->partitions);
            buf_json_string(&out, d->text, strlen(d->text));
            buf_puts(&out, i + 1 == p->n ? "}]\n" : "}");
        } else {
            buf_printf(&out, "%-32s %-22s %s\n", p->wants[i].name, state_name(d->state), d->text);
        }
    }
    int code = cli_print(&out);
    buf_done(&out);
    return code;
}

static size_t count_state(const struct topics_plan *p, enum topic_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        n += p->diffs[i].state == state ? 1 : 0;
    }
    return n;
}

int cmd_topics_diff(const struct cli *cli)
{
    struct topics_plan p;
    struct err err;
    int code = EXIT_DONE;

    topics_plan_make(cli->cfg, &p);
    if (topics_compare(cli->cfg, p.wants, p.n, p.diffs, &err) != RC_OK) {
        code = cli_fail("topics", &err);
    } else {
        code = print_plan(cli, &p);
        if (code == EXIT_DONE && count_state(&p, TOPIC_SAME) != p.n) {
            code = EXIT_REJECTED;
        }
    }
    topics_plan_done(&p);
    return code;
}

/* A partition count cannot be mended: keys would move to other partitions and lose their order. */
static int refuse_partitions(const struct topics_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->diffs[i].state == TOPIC_WRONG_PARTITIONS) {
            fprintf(stderr, "sluice: topics: topic %s has %s; partition counts are fixed for life\n", p->wants[i].name,
                    p->diffs[i].text);
        }
    }
    return EXIT_REJECTED;
}

static int apply_plan(const struct cli *cli, struct topics_plan *p)
{
    struct err err;
    size_t changed = 0;

    if (topics_compare(cli->cfg, p->wants, p->n, p->diffs, &err) != RC_OK) {
        return cli_fail("topics", &err);
    }
    if (count_state(p, TOPIC_WRONG_PARTITIONS) > 0) {
        return refuse_partitions(p);
    }
    if (cli->dry_run) {
        return print_plan(cli, p);
    }
    if (topics_apply(cli->cfg, p->wants, p->diffs, p->n, &changed, &err) != RC_OK) {
        return cli_fail("topics", &err);
    }
    if (cli->json) {
        printf("{\"topics\":%zu,\"changed\":%zu}\n", p->n, changed);
    } else {
        cli_note(cli, "%zu topics, %zu created or changed", p->n, changed);
    }
    return EXIT_DONE;
}

int cmd_topics_apply(const struct cli *cli)
{
    struct topics_plan p;

    topics_plan_make(cli->cfg, &p);
    int code = apply_plan(cli, &p);
    topics_plan_done(&p);
    return code;
}

/* One line for kafka-acls.sh per right, each once. */
static void print_acl(struct buf *out, const char *role, const char *operation, const char *kind, const char *name)
{
    char *line CLEANUP(freep) =
        xasprintf("--add --allow-principal User:sluice-%s --operation %s --%s %s\n", role, operation, kind, name);

    if (strstr(buf_str(out), line) == NULL) {
        buf_puts(out, line);
    }
}

static bool is_topic(const char *name)
{
    return topic_spec_find(name) != NULL;
}

int cmd_topics_acl(const struct cli *cli)
{
    const char *prefix = config_str(cli->cfg, "topic.prefix");
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        const char *writes[] = {s->to, s->dlq};
        if (strcmp(s->via, "people") == 0 || strcmp(s->via, "SQL") == 0) {
            continue; /* not a program */
        }
        if (is_topic(s->from)) {
            char *name CLEANUP(freep) = xasprintf("%s%s", prefix, s->from);
            char *group CLEANUP(freep) = xasprintf("%ssluice-%s", prefix, s->via);
            print_acl(&out, s->via, "Read", "topic", name);
            print_acl(&out, s->via, "Read", "group", group);
        }
        for (size_t w = 0; w < ARRAY_SIZE(writes); w++) {
            if (writes[w] != NULL && is_topic(writes[w])) {
                char *name CLEANUP(freep) = xasprintf("%s%s", prefix, writes[w]);
                print_acl(&out, s->via, "Write", "topic", name);
            }
        }
    }
    char *txn CLEANUP(freep) = xasprintf("%ssluice- --resource-pattern-type prefixed", prefix);
    char *positions CLEANUP(freep) = xasprintf("%ssluice.relay.positions", prefix);
    print_acl(&out, "relay", "All", "topic", positions);
    /* Whoever writes in transactions looks whether the brokers lost the end of one (kafka/hanging.h). */
    static const char *const writers[] = {"relay", "callback", "push"};
    for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
        print_acl(&out, writers[i], "Write", "transactional-id", txn);
        print_acl(&out, writers[i], "Read", "topic", "__transaction_state");
        print_acl(&out, writers[i], "Describe", "topic", "__consumer_offsets");
    }
    static const struct {
        const char *role, *outcomes;
    } delivery[] = {{"callback", "callback.outcomes"}, {"push", "notification.outcomes"}};
    for (size_t i = 0; i < ARRAY_SIZE(delivery); i++) {
        char *outcomes CLEANUP(freep) = xasprintf("%s%s", prefix, delivery[i].outcomes);
        char *group CLEANUP(freep) = xasprintf("%ssluice-%s", prefix, delivery[i].role);
        print_acl(&out, delivery[i].role, "Read", "topic", outcomes); /* to put an offset of it into a transaction */
        print_acl(&out, delivery[i].role, "Delete", "group", group);  /* that offset again */
    }
    int code = cli_print(&out);
    buf_done(&out);
    return code;
}
