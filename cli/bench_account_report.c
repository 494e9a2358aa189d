/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice bench account` prints: a table for people, or one JSON object. */
#include <inttypes.h>
#include <stdio.h>

#include "bench_account.h"

static void add_limit(struct buf *out, const char *what, double per_s)
{
    char n[BENCH_NUMBER_MAX];
    (void)buf_printf(out, "%-44s %12s\n", what, bench_grouped(per_s, n));
}

static void add_pass(const struct account_pass *p, const char *what, double limit, struct buf *out)
{
    char n[2][BENCH_NUMBER_MAX];
    (void)buf_printf(out, "%-30s %12s %12s %8.2f   %6.3f %6.3f %6.3f %6.3f\n", what,
                     bench_grouped(p->booked_per_s, n[0]), bench_grouped(p->published_per_s, n[1]),
                     bench_ratio(p->published_per_s, limit), p->cost.account, p->cost.relay, p->cost.postgres,
                     p->cost.broker);
}

static void add_text(const void *opaque, struct buf *out)
{
    const struct account_bench *b = opaque;
    char n[2][BENCH_NUMBER_MAX];

    (void)buf_printf(out, "%s transfers each between %s accounts with a limit\n\n",
                     bench_grouped((double)b->base.rows, n[0]), bench_grouped((double)b->accounts, n[1]));
    (void)buf_printf(out, "%-44s %12s\n", "PostgreSQL alone, the same rows", "transfers/s");
    add_limit(out, "  sets of 2,000 in SQL", b->set_per_s);
    add_limit(out, "  the same, all to one account", b->set_hot_per_s);
    add_limit(out, "  one transaction each, FOR UPDATE, 1 session", b->single_per_s);
    add_limit(out, "  one transaction each, FOR UPDATE, 8 sessions", b->sessions_per_s);
    (void)buf_printf(out, "\n%-30s %12s %12s %8s   %s\n", "commands in topic -> account.flows", "booked/s", "visible/s",
                     "ratio", "CPU-s per 1,000: account, relay, database, broker");
    add_pass(&b->one, "1 instance", b->set_per_s, out);
    add_pass(&b->hot, "1 instance, one hot account", b->set_per_s, out);
    add_pass(&b->three, "3 instances", b->set_per_s, out);
    (void)buf_printf(out, "ratio: visible/s to sets in SQL; hot to not hot %.2f\n",
                     bench_ratio(b->hot.published_per_s, b->one.published_per_s));
    (void)buf_printf(out, "\n%-44s %12s %9s %9s %9s\n", "", "transfers/s", "p50 ms", "p99 ms", "max ms");
    bench_text_quantiles(out, 44, 12, "command sent to flow visible, half the rate", &b->latency);
    bench_text_quantiles(out, 44, 12, "POST /v1/transfers, Prefer: wait, to result", &b->http);
    (void)buf_printf(out, "requests without a result in time: %" PRId64 "\n", b->http_failed);
    (void)buf_printf(out, "\nPeak memory (VmHWM), MiB: account %.1f, relay %.1f, gateway %.1f\n",
                     (double)b->account_peak_kib / 1024, (double)b->relay_peak_kib / 1024,
                     (double)b->gateway_peak_kib / 1024);
    bench_text_machine(&b->base, out);
}

static void json_pass(struct buf *out, const char *name, const struct account_pass *p, double limit)
{
    (void)buf_printf(out, " \"%s\": {\"instances\": %d, \"transfers\": %" PRId64 ", ", name, p->instances, p->n);
    bench_json_number(out, "booked_per_s", p->booked_per_s, ", ");
    bench_json_number(out, "visible_per_s", p->published_per_s, ", ");
    bench_json_number(out, "ratio", bench_ratio(p->published_per_s, limit), ", \"cpu_s_per_1000\": {");
    bench_json_number(out, "account", p->cost.account, ", ");
    bench_json_number(out, "relay", p->cost.relay, ", ");
    bench_json_number(out, "postgres", p->cost.postgres, ", ");
    bench_json_number(out, "broker", p->cost.broker, "}},\n");
}

static void add_json(const void *opaque, struct buf *out)
{
    const struct account_bench *b = opaque;

    (void)buf_printf(out, "{\"bench\": \"account\", \"accounts\": %" PRId64 ", \"limit\": {", b->accounts);
    bench_json_number(out, "sets_per_s", b->set_per_s, ", ");
    bench_json_number(out, "sets_hot_per_s", b->set_hot_per_s, ", ");
    bench_json_number(out, "for_update_1_per_s", b->single_per_s, ", ");
    bench_json_number(out, "for_update_8_per_s", b->sessions_per_s, "},\n");
    json_pass(out, "one", &b->one, b->set_per_s);
    json_pass(out, "hot", &b->hot, b->set_per_s);
    json_pass(out, "three", &b->three, b->set_per_s);
    bench_json_quantiles(out, "command_to_flow", &b->latency, ",\n");
    bench_json_quantiles(out, "http_to_result", &b->http, ",\n");
    (void)buf_printf(out,
                     " \"http_failed\": %" PRId64 ", \"peak_kib\": {\"account\": %" PRId64 ", \"relay\": %" PRId64
                     ", \"gateway\": %" PRId64 "},\n",
                     b->http_failed, b->account_peak_kib, b->relay_peak_kib, b->gateway_peak_kib);
    bench_json_machine(&b->base, out);
}

int bench_account_report(const struct account_bench *b)
{
    return bench_print(b->base.cli, add_text, add_json, b);
}
