/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the transaction thread: what delivery_txn*.c share. */
#ifndef SLUICE_RUNTIME_DELIVERY_TXN_INTERNAL_H
#define SLUICE_RUNTIME_DELIVERY_TXN_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/delivery_txn.h"

struct txn {
    struct txn_options opt;
    pthread_t thread;
    pthread_mutex_t lock; /* todo, finished, stop */
    pthread_cond_t wake;
    struct txn_job *todo;
    struct txn_job *finished;
    bool stop;
    bool busy; /* the loop's */
    _Atomic bool cancelled;

    struct producer *producer; /* the thread's; NULL = to be made anew */
    struct txn_job *job;       /* the thread's: under way */
    bool fenced_once;          /* the last producer ended as fenced: ask PostgreSQL before fencing back */
    int64_t fenced_ms;
    int64_t lost_ms; /* when it was seen, without a job, that brokers were away; 0 = they were not */
};

/* FENCED when the job is not wanted any more. */
enum rc txn_wanted(const struct txn *t, struct err *err) MUST_USE;
/* Waits ms; FENCED as above. */
enum rc txn_pause(const struct txn *t, int64_t ms, struct err *err) MUST_USE;

/* A producer past init_transactions, with nothing of earlier transactions left hanging. */
enum rc txn_need_producer(struct txn *t, struct err *err) MUST_USE;
/* Forgets a producer that is of no use any more; rc says why. */
void txn_drop_producer(struct txn *t, enum rc rc);

/* After init_transactions: ends what earlier transactions left hanging. RETRY, FENCED, FATAL: drop the producer. */
enum rc txn_end_hanging(struct txn *t, struct err *err) MUST_USE;

/* begin, records, offsets, commit. RETRY: to be aborted; FENCED, FATAL: the result is unknown. */
enum rc txn_transaction(struct txn *t, struct txn_job *job, struct err *err) MUST_USE;
/* The committed offsets of job's partitions into found[] (metadata on the heap); offset < 0 = none. */
enum rc txn_committed(struct txn *t, const struct txn_part *parts, size_t n, struct txn_part *found,
                      struct err *err) MUST_USE;

enum rc txn_take(struct txn *t, struct txn_job *job, struct err *err) MUST_USE;
enum rc txn_commit(struct txn *t, struct txn_job *job, struct err *err) MUST_USE;

#endif
