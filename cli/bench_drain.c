/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the relay empties the outbox, and what that costs. */
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "bench.h"

#define POLL_MS 10
#define STALL_MS 60000

static struct bench_cost costs(const struct bench *b, const struct bench_child *c)
{
    struct bench_cost now = bench_cost_now(b, "sluice relay%");
    now.relay = bench_child_cpu(c);
    return now;
}

/* All of our rows are out when as many were published and the last of them too. */
static enum rc wait_until_empty(struct bench *b, struct bench_child *c, int64_t last_seq, int64_t *out_rows,
                                struct err *err)
{
    double best = -1;
    int64_t moved_ms = clock_mono_ms();
    for (;;) {
        struct bench_metrics m;
        TRY(bench_child_metrics(c, &m, err));
        *out_rows = (int64_t)m.published;
        if (m.dead > 0) {
            FAIL(err, RC_RETRY, "%.0f rows became dead letters", m.dead);
        }
        if (*out_rows >= b->rows && (int64_t)m.last_seq >= last_seq) {
            return RC_OK;
        }
        moved_ms = m.published > best ? clock_mono_ms() : moved_ms;
        best = fmax(best, m.published);
        TRY(bench_check(moved_ms + STALL_MS, "drain: no progress", err));
        bench_progress(b, "draining", *out_rows, b->rows);
        clock_sleep_ms(POLL_MS);
    }
}

static enum rc drain(struct bench *b, struct bench_child *c, int64_t last_seq, struct err *err)
{
    struct bench_drain *d = &b->drain;

    TRY(bench_child_start(b, BENCH_SOURCE, c, err));
    int64_t began = clock_mono_us();
    struct bench_cost before = costs(b, c);
    TRY(wait_until_empty(b, c, last_seq, &d->rows, err));
    int64_t us = clock_mono_us() - began;
    struct bench_cost after = costs(b, c);
    d->seconds = (double)(us > 0 ? us : 1) / 1e6;
    d->rows_per_s = (double)d->rows / d->seconds;
    d->cost = bench_cost_of(&before, &after, d->rows, 1e6);
    return RC_OK;
}

enum rc bench_publish(struct bench *b, const char *source, int64_t n, struct bench_child *relay, int64_t *peak_kib,
                      struct err *err)
{
    struct bench_stall stall = {.best = -1};
    struct bench_metrics m = {.published = 0};

    TRY(bench_child_start(b, source, relay, err));
    while ((int64_t)m.published < n) {
        TRY(bench_child_metrics(relay, &m, err));
        TRY(bench_moving(&stall, (int64_t)m.published, "filling the topic", err));
        bench_progress(b, "filling the topic", (int64_t)m.published, n);
        clock_sleep_ms(POLL_MS);
    }
    bench_child_stop(relay, peak_kib);
    return RC_OK;
}

enum rc bench_run_drain(struct bench *b, int64_t last_seq, struct err *err)
{
    struct bench_child child = {.pid = 0};
    bench_progress(b, "starting the relay", 0, b->rows);
    enum rc rc = drain(b, &child, last_seq, err);
    bench_child_stop(&child, &b->relay_peak_kib);
    return rc;
}
