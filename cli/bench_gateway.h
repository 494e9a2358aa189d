/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sluice bench gateway`: calls of channels that become durable and are acknowledged, measured beside libmicrohttpd
 * that verifies one signature a request and has no database, in the same run.
 *
 *     bench_gateway.c          the run, step by step
 *     bench_gateway_keys.c     keys, and the accounts file of this run in a private directory
 *     bench_gateway_calls.c    signed calls as bytes for the wire, made on all processors before the clock starts
 *     bench_gateway_load.c     the client: keep-alive connections on epoll, one thread
 *     bench_mhd.c              the limit of whoever takes calls; `sluice bench notify` has it too
 *     bench_gateway_limit.c    the limit
 *     bench_gateway_role.c     the role: as many as it takes, then at half of that rate
 *     bench_gateway_idle.c     connections that do nothing
 *     bench_gateway_verify.c   verdicts alone, one thread
 *     bench_gateway_rows.c     orders in, what was stored, and out again
 *     bench_gateway_report.c   the table
 *
 * Thread: main, unless a function says otherwise.
 */
#ifndef SLUICE_CLI_BENCH_GATEWAY_H
#define SLUICE_CLI_BENCH_GATEWAY_H

#include <openssl/evp.h>

#include "bench.h"
#include "channel/account.h"
#include "crypto/rsa.h"

#define BENCH_GATEWAY_ACCOUNT "bench"
#define BENCH_GATEWAY_MCHID "1900000001"
#define BENCH_GATEWAY_APPID "wx0000000000bench1"
#define BENCH_GATEWAY_AMOUNT 100
#define BENCH_GATEWAY_PATH "/callbacks/wechat/" BENCH_GATEWAY_ACCOUNT
#define BENCH_GATEWAY_APIV3_BYTES 32
#define BENCH_PAYMENT_MAX 40
#define BENCH_CONNECTIONS_MAX 1024
#define BENCH_GATEWAY_SETTINGS_MAX 8
#define BENCH_VERDICTS_MAX 8

/* Keys of this run, and their files. */
struct gateway_keys {
    char *directory; /* 0700, files in it 0600 */
    char *accounts;  /* path of the accounts file */
    char *raw_keys;  /* path of the file for encryption at rest */
    EVP_PKEY *platform;
    struct rsa_key *signing; /* the same, private */
    char apiv3[BENCH_GATEWAY_APIV3_BYTES + 1];
};

/* One call as it goes over the wire. */
struct gateway_call {
    char *bytes;
    size_t n;
    size_t body_at;
};

struct gateway_calls {
    struct gateway_call *list;
    int64_t n;
    double seconds; /* that signing took */
};

/* What the client did. */
struct gateway_pass {
    int64_t sent, good, other;
    unsigned other_status; /* of the last that was not 2xx */
    double seconds, per_s;
    double client_busy; /* processor seconds a second of the client's thread */
    double server_busy; /* the limit's; -1 = not known */
};

struct gateway_held {
    int64_t tried, held;
    int64_t rss_kib, peak_kib; /* of the role, with them open */
};

/* Connections over which nothing was sent; the same after a request over each. */
struct gateway_idle {
    struct gateway_held silent, asked;
};

/* Verdicts of one thread over the same bytes. */
struct gateway_verdicts {
    const char *name; /* static */
    double per_s;
};

struct gateway_bench {
    struct bench base; /* rows: calls of the pass */
    int64_t connections, idle, limit_seconds;
    uint32_t run;
    struct gateway_keys keys;
    struct bench_child gateway;
    char address[BENCH_ADDRESS_MAX];
    char fsync[16], synchronous_commit[16];

    struct gateway_pass limit, role, half;
    double signed_per_s;
    int64_t stored, events;
    struct bench_cost cost; /* per million */
    struct bench_quantiles latency;
    int64_t peak_kib;
    struct gateway_idle usual, raised; /* limits */
    struct gateway_verdicts verdicts[BENCH_VERDICTS_MAX];
    size_t n_verdicts;
};

/* --- bench_gateway_keys.c */
enum rc bench_gateway_keys(struct gateway_keys *k, struct err *err) MUST_USE;
void bench_gateway_keys_done(struct gateway_keys *k); /* files and directory too */

/* --- bench_gateway_calls.c */
/* The order of call i. Thread: any. */
void bench_gateway_payment(uint32_t run, int64_t i, char out[BENCH_PAYMENT_MAX]);
/* Calls for orders [first, first + n). */
enum rc bench_gateway_sign(struct gateway_bench *b, int64_t first, int64_t n, struct gateway_calls *out,
                           struct err *err) MUST_USE;
void bench_gateway_calls_done(struct gateway_calls *c);

/* --- bench_gateway_load.c */
struct gateway_load {
    struct bench *base;
    const char *what; /* for the bar, and errors */
    const char *address;
    int64_t connections;
    const struct gateway_calls *calls; /* used again from the first on where total is more */
    int64_t total;                     /* ends after so many answers; 0 = no such end */
    int64_t seconds;                   /* ends after so many seconds; 0 = no such end */
    struct bench_stamps *stamps;       /* NULL: as fast as answers come; else call i is due as they say, and stamped */
};
/* RETRY: a connection was lost, an answer is not HTTP, nothing moves. What was answered is in *out then too. */
enum rc bench_gateway_load(const struct gateway_load *l, struct gateway_pass *out, struct err *err) MUST_USE;

/* --- bench_mhd.c */
struct MHD_Connection;
struct bench_mhd {
    struct bench *base;
    int64_t connections, seconds;
    const struct gateway_calls *calls;
    const char *answer; /* JSON */
    /* What else it does with a request; false: 401. NULL = nothing. Thread: the server's. */
    bool (*judge)(void *opaque, struct MHD_Connection *conn, const struct buf *body);
    void *opaque;
};
/* RETRY: as bench_gateway_load(), or one was refused. FATAL: it does not start. */
enum rc bench_mhd_limit(struct bench_mhd *l, struct gateway_pass *out, struct err *err) MUST_USE;

/* --- bench_gateway_limit.c */
enum rc bench_gateway_limit(struct gateway_bench *b, const struct gateway_calls *calls, struct err *err) MUST_USE;

/* --- bench_gateway_role.c */
/* With these settings besides. */
enum rc bench_gateway_start(struct gateway_bench *b, const struct bench_setting *more, size_t n,
                            struct err *err) MUST_USE;
/* RETRY: a call was not acknowledged. FATAL: what was acknowledged is not what is stored. */
enum rc bench_gateway_throughput(struct gateway_bench *b, const struct gateway_calls *calls, struct err *err) MUST_USE;
/* Makes its own calls, for orders behind those of the pass. */
enum rc bench_gateway_latency(struct gateway_bench *b, struct err *err) MUST_USE;

/* --- bench_gateway_idle.c */
/* Starts roles of its own. */
enum rc bench_gateway_idle(struct gateway_bench *b, struct err *err) MUST_USE;

/* --- bench_gateway_verify.c */
enum rc bench_gateway_verdicts(struct gateway_bench *b, struct err *err) MUST_USE;

/* --- bench_gateway_rows.c */
enum rc bench_gateway_refuse(struct gateway_bench *b, struct err *err) MUST_USE; /* REJECT: calls, or roles */
enum rc bench_gateway_orders(struct gateway_bench *b, int64_t first, int64_t n, struct err *err) MUST_USE;
/* Calls that are stored with their event, and events. */
enum rc bench_gateway_stored(struct gateway_bench *b, int64_t *out_calls, int64_t *out_events,
                             struct err *err) MUST_USE;
enum rc bench_gateway_clean(struct gateway_bench *b, struct err *err) MUST_USE;

/* --- bench_gateway_report.c */
int bench_gateway_report(const struct gateway_bench *b);

#endif
