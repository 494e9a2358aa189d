/* SPDX-License-Identifier: Apache-2.0 */
/* The relay role: options, sources, one lane thread per source. */
#include "relay/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "relay/lane.h"
#include "schemas/avro_set.h"
#include "schemas/embedded.h"

#define SOURCES_FILE_MAX (1u << 20)

static const struct option OPTIONS[] = {
    {.name = "relay.batch.bytes.max",
     .type = OPTION_INT,
     .value = "8388608",
     .min = 65536,
     .max = 67108864,
     .help = "Bytes of encoded rows that end a Kafka transaction."},
    {.name = "relay.batch.rows.max",
     .type = OPTION_INT,
     .value = "10000",
     .min = 1,
     .max = 50000,
     .help = "Rows that end a Kafka transaction."},
    {.name = "relay.dead.letters.keep.days",
     .type = OPTION_INT,
     .value = "30",
     .min = 0,
     .max = 3650,
     .help = "Days after which published rows of dead_letter_outbox, account_command_outbox and payment_outbox are "
             "deleted; 0 keeps them for ever."},
    {.name = "relay.lock.timeout.ms",
     .type = OPTION_INT,
     .value = "10000",
     .min = 2000,
     .max = 600000,
     .help =
         "Milliseconds after which PostgreSQL ends the session of an owner that has frozen (idle_session_timeout)."},
    {.name = "relay.poison.policy",
     .type = OPTION_CHOICE,
     .value = "dlq",
     .choices = "dlq|stop",
     .help = "What happens to a row that cannot be published: the source's dead-letter topic, or the relay stops."},
    {.name = "relay.record.bytes.max",
     .type = OPTION_INT,
     .value = "1000000",
     .min = 1024,
     .max = 1000000,
     .help = "Bytes of key, value and headers of a record; larger rows become dead letters."},
    {.name = "relay.standby.poll.ms",
     .type = OPTION_INT,
     .value = "500",
     .min = 10,
     .max = 1000,
     .help = "Milliseconds between a standby's tries to own a source."},
    {.name = "relay.statement.timeout.ms",
     .type = OPTION_INT,
     .value = "60000",
     .min = 1000,
     .max = 600000,
     .help = "Milliseconds after which a statement of the relay is cancelled and tried again."},
    {.name = "relay.sweep.interval.ms",
     .type = OPTION_INT,
     .value = "500",
     .min = 10,
     .max = 60000,
     .help = "Milliseconds between looks for rows that are due again."},
    {.name = "relay.sweep.rows.max",
     .type = OPTION_INT,
     .value = "1000",
     .min = 1,
     .max = 100000,
     .help = "Due rows put back on the road by one statement."},
    {.name = "relay.tick.max.ms",
     .type = OPTION_INT,
     .value = "10",
     .min = 1,
     .max = 1000,
     .help = "Longest pause in milliseconds between looks for new rows while there are none."},
    {.name = "relay.tick.min.ms",
     .type = OPTION_INT,
     .value = "1",
     .min = 1,
     .max = 1000,
     .help = "Pause in milliseconds between looks for new rows while rows arrive."},
    {.name = "relay.txn.timeout.ms",
     .type = OPTION_INT,
     .value = "15000",
     .min = 1000,
     .max = 900000,
     .help = "Milliseconds after which the broker aborts a transaction that its owner left open."},
    {.name = "relay.window.rows.max",
     .type = OPTION_INT,
     .value = "2000",
     .min = 1,
     .max = 100000,
     .help =
         "Rows up to which a window is read at once and sorted; larger ones are walked in chunks by sequence number."},
};

const struct option_table relay_options = {.component = "relay",
                                           .help = "Publishes committed outbox rows to Kafka, each exactly once.",
                                           .rows = OPTIONS,
                                           .n_rows = ARRAY_SIZE(OPTIONS)};

struct lane_thread {
    struct role_ctx *ctx;
    const struct source *src;
    const struct avro_set *set;
    pthread_t thread;
};

static void *lane_thread(void *arg)
{
    struct lane_thread *t = arg;

    lane_run(t->ctx, t->src, t->set);
    return NULL;
}

static enum rc read_file(const char *path, struct buf *out, struct err *err)
{
    char chunk[8192];
    size_t n = 0;
    FILE *f = fopen(path, "re");

    if (f == NULL) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "option sources.file: cannot read %s: %s", path, strerror(errno));
        return err_code(err, ERR_CONFIG);
    }
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        buf_add(out, chunk, n);
    }
    int failed = ferror(f);
    fclose(f);
    if (failed || out->overflow) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "option sources.file: %s: %s", path,
                failed ? "read error" : "expected at most 1 MiB");
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

enum rc relay_load_sources(const struct config *cfg, struct sources **out_sources, struct err *err)
{
    const char *path = config_str(cfg, "sources.file");
    struct buf text;
    enum rc rc = RC_OK;

    if (path[0] == '\0') {
        const struct embedded *file = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "sources.json");
        return sources_parse(file->text, file->size, "sources.json", out_sources, err);
    }
    buf_init(&text, SOURCES_FILE_MAX);
    rc = read_file(path, &text, err);
    if (rc == RC_OK) {
        rc = sources_parse(buf_str(&text), text.len, path, out_sources, err);
    }
    buf_done(&text);
    return rc;
}

static enum rc run_lanes(struct role_ctx *ctx, const struct sources *sources, const struct avro_set *set,
                         struct err *err)
{
    struct lane_thread threads[SOURCE_MAX];
    int started = 0;
    enum rc rc = RC_OK;

    for (; started < sources->n; started++) {
        struct lane_thread *t = &threads[started];
        *t = (struct lane_thread){.ctx = ctx, .src = &sources->list[started], .set = set};
        int no = pthread_create(&t->thread, NULL, lane_thread, t);
        if (no != 0) {
            rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "cannot start a thread: %s", strerror(no));
            role_stop(ctx, err);
            break;
        }
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    return rc;
}

static enum rc relay_run(struct role_ctx *ctx, struct err *err)
{
    struct sources *sources CLEANUP(sources_freep) = NULL;
    struct avro_set *set CLEANUP(avro_set_freep) = NULL;

    TRY(relay_load_sources(role_config(ctx), &sources, err));
    TRY(schemas_avro_set(&set, err));
    return run_lanes(ctx, sources, set, err);
}

const struct role relay_role = {.name = "relay",
                                .help = "publishes committed outbox rows to Kafka, each exactly once",
                                .http_port = 7110,
                                .options = &relay_options,
                                .run = relay_run};
