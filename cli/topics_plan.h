/* SPDX-License-Identifier: Apache-2.0 */
/* The topics of the topology as this configuration wants them. */
#ifndef SLUICE_CLI_TOPICS_PLAN_H
#define SLUICE_CLI_TOPICS_PLAN_H

#include "kafka/topics.h"

struct topics_plan {
    struct topic_want *wants;
    struct topic_diff *diffs; /* filled by topics_compare() */
    size_t n;
};

void topics_plan_make(const struct config *cfg, struct topics_plan *out);
void topics_plan_done(struct topics_plan *p);

#endif
