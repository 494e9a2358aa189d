/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime of database processors: records of a topic become rows, and each record takes effect exactly once.
 *
 * The position of each partition is a row of sluice_positions that moves in the same transaction as the effects. It has
 * an epoch: taking a partition raises it, and a batch commits only while its epoch and its start are still those of the
 * row, so whoever was overtaken (paused, cut off, assigned twice) changes nothing. Kafka's committed offset is a copy
 * for lag tools and never a position.
 *
 * The runtime owns polling, the transaction, the position, repetition and dead letters. A processor is a function that
 * gets a batch and reacts:
 *
 *     RC_OK      its effects, the dead letters it asked for and the position are committed together
 *     RC_RETRY   everything is rolled back and the same records come again after a backoff
 *     RC_REJECT  one of the records can never work, it is not known which: rolled back, then halves of the batch are
 *                tried until the record stands alone; it becomes a dead letter, the others end as if it had not been
 *     RC_FENCED  rolled back, the partitions are dropped
 *     RC_FATAL   rolled back, the process ends
 *
 * A processor that can tell a bad record itself names it with dbproc_reject() and goes on with the others.
 * A processor must not end the transaction: that is noticed and ends the process. A batch of one record takes the same
 * path as one of a thousand. Lock rows in one order everywhere (by id), or deadlocks will repeat batches.
 *
 * What this does not exclude is the same business event at two offsets (a producer outside sluice sends twice, somebody
 * copies records by hand): a processor for which that matters needs an idempotency key in its tables.
 *
 * Thread: everything, the processor included, runs in the thread that called dbproc_run().
 */
#ifndef SLUICE_RUNTIME_DBPROC_H
#define SLUICE_RUNTIME_DBPROC_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"
#include "kafka/producer.h"
#include "runtime/role.h"

#define DBPROC_TOPICS_MAX 8

/* One record; everything lives as long as the batch. */
struct dbproc_event {
    const char *topic; /* full name */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 = the record has none */
    const char *key;      /* NULL = no key */
    size_t key_len;
    const void *value; /* NULL = tombstone */
    size_t value_len;
    const struct producer_header *headers; /* value NULL = header without one */
    size_t n_headers;
};

/* Which records of the batch become dead letters. */
struct dbproc_verdicts;
/* Record i becomes a dead letter. class: static, of few values ("malformed"); text is copied. The first one counts. */
void dbproc_reject(struct dbproc_verdicts *v, size_t i, const char *class, const char *text);

struct dbproc_processor {
    const char *role; /* "sink": log area, application_name, stage of dead letters */
    void *self;
    /* A new session: settings, checks of the schema. May be NULL. RETRY: closed and tried again. */
    enum rc (*session)(void *self, PGconn *conn, struct err *err);
    /*
     * The effects of events[0..n), in this order, within the transaction that is open on conn. n >= 1. May be called
     * again for the same records: nothing outside of the transaction may be changed.
     */
    enum rc (*apply)(void *self, PGconn *conn, const struct dbproc_event *events, size_t n, struct dbproc_verdicts *v,
                     struct err *err);
    /* What the last apply did (or `dead`, where there is one) is committed: the place to count it. May be NULL. */
    void (*committed)(void *self);
    /*
     * A record stands alone, apply has rejected it and it becomes a dead letter: what else has to be written about it,
     * within the transaction that moves the position over it, in which apply's effects are rolled back. Where apply
     * names the record itself (dbproc_reject) this is not called. May be NULL.
     */
    enum rc (*dead)(void *self, PGconn *conn, const struct dbproc_event *event, struct err *err);
    /*
     * About once a second between batches, outside of any transaction and whether there are records or not: for work
     * that time asks for. It may open transactions and must end them. RETRY and REJECT are logged and tried again with
     * the next tick (a lost session is repaired first), the others end the process. May be NULL.
     */
    enum rc (*tick)(void *self, PGconn *conn, struct err *err);
};

struct dbproc_topic {
    const char *name; /* without prefix */
    const char *dlq;  /* where its dead letters go, without prefix */
};

/*
 * The rows every database processor has in its option table; the table's other rows are behind or before them by name:
 *
 *     static const struct option OPTIONS[] = {DBPROC_OPTIONS("sink")};
 */
#define DBPROC_OPTIONS(role) DBPROC_OPTIONS_ROWS(role, "500")
/* With another number of records for a batch. */
#define DBPROC_OPTIONS_ROWS(role, rows)                                                                            \
    {.name = role ".batch.bytes.max",                                                                              \
     .type = OPTION_INT,                                                                                           \
     .value = "8388608",                                                                                           \
     .min = 65536,                                                                                                 \
     .max = 268435456,                                                                                             \
     .help = "Bytes of keys, values and headers that end a batch."},                                               \
        {.name = role ".batch.rows.max",                                                                           \
         .type = OPTION_INT,                                                                                       \
         .value = rows,                                                                                            \
         .min = 1,                                                                                                 \
         .max = 10000,                                                                                             \
         .help = "Records that end a batch; a batch is one transaction."},                                         \
        {.name = role ".batch.wait.ms",                                                                            \
         .type = OPTION_INT,                                                                                       \
         .value = "5",                                                                                             \
         .min = 0,                                                                                                 \
         .max = 10000,                                                                                             \
         .help = "Milliseconds for which a batch that has begun waits for further records."},                      \
        {.name = role ".group",                                                                                    \
         .type = OPTION_STRING,                                                                                    \
         .value = "sluice-" role,                                                                                  \
         .max = 128,                                                                                               \
         .choices = "a-zA-Z0-9._-",                                                                                \
         .help = "Consumer group, behind topic.prefix; instances of one group share the partitions. Positions "    \
                 "belong to it: another name reads everything again."},                                            \
        {.name = role ".lock.timeout.ms",                                                                          \
         .type = OPTION_INT,                                                                                       \
         .value = "5000",                                                                                          \
         .min = 100,                                                                                               \
         .max = 600000,                                                                                            \
         .help = "Milliseconds to wait for a row that somebody else has locked; then the batch is repeated."},     \
        {.name = role ".session.timeout.ms",                                                                       \
         .type = OPTION_INT,                                                                                       \
         .value = "10000",                                                                                         \
         .min = 1000,                                                                                              \
         .max = 1800000,                                                                                           \
         .help = "Milliseconds without a sign of life after which the group gives the partitions to others; also " \
                 "how long PostgreSQL keeps the open transaction of an instance that has frozen."},                \
    {                                                                                                              \
        .name = role ".statement.timeout.ms", .type = OPTION_INT, .value = "30000", .min = 1000, .max = 240000,    \
        .help = "Milliseconds after which a statement is cancelled and its batch repeated."                        \
    }

/*
 * Runs until the role stops (OK: the last batch is finished, the group left) or cannot go on. Kafka or PostgreSQL being
 * away is waited out and shown in /readyz. The options above must be in the configuration under proc->role.
 */
enum rc dbproc_run(struct role_ctx *ctx, const struct dbproc_topic *topics, size_t n_topics,
                   const struct dbproc_processor *proc, struct err *err) MUST_USE;

/* The full name of the group of the database processor with that role; heap memory the caller frees. Its options must
 * be in the configuration. */
char *dbproc_group_name(const struct config *cfg, const char *role) MUST_USE;

#endif
