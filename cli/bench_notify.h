/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sluice bench notify`: from a carrier's call to the request at a push provider, each part beside its limit in the
 * same run, with large tables of devices, notifications and deliveries.
 *
 *     bench_notify.c          the run, step by step
 *     bench_notify_rows.c     what is in the tables before, parcels, and all of it out again
 *     bench_notify_webhook.c  calls that become durable, beside libmicrohttpd without a database
 *     bench_notify_limit.c    the limits of notify: the same rows by SQL alone, and its statements fed from memory
 *     bench_notify_drain.c    the notify role alone with a topic that was filled before; the sink alone
 *     bench_notify_push.c     the push role alone with what came of that, beside bare libcurl
 *     bench_notify_road.c     all of them together: from when a call is due to the request at the provider
 *     bench_notify_report.c   the table
 *
 * Calls and their client are those of `sluice bench gateway`, the provider and the bare client those of
 * `sluice bench callback`.
 *
 * A run has parcels, numbered from 0: an order, its waybill, a user and a merchant. Users have one or two devices,
 * merchants one. Each part of the run takes parcels that nobody has used.
 *
 * Thread: main, unless a function says otherwise.
 */
#ifndef SLUICE_CLI_BENCH_NOTIFY_H
#define SLUICE_CLI_BENCH_NOTIFY_H

#include "bench.h"
#include "bench_callback.h"
#include "bench_gateway.h"

#define BENCH_APPID "bench"
#define BENCH_TRACKING_MAX 32
#define BENCH_SLOTS 3 /* of a parcel: the user's first and second device, the merchant's */

/* From events in their topic to rows. */
struct notify_pass {
    int64_t events, deliveries;
    double per_s;
    struct bench_cost cost; /* per 1,000 events */
};

struct notify_bench {
    struct bench base; /* rows: devices, and notifications, that are there before */
    int64_t calls, connections, events, limit_seconds;
    uint32_t run;
    int64_t parcels; /* that are in the tables */
    int64_t drained; /* the first one of bench_notify_drain() */
    struct gateway_keys keys;
    struct callback_bench client; /* its receiver, secret, and bare client */
    char *providers;              /* path of the file for the push role */
    char address[BENCH_ADDRESS_MAX];
    struct bench_child gateway, relay, notify, push, sink;

    char server[96]; /* settings of PostgreSQL that matter */
    double fill_s;
    struct gateway_pass webhook_limit, webhook;
    struct bench_cost webhook_cost;  /* per 1,000 calls */
    double sets_per_s, memory_per_s; /* the limits of notify */
    struct notify_pass drain;
    struct callback_pass pushes;
    int64_t parked;    /* of them: they waited too long for their turn, and come again with the sink's help */
    double sink_per_s; /* outcomes recorded by the sink alone */
    struct bench_quantiles acknowledged, latency;
    int64_t twice, forged; /* at the provider */
    int64_t gateway_peak_kib, relay_peak_kib, notify_peak_kib, push_peak_kib, sink_peak_kib;
};

/* --- bench_notify.c */
/* The gateway, the push role with the bench's provider; notify and sink need nothing. */
enum rc bench_notify_start_gateway(struct notify_bench *b, struct err *err) MUST_USE;
enum rc bench_notify_start_push(struct notify_bench *b, struct err *err) MUST_USE;
/* Ends them all, in the order of the road; their peaks are noted. */
void bench_notify_stop(struct notify_bench *b);
struct bench_cost bench_notify_costs(const struct notify_bench *b);

/* --- bench_notify_rows.c */
enum rc bench_notify_refuse(struct notify_bench *b, struct err *err) MUST_USE; /* REJECT: rows, or roles */
enum rc bench_notify_fill(struct notify_bench *b, struct err *err) MUST_USE;
/* n more parcels; *out_first is the first one. */
enum rc bench_notify_parcels(struct notify_bench *b, int64_t n, int64_t *out_first, struct err *err) MUST_USE;
/* Rows of notify_queue for parcels [first, first + n), as the gateway would have put them there. */
enum rc bench_notify_queue(struct notify_bench *b, int64_t first, int64_t n, struct err *err) MUST_USE;
/* How many devices parcels [first, first + n) have. */
int64_t bench_notify_devices(const struct notify_bench *b, int64_t first, int64_t n);
/* What came of the parcels: rows of notify_queue that are handled as they should be, notifications, deliveries. */
struct notify_rows {
    int64_t queued, notifications, deliveries;
};
enum rc bench_notify_count(struct notify_bench *b, struct notify_rows *out, struct err *err) MUST_USE;
/* What came of the parcels goes, so that the relay finds nothing to publish and the next part begins as the last. */
enum rc bench_notify_forget(struct notify_bench *b, struct err *err) MUST_USE;
enum rc bench_notify_clean(struct notify_bench *b, struct err *err) MUST_USE;
/* "B0123abcd-17". Thread: any. */
void bench_notify_tracking(uint32_t run, int64_t i, char out[BENCH_TRACKING_MAX]);

/* --- bench_notify_webhook.c */
/* Calls for parcels [first, first + n) as bytes for the wire. */
void bench_notify_calls(const struct notify_bench *b, int64_t first, int64_t n, struct gateway_calls *out);
enum rc bench_notify_webhook(struct notify_bench *b, struct err *err) MUST_USE;

/* --- bench_notify_limit.c */
enum rc bench_notify_limit(struct notify_bench *b, struct err *err) MUST_USE;

/* --- bench_notify_drain.c */
enum rc bench_notify_drain(struct notify_bench *b, struct err *err) MUST_USE;
/* Outcomes of bench_notify_push(), which must have come before. */
enum rc bench_notify_sink(struct notify_bench *b, struct err *err) MUST_USE;

/* --- bench_notify_push.c */
/* What the provider expects: a place for each device of parcels [first, first + n). Place 3 i + k belongs to device k
 * of parcel first + i; users with one device leave theirs empty. */
struct notify_expected {
    struct bench_stamps stamps;
    int64_t first;
};
/* From now on the provider stamps what it gets of them. */
void bench_notify_expect(struct notify_bench *b, struct notify_expected *e, int64_t first, int64_t n);
/* No longer; stop: the roles end before, so that nothing comes late. Without it nothing may be under way. */
void bench_notify_expected_done(struct notify_bench *b, struct notify_expected *e, bool stop);
/* Parcels of bench_notify_drain(), which must have come before. */
enum rc bench_notify_push(struct notify_bench *b, struct err *err) MUST_USE;

/* --- bench_notify_road.c */
enum rc bench_notify_road(struct notify_bench *b, struct err *err) MUST_USE;

/* --- bench_notify_report.c */
int bench_notify_report(const struct notify_bench *b);

#endif
