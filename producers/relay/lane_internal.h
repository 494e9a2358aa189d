/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by lane.c (life), lane_takeover.c (ownership) and lane_follow.c (the stream). */
#ifndef SLUICE_RELAY_LANE_INTERNAL_H
#define SLUICE_RELAY_LANE_INTERNAL_H

#include <libpq-fe.h>

#include "base/metric.h"
#include "kafka/producer.h"
#include "relay/batch.h"
#include "relay/lane.h"
#include "relay/position.h"
#include "relay/prune.h"
#include "relay/sweep.h"
#include "relay/window.h"

struct lane_metrics {
    struct metric *published, *dead, *swept, *pruned, *commits, *aborts, *takeovers, *owner, *position_seq;
    struct metric *commit_seconds, *delay_seconds, *batch_rows;
};

struct lane {
    struct role_ctx *ctx;
    const struct config *cfg;
    const struct source *src;
    const struct avro_set *set;
    struct watch *watch;
    char *part;           /* name in /readyz */
    char *position_topic; /* full name */
    char *transactional_id;
    struct lane_metrics m;

    /* Owned from take-over to release. */
    PGconn *conn;
    struct producer *producer;
    struct batch *batch; /* the one being published */
    struct batch *ahead; /* the one being read meanwhile */
    struct window_scan scan;
    struct window_sql sql;
    struct sweep sweep;
    struct prune prune;
    struct position pos;
    int32_t position_partition;

    int64_t heartbeat_ms; /* last statement on the session */
    int64_t swept_ms;
    int64_t prune_at_ms; /* not before */
    int64_t copied_ms;   /* last copy of the position to PostgreSQL */
    bool copy_due;
    bool following;       /* past the take-over: a transaction may be open and worth waiting for */
    int64_t stop_seen_ms; /* when stopping was first noticed, 0 = not yet */
    int64_t publish_ms;   /* when the batch at hand was first tried, 0 = none is */
    bool away;            /* no broker can be reached, and /readyz says so */
    bool late;            /* and /readyz says that it is late */
};

/* Opens everything in the order of the protocol; lane_release undoes it, whole or half done. */
enum rc lane_take_over(struct lane *l, struct err *err) MUST_USE;
void lane_release(struct lane *l);

/* Publishes until the role stops (OK) or ownership, session or producer are lost. */
enum rc lane_follow(struct lane *l, struct err *err) MUST_USE;

/* producer_idle_fn: keeps the session alive. FENCED when it is lost: whatever is going on, the lane must start over. */
enum rc lane_idle(void *lane, struct err *err) MUST_USE;

/* Not ready any more, for that reason, when the batch at hand has been tried for some seconds. */
void lane_say_late(struct lane *l, const char *why);

/*
 * Errors of the producer end the lane's ownership, not the process: FATAL becomes FENCED. RETRY (abort and build the
 * transaction again) stays.
 */
enum rc lane_producer_rc(enum rc rc, struct err *err);

#endif
