/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench notify`, step by step: tables, calls, limit and role of notify, limit and role of push, the whole road.
 */
#include "bench_notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "commands.h"
#include "file.h"
#include "runtime/process.h"

#define STATEMENT_TIMEOUT_MS 600000
#define PROVIDERS_BYTES_MAX ((size_t)4 << 10)
#define SECRET_ENV "BENCH_PUSH_SECRET"

/* ---------------------------------------------------------------------------------------------------- the roles */

enum rc bench_notify_start_gateway(struct notify_bench *b, struct err *err)
{
    char other[BENCH_ADDRESS_MAX];
    const struct bench_setting settings[] = {{"SLUICE_EXPRESS_LISTEN", b->address},
                                             {"SLUICE_GATEWAY_LISTEN", other},
                                             {"SLUICE_DEVICE_LISTEN", "off"},
                                             {"SLUICE_GATEWAY_RAW_KEYS_FILE", b->keys.raw_keys}};

    TRY(bench_free_address(b->address, err));
    TRY(bench_free_address(other, err));
    return bench_role_start(&b->base, "gateway", settings, ARRAY_SIZE(settings), &b->gateway, err);
}

enum rc bench_notify_start_push(struct notify_bench *b, struct err *err)
{
    char in_flight[BENCH_NUMBER_MAX];
    const struct bench_setting settings[] = {{SECRET_ENV, b->client.secret},
                                             {"SLUICE_PUSH_PROVIDERS_FILE", b->providers},
                                             {"SLUICE_PUSH_STREAMS_MAX", in_flight},
                                             {"SLUICE_PUSH_ALLOW_HTTP", "true"},
                                             {"SLUICE_PUSH_ALLOW_NETS", "127.0.0.0/8"}};

    (void)snprintf(in_flight, sizeof in_flight, "%" PRId64, b->client.in_flight);
    return bench_role_start(&b->base, "push", settings, ARRAY_SIZE(settings), &b->push, err);
}

void bench_notify_stop(struct notify_bench *b)
{
    bench_child_stop(&b->gateway, &b->gateway_peak_kib);
    bench_child_stop(&b->relay, &b->relay_peak_kib);
    bench_child_stop(&b->notify, &b->notify_peak_kib);
    bench_child_stop(&b->push, &b->push_peak_kib);
    bench_child_stop(&b->sink, &b->sink_peak_kib);
}

struct bench_cost bench_notify_costs(const struct notify_bench *b)
{
    struct bench_cost now = bench_cost_now(&b->base, "sluice %");
    now.gateway = bench_child_cpu(&b->gateway);
    now.relay = bench_child_cpu(&b->relay);
    now.notify = bench_child_cpu(&b->notify);
    now.push = bench_child_cpu(&b->push);
    now.sink = bench_child_cpu(&b->sink);
    return now;
}

/* ---------------------------------------------------------------------------------------------------- the run */

static enum rc read_flags(struct notify_bench *b, struct err *err)
{
    const struct cli *cli = b->base.cli;

    TRY(cli_flag_int(cli, "rows", 1000, 10000000, &b->base.rows, err));
    TRY(cli_flag_int(cli, "calls", 1000, 1000000, &b->calls, err));
    TRY(cli_flag_int(cli, "events", 1000, 1000000, &b->events, err));
    TRY(cli_flag_int(cli, "connections", 1, BENCH_CONNECTIONS_MAX, &b->connections, err));
    TRY(cli_flag_int(cli, "in-flight", 1, 1000, &b->client.in_flight, err));
    TRY(cli_flag_int(cli, "seconds", 1, 3600, &b->base.seconds, err));
    TRY(cli_flag_int(cli, "rate", 1, 10000, &b->base.rate, err));
    b->base.rows -= b->base.rows % 4; /* of which users, second devices and merchants are parts */
    return RC_OK;
}

static enum rc write_providers(struct notify_bench *b, struct err *err)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, PROVIDERS_BYTES_MAX);
    (void)buf_printf(&text,
                     "{\"providers\": {\"bench\": {\"kind\": \"webhook\", \"url\": \"http://127.0.0.1:%d/push\",\n"
                     "  \"secret_env\": \"" SECRET_ENV "\"}}, \"default\": \"bench\"}\n",
                     partner_port(b->client.partner, 0));
    b->providers = xasprintf("%s/providers.json", b->keys.directory);
    return file_write_new(b->providers, &text, err);
}

static enum rc prepare(struct notify_bench *b, struct err *err)
{
    process_raise_descriptors(); /* a connection is one, or two where it is ours at both ends */
    b->run = (uint32_t)clock_random();
    TRY(bench_db(&b->base, STATEMENT_TIMEOUT_MS, &b->base.conn, err));
    TRY(bench_notify_refuse(b, err));
    bench_machine_look(&b->base);
    b->client.base = b->base;
    TRY(bench_callback_secret(&b->client, err));
    TRY(partner_start(1, b->client.keys, &b->client.partner, err));
    TRY(bench_gateway_keys(&b->keys, err));
    return write_providers(b, err);
}

static enum rc measure_steps(struct notify_bench *b, struct err *err)
{
    TRY(bench_notify_fill(b, err));
    TRY(bench_notify_webhook(b, err));
    TRY(bench_notify_limit(b, err));
    TRY(bench_notify_drain(b, err));
    TRY(bench_notify_push(b, err));
    TRY(bench_notify_sink(b, err));
    return bench_notify_road(b, err);
}

/* What was made is removed, also after a failure: rows, keys. The records stay. */
static enum rc measure(struct notify_bench *b, struct err *err)
{
    struct err clean_err = {0};
    enum rc rc = measure_steps(b, err);

    bench_notify_stop(b);
    struct partner_counts got = partner_look(b->client.partner);
    b->twice = got.twice;
    b->forged = got.forged;
    if (bench_notify_clean(b, &clean_err) != RC_OK) {
        cli_note(b->base.cli, "bench: not everything could be removed: %s", clean_err.text);
    }
    bench_progress(&b->base, "", 0, 0);
    return rc;
}

int cmd_bench_notify(const struct cli *cli)
{
    struct notify_bench b = {.base = {.cli = cli, .rows = 1000000, .seconds = 8, .rate = 500},
                             .calls = 40000,
                             .connections = 64,
                             .events = 100000,
                             .limit_seconds = 5,
                             .client = {.in_flight = 100}};
    struct err err = {0};

    if (read_flags(&b, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE || cli_require(cli, "kafka.brokers") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    bench_catch_signals();
    enum rc rc = prepare(&b, &err);
    if (rc == RC_OK) {
        rc = measure(&b, &err);
    }
    int code = rc == RC_OK ? bench_notify_report(&b) : cli_fail("bench", &err);
    b.client.partner = partner_stop(b.client.partner);
    b.client.keys = webhook_keys_free(b.client.keys);
    bench_gateway_keys_done(&b.keys);
    pg_close(b.base.conn);
    free(b.client.secret);
    free(b.providers);
    return rc != RC_OK && bench_interrupted() ? EXIT_INTERRUPTED : code;
}
