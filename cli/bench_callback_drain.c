/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the callback role works off a topic that was filled before, with nothing else running; and then the sink. */
#include <inttypes.h>

#include "base/clock.h"
#include "bench_callback.h"

#define POLL_MS 10
#define LOOK_MS 500

/* What was not sent, but put off. */
static enum rc look_put_off(struct bench_child *role, const char *series, int64_t *out_n, struct err *err)
{
    double n = 0;

    if (series != NULL) {
        TRY(bench_child_metric(role, series, &n, err));
    }
    *out_n = (int64_t)n;
    return RC_OK;
}

enum rc bench_deliveries_done(struct bench *b, struct bench_child *role, const struct bench_deliveries *what,
                              int64_t *out_put_off, struct err *err)
{
    struct bench_stall stall = {.best = -1};
    int64_t looked_ms = clock_mono_ms();
    double held = 1;

    *out_put_off = 0;
    for (int64_t n = 0; n < what->expected || held > 0;) {
        n = atomic_load(&what->stamps->n_seen) + *out_put_off;
        TRY(bench_child_alive(role, err));
        if (clock_mono_ms() - looked_ms >= LOOK_MS) {
            looked_ms = clock_mono_ms();
            TRY(look_put_off(role, what->put_off_series, out_put_off, err));
        }
        if (n >= what->expected) {
            TRY(bench_child_metric(role, what->held_series, &held, err));
        }
        TRY(bench_moving(&stall, n, "delivering", err));
        bench_progress(b, "delivering", n, what->expected);
        clock_sleep_ms(POLL_MS);
    }
    return RC_OK;
}

/* From the first request on: joining the group takes as long as it takes. */
static enum rc deliver(struct callback_bench *b, struct bench_stamps *s, struct callback_pass *p, struct err *err)
{
    const struct bench_deliveries what = {.stamps = s, .expected = s->n, .held_series = BENCH_CALLBACK_HELD};
    int64_t put_off = 0;

    partner_expect(b->partner, s);
    TRY(bench_callback_start(b, p->endpoints, err));
    struct bench_cost before = bench_callback_costs(b);
    double partner_s = partner_look(b->partner).cpu_s;
    TRY(bench_deliveries_done(&b->base, &b->callback, &what, &put_off, err));
    struct bench_cost after = bench_callback_costs(b);
    struct partner_counts got = partner_look(b->partner);
    double seconds = (double)(clock_mono_us() - got.first_us + 1) / 1e6;
    p->role_n = s->n;
    p->role_per_s = (double)s->n / seconds;
    p->role_busy = (got.cpu_s - partner_s) / seconds;
    p->cost = bench_cost_of(&before, &after, s->n, 1000);
    bench_child_stop(&b->callback, &b->callback_peak_kib);
    return RC_OK;
}

enum rc bench_callback_drain(struct callback_bench *b, struct callback_pass *p, struct err *err)
{
    struct bench_stamps s = {.rate = 1};

    bench_stamps_init(&s, b->base.rows);
    enum rc rc = bench_callback_fill(b, &s, p->endpoints, err);
    rc = rc == RC_OK ? bench_publish(&b->base, BENCH_SOURCE, s.n, &b->relay, &b->relay_peak_kib, err) : rc;
    rc = rc == RC_OK ? deliver(b, &s, p, err) : rc;
    bench_callback_stop(b); /* before its stamps go */
    partner_expect(b->partner, NULL);
    bench_stamps_done(&s);
    return rc;
}

enum rc bench_callback_sink(struct callback_bench *b, struct err *err)
{
    int64_t wanted = b->one.role_n + b->many.role_n;
    struct bench_stall stall = {.best = -1};
    int64_t began_us = 0;
    int64_t n = 0;
    int64_t first = 0;

    TRY(bench_role_start(&b->base, "sink", NULL, 0, &b->sink, err));
    while (n < wanted) {
        TRY(bench_child_alive(&b->sink, err));
        TRY(bench_callback_delivered(b, &n, err));
        if (began_us == 0 && n > 0) {
            began_us = clock_mono_us();
            first = n;
        }
        TRY(bench_moving(&stall, n, "recording outcomes", err));
        bench_progress(&b->base, "recording outcomes", n, wanted);
        clock_sleep_ms(10 * POLL_MS);
    }
    b->sink_per_s = (double)(n - first) * 1e6 / (double)(clock_mono_us() - began_us + 1);
    bench_child_stop(&b->sink, &b->sink_peak_kib);
    return bench_callback_clean(b, err);
}
