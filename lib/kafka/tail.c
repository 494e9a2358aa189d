/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a log: the last thousand offsets first, then ten times as many, until the caller has enough. */
#include "kafka/tail.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/log_ends.h"
#include "kafka/rc.h"

#define TAIL_FIRST 1000
#define POLL_MS 100
#define STALLED_MS 10000 /* without getting further: then it is said, and everything is tried again from the start */
#define ENDS_TIMEOUT_MS 5000

static const char *isolation(bool uncommitted)
{
    return uncommitted ? "read_uncommitted" : "read_committed";
}

/* The end as the isolation of rk sees it: the high watermark, or the last stable offset, which an open transaction
 * holds back. */
static enum rc ask_ends(const struct tail_options *o, rd_kafka_t *rk, int64_t *low, int64_t *high, struct err *err)
{
    rd_kafka_resp_err_t code = kafka_log_ends(rk, o->topic, o->partition, ENDS_TIMEOUT_MS, low, high);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return RC_OK;
    }
    kafka_fail(err, code, NULL, "cannot ask for the end of %s", o->topic);
    if (code != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        err->rc = RC_RETRY;
    }
    return err->rc;
}

static enum rc find_ends(const struct tail_options *o, rd_kafka_t *reader, int64_t *low, int64_t *high, struct err *err)
{
    const char *const settings[][2] = {{"isolation.level", isolation(o->whole)}};
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;

    if (o->whole == o->uncommitted) {
        return ask_ends(o, reader, low, high, err);
    }
    TRY(kafka_reader_new(o->cfg, o->client, settings, 1, &rk, err));
    return ask_ends(o, rk, low, high, err);
}

static enum rc open_consumer(const struct tail_options *o, rd_kafka_t **out_rk, struct err *err)
{
    const char *const settings[][2] = {
        {"group.id", "sluice-unused"}, /* required by the consumer interface; nothing is ever committed */
        {"isolation.level", isolation(o->uncommitted)},
        {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"},
        /* An offset that is gone must not become a jump to the end, which reads as "there is nothing". */
        {"auto.offset.reset", "error"},
        {"fetch.wait.max.ms", "10"},
        {"queued.max.messages.kbytes", "1024"},
    };

    TRY(kafka_reader_new(o->cfg, o->client, settings, ARRAY_SIZE(settings), out_rk, err));
    rd_kafka_poll_set_consumer(*out_rk);
    return RC_OK;
}

static enum rc assign(const struct tail_options *o, rd_kafka_t *rk, int64_t offset, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, o->topic, o->partition)->offset = offset;
    rd_kafka_resp_err_t code = rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : kafka_fail(err, code, NULL, "cannot read %s", o->topic);
}

/* One event, NULL = none came. *next: everything before it is read. */
static enum rc take_event(const struct tail_options *o, const rd_kafka_message_t *msg, int64_t high, int64_t *next,
                          struct err *err)
{
    if (msg == NULL) {
        return RC_OK;
    }
    if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *next = msg->offset + 1;
        return msg->offset < high ? o->take(o->opaque, msg, err) : RC_OK;
    }
    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        *next = msg->offset > *next ? msg->offset : *next;
        return RC_OK;
    }
    if (kafka_rc(msg->err) == RC_RETRY || msg->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
        return RC_OK; /* librdkafka goes on by itself, and we need no group */
    }
    return kafka_fail(err, msg->err, rd_kafka_message_errstr(msg), "cannot read %s", o->topic);
}

/*
 * Reads [from, high). Control records take offsets, so the last offset may hold no record: the end is reached when a
 * record or the end-of-partition event (which carries the next fetch offset) is at or past high.
 */
static enum rc read_range(const struct tail_options *o, rd_kafka_t *rk, int64_t from, int64_t high, struct err *err)
{
    int64_t next = from;
    int64_t moved_ms = clock_mono_ms();
    int64_t idle_ms = moved_ms;

    TRY(assign(o, rk, from, err));
    while (next < high) {
        int64_t before = next;
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(rk, POLL_MS);
        enum rc rc = take_event(o, msg, high, &next, err);
        if (msg != NULL) {
            rd_kafka_message_destroy(msg);
        }
        TRY(rc);
        int64_t now = clock_mono_ms();
        if (o->idle != NULL && now - idle_ms >= POLL_MS) {
            TRY(o->idle(o->idle_opaque, err));
            idle_ms = now;
        }
        if (next > before) {
            moved_ms = now;
        } else if (now - moved_ms > STALLED_MS) {
            FAIL(err, RC_RETRY,
                 "%s partition %d cannot be read beyond offset %lld, its end is %lld; perhaps somebody's open"
                 " transaction holds it back",
                 o->topic, (int)o->partition, (long long)next, (long long)high);
        }
    }
    return RC_OK;
}

enum rc kafka_tail_read(const struct tail_options *opt, struct err *err)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;
    int64_t low = 0;
    int64_t high = 0;

    TRY(open_consumer(opt, &rk, err));
    TRY(find_ends(opt, rk, &low, &high, err));
    if (low >= high) {
        return RC_OK; /* never written, or compacted to nothing */
    }
    if (opt->offsets_max > 0 && high - low > opt->offsets_max) {
        low = high - opt->offsets_max;
    }
    for (int64_t tail = TAIL_FIRST;; tail *= 10) {
        int64_t from = high - tail > low ? high - tail : low;
        opt->restart(opt->opaque);
        TRY(read_range(opt, rk, from, high, err));
        if (from == low || opt->enough(opt->opaque)) {
            return RC_OK;
        }
    }
}
