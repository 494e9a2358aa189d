/* SPDX-License-Identifier: Apache-2.0 */
/* The topic of the bare producer, and the records it repeats: the relay's own, read back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"
#include "kafka/conf.h"
#include "kafka/rc.h"
#include "kafka/topics.h"

#define SAMPLES_MAX 10000
#define SAMPLE_BYTES_MAX ((size_t)64 << 20)
#define ARENA_CHUNK ((size_t)1 << 20)
#define TAKE_TIMEOUT_MS 60000
#define ADMIN_TIMEOUT_MS 20000

void bench_samples_done(struct bench_samples *s)
{
    free(s->list);
    s->list = NULL;
    arena_done(&s->arena);
}

static size_t count_headers(const rd_kafka_headers_t *h)
{
    return h == NULL ? 0 : rd_kafka_header_cnt(h);
}

static void copy_headers(struct bench_samples *s, const rd_kafka_message_t *msg, struct producer_record *rec)
{
    rd_kafka_headers_t *h = NULL;
    size_t n = rd_kafka_message_headers(msg, &h) == RD_KAFKA_RESP_ERR_NO_ERROR ? count_headers(h) : 0;
    struct producer_header *list = arena_alloc(&s->arena, (n + 1) * sizeof *list);

    for (size_t i = 0; i < n; i++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t len = 0;
        (void)rd_kafka_header_get_all(h, i, &name, &value, &len);
        list[i] = (struct producer_header){.name = arena_strndup(&s->arena, name, strlen(name)),
                                           .value = arena_strndup(&s->arena, value, len),
                                           .value_len = len};
    }
    rec->headers = list;
    rec->n_headers = n;
}

static void keep(const rd_kafka_message_t *msg, void *opaque)
{
    struct bench_samples *s = opaque;
    if (s->n >= s->max || s->bytes >= SAMPLE_BYTES_MAX) {
        return;
    }
    struct producer_record *rec = &s->list[s->n++];
    *rec = (struct producer_record){.partition = RD_KAFKA_PARTITION_UA,
                                    .key = arena_strndup(&s->arena, msg->key, msg->key_len),
                                    .key_len = msg->key_len,
                                    .value = arena_strndup(&s->arena, msg->payload, msg->len),
                                    .value_len = msg->len,
                                    .timestamp_ms = rd_kafka_message_timestamp(msg, NULL)};
    copy_headers(s, msg, rec);
    s->bytes += msg->len + msg->key_len;
}

static enum rc take(struct bench_reader *r, struct bench_samples *s, struct err *err)
{
    int64_t deadline = clock_mono_ms() + TAKE_TIMEOUT_MS;
    while (s->n < s->max && s->bytes < SAMPLE_BYTES_MAX) {
        TRY(bench_check(deadline, "reading records back", err));
        TRY(bench_reader_poll(r, 100, keep, s, err));
    }
    return RC_OK;
}

enum rc bench_take_samples(struct bench *b, const int64_t *from, struct bench_samples *s, struct err *err)
{
    struct bench_reader r = {.rk = NULL};

    arena_init(&s->arena, ARENA_CHUNK);
    s->max = b->rows < SAMPLES_MAX ? b->rows : SAMPLES_MAX;
    s->list = xcalloc((size_t)s->max, sizeof *s->list);
    enum rc rc = bench_reader_open(b, b->topic, from, b->partitions, &r, err);
    if (rc == RC_OK) {
        rc = take(&r, s, err);
    }
    bench_reader_close(&r);
    for (int64_t i = 0; i < s->n; i++) {
        s->list[i].topic = b->raw_topic;
    }
    return rc;
}

enum rc bench_raw_topic_create(const struct bench *b, struct err *err)
{
    struct topic_want want = {.name = b->raw_topic,
                              .partitions = b->partitions,
                              .replication = (int)config_int(b->cli->cfg, "topics.replication"),
                              .configs = {{.key = "cleanup.policy", .value = "delete"},
                                          {.key = "retention.ms", .value = "3600000"},
                                          {.key = "max.message.bytes", .value = "8388608"}},
                              .n_configs = 3};
    struct topic_diff diff = {.state = TOPIC_SAME};
    size_t changed = 0;
    int64_t deadline = clock_mono_ms() + ADMIN_TIMEOUT_MS;

    TRY(topics_compare(b->cli->cfg, &want, 1, &diff, err));
    if (diff.state == TOPIC_WRONG_PARTITIONS) {
        FAIL(err, RC_REJECT, "topic %s is left over with %s; delete it", b->raw_topic, diff.text);
    }
    TRY(topics_apply(b->cli->cfg, &want, &diff, 1, &changed, err));
    do {
        TRY(bench_check(deadline, "creation of the bench's topic", err));
        clock_sleep_ms(100);
        TRY(topics_compare(b->cli->cfg, &want, 1, &diff, err));
    } while (diff.state == TOPIC_MISSING);
    return RC_OK;
}

static enum rc check_deleted(rd_kafka_event_t *ev, struct err *err)
{
    size_t n = 0;
    if (ev == NULL) {
        FAIL(err, RC_RETRY, "Kafka DeleteTopics: no answer in time");
    }
    rd_kafka_resp_err_t code = rd_kafka_event_error(ev);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_topic_result_t **list =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(ev), &n);
        code = n > 0 ? rd_kafka_topic_result_error(list[0]) : code;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return kafka_fail(err, code, NULL, "cannot delete the bench's topic");
    }
    return RC_OK;
}

enum rc bench_raw_topic_delete(const struct bench *b, struct err *err)
{
    CLEANUP(kafka_destroyp) rd_kafka_t *rk = NULL;
    rd_kafka_conf_t *conf = NULL;

    TRY(kafka_conf_create(b->cli->cfg, "sluice-bench", &conf, err));
    TRY(kafka_new(RD_KAFKA_PRODUCER, conf, &rk, err));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(b->raw_topic);
    rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    enum rc rc = check_deleted(ev, err);
    if (ev != NULL) {
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    return rc;
}
