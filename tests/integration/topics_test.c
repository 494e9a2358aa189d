/* SPDX-License-Identifier: Apache-2.0 */
/* Topics as they should be: created, compared, mended where that is possible, and never more than asked. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/log_ends.h"
#include "kafka/topics.h"
#include "support/stack.h"

static struct stack st;
static struct err err;
static struct topic_want wants[2];
static struct topic_diff diffs[2];

static void setup(void)
{
    stack_open(&st);
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        wants[i] = (struct topic_want){.name = xasprintf("%st%zu", st.prefix, i),
                                       .partitions = 3,
                                       .replication = -1,
                                       .configs = {{"retention.ms", "604800000"}, {"cleanup.policy", "delete"}},
                                       .n_configs = 2};
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        free(wants[i].name);
    }
    stack_close(&st);
}

TestSuite(topics, .init = setup, .fini = teardown);

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)

/* What was changed a moment ago may not yet be seen by every part of the broker. */
static void compare(enum topic_state first, enum topic_state second)
{
    for (int i = 0; i < 50; i++) {
        OK(topics_compare(st.cfg, wants, 2, diffs, &err));
        if (diffs[0].state == first && diffs[1].state == second) {
            return;
        }
        clock_sleep_ms(50);
    }
    cr_expect_eq(diffs[0].state, first, "topic 0: %d %s", diffs[0].state, diffs[0].text);
    cr_expect_eq(diffs[1].state, second, "topic 1: %d %s", diffs[1].state, diffs[1].text);
}

static void apply(size_t expected)
{
    size_t changed = 99;

    OK(topics_apply(st.cfg, wants, diffs, 2, &changed, &err));
    cr_expect_eq(changed, expected, "%zu changed", changed);
}

Test(topics, missing_ones_are_created_as_wanted_once)
{
    compare(TOPIC_MISSING, TOPIC_MISSING);
    cr_expect_eq(diffs[0].partitions, 0);
    apply(2);
    compare(TOPIC_SAME, TOPIC_SAME);
    cr_expect_eq(diffs[0].partitions, 3);
    cr_expect_str_eq(diffs[0].text, "");
    apply(0);
}

Test(topics, somebody_who_was_faster_is_no_error)
{
    compare(TOPIC_MISSING, TOPIC_MISSING);
    free(stack_topic(&st, "t0", 3, NULL));
    apply(2);
    compare(TOPIC_SAME, TOPIC_SAME);
}

Test(topics, a_changed_setting_is_said_and_set_back_and_the_operators_own_stay)
{
    compare(TOPIC_MISSING, TOPIC_MISSING);
    apply(2);
    stack_topic_set(&st, wants[1].name, "retention.ms", "1000000");
    stack_topic_set(&st, wants[1].name, "min.compaction.lag.ms", "12345");
    compare(TOPIC_SAME, TOPIC_DIFFERS);
    cr_expect_str_eq(diffs[1].text, "retention.ms is 1000000, expected 604800000");
    apply(1);
    compare(TOPIC_SAME, TOPIC_SAME);
    char *own CLEANUP(freep) = stack_topic_config(&st, wants[1].name, "min.compaction.lag.ms");
    cr_expect_str_eq(own, "12345");
}

Test(topics, several_differences_are_all_said)
{
    free(stack_topic(&st, "t0", 3, "cleanup.policy=compact"));
    stack_topic_set(&st, wants[0].name, "retention.ms", "5");
    compare(TOPIC_DIFFERS, TOPIC_MISSING);
    cr_expect(strstr(diffs[0].text, "cleanup.policy is compact, expected delete") != NULL, "%s", diffs[0].text);
    cr_expect(strstr(diffs[0].text, "retention.ms is 5, expected 604800000") != NULL, "%s", diffs[0].text);
    cr_expect(strstr(diffs[0].text, "; ") != NULL, "%s", diffs[0].text);
}

Test(topics, a_wrong_partition_count_is_said_and_never_touched)
{
    free(stack_topic(&st, "t0", 2, "retention.ms=5"));
    compare(TOPIC_WRONG_PARTITIONS, TOPIC_MISSING);
    cr_expect(strncmp(diffs[0].text, "2 partitions, expected 3", 24) == 0, "%s", diffs[0].text);
    apply(1);
    compare(TOPIC_WRONG_PARTITIONS, TOPIC_SAME);
    cr_expect_eq(diffs[0].partitions, 2);
    char *kept CLEANUP(freep) = stack_topic_config(&st, wants[0].name, "retention.ms");
    cr_expect_str_eq(kept, "5");
}

Test(topics, a_name_or_setting_the_broker_refuses_is_named)
{
    size_t changed = 0;

    free(wants[0].name);
    wants[0].name = xasprintf("%swith space", st.prefix);
    compare(TOPIC_MISSING, TOPIC_MISSING);
    cr_expect_eq(topics_apply(st.cfg, wants, diffs, 1, &changed, &err), RC_FATAL);
    cr_expect(strstr(err.text, wants[0].name) != NULL, "%s", err.text);
    snprintf(wants[1].configs[0].value, sizeof(wants[1].configs[0].value), "soon");
    cr_expect_eq(topics_apply(st.cfg, wants + 1, diffs + 1, 1, &changed, &err), RC_FATAL);
    cr_expect(strstr(err.text, wants[1].name) != NULL && strstr(err.text, "retention.ms") != NULL, "%s", err.text);
}

static enum rc count_partitions(const char *name, int *out_n)
{
    CLEANUP(kafka_destroyp) rd_kafka_t *rk = NULL;
    OK(kafka_reader_new(st.cfg, "sluice-test", NULL, 0, &rk, &err));
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, name, NULL);
    cr_assert_not_null(rkt);
    enum rc rc = kafka_topic_partitions(rk, rkt, 5000, out_n, &err);
    rd_kafka_topic_destroy(rkt);
    return rc;
}

Test(topics, partitions_are_counted_and_what_kafka_says_of_a_topic_is_heard)
{
    CLEANUP(freep) char *name = stack_topic(&st, "counted", 4, NULL);
    int n = -1;

    OK(count_partitions(name, &n));
    cr_expect_eq(n, 4);
    OK(count_partitions(wants[0].name, &n));
    cr_expect_eq(n, 0, "there is none");
    n = -1;
    cr_expect_neq(count_partitions("no topic's name", &n), RC_OK);
    cr_expect_not_null(strstr(err.text, "topic no topic's name: "), "%s", err.text);
    cr_expect_eq(n, -1);
    stack_set(&st, "kafka.brokers", "127.0.0.1:1");
    cr_expect_eq(count_partitions(name, &n), RC_RETRY);
    cr_expect_not_null(strstr(err.text, "no answer from Kafka at 127.0.0.1:1: "), "%s", err.text);
}
