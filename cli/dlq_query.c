/* SPDX-License-Identifier: Apache-2.0 */
/* Selections of dead letters from the command line. */
#include "dlq_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "delivery_state/requeue.h"
#include "kafka/conf.h"
#include "pg/conn.h"
#include "schemas/avro_set.h"
#include "schemas/topology.h"
#include "when.h"

#define STATEMENT_TIMEOUT_MS 30000
#define ENDING ".dlq"

volatile sig_atomic_t dlq_interrupted;

static void on_signal(int sig)
{
    (void)sig;
    dlq_interrupted = 1;
}

static bool is_dlq(const char *name)
{
    size_t n = strlen(name);
    return n > strlen(ENDING) && strcmp(name + n - strlen(ENDING), ENDING) == 0;
}

static const char *unprefixed(const struct cli *cli, const char *name)
{
    const char *prefix = config_str(cli->cfg, "topic.prefix");
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 ? name + n : name;
}

bool dlq_query_topic(struct dlq_query *q, const char *name)
{
    q->n_topics = 0;
    for (size_t i = 0; i < TOPICS_N && q->n_topics < DLQ_TOPICS_MAX; i++) {
        bool named = name == NULL || strcmp(name, "all") == 0 || strcmp(unprefixed(q->cli, name), TOPICS[i].name) == 0;
        if (named && is_dlq(TOPICS[i].name)) {
            q->topics[q->n_topics++] = TOPICS[i].name;
        }
    }
    return q->n_topics > 0;
}

static enum rc parse_time(const struct cli *cli, const char *name, int64_t *out_us, struct err *err)
{
    const char *text = cli_flag(cli, name);
    if (text != NULL && !when_parse(text, clock_utc_us(), out_us)) {
        FAIL(err, RC_REJECT, "--%s: \"%.40s\" is neither a time (2026-11-22T20:37:20Z) nor a duration (30m, 12h, 7d)",
             name, text);
    }
    return RC_OK;
}

static enum rc parse_filter(struct dlq_query *q, struct err *err)
{
    const struct cli *cli = q->cli;
    const char *topic = cli_flag(cli, "topic");
    q->filter = (struct dlq_filter){.topic = topic != NULL ? unprefixed(cli, topic) : NULL,
                                    .class = cli_flag(cli, "class"),
                                    .platform = cli_flag(cli, "platform"),
                                    .ids = (const char *const *)q->ids};
    TRY(parse_time(cli, "since", &q->filter.since_us, err));
    TRY(parse_time(cli, "until", &q->filter.until_us, err));
    return cli_flag_each(cli, "id", q->ids, FILTER_IDS_MAX, &q->filter.n_ids, err);
}

int dlq_query_parse(const struct cli *cli, const char *topic, struct dlq_query *q)
{
    struct err err;
    *q = (struct dlq_query){.cli = cli, .partition = -1, .offset = -1};
    if (parse_filter(q, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (!dlq_query_topic(q, topic)) {
        (void)dlq_query_topic(q, NULL);
        (void)fprintf(stderr, "sluice: dlq: there is no dead-letter topic %.60s; expected", topic);
        for (size_t i = 0; i < q->n_topics; i++) {
            (void)fprintf(stderr, " %s,", q->topics[i]);
        }
        (void)fprintf(stderr, " or all\n");
        return EXIT_NOT_FOUND;
    }
    return EXIT_DONE;
}

static enum rc open_database(struct dlq_query *q, struct err *err)
{
    const struct pg_options opt = {.app = "sluice dlq",
                                   .schema = config_str(q->cli->cfg, "database.schema"),
                                   .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    TRY(pg_open(config_str(q->cli->cfg, "database.url"), &opt, &q->conn, err));
    for (size_t i = 0; i < ROW_KINDS_N; i++) {
        PGresult *res CLEANUP(pg_clearp) = NULL;
        const char *params[] = {ROW_KINDS[i].table};
        TRY(pg_query(q->conn, "SELECT to_regclass(quote_ident($1)) IS NULL", 1, params, &res, err));
        if (pg_text(res, 0, 0)[0] == 't') {
            FAIL(err, RC_FATAL, "table %s does not exist; run `sluice migrate`", ROW_KINDS[i].table);
        }
    }
    return requeue_session(q->conn, err);
}

static enum rc open_scan(struct dlq_query *q, struct err *err)
{
    TRY(schemas_avro_set(&q->set, err));
    const struct dlq_scan_options opt = {.cfg = q->cli->cfg,
                                         .set = q->set,
                                         .topics = q->topics,
                                         .n_topics = q->n_topics,
                                         .partition = q->partition,
                                         .offset = q->offset,
                                         .timeout_ms = DLQ_TIMEOUT_MS,
                                         .interrupted = &dlq_interrupted};
    return dlq_scan_open(&opt, &q->scan, err);
}

int dlq_query_open(struct dlq_query *q)
{
    const struct sigaction stop = {.sa_handler = on_signal};
    struct err err;

    if (cli_require(q->cli, "kafka.brokers") != EXIT_DONE || cli_require(q->cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    if (open_database(q, &err) != RC_OK) {
        int code = cli_fail("dlq", &err);
        cli_note(q->cli, "the rows say which dead letters are open; `sluice tail %s` reads them without a database",
                 q->topics[0]);
        return code;
    }
    if (open_scan(q, &err) != RC_OK) {
        return cli_fail("dlq", &err);
    }
    if (dlq_scan_topics(q->scan) == 0) {
        (void)fprintf(stderr, "sluice: dlq: topic %s does not exist; `sluice topics apply` creates it\n", q->topics[0]);
        return EXIT_NOT_FOUND;
    }
    return EXIT_DONE;
}

void dlq_query_done(struct dlq_query *q)
{
    dlq_scan_close(q->scan);
    avro_set_free(q->set);
    pg_close(q->conn);
    for (size_t i = 0; i < FILTER_IDS_MAX && q->ids[i] != NULL; i++) {
        free(q->ids[i]);
    }
}

enum rc dlq_query_read(struct dlq_query *q, struct deaths *deaths, dlq_batch_fn fn, void *opaque, struct err *err)
{
    const struct dlq_reader r = {.scan = q->scan, .filter = &q->filter, .conn = q->conn, .deaths = deaths};
    return dlq_read(&r, fn, opaque, err);
}
