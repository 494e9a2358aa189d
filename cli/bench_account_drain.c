/* SPDX-License-Identifier: Apache-2.0 */
/* Relay and account roles: how fast commands that lie in the topic become visible flows; and from one command to its
 * flow at half that rate. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench_account.h"

#define POLL_MS 5
#define SOURCE "account-flow"
#define FLOWS_EACH 2
#define LATENCY_RATE_MAX 20000

void bench_account_stop(struct account_bench *b)
{
    bench_child_stop(&b->gateway, &b->gateway_peak_kib);
    for (size_t i = 0; i < BENCH_INSTANCES_MAX; i++) {
        bench_child_stop(&b->account[i], &b->account_peak_kib);
    }
    bench_child_stop(&b->relay, &b->relay_peak_kib);
}

enum rc bench_account_start(struct account_bench *b, int instances, struct err *err)
{
    TRY(bench_child_start(&b->base, SOURCE, &b->relay, err));
    for (int i = 0; i < instances; i++) {
        TRY(bench_role_start(&b->base, "account", NULL, 0, &b->account[i], err));
    }
    return RC_OK;
}

static struct bench_cost costs(const struct account_bench *b)
{
    struct bench_cost now = bench_cost_now(&b->base, "sluice %");
    now.relay = bench_child_cpu(&b->relay);
    now.account = 0;
    for (size_t i = 0; i < BENCH_INSTANCES_MAX; i++) {
        now.account += b->account[i].pid == 0 ? 0 : bench_child_cpu(&b->account[i]);
    }
    return now;
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
    struct bench_stall stall = {.best = -1};
    struct bench_metrics m = {.published = 0};

    while ((int64_t)m.published < FLOWS_EACH * p->n) {
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
        TRY(bench_child_metrics(&b->relay, &m, err));
        TRY(bench_moving(&stall, n + (int64_t)m.published, "booking", err));
        bench_progress(&b->base, "booking", (int64_t)m.published, FLOWS_EACH * p->n);
        clock_sleep_ms(POLL_MS);
    }
    p->published_per_s = (double)(p->n - first) * 1e6 / (double)(clock_mono_us() - began_us + 1);
    return RC_OK;
}

static enum rc work_off(struct account_bench *b, struct account_pass *p, struct err *err)
{
    int64_t booked_before = 0;

    TRY(booked(b, &booked_before, err));
    TRY(bench_account_start(b, p->instances, err));
    struct bench_cost before = costs(b);
    TRY(follow(b, booked_before, p, err));
    struct bench_cost after = costs(b);
    p->cost = bench_cost_of(&before, &after, p->n, 1000);
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
    struct account_bench *b;
    struct avro_input *in;
    int event_id;
};

static int64_t number_of(const struct bench_stamps *s, const rd_kafka_message_t *msg, void *opaque)
{
    const struct flow_watcher *w = opaque;
    struct err ignored;
    size_t n = 0;

    if (avro_input_read(w->in, msg->payload, msg->len, &ignored) != RC_OK) {
        return -1;
    }
    const char *id = avro_input_string(w->in, w->event_id, &n);
    return bench_id_number(s, id, n);
}

static enum rc produce(struct bench_stamps *s, void *opaque, struct err *err)
{
    const struct flow_watcher *w = opaque;
    return bench_account_produce_at_rate(w->b, s, err);
}

static enum rc measure(struct account_bench *b, struct bench_stamps *s, struct err *err)
{
    struct flow_watcher w = {.b = b};
    const struct bench_watched what = {b->flows, number_of, produce, &w};

    TRY(bench_account_start(b, 1, err));
    TRY(avro_input_create(b->set, "account_flow", &w.in, err));
    w.event_id = avro_input_index(w.in, "event_id");
    enum rc rc = bench_watch(&b->base, &what, s, err);
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
