/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice status`: one screen, every source: published, pending, waiting, oldest; and what stands in the topics. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "kafka/conf.h"
#include "kafka/rc.h"
#include "pg/conn.h"
#include "relay/relay.h"
#include "schemas/topology.h"

#define PENDING_COUNT_MAX 100000 /* counting stops here: a status command must not load the database */
#define OUTPUT_MAX ((size_t)1 << 20)
#define WATERMARK_TIMEOUT_MS 3000

struct source_status {
    bool started; /* there is a position */
    int64_t published, pending, waiting, oldest_s;
    char owner[128];
};

/* Rows beyond the copied position, found through the index on queue_txid, counted up to a ceiling. */
static const char PENDING[] =
    "WITH p AS MATERIALIZED (SELECT snapshot_before AS s1, snapshot_upto AS s2, last_seq, published, owner"
    "   FROM sluice_relay_positions WHERE source = '%s' AND topic_prefix = '%s'),"
    " s AS MATERIALIZED (SELECT coalesce((SELECT s1 FROM p), '1:1:'::pg_snapshot) AS s1),"
    " c AS MATERIALIZED (SELECT t.queue_txid, t.queue_seq, t.\"%s\" AS at FROM \"%s\" t"
    "   WHERE t.queue_txid >= (SELECT pg_snapshot_xmax(s1) FROM s)"
    "   UNION ALL SELECT t.queue_txid, t.queue_seq, t.\"%s\" FROM \"%s\" t"
    "   WHERE t.queue_txid = ANY (ARRAY(SELECT pg_snapshot_xip(s1) FROM s)) LIMIT %d)"
    " SELECT (SELECT count(*) FROM p), coalesce((SELECT published FROM p), 0),"
    "  count(c.*) FILTER (WHERE live), coalesce(extract(epoch FROM now() - min(c.at) FILTER (WHERE live)), 0)::bigint,"
    "  (SELECT count(*) FROM sluice_waiting WHERE source = '%s'), coalesce((SELECT owner FROM p), '')"
    " FROM (SELECT c.*, NOT EXISTS (SELECT 1 FROM p WHERE pg_visible_in_snapshot(c.queue_txid, p.s2)"
    "   AND c.queue_seq <= p.last_seq) AS live FROM c) c";

static enum rc read_source(PGconn *conn, const char *prefix, const struct source *src, struct source_status *out,
                           struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *time = src->columns[src->time].name;
    /* Names and prefix were checked when they were parsed: letters, digits, . _ and -. */
    char *sql CLEANUP(freep) =
        xasprintf(PENDING, src->name, prefix, time, src->table, time, src->table, PENDING_COUNT_MAX, src->table);

    TRY(pg_exec(conn, sql, &res, err));
    out->started = pg_int(res, 0, 0, 0) > 0;
    out->published = pg_int(res, 0, 1, 0);
    out->pending = pg_int(res, 0, 2, 0);
    out->oldest_s = pg_int(res, 0, 3, 0);
    out->waiting = pg_int(res, 0, 4, 0);
    snprintf(out->owner, sizeof(out->owner), "%s", pg_text(res, 0, 5));
    return RC_OK;
}

static void print_source(const struct cli *cli, const struct source *src, const struct source_status *s,
                         struct buf *out)
{
    if (cli->json) {
        buf_printf(out,
                   "{\"source\":\"%s\",\"table\":\"%s\",\"published\":%" PRId64 ",\"pending\":%" PRId64
                   ",\"waiting\":%" PRId64 ",\"oldest_pending_s\":%" PRId64 ",\"owner\":",
                   src->name, src->table, s->published, s->pending, s->waiting, s->oldest_s);
        buf_json_string(out, s->owner, strlen(s->owner));
        buf_puts(out, "}");
        return;
    }
    buf_printf(out, "%-12s %-28s %11" PRId64 " %8" PRId64 "%s %8" PRId64 " %8" PRId64 "s  %s\n", src->name, src->table,
               s->published, s->pending, s->pending >= PENDING_COUNT_MAX ? "+" : " ", s->waiting, s->oldest_s,
               s->started ? s->owner : "never started");
}

static enum rc print_sources(const struct cli *cli, struct buf *out, struct err *err)
{
    struct sources *sources CLEANUP(sources_freep) = NULL;
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct pg_options opt = {
        .app = "sluice status", .schema = config_str(cli->cfg, "database.schema"), .statement_timeout_ms = 5000};

    TRY(relay_load_sources(cli->cfg, &sources, err));
    TRY(pg_open(config_str(cli->cfg, "database.url"), &opt, &conn, err));
    TRY(pg_exec(conn, "SET enable_seqscan = off", NULL, err));
    buf_puts(out, cli->json
                      ? "{\"sources\":["
                      : "SOURCE       TABLE                          PUBLISHED  PENDING   WAITING   OLDEST  OWNER\n");
    for (int i = 0; i < sources->n; i++) {
        struct source_status s = {.started = false};
        TRY(read_source(conn, config_str(cli->cfg, "topic.prefix"), &sources->list[i], &s, err));
        buf_puts(out, cli->json && i > 0 ? "," : "");
        print_source(cli, &sources->list[i], &s, out);
    }
    buf_puts(out, cli->json ? "]," : "\n");
    return RC_OK;
}

/* Offsets between start and end; control records of transactions count too, hence "offsets" and not "records". */
static enum rc topic_offsets(rd_kafka_t *rk, const char *topic, int partitions, int64_t *out, struct err *err)
{
    *out = 0;
    for (int p = 0; p < partitions; p++) {
        int64_t low = 0;
        int64_t high = 0;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, topic, p, &low, &high, WATERMARK_TIMEOUT_MS);
        if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
            code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
            *out = -1;
            return RC_OK;
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            kafka_fail(err, code, NULL, "cannot ask for the end of %s", topic);
            err->rc = RC_RETRY;
            return RC_RETRY;
        }
        *out += high - low;
    }
    return RC_OK;
}

static enum rc print_topics(const struct cli *cli, struct buf *out, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;

    TRY(kafka_conf_create(cli->cfg, "sluice-status", &conf, err));
    TRY(kafka_new(RD_KAFKA_PRODUCER, conf, &rk, err));
    buf_puts(out, cli->json ? "\"topics\":[" : "TOPIC                               OFFSETS\n");
    for (size_t i = 0; i < TOPICS_N; i++) {
        char *name CLEANUP(freep) = kafka_topic_name(cli->cfg, TOPICS[i].name);
        int64_t offsets = 0;
        TRY(topic_offsets(rk, name, TOPICS[i].partitions, &offsets, err));
        if (cli->json) {
            buf_printf(out, "%s{\"topic\":\"%s\",\"offsets\":%" PRId64 "}", i > 0 ? "," : "", name, offsets);
        } else if (offsets < 0) {
            buf_printf(out, "%-32s    missing\n", name);
        } else {
            buf_printf(out, "%-32s %10" PRId64 "\n", name, offsets);
        }
    }
    buf_puts(out, cli->json ? "]}\n" : "");
    return RC_OK;
}

int cmd_status(const struct cli *cli)
{
    struct buf out;
    struct err err;
    int code = EXIT_DONE;

    buf_init(&out, OUTPUT_MAX);
    if (print_sources(cli, &out, &err) != RC_OK || print_topics(cli, &out, &err) != RC_OK) {
        code = cli_fail("status", &err);
    } else {
        code = cli_print(&out);
    }
    buf_done(&out);
    return code;
}
