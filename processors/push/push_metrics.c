/* SPDX-License-Identifier: Apache-2.0 */
/* Series are looked up once. */
#include "push/push_metrics.h"

#include <stdlib.h>

#include "base/metric.h"

struct of_provider {
    const char *label;
    struct metric *verdicts[PUSH_VERDICTS];
    struct metric *outcomes[PUSH_OUTCOMES];
    struct metric *seconds, *messages;
    struct metric *in_flight, *waiting, *rate, *circuit;
};

struct push_metrics {
    const struct providers *providers;
    struct of_provider of[PROVIDERS_MAX + 1]; /* the last one is "none" */
};

struct push_metrics *push_metrics_create(const struct providers *providers)
{
    struct push_metrics *m = xcalloc(1, sizeof(*m));

    m->providers = providers;
    for (size_t i = 0; i <= providers->n; i++) {
        m->of[i].label = i < providers->n ? providers->rows[i].name : "none";
    }
    return m;
}

struct push_metrics *push_metrics_free(struct push_metrics *m)
{
    free(m);
    return NULL;
}

static struct of_provider *of(struct push_metrics *m, const struct provider *provider)
{
    return &m->of[provider == NULL ? m->providers->n : (size_t)(provider - m->providers->rows)];
}

void push_count_verdict(struct push_metrics *m, const struct provider *provider, enum push_verdict verdict)
{
    struct of_provider *p = of(m, provider);

    if (p->verdicts[verdict] == NULL) {
        p->verdicts[verdict] =
            metric_counter("sluice_push_total", "What providers have said of messages.",
                           "provider=\"%s\",verdict=\"%s\"", p->label, PUSH_VERDICTS_TABLE[verdict].name);
    }
    metric_inc(p->verdicts[verdict]);
}

void push_count_outcome(struct push_metrics *m, const struct provider *provider, enum push_outcome outcome)
{
    struct of_provider *p = of(m, provider);

    if (p->outcomes[outcome] == NULL) {
        p->outcomes[outcome] = metric_counter("sluice_push_outcomes_total", "What became of messages.",
                                              "provider=\"%s\",outcome=\"%s\"", p->label, push_outcome_name(outcome));
    }
    metric_inc(p->outcomes[outcome]);
}

void push_count_request(struct push_metrics *m, const struct provider *provider, size_t messages, int64_t duration_ms)
{
    struct of_provider *p = of(m, provider);

    if (p->seconds == NULL) {
        p->seconds = metric_histogram("sluice_push_request_duration_seconds", "Time of a request to a provider.",
                                      METRIC_SECONDS, METRIC_SECONDS_N, "provider=\"%s\"", p->label);
        p->messages = metric_counter("sluice_push_request_messages_total", "Messages that went out with requests.",
                                     "provider=\"%s\"", p->label);
    }
    metric_observe(p->seconds, (double)duration_ms / 1000.0);
    metric_add(p->messages, (double)messages);
}

void push_show(struct push_metrics *m, const struct provider *provider, const struct push_gauges *g)
{
    struct of_provider *p = of(m, provider);

    if (p->in_flight == NULL) {
        p->in_flight = metric_gauge("sluice_push_in_flight", "Requests under way.", "provider=\"%s\"", p->label);
        p->waiting =
            metric_gauge("sluice_push_waiting", "Messages that wait for their provider.", "provider=\"%s\"", p->label);
        p->rate = metric_gauge("sluice_push_rate_limit", "Messages a second at most now; 0 = no limit.",
                               "provider=\"%s\"", p->label);
        p->circuit = metric_gauge("sluice_push_circuit_open",
                                  "0: the provider is asked; 1: everything for it is parked; 2: one request tries it.",
                                  "provider=\"%s\"", p->label);
    }
    metric_set(p->in_flight, (double)g->in_flight);
    metric_set(p->waiting, (double)g->waiting);
    metric_set(p->rate, g->rate);
    metric_set(p->circuit, (double)g->circuit);
}
