/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kafka side of a database processor: group, records, lag.
 *
 * The rebalance callback only notes what the group gave us and assigns nothing: librdkafka then counts us as joined,
 * and the partitions are assigned when their rows are taken. Assignment is eager (range), the whole of it each time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/assign.h"
#include "kafka/conf.h"
#include "kafka/hanging.h"
#include "kafka/rc.h"
#include "runtime/dbproc_internal.h"

#define ASK_MS 3000
#define SLICE_MS 100
#define COPY_INTERVAL_MS 1000
#define CHECK_INTERVAL_MS 1000
#define CLOSE_MS 8000

static void on_assigned(struct dbproc *d, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *nothing = rd_kafka_topic_partition_list_new(1);

    metric_inc(d->m.rebalances);
    log_info(d->proc->role, "the group gave us partitions", KV_S("group", d->group), KV_I("partitions", list->cnt));
    dbproc_parts_set(d, list);
    d->joined = true;
    d->assign_due = false;
    (void)rd_kafka_assign(d->rk, nothing);
    rd_kafka_topic_partition_list_destroy(nothing);
}

/* Whatever is in the batch had no effect yet: the next owner reads it again. */
static void on_revoked(struct dbproc *d)
{
    if (!rd_kafka_assignment_lost(d->rk)) {
        dbproc_consumer_copy(d, true);
    }
    log_info(d->proc->role, "the group took our partitions", KV_S("group", d->group),
             KV_I("partitions", (int64_t)d->n_parts));
    dbproc_parts_clear(d);
    d->assign_due = false;
    (void)rd_kafka_assign(d->rk, NULL);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        on_assigned(opaque, list);
    } else {
        on_revoked(opaque);
    }
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct dbproc *d = opaque;

    log_warn("kafka", "client error", KV_S("client", rd_kafka_name(rk)),
             KV_S("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)), KV_S("text", reason));
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        d->kafka_away = true;
        (void)snprintf(d->kafka_why, sizeof(d->kafka_why), "no broker answers");
    }
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    const struct dbproc *d = opaque;

    (void)rk;
    (void)list;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET) {
        log_debug(d->proc->role, "the group's copy of the position was refused", KV_S("code", rd_kafka_err2name(code)));
    }
}

static enum rc set_conf(struct dbproc *d, rd_kafka_conf_t *conf, struct err *err)
{
    char session[24];
    char heartbeat[24];
    const struct {
        const char *key;
        const char *value;
    } rows[] = {
        {"group.id", d->group},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},   /* a position outside of the log is a state, never a jump */
        {"enable.partition.eof", "true"}, /* tells how far there is nothing but control records */
        {"partition.assignment.strategy", "range"},
        {"session.timeout.ms", session},
        {"heartbeat.interval.ms", heartbeat},
        {"fetch.wait.max.ms", "50"}, /* a waiting read_committed fetch is not woken by the end of a transaction */
        {"queued.max.messages.kbytes", "8192"},
        {"queued.min.messages", "20000"},
        {"fetch.message.max.bytes", "262144"}, /* of each partition; a larger record still comes */
    };

    snprintf(session, sizeof(session), "%" PRId64, dbproc_option(d, "session.timeout.ms"));
    snprintf(heartbeat, sizeof(heartbeat), "%" PRId64, dbproc_option(d, "session.timeout.ms") / 5);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        TRY(kafka_conf_set(conf, rows[i].key, rows[i].value, err));
    }
    rd_kafka_conf_set_opaque(conf, d);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    return RC_OK;
}

enum rc dbproc_consumer_open(struct dbproc *d, struct err *err)
{
    char *client CLEANUP(freep) = xasprintf("sluice-%s", d->proc->role);
    rd_kafka_conf_t *conf = NULL;

    TRY(kafka_conf_create(d->cfg, client, &conf, err));
    if (set_conf(d, conf, err) != RC_OK) {
        rd_kafka_conf_destroy(conf);
        return RC_FATAL;
    }
    TRY(kafka_new(RD_KAFKA_CONSUMER, conf, &d->rk, err));
    rd_kafka_poll_set_consumer(d->rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)d->n_sources);
    for (size_t i = 0; i < d->n_sources; i++) {
        rd_kafka_topic_partition_list_add(list, d->sources[i].name, RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(d->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : kafka_fail(err, code, NULL, "cannot subscribe");
}

/* librdkafka's own close waits for ever in some cases; the group would notice a missing member soon anyway. */
void dbproc_consumer_close(struct dbproc *d)
{
    if (d->rk == NULL) {
        return;
    }
    rd_kafka_queue_t *q = rd_kafka_queue_new(d->rk);
    int64_t until = clock_mono_ms() + CLOSE_MS;
    rd_kafka_error_t *e = rd_kafka_consumer_close_queue(d->rk, q);

    while (e == NULL && !rd_kafka_consumer_closed(d->rk) && clock_mono_ms() < until) {
        rd_kafka_event_t *ev = rd_kafka_queue_poll(q, SLICE_MS);
        if (ev != NULL && rd_kafka_event_type(ev) == RD_KAFKA_EVENT_REBALANCE) {
            on_revoked(d);
        }
        if (ev != NULL) {
            rd_kafka_event_destroy(ev);
        }
    }
    if (!rd_kafka_consumer_closed(d->rk)) {
        log_warn(d->proc->role, "the group was not left in time", KV_S("group", d->group));
    }
    if (e != NULL) {
        rd_kafka_error_destroy(e);
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy_flags(d->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    d->rk = NULL;
}

enum rc dbproc_consumer_assign(struct dbproc *d, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)d->n_parts + 1);

    for (size_t i = 0; i < d->n_parts; i++) {
        const struct dbproc_part *p = &d->parts[i];
        if (p->state == PART_OWNED) {
            rd_kafka_topic_partition_list_add(list, p->source->name, p->partition)->offset = p->next_offset;
        }
    }
    rd_kafka_resp_err_t code = kafka_assign(d->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    d->assign_due = false;
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : kafka_fail(err, code, NULL, "cannot read the partitions");
}

/* Is there a broker again? Asked for at most once a second, while there is nothing else to do. */
static void check_away(struct dbproc *d)
{
    const struct rd_kafka_metadata *md = NULL;
    int64_t now = clock_mono_ms();

    role_ready(d->ctx, "kafka", d->joined && !d->kafka_away,
               d->kafka_away ? d->kafka_why
               : d->joined   ? "member of the group"
                             : "joining the group");
    if (!d->kafka_away || now - d->checked_ms < CHECK_INTERVAL_MS) {
        return;
    }
    d->checked_ms = now;
    if (rd_kafka_metadata(d->rk, 0, NULL, &md, 500) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(md);
        d->kafka_away = false;
    }
}

static void take_record(struct dbproc *d, const rd_kafka_message_t *msg)
{
    struct dbproc_part *p = dbproc_parts_find(d, rd_kafka_topic_name(msg->rkt), msg->partition);

    if (p == NULL || p->state != PART_OWNED) {
        return; /* of an assignment that is over */
    }
    if (msg->offset < p->read_end) {
        log_warn(d->proc->role, "a record came again and is passed over", KV_S("topic", p->source->name),
                 KV_I("partition", p->partition), KV_I("offset", msg->offset), KV_I("read_end", p->read_end));
        return;
    }
    p->read_end = msg->offset + 1;
    if (hanging_is_closing_record(msg)) {
        return;
    }
    dbproc_batch_add(&d->batch, msg, p->source->name, (uint32_t)(p - d->parts));
}

static void take_end(struct dbproc *d, const rd_kafka_message_t *msg)
{
    struct dbproc_part *p = dbproc_parts_find(d, rd_kafka_topic_name(msg->rkt), msg->partition);

    if (p != NULL && p->state == PART_OWNED && msg->offset > p->read_end) {
        p->read_end = msg->offset;
    }
}

/* Position outside of the log, found while reading: the log was cut under us. */
static void take_outside(struct dbproc *d, const rd_kafka_message_t *msg)
{
    struct dbproc_part *p = dbproc_parts_find(d, rd_kafka_topic_name(msg->rkt), msg->partition);

    if (p != NULL && p->state == PART_OWNED) {
        dbproc_batch_drop(&d->batch, (uint32_t)(p - d->parts));
        dbproc_part_set(d, p, PART_WANTED, 0, "the log was cut");
    }
}

/* FATAL: the client is dead. */
static enum rc take_message(struct dbproc *d, const rd_kafka_message_t *msg, struct err *err)
{
    if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        take_record(d, msg);
    } else if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        take_end(d, msg);
    } else if (msg->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || msg->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        take_outside(d, msg);
    } else if (msg->err == RD_KAFKA_RESP_ERR__FATAL) {
        char why[256] = "";
        return kafka_fail(err, rd_kafka_fatal_error(d->rk, why, sizeof(why)), why, "the Kafka client is dead");
    } else {
        log_warn(d->proc->role, "Kafka", KV_S("code", rd_kafka_err2name(msg->err)),
                 KV_S("text", rd_kafka_message_errstr(msg)));
        (void)snprintf(d->kafka_why, sizeof(d->kafka_why), "%s", rd_kafka_message_errstr(msg));
        d->kafka_away = true;
        return RC_OK;
    }
    d->kafka_away = false;
    return RC_OK;
}

/* OK or FATAL. */
static enum rc poll_once(struct dbproc *d, int64_t wait_ms, bool *out_any, struct err *err)
{
    rd_kafka_message_t *msg = rd_kafka_consumer_poll(d->rk, (int)wait_ms);
    enum rc rc = RC_OK;

    *out_any = msg != NULL;
    if (msg != NULL) {
        rc = take_message(d, msg, err);
        rd_kafka_message_destroy(msg);
    }
    return rc == RC_OK ? RC_OK : RC_FATAL;
}

enum rc dbproc_consumer_gather(struct dbproc *d, int64_t wait_ms, struct err *err)
{
    size_t bytes_max = (size_t)dbproc_option(d, "batch.bytes.max");
    int64_t more_ms = dbproc_option(d, "batch.wait.ms");
    int64_t until = clock_mono_ms() + wait_ms;
    bool any = true;

    check_away(d);
    while (!dbproc_batch_full(&d->batch, bytes_max) && !d->assign_due) {
        bool was_empty = d->batch.n == 0;
        int64_t left = until - clock_mono_ms();
        if (left <= 0 && !any) {
            break;
        }
        TRY(poll_once(d, left > 0 ? left : 0, &any, err));
        if (was_empty && d->batch.n > 0) {
            until = clock_mono_ms() + more_ms;
        }
        if (d->batch.n == 0 && (any || role_stopping(d->ctx))) {
            break; /* an event: the loop looks at it */
        }
    }
    return RC_OK;
}

enum rc dbproc_consumer_idle(struct dbproc *d, int64_t wait_ms, struct err *err)
{
    int64_t until = clock_mono_ms() + wait_ms;

    while (!role_stopping(d->ctx) && clock_mono_ms() < until) {
        bool any = false;
        int64_t left = until - clock_mono_ms();
        check_away(d);
        role_tick(d->watch);
        TRY(poll_once(d, left < SLICE_MS ? left : SLICE_MS, &any, err));
    }
    return RC_OK;
}

static void show_lag(struct dbproc *d)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        struct dbproc_part *p = &d->parts[i];
        int64_t low = 0;
        int64_t high = -1;
        (void)rd_kafka_get_watermark_offsets(d->rk, p->source->name, p->partition, &low, &high); /* as last fetched */
        metric_set(p->lag, high > p->next_offset ? (double)(high - p->next_offset) : 0);
    }
}

void dbproc_consumer_copy(struct dbproc *d, bool now)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    if (!now && clock_mono_ms() - d->copied_ms < COPY_INTERVAL_MS) {
        return;
    }
    d->copied_ms = clock_mono_ms();
    show_lag(d);
    list = rd_kafka_topic_partition_list_new((int)d->n_parts + 1);
    for (size_t i = 0; i < d->n_parts; i++) {
        struct dbproc_part *p = &d->parts[i];
        if (p->state == PART_OWNED && p->group_offset != p->next_offset) {
            rd_kafka_topic_partition_list_add(list, p->source->name, p->partition)->offset = p->next_offset;
            p->group_offset = p->next_offset;
        }
    }
    if (list->cnt > 0) {
        (void)rd_kafka_commit(d->rk, list, 1);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* Whatever the reason (a broker that is away, a missing right): an operator can cure it while we wait. */
static enum rc away(struct dbproc *d, struct err *err)
{
    d->kafka_away = true;
    (void)snprintf(d->kafka_why, sizeof(d->kafka_why), "%.150s", err->text);
    err->rc = RC_RETRY;
    return RC_RETRY;
}

enum rc dbproc_consumer_log(struct dbproc *d, const struct dbproc_part *p, int64_t *out_start, int64_t *out_end,
                            struct err *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(d->rk, p->source->name, p->partition, out_start, out_end, ASK_MS);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return RC_OK;
    }
    kafka_fail(err, code, NULL, "cannot ask for the ends of %s partition %d", p->source->name, (int)p->partition);
    return away(d, err);
}

enum rc dbproc_consumer_committed(struct dbproc *d, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)d->n_parts + 1);

    for (size_t i = 0; i < d->n_parts; i++) {
        rd_kafka_topic_partition_list_add(list, d->parts[i].source->name, d->parts[i].partition);
    }
    rd_kafka_resp_err_t code = list->cnt > 0 ? rd_kafka_committed(d->rk, list, ASK_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        int64_t offset = list->elems[i].offset;
        d->parts[i].group_offset = offset >= 0 ? offset : -1;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return RC_OK;
    }
    kafka_fail(err, code, NULL, "cannot ask for the offsets of group %s", d->group);
    return away(d, err);
}
