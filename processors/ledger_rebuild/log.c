/* SPDX-License-Identifier: Apache-2.0 */
/* All partitions of account.flows, from their starts to the ends they had at the beginning. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "internal.h"
#include "kafka/conf.h"
#include "kafka/hanging.h"
#include "kafka/log_ends.h"
#include "kafka/rc.h"

#define TOPIC "account.flows"
#define WAIT_MS 15000 /* for an answer, and for the next record */
#define POLL_MS 200
#define LOOK_MS 100

struct part {
    int64_t start, end, at;
    bool reading;
};

struct log {
    const struct rebuild_options *opt;
    struct stage *stage;
    struct rebuild_report *report;
    char *topic;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    rd_kafka_queue_t *queue;
    struct part *parts;
    int n_parts, n_reading;
    int64_t shown_ms;
};

static void log_done(struct log *l)
{
    for (int i = 0; i < l->n_parts; i++) {
        if (l->parts[i].reading) {
            (void)rd_kafka_consume_stop(l->rkt, i);
        }
    }
    if (l->queue != NULL) {
        rd_kafka_queue_destroy(l->queue);
    }
    if (l->rkt != NULL) {
        rd_kafka_topic_destroy(l->rkt);
    }
    kafka_destroy(l->rk);
    free(l->parts);
    free(l->topic);
}

static enum rc open_log(struct log *l, struct err *err)
{
    const char *const settings[][2] = {
        {"enable.partition.eof", "true"},       {"auto.offset.reset", "error"},        {"fetch.wait.max.ms", "100"},
        {"queued.max.messages.kbytes", "8192"}, {"isolation.level", "read_committed"},
    };
    TRY(kafka_reader_new(l->opt->cfg, "sluice-rebuild", settings, ARRAY_SIZE(settings), &l->rk, err));
    l->rkt = rd_kafka_topic_new(l->rk, l->topic, NULL);
    if (l->rkt == NULL) {
        return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s", l->topic);
    }
    l->queue = rd_kafka_queue_new(l->rk);
    TRY(kafka_topic_partitions(l->rk, l->rkt, WAIT_MS, &l->n_parts, err));
    if (l->n_parts == 0) {
        FAIL(err, RC_REJECT, "there is no topic %s", l->topic);
    }
    l->parts = xcalloc((size_t)l->n_parts, sizeof(*l->parts));
    return RC_OK;
}

/* A log whose beginning is gone cannot tell the whole story. */
static enum rc plan(struct log *l, struct err *err)
{
    for (int i = 0; i < l->n_parts; i++) {
        struct part *p = &l->parts[i];
        rd_kafka_resp_err_t code = kafka_log_ends(l->rk, l->topic, i, WAIT_MS, &p->start, &p->end);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return kafka_fail(err, code, NULL, "topic %s partition %d", l->topic, i);
        }
        if (p->start > 0) {
            char gone[32];
            CLEANUP(freep) char *where = xasprintf("partition %d", i);
            (void)snprintf(gone, sizeof(gone), "offset %" PRId64, p->start);
            found(&l->report->log, where, "the log does not begin at its beginning: what was before is gone",
                  "offset 0", gone);
        }
        p->at = p->start;
        l->report->offsets += p->end - p->start;
    }
    l->report->partitions = l->n_parts;
    return RC_OK;
}

static enum rc start(struct log *l, struct err *err)
{
    for (int i = 0; i < l->n_parts; i++) {
        struct part *p = &l->parts[i];
        if (p->start >= p->end) {
            continue;
        }
        if (rd_kafka_consume_start_queue(l->rkt, i, p->start, l->queue) != 0) {
            return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s partition %d", l->topic, i);
        }
        p->reading = true;
        l->n_reading++;
    }
    return RC_OK;
}

static void reached(struct log *l, int32_t id, int64_t offset)
{
    struct part *p = &l->parts[id];

    p->at = offset > p->at ? offset : p->at;
    if (p->reading && p->at >= p->end) {
        p->reading = false;
        l->n_reading--;
        (void)rd_kafka_consume_stop(l->rkt, id);
    }
}

static enum rc take(struct log *l, const rd_kafka_message_t *msg, struct err *err)
{
    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        reached(l, msg->partition, msg->offset);
        return RC_OK;
    }
    if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        enum rc rc = kafka_fail(err, msg->err, rd_kafka_message_errstr(msg), "topic %s", l->topic);
        return rc == RC_RETRY ? RC_OK : rc; /* the client itself tries again */
    }
    if (msg->offset < l->parts[msg->partition].end && !hanging_is_closing_record(msg)) {
        TRY(stage_take(l->stage, msg, l->report, err));
    }
    reached(l, msg->partition, msg->offset + 1);
    return RC_OK;
}

static void show(struct log *l)
{
    int64_t now = clock_mono_ms();
    int64_t done = 0;

    if (l->opt->progress == NULL || now - l->shown_ms < LOOK_MS) {
        return;
    }
    l->shown_ms = now;
    for (int i = 0; i < l->n_parts; i++) {
        done += l->parts[i].at - l->parts[i].start;
    }
    l->opt->progress(l->opt->opaque, "reading account.flows",
                     l->report->offsets > 0 ? (double)done / (double)l->report->offsets : 1);
}

static enum rc read_all(struct log *l, struct err *err)
{
    int64_t last_ms = clock_mono_ms();

    while (l->n_reading > 0) {
        if (l->opt->interrupted != NULL && *l->opt->interrupted) {
            FAIL(err, RC_FATAL, "interrupted");
        }
        (void)rd_kafka_poll(l->rk, 0);
        rd_kafka_message_t *msg = rd_kafka_consume_queue(l->queue, POLL_MS);
        if (msg == NULL) {
            if (clock_mono_ms() - last_ms > WAIT_MS) {
                FAIL(err, RC_RETRY, "no record from topic %s for %d ms", l->topic, WAIT_MS);
            }
            continue;
        }
        bool progress = msg->err == RD_KAFKA_RESP_ERR_NO_ERROR || msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        last_ms = progress ? clock_mono_ms() : last_ms;
        enum rc rc = take(l, msg, err);
        rd_kafka_message_destroy(msg);
        TRY(rc);
        show(l);
    }
    return stage_flush(l->stage, err);
}

enum rc log_read(const struct rebuild_options *opt, struct stage *s, struct rebuild_report *r, struct err *err)
{
    CLEANUP(log_done)
    struct log l = {.opt = opt, .stage = s, .report = r, .topic = kafka_topic_name(opt->cfg, TOPIC)};

    TRY(open_log(&l, err));
    TRY(plan(&l, err));
    if (s == NULL) {
        return RC_OK;
    }
    TRY(start(&l, err));
    return read_all(&l, err);
}
