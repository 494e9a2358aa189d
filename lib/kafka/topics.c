/* SPDX-License-Identifier: Apache-2.0 */
/* Compares and creates topics through librdkafka's admin interface. */
#include "kafka/topics.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/rc.h"

#define ADMIN_TIMEOUT_MS 15000
#define LEADER_LOOKS 50
#define LEADER_PAUSE_MS 100
#define METADATA_TIMEOUT_MS 5000

static enum rc open_client(const struct config *cfg, rd_kafka_t **out_rk, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;

    TRY(kafka_conf_create(cfg, "sluice-topics", &conf, err));
    return kafka_new(RD_KAFKA_PRODUCER, conf, out_rk, err);
}

static const struct rd_kafka_metadata_topic *find_topic(const struct rd_kafka_metadata *md, const char *name)
{
    for (int i = 0; i < md->topic_cnt; i++) {
        if (strcmp(md->topics[i].topic, name) == 0 && md->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return &md->topics[i];
        }
    }
    return NULL;
}

static enum rc compare_partitions(rd_kafka_t *rk, const char *brokers, const struct topic_want *wants, size_t n,
                                  struct topic_diff *diffs, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &md, METADATA_TIMEOUT_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_fail(err, code, NULL, "no answer from Kafka at %s", brokers);
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    for (size_t i = 0; i < n; i++) {
        const struct rd_kafka_metadata_topic *t = find_topic(md, wants[i].name);
        diffs[i] = (struct topic_diff){.state = TOPIC_MISSING};
        if (t == NULL) {
            continue;
        }
        diffs[i].partitions = t->partition_cnt;
        diffs[i].state = t->partition_cnt == wants[i].partitions ? TOPIC_SAME : TOPIC_WRONG_PARTITIONS;
        if (diffs[i].state == TOPIC_WRONG_PARTITIONS) {
            snprintf(diffs[i].text, sizeof(diffs[i].text), "%d partitions, expected %d", t->partition_cnt,
                     wants[i].partitions);
        }
    }
    rd_kafka_metadata_destroy(md);
    return RC_OK;
}

/* Waits for the one result of an admin call. The caller destroys *out_event. */
static enum rc wait_result(rd_kafka_queue_t *q, const char *what, rd_kafka_event_t **out_event, struct err *err)
{
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ADMIN_TIMEOUT_MS + 5000);

    if (ev == NULL) {
        FAIL(err, RC_RETRY, "Kafka %s: no answer within %d ms", what, ADMIN_TIMEOUT_MS);
    }
    if (rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        enum rc rc = kafka_fail(err, rd_kafka_event_error(ev), rd_kafka_event_error_string(ev), "Kafka %s", what);
        rd_kafka_event_destroy(ev);
        return rc;
    }
    *out_event = ev;
    return RC_OK;
}

static void compare_entry(const struct topic_want *want, const rd_kafka_ConfigEntry_t *entry, struct topic_diff *diff)
{
    const char *value = rd_kafka_ConfigEntry_value(entry);

    for (size_t i = 0; i < want->n_configs; i++) {
        if (strcmp(want->configs[i].key, rd_kafka_ConfigEntry_name(entry)) != 0 ||
            (value != NULL && strcmp(want->configs[i].value, value) == 0)) {
            continue;
        }
        size_t used = strlen(diff->text);
        snprintf(diff->text + used, sizeof(diff->text) - used, "%s%s is %s, expected %s", used > 0 ? "; " : "",
                 want->configs[i].key, value != NULL ? value : "unset", want->configs[i].value);
        diff->state = diff->state == TOPIC_SAME ? TOPIC_DIFFERS : diff->state;
    }
}

/* Calls fn for the configuration of each resource; consumes the resources. */
typedef enum rc (*describe_fn)(const rd_kafka_ConfigResource_t *res, void *opaque, struct err *err);

static enum rc describe(rd_kafka_t *rk, rd_kafka_ConfigResource_t **resources, size_t n, describe_fn fn, void *opaque,
                        struct err *err)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *opt = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_event_t *ev = NULL;
    char why[256];

    rd_kafka_AdminOptions_set_request_timeout(opt, ADMIN_TIMEOUT_MS, why, sizeof(why));
    rd_kafka_DescribeConfigs(rk, resources, n, opt, q);
    enum rc rc = wait_result(q, "DescribeConfigs", &ev, err);
    if (rc == RC_OK) {
        size_t answers = 0;
        const rd_kafka_ConfigResource_t **list =
            rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(ev), &answers);
        for (size_t i = 0; i < answers && rc == RC_OK; i++) {
            rc = fn(list[i], opaque, err);
        }
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_ConfigResource_destroy_array(resources, n);
    rd_kafka_AdminOptions_destroy(opt);
    rd_kafka_queue_destroy(q);
    return rc;
}

struct comparison {
    const struct topic_want *wants;
    size_t n;
    struct topic_diff *diffs;
};

static enum rc compare_config(const rd_kafka_ConfigResource_t *res, void *opaque, struct err *err)
{
    struct comparison *c = opaque;
    size_t entries = 0;
    const rd_kafka_ConfigEntry_t **list = NULL;
    const char *name = rd_kafka_ConfigResource_name(res);

    if (rd_kafka_ConfigResource_error(res) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, rd_kafka_ConfigResource_error(res), rd_kafka_ConfigResource_error_string(res),
                          "cannot read the configuration of %s", name);
    }
    list = rd_kafka_ConfigResource_configs(res, &entries);
    for (size_t i = 0; i < c->n; i++) {
        for (size_t e = 0; e < entries && strcmp(c->wants[i].name, name) == 0; e++) {
            compare_entry(&c->wants[i], list[e], &c->diffs[i]);
        }
    }
    return RC_OK;
}

static enum rc compare_configs(rd_kafka_t *rk, const struct topic_want *wants, size_t n, struct topic_diff *diffs,
                               struct err *err)
{
    rd_kafka_ConfigResource_t **resources CLEANUP(freep) = xcalloc(n, sizeof(*resources));
    struct comparison c = {.wants = wants, .n = n, .diffs = diffs};
    size_t asked = 0;

    for (size_t i = 0; i < n; i++) {
        if (diffs[i].state != TOPIC_MISSING) {
            resources[asked++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, wants[i].name);
        }
    }
    return asked == 0 ? RC_OK : describe(rk, resources, asked, compare_config, &c, err);
}

enum rc topics_compare(const struct config *cfg, const struct topic_want *wants, size_t n, struct topic_diff *diffs,
                       struct err *err)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;

    TRY(open_client(cfg, &rk, err));
    TRY(compare_partitions(rk, config_str(cfg, "kafka.brokers"), wants, n, diffs, err));
    return compare_configs(rk, wants, n, diffs, err);
}

static enum rc check_topic_results(const rd_kafka_topic_result_t *const *list, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(list[i]);
        /* Two `topics apply` at once: the other one was faster. */
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            return kafka_fail(err, code, rd_kafka_topic_result_error_string(list[i]), "cannot create topic %s",
                              rd_kafka_topic_result_name(list[i]));
        }
    }
    return RC_OK;
}

static rd_kafka_NewTopic_t *new_topic(const struct topic_want *want)
{
    char why[256];
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(want->name, want->partitions, want->replication, why, sizeof(why));

    for (size_t i = 0; t != NULL && i < want->n_configs; i++) {
        rd_kafka_NewTopic_set_config(t, want->configs[i].key, want->configs[i].value);
    }
    return t;
}

static enum rc create_missing(rd_kafka_t *rk, const struct topic_want *wants, const struct topic_diff *diffs, size_t n,
                              size_t *changed, struct err *err)
{
    rd_kafka_NewTopic_t **list CLEANUP(freep) = xcalloc(n, sizeof(*list));
    size_t count = 0;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < n; i++) {
        if (diffs[i].state == TOPIC_MISSING) {
            list[count] = new_topic(&wants[i]);
            if (list[count] == NULL) {
                rd_kafka_NewTopic_destroy_array(list, count);
                FAIL(err, RC_FATAL, "topic %s: Kafka does not allow this name or count", wants[i].name);
            }
            count++;
        }
    }
    if (count == 0) {
        return RC_OK;
    }
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_event_t *ev = NULL;
    rd_kafka_CreateTopics(rk, list, count, NULL, q);
    rc = wait_result(q, "CreateTopics", &ev, err);
    if (rc == RC_OK) {
        size_t answers = 0;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &answers);
        rc = check_topic_results(results, answers, err);
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_NewTopic_destroy_array(list, count);
    rd_kafka_queue_destroy(q);
    *changed += count;
    return rc;
}

struct alteration {
    const struct topic_want *want;
    rd_kafka_ConfigResource_t *next;
};

/* librdkafka appends a key that is set twice, and the broker refuses the whole then. */
static bool is_wanted(const struct topic_want *want, const char *key)
{
    for (size_t i = 0; i < want->n_configs; i++) {
        if (strcmp(want->configs[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* A new topic has no leaders for a moment; whoever comes next should find them. */
static void wait_for_leaders(rd_kafka_t *rk, const struct topic_want *wants, size_t n)
{
    for (int i = 0; i < LEADER_LOOKS; i++) {
        const struct rd_kafka_metadata *md = NULL;
        bool all = true;
        if (rd_kafka_metadata(rk, 1, NULL, &md, METADATA_TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return;
        }
        for (size_t t = 0; t < n; t++) {
            const struct rd_kafka_metadata_topic *topic = find_topic(md, wants[t].name);
            for (int p = 0; topic != NULL && p < topic->partition_cnt; p++) {
                all = all && topic->partitions[p].leader >= 0 && topic->partitions[p].err == RD_KAFKA_RESP_ERR_NO_ERROR;
            }
            all = all && topic != NULL;
        }
        rd_kafka_metadata_destroy(md);
        if (all) {
            return;
        }
        clock_sleep_ms(LEADER_PAUSE_MS);
    }
}

/* What an operator set on the topic and we do not declare is kept. */
static enum rc keep_others(const rd_kafka_ConfigResource_t *res, void *opaque, struct err *err)
{
    const struct alteration *a = opaque;
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **list = rd_kafka_ConfigResource_configs(res, &n);

    if (rd_kafka_ConfigResource_error(res) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, rd_kafka_ConfigResource_error(res), rd_kafka_ConfigResource_error_string(res),
                          "cannot read the configuration of %s", rd_kafka_ConfigResource_name(res));
    }
    for (size_t i = 0; i < n; i++) {
        if (rd_kafka_ConfigEntry_source(list[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG &&
            rd_kafka_ConfigEntry_value(list[i]) != NULL && !is_wanted(a->want, rd_kafka_ConfigEntry_name(list[i]))) {
            rd_kafka_ConfigResource_set_config(a->next, rd_kafka_ConfigEntry_name(list[i]),
                                               rd_kafka_ConfigEntry_value(list[i]));
        }
    }
    return RC_OK;
}

static enum rc check_altered(const rd_kafka_event_t *ev, const char *name, struct err *err)
{
    size_t n = 0;
    const rd_kafka_ConfigResource_t **list = rd_kafka_AlterConfigs_result_resources(
        rd_kafka_event_AlterConfigs_result((rd_kafka_event_t *)(uintptr_t)ev), &n);

    if (n > 0 && rd_kafka_ConfigResource_error(list[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, rd_kafka_ConfigResource_error(list[0]), rd_kafka_ConfigResource_error_string(list[0]),
                          "cannot configure topic %s", name);
    }
    return RC_OK;
}

/* AlterConfigs replaces the whole set, so the others are read first. */
static enum rc alter_one(rd_kafka_t *rk, const struct topic_want *want, struct err *err)
{
    rd_kafka_ConfigResource_t *res = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, want->name);
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, want->name);
    struct alteration a = {.want = want, .next = res};
    enum rc rc = describe(rk, &ask, 1, keep_others, &a, err);

    if (rc == RC_OK) {
        rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
        rd_kafka_event_t *ev = NULL;
        for (size_t i = 0; i < want->n_configs; i++) {
            rd_kafka_ConfigResource_set_config(res, want->configs[i].key, want->configs[i].value);
        }
        rd_kafka_AlterConfigs(rk, &res, 1, NULL, q);
        rc = wait_result(q, "AlterConfigs", &ev, err);
        if (rc == RC_OK) {
            rc = check_altered(ev, want->name, err);
            rd_kafka_event_destroy(ev);
        }
        rd_kafka_queue_destroy(q);
    }
    rd_kafka_ConfigResource_destroy(res);
    return rc;
}

enum rc topics_apply(const struct config *cfg, const struct topic_want *wants, const struct topic_diff *diffs, size_t n,
                     size_t *out_changed, struct err *err)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;

    *out_changed = 0;
    TRY(open_client(cfg, &rk, err));
    TRY(create_missing(rk, wants, diffs, n, out_changed, err));
    if (*out_changed > 0) {
        wait_for_leaders(rk, wants, n);
    }
    for (size_t i = 0; i < n; i++) {
        if (diffs[i].state == TOPIC_DIFFERS) {
            TRY(alter_one(rk, &wants[i], err));
            (*out_changed)++;
        }
    }
    return RC_OK;
}
