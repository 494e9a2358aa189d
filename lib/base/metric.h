/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of this process, rendered as Prometheus text (exposition format 0.0.4).
 *
 * A series is created on first use and lives as long as the process; the pointer may be kept. Asking
 * again for the same name and labels returns the same series. Names follow the ecosystem: sluice_ prefix,
 * base units, _total for counters. The number of series is bounded (METRIC_SERIES_MAX): beyond it all
 * further label sets of a name share one series with labels overflow="true".
 *
 * Thread: all functions from any thread; values are atomic.
 */
#ifndef SLUICE_BASE_METRIC_H
#define SLUICE_BASE_METRIC_H

#include <stddef.h>

#include "base/buf.h"

#define METRIC_SERIES_MAX 2000

struct metric;

/*
 * name and help must be static strings. labels is NULL or the text between the braces, e.g. "source=\"%s\"";
 * label values are escaped by metric_label() when they come from outside.
 */
struct metric *metric_counter(const char *name, const char *help, const char *labels_fmt, ...) PRINTF_LIKE(3, 4);
struct metric *metric_gauge(const char *name, const char *help, const char *labels_fmt, ...) PRINTF_LIKE(3, 4);
/* Upper bounds in ascending order (static array), +Inf is added. */
struct metric *metric_histogram(const char *name, const char *help, const double *bounds, size_t n_bounds,
                                const char *labels_fmt, ...) PRINTF_LIKE(5, 6);

void metric_inc(struct metric *m);
void metric_add(struct metric *m, double v);
void metric_set(struct metric *m, double v);
void metric_observe(struct metric *m, double v);
double metric_value(const struct metric *m); /* counter or gauge */

/* Bounds for latencies in seconds: 1 ms to 60 s. */
extern const double METRIC_SECONDS[];
extern const size_t METRIC_SECONDS_N;

/* Copies s with label escapes into out (cut at out_size - 1); returns out. */
const char *metric_label(const char *s, char *out, size_t out_size);

void metrics_render(struct buf *out);

#endif
