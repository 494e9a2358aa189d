/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sluice bench callback`: the road to the partners measured beside bare libcurl, in the same run.
 *
 *     bench_callback.c           the run, step by step
 *     bench_callback_partner.c  who is called: a thread that answers 200 and notes what came when
 *     bench_callback_request.c   its view of one request
 *     bench_callback_limit.c     the limit: libcurl's multi interface and HMAC, in one thread
 *     bench_callback_drain.c     the callback role alone with a preloaded topic; then the sink alone
 *     bench_callback_road.c      all roles together: end to end, latency, one endpoint that hangs
 *     bench_callback_rows.c      rows into the outbox, and out again
 *     bench_callback_report.c    the table
 *
 * Thread: main, unless a function says otherwise.
 */
#ifndef SLUICE_CLI_BENCH_CALLBACK_H
#define SLUICE_CLI_BENCH_CALLBACK_H

#include "bench.h"
#include "crypto/webhook.h"

#define PARTNER_ENDPOINTS_MAX 1000
#define PARTNER_PAYLOAD_MAX 8192
#define BENCH_CALLBACK_HELD "sluice_delivery_records_held{role=\"callback\"}" /* read and not committed */

/* The same number of endpoints for the bare client and for the role. busy: processor seconds that the receiver took per
 * second; near 1 it is the receiver that was measured. */
struct callback_pass {
    int endpoints;
    int64_t limit_n, role_n;
    double limit_per_s, limit_cpu_s, limit_busy; /* cpu: of the client, per 1,000 */
    double role_per_s, role_busy;
    struct bench_cost cost; /* per 1,000 deliveries */
};

struct callback_bench {
    struct bench base;
    int64_t endpoints, in_flight;
    char *secret; /* whsec_... of this run */
    struct webhook_keys *keys;
    const char *body; /* the bare client's; NULL = base.payload bytes */
    struct partner *partner;
    struct bench_child relay, callback, sink;

    struct callback_pass one, many;
    double sink_per_s; /* outcomes recorded by the sink alone */
    int64_t road_n;
    double road_per_s;
    struct bench_cost road_cost;          /* the same */
    struct bench_quantiles alone, beside; /* beside an endpoint that hangs */
    int64_t hung;                         /* requests that one got */
    int64_t relay_peak_kib, callback_peak_kib, sink_peak_kib;
    int64_t twice, forged; /* requests that repeated an id; signatures that do not fit */
};

/* --- bench_callback_request.c */
struct received {
    size_t size;                            /* of the whole request; 0 = not all of it is there */
    const char *id, *timestamp, *signature; /* NUL behind; NULL = missing */
    const char *body;
    size_t body_n;
};
/* false: not a request as our clients make them. Ends header values with a NUL in data. Thread: any. */
bool received_parse(char *data, size_t n, struct received *out);

/* --- bench_callback_partner.c: one socket an endpoint on 127.0.0.1, HTTP/1.1 with keep-alive, one thread. */
struct partner_counts {
    int64_t twice, forged, hung;
    int64_t first_us; /* of the first request since partner_expect */
    double cpu_s;     /* of the thread */
};
/* keys: belong to the receiver's thread until it is stopped. */
enum rc partner_start(int endpoints, struct webhook_keys *keys, struct partner **out, struct err *err) MUST_USE;
struct partner *partner_stop(struct partner *r); /* accepts NULL, returns NULL */
int partner_port(const struct partner *r, int endpoint);
/* From now on the ids of s are noted in it; NULL = none. Only while nothing is under way. */
void partner_expect(struct partner *r, struct bench_stamps *s);
/* Which of the expected ones a request is, -1 = none; NULL: by its webhook-id. Thread: the receiver's. */
typedef int64_t (*partner_number_fn)(const struct bench_stamps *s, const struct received *got);
void partner_number(struct partner *r, partner_number_fn number);
/* Requests to this endpoint get no answer; -1 = none hangs. */
void partner_hang(struct partner *r, int endpoint);
struct partner_counts partner_look(struct partner *r);

/* --- bench_callback_limit.c */
enum rc bench_callback_limit(struct callback_bench *b, struct callback_pass *p, struct err *err) MUST_USE;

/* --- bench_callback_drain.c */
struct bench_deliveries {
    const struct bench_stamps *stamps;
    int64_t expected;
    const char *held_series;    /* records that were read and not committed */
    const char *put_off_series; /* those that come again later; NULL = none are expected to */
};
/* Until as many as expected were received or put off, and what became of them is committed. */
enum rc bench_deliveries_done(struct bench *b, struct bench_child *role, const struct bench_deliveries *what,
                              int64_t *out_put_off, struct err *err) MUST_USE;
enum rc bench_callback_drain(struct callback_bench *b, struct callback_pass *p, struct err *err) MUST_USE;
enum rc bench_callback_sink(struct callback_bench *b, struct err *err) MUST_USE;

/* --- bench_callback_road.c */
enum rc bench_callback_road(struct callback_bench *b, struct err *err) MUST_USE;

/* --- bench_callback_rows.c */
enum rc bench_callback_refuse(struct callback_bench *b, struct err *err) MUST_USE;
/* s->n rows with its ids, to the first `endpoints` of the receiver. */
enum rc bench_callback_fill(struct callback_bench *b, const struct bench_stamps *s, int endpoints,
                            struct err *err) MUST_USE;
enum rc bench_callback_delivered(const struct callback_bench *b, int64_t *out_n, struct err *err) MUST_USE;
enum rc bench_callback_clean(const struct callback_bench *b, struct err *err) MUST_USE;

/* --- bench_callback.c */
/* A secret of this run, and its keys. */
enum rc bench_callback_secret(struct callback_bench *b, struct err *err) MUST_USE;
/* Starts the role with the platform of the bench: in_flight requests at once to that many endpoints. */
enum rc bench_callback_start(struct callback_bench *b, int endpoints, struct err *err) MUST_USE;
/* Ends them all, in the order of the road; their peaks are noted. */
void bench_callback_stop(struct callback_bench *b);
struct bench_cost bench_callback_costs(const struct callback_bench *b);

/* --- bench_callback_report.c */
int bench_callback_report(const struct callback_bench *b);

#endif
