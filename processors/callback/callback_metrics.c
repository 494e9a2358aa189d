/* SPDX-License-Identifier: Apache-2.0 */
/* Series are looked up once; classes are few, so those of attempts are found by their pointer. */
#include "callback/callback_metrics.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"

#define OUTCOMES 4
#define CLASSES_MAX 48

struct of_platform {
    char label[PLATFORM_NAME_MAX];
    struct metric *outcomes[OUTCOMES];
    struct metric *seconds;
    const char *class[CLASSES_MAX];
    struct metric *attempts[CLASSES_MAX];
    size_t n;
};

struct callback_metrics {
    const struct platforms *platforms;
    struct of_platform *of; /* the last one is "unknown" */
    struct metric *in_flight, *waiting, *endpoints;
};

static void lower(const char *name, char out[PLATFORM_NAME_MAX])
{
    size_t i = 0;
    for (; name[i] != '\0'; i++) {
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    }
    out[i] = '\0';
}

struct callback_metrics *callback_metrics_create(const struct platforms *platforms)
{
    struct callback_metrics *m = xcalloc(1, sizeof(*m));

    m->platforms = platforms;
    m->of = xcalloc(platforms->n + 1, sizeof(*m->of));
    for (size_t i = 0; i <= platforms->n; i++) {
        lower(i < platforms->n ? platforms->rows[i].name : "unknown", m->of[i].label);
    }
    m->in_flight = metric_gauge("sluice_callback_in_flight", "Requests under way.", NULL);
    m->waiting = metric_gauge("sluice_callback_waiting", "Events that wait for a place at their endpoint.", NULL);
    m->endpoints = metric_gauge("sluice_callback_endpoints", "Endpoints whose state is known.", NULL);
    return m;
}

struct callback_metrics *callback_metrics_free(struct callback_metrics *m)
{
    if (m != NULL) {
        free(m->of);
        free(m);
    }
    return NULL;
}

static struct of_platform *of(struct callback_metrics *m, const struct platform *platform)
{
    return &m->of[platform == NULL ? m->platforms->n : (size_t)(platform - m->platforms->rows)];
}

static struct metric *attempts(struct of_platform *p, const char *class)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->class[i] == class) {
            return p->attempts[i];
        }
    }
    struct metric *made = metric_counter("sluice_callback_attempts_total", "Requests made, by what came of them.",
                                         "platform=\"%s\",class=\"%s\"", p->label, class);
    if (p->n < CLASSES_MAX) {
        p->class[p->n] = class;
        p->attempts[p->n++] = made;
    }
    return made;
}

void callback_count_attempt(struct callback_metrics *m, const struct platform *platform, const char *class,
                            int64_t duration_ms)
{
    struct of_platform *p = of(m, platform);

    if (p->seconds == NULL) {
        p->seconds = metric_histogram("sluice_callback_attempt_duration_seconds", "Time of a request.", METRIC_SECONDS,
                                      METRIC_SECONDS_N, "platform=\"%s\"", p->label);
    }
    metric_inc(attempts(p, class));
    metric_observe(p->seconds, (double)duration_ms / 1000.0);
}

void callback_count_failure(const char *class)
{
    metric_inc(metric_counter("sluice_callback_local_failures_total",
                              "Requests that could not be made because of this machine, by reason.", "class=\"%s\"",
                              class));
}

void callback_count_outcome(struct callback_metrics *m, const struct platform *platform, enum outcome outcome)
{
    struct of_platform *p = of(m, platform);

    if (p->outcomes[outcome] == NULL) {
        p->outcomes[outcome] = metric_counter("sluice_callback_outcomes_total", "What became of events.",
                                              "platform=\"%s\",outcome=\"%s\"", p->label, outcome_name(outcome));
    }
    metric_inc(p->outcomes[outcome]);
}

void callback_gauges(struct callback_metrics *m, size_t in_flight, size_t waiting, size_t endpoints)
{
    metric_set(m->in_flight, (double)in_flight);
    metric_set(m->waiting, (double)waiting);
    metric_set(m->endpoints, (double)endpoints);
}
