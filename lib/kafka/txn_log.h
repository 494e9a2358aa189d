/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the transaction coordinator has decided: the records of Kafka's own topic __transaction_state.
 *
 * Librdkafka 2.0.2 offers neither DescribeTransactions nor DescribeProducers (KIP-664), so the coordinator's log is
 * read itself. Its format is Kafka's TransactionLogKey and TransactionLogValue
 * (transaction-coordinator/src/main/resources), versions 0 and 1; brokers read each other's records in it, so it only
 * grows compatibly.
 */
#ifndef SLUICE_KAFKA_TXN_LOG_H
#define SLUICE_KAFKA_TXN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"
#include "kafka/producer.h"

#define TXN_LOG_TOPIC "__transaction_state"
#define TXN_LOG_TOPIC_NAME_MAX 249 /* Kafka's limit for a topic's name */
#define TXN_LOG_PARTS_MAX 4096     /* of one id, in the part of the log that is looked at */

/* A partition some transaction of the id wrote to. */
struct txn_log_part {
    char topic[TXN_LOG_TOPIC_NAME_MAX + 1];
    int32_t partition;
    bool committed; /* how the last transaction that wrote to it was decided */
    bool last;      /* it was in the very last transaction */
};

struct txn_log {
    struct txn_log_part *parts; /* heap */
    size_t n;
    size_t decisions; /* transactions seen */
};
void txn_log_done(struct txn_log *log);

/* Where records of the id stand: Kafka's Utils.abs(String.hashCode()) % n. Ids of sluice are ASCII. */
int32_t txn_log_partition(const char *transactional_id, int n_partitions);

/*
 * Takes one record of the id. Only decisions (PrepareCommit, PrepareAbort) count. REJECT: malformed, of a version that
 * is not known, or more partitions than TXN_LOG_PARTS_MAX; the text says which.
 */
enum rc txn_log_add(struct txn_log *log, const void *value, size_t n, struct err *err) MUST_USE;

/*
 * Reads what the coordinator decided about the last transactions of the id: at least the last one, when it is among the
 * last 100,000 offsets of its partition. After init_transactions all of them are decided. p is only asked for the
 * number of partitions. *out is initialised by the callee and the caller's to txn_log_done. RETRY: nobody answers.
 * FATAL: the topic may not be read, or is not understood.
 */
enum rc txn_log_read(const struct config *cfg, struct producer *p, const char *transactional_id, producer_idle_fn idle,
                     void *opaque, struct txn_log *out, struct err *err) MUST_USE;

#endif
