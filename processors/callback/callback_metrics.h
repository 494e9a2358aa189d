/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of the callback role, by platform. A platform nobody has configured counts as "unknown". */
#ifndef SLUICE_CALLBACK_METRICS_H
#define SLUICE_CALLBACK_METRICS_H

#include <stdint.h>

#include "callback/decide.h"
#include "callback/platform.h"

struct callback_metrics;

/* platforms must outlive them and keep its size. */
struct callback_metrics *callback_metrics_create(const struct platforms *platforms) MUST_USE;
struct callback_metrics *callback_metrics_free(struct callback_metrics *m); /* accepts NULL, returns NULL */

/* platform NULL = unknown. class is static and of low cardinality: "ok", "timeout". */
void callback_count_attempt(struct callback_metrics *m, const struct platform *platform, const char *class,
                            int64_t duration_ms);
/* A request that could not be made because of us: no descriptor, no certificates. */
void callback_count_failure(const char *class);
void callback_count_outcome(struct callback_metrics *m, const struct platform *platform, enum outcome outcome);
void callback_gauges(struct callback_metrics *m, size_t in_flight, size_t waiting, size_t endpoints);

#endif
