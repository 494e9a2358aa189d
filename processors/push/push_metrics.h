/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of the push role, by provider. What has none counts as "none". */
#ifndef SLUICE_PUSH_METRICS_H
#define SLUICE_PUSH_METRICS_H

#include "push/providers.h"
#include "push/verdict.h"

struct push_metrics;

/* providers must outlive them. */
struct push_metrics *push_metrics_create(const struct providers *providers) MUST_USE;
struct push_metrics *push_metrics_free(struct push_metrics *m); /* accepts NULL, returns NULL */

/* provider NULL = none. */
void push_count_verdict(struct push_metrics *m, const struct provider *provider, enum push_verdict verdict);
void push_count_outcome(struct push_metrics *m, const struct provider *provider, enum push_outcome outcome);
void push_count_request(struct push_metrics *m, const struct provider *provider, size_t messages, int64_t duration_ms);

struct push_gauges {
    size_t in_flight, waiting;
    double rate; /* messages a second; 0 = no limit */
    int circuit; /* 0 closed, 1 open, 2 probing */
};
void push_show(struct push_metrics *m, const struct provider *provider, const struct push_gauges *g);

#endif
