/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the notify role works off a topic that was filled before, with nothing but the broker and its session of
 * PostgreSQL beside it. */
#include <inttypes.h>

#include "base/clock.h"
#include "bench_notify.h"
#include "kafka/conf.h"

#define POLL_MS 20
#define SOURCE "express"

/* Records behind the positions of a topic's partitions: a look at a handful of rows. Ends of transactions count too. */
static enum rc handled(struct notify_bench *b, const char *topic, int64_t *out_n, struct err *err)
{
    CLEANUP(freep) char *full = kafka_topic_name(b->base.cli->cfg, topic);
    CLEANUP(pg_clearp) PGresult *res = NULL;
    const char *params[] = {full};

    TRY(pg_query(b->base.conn, "SELECT coalesce(sum(next_offset), 0) FROM sluice_positions WHERE topic = $1", 1, params,
                 &res, err));
    *out_n = pg_int(res, 0, 0, 0);
    return RC_OK;
}

static enum rc count(struct notify_bench *b, int64_t *out_queued, struct err *err)
{
    struct notify_rows rows = {0};

    TRY(bench_notify_count(b, &rows, err));
    *out_queued = rows.queued;
    return RC_OK;
}

/* From the first commit on: joining the group takes as long as it takes. What that one held is not counted. All is done
 * when so many rows are; they are counted only when the positions say that it may be so. */
static enum rc follow(struct notify_bench *b, struct notify_pass *p, struct err *err)
{
    struct bench_stall stall = {.best = -1};
    int64_t start = 0;
    int64_t began_us = 0;
    int64_t first = 0;

    TRY(handled(b, "express.events", &start, err));
    for (int64_t n = 0, queued = 0; queued < p->events;) {
        TRY(bench_child_alive(&b->notify, err));
        TRY(handled(b, "express.events", &n, err));
        n -= start;
        if (began_us == 0 && n > 0) {
            began_us = clock_mono_us();
            first = n;
        }
        int64_t now_us = clock_mono_us();
        if (n >= p->events) {
            TRY(count(b, &queued, err));
        }
        p->per_s = (double)(p->events - first) * 1e6 / (double)(now_us - began_us + 1);
        TRY(bench_moving(&stall, n + queued, "events to notifications", err));
        bench_progress(&b->base, "events to notifications", n < p->events ? n : p->events, p->events);
        clock_sleep_ms(POLL_MS);
    }
    return RC_OK;
}

static enum rc check(struct notify_bench *b, struct notify_pass *p, int64_t first, struct err *err)
{
    struct notify_rows rows = {0};

    TRY(bench_notify_count(b, &rows, err));
    p->deliveries = bench_notify_devices(b, first, p->events);
    if (rows.notifications != 2 * p->events || rows.deliveries != p->deliveries) {
        FAIL(err, RC_FATAL,
             "notify: %" PRId64 " events have become %" PRId64 " notifications and %" PRId64
             " deliveries instead of %" PRId64 " and %" PRId64,
             p->events, rows.notifications, rows.deliveries, 2 * p->events, p->deliveries);
    }
    return RC_OK;
}

enum rc bench_notify_drain(struct notify_bench *b, struct err *err)
{
    struct notify_pass *p = &b->drain;
    int64_t first = 0;

    *p = (struct notify_pass){.events = b->events};
    TRY(bench_notify_parcels(b, b->events, &first, err));
    b->drained = first;
    TRY(bench_notify_queue(b, first, b->events, err));
    TRY(bench_publish(&b->base, SOURCE, b->events, &b->relay, &b->relay_peak_kib, err));
    TRY(bench_role_start(&b->base, "notify", NULL, 0, &b->notify, err));
    struct bench_cost before = bench_notify_costs(b);
    TRY(follow(b, p, err));
    struct bench_cost after = bench_notify_costs(b);
    p->cost = bench_cost_of(&before, &after, p->events, 1000);
    bench_notify_stop(b);
    return check(b, p, first, err);
}

/* ---------------------------------------------------------------------------------------------------- the sink */

static enum rc pending(struct notify_bench *b, int64_t *out_n, struct err *err)
{
    CLEANUP(pg_clearp) PGresult *res = NULL;

    TRY(pg_exec(
        b->base.conn,
        "SELECT count(*) FROM push_deliveries WHERE queue_seq IS NOT NULL AND status IN ('pending', 'retrying')", &res,
        err));
    *out_n = pg_int(res, 0, 0, 0);
    return RC_OK;
}

enum rc bench_notify_sink(struct notify_bench *b, struct err *err)
{
    struct bench_stall stall = {.best = -1};
    int64_t wanted = b->drain.deliveries;
    int64_t start = 0;
    int64_t began_us = 0;
    int64_t first = 0;

    TRY(handled(b, "notification.outcomes", &start, err));
    TRY(bench_role_start(&b->base, "sink", NULL, 0, &b->sink, err));
    for (int64_t n = 0, left = b->parked + 1; left > b->parked;) {
        TRY(bench_child_alive(&b->sink, err));
        TRY(handled(b, "notification.outcomes", &n, err));
        n -= start;
        if (began_us == 0 && n > 0) {
            began_us = clock_mono_us();
            first = n;
        }
        int64_t now_us = clock_mono_us();
        if (n >= wanted) {
            TRY(pending(b, &left, err));
        }
        b->sink_per_s = (double)(wanted - first) * 1e6 / (double)(now_us - began_us + 1);
        TRY(bench_moving(&stall, n, "outcomes to rows", err));
        bench_progress(&b->base, "outcomes to rows", n < wanted ? n : wanted, wanted);
        clock_sleep_ms(POLL_MS);
    }
    bench_notify_stop(b);
    return RC_OK;
}
