/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench relay`, step by step: fill, drain, limit, latency, floor, report. */
#include "bench.h"

#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "commands.h"
#include "kafka/conf.h"
#include "schemas/topology.h"

#define STATEMENT_TIMEOUT_MS 120000
#define STALL_MS 30000

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

void bench_catch_signals(void)
{
    const struct sigaction stop = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
}

bool bench_interrupted(void)
{
    return interrupted != 0;
}

enum rc bench_check(int64_t deadline_ms, const char *what, struct err *err)
{
    if (interrupted) {
        FAIL(err, RC_RETRY, "interrupted");
    }
    if (clock_mono_ms() > deadline_ms) {
        FAIL(err, RC_RETRY, "%s: not done in time", what);
    }
    return RC_OK;
}

enum rc bench_moving(struct bench_stall *s, int64_t n, const char *what, struct err *err)
{
    if (n > s->best) {
        *s = (struct bench_stall){.best = n, .moved_ms = clock_mono_ms()};
    }
    return bench_check(s->moved_ms + STALL_MS, what, err);
}

enum rc bench_db(const struct bench *b, int64_t statement_timeout_ms, PGconn **out_conn, struct err *err)
{
    const struct pg_options opt = {.app = "sluice bench",
                                   .schema = config_str(b->cli->cfg, "database.schema"),
                                   .statement_timeout_ms = statement_timeout_ms};
    return pg_open(config_str(b->cli->cfg, "database.url"), &opt, out_conn, err);
}

void bench_progress(struct bench *b, const char *what, int64_t done, int64_t total)
{
    if (total <= 0) {
        progress_end(&b->bar);
        return;
    }
    b->bar.cli = b->cli;
    b->bar.what = what;
    b->bar.at_once = true;
    progress_show(&b->bar, (double)done / (double)total);
}

static enum rc read_flags(struct bench *b, struct err *err)
{
    TRY(cli_flag_int(b->cli, "rows", 100, 50000000, &b->rows, err));
    TRY(cli_flag_int(b->cli, "payload", 64, 500000, &b->payload, err));
    TRY(cli_flag_int(b->cli, "seconds", 1, 3600, &b->seconds, err));
    return cli_flag_int(b->cli, "rate", 1, 100000, &b->rate, err);
}

static enum rc prepare(struct bench *b, int64_t *from, struct err *err)
{
    TRY(bench_db(b, STATEMENT_TIMEOUT_MS, &b->conn, err));
    TRY(bench_refuse(b, err));
    b->topic = kafka_topic_name(b->cli->cfg, BENCH_TOPIC);
    b->raw_topic = kafka_topic_name(b->cli->cfg, BENCH_RAW_TOPIC);
    TRY(bench_ends(b, b->topic, from, &b->partitions, err));
    bench_machine_look(b);
    return RC_OK;
}

static enum rc measure_with(struct bench *b, const int64_t *from, struct bench_samples *samples, struct err *err)
{
    int64_t last_seq = 0;
    TRY(bench_fill(b, &last_seq, err));
    TRY(bench_run_drain(b, last_seq, err));
    TRY(bench_take_samples(b, from, samples, err));
    TRY(bench_raw_topic_create(b, err));
    TRY(bench_run_limit(b, samples, err));
    TRY(bench_run_latency(b, err));
    return bench_run_floor(b, samples, err);
}

/* What was made is removed, also after a failure: rows and the raw topic. */
static enum rc measure(struct bench *b, const int64_t *from, struct err *err)
{
    struct bench_samples samples = {.n = 0};
    struct err clean_err = {0};

    enum rc rc = measure_with(b, from, &samples, err);
    bench_samples_done(&samples);
    bench_progress(b, "", 0, 0);
    if (bench_clean(b, &clean_err) != RC_OK || bench_raw_topic_delete(b, &clean_err) != RC_OK) {
        cli_note(b->cli, "bench: not everything could be removed: %s", clean_err.text);
    }
    return rc;
}

int cmd_bench_relay(const struct cli *cli)
{
    struct bench b = {.cli = cli, .rows = 300000, .payload = 256, .seconds = 10, .rate = 2000};
    struct err err = {0};
    int64_t from[BENCH_PARTITIONS_MAX] = {0};

    if (read_flags(&b, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE || cli_require(cli, "kafka.brokers") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    bench_catch_signals();
    enum rc rc = prepare(&b, from, &err);
    if (rc == RC_OK) {
        rc = measure(&b, from, &err);
    }
    int code = rc == RC_OK ? bench_report(&b) : cli_fail("bench", &err);
    pg_close(b.conn);
    free(b.topic);
    free(b.raw_topic);
    return rc != RC_OK && interrupted ? EXIT_INTERRUPTED : code;
}
