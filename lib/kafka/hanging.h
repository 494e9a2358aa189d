/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends what a producer's earlier transactions left hanging: decided by the coordinator, but without the control record
 * that tells the partition.
 *
 * How that comes about: Kafka 4 sends a decision to no partition that has no leader at that moment, takes it for
 * deleted and calls the transaction complete (TransactionMarkerChannelManager, "these partitions are likely deleted
 * already"). A broker that was killed and starts again has all partitions without a leader for some seconds, and by
 * then it has loaded, or made by time-out, decisions to send. What hangs in a partition holds back every read_committed
 * reader of it, and the next decision about a transaction of the same producer id is taken as one about both: aborted
 * records become committed ones, or the other way round.
 *
 * So, after init_transactions and before the next transaction: what the coordinator decided is read from its log, and
 * what hangs in those partitions is ended the same way, by transactions of the same id. A transaction needs a record in
 * each partition: one that says what it is for (hanging_is_closing_record) where any may stand, and what the caller
 * gives where not.
 *
 * Thread: that of the producer.
 */
#ifndef SLUICE_KAFKA_HANGING_H
#define SLUICE_KAFKA_HANGING_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/option.h"
#include "kafka/producer.h"

#define HANGING_KEY "sluice.closing"    /* key of a closing record, whose value is empty */
#define HANGING_HEADER "sluice.closing" /* and its header, with the value 1 */

struct hanging_options {
    const struct config *cfg;
    const char *transactional_id; /* the producer's */
    producer_idle_fn idle;        /* may be NULL */
    void *idle_opaque;

    /* The topic that says how far the stream is, written in every transaction: __consumer_offsets or one of ours. */
    const char *stands_in;
    /* Puts a record into the open transaction that may be committed there and changes nothing. */
    enum rc (*send_stand)(void *opaque, struct producer *p, struct err *err);
    void *opaque;
    /*
     * May closing records be committed to the other topics? Where others read them they may not. Then a commit of which
     * nothing at all seems to have arrived is taken back, since nobody can have seen it, and the caller finds its
     * stream where it was before; and what hangs in single partitions is left to the next transaction there.
     */
    bool may_commit_closing;
};

/*
 * Once per producer, after producer_init. *out_ended: partitions in which something was hanging and was ended.
 * Blocks for up to 3 s where somebody else's transaction is open, and longer while nobody answers, calling idle.
 * RETRY: nobody answers. FENCED, FATAL: as in producer.h. The producer is of no use after a failure. That the log of
 * the coordinator may not be read or is not understood is none: it is logged, and things are as they were without this.
 */
enum rc hanging_end(struct producer *p, const struct hanging_options *opt, size_t *out_ended, struct err *err) MUST_USE;

/* A record that only ended something: to be passed over. */
bool hanging_is_closing_record(const rd_kafka_message_t *msg);

#endif
