/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by dbproc.c (the loop), dbproc_consumer.c (Kafka), dbproc_parts.c (which partitions are ours and where they
 * stand) and dbproc_txn.c (one batch, one transaction).
 */
#ifndef SLUICE_RUNTIME_DBPROC_INTERNAL_H
#define SLUICE_RUNTIME_DBPROC_INTERNAL_H

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"
#include "runtime/dbproc.h"
#include "runtime/dbproc_batch.h"

enum dbproc_part_state {
    PART_WANTED, /* the group gave it to us; its row is to be taken at retry_at_ms */
    PART_OWNED,  /* the row has our epoch; records are read */
    PART_HALTED, /* row and log do not fit each other, `why` says how; looked at again at retry_at_ms */
};

struct dbproc_part {
    const struct dbproc_source *source;
    int32_t partition;
    enum dbproc_part_state state;
    int64_t epoch;
    int64_t next_offset;  /* as the row says */
    int64_t read_end;     /* all before it was handed out or is no record; from the end-of-partition event */
    int64_t group_offset; /* what Kafka's group was told last; -1 = nothing by us */
    int64_t retry_at_ms;
    int failures;
    char why[160];
    struct metric *lag;
};

/* A topic that is read. */
struct dbproc_source {
    const struct dbproc_topic *topic;
    char *name; /* full */
    struct metric *ok, *dead;
};

struct dbproc_metrics {
    struct metric *batch_rows, *batch_seconds, *fenced, *retries, *rebalances;
};

struct dbproc {
    struct role_ctx *ctx;
    const struct config *cfg;
    const struct dbproc_processor *proc;
    char *group; /* full name */
    struct dbproc_source sources[DBPROC_TOPICS_MAX];
    size_t n_sources;
    struct watch *watch;
    struct dbproc_metrics m;

    rd_kafka_t *rk;
    bool joined;        /* the group has given us something, perhaps nothing */
    bool assign_due;    /* what librdkafka reads is not what we own */
    bool kafka_away;    /* no broker answers */
    int64_t checked_ms; /* for one that does */
    char kafka_why[160];

    PGconn *conn;         /* NULL while there is no session */
    int failures;         /* in a row */
    int64_t failed_at_ms; /* the first of them */

    struct dbproc_part *parts; /* by topic name and partition: the order of locks */
    size_t n_parts, parts_max;
    size_t hit; /* where the last record was found */
    bool parts_changed;

    struct dbproc_batch batch;
    int64_t copied_ms;   /* last copy of positions to the group */
    int64_t advanced_ms; /* last time idle partitions were moved */
    int64_t ticked_ms;   /* last time the processor's own work was called */
};

/* The option role.name. */
int64_t dbproc_option(const struct dbproc *d, const char *name);

/* ---- dbproc_consumer.c ---- */

enum rc dbproc_consumer_open(struct dbproc *d, struct err *err) MUST_USE;
/* Leaves the group, bounded in time. */
void dbproc_consumer_close(struct dbproc *d);
/* Reads exactly the partitions that are owned, from their next offsets. No batch may be under way. */
enum rc dbproc_consumer_assign(struct dbproc *d, struct err *err) MUST_USE;
/* Fills the batch: waits up to wait_ms for the first record. FATAL: the client is dead. */
enum rc dbproc_consumer_gather(struct dbproc *d, int64_t wait_ms, struct err *err) MUST_USE;
/* Waits while there is nothing to read, serving the group. Returns early when stopping. */
enum rc dbproc_consumer_idle(struct dbproc *d, int64_t wait_ms, struct err *err) MUST_USE;
/* Tells the group where we are, for lag tools, and sets the lag metrics; at most once a second unless now. */
void dbproc_consumer_copy(struct dbproc *d, bool now);
/* The log's first and stable last offset. RETRY when nobody answers. */
enum rc dbproc_consumer_log(struct dbproc *d, const struct dbproc_part *p, int64_t *out_start, int64_t *out_end,
                            struct err *err) MUST_USE;
/* What the group was last told of these partitions, -1 = nothing. RETRY when nobody answers. */
enum rc dbproc_consumer_committed(struct dbproc *d, struct err *err) MUST_USE;

/* ---- dbproc_parts.c ---- */

void dbproc_parts_set(struct dbproc *d, const rd_kafka_topic_partition_list_t *list);
void dbproc_parts_clear(struct dbproc *d);
/* NULL = not ours. */
struct dbproc_part *dbproc_parts_find(struct dbproc *d, const char *topic, int32_t partition);
/* The state's one door. wait_ms: until it is looked at again. */
void dbproc_part_set(struct dbproc *d, struct dbproc_part *p, enum dbproc_part_state state, int64_t wait_ms,
                     const char *why);
/* All owned ones must be taken again: the session is gone. */
void dbproc_parts_lost(struct dbproc *d, const char *why);
bool dbproc_parts_due(const struct dbproc *d);
/* Takes the rows of those that are due. RETRY: the session or Kafka are away. */
enum rc dbproc_parts_take(struct dbproc *d, struct err *err) MUST_USE;
void dbproc_parts_ready(struct dbproc *d);

/* ---- dbproc_txn.c ---- */

/*
 * Brings the rest of the batch to its end. RETRY: what is not done yet is still in the batch (the session may be gone).
 * Partitions that were lost on the way are wanted again and their records dropped.
 */
enum rc dbproc_txn_batch(struct dbproc *d, struct err *err) MUST_USE;
/* The processor's own work, when it is due. */
enum rc dbproc_txn_tick(struct dbproc *d, struct err *err) MUST_USE;
/* Moves positions over what is no record, where nothing else moved them. */
enum rc dbproc_txn_idle(struct dbproc *d, struct err *err) MUST_USE;

#endif
