/* SPDX-License-Identifier: Apache-2.0 */
/* Topics and producers of a test's own. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "support/stack.h"

#define ADMIN_MS 20000

static rd_kafka_t *open_client(const char *brokers)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why)), RD_KAFKA_CONF_OK, "%s", why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    cr_assert_not_null(rk, "%s", why);
    return rk;
}

static rd_kafka_event_t *admin_result(rd_kafka_queue_t *q)
{
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ADMIN_MS);

    cr_assert_not_null(ev, "no answer from Kafka");
    cr_assert_eq(rd_kafka_event_error(ev), RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_event_error_string(ev));
    return ev;
}

/* Created is not yet known everywhere: wait until the topic has leaders. */
static void wait_topic(rd_kafka_t *rk, const char *topic, int partitions)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    bool there = false;

    for (int i = 0; i < 200 && !there; i++) {
        const struct rd_kafka_metadata *md = NULL;
        if (rd_kafka_metadata(rk, 0, rkt, &md, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            there = md->topic_cnt == 1 && md->topics[0].partition_cnt == partitions;
            for (int p = 0; p < partitions && there; p++) {
                there = md->topics[0].partitions[p].leader >= 0;
            }
            rd_kafka_metadata_destroy(md);
        }
        if (!there) {
            clock_sleep_ms(25);
        }
    }
    rd_kafka_topic_destroy(rkt);
    cr_assert(there, "topic %s does not appear", topic);
}

char *stack_topic(const struct stack *st, const char *name, int partitions, const char *config)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    char *topic = xasprintf("%s%s", st->prefix, name);
    char why[256] = "";
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, -1, why, sizeof(why));

    cr_assert_not_null(t, "%s", why);
    if (config != NULL) {
        char *key CLEANUP(freep) = xstrndup(config, strcspn(config, "="));
        rd_kafka_NewTopic_set_config(t, key, config + strlen(key) + 1);
    }
    rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
    rd_kafka_event_t *ev = admin_result(q);
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
    cr_assert_eq(rd_kafka_topic_result_error(results[0]), RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s", topic,
                 rd_kafka_topic_result_error_string(results[0]));
    rd_kafka_event_destroy(ev);
    rd_kafka_NewTopic_destroy(t);
    rd_kafka_queue_destroy(q);
    wait_topic(rk, topic, partitions);
    return topic;
}

/* DescribeConfigs of one topic; the event holds the answer. */
static rd_kafka_event_t *describe(rd_kafka_t *rk, rd_kafka_queue_t *q, const char *topic,
                                  const rd_kafka_ConfigEntry_t ***out, size_t *out_n)
{
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    size_t n = 0;

    rd_kafka_DescribeConfigs(rk, &ask, 1, NULL, q);
    rd_kafka_event_t *ev = admin_result(q);
    rd_kafka_ConfigResource_destroy(ask);
    const rd_kafka_ConfigResource_t **list =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(ev), &n);
    cr_assert_eq(n, 1);
    cr_assert_eq(rd_kafka_ConfigResource_error(list[0]), RD_KAFKA_RESP_ERR_NO_ERROR, "%s",
                 rd_kafka_ConfigResource_error_string(list[0]));
    *out = rd_kafka_ConfigResource_configs(list[0], out_n);
    return ev;
}

char *stack_topic_config(const struct stack *st, const char *topic, const char *key)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    const rd_kafka_ConfigEntry_t **list = NULL;
    size_t n = 0;
    rd_kafka_event_t *ev = describe(rk, q, topic, &list, &n);
    char *value = NULL;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(list[i]), key) == 0) {
            value = xstrdup(rd_kafka_ConfigEntry_value(list[i]));
        }
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(q);
    cr_assert_not_null(value, "topic %s has no %s", topic, key);
    return value;
}

void stack_topic_set(const struct stack *st, const char *topic, const char *key, const char *value)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_ConfigResource_t *set = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    const rd_kafka_ConfigEntry_t **list = NULL;
    size_t n = 0;
    rd_kafka_event_t *ev = describe(rk, q, topic, &list, &n);

    for (size_t i = 0; i < n; i++) { /* AlterConfigs replaces the whole set */
        if (rd_kafka_ConfigEntry_source(list[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG &&
            strcmp(rd_kafka_ConfigEntry_name(list[i]), key) != 0) {
            rd_kafka_ConfigResource_set_config(set, rd_kafka_ConfigEntry_name(list[i]),
                                               rd_kafka_ConfigEntry_value(list[i]));
        }
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_ConfigResource_set_config(set, key, value);
    rd_kafka_AlterConfigs(rk, &set, 1, NULL, q);
    rd_kafka_event_destroy(admin_result(q));
    rd_kafka_ConfigResource_destroy(set);
    rd_kafka_queue_destroy(q);
    for (int i = 0; i < 100; i++) { /* until the next reader sees it */
        char *now CLEANUP(freep) = stack_topic_config(st, topic, key);
        if (strcmp(now, value) == 0) {
            return;
        }
        clock_sleep_ms(20);
    }
    cr_assert_fail("topic %s does not take %s", topic, key);
}

static rd_kafka_t *open_consumer(const struct stack *st, const char *isolation)
{
    const char *const rows[][2] = {{"bootstrap.servers", config_str(st->cfg, "kafka.brokers")},
                                   {"group.id", "sluice-test-unused"},
                                   {"isolation.level", isolation},
                                   {"enable.auto.commit", "false"},
                                   {"enable.partition.eof", "true"},
                                   {"fetch.wait.max.ms", "10"}};
    char why[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(rd_kafka_conf_set(conf, rows[i][0], rows[i][1], why, sizeof(why)), RD_KAFKA_CONF_OK, "%s", why);
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    cr_assert_not_null(rk, "%s", why);
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

int64_t stack_records(const struct stack *st, const char *topic, int32_t partition, const char *isolation)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_consumer(st, isolation);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t deadline = clock_mono_ms() + ADMIN_MS;
    int64_t n = 0;
    bool end = false;
    int64_t low = 0;
    int64_t high = 0;

    /* Also finds the partition's leader, which assign would look for only after a while. */
    cr_assert_eq(rd_kafka_query_watermark_offsets(rk, topic, partition, &low, &high, ADMIN_MS),
                 RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    cr_assert_eq(rd_kafka_assign(rk, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    while (!end) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(rk, 500);
        cr_assert_lt(clock_mono_ms(), deadline, "%s cannot be read to its end", topic);
        if (msg != NULL) {
            n += msg->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
            end = msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            rd_kafka_message_destroy(msg);
        }
    }
    return n;
}

void stack_delete_records(const struct stack *st, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *del = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_DeleteRecords(rk, &del, 1, NULL, q);
    rd_kafka_event_t *ev = admin_result(q);
    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(ev));
    cr_assert_eq(done->elems[0].err, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(done->elems[0].err));
    rd_kafka_event_destroy(ev);
    rd_kafka_DeleteRecords_destroy(del);
    rd_kafka_queue_destroy(q);
}

struct producer *stack_producer(const struct stack *st, const char *transactional_id, producer_refused_fn refused,
                                void *opaque)
{
    char *id CLEANUP(freep) = xasprintf("%s%s", st->prefix, transactional_id);
    struct producer_options opt = {.client = "sluice-test",
                                   .transactional_id = id,
                                   .transaction_timeout_ms = 15000,
                                   .refused = refused,
                                   .opaque = opaque};
    struct producer *p = NULL;
    struct err err = {0};

    cr_assert_eq(producer_create(st->cfg, &opt, &p, &err), RC_OK, "%s", err.text);
    cr_assert_eq(producer_init(p, &err), RC_OK, "%s", err.text);
    return p;
}

enum rc stack_send(struct producer *p, const char *topic, int32_t partition, const char *key, const char *value,
                   int64_t tag, struct err *err)
{
    struct producer_record rec = {.topic = topic,
                                  .partition = partition,
                                  .key = key,
                                  .key_len = key != NULL ? strlen(key) : 0,
                                  .value = value,
                                  .value_len = value != NULL ? strlen(value) : 0};

    return producer_send(p, &rec, tag, err);
}

void stack_delete_topics(const char *brokers, const char *prefix)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(brokers);
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_DeleteTopic_t *list[256];
    size_t n = 0;

    if (rd_kafka_metadata(rk, 1, NULL, &md, 5000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    for (int i = 0; i < md->topic_cnt && n < ARRAY_SIZE(list); i++) {
        if (strncmp(md->topics[i].topic, prefix, strlen(prefix)) == 0) {
            list[n++] = rd_kafka_DeleteTopic_new(md->topics[i].topic);
        }
    }
    rd_kafka_metadata_destroy(md);
    if (n > 0) {
        rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
        rd_kafka_DeleteTopics(rk, list, n, NULL, q);
        rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ADMIN_MS);
        if (ev != NULL) {
            rd_kafka_event_destroy(ev);
        }
        rd_kafka_queue_destroy(q);
        rd_kafka_DeleteTopic_destroy_array(list, n);
    }
}
