/* SPDX-License-Identifier: Apache-2.0 */
/* The role with a database: as many calls as it takes, each acknowledged and stored; then at half of that rate. */
#include <inttypes.h>

#include "bench_gateway.h"

#define LATENCY_RATE_MAX 20000

enum rc bench_gateway_start(struct gateway_bench *b, const struct bench_setting *more, size_t n, struct err *err)
{
    struct bench_setting settings[BENCH_GATEWAY_SETTINGS_MAX] = {{"SLUICE_GATEWAY_LISTEN", b->address},
                                                                 {"SLUICE_GATEWAY_ACCOUNTS", b->keys.accounts},
                                                                 {"SLUICE_GATEWAY_RAW_KEYS_FILE", b->keys.raw_keys},
                                                                 {"SLUICE_EXPRESS_LISTEN", "off"},
                                                                 {"SLUICE_DEVICE_LISTEN", "off"}};

    for (size_t i = 0; i < n; i++) {
        settings[5 + i] = more[i];
    }
    TRY(bench_free_address(b->address, err));
    return bench_role_start(&b->base, "gateway", settings, 5 + n, &b->gateway, err);
}

static struct bench_cost costs(const struct gateway_bench *b)
{
    struct bench_cost now = bench_cost_now(&b->base, "sluice gateway%");
    now.gateway = bench_child_cpu(&b->gateway);
    return now;
}

/* What was acknowledged is there, and nothing else. */
static enum rc check_stored(struct gateway_bench *b, const struct gateway_pass *p, int64_t before, struct err *err)
{
    int64_t stored = 0;
    int64_t events = 0;

    if (p->other > 0) {
        FAIL(err, RC_RETRY, "gateway: %" PRId64 " of %" PRId64 " calls were not acknowledged, the last with %u",
             p->other, p->sent, p->other_status);
    }
    TRY(bench_gateway_stored(b, &stored, &events, err));
    if (stored - before != p->good || events != stored) {
        FAIL(err, RC_FATAL,
             "gateway: %" PRId64 " calls were acknowledged, %" PRId64 " are stored; %" PRId64 " events for %" PRId64
             " calls",
             p->good, stored - before, events, stored);
    }
    b->stored = stored;
    b->events = events;
    return RC_OK;
}

static enum rc load(struct gateway_bench *b, const struct gateway_calls *calls, struct bench_stamps *stamps,
                    struct gateway_pass *out, struct err *err)
{
    const struct gateway_load l = {.base = &b->base,
                                   .what = stamps == NULL ? "gateway" : "gateway, half the rate",
                                   .address = b->address,
                                   .connections = b->connections,
                                   .calls = calls,
                                   .total = calls->n,
                                   .stamps = stamps};
    struct err why = {0};
    enum rc rc = bench_gateway_load(&l, out, err);

    if (rc != RC_OK && bench_child_alive(&b->gateway, &why) != RC_OK) {
        *err = why; /* which is the reason */
    }
    return rc;
}

enum rc bench_gateway_throughput(struct gateway_bench *b, const struct gateway_calls *calls, struct err *err)
{
    struct bench_cost before = costs(b);

    TRY(load(b, calls, NULL, &b->role, err));
    struct bench_cost after = costs(b);
    b->cost = bench_cost_of(&before, &after, b->role.sent, 1e6);
    return check_stored(b, &b->role, 0, err);
}

static enum rc paced(struct gateway_bench *b, struct bench_stamps *s, struct gateway_calls *calls, struct err *err)
{
    TRY(bench_gateway_orders(b, b->base.rows, s->n, err));
    TRY(bench_gateway_sign(b, b->base.rows, s->n, calls, err));
    TRY(load(b, calls, s, &b->half, err));
    TRY(check_stored(b, &b->half, b->stored, err));
    bench_evaluate(s, &b->latency);
    return RC_OK;
}

enum rc bench_gateway_latency(struct gateway_bench *b, struct err *err)
{
    int64_t rate = (int64_t)(b->role.per_s / 2);
    struct bench_stamps s = {.rate = rate < 1 ? 1 : rate > LATENCY_RATE_MAX ? LATENCY_RATE_MAX : rate};
    struct gateway_calls calls = {.n = 0};

    s.skip = s.rate;
    bench_stamps_init(&s, s.rate * (b->base.seconds + 1));
    enum rc rc = paced(b, &s, &calls, err);
    bench_gateway_calls_done(&calls);
    bench_stamps_done(&s);
    return rc;
}
