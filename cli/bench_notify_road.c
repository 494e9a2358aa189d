/* SPDX-License-Identifier: Apache-2.0 */
/* Gateway, relay, notify, push and sink together: calls at a fixed rate, from when each is due until the request for
 * each device has arrived at the provider. Without the sink what push parks would not come again. */
#include <inttypes.h>

#include "base/clock.h"
#include "bench_notify.h"

#define POLL_MS 10
#define WARM_UP 20 /* calls, one behind the other: groups are joined, connections are open */

static enum rc start_all(struct notify_bench *b, struct err *err)
{
    TRY(bench_child_start(&b->base, "express", &b->relay, err));
    TRY(bench_role_start(&b->base, "notify", NULL, 0, &b->notify, err));
    TRY(bench_notify_start_push(b, err));
    TRY(bench_role_start(&b->base, "sink", NULL, 0, &b->sink, err));
    return bench_notify_start_gateway(b, err);
}

static enum rc all_alive(struct notify_bench *b, struct err *err)
{
    TRY(bench_child_alive(&b->relay, err));
    TRY(bench_child_alive(&b->notify, err));
    TRY(bench_child_alive(&b->push, err));
    TRY(bench_child_alive(&b->sink, err));
    return bench_child_alive(&b->gateway, err);
}

static enum rc wait_for(struct notify_bench *b, const struct notify_expected *e, int64_t expected, struct err *err)
{
    struct bench_stall stall = {.best = -1};

    for (int64_t n = 0; n < expected;) {
        n = atomic_load(&e->stamps.n_seen);
        TRY(all_alive(b, err));
        TRY(bench_moving(&stall, n, "webhook to provider", err));
        bench_progress(&b->base, "webhook to provider", n, expected);
        clock_sleep_ms(POLL_MS);
    }
    return RC_OK;
}

/* Places of devices that are not there are left out; the first second is warm-up. */
static void evaluate(struct notify_bench *b, const struct bench_stamps *due, struct notify_expected *e)
{
    struct bench_stamps *s = &e->stamps;
    int64_t n = 0;

    s->start_us = due->start_us;
    s->rate = due->rate;
    for (int64_t i = 0; i < s->n; i++) {
        if (s->seen[i] > 0) {
            s->skip += i / BENCH_SLOTS < due->skip ? 1 : 0;
            s->seen[n] = s->seen[i];
            s->ready[n++] = bench_due_us(due, i / BENCH_SLOTS);
        }
    }
    s->n = n;
    bench_evaluate(s, &b->latency);
}

static enum rc send_calls(struct notify_bench *b, const struct gateway_calls *calls, int64_t connections,
                          struct bench_stamps *due, struct err *err)
{
    struct gateway_pass pass;
    const struct gateway_load load = {.base = &b->base,
                                      .what = "webhook to provider",
                                      .address = b->address,
                                      .connections = connections,
                                      .calls = calls,
                                      .total = calls->n,
                                      .stamps = due};

    TRY(bench_gateway_load(&load, &pass, err));
    if (pass.other > 0) {
        FAIL(err, RC_RETRY, "gateway: %" PRId64 " of %" PRId64 " calls were not acknowledged, the last with %u",
             pass.other, pass.sent, pass.other_status);
    }
    return RC_OK;
}

/* Calls for n parcels, until all requests for them have come; due NULL: one behind the other. */
static enum rc pass(struct notify_bench *b, int64_t first, int64_t n, struct bench_stamps *due, struct err *err)
{
    struct gateway_calls calls = {.n = 0};
    struct notify_expected e;

    bench_notify_calls(b, first, n, &calls);
    bench_notify_expect(b, &e, first, n);
    enum rc rc = send_calls(b, &calls, due == NULL ? 1 : b->connections, due, err);
    rc = rc == RC_OK ? wait_for(b, &e, bench_notify_devices(b, first, n), err) : rc;
    bench_gateway_calls_done(&calls);
    if (rc == RC_OK && due != NULL) {
        evaluate(b, due, &e);
        bench_evaluate(due, &b->acknowledged);
    }
    bench_notify_expected_done(b, &e, rc != RC_OK || due != NULL);
    return rc;
}

enum rc bench_notify_road(struct notify_bench *b, struct err *err)
{
    struct bench_stamps due = {.rate = b->base.rate, .skip = b->base.rate};
    int64_t n = b->base.rate * (b->base.seconds + 1);
    int64_t first = 0;

    TRY(bench_notify_parcels(b, WARM_UP + n, &first, err));
    TRY(start_all(b, err));
    TRY(pass(b, first, WARM_UP, NULL, err));
    bench_stamps_init(&due, n);
    enum rc rc = pass(b, first + WARM_UP, n, &due, err);
    bench_stamps_done(&due);
    return rc;
}
