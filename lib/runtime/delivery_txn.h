/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that talks in transactions for a delivery processor: one job at a time, the loop goes on meanwhile.
 *
 * Why a thread and not slices of a few milliseconds in the loop: send_offsets_to_transaction blocks and cannot be
 * resumed, and librdkafka 2.0.2 ends the process when commit_transaction is resumed in short slices (see producer.c).
 * The thread has the producer to itself; the consumer it only asks (group metadata, committed offsets, watermarks,
 * whether the assignment is lost), which librdkafka allows from any thread.
 *
 * TXN_OPEN    create the producer, check that the topics exist, init_transactions
 * TXN_TAKE    find where partitions stand. A partition the group has never committed gets its log start committed
 *             (counter 0) and is then noted in PostgreSQL; noted, but without a committed offset: TXN_PART_LOST
 * TXN_COMMIT  records and offsets in one transaction. A result that is unknown is found out: new producer,
 *             init_transactions, read the committed offsets, compare the counters
 *
 * Reactions of a job: OK; RETRY: nothing was committed, the same job may be submitted again; FENCED: somebody else has
 * moved the offsets, or the job was cancelled: forget it; FATAL.
 * What PostgreSQL or Kafka being away stops is waited for inside, until txn_cancel().
 *
 * Thread: functions from the loop's thread only; done() is called in the other one.
 */
#ifndef SLUICE_RUNTIME_DELIVERY_TXN_H
#define SLUICE_RUNTIME_DELIVERY_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"
#include "kafka/producer.h"
#include "runtime/delivery_slot.h"

enum txn_kind { TXN_OPEN, TXN_TAKE, TXN_COMMIT };

enum txn_part_state {
    TXN_PART_OK,
    TXN_PART_LOST,   /* noted in PostgreSQL and yet without a committed offset */
    TXN_PART_UNKNOWN /* not looked at */
};

struct txn_part {
    int32_t partition;
    int64_t offset;      /* COMMIT: to be committed; TAKE: found */
    int64_t counter;     /* COMMIT: of this commit */
    char *metadata;      /* heap, text */
    size_t metadata_len; /* may hold anything when found */
    enum txn_part_state state;
};

struct txn_job {
    enum txn_kind kind;
    struct txn_part *parts; /* heap */
    size_t n_parts;
    struct producer_record *records; /* heap; what they point to must live until the job is done */
    size_t n_records;
    bool one_by_one; /* wait for each record, to know exactly which one is refused */
    bool proves;     /* the caller's: submitted to prove the membership */

    enum rc rc;
    struct err err;
    int64_t refused; /* a record the broker does not take, -1 = none */
    int n_refused;
    bool resolved;   /* the result had been unknown */
    int recreated;   /* producers made anew */
    int64_t took_ms; /* from begin to commit */
};
struct txn_job *txn_job_free(struct txn_job *job); /* accepts NULL, returns NULL */

struct txn_options {
    const struct config *cfg;
    const char *client;           /* client.id */
    const char *transactional_id; /* stable while it runs */
    int transaction_timeout_ms;
    rd_kafka_t *consumer;
    struct slot *slot;
    const char *group;
    const char *topic;         /* full name of the input */
    const char *const *topics; /* full names that must exist, NULL at the end */
    void (*done)(void *opaque);
    void *opaque;
    /* For tests: called in the thread after the offsets are sent (committed false) and after the commit (true); what it
     * returns is taken for the result. NULL otherwise. */
    enum rc (*fault)(void *opaque, bool committed, struct err *err);
};

struct txn;

enum rc txn_start(const struct txn_options *opt, struct txn **out_txn, struct err *err) MUST_USE;
/* Cancels, waits for the thread and frees; accepts NULL, returns NULL. */
struct txn *txn_stop(struct txn *t);

void txn_submit(struct txn *t, struct txn_job *job); /* not while busy */
bool txn_busy(const struct txn *t);
void txn_set_consumer(struct txn *t, rd_kafka_t *consumer); /* another one instead; not while busy */
struct txn_job *txn_take_done(struct txn *t); /* the finished job, which is then the caller's; NULL = none */
/* The job under way is not wanted any more: it ends soon, whatever it waits for; its result counts for nothing. */
void txn_cancel(struct txn *t);

#endif
