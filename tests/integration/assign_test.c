/* SPDX-License-Identifier: Apache-2.0 */
/* Assigning again while librdkafka still stops what was assigned before: neither an abort, nor a lost position. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/assign.h"
#include "kafka/conf.h"
#include "support/stack.h"

#define PARTITIONS 6
#define ROUNDS 100
#define WAIT_MS 30000

static struct stack st;
static struct err err;
static char *topic;
static rd_kafka_t *consumer;

/* Of a topic that was just made some partitions have none yet. */
static void find_leaders(rd_kafka_t *rk)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    for (int32_t i = 0; i < PARTITIONS;) {
        int64_t low = 0;
        int64_t high = 0;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, topic, i, &low, &high, 1000);
        cr_assert_lt(clock_mono_ms(), until, "partition %d: %s", i, rd_kafka_err2name(code));
        i += code == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
    }
}

static rd_kafka_t *open_consumer(void)
{
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *rk = NULL;

    cr_assert_eq(kafka_conf_create(st.cfg, "sluice-test", &conf, &err), RC_OK, "%s", err.text);
    cr_assert_eq(kafka_conf_set(conf, "group.id", "sluice-test-assign", &err), RC_OK, "%s", err.text);
    cr_assert_eq(kafka_conf_set(conf, "enable.auto.commit", "false", &err), RC_OK, "%s", err.text);
    cr_assert_eq(kafka_new(RD_KAFKA_CONSUMER, conf, &rk, &err), RC_OK, "%s", err.text);
    rd_kafka_poll_set_consumer(rk);
    find_leaders(rk);
    return rk;
}

static void setup(void)
{
    stack_open(&st);
    topic = stack_topic(&st, "t", PARTITIONS, NULL);
    consumer = open_consumer();
}

static void teardown(void)
{
    kafka_destroyp(&consumer);
    free(topic);
    stack_close(&st);
}

TestSuite(assign, .init = setup, .fini = teardown);

static void assign(int partitions, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);

    for (int i = 0; i < partitions; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = offset;
    }
    cr_assert_eq(kafka_assign(consumer, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
}

/* The group takes everything right after a partition was given up and taken again. */
Test(assign, what_is_assigned_anew_can_be_taken_away_at_once)
{
    for (int i = 0; i < ROUNDS; i++) {
        assign(PARTITIONS, 0);
        assign(i % PARTITIONS, 0);
        assign(PARTITIONS, 0);
        cr_assert_eq(rd_kafka_assign(consumer, NULL), RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

Test(assign, what_is_assigned_anew_can_be_closed_at_once)
{
    for (int i = 0; i < 5; i++) {
        assign(PARTITIONS, 0);
        assign(PARTITIONS, 0);
        cr_assert_eq(rd_kafka_consumer_close(consumer), RD_KAFKA_RESP_ERR_NO_ERROR);
        kafka_destroyp(&consumer);
        consumer = open_consumer();
    }
}

static int64_t next_offset(void)
{
    for (int64_t until = clock_mono_ms() + WAIT_MS; clock_mono_ms() < until;) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(consumer, 100);
        if (msg != NULL) {
            int64_t offset = msg->err == RD_KAFKA_RESP_ERR_NO_ERROR ? msg->offset : -1;
            rd_kafka_message_destroy(msg);
            if (offset >= 0) {
                return offset;
            }
        }
    }
    return -1;
}

static void pause_all(void)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    cr_assert_eq(rd_kafka_assignment(consumer, &list), RD_KAFKA_RESP_ERR_NO_ERROR);
    cr_assert_eq(rd_kafka_pause_partitions(consumer, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
}

Test(assign, reading_begins_at_the_offset_even_of_a_partition_that_was_paused)
{
    struct producer *p = stack_producer(&st, "a", NULL, NULL);

    cr_assert_eq(producer_begin(p, &err), RC_OK, "%s", err.text);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(stack_send(p, topic, 0, "k", "v", i, &err), RC_OK, "%s", err.text);
    }
    cr_assert_eq(producer_commit(p, &err), RC_OK, "%s", err.text);
    producer_destroy(p);

    assign(1, 0);
    cr_expect_eq(next_offset(), 0);
    cr_expect_eq(next_offset(), 1);
    pause_all();
    assign(1, 3);
    cr_expect_eq(next_offset(), 3);
    assign(1, 1);
    cr_expect_eq(next_offset(), 1, "the position of the assignment before must not count");
}
