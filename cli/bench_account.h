/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sluice bench account`: from commands in their topic to flows in account.flows, measured beside what SQL does with
 * the same rows in the same run.
 *
 *     bench_account.c          the run, step by step
 *     bench_account_rows.c     accounts, and copies of the tables for the limits
 *     bench_account_limit.c    the limits: set-based SQL, and one transaction a transfer with FOR UPDATE
 *     bench_account_topic.c    commands into the topic
 *     bench_account_drain.c    roles that work them off; from command to visible flow
 *     bench_account_http.c     POST /v1/transfers that waits for its result
 *     bench_account_report.c   the table
 *
 * Thread: main, unless a function says otherwise.
 */
#ifndef SLUICE_CLI_BENCH_ACCOUNT_H
#define SLUICE_CLI_BENCH_ACCOUNT_H

#include "avro/codec.h"
#include "bench.h"

#define BENCH_LEDGER_SCHEMA "sluice_bench"
#define BENCH_ACCOUNT_MAX 40
#define BENCH_HOT_ACCOUNT "bench:hot"
#define BENCH_INSTANCES_MAX 4
#define BENCH_SET_SIZE 2000 /* transfers a transaction */
#define BENCH_SESSIONS 8    /* of one transaction a transfer */

struct account_pass {
    int instances;
    int64_t n;
    double booked_per_s;    /* committed by the ledger */
    double published_per_s; /* visible in account.flows */
    struct bench_cost cost; /* per 1,000 transfers */
};

struct account_bench {
    struct bench base; /* rows: transfers of each pass */
    int64_t accounts, http_rate;
    char *commands; /* topic with prefix */
    char *flows;    /* topic with prefix */
    struct avro_set *set;
    struct avro_encoder *enc;
    uint64_t random;
    struct bench_child relay, account[BENCH_INSTANCES_MAX], gateway;

    double set_per_s, set_hot_per_s, single_per_s, sessions_per_s;
    struct account_pass one, hot, three;
    struct bench_quantiles latency, http;
    int64_t http_failed;
    int64_t account_peak_kib, relay_peak_kib, gateway_peak_kib;
};

/* One transfer of 1 to 100 between two of the accounts; hot: to the one account without a limit. */
struct bench_transfer {
    char debit[BENCH_ACCOUNT_MAX], credit[BENCH_ACCOUNT_MAX];
    int64_t amount;
};
void bench_account_draw(struct account_bench *b, bool hot, struct bench_transfer *out);

/* --- bench_account_rows.c */
enum rc bench_account_refuse(struct account_bench *b, struct err *err) MUST_USE; /* REJECT: a ledger in use, roles */
enum rc bench_account_fill(struct account_bench *b, struct err *err) MUST_USE;
/* The copies go, the accounts and what was booked stay: the database is the bench's own. */
enum rc bench_account_clean(struct account_bench *b, struct err *err) MUST_USE;

/* --- bench_account_limit.c */
enum rc bench_account_limit(struct account_bench *b, struct err *err) MUST_USE;

/* --- bench_account_topic.c */
/* s->n commands whose events and transfers have the ids of s, as fast as it goes. */
enum rc bench_account_produce(struct account_bench *b, const struct bench_stamps *s, bool hot,
                              struct err *err) MUST_USE;
/* The same at the rate of s; ready is when each was due. */
enum rc bench_account_produce_at_rate(struct account_bench *b, struct bench_stamps *s, struct err *err) MUST_USE;

/* --- bench_account_drain.c */
enum rc bench_account_drain(struct account_bench *b, int instances, bool hot, struct account_pass *out,
                            struct err *err) MUST_USE;
/* At half of what one instance did. */
enum rc bench_account_latency(struct account_bench *b, struct err *err) MUST_USE;
enum rc bench_account_start(struct account_bench *b, int instances, struct err *err) MUST_USE;
void bench_account_stop(struct account_bench *b);

/* --- bench_account_http.c */
enum rc bench_account_http(struct account_bench *b, struct err *err) MUST_USE;

/* --- bench_account_report.c */
int bench_account_report(const struct account_bench *b);

#endif
