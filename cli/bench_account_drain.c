/* SPDX-License-Identifier: Apache-2.0 */
/* Relay and account roles: how fast commands that lie in the topic become visible flows; and from one command to its
 * flow at half that rate. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench_account.h"

#define POLL_MS 5
#define STALL_MS 30000
#define SETTLE_MS 1000
#define PUBLISHED "sluice_relay_records_published_total{source=\"account-flow\"}"
#define OWNER "sluice_relay_owner{source=\"account-flow\"}"
#define FLOWS_EACH 2
#define LATENCY_RATE_MAX 20000

static void keep_peak(const struct bench_child *c, int64_t *peak_kib)
{
    int64_t peak = c->pid == 0 ? -1 : bench_peak_kib(c->pid);
    *peak_kib = peak > *peak_kib ? peak : *peak_kib;
}

void bench_account_stop(struct account_bench *b)
{
    keep_peak(&b->relay, &b->relay_peak_kib);
    keep_peak(&b->gateway, &b->gateway_peak_kib);
    bench_child_stop(&b->gateway);
    for (size_t i = 0; i < BENCH_INSTANCES_MAX; i++) {
        keep_peak(&b->account[i], &b->account_peak_kib);
        bench_child_stop(&b->account[i]);
    }
    bench_child_stop(&b->relay);
}

static enum rc wait_for_relay(struct account_bench *b, struct err *err)
{
    int64_t deadline = clock_mono_ms() + STALL_MS;
    double owner = 0;

    while (owner <= 0) {
        TRY(bench_child_metric(&b->relay, OWNER, &owner, err));
        TRY(bench_check(deadline, "take-over of account-flow by the relay", err));
        clock_sleep_ms(POLL_MS);
    }
    return RC_OK;
}

enum rc bench_account_start(struct account_bench *b, int instances, struct err *err)
{
    TRY(bench_child_start(&b->base, &b->relay, err));
    TRY(wait_for_relay(b, err));
    for (int i = 0; i < instances; i++) {
        TRY(bench_role_start(&b->base, "account", NULL, 0, &b->account[i], err));
    }
    return RC_OK;
}

static struct account_cost costs(const struct account_bench *b)
{
    char version[sizeof b->base.machine.kafka];
    pid_t broker = bench_broker(b->base.cli->cfg, version, sizeof version);
    double account = 0;

    for (size_t i = 0; i < BENCH_INSTANCES_MAX; i++) {
        account += b->account[i].pid == 0 ? 0 : bench_cpu_seconds(b->account[i].pid);
    }
    return (struct account_cost){.relay = bench_cpu_seconds(b->relay.pid),
                                 .account = account,
                                 .postgres = bench_session_cpu(&b->base, "sluice %"),
                                 .broker = broker > 0 ? bench_cpu_seconds(broker) : -1};
}

static double per_thousand(double before, double after, int64_t n)
{
    return before < 0 || after < 0 ? -1 : (after - before) * 1000 / (double)n;
}

static enum rc booked(struct account_bench *b, int64_t *out_n, struct err *err)
{
    CLEANUP(pg_clearp) PGresult *res = NULL;

    TRY(pg_exec(b->base.conn, "SELECT coalesce(sum(applied), 0) FROM account_journal", &res, err));
    *out_n = pg_int(res, 0, 0, 0);
    return RC_OK;
}

static enum rc all_alive(struct account_bench *b, int instances, struct err *err)
{
    TRY(bench_child_alive(&b->relay, err));
    for (int i = 0; i < instances; i++) {
        TRY(bench_child_alive(&b->account[i], err));
    }
    return RC_OK;
}

/* From the first commit on: joining the group takes as long as it takes. What that one held is not counted. */
static enum rc follow(struct account_bench *b, int64_t before, struct account_pass *p, struct err *err)
{
    int64_t began_us = 0;
    int64_t first = 0;
    int64_t n = 0;
    int64_t moved_ms = clock_mono_ms();
    double published = 0;

    while (published < (double)(FLOWS_EACH * p->n)) {
        int64_t last = n;
        TRY(all_alive(b, p->instances, err));
        if (n < p->n) {
            TRY(booked(b, &n, err));
            n -= before;
        }
        if (began_us == 0 && n > 0) {
            began_us = clock_mono_us();
            first = n;
        }
        if (n == p->n && p->booked_per_s <= 0) {
            p->booked_per_s = (double)(n - first) * 1e6 / (double)(clock_mono_us() - began_us + 1);
        }
        TRY(bench_child_metric(&b->relay, PUBLISHED, &published, err));
        moved_ms = n > last || n == p->n ? clock_mono_ms() : moved_ms;
        TRY(bench_check(moved_ms + STALL_MS, "booking", err));
        bench_progress(&b->base, "booking", (int64_t)published, FLOWS_EACH * p->n);
        clock_sleep_ms(POLL_MS);
    }
    p->published_per_s = (double)(p->n - first) * 1e6 / (double)(clock_mono_us() - began_us + 1);
    return RC_OK;
}

static enum rc work_off(struct account_bench *b, struct account_pass *p, struct err *err)
{
    int64_t before = 0;

    TRY(booked(b, &before, err));
    TRY(bench_account_start(b, p->instances, err));
    struct account_cost from = costs(b);
    TRY(follow(b, before, p, err));
    struct account_cost to = costs(b);
    p->cost = (struct account_cost){.relay = per_thousand(from.relay, to.relay, p->n),
                                    .account = per_thousand(from.account, to.account, p->n),
                                    .postgres = per_thousand(from.postgres, to.postgres, p->n),
                                    .broker = per_thousand(from.broker, to.broker, p->n)};
    return RC_OK;
}

enum rc bench_account_drain(struct account_bench *b, int instances, bool hot, struct account_pass *out, struct err *err)
{
    struct bench_stamps s = {.n = b->base.rows, .run = (uint32_t)clock_random()};

    *out = (struct account_pass){.instances = instances, .n = s.n};
    enum rc rc = bench_account_produce(b, &s, hot, err);
    rc = rc == RC_OK ? work_off(b, out, err) : rc;
    bench_account_stop(b);
    return rc;
}

/* ---------------------------------------------------------------------------------------------------- latency */

struct flow_watcher {
    struct bench_reader reader;
    struct bench_stamps *stamps;
    struct avro_input *in;
    int event_id;
    atomic_bool stop;
    enum rc rc;
    struct err err;
};

static void stamp(const rd_kafka_message_t *msg, void *opaque)
{
    struct flow_watcher *w = opaque;
    struct err ignored;
    size_t n = 0;

    if (avro_input_read(w->in, msg->payload, msg->len, &ignored) != RC_OK) {
        return;
    }
    const char *id = avro_input_string(w->in, w->event_id, &n);
    int64_t i = bench_id_number(w->stamps, id, n);
    if (i >= 0 && w->stamps->seen[i] == 0) {
        w->stamps->seen[i] = clock_mono_us();
        (void)atomic_fetch_add(&w->stamps->n_seen, 1);
    }
}

static void *watch(void *arg)
{
    struct flow_watcher *w = arg;
    while (w->rc == RC_OK && !atomic_load(&w->stop)) {
        w->rc = bench_reader_poll(&w->reader, 50, stamp, w, &w->err);
    }
    return NULL;
}

static enum rc produce_watched(struct account_bench *b, struct flow_watcher *w, struct err *err)
{
    pthread_t thread;
    int no = pthread_create(&thread, NULL, watch, w);

    if (no != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(no));
    }
    clock_sleep_ms(SETTLE_MS);
    enum rc rc = bench_account_produce_at_rate(b, w->stamps, err);
    rc = rc == RC_OK ? bench_wait_for_last(w->stamps, err) : rc;
    atomic_store(&w->stop, true);
    (void)pthread_join(thread, NULL);
    if (rc == RC_OK && w->rc != RC_OK) {
        *err = w->err;
        rc = w->rc;
    }
    return rc;
}

static enum rc measure(struct account_bench *b, struct bench_stamps *s, struct err *err)
{
    int64_t ends[BENCH_PARTITIONS_MAX] = {0};
    int n = 0;
    struct flow_watcher w = {.stamps = s, .rc = RC_OK};

    TRY(bench_account_start(b, 1, err));
    TRY(avro_input_create(b->set, "account_flow", &w.in, err));
    w.event_id = avro_input_index(w.in, "event_id");
    enum rc rc = bench_ends(&b->base, b->flows, ends, &n, err);
    rc = rc == RC_OK ? bench_reader_open(&b->base, b->flows, ends, n, &w.reader, err) : rc;
    rc = rc == RC_OK ? produce_watched(b, &w, err) : rc;
    if (w.reader.rk != NULL) {
        bench_reader_close(&w.reader);
    }
    avro_input_free(w.in);
    return rc;
}

enum rc bench_account_latency(struct account_bench *b, struct err *err)
{
    int64_t rate = (int64_t)(b->one.published_per_s / 2);
    struct bench_stamps s = {.rate = rate < 1 ? 1 : rate > LATENCY_RATE_MAX ? LATENCY_RATE_MAX : rate};

    s.skip = s.rate;
    bench_stamps_init(&s, s.rate * (b->base.seconds + 1));
    enum rc rc = measure(b, &s, err);
    bench_account_stop(b);
    if (rc == RC_OK) {
        bench_evaluate(&s, &b->latency);
    }
    bench_stamps_done(&s);
    return rc;
}
