/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench gateway`, step by step: keys, calls, limit, role, latency, verdicts, connections, report. */
#include "bench_gateway.h"

#include "base/clock.h"
#include "commands.h"
#include "runtime/process.h"

#define STATEMENT_TIMEOUT_MS 300000

static enum rc read_flags(struct gateway_bench *b, struct err *err)
{
    TRY(cli_flag_int(b->base.cli, "calls", 1000, 1000000, &b->base.rows, err));
    TRY(cli_flag_int(b->base.cli, "connections", 1, BENCH_CONNECTIONS_MAX, &b->connections, err));
    TRY(cli_flag_int(b->base.cli, "idle", 0, 60000, &b->idle, err));
    return cli_flag_int(b->base.cli, "seconds", 1, 3600, &b->base.seconds, err);
}

static enum rc prepare(struct gateway_bench *b, struct err *err)
{
    process_raise_descriptors(); /* a connection is one */
    b->run = (uint32_t)clock_random();
    TRY(bench_db(&b->base, STATEMENT_TIMEOUT_MS, &b->base.conn, err));
    TRY(bench_gateway_refuse(b, err));
    bench_machine_look(&b->base);
    return bench_gateway_keys(&b->keys, err);
}

static enum rc measure_with(struct gateway_bench *b, struct gateway_calls *calls, struct err *err)
{
    TRY(bench_gateway_orders(b, 0, b->base.rows, err));
    TRY(bench_gateway_sign(b, 0, b->base.rows, calls, err));
    b->signed_per_s = (double)calls->n / calls->seconds;
    TRY(bench_gateway_verdicts(b, err));
    TRY(bench_gateway_limit(b, calls, err));
    TRY(bench_gateway_start(b, NULL, 0, err));
    TRY(bench_gateway_throughput(b, calls, err));
    TRY(bench_gateway_latency(b, err));
    bench_child_stop(&b->gateway, &b->peak_kib);
    return bench_gateway_idle(b, err);
}

/* What was made is removed, also after a failure: rows, keys. */
static enum rc measure(struct gateway_bench *b, struct err *err)
{
    struct gateway_calls calls = {.n = 0};
    struct err clean_err = {0};

    enum rc rc = measure_with(b, &calls, err);
    bench_child_stop(&b->gateway, &b->peak_kib);
    bench_gateway_calls_done(&calls);
    bench_progress(&b->base, "", 0, 0);
    if (bench_gateway_clean(b, &clean_err) != RC_OK) {
        cli_note(b->base.cli, "bench: not everything could be removed: %s", clean_err.text);
    }
    return rc;
}

int cmd_bench_gateway(const struct cli *cli)
{
    struct gateway_bench b = {
        .base = {.cli = cli, .rows = 40000, .seconds = 8}, .connections = 64, .idle = 10000, .limit_seconds = 5};
    struct err err = {0};

    if (read_flags(&b, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    bench_catch_signals();
    enum rc rc = prepare(&b, &err);
    if (rc == RC_OK) {
        rc = measure(&b, &err);
    }
    int code = rc == RC_OK ? bench_gateway_report(&b) : cli_fail("bench", &err);
    bench_gateway_keys_done(&b.keys);
    pg_close(b.base.conn);
    return rc != RC_OK && bench_interrupted() ? EXIT_INTERRUPTED : code;
}
