/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice bench gateway` prints: a table for people, or one JSON object. */
#include <inttypes.h>
#include <stdio.h>

#include "bench_gateway.h"

static void add_pass(struct buf *out, const char *what, const struct gateway_pass *p, double limit)
{
    char n[2][BENCH_NUMBER_MAX];

    (void)buf_printf(out, "%-44s %10s %10s %8.2f %8.2f", what, bench_grouped((double)p->good, n[0]),
                     bench_grouped(p->per_s, n[1]), bench_ratio(p->per_s, limit), p->client_busy);
    if (p->server_busy >= 0) {
        (void)buf_printf(out, " %8.2f", p->server_busy);
    }
    (void)buf_puts(out, "\n");
}

static void add_cost(struct buf *out, const char *what, double seconds)
{
    if (seconds >= 0) {
        (void)buf_printf(out, "%-44s %10.1f\n", what, seconds);
    }
}

static void add_held(struct buf *out, const char *what, const struct gateway_held *h)
{
    char n[2][BENCH_NUMBER_MAX];

    (void)buf_printf(out, "%-44s %10s %10s %9.1f %9.1f\n", what, bench_grouped((double)h->held, n[0]),
                     bench_grouped((double)(h->tried - h->held), n[1]), (double)h->rss_kib / 1024,
                     (double)h->peak_kib / 1024);
}

static void add_idle(const struct gateway_bench *b, struct buf *out)
{
    char what[64];
    char n[BENCH_NUMBER_MAX];

    (void)snprintf(what, sizeof what, "%s idle connections", bench_grouped((double)b->idle, n));
    (void)buf_printf(out, "\n%-44s %10s %10s %9s %9s\n", what, "held", "refused", "RSS MiB", "peak MiB");
    add_held(out, "limits as they are", &b->usual.silent);
    add_held(out, "  after one request over each", &b->usual.asked);
    add_held(out, "limits raised", &b->raised.silent);
    add_held(out, "  after one request over each", &b->raised.asked);
}

static void add_text(const void *opaque, struct buf *out)
{
    const struct gateway_bench *b = opaque;
    char n[2][BENCH_NUMBER_MAX];

    (void)buf_printf(out, "%s notifications of WeChat Pay, one order each, %" PRId64 " keep-alive connections\n\n",
                     bench_grouped((double)b->role.sent, n[0]), b->connections);
    (void)buf_printf(out, "%-44s %10s %10s %8s %8s %8s\n", "", "calls", "calls/s", "ratio", "client", "server");
    add_pass(out, "limit: libmicrohttpd, one RSA verify a call", &b->limit, b->limit.per_s);
    add_pass(out, "gateway: verified, stored, acknowledged", &b->role, b->limit.per_s);
    (void)buf_puts(out, "client, server: processor seconds a second; a client near 1 is what was measured\n\n");
    (void)buf_printf(out, "%-44s %10s %9s %9s %9s\n", "", "calls/s", "p50 ms", "p99 ms", "max ms");
    bench_text_quantiles(out, 44, 10, "due to acknowledged, half the rate", &b->latency);
    (void)buf_printf(out, "\n%s rows in payment_callbacks, %s events; PostgreSQL: fsync %s, synchronous_commit %s\n",
                     bench_grouped((double)b->stored, n[0]), bench_grouped((double)b->events, n[1]), b->fsync,
                     b->synchronous_commit);
    (void)buf_puts(out, "\nProcessor seconds per million calls\n");
    add_cost(out, "gateway", b->cost.gateway);
    add_cost(out, "PostgreSQL, the gateway's sessions", b->cost.postgres);
    (void)buf_printf(out, "\n%-44s %10s\n", "One thread", "per second");
    for (size_t i = 0; i < b->n_verdicts; i++) {
        (void)buf_printf(out, "%-44s %10s\n", b->verdicts[i].name, bench_grouped(b->verdicts[i].per_s, n[0]));
    }
    (void)buf_printf(out, "%-44s %10s\n", "signing calls ahead (all processors)", bench_grouped(b->signed_per_s, n[0]));
    (void)buf_printf(out, "\n%-44s %10.1f\n", "Peak memory of the gateway (VmHWM), MiB", (double)b->peak_kib / 1024);
    if (b->idle > 0) {
        add_idle(b, out);
    }
    bench_text_machine(&b->base, out);
}

static void json_held(struct buf *out, const char *name, const struct gateway_held *h)
{
    (void)buf_printf(out,
                     " \"%s\": {\"tried\": %" PRId64 ", \"held\": %" PRId64 ", \"rss_kib\": %" PRId64
                     ", \"peak_kib\": %" PRId64 "},\n",
                     name, h->tried, h->held, h->rss_kib, h->peak_kib);
}

static void json_pass(struct buf *out, const char *name, const struct gateway_pass *p)
{
    (void)buf_printf(out, " \"%s\": {\"calls\": %" PRId64 ", ", name, p->good);
    bench_json_number(out, "per_s", p->per_s, ", ");
    bench_json_number(out, "client_busy", p->client_busy, ", ");
    bench_json_number(out, "server_busy", p->server_busy, "},\n");
}

static void add_json(const void *opaque, struct buf *out)
{
    const struct gateway_bench *b = opaque;

    (void)buf_printf(out, "{\"bench\": \"gateway\", \"connections\": %" PRId64 ",\n", b->connections);
    json_pass(out, "limit", &b->limit);
    json_pass(out, "gateway", &b->role);
    bench_json_number(out, "ratio", bench_ratio(b->role.per_s, b->limit.per_s), ",\n");
    bench_json_quantiles(out, "due_to_acknowledged", &b->latency, ",\n");
    (void)buf_printf(out,
                     " \"stored\": %" PRId64 ", \"events\": %" PRId64
                     ", \"fsync\": \"%s\", \"synchronous_commit\": \"%s\",\n \"cpu_s_per_million\": {",
                     b->stored, b->events, b->fsync, b->synchronous_commit);
    bench_json_number(out, "gateway", b->cost.gateway, ", ");
    bench_json_number(out, "postgres", b->cost.postgres, "},\n \"verdicts_per_s\": {");
    for (size_t i = 0; i < b->n_verdicts; i++) {
        bench_json_number(out, b->verdicts[i].name, b->verdicts[i].per_s, i + 1 < b->n_verdicts ? ", " : "},\n");
    }
    bench_json_number(out, "signed_per_s", b->signed_per_s, ", ");
    (void)buf_printf(out, "\"gateway_peak_kib\": %" PRId64 ",\n", b->peak_kib);
    json_held(out, "idle", &b->usual.silent);
    json_held(out, "idle_asked", &b->usual.asked);
    json_held(out, "idle_limits_raised", &b->raised.silent);
    json_held(out, "idle_limits_raised_asked", &b->raised.asked);
    bench_json_machine(&b->base, out);
}

int bench_gateway_report(const struct gateway_bench *b)
{
    return bench_print(b->base.cli, add_text, add_json, b);
}
