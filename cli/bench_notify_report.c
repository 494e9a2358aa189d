/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice bench notify` prints: a table for people, or one JSON object. */
#include <inttypes.h>
#include <stdio.h>

#include "bench_notify.h"

/* ---------------------------------------------------------------------------------------------------- for people */

static void add_rate(struct buf *out, const char *what, int64_t n, double per_s, double limit)
{
    char text[2][BENCH_NUMBER_MAX];

    (void)buf_printf(out, "%-50s %10s %10s", what, bench_grouped((double)n, text[0]), bench_grouped(per_s, text[1]));
    if (limit > 0) {
        (void)buf_printf(out, " %8.2f", per_s / limit);
    }
    (void)buf_puts(out, "\n");
}

static void add_cost(struct buf *out, const char *what, double seconds)
{
    if (seconds >= 0) {
        (void)buf_printf(out, " %s %.3f", what, seconds);
    }
}

static void add_costs(struct buf *out, const char *what, const struct bench_cost *c)
{
    (void)buf_printf(out, "%-50s", what);
    add_cost(out, "gateway", c->gateway);
    add_cost(out, "notify", c->notify);
    add_cost(out, "push", c->push);
    add_cost(out, "PostgreSQL", c->postgres);
    add_cost(out, "broker", c->broker);
    (void)buf_puts(out, "\n");
}

static void add_text(const void *opaque, struct buf *out)
{
    const struct notify_bench *b = opaque;
    const struct callback_pass *p = &b->pushes;
    char n[2][BENCH_NUMBER_MAX];

    (void)buf_printf(out, "Tables with %s devices, notifications and deliveries (filled in %.0f s)\n\n",
                     bench_grouped((double)b->base.rows, n[0]), b->fill_s);
    (void)buf_printf(out, "%-50s %10s %10s %8s\n", "", "number", "per s", "ratio");
    add_rate(out, "limit: libmicrohttpd without a database, calls", b->webhook_limit.good, b->webhook_limit.per_s,
             b->webhook_limit.per_s);
    add_rate(out, "webhook: calls durable and acknowledged", b->webhook.good, b->webhook.per_s, b->webhook_limit.per_s);
    add_rate(out, "one session, sets of 500 in SQL alone, events", b->events, b->sets_per_s, b->memory_per_s);
    add_rate(out, "limit: one session, the role's SQL from memory", b->events, b->memory_per_s, b->memory_per_s);
    add_rate(out, "notify: events to notifications and deliveries", b->drain.events, b->drain.per_s, b->memory_per_s);
    add_rate(out, "limit: bare libcurl, the same receiver, requests", p->limit_n, p->limit_per_s, p->limit_per_s);
    add_rate(out, "push: deliveries to outcomes", p->role_n, p->role_per_s, p->limit_per_s);
    add_rate(out, "sink: outcomes to states", b->drain.deliveries, b->sink_per_s, 0);
    (void)buf_printf(out,
                     "%" PRId64 " connections, %" PRId64 " requests in flight; %" PRId64
                     " of %s deliveries were parked; the provider took %.2f of a "
                     "processor, beside libcurl %.2f\n",
                     b->connections, b->client.in_flight, b->parked, bench_grouped((double)b->drain.deliveries, n[0]),
                     p->role_busy, p->limit_busy);
    (void)buf_printf(out, "\n%-50s %10s %9s %9s %9s\n", "All roles together", "per s", "p50 ms", "p99 ms", "max ms");
    bench_text_quantiles(out, 50, 10, "call due to acknowledged", &b->acknowledged);
    bench_text_quantiles(out, 50, 10, "call due to request at the provider, each device", &b->latency);
    (void)buf_puts(out, "\nProcessor seconds per 1,000\n");
    add_costs(out, "webhook, calls", &b->webhook_cost);
    add_costs(out, "notify, events", &b->drain.cost);
    add_costs(out, "push, deliveries", &p->cost);
    (void)buf_printf(out, "\nPeak memory (VmHWM), MiB: gateway %.1f, notify %.1f, push %.1f, sink %.1f, relay %.1f\n",
                     (double)b->gateway_peak_kib / 1024, (double)b->notify_peak_kib / 1024,
                     (double)b->push_peak_kib / 1024, (double)b->sink_peak_kib / 1024,
                     (double)b->relay_peak_kib / 1024);
    (void)buf_printf(out,
                     "At the provider: %" PRId64 " twice, %" PRId64 " with a wrong signature (every 64th is checked)\n",
                     b->twice, b->forged);
    (void)buf_printf(out, "PostgreSQL: %s\n", b->server);
    bench_text_machine(&b->base, out);
}

/* ---------------------------------------------------------------------------------------------------- JSON */

static void json_costs(struct buf *out, const struct bench_cost *c)
{
    (void)buf_puts(out, "\"cpu_s_per_1000\": {");
    bench_json_number(out, "gateway", c->gateway, ", ");
    bench_json_number(out, "notify", c->notify, ", ");
    bench_json_number(out, "push", c->push, ", ");
    bench_json_number(out, "postgres", c->postgres, ", ");
    bench_json_number(out, "broker", c->broker, "}},\n");
}

static void json_rates(struct buf *out, const char *name, int64_t n, double per_s, double limit)
{
    (void)buf_printf(out, " \"%s\": {\"n\": %" PRId64 ", ", name, n);
    bench_json_number(out, "per_s", per_s, ", ");
    bench_json_number(out, "limit_per_s", limit, ", ");
    bench_json_number(out, "ratio", bench_ratio(per_s, limit), ", ");
}

static void add_json(const void *opaque, struct buf *out)
{
    const struct notify_bench *b = opaque;
    const struct callback_pass *p = &b->pushes;

    (void)buf_printf(out, "{\"bench\": \"notify\", \"rows\": %" PRId64 ", ", b->base.rows);
    bench_json_number(out, "fill_s", b->fill_s, ", ");
    (void)buf_printf(out, "\"connections\": %" PRId64 ", \"in_flight\": %" PRId64 ",\n", b->connections,
                     b->client.in_flight);
    json_rates(out, "webhook", b->webhook.good, b->webhook.per_s, b->webhook_limit.per_s);
    json_costs(out, &b->webhook_cost);
    json_rates(out, "notify", b->drain.events, b->drain.per_s, b->memory_per_s);
    bench_json_number(out, "sets_per_s", b->sets_per_s, ", ");
    (void)buf_printf(out, "\"deliveries\": %" PRId64 ", ", b->drain.deliveries);
    json_costs(out, &b->drain.cost);
    json_rates(out, "push", p->role_n, p->role_per_s, p->limit_per_s);
    bench_json_number(out, "provider_busy", p->role_busy, ", ");
    bench_json_number(out, "limit_provider_busy", p->limit_busy, ", ");
    (void)buf_printf(out, "\"parked\": %" PRId64 ", ", b->parked);
    json_costs(out, &p->cost);
    bench_json_number(out, "sink_per_s", b->sink_per_s, ",\n");
    bench_json_quantiles(out, "call_to_acknowledged", &b->acknowledged, ",\n");
    bench_json_quantiles(out, "call_to_provider", &b->latency, ",\n");
    (void)buf_printf(out,
                     " \"twice\": %" PRId64 ", \"forged\": %" PRId64 ", \"peak_kib\": {\"gateway\": %" PRId64
                     ", \"notify\": %" PRId64 ", \"push\": %" PRId64 ", \"sink\": %" PRId64 ", \"relay\": %" PRId64
                     "},\n",
                     b->twice, b->forged, b->gateway_peak_kib, b->notify_peak_kib, b->push_peak_kib, b->sink_peak_kib,
                     b->relay_peak_kib);
    (void)buf_printf(out, " \"settings\": \"%s\", ", b->server);
    bench_json_machine(&b->base, out);
}

int bench_notify_report(const struct notify_bench *b)
{
    return bench_print(b->base.cli, add_text, add_json, b);
}
