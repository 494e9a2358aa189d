/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the delivery runtime: what delivery*.c share. All of it belongs to the loop's thread; the slot and the
 * transactions have threads of their own, which report through `async`.
 *
 * A record's way: read -> QUEUED behind its key -> READY for a place in flight -> RUNNING at the processor ->
 * (WAITING for its backoff -> READY) -> FINISHED -> COMMITTING in the job under way -> gone.
 */
#ifndef SLUICE_RUNTIME_DELIVERY_INTERNAL_H
#define SLUICE_RUNTIME_DELIVERY_INTERNAL_H

#include "base/metric.h"
#include "runtime/delivery.h"
#include "runtime/delivery_offsets.h"
#include "runtime/delivery_slot.h"
#include "runtime/delivery_txn.h"

#define KEY_BUCKETS 4096

struct part {
    int32_t partition;
    struct delivery_offsets offsets;
    int64_t counter; /* of the last commit */
    bool stuck;      /* not worked on: see why */
    bool paused;
    char why[160];
    struct metric *lag;
};

enum task_state { TASK_QUEUED, TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_FINISHED, TASK_COMMITTING };

struct out {
    struct producer_record rec;
    struct out *next;
};

struct key;

struct delivery_task {
    struct delivery *d;
    struct part *part;
    struct delivery_event event;
    struct arena event_mem;
    struct arena out_mem;    /* what this start has emitted */
    struct scratch *scratch; /* RUNNING: the processor's memory */
    struct out *outs;
    struct out **outs_end;
    size_t n_outs;
    struct out *dead; /* its dead letter, the last of outs; NULL = not rejected */
    enum task_state state;
    struct key *key;                /* NULL = no key */
    struct delivery_task *key_next; /* behind this one in its key */
    struct delivery_task *next;     /* in the list of its state */
    struct delivery_task *all_prev;
    struct delivery_task *all_next;
    void *data;
    int64_t due_ms;          /* WAITING: when; FINISHED and COMMITTING: since when */
    struct delivery_why why; /* of its dead letter */
    size_t bytes;            /* counted in d->bytes */
};

/* Memory of a start, used again by later ones: only what was emitted has to stay until it is committed. */
struct scratch {
    struct arena mem;
    struct scratch *next; /* of those that are free */
};

struct task_list {
    struct delivery_task *head;
    struct delivery_task *tail;
    size_t n;
};

enum phase {
    PHASE_SLOT, /* waits for a number */
    PHASE_OPEN, /* waits for the producer */
    PHASE_RUN,
    PHASE_STOP /* drains */
};

enum group_state {
    GROUP_NONE,   /* no assignment */
    GROUP_TAKING, /* looks up where the partitions stand */
    GROUP_HELD,
    GROUP_LEAVING /* finishes, commits, then gives the partitions back */
};

struct delivery_limits {
    int64_t in_flight_max;
    int64_t records_max; /* read and not committed */
    int64_t bytes_max;
    int64_t txn_records_max;
    int64_t linger_ms;
    int64_t revoke_ms;
    int64_t drain_ms;
    int64_t retry_base_ms;
    int64_t retry_max_ms;
    int64_t session_ms;
    int64_t key_records_max; /* behind one of their key */
    int64_t key_wait_ms;
};

struct delivery_metrics {
    struct metric *ok, *retry, *reject, *dropped;
    struct metric *commits, *aborts, *commit_seconds, *resolved;
    struct metric *fenced, *failed; /* producers made anew, by cause */
    struct metric *assigned, *revoked, *lost;
    struct metric *in_flight, *held, *bytes, *paused;
};

struct delivery {
    struct role_ctx *role;
    const struct config *cfg;
    const struct delivery_processor *proc;
    void *proc_ctx;
    struct watch *watch;
    struct delivery_limits lim;
    struct delivery_metrics m;

    uv_loop_t loop;
    uv_poll_t stop_poll;
    uv_poll_t kafka_poll;
    uv_async_t async;
    uv_timer_t tick;
    uv_timer_t
        soon; /* the linger of a transaction; never 0 ms: such a timer would run before any socket. Next turn: async */
    int kafka_fd;
    bool kafka_poll_open;

    char *group;
    char *client;
    char *txn_id;
    char *instance_id;
    char *input;
    char *dlq;
    char **topics; /* full names of outputs and dlq, NULL at the end; the order of proc->outputs */

    enum phase phase;
    enum group_state state;
    bool lost;    /* LEAVING: nothing may be committed */
    bool retake;  /* LEAVING: the partitions stay ours and are looked up again */
    bool closing; /* the consumer is being closed */
    bool prove;   /* was away so long that the membership must be proved before anything starts */
    bool load_pause;
    bool more;         /* the consumer's queue may not be empty */
    bool starting;     /* in delivery_start_ready */
    int64_t fenced_ms; /* the consumer is dead since then, and will be made anew; 0 = it is not */
    int fenced;        /* in a row */
    int64_t leave_by_ms;
    int64_t polled_ms;
    int64_t no_room_ms; /* since when; 0 = there is room */
    enum rc rc;         /* of the role */
    struct err err;

    struct slot *slot;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    struct txn *txn;

    struct part *parts;
    size_t n_parts;

    struct delivery_task *all;
    size_t n_all;
    struct scratch *scratches; /* free ones */
    size_t n_scratches;
    size_t bytes;
    size_t n_running;
    struct task_list ready;
    struct task_list waiting;
    struct task_list finished;
    struct key *keys[KEY_BUCKETS];
    uint64_t seed;

    struct delivery_task **batch; /* of the job under way or to be tried again */
    size_t n_batch;
    struct delivery_task **owner; /* of each of the job's records */
    struct txn_job *again;        /* to be tried again at again_ms */
    int64_t again_ms;
    int aborts; /* in a row */
};

/* delivery_task.c */
void delivery_admit(struct delivery *d, struct part *p, const rd_kafka_message_t *msg);
/* Starts what has waited too long behind its key. */
void delivery_let_past(struct delivery *d, int64_t now);
void delivery_start_ready(struct delivery *d);
void delivery_wake_waiting(struct delivery *d, int64_t now);
void delivery_task_free(struct delivery_task *t);
/* What it has emitted; the memory stays: librdkafka may still have some of it. */
void delivery_drop_outs(struct delivery_task *t);
/* Drops what is not running, finished or being committed. */
void delivery_drop_unstarted(struct delivery *d);
/* Cancels and drops what is running. */
void delivery_drop_running(struct delivery *d);
void delivery_drop_finished(struct delivery *d);

/* delivery_copy.c */
void delivery_copy_event(struct delivery_task *t, const rd_kafka_message_t *msg);
void delivery_scratch_take(struct delivery_task *t); /* for a start */
void delivery_scratch_drop(struct delivery_task *t); /* harmless when there is none */
void delivery_scratches_free(struct delivery *d);

/* delivery_key.c: the table of keys with records that are not finished. */
bool delivery_key_join(struct delivery_task *t); /* true: it may go: as the first, or as one too much behind it */
/* A list, by key_next, of what has waited too long for the first of its key; NULL = none. They have left their key. */
struct delivery_task *delivery_key_overdue(struct delivery *d, int64_t now);
/* t, the first of its key, is done: the next one, or NULL. */
struct delivery_task *delivery_key_leave(struct delivery_task *t);
void delivery_key_clear(struct delivery *d);

/* delivery_dead.c */
void delivery_make_dead(struct delivery_task *t, const struct delivery_why *why, bool cut);

/* delivery_commit.c */
void delivery_commit_due(struct delivery *d, int64_t now);
void delivery_commit_done(struct delivery *d, struct txn_job *job);
void delivery_forget_batch(struct delivery *d);
int64_t delivery_uncommitted_since(const struct delivery *d, int64_t now);

/* delivery_consumer.c */
enum rc delivery_consumer_open(struct delivery *d, struct err *err) MUST_USE;
void delivery_consumer_close(struct delivery *d);

/* delivery_group.c */
void delivery_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                           void *opaque);
void delivery_read(struct delivery *d);
void delivery_leave(struct delivery *d, bool lost, int64_t by_ms);
void delivery_leave_turn(struct delivery *d, int64_t now);
void delivery_take(struct delivery *d);
void delivery_taken(struct delivery *d, struct txn_job *job);
void delivery_flow(struct delivery *d, int64_t now);
struct part *delivery_part_find(struct delivery *d, int32_t partition); /* NULL: not one of ours */
void delivery_parts_free(struct delivery *d);

/* delivery.c */
void delivery_turn(struct delivery *d); /* the one place that decides what is done next */
void delivery_stop(struct delivery *d, enum rc rc, const struct err *why, int64_t drain_ms);
extern const char *const DELIVERY_STATE_NAMES[];
void delivery_set_state(struct delivery *d, enum group_state state);

/* delivery_options.c */
void delivery_limits_read(struct delivery *d);
void delivery_names_make(struct delivery *d);
void delivery_names_free(struct delivery *d);
void delivery_metrics_make(struct delivery *d);

#endif
