/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench callback`, step by step: limit and role for one endpoint and for many, sink, all together, report. */
#include "bench_callback.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands.h"
#include "crypto/base64.h"
#include "runtime/process.h"

#define STATEMENT_TIMEOUT_MS 60000
#define SECRET_BYTES 32
#define PREFIX "AI_CS_PLATFORM_SLUICE_BENCH_CALLBACK_" /* of BENCH_PLATFORM */

/* ---------------------------------------------------------------------------------------------------- the roles */

/* A platform may have three quarters of its places at one endpoint (callback/admission.c): for a single one it gets so
 * many more. */
enum rc bench_callback_start(struct callback_bench *b, int endpoints, struct err *err)
{
    char batch[24];
    const struct bench_setting settings[] = {{PREFIX "SECRET", b->secret},
                                             {PREFIX "BATCH_SIZE", batch},
                                             {"SLUICE_CALLBACK_ALLOW_HTTP", "true"},
                                             {"SLUICE_CALLBACK_ALLOW_NETS", "127.0.0.0/8"}};

    (void)snprintf(batch, sizeof batch, "%" PRId64, endpoints == 1 ? (b->in_flight * 4 + 2) / 3 : b->in_flight);
    return bench_role_start(&b->base, "callback", settings, ARRAY_SIZE(settings), &b->callback, err);
}

void bench_callback_stop(struct callback_bench *b)
{
    bench_child_stop(&b->relay, &b->relay_peak_kib);
    bench_child_stop(&b->callback, &b->callback_peak_kib);
    bench_child_stop(&b->sink, &b->sink_peak_kib);
}

struct bench_cost bench_callback_costs(const struct callback_bench *b)
{
    struct bench_cost now = bench_cost_now(&b->base, "sluice %");
    now.relay = bench_child_cpu(&b->relay);
    now.callback = bench_child_cpu(&b->callback);
    now.sink = bench_child_cpu(&b->sink);
    return now;
}

/* ---------------------------------------------------------------------------------------------------- the run */

static enum rc read_flags(struct callback_bench *b, struct err *err)
{
    TRY(cli_flag_int(b->base.cli, "events", 1000, 1000000, &b->base.rows, err));
    TRY(cli_flag_int(b->base.cli, "payload", 64, PARTNER_PAYLOAD_MAX, &b->base.payload, err));
    TRY(cli_flag_int(b->base.cli, "endpoints", 2, PARTNER_ENDPOINTS_MAX, &b->endpoints, err));
    TRY(cli_flag_int(b->base.cli, "in-flight", 1, 1000, &b->in_flight, err));
    TRY(cli_flag_int(b->base.cli, "seconds", 1, 3600, &b->base.seconds, err));
    TRY(cli_flag_int(b->base.cli, "rate", 1, 10000, &b->base.rate, err));
    b->one.endpoints = 1;
    b->many.endpoints = (int)b->endpoints;
    return RC_OK;
}

static char *make_secret(void)
{
    uint64_t bytes[SECRET_BYTES / 8];
    char text[BASE64_LENGTH(SECRET_BYTES) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
        bytes[i] = clock_random();
    }
    base64_encode(bytes, sizeof bytes, text);
    return xasprintf("whsec_%s", text);
}

enum rc bench_callback_secret(struct callback_bench *b, struct err *err)
{
    b->secret = make_secret();
    return webhook_keys_parse(b->secret, &b->keys, err);
}

static enum rc prepare(struct callback_bench *b, struct err *err)
{
    process_raise_descriptors(); /* two a connection: ours is both ends of the bare client's */
    TRY(bench_callback_secret(b, err));
    TRY(bench_db(&b->base, STATEMENT_TIMEOUT_MS, &b->base.conn, err));
    TRY(bench_refuse(&b->base, err));
    TRY(bench_callback_refuse(b, err));
    bench_machine_look(&b->base);
    return partner_start((int)b->endpoints, b->keys, &b->partner, err);
}

static enum rc measure_steps(struct callback_bench *b, struct err *err)
{
    struct callback_pass *const passes[] = {&b->one, &b->many};

    for (size_t i = 0; i < ARRAY_SIZE(passes); i++) {
        TRY(bench_callback_limit(b, passes[i], err));
        TRY(bench_callback_drain(b, passes[i], err));
    }
    TRY(bench_callback_sink(b, err));
    return bench_callback_road(b, err);
}

/* What was made is removed, also after a failure: rows and their attempts. The records stay. */
static enum rc measure(struct callback_bench *b, struct err *err)
{
    struct err clean_err = {0};
    enum rc rc = measure_steps(b, err);

    bench_callback_stop(b);
    struct partner_counts got = partner_look(b->partner);
    b->twice = got.twice;
    b->forged = got.forged;
    b->partner = partner_stop(b->partner);
    bench_progress(&b->base, "", 0, 0);
    if (bench_callback_clean(b, &clean_err) != RC_OK) {
        cli_note(b->base.cli, "bench: not everything could be removed: %s", clean_err.text);
    }
    return rc;
}

int cmd_bench_callback(const struct cli *cli)
{
    struct callback_bench b = {
        .base = {.cli = cli, .rows = 40000, .payload = 512, .seconds = 8, .rate = 500},
        .endpoints = 100,
        .in_flight = 128,
    };
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
    int code = rc == RC_OK ? bench_callback_report(&b) : cli_fail("bench", &err);
    pg_close(b.base.conn);
    b.keys = webhook_keys_free(b.keys);
    free(b.secret);
    return rc != RC_OK && bench_interrupted() ? EXIT_INTERRUPTED : code;
}
