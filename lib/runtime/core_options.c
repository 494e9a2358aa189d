/* SPDX-License-Identifier: Apache-2.0 */
/* The option table that all roles and commands share. */
#include "runtime/core_options.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define NAME_CHARACTERS "a-zA-Z0-9._-"

static const struct option ROWS[] = {
    {.name = "database.url",
     .type = OPTION_STRING,
     .value = "",
     .secret = true,
     .env = "DATABASE_URL",
     .help = "PostgreSQL, as postgresql://user:password@host:port/database or libpq's keyword form."},
    {.name = "database.schema",
     .type = OPTION_STRING,
     .value = "public",
     .max = 63,
     .choices = "a-zA-Z0-9_",
     .help = "Schema of sluice's tables."},
    {.name = "kafka.brokers",
     .type = OPTION_STRING,
     .value = "",
     .env = "KAFKA_BROKERS",
     .help = "First brokers to ask, as host:port,host:port."},
    {.name = "topic.prefix",
     .type = OPTION_STRING,
     .value = "",
     .max = 64,
     .choices = NAME_CHARACTERS,
     .help = "Put before every topic name, as it is: \"shop1.\" makes shop1.callback.events."},
    {.name = "topics.replication",
     .type = OPTION_INT,
     .value = "-1",
     .min = -1,
     .max = 32,
     .help = "Replicas of topics that `topics apply` creates; -1 = what the brokers are set to."},
    {.name = "topics.min.insync",
     .type = OPTION_INT,
     .value = "0",
     .min = 0,
     .max = 32,
     .help = "min.insync.replicas of topics that `topics apply` creates; 0 = what the brokers are set to."},
    {.name = "value.format",
     .type = OPTION_CHOICE,
     .value = "avro",
     .choices = "avro|json",
     .help = "How record values are written: Avro in the Confluent wire format, or the same fields as JSON."},
    {.name = "sources.file",
     .type = OPTION_STRING,
     .value = "",
     .help = "Path of a sources.json that replaces the built-in one."},
    {.name = "instance",
     .type = OPTION_STRING,
     .value = "",
     .max = 64,
     .choices = "a-zA-Z0-9._:@/-",
     .help = "Name of this process in logs and health; default host:pid:starttime."},
    {.name = "runtime.dir",
     .type = OPTION_STRING,
     .value = "",
     .help = "Folder where running roles record themselves; default /run/sluice for root, else /tmp/sluice-UID."},
    {.name = "http",
     .type = OPTION_STRING,
     .value = "",
     .max = 79,
     .help = "IP:PORT of /livez, /readyz and /metrics; default 127.0.0.1 and the role's port or the next free one."},
    {.name = "http.token",
     .type = OPTION_STRING,
     .value = "",
     .max = 512,
     .choices = "a-zA-Z0-9._~+/=-",
     .secret = true,
     .help = "Bearer token that requests to the operator endpoints must carry; needed for addresses off loopback."},
    {.name = "log.level",
     .type = OPTION_CHOICE,
     .value = "info",
     .choices = "debug|info|warn|error",
     .help = "The least level that is logged."},
    {.name = "log.format",
     .type = OPTION_CHOICE,
     .value = "logfmt",
     .choices = "logfmt|json",
     .help = "How log lines on stderr are written."},
};

const struct option_table CORE_OPTIONS = {
    .component = "core", .help = "Known to every role and command.", .rows = ROWS, .n_rows = ARRAY_SIZE(ROWS)};

void core_log_setup(const struct config *cfg, const char *app, const char *instance)
{
    enum log_level level = LOG_INFO;
    (void)log_level_parse(config_str(cfg, "log.level"), &level); /* one of the choices */
    log_setup(level, strcmp(config_str(cfg, "log.format"), "json") == 0, app, instance);
}
