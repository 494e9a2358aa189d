/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice tail` against librdkafka's mock cluster in this process; transactions are left to the real broker. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/tail_query.h"

#define TOPIC "shop.things"
#define WORDS_MAX 8

static rd_kafka_t *producer;
static char *brokers_flag;

/* librdkafka's RD_KAFKA_V_ macros are statement expressions and casts of their own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wcast-qual"
static void produce(int32_t partition, const char *key, const char *value, size_t n, rd_kafka_headers_t *headers)
{
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value, n), RD_KAFKA_V_TIMESTAMP(1700000000000 + partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    cr_assert_eq(code, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(code));
}
#pragma GCC diagnostic pop

static void start_cluster(void)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    cr_assert_eq(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", why, sizeof(why)), RD_KAFKA_CONF_OK);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    cr_assert_not_null(producer, "%s", why);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(producer);
    cr_assert_eq(rd_kafka_mock_topic_create(cluster, TOPIC, 2, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    brokers_flag = xasprintf("--kafka.brokers=%s", rd_kafka_mock_cluster_bootstraps(cluster));
}

static void fill_topic(void)
{
    rd_kafka_headers_t *once = rd_kafka_headers_new(2);
    rd_kafka_headers_t *twice = rd_kafka_headers_new(2);
    rd_kafka_header_add(once, "ce_id", -1, "e1", -1);
    rd_kafka_header_add(once, "none", -1, NULL, 0);
    rd_kafka_header_add(twice, "a", -1, "1", -1);
    rd_kafka_header_add(twice, "a", -1, "\xff", 1);
    produce(0, "k1", "{\"n\":1,\"s\":\"x\"}", 15, once);
    produce(0, "k2", "{\"n\":2,\"s\":true}", 16, twice);
    produce(0, "bad", "\0\0\0\3\xe9\2", 6, NULL);
    produce(1, NULL, "text", 4, NULL);
    cr_assert_eq(rd_kafka_flush(producer, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void setup(void)
{
    start_cluster();
    fill_topic();
}

static void teardown(void)
{
    rd_kafka_destroy(producer);
    free(brokers_flag);
}

TestSuite(tail, .init = setup, .fini = teardown);

static int run_tail(struct buf *out, const char *const words[WORDS_MAX])
{
    char *argv[WORDS_MAX + 4] = {xstrdup("sluice"), xstrdup("tail"), xstrdup(brokers_flag)};
    char *envp[] = {NULL};
    char piece[4096];
    int argc = 3;
    for (size_t i = 0; i < WORDS_MAX && words[i] != NULL; i++) {
        argv[argc++] = xstrdup(words[i]);
    }
    buf_init(out, 1 << 20);
    cr_redirect_stdout();
    cr_redirect_stderr();
    int code = cli_main(&ROOT_COMMAND, argc, argv, envp);
    (void)fclose(stdout);
    for (size_t n = 0; (n = fread(piece, 1, sizeof(piece), cr_get_redirected_stdout())) > 0;) {
        cr_assert(buf_add(out, piece, n));
    }
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return code;
}

static void assert_tail(const char *const words[WORDS_MAX], int code, const char *expected)
{
    CLEANUP(buf_done) struct buf out;
    cr_assert_eq(run_tail(&out, words), code, "%s", buf_str(&out));
    cr_assert_str_eq(buf_str(&out), expected);
}

#define LINE_0 "{\"topic\":\"shop.things\",\"partition\":0,\"offset\":0,\"timestamp\":\"2023-11-14T22:13:20.000000Z\","
#define LINE_1 "{\"topic\":\"shop.things\",\"partition\":0,\"offset\":1,\"timestamp\":\"2023-11-14T22:13:20.000000Z\","
#define LINE_2 "{\"topic\":\"shop.things\",\"partition\":0,\"offset\":2,\"timestamp\":\"2023-11-14T22:13:20.000000Z\","
#define LINE_3 "{\"topic\":\"shop.things\",\"partition\":1,\"offset\":0,\"timestamp\":\"2023-11-14T22:13:20.001000Z\","
#define RECORD_0 LINE_0 "\"key\":\"k1\",\"headers\":{\"ce_id\":\"e1\",\"none\":null},\"value\":{\"n\":1,\"s\":\"x\"}}\n"
#define RECORD_1                                                                       \
    LINE_1 "\"key\":\"k2\",\"headers\":[[\"a\",\"1\"],[\"a\",{\"base64\":\"/w==\"}]]," \
           "\"value\":{\"n\":2,\"s\":true}}\n"
#define RECORD_2                                                                                                      \
    LINE_2 "\"key\":\"bad\",\"headers\":{},\"error\":\"schema callback_event version 1: malformed Avro: event_id at " \
           "byte 5: expected a length within the value\",\"value_bytes\":6,\"value_base64\":\"AAAAA+kC\"}\n"
#define RECORD_3 LINE_3 "\"key\":null,\"headers\":{},\"value\":\"text\"}\n"

Test(tail, prints_a_partition_and_says_what_is_malformed)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--partition", "0"}, EXIT_REJECTED, RECORD_0 RECORD_1 RECORD_2);
}

Test(tail, reads_from_an_offset_until_another)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--from", "1", "--until", "2"}, EXIT_DONE, RECORD_1);
}

Test(tail, reads_the_last_ones)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--from", "-1", "--partition=1"}, EXIT_DONE, RECORD_3);
}

Test(tail, reads_nothing_from_the_end)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--from", "end"}, EXIT_DONE, "");
}

Test(tail, an_offset_beyond_the_end_is_the_end)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--from", "1000"}, EXIT_DONE, "");
}

Test(tail, stops_after_a_count)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--partition", "0", "--count", "1"}, EXIT_DONE, RECORD_0);
}

Test(tail, filters_by_key)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--key", "k2"}, EXIT_DONE, RECORD_1);
}

Test(tail, filters_by_a_string_field)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--where", "s=x"}, EXIT_DONE, RECORD_0);
}

Test(tail, filters_by_another_field)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--where", "n=2"}, EXIT_DONE, RECORD_1);
}

Test(tail, puts_the_prefix_before_the_topic)
{
    assert_tail((const char *const[WORDS_MAX]){"things", "--topic.prefix=shop.", "--key=k1"}, EXIT_DONE, RECORD_0);
}

Test(tail, an_unknown_partition_is_not_found)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--partition", "2"}, EXIT_NOT_FOUND, "");
}

Test(tail, a_broker_that_is_away_is_unavailable_within_the_timeout)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--kafka.brokers=127.0.0.1:1", "--timeout-ms", "300"},
                EXIT_UNAVAILABLE, "");
}

Test(tail, wrong_flags_are_usage_errors)
{
    assert_tail((const char *const[WORDS_MAX]){TOPIC, "--from", "-0"}, EXIT_USAGE, "");
}
