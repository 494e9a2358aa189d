/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sluice bench relay`: the relay measured beside the limit of the machine, in the same run. What it shares with
 * `sluice bench callback` and `sluice bench account` (bench_callback.h, bench_account.h) is in here too.
 *
 *     bench.c          the run, step by step
 *     bench_fill.c     rows into the outbox, and out again
 *     bench_child.c    a role as a process of its own, its metrics
 *     bench_child_env.c  the child's environment: ours, with what stood on our command line
 *     bench_drain.c    how fast it empties the outbox
 *     bench_raw.c      the limit: a bare transactional producer of the same records
 *     bench_raw_topic.c  the topic it writes to, and the records it repeats
 *     bench_reader.c   a read_committed consumer
 *     bench_latency.c  from commit to visible: writers, stamps, percentiles
 *     bench_writers.c  sessions that write single rows at a rate
 *     bench_proc.c     what /proc knows: processor seconds, memory, the broker's process
 *     bench_report.c   the table
 *
 * Every wait has an upper bound and ends early after Ctrl-C. Thread: main, unless a function says otherwise.
 */
#ifndef SLUICE_CLI_BENCH_H
#define SLUICE_CLI_BENCH_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/mem.h"
#include "command.h"
#include "kafka/producer.h"
#include "pg/conn.h"
#include "progress.h"

#define BENCH_SOURCE "callback"
#define BENCH_TABLE "cs_platform_event_outbox"
#define BENCH_TOPIC "callback.events"
#define BENCH_RAW_TOPIC "sluice.bench.raw"
#define BENCH_PLATFORM "sluice-bench" /* marks our rows */
#define BENCH_EVENT "sluice.bench"
#define BENCH_KEYS 1000
#define BENCH_TARGET "https://bench.invalid/"
#define BENCH_PARTITIONS_MAX 256
#define BENCH_RAW_SIZES 3
#define BENCH_KEY_MAX 48
#define BENCH_NUMBER_MAX 32
#define BENCH_TARGET_MAX 64
#define BENCH_ADDRESS_MAX 32

struct bench_machine {
    char cpu[128];
    int cores;
    char postgres[64];
    char kafka[32]; /* "" = not known */
};

/* Processor seconds of processes; -1 = not known, or not a part of it. */
struct bench_cost {
    double relay, callback, sink, account, gateway, notify, push, postgres, broker;
};

/* Figures that could not be had are -1. */
struct bench_drain {
    int64_t rows;
    double seconds;
    double rows_per_s;
    struct bench_cost cost; /* per million rows */
};

struct bench_limit {
    int64_t sizes[BENCH_RAW_SIZES];
    double rows_per_s[BENCH_RAW_SIZES];
    double best;
    int64_t best_size;
};

struct bench_quantiles {
    int64_t n;
    double p50_ms, p99_ms, max_ms;
    double rate; /* records/s that were really written */
};

struct bench {
    const struct cli *cli;
    int64_t rows, payload, seconds, rate;
    char *topic;     /* with prefix */
    char *raw_topic; /* with prefix */
    int partitions;
    PGconn *conn;
    struct progress bar;

    struct bench_machine machine;
    struct bench_drain drain;
    struct bench_limit limit;
    struct bench_quantiles latency, floor;
    int writers;
    int64_t relay_peak_kib; /* over both runs of the relay */
};

/* --- bench.c */
void bench_catch_signals(void);
/* RETRY after Ctrl-C, or when the deadline (clock_mono_ms) has passed: "what: not done within ..." */
enum rc bench_check(int64_t deadline_ms, const char *what, struct err *err) MUST_USE;
bool bench_interrupted(void); /* Thread: any */
/* A step that stops moving fails. Begins as {.best = -1}. */
struct bench_stall {
    int64_t best, moved_ms;
};
enum rc bench_moving(struct bench_stall *s, int64_t n, const char *what, struct err *err) MUST_USE;
/* A session of the bench; statement_timeout_ms 0 = none. */
enum rc bench_db(const struct bench *b, int64_t statement_timeout_ms, PGconn **out_conn, struct err *err) MUST_USE;
/* A line with a bar on a terminal. total 0 ends it. */
void bench_progress(struct bench *b, const char *what, int64_t done, int64_t total);

/* --- bench_fill.c */
enum rc bench_refuse(const struct bench *b, struct err *err) MUST_USE; /* REJECT: rows (unless --yes), a relay */
enum rc bench_fill(struct bench *b, int64_t *out_last_seq, struct err *err) MUST_USE;
enum rc bench_clean(const struct bench *b, struct err *err) MUST_USE; /* our rows only */

/* --- bench_child.c */
struct bench_child {
    const char *role;   /* static */
    const char *source; /* static: the relay's that is measured; NULL for other roles */
    const char *log;    /* static: the flag */
    pid_t pid;          /* 0 = none */
    char http[BENCH_ADDRESS_MAX];
};
struct bench_setting {
    const char *name, *value;
};
struct bench_metrics {
    double owner, published, last_seq, dead;
};
/* The relay; returns when it owns the source, "callback". */
enum rc bench_child_start(const struct bench *b, const char *source, struct bench_child *c, struct err *err) MUST_USE;
/* Any role, with n more variables in its environment; returns when it is ready. */
enum rc bench_role_start(const struct bench *b, const char *role, const struct bench_setting *more, size_t n,
                         struct bench_child *c, struct err *err) MUST_USE;
/* RETRY: it has ended. */
enum rc bench_child_alive(struct bench_child *c, struct err *err) MUST_USE;
/* Of the relay's source. */
enum rc bench_child_metrics(struct bench_child *c, struct bench_metrics *out, struct err *err) MUST_USE;
/* The value of one series, `name{label="value"}`; 0 when it is not there. */
enum rc bench_child_metric(struct bench_child *c, const char *series, double *out, struct err *err) MUST_USE;
/* A port of 127.0.0.1 that nobody listens on at this moment. */
enum rc bench_free_address(char out[BENCH_ADDRESS_MAX], struct err *err) MUST_USE;
/* SIGTERM, after a while SIGKILL. *peak_kib becomes its peak memory where that is more. Harmless when there is none. */
void bench_child_stop(struct bench_child *c, int64_t *peak_kib);

/* --- bench_child_env.c */
/* NULL-terminated; each string and the list are freed with bench_env_free. */
char **bench_env(const struct config *cfg, char **envp, const struct bench_setting *more, size_t n) MUST_USE;
void bench_env_free(char **env);

/* --- bench_drain.c */
enum rc bench_run_drain(struct bench *b, int64_t last_seq, struct err *err) MUST_USE;
/* Fills a topic with the relay's own records: it runs until n rows of the source are published, and ends. relay: the
 * caller stops it after an error. */
enum rc bench_publish(struct bench *b, const char *source, int64_t n, struct bench_child *relay, int64_t *peak_kib,
                      struct err *err) MUST_USE;

/* --- bench_raw_topic.c: records of this run, kept in memory to be produced again */
struct bench_samples {
    struct arena arena;
    struct producer_record *list; /* topic is the raw one */
    int64_t n, max;
    size_t bytes;
};
void bench_samples_done(struct bench_samples *s);
/* Waits until the topic is there. */
enum rc bench_raw_topic_create(const struct bench *b, struct err *err) MUST_USE;
enum rc bench_raw_topic_delete(const struct bench *b, struct err *err) MUST_USE;
/* from[partition]: where this run's records begin. */
enum rc bench_take_samples(struct bench *b, const int64_t *from, struct bench_samples *s, struct err *err) MUST_USE;

/* --- bench_raw.c */
/* A transactional producer that ends at the deadline (clock_mono_ms), which the caller keeps and may move, and on
 * Ctrl-C. */
enum rc bench_producer_open(const struct bench *b, const char *transactional_id, int64_t *deadline_ms,
                            struct producer **out, struct err *err) MUST_USE;
void bench_producer_closep(struct producer **p);
enum rc bench_run_limit(struct bench *b, const struct bench_samples *s, struct err *err) MUST_USE;

/* --- bench_reader.c */
struct bench_reader {
    rd_kafka_t *rk;
};
typedef void (*bench_record_fn)(const rd_kafka_message_t *msg, void *opaque);
/* The ends of all partitions; *out_n counts them. */
enum rc bench_ends(const struct bench *b, const char *topic, int64_t *out_ends, int *out_n, struct err *err) MUST_USE;
enum rc bench_reader_open(const struct bench *b, const char *topic, const int64_t *from, int n, struct bench_reader *r,
                          struct err *err) MUST_USE;
/* Waits up to wait_ms for the first record, then gives all that are there to fn. Thread: one per reader. */
enum rc bench_reader_poll(struct bench_reader *r, int wait_ms, bench_record_fn fn, void *opaque,
                          struct err *err) MUST_USE;
void bench_reader_close(struct bench_reader *r);

/* --- bench_latency.c and bench_writers.c */
struct bench_stamps {
    int64_t n;      /* records, with the first second */
    int64_t skip;   /* the first second's: warm-up, not counted */
    uint32_t run;   /* in the ids: those of other runs do not count */
    int64_t *ready; /* microseconds: committed, or due */
    int64_t *seen;  /* microseconds: by the consumer; 0 = not yet */
    atomic_llong n_seen;
    int64_t start_us;
    int64_t rate;
    int64_t stride; /* only each stride-th record is counted; 0 = all */
    /* Key and target of record i; NULL = the bench's own. Thread: any. */
    void (*route)(const void *opaque, int64_t i, char key[BENCH_KEY_MAX], char target[BENCH_TARGET_MAX]);
    const void *opaque;
};
#define BENCH_ID_MAX 40
/* The id of record i as an uuid. Thread: any. */
void bench_id(const struct bench_stamps *s, int64_t i, char out[BENCH_ID_MAX]);
/* The number in an id of this run, n bytes; -1 = not one of ours. Thread: any. */
int64_t bench_id_number(const struct bench_stamps *s, const char *id, size_t n);
void bench_stamps_init(struct bench_stamps *s, int64_t n);
void bench_stamps_done(struct bench_stamps *s);
int64_t bench_due_us(const struct bench_stamps *s, int64_t i);
void bench_sleep_until(int64_t mono_us); /* Thread: any */
enum rc bench_wait_for_last(struct bench_stamps *s, struct err *err) MUST_USE;
void bench_evaluate(const struct bench_stamps *s, struct bench_quantiles *out);
/* Something is written, and a consumer thread stamps what becomes visible. */
struct bench_watched {
    const char *topic;
    /* The number of a record; -1 = not one of ours. Thread: the consumer's. */
    int64_t (*number)(const struct bench_stamps *s, const rd_kafka_message_t *msg, void *opaque);
    enum rc (*write)(struct bench_stamps *s, void *opaque, struct err *err);
    void *opaque;
};
/* From the topic's end on, until all of s was seen. */
enum rc bench_watch(const struct bench *b, const struct bench_watched *w, struct bench_stamps *s,
                    struct err *err) MUST_USE;
enum rc bench_run_latency(struct bench *b, struct err *err) MUST_USE;
enum rc bench_run_floor(struct bench *b, const struct bench_samples *samples, struct err *err) MUST_USE;
/* The two ways to write: rows by sessions of their own, records by a bare producer. */
enum rc bench_write_rows(struct bench *b, struct bench_stamps *s, struct err *err) MUST_USE;
enum rc bench_write_records(struct bench *b, struct bench_stamps *s, const struct bench_samples *samples,
                            struct err *err) MUST_USE;

/* --- bench_proc.c */
double bench_cpu_seconds(pid_t pid);  /* user and system; -1 = gone */
int64_t bench_peak_kib(pid_t pid);    /* VmHWM; -1 = gone */
int64_t bench_rss_kib(pid_t pid);     /* VmRSS; -1 = gone */
int64_t bench_descriptors(pid_t pid); /* that are open; -1 = gone */
/* The process that listens on the first broker's port on this machine; 0 = not found. Fills the version from its jars.
 */
pid_t bench_broker(const struct config *cfg, char *version, size_t version_size);
void bench_machine_look(struct bench *b);

/* Processor seconds of the sessions whose application_name is LIKE pattern, the bench's own apart; -1 when the server
 * is elsewhere or there are none. */
double bench_session_cpu(const struct bench *b, const char *pattern);
double bench_child_cpu(const struct bench_child *c); /* -1 = none runs */
/* What sessions (as above) and the broker have taken so far; the roles are the caller's to fill in. */
struct bench_cost bench_cost_now(const struct bench *b, const char *pattern);
/* From before to after, for each `per` of n. */
struct bench_cost bench_cost_of(const struct bench_cost *before, const struct bench_cost *after, int64_t n, double per);

/* --- bench_report.c */
int bench_report(const struct bench *b);
const char *bench_grouped(double value, char out[BENCH_NUMBER_MAX]); /* 1234567 as 1,234,567 */
double bench_ratio(double a, double b);                              /* 0 when b is 0 */
void bench_json_number(struct buf *out, const char *name, double value, const char *end);
void bench_json_quantiles(struct buf *out, const char *name, const struct bench_quantiles *q, const char *end);
/* A line whose name and rate are so wide. */
void bench_text_quantiles(struct buf *out, int name_width, int rate_width, const char *name,
                          const struct bench_quantiles *q);
void bench_text_machine(const struct bench *b, struct buf *out);
void bench_json_machine(const struct bench *b, struct buf *out);
/* One of the two, as --json says, goes to stdout; of is what they get. The command's exit code. */
typedef void (*bench_print_fn)(const void *of, struct buf *out);
int bench_print(const struct cli *cli, bench_print_fn text, bench_print_fn json, const void *of);

#endif
