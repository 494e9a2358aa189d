/* SPDX-License-Identifier: Apache-2.0 */
/* The command tree. A new command is one row here and one function in its family's file. */
#include "base/mem.h"
#include "commands.h"

#define FLAGS(rows) .flags = (rows), .n_flags = ARRAY_SIZE(rows)
#define CHILDREN(rows) .children = (rows), .n_children = ARRAY_SIZE(rows)

static const struct command_flag MIGRATE_FLAGS[] = {
    {"print", NULL, "Print the SQL instead of running it."},
    {"print-role", NULL, "Print the SQL of a role with the least privileges that sluice needs."},
};

static const struct command TOPICS_CHILDREN[] = {
    {.name = "apply", .help = "Create and configure the topics.", .run = cmd_topics_apply},
    {.name = "diff", .help = "Say what differs; exit code 3 when something does.", .run = cmd_topics_diff},
    {.name = "acl", .help = "Print the rights that each role needs.", .run = cmd_topics_acl},
};

static const struct command_flag TAIL_FLAGS[] = {
    {"from", "WHERE", "beginning, end, an offset, or -N for the last N of each partition (default beginning)."},
    {"until", "WHERE", "end, an offset, or never (default end)."},
    {"partition", "N", "Only this partition."},
    {"count", "N", "Stop after N records."},
    {"key", "KEY", "Only records with this key."},
    {"follow", NULL, "Same as --until never."},
};

static const struct command_flag TOPOLOGY_FLAGS[] = {
    {"mermaid", NULL, "As a Mermaid flow chart for Markdown."},
};

static const struct command CONFIG_CHILDREN[] = {
    {.name = "check",
     .help = "Check file and environment; exit code 78 when something is wrong.",
     .run = cmd_config_check},
    {.name = "docs", .help = "Print docs/CONFIGURATION.md.", .run = cmd_config_docs, .no_config = true},
};

static const struct command COMMANDS[] = {
    {.name = "run",
     .args = "ROLE...",
     .help = "Run roles in the foreground; several roles are one supervised process each.",
     .more = "Stops cleanly on SIGTERM or Ctrl-C; a second one stops at once.",
     .args_min = 1,
     .args_max = -1,
     .run = cmd_run,
     .help_more = run_help},
    {.name = "migrate",
     .help = "Create or upgrade the tables; harmless when repeated.",
     FLAGS(MIGRATE_FLAGS),
     .run = cmd_migrate},
    {.name = "topics",
     .help = "Compare the topics with what they should be, create them, print their ACLs.",
     .more = "Without a command: diff.",
     CHILDREN(TOPICS_CHILDREN),
     .run = cmd_topics_diff},
    {.name = "status", .help = "One screen: how far every stage is, and what waits.", .run = cmd_status},
    {.name = "health",
     .args = "ROLE",
     .help = "Exit code 0 when every instance of the role on this machine is ready.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_health},
    {.name = "tail",
     .args = "TOPIC",
     .help = "Records of a topic as JSON lines.",
     FLAGS(TAIL_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_tail},
    {.name = "encode",
     .args = "SCHEMA",
     .help = "JSON lines on stdin to length-prefixed Avro records on stdout.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_encode},
    {.name = "decode",
     .help = "Length-prefixed Avro records on stdin to JSON lines on stdout.",
     .more = "kcat -C -t TOPIC -e -q -f '%R%s' | sluice decode",
     .run = cmd_decode},
    {.name = "topology",
     .help = "The road: topics, and who moves what from where to where.",
     FLAGS(TOPOLOGY_FLAGS),
     .run = cmd_topology,
     .no_config = true},
    {.name = "config",
     .help = "Effective options and where each value came from, secrets masked.",
     CHILDREN(CONFIG_CHILDREN),
     .run = cmd_config},
    {.name = "version", .help = "Versions of the program and its libraries.", .run = cmd_version, .no_config = true},
};

const struct command ROOT_COMMAND = {
    .name = "sluice",
    .help = "sluice moves committed rows to Kafka and onwards, each exactly once.",
    .more = "A first run needs DATABASE_URL and KAFKA_BROKERS: `sluice migrate`, `sluice topics apply`, `sluice run "
            "relay`.",
    CHILDREN(COMMANDS),
};
