/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime of delivery processors: records of a topic become calls to the outside world, and what became of each
 * call is published exactly once.
 *
 * The runtime owns polling, offsets, transactions, repetition and dead letters. A processor gets one record at a time,
 * may have many of them under way, and finishes each with a reaction:
 *
 *     RC_OK      what it emitted and the record's offset are committed in one Kafka transaction
 *     RC_REJECT  the same, together with the record as a dead letter
 *     RC_RETRY   what it emitted is forgotten; the same record starts again after a backoff, only its key waits
 *     RC_FENCED  another instance owns this now: the process drains what it can and exits 75
 *     RC_FATAL   the process ends
 *
 * A processor cannot commit. Its call to the outside happens at least once: after a crash, or when the result of a call
 * came too late for the partition's owner, the same record is delivered again. Therefore the call MUST carry event->id,
 * which is the same for every repetition, as its idempotency key.
 *
 * Records with the same key are started one after another in the order of their offsets; each is started when the one
 * before is finished (with RC_RETRY: finished for good). Records without a key are independent of each other.
 * A record should be held for one attempt only: longer waits belong into the outside state (emit an outcome that says
 * so and finish with RC_OK), because a held record keeps its partition's offset down.
 *
 * Thread: everything here, and every function of the processor, runs in the one application thread, inside of the libuv
 * loop that delivery_loop() returns. Nothing in it may block. The processor adds its own handles (sockets of a curl
 * multi handle, timers) to that loop.
 */
#ifndef SLUICE_RUNTIME_DELIVERY_H
#define SLUICE_RUNTIME_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/option.h"
#include "kafka/producer.h"
#include "runtime/role.h"

struct delivery;
struct delivery_task;

/* One record. All of it is a copy that lives until the task is finished or cancelled. */
struct delivery_event {
    const char *topic; /* full name */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 = the record has none */
    const char *key;      /* NUL behind; NULL = no key */
    size_t key_len;
    const void *value; /* NUL behind; NULL = tombstone */
    size_t value_len;
    const struct producer_header *headers; /* value NULL = header without one; values have a NUL behind */
    size_t n_headers;
    const char *id; /* header ce_id, else TOPIC-PARTITION-OFFSET: the idempotency key */
    int start_no;   /* 1 for the first start of this record in this process, 2 after the first RC_RETRY, ... */
    bool behind;    /* earlier records of its key take too long: no call may be made for it now, see parks_behind */
};

/* The value of the last header of that name, NULL when there is none. */
const char *delivery_header(const struct delivery_event *event, const char *name, size_t *out_len);

/* The trace it belongs to: field (a value of the record's own, NULL = it has none), else its header; NULL where that is
 * no trace context (W3C). */
const char *delivery_trace(const struct delivery_event *event, const char *field);

/* A record to be published. Everything is copied. */
struct delivery_record {
    const char *topic; /* without prefix; one of the processor's outputs (asserted) */
    const char *key;   /* NULL = none */
    size_t key_len;
    const void *value; /* NULL = tombstone */
    size_t value_len;
    int64_t timestamp_ms; /* 0 = now */
    const struct producer_header *headers;
    size_t n_headers;
};

/* Why a record is rejected, for the headers of its dead letter; for RC_RETRY, FENCED and FATAL only message is used.
 * Everything is copied. */
struct delivery_why {
    const char *class;   /* low cardinality: "invalid-value", "exhausted", "unknown-platform" */
    const char *message; /* for people; cut to 512 bytes */
    const char *stage;   /* what was being done; NULL = the processor's name */
    int delivery_count;  /* calls made for it in this round; 0 = start_no */
    int64_t retry_ms;    /* RC_RETRY: not before this; 0 = by backoff */
};

/*
 * A processor: static data and functions. The runtime calls open once, then start and cancel, then close once.
 * Topics are named without prefix.
 */
struct delivery_processor {
    const char *name;           /* "callback": part of the ids, label of the metrics, area of the log */
    const char *input;          /* topic it reads */
    const char *const *outputs; /* topics it may emit to, NULL at the end */
    const char *dlq;            /* topic of its dead letters */

    /* KiB of records that librdkafka reads ahead; 0 = 16384. Each record costs it half a KiB more than its bytes, so
     * this is what decides about an instance's memory. Less than what is worked on in a second slows it down. */
    int prefetch_kib;
    int64_t held_bytes; /* what delivery.bytes.max is without a value of its own; 0 = 8 MiB */

    /* It can put a record off by itself (an outcome that says so). Then a key whose records take long does not fill the
     * memory and stop the others: what is too much behind it is started with event->behind, and must be settled
     * without a call, although earlier records of its key are still under way. */
    bool parks_behind;

    /* Makes *out_ctx. d is good for delivery_loop() and delivery_role() for as long as ctx lives. Nothing in Kafka or
     * PostgreSQL has been asked yet. An error with code ERR_CONFIG ends the role with 78. */
    enum rc (*open)(struct delivery *d, void **out_ctx, struct err *err);

    /* Begins the work for one record. It may finish the task before it returns, or later, exactly once. */
    void (*start)(void *ctx, const struct delivery_event *event, struct delivery_task *task);

    /* The partition is lost, or the process ends and cannot wait: break off at once (close the connection). When this
     * returns, event and task are gone; the task must not be finished. Called only for started, unfinished tasks. */
    void (*cancel)(void *ctx, struct delivery_task *task);

    /* No task is left. Closes the handles it has put into the loop (uv_close; the runtime runs the loop until their
     * callbacks have come, and calls nothing of the processor afterwards) and frees ctx or leaves that to those. */
    void (*close)(void *ctx);
};

/* Options every delivery processor has ("delivery.*"); list it beside the role's own table. */
extern const struct option_table delivery_options;

/*
 * Runs the processor to the role's end: for struct role's run. RC_OK after a clean drain; FENCED when another process
 * has taken this one's slot.
 */
enum rc delivery_run(struct role_ctx *role, const struct delivery_processor *proc, struct err *err) MUST_USE;

/* The consumer group of the delivery processor of that name, with the topics' prefix; heap memory the caller frees. */
char *delivery_group_name(const struct config *cfg, const char *processor) MUST_USE;

uv_loop_t *delivery_loop(struct delivery *d);
struct role_ctx *delivery_role(struct delivery *d);

/*
 * False: the partitions may be somebody else's by now. start() is called only while this is true; a processor that lets
 * tasks wait before it calls asks again right before each call, and leaves them alone while the answer is false: they
 * will be cancelled, or may go on later.
 */
bool delivery_may_call(const struct delivery *d);

/* ---- In a task, between its start and its end ---- */

/* Puts a record beside the task's result. Records are published in the order of emission, tasks in the order in which
 * they were finished. */
void delivery_emit(struct delivery_task *task, const struct delivery_record *rec);

/* Ends the task; event and task are gone when it returns. why is needed (asserted) for everything but RC_OK. This may
 * start the next record of the key, so call it last. */
void delivery_finish(struct delivery_task *task, enum rc rc, const struct delivery_why *why);

/* Memory of this start: gone when the task is finished (RC_RETRY too) or cancelled. */
struct arena *delivery_arena(struct delivery_task *task);

/* A pointer of the processor's own; NULL at each start. */
void delivery_set_data(struct delivery_task *task, void *data);
void *delivery_data(const struct delivery_task *task);

#endif
