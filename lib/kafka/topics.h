/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics as they should be, compared with topics as they are.
 *
 * Thread: any; each call opens its own client and blocks for at most some seconds.
 */
#ifndef SLUICE_KAFKA_TOPICS_H
#define SLUICE_KAFKA_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

#define TOPIC_CONFIGS_MAX 8

struct topic_config {
    const char *key;
    char value[64];
};

struct topic_want {
    char *name; /* full name; heap */
    int partitions;
    int replication; /* -1 = the cluster's default */
    struct topic_config configs[TOPIC_CONFIGS_MAX];
    size_t n_configs;
};

enum topic_state { TOPIC_SAME, TOPIC_MISSING, TOPIC_DIFFERS, TOPIC_WRONG_PARTITIONS };

struct topic_diff {
    enum topic_state state;
    int partitions; /* as they are; 0 = missing */
    char text[512]; /* what differs: "retention.ms is 1, expected 604800000"; "" when nothing does */
};

/* Fills diffs[n] in the order of wants. RETRY when no broker answers. */
enum rc topics_compare(const struct config *cfg, const struct topic_want *wants, size_t n, struct topic_diff *diffs,
                       struct err *err) MUST_USE;

/* Creates those that are missing and sets configurations that differ; *out_changed counts both. Partition counts are
 * never changed. */
enum rc topics_apply(const struct config *cfg, const struct topic_want *wants, const struct topic_diff *diffs, size_t n,
                     size_t *out_changed, struct err *err) MUST_USE;

#endif
