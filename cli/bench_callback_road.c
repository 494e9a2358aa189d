/* SPDX-License-Identifier: Apache-2.0 */
/* Relay, callback and sink together: rows end to end, the time from commit to request, and the same beside an endpoint
 * that gets half of all events and never answers. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench_callback.h"

#define POLL_MS 50
#define REST_MS 20000
#define REST_POLLS 6
#define KEYS_EACH 10 /* of an endpoint */

static enum rc start_all(struct callback_bench *b, struct err *err)
{
    TRY(bench_child_start(&b->base, BENCH_SOURCE, &b->relay, err));
    TRY(bench_callback_start(b, (int)b->endpoints, err));
    return bench_role_start(&b->base, "sink", NULL, 0, &b->sink, err);
}

static enum rc all_alive(struct callback_bench *b, struct err *err)
{
    TRY(bench_child_alive(&b->relay, err));
    TRY(bench_child_alive(&b->callback, err));
    return bench_child_alive(&b->sink, err);
}

/* Until each row's status says that it was delivered. */
static enum rc wait_for_states(struct callback_bench *b, const struct bench_stamps *s, struct err *err)
{
    struct bench_stall stall = {.best = -1};

    for (int64_t n = 0, seen = 0; n < s->n;) {
        seen = atomic_load(&s->n_seen);
        TRY(all_alive(b, err));
        if (seen == s->n) {
            TRY(bench_callback_delivered(b, &n, err));
        }
        TRY(bench_moving(&stall, seen + n, "end to end", err));
        bench_progress(&b->base, "end to end", seen + n, 2 * s->n);
        clock_sleep_ms(POLL_MS);
    }
    return RC_OK;
}

static enum rc run_through(struct callback_bench *b, const struct bench_stamps *s, struct err *err)
{
    struct bench_cost before = bench_callback_costs(b);
    int64_t began_us = clock_mono_us();

    TRY(bench_callback_fill(b, s, (int)b->endpoints, err));
    TRY(wait_for_states(b, s, err));
    struct bench_cost after = bench_callback_costs(b);
    b->road_n = s->n;
    b->road_per_s = (double)s->n * 1e6 / (double)(clock_mono_us() - began_us + 1);
    b->road_cost = bench_cost_of(&before, &after, s->n, 1000);
    return RC_OK;
}

static enum rc end_to_end(struct callback_bench *b, struct err *err)
{
    struct bench_stamps s = {.rate = 1};

    bench_stamps_init(&s, b->base.rows);
    partner_expect(b->partner, &s);
    enum rc rc = run_through(b, &s, err);
    if (rc != RC_OK) {
        bench_callback_stop(b); /* before its stamps go */
    }
    partner_expect(b->partner, NULL);
    bench_stamps_done(&s);
    return rc;
}

static void fill_route(const struct callback_bench *b, int64_t endpoint, int64_t no, char key[BENCH_KEY_MAX],
                       char target[BENCH_TARGET_MAX])
{
    (void)snprintf(key, BENCH_KEY_MAX, "key-%" PRId64 "-%" PRId64, endpoint, no % KEYS_EACH);
    (void)snprintf(target, BENCH_TARGET_MAX, "http://127.0.0.1:%d/", partner_port(b->partner, (int)endpoint));
}

/* All endpoints but the last. */
static void route_healthy(const void *opaque, int64_t i, char key[BENCH_KEY_MAX], char target[BENCH_TARGET_MAX])
{
    const struct callback_bench *b = opaque;
    fill_route(b, i % (b->endpoints - 1), i / (b->endpoints - 1), key, target);
}

/* The same for every second one; the others go to the last endpoint. */
static void route_mixed(const void *opaque, int64_t i, char key[BENCH_KEY_MAX], char target[BENCH_TARGET_MAX])
{
    const struct callback_bench *b = opaque;
    if (i % 2 == 0) {
        route_healthy(opaque, i / 2, key, target);
    } else {
        fill_route(b, b->endpoints - 1, i / 2, key, target);
    }
}

/* stride 1: healthy endpoints only; 2: as much again to the one that hangs. */
static enum rc at_rate(struct callback_bench *b, int stride, struct bench_quantiles *out, struct err *err)
{
    int64_t rate = b->base.rate * stride;
    struct bench base = b->base; /* the writers go by its rate */
    struct bench_stamps s = {
        .skip = rate, .rate = rate, .stride = stride, .route = stride == 1 ? route_healthy : route_mixed, .opaque = b};

    base.rate = rate;
    bench_stamps_init(&s, rate * (base.seconds + 1));
    partner_expect(b->partner, &s);
    partner_hang(b->partner, stride == 1 ? -1 : (int)b->endpoints - 1);
    enum rc rc = bench_write_rows(&base, &s, err);
    rc = rc == RC_OK ? bench_wait_for_last(&s, err) : rc;
    if (rc == RC_OK) {
        bench_evaluate(&s, out);
        b->base.writers = base.writers;
    } else {
        bench_callback_stop(b); /* before its stamps go */
    }
    partner_expect(b->partner, NULL);
    bench_stamps_done(&s);
    return rc;
}

/* What the relay has published is worked off: a later role would take it for its own. */
static enum rc wait_for_rest(struct callback_bench *b, struct err *err)
{
    int64_t deadline = clock_mono_ms() + REST_MS;
    int quiet = 0;

    partner_hang(b->partner, -1);
    bench_child_stop(&b->relay, &b->relay_peak_kib);
    while (quiet < REST_POLLS) {
        double held = 1;
        TRY(bench_child_metric(&b->callback, BENCH_CALLBACK_HELD, &held, err));
        TRY(bench_check(deadline, "the rest of the events", err));
        quiet = held > 0 ? 0 : quiet + 1;
        clock_sleep_ms(2 * POLL_MS);
    }
    return RC_OK;
}

enum rc bench_callback_road(struct callback_bench *b, struct err *err)
{
    TRY(start_all(b, err));
    TRY(end_to_end(b, err));
    TRY(bench_callback_clean(b, err));
    TRY(at_rate(b, 1, &b->alone, err));
    TRY(at_rate(b, 2, &b->beside, err));
    TRY(bench_callback_clean(b, err)); /* while the relay is up: nothing of it comes back */
    b->hung = partner_look(b->partner).hung;
    TRY(wait_for_rest(b, err));
    bench_callback_stop(b);
    return RC_OK;
}
