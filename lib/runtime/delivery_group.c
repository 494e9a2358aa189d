/* SPDX-License-Identifier: Apache-2.0 */
/* The partitions of this instance: taken, read, paused, given back. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/assign.h"
#include "kafka/rc.h"
#include "runtime/delivery_internal.h"

#define READ_TURN 100        /* records read before the loop has its turn */
#define NO_ROOM_PAUSE_MS 250 /* without room this long the partitions are paused, else the queue is just not polled */
#define FENCED_MAX 10        /* consumers in a row, without a commit in between */
#define UNCOMMITTED_MS 500   /* of a result: older, and no call is begun */
#define LEAVE_EXTRA_MS 5000  /* for the last commit, after the deadline of what is in flight */

/* ---------------------------------------------------------------------------------------------------- leaving */

void delivery_parts_free(struct delivery *d)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        delivery_offsets_done(&d->parts[i].offsets);
        if (d->parts[i].lag != NULL) {
            metric_set(d->parts[i].lag, 0);
        }
    }
    free(d->parts);
    d->parts = NULL;
    d->n_parts = 0;
    role_ready(d->role, "partitions", true, "none");
}

/* lost: nothing may be committed any more. Else what is in flight has by_ms to finish, and is then committed. */
void delivery_leave(struct delivery *d, bool lost, int64_t by_ms)
{
    if (d->state == GROUP_TAKING) {
        txn_cancel(d->txn);
    }
    if (d->state != GROUP_LEAVING) {
        d->leave_by_ms = clock_mono_ms() + by_ms;
        d->lost = false;
        delivery_set_state(d, GROUP_LEAVING);
    }
    d->retake = false;
    delivery_drop_unstarted(d);
    if (lost) {
        d->lost = true;
        delivery_drop_running(d);
        delivery_drop_finished(d);
        txn_cancel(d->txn);
    }
}

static void left(struct delivery *d)
{
    bool retake = d->retake && d->fenced_ms == 0 && !rd_kafka_assignment_lost(d->consumer);

    delivery_drop_finished(d);
    delivery_forget_batch(d);
    delivery_key_clear(d);
    d->lost = false;
    d->load_pause = false;
    d->no_room_ms = 0;
    if (retake) {
        delivery_set_state(d, GROUP_TAKING);
        delivery_take(d);
        return;
    }
    delivery_parts_free(d);
    delivery_set_state(d, GROUP_NONE);
    if (d->phase == PHASE_RUN && d->fenced_ms == 0) {
        rd_kafka_assign(d->consumer, NULL);
    }
}

void delivery_leave_turn(struct delivery *d, int64_t now)
{
    if (d->n_running > 0 && !d->lost) {
        if (now < d->leave_by_ms) {
            delivery_commit_due(d, now);
            return;
        }
        log_warn(d->proc->name, "cut at the deadline", KV_I("in_flight", (int64_t)d->n_running));
        delivery_drop_running(d);
    }
    if (!d->lost && (d->finished.n > 0 || d->again != NULL || txn_busy(d->txn))) {
        if (now > d->leave_by_ms + LEAVE_EXTRA_MS) {
            delivery_leave(d, true, 0);
        } else {
            delivery_commit_due(d, now);
        }
        return;
    }
    if (!txn_busy(d->txn)) {
        left(d);
    }
}

/* ---------------------------------------------------------------------------------------------------- taking */

void delivery_take(struct delivery *d)
{
    struct txn_job *job = xcalloc(1, sizeof(*job));

    job->kind = TXN_TAKE;
    job->parts = xcalloc(d->n_parts + 1, sizeof(*job->parts));
    for (size_t i = 0; i < d->n_parts; i++) {
        job->parts[job->n_parts++] = (struct txn_part){.partition = d->parts[i].partition, .state = TXN_PART_UNKNOWN};
    }
    txn_submit(d->txn, job);
}

static void set_stuck(struct delivery *d, struct part *p, const char *state, const char *text)
{
    p->stuck = true;
    snprintf(p->why, sizeof(p->why), "%s %d: %s: %s", d->input, (int)p->partition, state, text);
    log_error(d->proc->name, "partition is not worked on", KV_S("state", state), KV_I("partition", p->partition),
              KV_S("why", text));
    role_ready(d->role, "partitions", false, p->why);
}

static void place(struct delivery *d, struct part *p, const struct txn_part *found)
{
    struct err err;

    delivery_offsets_done(&p->offsets);
    *p = (struct part){.partition = p->partition, .lag = p->lag};
    if (found->state == TXN_PART_LOST) {
        set_stuck(d, p, "position_lost",
                  "the group has worked on it before, but Kafka holds no committed offset; set one and start again");
        return;
    }
    if (delivery_offsets_decode(found->metadata, found->metadata_len, found->offset, &p->offsets, &p->counter, &err) !=
        RC_OK) {
        set_stuck(d, p, "position_unreadable", err.text);
    }
}

void delivery_taken(struct delivery *d, struct txn_job *job)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)d->n_parts);

    assert(job->n_parts == d->n_parts);
    role_ready(d->role, "partitions", true, "");
    for (size_t i = 0; i < d->n_parts; i++) {
        struct part *p = &d->parts[i];
        place(d, p, &job->parts[i]);
        if (!p->stuck) {
            rd_kafka_topic_partition_list_add(list, d->input, p->partition)->offset = delivery_offsets_low(&p->offsets);
        }
    }
    txn_job_free(job);
    rd_kafka_resp_err_t code = kafka_assign(d->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        struct err err;
        rc_ignore(kafka_fail(&err, code, NULL, "cannot read %s", d->input));
        delivery_stop(d, RC_FATAL, &err, 0);
        return;
    }
    d->prove = false;
    d->polled_ms = clock_mono_ms();
    delivery_set_state(d, GROUP_HELD);
    d->more = true;
}

static void on_assign(struct delivery *d, const rd_kafka_topic_partition_list_t *list)
{
    delivery_parts_free(d);
    d->parts = xcalloc((size_t)list->cnt + 1, sizeof(*d->parts));
    for (int i = 0; i < list->cnt; i++) {
        struct part *p = &d->parts[d->n_parts++];
        p->partition = list->elems[i].partition;
        p->lag =
            metric_gauge("kafka_consumergroup_lag", "Records behind the end of the partition, control records apart.",
                         "group=\"%s\",topic=\"%s\",partition=\"%d\"", d->group, d->input, (int)p->partition);
    }
    metric_inc(d->m.assigned);
    log_info(d->proc->name, "partitions assigned", KV_I("partitions", list->cnt));
    delivery_set_state(d, GROUP_TAKING);
    delivery_take(d);
}

/*
 * Only notes what has happened; the partitions are given back (assign NULL) by left(), when what they began is
 * committed or dropped. Until then the group waits, and this member can get no new generation: what a job commits is
 * checked against the old one.
 */
void delivery_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                           void *opaque)
{
    struct delivery *d = opaque;

    if (d->closing || d->phase != PHASE_RUN) {
        rd_kafka_assign(rk, NULL);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assert(d->state == GROUP_NONE && !txn_busy(d->txn));
        on_assign(d, list);
        return;
    }
    bool lost = rd_kafka_assignment_lost(rk) != 0;
    metric_inc(lost ? d->m.lost : d->m.revoked);
    log_info(d->proc->name, lost ? "partitions lost" : "partitions revoked", KV_I("partitions", list->cnt),
             KV_I("in_flight", (int64_t)d->n_running), KV_I("finished", (int64_t)d->finished.n));
    if (d->state == GROUP_NONE) {
        rd_kafka_assign(rk, NULL);
        return;
    }
    delivery_leave(d, lost, d->lim.revoke_ms);
}

/* ---------------------------------------------------------------------------------------------------- reading */

struct part *delivery_part_find(struct delivery *d, int32_t partition)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        if (d->parts[i].partition == partition) {
            return &d->parts[i];
        }
    }
    return NULL;
}

static void pause_part(struct delivery *d, struct part *p, bool pause)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    (void)rd_kafka_topic_partition_list_add(list, d->input, p->partition);
    if (pause) {
        rd_kafka_pause_partitions(d->consumer, list);
    } else {
        rd_kafka_resume_partitions(d->consumer, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
    p->paused = pause;
}

static bool has_room(const struct delivery *d)
{
    return (int64_t)d->n_all < d->lim.records_max && (int64_t)d->bytes < d->lim.bytes_max;
}

/*
 * Errors of the consumer, which come in the place of records. Fenced does not prove a rival: a member whose join was
 * answered when the broker died comes back with an id that is no longer its own. So the consumer is made anew, once
 * PostgreSQL says that the slot is still ours.
 */
static void on_error(struct delivery *d, const rd_kafka_message_t *msg)
{
    char text[256] = "";
    struct err err = {0};
    struct part *p = delivery_part_find(d, msg->partition);

    if (msg->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && p != NULL) {
        set_stuck(d, p, "position_out_of_range", "the committed offset is not in the log any more");
        return;
    }
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(d->consumer, text, sizeof(text));
    if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        enum rc rc = kafka_fail(&err, fatal, text, "the consumer of %s", d->input);
        if (rc != RC_FENCED || ++d->fenced >= FENCED_MAX) {
            delivery_stop(d, rc == RC_FENCED ? RC_FENCED : RC_FATAL, &err, 0);
            return;
        }
        log_warn(d->proc->name, "the consumer is made anew", KV_ERR(&err));
        d->fenced_ms = clock_mono_ms();
        if (d->state != GROUP_NONE) {
            delivery_leave(d, true, 0);
        }
        return;
    }
    rc_ignore(kafka_fail(&err, msg->err, rd_kafka_message_errstr(msg), "reading %s", d->input));
    log_write(LOG_WARN, d->proc->name, "consumer error", KV_ERR(&err), KV_END);
}

static void on_message(struct delivery *d, const rd_kafka_message_t *msg)
{
    struct part *p = d->state == GROUP_HELD ? delivery_part_find(d, msg->partition) : NULL;

    if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR && msg->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        on_error(d, msg);
        return;
    }
    if (p == NULL || p->stuck) {
        return; /* somebody else's by now, or read again by a later owner */
    }
    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        delivery_offsets_reach(&p->offsets, msg->offset);
        return;
    }
    delivery_admit(d, p, msg);
    if (!p->paused && delivery_offsets_full(&p->offsets)) {
        pause_part(d, p, true);
    }
}

/*
 * Whoever was away for as long as the group waits may have lost its partitions without having heard of it; the broker
 * counts from the last heartbeat, hence the half. And while results cannot be committed nothing is added to them: all
 * of it would be repeated after a crash, or when the partitions are lost meanwhile.
 */
bool delivery_may_call(const struct delivery *d)
{
    bool ours = d->state == GROUP_HELD || (d->state == GROUP_LEAVING && !d->lost);
    int64_t now = clock_mono_ms();

    return ours && !d->prove && now - d->polled_ms < d->lim.session_ms / 2 &&
           now - delivery_uncommitted_since(d, now) <= UNCOMMITTED_MS && !rd_kafka_assignment_lost(d->consumer);
}

/* After a pause in which this process may have been frozen, see delivery_may_call(). */
static void note_poll(struct delivery *d, int64_t now)
{
    if (d->state == GROUP_HELD && now - d->polled_ms > d->lim.session_ms / 2) {
        log_warn(d->proc->name, "was away; the membership is proved before anything starts",
                 KV_I("ms", now - d->polled_ms));
        d->prove = true;
    }
    d->polled_ms = now;
}

void delivery_read(struct delivery *d)
{
    for (int i = 0; i < READ_TURN; i++) {
        if (d->phase != PHASE_RUN || (d->state == GROUP_HELD && !has_room(d) && !d->load_pause)) {
            return;
        }
        note_poll(d, clock_mono_ms());
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(d->consumer, 0);
        if (msg == NULL) {
            d->more = false;
            return;
        }
        on_message(d, msg);
        rd_kafka_message_destroy(msg);
        if (d->fenced_ms != 0) {
            return;
        }
    }
}

/* Back-pressure: at first the queue is only not polled; when that lasts, partitions are paused and polling goes on. */
void delivery_flow(struct delivery *d, int64_t now)
{
    int64_t paused = 0;

    if (d->state != GROUP_HELD) {
        return;
    }
    d->no_room_ms = has_room(d) ? 0 : d->no_room_ms == 0 ? now : d->no_room_ms;
    if (d->no_room_ms != 0 && now - d->no_room_ms >= NO_ROOM_PAUSE_MS) {
        d->load_pause = true;
    } else if ((int64_t)d->n_all < d->lim.records_max / 2 && (int64_t)d->bytes < d->lim.bytes_max / 2) {
        d->load_pause = false;
    }
    for (size_t i = 0; i < d->n_parts; i++) {
        struct part *p = &d->parts[i];
        bool want = d->load_pause || delivery_offsets_full(&p->offsets);
        if (!p->stuck && want != p->paused) {
            pause_part(d, p, want);
        }
        paused += p->paused ? 1 : 0;
        int64_t low = 0;
        int64_t high = 0;
        if (!p->stuck && rd_kafka_get_watermark_offsets(d->consumer, d->input, p->partition, &low, &high) ==
                             RD_KAFKA_RESP_ERR_NO_ERROR) {
            int64_t lag = high - delivery_offsets_low(&p->offsets);
            metric_set(p->lag, (double)(lag > 0 ? lag : 0));
        }
    }
    metric_set(d->m.paused, (double)paused);
}
