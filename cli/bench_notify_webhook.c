/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a carrier, each about another parcel: what libmicrohttpd alone answers, and what the gateway makes durable.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench_notify.h"

#define CALL_BYTES_MAX ((size_t)4 << 10)
#define CONTEXT "【上海市】快件已由顺丰速运揽收，联系电话 13800138000"

static void make_call(const struct notify_bench *b, int64_t i, const char *now, struct gateway_call *out)
{
    char tracking[BENCH_TRACKING_MAX];
    CLEANUP(buf_done) struct buf body;
    struct buf all;

    buf_init(&body, CALL_BYTES_MAX);
    buf_init(&all, CALL_BYTES_MAX);
    bench_notify_tracking(b->run, i, tracking);
    (void)buf_printf(&body,
                     "{\"tracking_no\":\"%s\",\"carrier\":\"shunfeng\",\"status\":\"collected\",\"context\":\"" CONTEXT
                     "\",\"time\":\"%s\"}",
                     tracking, now);
    (void)buf_printf(&all,
                     "POST /webhook/express/status HTTP/1.1\r\nHost: express.bench.invalid\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     body.len);
    out->body_at = all.len;
    (void)buf_add(&all, buf_str(&body), body.len);
    out->n = all.len;
    out->bytes = buf_take(&all);
}

void bench_notify_calls(const struct notify_bench *b, int64_t first, int64_t n, struct gateway_calls *out)
{
    char now[CLOCK_RFC3339_MAX];

    clock_rfc3339(clock_utc_us(), now);
    *out = (struct gateway_calls){.list = xcalloc((size_t)n, sizeof *out->list), .n = n};
    for (int64_t i = 0; i < n; i++) {
        make_call(b, first + i, now, &out->list[i]);
    }
}

static enum rc limit(struct notify_bench *b, const struct gateway_calls *calls, struct err *err)
{
    struct bench_mhd mhd = {.base = &b->base,
                            .connections = b->connections,
                            .seconds = b->limit_seconds,
                            .calls = calls,
                            .answer = "{\"ok\":true}"};
    return bench_mhd_limit(&mhd, &b->webhook_limit, err);
}

/* What was acknowledged is there, and nothing else. */
static enum rc check_stored(struct notify_bench *b, struct err *err)
{
    CLEANUP(pg_clearp) PGresult *res = NULL;
    const struct gateway_pass *p = &b->webhook;

    if (p->other > 0) {
        FAIL(err, RC_RETRY, "gateway: %" PRId64 " of %" PRId64 " calls were not acknowledged, the last with %u",
             p->other, p->sent, p->other_status);
    }
    TRY(pg_exec(b->base.conn,
                "SELECT (SELECT count(*) FROM express_callbacks), (SELECT count(*) FROM notify_queue"
                " WHERE process_status IS NULL)",
                &res, err));
    if (pg_int(res, 0, 0, 0) != p->good || pg_int(res, 0, 1, 0) != p->good) {
        FAIL(err, RC_FATAL,
             "gateway: %" PRId64 " calls were acknowledged, %" PRId64 " are stored, %" PRId64 " are on the road",
             p->good, pg_int(res, 0, 0, 0), pg_int(res, 0, 1, 0));
    }
    return RC_OK;
}

static enum rc role(struct notify_bench *b, const struct gateway_calls *calls, struct err *err)
{
    const struct gateway_load load = {.base = &b->base,
                                      .what = "webhook",
                                      .address = b->address,
                                      .connections = b->connections,
                                      .calls = calls,
                                      .total = calls->n};

    TRY(bench_notify_start_gateway(b, err));
    struct bench_cost before = bench_notify_costs(b);
    TRY(bench_gateway_load(&load, &b->webhook, err));
    struct bench_cost after = bench_notify_costs(b);
    b->webhook_cost = bench_cost_of(&before, &after, b->webhook.sent, 1000);
    TRY(check_stored(b, err));
    bench_notify_stop(b);
    return bench_notify_forget(b, err);
}

enum rc bench_notify_webhook(struct notify_bench *b, struct err *err)
{
    struct gateway_calls calls = {.n = 0};
    int64_t first = 0;

    TRY(bench_notify_parcels(b, b->calls, &first, err));
    bench_notify_calls(b, first, b->calls, &calls);
    enum rc rc = limit(b, &calls, err);
    rc = rc == RC_OK ? role(b, &calls, err) : rc;
    bench_gateway_calls_done(&calls);
    return rc;
}
