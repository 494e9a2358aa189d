/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters counted by topic, class and platform, with first and last time and some samples. Memory is bounded. */
#ifndef SLUICE_DLQ_GROUPS_H
#define SLUICE_DLQ_GROUPS_H

#include "dlq/letter.h"

#define GROUPS_MAX 1000
#define GROUP_SAMPLES 5

struct group_sample {
    const char *dlq;
    int32_t partition;
    int64_t offset;
    char id[LETTER_ID_MAX];
    char message[LETTER_NAME_MAX];
};

struct group {
    char topic[LETTER_TOPIC_MAX];
    char class[LETTER_NAME_MAX];
    char platform[LETTER_NAME_MAX];
    int64_t n;
    int64_t first_us, last_us; /* 0 = unknown */
    struct group_sample samples[GROUP_SAMPLES];
    size_t n_samples;
};

struct groups {
    struct group *list; /* heap */
    size_t n, cap;
    int64_t others; /* letters of groups beyond GROUPS_MAX */
    int64_t total;
};

void groups_add(struct groups *g, const struct letter *l);
void groups_sort(struct groups *g); /* the largest first */
void groups_done(struct groups *g);

#endif
