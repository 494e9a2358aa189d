/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the producer share. */
#ifndef SLUICE_KAFKA_PRODUCER_INTERNAL_H
#define SLUICE_KAFKA_PRODUCER_INTERNAL_H

#include "kafka/producer.h"

#define PRODUCER_TOPICS_MAX 256

struct topic_entry {
    char *name;
    int partitions;
    int64_t asked_ms;
};

struct producer {
    rd_kafka_t *rk;
    producer_idle_fn idle;
    void *opaque;
    int slice_ms;
    int commit_slice_ms;
    producer_refused_fn refused;
    bool away;
    int64_t away_asked_ms;
    bool ready; /* past init_transactions */
    bool lost;
    bool open; /* begun, and neither committed nor aborted */
    struct topic_entry topics[PRODUCER_TOPICS_MAX];
    size_t n_topics;
};

/* Releases the names of the topics that were asked for. */
void producer_forget_topics(struct producer *p);

#endif
