/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transactional producer: one per ordered stream, with a stable transactional id.
 *
 * Reactions of every function here:
 *   RETRY   the transaction must be aborted with producer_abort and may then be built again from the same records
 *   FENCED  the producer is dead, perhaps because another instance took over: destroy it, forget positions, start over
 *   FATAL   the producer is dead for another reason: the same reaction
 * Order of decisions: fenced, fatal, abortable, retriable (retried inside), anything else is fatal. FENCED does not
 * prove a rival: the broker's own transaction time-out looks the same.
 *
 * Blocking calls wait in slices of at most a second (see producer_set_slice) and call `idle` between them, which keeps
 * the database session of the caller alive and may give up by returning anything but RC_OK.
 *
 * Records given with producer_send must stay valid until the transaction is committed or aborted (no copies are made).
 *
 * Thread: one thread per producer.
 */
#ifndef SLUICE_KAFKA_PRODUCER_H
#define SLUICE_KAFKA_PRODUCER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

#define PRODUCER_SLICE_MS 250

struct producer;

typedef enum rc (*producer_idle_fn)(void *opaque, struct err *err);

/* Called while the producer is served, for each record the broker refused for good. */
typedef void (*producer_refused_fn)(void *opaque, int64_t tag, rd_kafka_resp_err_t why);

struct producer_options {
    const char *client;           /* client.id */
    const char *transactional_id; /* stable for the stream */
    int transaction_timeout_ms;   /* the broker aborts what is open longer than this */
    producer_idle_fn idle;        /* may be NULL */
    producer_refused_fn refused;  /* may be NULL */
    void *opaque;
    int commit_slice_ms; /* longest wait inside of commit, abort and init between calls of idle; 0 = one second
                          */
};

/* One header; value is text. */
struct producer_header {
    const char *name;
    const char *value;
    size_t value_len;
};

struct producer_record {
    const char *topic; /* full name */
    int32_t partition; /* RD_KAFKA_PARTITION_UA = by key */
    const void *key;
    size_t key_len;
    const void *value; /* NULL = tombstone */
    size_t value_len;
    int64_t timestamp_ms; /* 0 = now */
    const struct producer_header *headers;
    size_t n_headers;
};

enum rc producer_create(const struct config *cfg, const struct producer_options *opt, struct producer **out_producer,
                        struct err *err) MUST_USE;
/* Waits for no broker; an open transaction is aborted by the next init or the broker's time-out, if not now. Accepts
 * NULL. */
void producer_destroy(struct producer *p);

/*
 * Milliseconds between calls of idle while producer_commit and producer_flush wait for records to be acknowledged;
 * PRODUCER_SLICE_MS at the start. Calls of librdkafka's transaction interface keep to a second.
 */
void producer_set_slice(struct producer *p, int slice_ms);

/* init_transactions: fences the predecessor and ends what it left open. Once per producer. Waits for a broker that is
 * away. */
enum rc producer_init(struct producer *p, struct err *err) MUST_USE;

enum rc producer_begin(struct producer *p, struct err *err) MUST_USE;
/* tag comes back in refused(). A full queue is waited for. REJECT: this record can never be sent (too
 * large, unknown topic). */
enum rc producer_send(struct producer *p, const struct producer_record *rec, int64_t tag, struct err *err) MUST_USE;
/* Serves delivery reports without waiting. */
void producer_poll(struct producer *p);
/*
 * Puts a consumer's offsets (with their metadata) into the transaction. group is taken immediately before, while the
 * assignment holds: the broker refuses those of an older generation (RETRY).
 */
enum rc producer_send_offsets(struct producer *p, const rd_kafka_topic_partition_list_t *offsets,
                              const rd_kafka_consumer_group_metadata_t *group, struct err *err) MUST_USE;
/* Flushes and commits. After FENCED or FATAL the result is unknown. */
enum rc producer_commit(struct producer *p, struct err *err) MUST_USE;
/* Waits until all records are in the log, without committing: for tests that need aborted records to exist. */
enum rc producer_flush(struct producer *p, struct err *err) MUST_USE;
enum rc producer_abort(struct producer *p, struct err *err) MUST_USE;

/*
 * Does the topic exist? Cached; a missing one is asked for again after refresh_ms. RETRY when no broker answers.
 * *out_partitions 0 = does not exist, PRODUCER_TOPIC_FORBIDDEN = this client may not see it.
 */
#define PRODUCER_TOPIC_FORBIDDEN (-1)
enum rc producer_topic_partitions(struct producer *p, const char *topic, int *out_partitions, struct err *err) MUST_USE;

/*
 * Was there a moment since producer_init without any broker? Then the coordinator may have lost what it decided (see
 * hanging.h), so no further transaction may be begun: the producer is to be made anew. One that is under way ends as
 * FATAL.
 */
bool producer_is_lost(struct producer *p);

/* Serves the client; true while no broker can be reached (asked again once a second, for at most 300 ms). */
bool producer_is_away(struct producer *p);

rd_kafka_t *producer_handle(struct producer *p);

#endif
