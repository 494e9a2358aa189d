/* SPDX-License-Identifier: Apache-2.0 */
/* What the bench prints: a table for people, or one JSON object. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define OUTPUT_MAX ((size_t)64 << 10)

const char *bench_grouped(double value, char out[BENCH_NUMBER_MAX])
{
    char digits[BENCH_NUMBER_MAX];
    size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRId64, (int64_t)(value + 0.5));
    size_t k = 0;

    for (size_t i = 0; i < n && k + 2 < BENCH_NUMBER_MAX; i++) {
        out[k++] = digits[i];
        if ((n - i - 1) % 3 == 0 && i + 1 < n) {
            out[k++] = ',';
        }
    }
    out[k] = '\0';
    return out;
}

double bench_ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void add_speed(struct buf *out, const char *what, double rows_per_s, double best)
{
    char number[BENCH_NUMBER_MAX];
    (void)buf_printf(out, "%-44s %12s %12.2f\n", what, bench_grouped(rows_per_s, number),
                     bench_ratio(rows_per_s, best));
}

static void add_drain(const struct bench *b, struct buf *out)
{
    char rows[BENCH_NUMBER_MAX];
    (void)buf_printf(out, "Drain of %s rows, payload %" PRId64 " B, %d keys, %d partitions\n\n",
                     bench_grouped((double)b->drain.rows, rows), b->payload, BENCH_KEYS, b->partitions);
    (void)buf_printf(out, "%-44s %12s %12s\n", "", "rows/s", "of the best");
    add_speed(out, "relay", b->drain.rows_per_s, b->limit.best);
    for (size_t i = 0; i < BENCH_RAW_SIZES; i++) {
        char size[BENCH_NUMBER_MAX];
        char what[64];
        (void)snprintf(what, sizeof what, "limit: bare producer, %s per transaction",
                       bench_grouped((double)b->limit.sizes[i], size));
        add_speed(out, what, b->limit.rows_per_s[i], b->limit.best);
    }
}

static void add_cost(struct buf *out, const char *what, double seconds)
{
    if (seconds >= 0) {
        (void)buf_printf(out, "%-44s %12.2f\n", what, seconds);
    }
}

static void add_costs(const struct bench *b, struct buf *out)
{
    (void)buf_puts(out, "\nProcessor seconds per million rows of the drain\n");
    add_cost(out, "relay", b->drain.cost.relay);
    add_cost(out, "PostgreSQL, the relay's sessions", b->drain.cost.postgres);
    add_cost(out, "broker", b->drain.cost.broker);
    (void)buf_printf(out, "\n%-44s %12.1f\n", "Peak memory of the relay (VmHWM), MiB",
                     (double)b->relay_peak_kib / 1024);
}

void bench_text_quantiles(struct buf *out, int name_width, int rate_width, const char *name,
                          const struct bench_quantiles *q)
{
    char rate[BENCH_NUMBER_MAX];
    (void)buf_printf(out, "%-*s %*s %9.2f %9.2f %9.2f\n", name_width, name, rate_width, bench_grouped(q->rate, rate),
                     q->p50_ms, q->p99_ms, q->max_ms);
}

static void add_latency(const struct bench *b, struct buf *out)
{
    char rate[BENCH_NUMBER_MAX];
    (void)buf_printf(out, "\nCommit to visible at %s rows/s for %" PRId64 " s, %d writers, one row a transaction\n\n",
                     bench_grouped((double)b->rate, rate), b->seconds, b->writers);
    (void)buf_printf(out, "%-34s %9s %9s %9s %9s\n", "", "rows/s", "p50 ms", "p99 ms", "max ms");
    bench_text_quantiles(out, 34, 9, "relay", &b->latency);
    bench_text_quantiles(out, 34, 9, "floor: bare producer", &b->floor);
    (void)buf_printf(out, "%-34s %9s %9.2f %9.2f %9.2f\n", "ratio", "", bench_ratio(b->latency.p50_ms, b->floor.p50_ms),
                     bench_ratio(b->latency.p99_ms, b->floor.p99_ms), bench_ratio(b->latency.max_ms, b->floor.max_ms));
}

void bench_text_machine(const struct bench *b, struct buf *out)
{
    const struct bench_machine *m = &b->machine;
    (void)buf_printf(
        out, "\nMachine: %s, %d cores; PostgreSQL %s; Kafka %s; librdkafka %s; sluice " SLUICE_VERSION "\n", m->cpu,
        m->cores, m->postgres, m->kafka[0] == '\0' ? "of unknown version" : m->kafka, rd_kafka_version_str());
}

static void add_text(const void *opaque, struct buf *out)
{
    const struct bench *b = opaque;

    add_drain(b, out);
    add_costs(b, out);
    add_latency(b, out);
    bench_text_machine(b, out);
}

void bench_json_number(struct buf *out, const char *name, double value, const char *end)
{
    if (value < 0) {
        (void)buf_printf(out, "\"%s\": null%s", name, end);
    } else {
        (void)buf_printf(out, "\"%s\": %.3f%s", name, value, end);
    }
}

static void json_text(struct buf *out, const char *name, const char *value, const char *end)
{
    (void)buf_printf(out, "\"%s\": ", name);
    (void)buf_json_string(out, value, strlen(value));
    (void)buf_puts(out, end);
}

void bench_json_quantiles(struct buf *out, const char *name, const struct bench_quantiles *q, const char *end)
{
    (void)buf_printf(out, " \"%s\": {\"records\": %" PRId64 ", ", name, q->n);
    bench_json_number(out, "rows_per_s", q->rate, ", ");
    bench_json_number(out, "p50_ms", q->p50_ms, ", ");
    bench_json_number(out, "p99_ms", q->p99_ms, ", ");
    bench_json_number(out, "max_ms", q->max_ms, "}");
    (void)buf_puts(out, end);
}

static void json_limit(const struct bench *b, struct buf *out)
{
    (void)buf_puts(out, " \"limit\": {\"transactions\": [");
    for (size_t i = 0; i < BENCH_RAW_SIZES; i++) {
        (void)buf_printf(out, "%s{\"records\": %" PRId64 ", ", i == 0 ? "" : ", ", b->limit.sizes[i]);
        bench_json_number(out, "rows_per_s", b->limit.rows_per_s[i], "}");
    }
    (void)buf_puts(out, "], ");
    bench_json_number(out, "best_rows_per_s", b->limit.best, ", ");
    (void)buf_printf(out, "\"best_records\": %" PRId64 "},\n", b->limit.best_size);
}

void bench_json_machine(const struct bench *b, struct buf *out)
{
    const struct bench_machine *m = &b->machine;

    json_text(out, "cpu", m->cpu, ", ");
    (void)buf_printf(out, "\"cores\": %d, ", m->cores);
    json_text(out, "postgres", m->postgres, ", ");
    json_text(out, "kafka", m->kafka, ", ");
    json_text(out, "librdkafka", rd_kafka_version_str(), ", ");
    json_text(out, "sluice", SLUICE_VERSION, "}\n");
}

static void add_json(const void *opaque, struct buf *out)
{
    const struct bench *b = opaque;

    (void)buf_printf(out, "{\"bench\": \"relay\", \"payload_bytes\": %" PRId64 ", \"keys\": %d, \"partitions\": %d,\n",
                     b->payload, BENCH_KEYS, b->partitions);
    (void)buf_printf(out, " \"drain\": {\"rows\": %" PRId64 ", ", b->drain.rows);
    bench_json_number(out, "seconds", b->drain.seconds, ", ");
    bench_json_number(out, "rows_per_s", b->drain.rows_per_s, ", ");
    bench_json_number(out, "relay_cpu_s_per_million", b->drain.cost.relay, ", ");
    bench_json_number(out, "postgres_cpu_s_per_million", b->drain.cost.postgres, ", ");
    bench_json_number(out, "broker_cpu_s_per_million", b->drain.cost.broker, "},\n");
    json_limit(b, out);
    bench_json_number(out, "drain_ratio", bench_ratio(b->drain.rows_per_s, b->limit.best), ",\n");
    (void)buf_printf(out, " \"relay_peak_kib\": %" PRId64 ", \"writers\": %d,\n", b->relay_peak_kib, b->writers);
    bench_json_quantiles(out, "commit_to_visible", &b->latency, ",\n");
    bench_json_quantiles(out, "floor", &b->floor, ",\n");
    bench_json_number(out, "p50_ratio", bench_ratio(b->latency.p50_ms, b->floor.p50_ms), ", ");
    bench_json_number(out, "p99_ratio", bench_ratio(b->latency.p99_ms, b->floor.p99_ms), ",\n");
    bench_json_machine(b, out);
}

int bench_print(const struct cli *cli, bench_print_fn text, bench_print_fn json, const void *of)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_MAX);
    (cli->json ? json : text)(of, &out);
    return cli_print(&out);
}

int bench_report(const struct bench *b)
{
    return bench_print(b->cli, add_text, add_json, b);
}
