/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the database processors' runtime: the records of one batch, copied, and which of them are dead. */
#ifndef SLUICE_RUNTIME_DBPROC_BATCH_H
#define SLUICE_RUNTIME_DBPROC_BATCH_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "runtime/dbproc.h"

struct dbproc_verdict {
    const char *class; /* NULL = not rejected */
    const char *text;
};

struct dbproc_verdicts {
    struct arena *arena;
    struct dbproc_verdict *list;
    size_t n;
};

/*
 * Records in the order in which they came, so that any part [from, to) of a batch is contiguous in each partition.
 * Those before `done` are committed.
 */
struct dbproc_batch {
    struct arena arena;
    struct dbproc_event *events;
    uint32_t *part; /* of each event: index into the table of partitions */
    struct dbproc_verdict *verdicts;
    size_t n, n_max;
    size_t done;
};

void dbproc_batch_init(struct dbproc_batch *b, size_t n_max);
void dbproc_batch_done(struct dbproc_batch *b);
void dbproc_batch_clear(struct dbproc_batch *b);
static inline bool dbproc_batch_full(const struct dbproc_batch *b, size_t bytes_max)
{
    return b->n == b->n_max || b->arena.used_bytes >= bytes_max;
}
/* Copies a record (a message pins the whole answer of the broker it came in). topic must outlive the batch. */
void dbproc_batch_add(struct dbproc_batch *b, const rd_kafka_message_t *msg, const char *topic, uint32_t part);
/* Removes the records of a partition that are not committed yet. */
void dbproc_batch_drop(struct dbproc_batch *b, uint32_t part);

#endif
