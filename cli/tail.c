/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice tail`: reads partitions of one topic, without a consumer group, and prints each record as a line of JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/codec.h"
#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "kafka/conf.h"
#include "kafka/hanging.h"
#include "kafka/rc.h"
#include "record_json.h"
#include "schemas/avro_set.h"
#include "tail_query.h"

#define POLL_MS 200
#define LINE_BYTES_MAX (AVRO_VALUE_BYTES_MAX * 2)
#define COMPLAINTS_MAX 10 /* malformed records that get a message of their own */

/* One partition being read. */
struct part {
    int32_t id;
    int64_t first;
    int64_t stop; /* first offset not wanted; INT64_MAX = never */
    bool reading;
};

struct tail {
    const struct cli *cli;
    struct tail_query query;
    char *topic; /* with prefix */
    struct avro_set *set;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    rd_kafka_queue_t *queue;
    struct part *parts;
    size_t n_parts;
    size_t n_reading;
    struct buf line;
    int64_t printed;
    int64_t malformed;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

static void tail_done(struct tail *t)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        if (t->parts[i].reading) {
            (void)rd_kafka_consume_stop(t->rkt, t->parts[i].id);
        }
    }
    free(t->parts);
    if (t->queue != NULL) {
        rd_kafka_queue_destroy(t->queue);
    }
    if (t->rkt != NULL) {
        rd_kafka_topic_destroy(t->rkt);
    }
    kafka_destroy(t->rk);
    avro_set_free(t->set);
    tail_query_done(&t->query);
    buf_done(&t->line);
    free(t->topic);
}

static enum rc connect_client(struct tail *t, struct err *err)
{
    const char *const settings[][2] = {
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "earliest"},
        {"fetch.wait.max.ms", "100"}, /* the end of a quiet partition shows only when a fetch returns */
        {"isolation.level", t->query.uncommitted ? "read_uncommitted" : "read_committed"},
    };
    TRY(kafka_reader_new(t->cli->cfg, "sluice-tail", settings, ARRAY_SIZE(settings), &t->rk, err));
    t->rkt = rd_kafka_topic_new(t->rk, t->topic, NULL);
    if (t->rkt == NULL) {
        return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s", t->topic);
    }
    t->queue = rd_kafka_queue_new(t->rk);
    return RC_OK;
}

/* The partitions to read. *out_missing: there is no such topic or partition, and the text says so. */
static enum rc find_parts(struct tail *t, bool *out_missing, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(t->rk, 0, t->rkt, &md, t->query.timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "no answer from Kafka at %s", config_str(t->cli->cfg, "kafka.brokers"));
    }
    code = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int n = code == RD_KAFKA_RESP_ERR_NO_ERROR ? md->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(md);
    bool unknown = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (unknown) {
        *out_missing = true;
        FAIL(err, RC_REJECT, "there is no topic %s", t->topic);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "topic %s", t->topic);
    }
    if (t->query.partition >= n) {
        *out_missing = true;
        FAIL(err, RC_REJECT, "topic %s has partitions 0 to %d", t->topic, n - 1);
    }
    t->parts = xcalloc((size_t)n, sizeof(*t->parts));
    for (int32_t id = 0; id < n; id++) {
        if (t->query.partition < 0 || t->query.partition == id) {
            t->parts[t->n_parts++] = (struct part){.id = id, .stop = INT64_MAX};
        }
    }
    return RC_OK;
}

/* The first offset whose record is not older than ms; high when there is none. */
static enum rc offset_at(const struct tail *t, int32_t id, int64_t ms, int64_t high, int64_t *out, struct err *err)
{
    CLEANUP(kafka_list_freep) rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, t->topic, id)->offset = ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(t->rk, list, t->query.timeout_ms);
    code = code != RD_KAFKA_RESP_ERR_NO_ERROR ? code : list->elems[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "topic %s partition %d", t->topic, (int)id);
    }
    *out = list->elems[0].offset >= 0 ? list->elems[0].offset : high;
    return RC_OK;
}

static enum rc first_offset(const struct tail *t, int32_t id, int64_t low, int64_t high, int64_t *out, struct err *err)
{
    const struct tail_query *q = &t->query;
    switch (q->from_kind) {
    case FROM_BEGINNING:
        *out = low;
        return RC_OK;
    case FROM_END:
        *out = high;
        return RC_OK;
    case FROM_OFFSET:
        *out = q->from > low ? q->from : low;
        return RC_OK;
    case FROM_LAST:
        *out = q->from < high - low ? high - q->from : low;
        return RC_OK;
    case FROM_TIME:
        return offset_at(t, id, q->from, high, out, err);
    }
    FAIL(err, RC_FATAL, "unknown kind of start %d", (int)q->from_kind);
}

/* Which offsets of the partition are wanted. None that it does not have yet, unless it is followed. */
static enum rc plan_part(const struct tail *t, struct part *p, struct err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(t->rk, t->topic, p->id, &low, &high, t->query.timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "topic %s partition %d", t->topic, (int)p->id);
    }
    TRY(first_offset(t, p->id, low, high, &p->first, err));
    p->first = p->first < high ? p->first : high;
    p->stop = t->query.until_kind == UNTIL_NEVER ? INT64_MAX : high;
    if (t->query.until_kind == UNTIL_OFFSET && t->query.until < high) {
        p->stop = t->query.until;
    }
    return RC_OK;
}

static enum rc start_part(struct tail *t, struct part *p, struct err *err)
{
    if (p->first >= p->stop) {
        return RC_OK;
    }
    if (rd_kafka_consume_start_queue(t->rkt, p->id, p->first, t->queue) != 0) {
        return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s partition %d", t->topic, (int)p->id);
    }
    p->reading = true;
    t->n_reading++;
    return RC_OK;
}

static void stop_part(struct tail *t, int32_t id)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        if (t->parts[i].id == id && t->parts[i].reading) {
            t->parts[i].reading = false;
            t->n_reading--;
            (void)rd_kafka_consume_stop(t->rkt, id);
        }
    }
}

static int64_t stop_of(const struct tail *t, int32_t id)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        if (t->parts[i].id == id) {
            return t->parts[i].stop;
        }
    }
    return INT64_MAX;
}

static bool key_matches(const struct tail *t, const rd_kafka_message_t *msg)
{
    const char *key = t->query.key;
    return key == NULL || (msg->key != NULL && msg->key_len == strlen(key) && memcmp(msg->key, key, msg->key_len) == 0);
}

/* Compares a field of the decoded value, in the line just made, with text: strings bare, everything else as JSON. */
static bool where_matches(const struct tail *t)
{
    if (t->query.where_field == NULL) {
        return true;
    }
    json_t *line = json_loadb(t->line.data, t->line.len, JSON_ALLOW_NUL, NULL);
    const json_t *field = json_object_get(json_object_get(line, "value"), t->query.where_field);
    const char *text = json_string_value(field);
    CLEANUP(freep)
    char *dumped = text == NULL && field != NULL ? json_dumps(field, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *found = text != NULL ? text : dumped;
    bool same = found != NULL && strcmp(found, t->query.where_text) == 0;
    json_decref(line);
    return same;
}

static void complain(struct tail *t, const rd_kafka_message_t *msg, const struct err *err)
{
    if (++t->malformed <= COMPLAINTS_MAX) {
        (void)fprintf(stderr, "sluice: tail: %s partition %" PRId32 " offset %" PRId64 ": %s\n", t->topic,
                      msg->partition, msg->offset, err->text);
    }
}

static enum rc print_record(struct tail *t, const rd_kafka_message_t *msg, struct err *err)
{
    bool is_of_kafka = t->query.key == NULL && hanging_is_closing_record(msg); /* --key shows them */
    if (is_of_kafka || !key_matches(t, msg)) {
        return RC_OK;
    }
    buf_clear(&t->line);
    enum rc rc = record_json(t->set, msg, &t->line, err);
    if (rc != RC_OK && rc != RC_REJECT) {
        return rc;
    }
    if (!where_matches(t)) {
        return RC_OK;
    }
    if (rc == RC_REJECT) {
        complain(t, msg, err);
    }
    buf_putc(&t->line, '\n');
    if (fwrite(buf_str(&t->line), 1, t->line.len, stdout) != t->line.len) {
        FAIL(err, RC_FATAL, "cannot write to standard output");
    }
    t->printed++;
    return RC_OK;
}

/* A record, the end of a partition, or an error. */
static enum rc take(struct tail *t, const rd_kafka_message_t *msg, struct err *err)
{
    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (t->query.until_kind != UNTIL_NEVER) {
            stop_part(t, msg->partition);
        }
        return RC_OK;
    }
    if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        enum rc rc = kafka_fail(err, msg->err, rd_kafka_message_errstr(msg), "topic %s", t->topic);
        return rc == RC_RETRY ? RC_OK : rc; /* the client itself tries again */
    }
    int64_t stop = stop_of(t, msg->partition);
    if (msg->offset < stop) {
        TRY(print_record(t, msg, err));
    }
    if (msg->offset + 1 >= stop) {
        stop_part(t, msg->partition);
    }
    return RC_OK;
}

static enum rc read_all(struct tail *t, struct err *err)
{
    int64_t last_ms = clock_mono_ms();
    while (t->n_reading > 0 && t->printed < t->query.count_max && !interrupted) {
        rd_kafka_poll(t->rk, 0);
        rd_kafka_message_t *msg = rd_kafka_consume_queue(t->queue, POLL_MS);
        if (msg != NULL) {
            bool progress = msg->err == RD_KAFKA_RESP_ERR_NO_ERROR || msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            last_ms = progress ? clock_mono_ms() : last_ms;
            enum rc rc = take(t, msg, err);
            rd_kafka_message_destroy(msg);
            TRY(rc);
            continue;
        }
        (void)fflush(stdout);
        if (t->query.until_kind != UNTIL_NEVER && clock_mono_ms() - last_ms > t->query.timeout_ms) {
            FAIL(err, RC_RETRY, "no record from topic %s for %d ms", t->topic, t->query.timeout_ms);
        }
    }
    return RC_OK;
}

static enum rc tail_topic(struct tail *t, bool *out_missing, struct err *err)
{
    TRY(schemas_avro_set(&t->set, err));
    TRY(connect_client(t, err));
    TRY(find_parts(t, out_missing, err));
    /* All questions before the first fetch: they would wait behind it. */
    for (size_t i = 0; i < t->n_parts; i++) {
        TRY(plan_part(t, &t->parts[i], err));
    }
    for (size_t i = 0; i < t->n_parts; i++) {
        TRY(start_part(t, &t->parts[i], err));
    }
    return read_all(t, err);
}

int cmd_tail(const struct cli *cli)
{
    CLEANUP(tail_done) struct tail t = {.cli = cli};
    struct err err;
    bool missing = false;
    buf_init(&t.line, LINE_BYTES_MAX);
    if (tail_query_parse(cli, &t.query, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "kafka.brokers") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    t.topic = kafka_topic_name(cli->cfg, cli->argv[0]);
    const struct sigaction stop = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    enum rc rc = tail_topic(&t, &missing, &err);
    bool written = fflush(stdout) == 0;
    if (t.malformed > 0) {
        (void)fprintf(stderr, "sluice: tail: %" PRId64 " malformed records\n", t.malformed);
    }
    if (rc != RC_OK) {
        int code = cli_fail("tail", &err);
        return missing ? EXIT_NOT_FOUND : code;
    }
    if (!written) {
        return EXIT_FAILED;
    }
    return t.malformed > 0 ? EXIT_REJECTED : EXIT_DONE;
}
