/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a position back from its topic: the last committed record of a source below the high watermark. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/rc.h"
#include "relay/position.h"

#define TAIL_FIRST 1000 /* offsets looked at first; then ten times as many, until the start of the log */
#define POLL_MS 100
#define STALLED_MS 10000 /* without getting further: then it is said, and everything is tried again from the start */
#define WATERMARK_TIMEOUT_MS 5000
#define WATERMARK_TRIES 20
#define WATERMARK_PAUSE_MS 100

struct reader {
    rd_kafka_t *rk;
    const char *topic;
    int32_t partition;
    const char *source;
    producer_idle_fn idle;
    void *opaque;
    struct position *out;
    bool found;
};

/*
 * The end as isolation sees it: the high watermark for read_uncommitted; the last stable offset, which an open
 * transaction holds back, for read_committed.
 */
static enum rc watermarks(const struct config *cfg, const char *topic, int32_t partition, const char *isolation,
                          int64_t *low, int64_t *high, struct err *err)
{
    const char *const settings[][2] = {{"isolation.level", isolation}};
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;

    TRY(kafka_reader_new(cfg, "sluice-relay-watermark", settings, 1, &rk, err));
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < WATERMARK_TRIES; i++) {
        code = rd_kafka_query_watermark_offsets(rk, topic, partition, low, high, WATERMARK_TIMEOUT_MS);
        if (code != RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION && code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
            break;
        }
        clock_sleep_ms(WATERMARK_PAUSE_MS); /* the topic is new, or its leader moves */
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_fail(err, code, NULL, "cannot ask for the end of %s", topic);
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    return RC_OK;
}

static enum rc open_consumer(const struct config *cfg, rd_kafka_t **out_rk, struct err *err)
{
    static const char *const settings[][2] = {
        {"group.id", "sluice-relay-unused"}, /* required by the consumer interface; nothing is ever committed */
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"},
        /* An offset that is gone must not become a jump to the end, which reads as "no position". */
        {"auto.offset.reset", "error"},
        {"fetch.wait.max.ms", "10"},
        {"queued.max.messages.kbytes", "1024"},
    };

    TRY(kafka_reader_new(cfg, "sluice-relay-position", settings, ARRAY_SIZE(settings), out_rk, err));
    rd_kafka_poll_set_consumer(*out_rk);
    return RC_OK;
}

static enum rc assign(struct reader *r, int64_t offset, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, r->topic, r->partition)->offset = offset;
    rd_kafka_resp_err_t code = rd_kafka_assign(r->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : kafka_fail(err, code, NULL, "cannot read %s", r->topic);
}

static enum rc take(struct reader *r, const rd_kafka_message_t *msg, struct err *err)
{
    struct position p;

    if (msg->key_len != strlen(r->source) || memcmp(msg->key, r->source, msg->key_len) != 0 || msg->payload == NULL) {
        return RC_OK;
    }
    if (position_decode(msg->payload, msg->len, &p, err) != RC_OK) {
        position_done(&p);
        return err_prefix(err, "%s partition %d offset %lld", r->topic, (int)msg->partition, (long long)msg->offset);
    }
    position_done(r->out);
    *r->out = p;
    r->found = true;
    return RC_OK;
}

/*
 * Reads [from, high). Control records take offsets, so the last offset may hold no record: the end is reached when a
 * record or the end-of-partition event (which carries the next fetch offset) is at or past high.
 */
static enum rc read_range(struct reader *r, int64_t from, int64_t high, struct err *err)
{
    int64_t next = from;
    int64_t seen = from;
    int64_t moved_ms = clock_mono_ms();

    TRY(assign(r, from, err));
    while (next < high) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(r->rk, POLL_MS);
        enum rc rc = RC_OK;
        if (next > seen) {
            seen = next;
            moved_ms = clock_mono_ms();
        }
        if (msg == NULL && clock_mono_ms() - moved_ms > STALLED_MS) {
            FAIL(err, RC_RETRY,
                 "%s partition %d cannot be read beyond offset %lld, its end is %lld; perhaps somebody's open "
                 "transaction "
                 "holds it back",
                 r->topic, (int)r->partition, (long long)next, (long long)high);
        }
        if (msg == NULL) {
            rc = r->idle != NULL ? r->idle(r->opaque, err) : RC_OK;
        } else if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            next = msg->offset + 1;
            rc = msg->offset < high ? take(r, msg, err) : RC_OK;
        } else if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            next = msg->offset > next ? msg->offset : next;
        } else if (kafka_rc(msg->err) != RC_RETRY) {
            rc = kafka_fail(err, msg->err, rd_kafka_message_errstr(msg), "cannot read %s", r->topic);
        }
        if (msg != NULL) {
            rd_kafka_message_destroy(msg);
        }
        TRY(rc);
    }
    return RC_OK;
}

enum rc position_read(const struct config *cfg, const char *topic, int32_t partition, const char *source,
                      enum position_when when, producer_idle_fn idle, void *opaque, struct position *out,
                      bool *out_found, struct err *err)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;
    int64_t low = 0;
    int64_t high = 0;
    struct reader r = {
        .topic = topic, .partition = partition, .source = source, .idle = idle, .opaque = opaque, .out = out};

    TRY(watermarks(cfg, topic, partition, when == POSITION_FENCED ? "read_uncommitted" : "read_committed", &low, &high,
                   err));
    *out_found = false;
    if (low >= high) {
        return RC_OK; /* never written, or compacted to nothing */
    }
    TRY(open_consumer(cfg, &rk, err));
    r.rk = rk;
    for (int64_t tail = TAIL_FIRST; !r.found; tail *= 10) {
        int64_t from = high - tail > low ? high - tail : low;
        TRY(read_range(&r, from, high, err));
        if (from == low) {
            break;
        }
    }
    *out_found = r.found;
    return RC_OK;
}
