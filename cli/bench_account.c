/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench account`, step by step: accounts, limits, one instance, a hot account, several instances, latency. */
#include "bench_account.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "commands.h"
#include "kafka/conf.h"
#include "schemas/avro_set.h"

#define STATEMENT_TIMEOUT_MS 300000
#define SEVERAL 3

static enum rc read_flags(struct account_bench *b, struct err *err)
{
    TRY(cli_flag_int(b->base.cli, "transfers", 1000, 10000000, &b->base.rows, err));
    TRY(cli_flag_int(b->base.cli, "accounts", 1000, 10000000, &b->accounts, err));
    TRY(cli_flag_int(b->base.cli, "seconds", 1, 3600, &b->base.seconds, err));
    return cli_flag_int(b->base.cli, "http-rate", 1, 10000, &b->http_rate, err);
}

static enum rc prepare(struct account_bench *b, struct err *err)
{
    b->random = clock_random() | 1;
    b->commands = kafka_topic_name(b->base.cli->cfg, "account.commands");
    b->flows = kafka_topic_name(b->base.cli->cfg, "account.flows");
    TRY(schemas_avro_set(&b->set, err));
    TRY(avro_encoder_create(b->set, "account_command", &b->enc, err));
    TRY(bench_db(&b->base, STATEMENT_TIMEOUT_MS, &b->base.conn, err));
    TRY(bench_account_refuse(b, err));
    bench_machine_look(&b->base);
    return RC_OK;
}

static enum rc measure_steps(struct account_bench *b, struct err *err)
{
    TRY(bench_account_fill(b, err));
    TRY(bench_account_limit(b, err));
    TRY(bench_account_clean(b, err));
    TRY(bench_account_drain(b, 1, false, &b->one, err));
    TRY(bench_account_drain(b, 1, true, &b->hot, err));
    TRY(bench_account_drain(b, SEVERAL, false, &b->three, err));
    TRY(bench_account_latency(b, err));
    return bench_account_http(b, err);
}

static enum rc measure(struct account_bench *b, struct err *err)
{
    struct err clean_err = {0};
    enum rc rc = measure_steps(b, err);

    bench_account_stop(b);
    bench_progress(&b->base, "", 0, 0);
    if (bench_account_clean(b, &clean_err) != RC_OK) {
        cli_note(b->base.cli, "bench: schema " BENCH_LEDGER_SCHEMA " could not be removed: %s", clean_err.text);
    }
    return rc;
}

int cmd_bench_account(const struct cli *cli)
{
    struct account_bench b = {
        .base = {.cli = cli, .rows = 200000, .seconds = 8}, .accounts = 1000000, .http_rate = 500};
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
    int code = rc == RC_OK ? bench_account_report(&b) : cli_fail("bench", &err);
    pg_close(b.base.conn);
    avro_encoder_free(b.enc);
    avro_set_free(b.set);
    free(b.commands);
    free(b.flows);
    return rc != RC_OK && bench_interrupted() ? EXIT_INTERRUPTED : code;
}
