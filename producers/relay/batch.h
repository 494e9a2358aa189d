/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Kafka transaction's worth of rows, encoded. The batch outlives an aborted transaction, so that the same rows in
 * the same order can be produced again without reading or encoding anything twice.
 *
 * A row that cannot be published is kept in its place as a dead letter: its neighbours pass, and nothing is dropped.
 */
#ifndef SLUICE_RELAY_BATCH_H
#define SLUICE_RELAY_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/codec.h"
#include "base/mem.h"
#include "kafka/producer.h"
#include "relay/source.h"
#include "relay/window.h"

#define OUTCOME_SHARED_MAX 8
#define RAW_EXTRA_BYTES 57344 /* a raw row was a full record before it got the headers that say why it is here */

struct dead {
    const char *class;   /* low cardinality: too-large, unknown-topic, forbidden-topic, invalid-value, invalid-key,
                            invalid-headers, invalid-partition, refused */
    const char *message; /* arena */
};

struct row {
    int64_t seq;
    int64_t time_us;
    const char *id, *type, *topic; /* topic: full name */
    const char *key;
    size_t key_len;
    const void *value; /* framed; the payload's text when it could not be encoded */
    size_t value_len;
    bool framed;
    int64_t full_len;                        /* of the payload when value is cut, else 0 */
    const char *sha256;                      /* of the payload when value is cut */
    const char *headers[SOURCE_HEADERS_MAX]; /* NULL = none */
    const struct producer_header *own;       /* of a raw source: all headers */
    size_t n_own;
    int32_t partition;                      /* RD_KAFKA_PARTITION_UA = by key */
    const char *shared[OUTCOME_SHARED_MAX]; /* columns the outcome record repeats; NULL = none */
    const struct dead *dead;                /* NULL = publish */
    rd_kafka_resp_err_t refused;            /* by the broker in the last try, perhaps only for its neighbours */
    const void *outcome;                    /* framed outcome record of a dead row, NULL = none */
    size_t outcome_len;
};

struct batch_limits {
    int64_t rows_max;
    int64_t bytes_max;
    int64_t record_bytes_max; /* key, value and headers of one record */
};

struct batch;

/* Encoders, topic names and memory for one source. src, set and cfg must outlive it. */
enum rc batch_create(const struct config *cfg, const struct source *src, const struct avro_set *set,
                     const struct batch_limits *limits, struct batch **out_batch, struct err *err) MUST_USE;
struct batch *batch_free(struct batch *b); /* accepts NULL, returns NULL */

void batch_reset(struct batch *b);
int64_t batch_rows(const struct batch *b);
int64_t batch_last_seq(const struct batch *b); /* 0 when empty */
const struct row *batch_row(const struct batch *b, int64_t i);

/* A window_row_fn; opaque is the batch. Stops when the batch is full. Never fails for what a row holds. */
enum rc batch_add(const struct row_cells *cells, void *opaque, bool *stop, struct err *err) MUST_USE;

/* Looks for topics that do not exist; their rows become dead letters. RETRY when the broker does not answer. */
enum rc batch_check_topics(struct batch *b, struct producer *p, struct err *err) MUST_USE;

/* Makes row i a dead letter (the broker refused it). */
void batch_kill(struct batch *b, int64_t i, const char *class, const char *message);

/* The same for the suspects of row i's topic that are at least as large: the broker would refuse them as it refused i.
 */
void batch_kill_larger(struct batch *b, int64_t i, const char *class, const char *message);

/*
 * Sends every row; tags are row numbers. REJECT: row *out_bad cannot be sent; kill it, abort and send again.
 *
 * A broker refuses whole batches of the protocol, so rows that were refused last time (batch_refused) are now sent one
 * by one: then it is known which of them is to blame.
 */
enum rc batch_send(struct batch *b, struct producer *p, int64_t *out_bad, struct err *err) MUST_USE;

/* For producer_refused_fn: the record with this tag was refused. */
void batch_refused(struct batch *b, int64_t tag, rd_kafka_resp_err_t why);

/* Rows refused in the last try. */
int64_t batch_count_refused(const struct batch *b);

/* Full names of the topics the source needs in any case (own topic if fixed, dlq, outcomes); NULL-terminated, belongs
 * to b. */
const char *const *batch_required_topics(const struct batch *b);

#endif
