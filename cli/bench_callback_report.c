/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice bench callback` prints: a table for people, or one JSON object. */
#include <inttypes.h>
#include <stdio.h>

#include "bench_callback.h"

static void add_pass(const struct callback_pass *p, struct buf *out)
{
    char limit[BENCH_NUMBER_MAX];
    char role[BENCH_NUMBER_MAX];
    char name[BENCH_NUMBER_MAX];
    char what[64];

    (void)snprintf(what, sizeof what, "%s endpoint%s", bench_grouped(p->endpoints, name), p->endpoints == 1 ? "" : "s");
    (void)buf_printf(out, "%-20s %14s %14s %10.2f %12.2f %12.2f\n", what, bench_grouped(p->limit_per_s, limit),
                     bench_grouped(p->role_per_s, role), bench_ratio(p->role_per_s, p->limit_per_s), p->limit_busy,
                     p->role_busy);
}

static void add_number(struct buf *out, double value)
{
    if (value < 0) {
        (void)buf_printf(out, " %9s", "-");
    } else {
        (void)buf_printf(out, " %9.3f", value);
    }
}

static void add_cost(struct buf *out, const char *what, const struct bench_cost *c)
{
    (void)buf_printf(out, "%-30s", what);
    add_number(out, c->relay);
    add_number(out, c->callback);
    add_number(out, c->sink);
    add_number(out, c->postgres);
    add_number(out, c->broker);
    (void)buf_puts(out, "\n");
}

static void add_costs(const struct callback_bench *b, struct buf *out)
{
    (void)buf_printf(out, "\n%-30s %9s %9s %9s %9s %9s\n", "Processor seconds per 1,000", "relay", "callback", "sink",
                     "database", "broker");
    (void)buf_printf(out, "%-30s %9s %9.3f\n", "limit, 1 endpoint", "", b->one.limit_cpu_s);
    (void)buf_printf(out, "%-30s %9s %9.3f\n", "limit, all endpoints", "", b->many.limit_cpu_s);
    add_cost(out, "role alone, 1 endpoint", &b->one.cost);
    add_cost(out, "role alone, all endpoints", &b->many.cost);
    add_cost(out, "end to end", &b->road_cost);
    (void)buf_printf(out, "\n%-30s %9.1f %9.1f %9.1f\n", "Peak memory (VmHWM), MiB", (double)b->relay_peak_kib / 1024,
                     (double)b->callback_peak_kib / 1024, (double)b->sink_peak_kib / 1024);
}

static void add_latency(const struct callback_bench *b, struct buf *out)
{
    char what[64];

    (void)buf_printf(out, "\nFrom commit to request, %d writers, one row a transaction, for %" PRId64 " s\n\n",
                     b->base.writers, b->base.seconds);
    (void)buf_printf(out, "%-40s %9s %9s %9s %9s\n", "", "rows/s", "p50 ms", "p99 ms", "max ms");
    (void)snprintf(what, sizeof what, "%" PRId64 " healthy endpoints", b->endpoints - 1);
    bench_text_quantiles(out, 40, 9, what, &b->alone);
    (void)snprintf(what, sizeof what, "the same, as much to one that hangs");
    bench_text_quantiles(out, 40, 9, what, &b->beside);
    (void)buf_printf(out, "requests that the hanging one got: %" PRId64 "\n", b->hung);
}

static void add_text(const void *opaque, struct buf *out)
{
    const struct callback_bench *b = opaque;
    char n[2][BENCH_NUMBER_MAX];

    (void)buf_printf(out, "Signed requests of %" PRId64 " B, %" PRId64 " in flight, %s preloaded events each\n\n",
                     b->base.payload, b->in_flight, bench_grouped((double)b->base.rows, n[0]));
    (void)buf_printf(out, "%-20s %14s %14s %10s %12s %12s\n", "", "libcurl/s", "role alone/s", "ratio", "receiver 1",
                     "receiver 2");
    add_pass(&b->one, out);
    add_pass(&b->many, out);
    (void)buf_puts(out, "receiver 1, 2: processor seconds a second that the receiver took; near 1 it is the limit\n\n");
    (void)buf_printf(out,
                     "end to end: %s deliveries/s (%s rows; relay, callback and sink at once, to the row's status)\n",
                     bench_grouped(b->road_per_s, n[0]), bench_grouped((double)b->road_n, n[1]));
    (void)buf_printf(out, "sink alone: %s outcomes/s\n", bench_grouped(b->sink_per_s, n[0]));
    add_costs(b, out);
    add_latency(b, out);
    (void)buf_printf(out, "\nids received twice: %" PRId64 "; wrong signatures among those checked: %" PRId64 "\n",
                     b->twice, b->forged);
    bench_text_machine(&b->base, out);
}

static void json_cost(struct buf *out, const struct bench_cost *c, const char *end)
{
    (void)buf_puts(out, "\"cpu_s_per_1000\": {");
    bench_json_number(out, "relay", c->relay, ", ");
    bench_json_number(out, "callback", c->callback, ", ");
    bench_json_number(out, "sink", c->sink, ", ");
    bench_json_number(out, "postgres", c->postgres, ", ");
    bench_json_number(out, "broker", c->broker, "}");
    (void)buf_puts(out, end);
}

static void json_pass(struct buf *out, const char *name, const struct callback_pass *p)
{
    (void)buf_printf(out, " \"%s\": {\"endpoints\": %d, \"limit\": {\"requests\": %" PRId64 ", ", name, p->endpoints,
                     p->limit_n);
    bench_json_number(out, "per_s", p->limit_per_s, ", ");
    bench_json_number(out, "cpu_s_per_1000", p->limit_cpu_s, ", ");
    bench_json_number(out, "receiver_busy", p->limit_busy, "}, ");
    (void)buf_printf(out, "\"role\": {\"events\": %" PRId64 ", ", p->role_n);
    bench_json_number(out, "per_s", p->role_per_s, ", ");
    json_cost(out, &p->cost, ", ");
    bench_json_number(out, "receiver_busy", p->role_busy, "}, ");
    bench_json_number(out, "ratio", bench_ratio(p->role_per_s, p->limit_per_s), "},\n");
}

static void add_json(const void *opaque, struct buf *out)
{
    const struct callback_bench *b = opaque;

    (void)buf_printf(out, "{\"bench\": \"callback\", \"payload_bytes\": %" PRId64 ", \"in_flight\": %" PRId64 ",\n",
                     b->base.payload, b->in_flight);
    json_pass(out, "one_endpoint", &b->one);
    json_pass(out, "many_endpoints", &b->many);
    bench_json_number(out, "sink_outcomes_per_s", b->sink_per_s, ",\n");
    (void)buf_printf(out, " \"end_to_end\": {\"rows\": %" PRId64 ", ", b->road_n);
    bench_json_number(out, "per_s", b->road_per_s, ", ");
    json_cost(out, &b->road_cost, "},\n");
    bench_json_quantiles(out, "commit_to_request", &b->alone, ",\n");
    bench_json_quantiles(out, "commit_to_request_beside_hanging", &b->beside, ",\n");
    (void)buf_printf(out, " \"requests_to_hanging\": %" PRId64 ", \"writers\": %d,\n", b->hung, b->base.writers);
    (void)buf_printf(out,
                     " \"peak_kib\": {\"relay\": %" PRId64 ", \"callback\": %" PRId64 ", \"sink\": %" PRId64 "},\n",
                     b->relay_peak_kib, b->callback_peak_kib, b->sink_peak_kib);
    (void)buf_printf(out, " \"ids_twice\": %" PRId64 ", \"signatures_wrong\": %" PRId64 ",\n", b->twice, b->forged);
    bench_json_machine(&b->base, out);
}

int bench_callback_report(const struct callback_bench *b)
{
    return bench_print(b->base.cli, add_text, add_json, b);
}
