/* SPDX-License-Identifier: Apache-2.0 */
/* Options, names and metrics every delivery processor has. */
#include <stdlib.h>

#include "kafka/conf.h"
#include "runtime/delivery_internal.h"

static const struct option ROWS[] = {
    {.name = "delivery.bytes.max",
     .type = OPTION_INT,
     .value = "0",
     .min = 0,
     .max = 1073741824,
     .help =
         "Bytes of records read and not yet committed, with their results, beyond which nothing more is read, at least "
         "1 MiB; 0: as suits the role (push 2 MiB, others 8 MiB)."},
    {.name = "delivery.commit.linger.ms",
     .type = OPTION_INT,
     .value = "50",
     .min = 1,
     .max = 500,
     .help = "Milliseconds for which finished records are collected for one Kafka transaction."},
    {.name = "delivery.commit.records.max",
     .type = OPTION_INT,
     .value = "5000",
     .min = 1,
     .max = 20000,
     .help = "Finished records that make a Kafka transaction without waiting longer."},
    {.name = "delivery.drain.ms",
     .type = OPTION_INT,
     .value = "10000",
     .min = 0,
     .max = 45000,
     .help = "Milliseconds that calls under way get to finish when the role is asked to stop."},
    {.name = "delivery.inflight.max",
     .type = OPTION_INT,
     .value = "1000",
     .min = 1,
     .max = 100000,
     .help = "Records worked on at once by one instance."},
    {.name = "delivery.key.records.max",
     .type = OPTION_INT,
     .value = "500",
     .min = 1,
     .max = 100000,
     .help = "Records that wait for an earlier one of their key; what is beyond is put off, if the role can do that."},
    {.name = "delivery.key.wait.ms",
     .type = OPTION_INT,
     .value = "3000",
     .min = 100,
     .max = 60000,
     .help = "Milliseconds one record of a key may take before those that wait behind it are put off."},
    {.name = "delivery.records.max",
     .type = OPTION_INT,
     .value = "10000",
     .min = 1,
     .max = 100000,
     .help = "Records read and not yet committed, those that wait for an earlier one of their key among them."},
    {.name = "delivery.retry.base.ms",
     .type = OPTION_INT,
     .value = "200",
     .min = 1,
     .max = 60000,
     .help = "First pause in milliseconds before a record that could not be worked on starts again."},
    {.name = "delivery.retry.max.ms",
     .type = OPTION_INT,
     .value = "10000",
     .min = 1,
     .max = 600000,
     .help = "Longest pause in milliseconds before a record that could not be worked on starts again."},
    {.name = "delivery.revoke.ms",
     .type = OPTION_INT,
     .value = "4000",
     .min = 0,
     .max = 30000,
     .help = "Milliseconds that calls under way get to finish when partitions go to another instance."},
    {.name = "delivery.session.timeout.ms",
     .type = OPTION_INT,
     .value = "10000",
     .min = 3000,
     .max = 60000,
     .help = "Milliseconds after which a silent instance loses its partitions, and its slot's session in PostgreSQL."},
    {.name = "delivery.txn.timeout.ms",
     .type = OPTION_INT,
     .value = "10000",
     .min = 1000,
     .max = 900000,
     .help = "Milliseconds after which the broker aborts a transaction that its owner left open."},
};

const struct option_table delivery_options = {.component = "delivery",
                                              .help = "Known to the roles that call the outside world.",
                                              .rows = ROWS,
                                              .n_rows = ARRAY_SIZE(ROWS)};

#define BYTES_MAX (INT64_C(8) << 20)
#define BYTES_LEAST (INT64_C(1) << 20)

static int64_t bytes_max(const struct delivery *d)
{
    int64_t set = config_int(d->cfg, "delivery.bytes.max");
    int64_t usual = d->proc->held_bytes > 0 ? d->proc->held_bytes : BYTES_MAX;

    if (set == 0) {
        return usual;
    }
    return set > BYTES_LEAST ? set : BYTES_LEAST;
}

void delivery_limits_read(struct delivery *d)
{
    d->lim = (struct delivery_limits){.in_flight_max = config_int(d->cfg, "delivery.inflight.max"),
                                      .records_max = config_int(d->cfg, "delivery.records.max"),
                                      .bytes_max = bytes_max(d),
                                      .txn_records_max = config_int(d->cfg, "delivery.commit.records.max"),
                                      .linger_ms = config_int(d->cfg, "delivery.commit.linger.ms"),
                                      .revoke_ms = config_int(d->cfg, "delivery.revoke.ms"),
                                      .drain_ms = config_int(d->cfg, "delivery.drain.ms"),
                                      .retry_base_ms = config_int(d->cfg, "delivery.retry.base.ms"),
                                      .retry_max_ms = config_int(d->cfg, "delivery.retry.max.ms"),
                                      .session_ms = config_int(d->cfg, "delivery.session.timeout.ms"),
                                      .key_records_max = config_int(d->cfg, "delivery.key.records.max"),
                                      .key_wait_ms = config_int(d->cfg, "delivery.key.wait.ms")};
}

char *delivery_group_name(const struct config *cfg, const char *processor)
{
    return xasprintf("%ssluice-%s", config_str(cfg, "topic.prefix"), processor);
}

void delivery_names_make(struct delivery *d)
{
    size_t n = 0;

    while (d->proc->outputs[n] != NULL) {
        n++;
    }
    d->client = xasprintf("sluice-%s", d->proc->name);
    d->group = delivery_group_name(d->cfg, d->proc->name);
    d->input = kafka_topic_name(d->cfg, d->proc->input);
    d->dlq = kafka_topic_name(d->cfg, d->proc->dlq);
    d->topics = xcalloc(n + 3, sizeof(*d->topics));
    for (size_t i = 0; i < n; i++) {
        d->topics[i] = kafka_topic_name(d->cfg, d->proc->outputs[i]);
    }
    d->topics[n] = xstrdup(d->dlq);
    d->topics[n + 1] = xstrdup(d->input);
}

void delivery_names_free(struct delivery *d)
{
    for (size_t i = 0; d->topics[i] != NULL; i++) {
        free(d->topics[i]);
    }
    free(d->topics);
    free(d->client);
    free(d->group);
    free(d->txn_id);
    free(d->instance_id);
    free(d->input);
    free(d->dlq);
}

void delivery_metrics_make(struct delivery *d)
{
    struct delivery_metrics *m = &d->m;
    const char *p = d->proc->name;

#define COUNTER(name, help, label, value) \
    metric_counter("sluice_delivery_" name, help, "role=\"%s\"," label "=\"" value "\"", p)
#define PLAIN(kind, name, help) metric_##kind("sluice_delivery_" name, help, "role=\"%s\"", p)
    m->ok = COUNTER("records_processed_total", "Records by result.", "result", "ok");
    m->retry = COUNTER("records_processed_total", "Records by result.", "result", "retry");
    m->reject = COUNTER("records_processed_total", "Records by result.", "result", "reject");
    m->dropped = COUNTER("records_processed_total", "Records by result.", "result", "dropped");
    m->fenced = COUNTER("producer_recreated_total", "Producers made anew, by cause.", "cause", "fenced");
    m->failed = COUNTER("producer_recreated_total", "Producers made anew, by cause.", "cause", "fatal");
    m->assigned = COUNTER("rebalances_total", "Rebalances by kind.", "type", "assigned");
    m->revoked = COUNTER("rebalances_total", "Rebalances by kind.", "type", "revoked");
    m->lost = COUNTER("rebalances_total", "Rebalances by kind.", "type", "lost");
    m->commits = PLAIN(counter, "txn_commits_total", "Kafka transactions committed.");
    m->aborts = PLAIN(counter, "txn_aborts_total", "Kafka transactions aborted and produced again.");
    m->resolved = PLAIN(counter, "txn_resolved_total", "Commits with an unknown result that were looked up.");
    m->in_flight = PLAIN(gauge, "in_flight", "Records the processor works on.");
    m->held = PLAIN(gauge, "records_held", "Records read and not yet committed.");
    m->bytes = PLAIN(gauge, "staged_bytes", "Bytes of records read and not yet committed, with their results.");
    m->paused = PLAIN(gauge, "paused_partitions", "Partitions that are not read because there is no room.");
    m->commit_seconds =
        metric_histogram("sluice_delivery_txn_commit_duration_seconds", "Time from begin to commit of a transaction.",
                         METRIC_SECONDS, METRIC_SECONDS_N, "role=\"%s\"", p);
#undef COUNTER
#undef PLAIN
}
