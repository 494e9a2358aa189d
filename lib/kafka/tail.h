/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the end of one partition's log: as much of it as it takes until the caller has found what it looks for.
 *
 * Thread: any; opens clients of its own and blocks, calling idle between short waits.
 */
#ifndef SLUICE_KAFKA_TAIL_H
#define SLUICE_KAFKA_TAIL_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"
#include "kafka/producer.h"

struct tail_options {
    const struct config *cfg;
    const char *client; /* client.id */
    const char *topic;  /* full name */
    int32_t partition;
    bool uncommitted;      /* also the records of transactions that are open or were aborted */
    bool whole;            /* up to the high watermark, waiting for what is open; else up to the last stable offset */
    int64_t offsets_max;   /* nothing before so many is read; 0 = no limit */
    producer_idle_fn idle; /* may be NULL */
    void *idle_opaque;

    /* restart(), then records in the order of the log; both once more, with all of them, when more has to be read.
     * take() may fail, which ends the reading. */
    void (*restart)(void *opaque);
    enum rc (*take)(void *opaque, const rd_kafka_message_t *msg, struct err *err);
    bool (*enough)(const void *opaque); /* asked at the end of the log: need nothing before be read? */
    void *opaque;
};

/*
 * RETRY: nobody answers, or the reading stood still for ten seconds (somebody's open transaction, perhaps). FATAL: the
 * topic may not be read. What take() and idle() return comes back as it is.
 */
enum rc kafka_tail_read(const struct tail_options *opt, struct err *err) MUST_USE;

#endif
