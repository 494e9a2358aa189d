/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the push role gets deliveries to a provider, beside bare libcurl that posts the same to the same receiver
 * with as many requests in flight. The provider is one of the kind webhook: a signed POST for each message. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench_notify.h"

#define SOURCE "push"
#define HELD "sluice_delivery_records_held{role=\"push\"}"
#define PARKED "sluice_push_outcomes_total{provider=\"bench\",outcome=\"parked\"}"
#define CID "\"push_clientid\":\"bench-"

/* What the role sends, but for its numbers. */
static const char BODY[] =
    "{\"request_id\":\"0123456789abcdef0123456789abcdef\",\"message_id\":\"0123456789abcdef0123456789abcdef\","
    "\"appid\":\"bench\",\"push_clientid\":\"bench-u-123456-0\",\"platform\":\"android\",\"title\":\"快递已揽收\","
    "\"content\":\"您的快递 B01234567-123456 已由顺丰速运揽收\",\"payload\":{\"type\":\"express\",\"event_id\":"
    "\"01234567-0123-4123-8123-0123456789ab\",\"tracking_no\":\"B01234567-123456\",\"status\":\"collected\"},"
    "\"force_notification\":true,\"settings\":{\"ttl\":259200000}}";

/* By the tracking number in the texts, and by the device: "bench-u-4711-1" is the second one of a user. */
static int64_t number_of(const struct bench_stamps *s, const struct received *got)
{
    const struct notify_expected *e = s->opaque;
    char ours[BENCH_TRACKING_MAX];
    const char *cid = memmem(got->body, got->body_n, CID, sizeof CID - 1);

    (void)snprintf(ours, sizeof ours, "B%08" PRIx32 "-", s->run);
    const char *no = memmem(got->body, got->body_n, ours, strlen(ours));
    if (no == NULL || cid == NULL) {
        return -1;
    }
    const char *end = got->body + got->body_n;
    const char *quote = memchr(cid + sizeof CID - 1, '"', (size_t)(end - cid) - (sizeof CID - 1));
    if (quote == NULL || quote[-1] < '0' || quote[-1] >= '0' + BENCH_SLOTS) {
        return -1;
    }
    int64_t parcel = strtoll(no + strlen(ours), NULL, 10) - e->first; /* a quotation mark follows, or a letter */
    int64_t i = parcel * BENCH_SLOTS + (quote[-1] - '0');
    return parcel >= 0 && i < s->n ? i : -1;
}

void bench_notify_expect(struct notify_bench *b, struct notify_expected *e, int64_t first, int64_t n)
{
    *e = (struct notify_expected){.stamps = {.rate = 1}, .first = first};
    bench_stamps_init(&e->stamps, n * BENCH_SLOTS);
    e->stamps.run = b->run;
    e->stamps.opaque = e;
    partner_number(b->client.partner, number_of);
    partner_expect(b->client.partner, &e->stamps);
}

void bench_notify_expected_done(struct notify_bench *b, struct notify_expected *e, bool stop)
{
    if (stop) {
        bench_notify_stop(b);
    }
    partner_expect(b->client.partner, NULL);
    partner_number(b->client.partner, NULL);
    bench_stamps_done(&e->stamps);
}

/* From the first request on: joining the group takes as long as it takes. */
static enum rc role(struct notify_bench *b, struct notify_expected *e, struct err *err)
{
    struct callback_pass *p = &b->pushes;
    int64_t expected = b->drain.deliveries;
    const struct bench_deliveries what = {
        .stamps = &e->stamps, .expected = expected, .held_series = HELD, .put_off_series = PARKED};

    TRY(bench_notify_start_push(b, err));
    struct bench_cost before = bench_notify_costs(b);
    double partner_s = partner_look(b->client.partner).cpu_s;
    TRY(bench_deliveries_done(&b->base, &b->push, &what, &b->parked, err));
    struct bench_cost after = bench_notify_costs(b);
    struct partner_counts got = partner_look(b->client.partner);
    double seconds = (double)(clock_mono_us() - got.first_us + 1) / 1e6;
    p->role_n = expected - b->parked;
    p->role_per_s = (double)p->role_n / seconds;
    p->role_busy = (got.cpu_s - partner_s) / seconds;
    p->cost = bench_cost_of(&before, &after, expected, 1000);
    return RC_OK;
}

enum rc bench_notify_push(struct notify_bench *b, struct err *err)
{
    struct notify_expected e;

    b->pushes.endpoints = 1;
    b->client.body = BODY;
    TRY(bench_callback_limit(&b->client, &b->pushes, err));
    TRY(bench_publish(&b->base, SOURCE, b->drain.deliveries, &b->relay, &b->relay_peak_kib, err));
    bench_notify_expect(b, &e, b->drained, b->drain.events);
    enum rc rc = role(b, &e, err);
    bench_notify_expected_done(b, &e, true);
    return rc;
}
