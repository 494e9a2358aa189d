/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice version` and `sluice topology`: what this program is made of, and the road as text, JSON and Mermaid;
 * with --states the payments' state machine. */
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "payment/state.h"
#include "schemas/topology.h"

#define OUT_BYTES_MAX ((size_t)1 << 20)
#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#define DAY_MS (24LL * 3600 * 1000)

int cmd_version(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    int pq = PQlibVersion();
    (void)buf_printf(&out,
                     cli->json
                         ? "{\"version\": \"%s\", \"librdkafka\": \"%s\", \"libpq\": \"%d.%d\", \"compiler\": \"%s\"}\n"
                         : "sluice %s (librdkafka %s, libpq %d.%d, %s)\n",
                     SLUICE_VERSION, rd_kafka_version_str(), pq / 10000, pq % 10000, COMPILER);
    return cli_print(&out);
}

static void add_json(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, "\"%s\": ", name);
    if (value == NULL) {
        (void)buf_puts(out, "null");
    } else {
        (void)buf_json_string(out, value, strlen(value));
    }
}

static void topology_json(struct buf *out)
{
    (void)buf_puts(out, "{\"topics\": [");
    for (size_t i = 0; i < TOPICS_N; i++) {
        const struct topic_spec *t = &TOPICS[i];
        (void)buf_puts(out, i == 0 ? "\n  {" : ",\n  {");
        add_json(out, "name", t->name);
        (void)buf_printf(
            out, ", \"partitions\": %d, \"retention_ms\": %lld, \"compacted\": %s, \"max_message_bytes\": %lld, ",
            t->partitions, (long long)t->retention_ms, t->compacted ? "true" : "false",
            (long long)t->max_message_bytes);
        add_json(out, "schema", t->schema);
        (void)buf_puts(out, ", ");
        add_json(out, "key", t->key);
        (void)buf_puts(out, ", ");
        add_json(out, "help", t->help);
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "\n], \"road\": [");
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        (void)buf_puts(out, i == 0 ? "\n  {" : ",\n  {");
        add_json(out, "from", s->from);
        (void)buf_puts(out, ", ");
        add_json(out, "via", s->via);
        (void)buf_puts(out, ", ");
        add_json(out, "to", s->to);
        (void)buf_puts(out, ", ");
        add_json(out, "dlq", s->dlq);
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "\n]}\n");
}

static char *kept_text(const struct topic_spec *t)
{
    if (t->compacted || t->retention_ms < 0) {
        return xstrdup(t->compacted ? "compacted" : "for ever");
    }
    return xasprintf("%lld days", (long long)t->retention_ms / DAY_MS);
}

static void topology_text(struct buf *out)
{
    (void)buf_printf(out, "%-28s %10s  %-9s  %-16s  %s\n", "TOPIC", "PARTITIONS", "KEPT", "SCHEMA", "KEY");
    for (size_t i = 0; i < TOPICS_N; i++) {
        const struct topic_spec *t = &TOPICS[i];
        CLEANUP(freep)
        char *kept = kept_text(t);
        (void)buf_printf(out, "%-28s %10d  %-9s  %-16s  %s\n", t->name, t->partitions, kept,
                         t->schema == NULL ? "-" : t->schema, t->key);
    }
    (void)buf_printf(out, "\n%-36s %-10s %-36s %s\n", "FROM", "VIA", "TO", "DEAD LETTERS");
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        (void)buf_printf(out, "%-36s %-10s %-36s %s\n", s->from, s->via, s->to, s->dlq == NULL ? "-" : s->dlq);
    }
}

/*
 * Mermaid ids know no dots, blanks or colons. A topic's id begins with t_, since account.flows and account_flows are
 * two places. Each appearance also says name and shape.
 */
static void add_node(struct buf *out, const char *name)
{
    bool is_topic = topic_spec_find(name) != NULL;

    (void)buf_puts(out, is_topic ? "t_" : "");
    for (const char *c = name; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        (void)buf_putc(out, plain ? *c : '_');
    }
    bool is_world = strncmp(name, "https", 5) == 0 || strchr(name, ' ') != NULL;
    const char *open = is_topic ? "([" : (is_world ? "{{" : "[(");
    const char *close = is_topic ? "])" : (is_world ? "}}" : ")]");
    (void)buf_printf(out, "%s\"%s\"%s", open, name, close);
}

static void topology_mermaid(struct buf *out)
{
    (void)buf_puts(out, "flowchart LR\n");
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        (void)buf_puts(out, "    ");
        add_node(out, s->from);
        (void)buf_printf(out, " -->|%s| ", s->via);
        add_node(out, s->to);
        (void)buf_putc(out, '\n');
    }
}

int cmd_topology(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    if (cli_flag(cli, "states") != NULL) {
        payment_states_mermaid(&out);
    } else if (cli_flag(cli, "mermaid") != NULL) {
        topology_mermaid(&out);
    } else if (cli->json) {
        topology_json(&out);
    } else {
        topology_text(&out);
    }
    return cli_print(&out);
}
