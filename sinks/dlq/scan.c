/* SPDX-License-Identifier: Apache-2.0 */
/* Reads dead-letter topics up to an end that is fixed beforehand. */
#include "dlq/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kafka/conf.h"
#include "kafka/hanging.h"
#include "kafka/log_ends.h"
#include "kafka/rc.h"

#define POLL_MS 200

struct part {
    rd_kafka_topic_t *rkt; /* of its topic */
    const char *dlq;
    int32_t id;
    int64_t first, stop; /* first offset not wanted */
    bool reading;
};

struct topic {
    const char *name; /* without prefix */
    rd_kafka_topic_t *rkt;
};

struct dlq_scan {
    struct dlq_scan_options opt;
    const char *prefix;
    struct letter_reader *reader;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct topic *topics; /* those that exist */
    size_t n_topics;
    struct part *parts;
    size_t n_parts, n_reading;
    struct producer_header *headers; /* of the present record */
    size_t headers_cap;
    struct letter letter;
};

static void stop_part(struct dlq_scan *s, struct part *p)
{
    if (p->reading) {
        p->reading = false;
        s->n_reading--;
        (void)rd_kafka_consume_stop(p->rkt, p->id);
    }
}

static void stop_all(struct dlq_scan *s)
{
    for (size_t i = 0; i < s->n_parts; i++) {
        stop_part(s, &s->parts[i]);
    }
    if (s->queue != NULL) {
        rd_kafka_queue_destroy(s->queue);
        s->queue = NULL;
    }
}

void dlq_scan_close(struct dlq_scan *s)
{
    if (s == NULL) {
        return;
    }
    stop_all(s);
    for (size_t i = 0; i < s->n_topics; i++) {
        rd_kafka_topic_destroy(s->topics[i].rkt);
    }
    kafka_destroy(s->rk);
    letter_reader_free(s->reader);
    free(s->topics);
    free(s->parts);
    free(s->headers);
    free(s);
}

static enum rc connect_client(struct dlq_scan *s, struct err *err)
{
    static const char *const settings[][2] = {
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "earliest"}, /* retention may be faster than we are */
        {"fetch.wait.max.ms", "100"},      /* the end of a quiet partition shows only when a fetch returns */
        {"queued.max.messages.kbytes", "8192"},
        {"isolation.level", "read_committed"},
    };
    return kafka_reader_new(s->opt.cfg, "sluice-dlq", settings, ARRAY_SIZE(settings), &s->rk, err);
}

static enum rc plan_part(struct dlq_scan *s, const struct topic *t, int32_t id, struct err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    const char *full = rd_kafka_topic_name(t->rkt);
    rd_kafka_resp_err_t code = kafka_log_ends(s->rk, full, id, s->opt.timeout_ms, &low, &high);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "topic %s partition %d", full, (int)id);
    }
    if (s->opt.offset >= 0) {
        low = s->opt.offset >= low && s->opt.offset < high ? s->opt.offset : high;
        high = low < high ? low + 1 : high;
    }
    s->parts = xrealloc(s->parts, (s->n_parts + 1) * sizeof(*s->parts));
    s->parts[s->n_parts++] = (struct part){.rkt = t->rkt, .dlq = t->name, .id = id, .first = low, .stop = high};
    return RC_OK;
}

static enum rc plan_topic(struct dlq_scan *s, const char *name, struct err *err)
{
    int partitions = 0;
    char *full CLEANUP(freep) = kafka_topic_name(s->opt.cfg, name);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(s->rk, full, NULL);
    if (rkt == NULL) {
        return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s", full);
    }
    enum rc rc = kafka_topic_partitions(s->rk, rkt, s->opt.timeout_ms, &partitions, err);
    if (rc != RC_OK || partitions == 0) {
        rd_kafka_topic_destroy(rkt);
        return rc;
    }
    const struct topic *t = &s->topics[s->n_topics];
    s->topics[s->n_topics++] = (struct topic){.name = name, .rkt = rkt};
    for (int32_t id = 0; id < partitions; id++) {
        if (s->opt.partition < 0 || s->opt.partition == id) {
            TRY(plan_part(s, t, id, err));
        }
    }
    return RC_OK;
}

enum rc dlq_scan_open(const struct dlq_scan_options *opt, struct dlq_scan **out_scan, struct err *err)
{
    struct dlq_scan *s = xcalloc(1, sizeof(*s));
    s->opt = *opt;
    s->prefix = config_str(opt->cfg, "topic.prefix");
    s->topics = xcalloc(opt->n_topics, sizeof(*s->topics));
    enum rc rc = letter_reader_create(opt->set, &s->reader, err);
    rc = rc == RC_OK ? connect_client(s, err) : rc;
    for (size_t i = 0; i < opt->n_topics && rc == RC_OK; i++) {
        rc = plan_topic(s, opt->topics[i], err);
    }
    if (rc != RC_OK) {
        dlq_scan_close(s);
        return rc;
    }
    *out_scan = s;
    return RC_OK;
}

size_t dlq_scan_topics(const struct dlq_scan *s)
{
    return s->n_topics;
}

/* All questions were asked before the first fetch: they would wait behind it. */
static enum rc start(struct dlq_scan *s, struct err *err)
{
    s->queue = rd_kafka_queue_new(s->rk);
    for (size_t i = 0; i < s->n_parts; i++) {
        struct part *p = &s->parts[i];
        if (p->first >= p->stop) {
            continue;
        }
        if (rd_kafka_consume_start_queue(p->rkt, p->id, p->first, s->queue) != 0) {
            return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s partition %d", rd_kafka_topic_name(p->rkt),
                              (int)p->id);
        }
        p->reading = true;
        s->n_reading++;
    }
    return RC_OK;
}

static struct part *part_of(struct dlq_scan *s, const rd_kafka_message_t *msg)
{
    for (size_t i = 0; i < s->n_parts; i++) {
        if (s->parts[i].id == msg->partition && s->parts[i].rkt == msg->rkt) {
            return &s->parts[i];
        }
    }
    return NULL;
}

static size_t take_headers(struct dlq_scan *s, const rd_kafka_message_t *msg)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(msg, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    size_t n = rd_kafka_header_cnt(headers); /* bounded by the record's size, which has a ceiling */
    if (n > s->headers_cap) {
        s->headers = xrealloc(s->headers, n * sizeof(*s->headers));
        s->headers_cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        const void *value = NULL;
        s->headers[i] = (struct producer_header){.name = NULL};
        (void)rd_kafka_header_get_all(headers, i, &s->headers[i].name, &value, &s->headers[i].value_len);
        s->headers[i].value = value;
    }
    return n;
}

static enum rc give(struct dlq_scan *s, const struct part *p, const rd_kafka_message_t *msg, dlq_scan_fn fn,
                    void *opaque, bool *stop, struct err *err)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t ms = rd_kafka_message_timestamp(msg, &type);
    bool dated = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms > 0 && ms <= INT64_MAX / 1000;
    size_t n = take_headers(s, msg);
    letter_read(s->headers, n, s->prefix, dated ? ms * 1000 : 0, &s->letter);
    s->letter.dlq = p->dlq;
    s->letter.at_partition = msg->partition;
    s->letter.at_offset = msg->offset;
    letter_find_row(s->reader, msg->payload, msg->len, &s->letter);
    return fn(&s->letter, msg, opaque, stop, err);
}

/* A record, the end of a partition, or an error. */
static enum rc take(struct dlq_scan *s, const rd_kafka_message_t *msg, dlq_scan_fn fn, void *opaque, bool *stop,
                    struct err *err)
{
    struct part *p = part_of(s, msg);
    if (p == NULL || !p->reading) {
        return RC_OK;
    }
    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        stop_part(s, p);
        return RC_OK;
    }
    if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        enum rc rc = kafka_fail(err, msg->err, rd_kafka_message_errstr(msg), "topic %s", rd_kafka_topic_name(p->rkt));
        return rc == RC_RETRY ? RC_OK : rc; /* the client itself tries again */
    }
    if (msg->offset < p->stop && !hanging_is_closing_record(msg)) {
        TRY(give(s, p, msg, fn, opaque, stop, err));
    }
    if (msg->offset + 1 >= p->stop) {
        stop_part(s, p);
    }
    return RC_OK;
}

static enum rc read_all(struct dlq_scan *s, dlq_scan_fn fn, void *opaque, struct err *err)
{
    int64_t last_ms = clock_mono_ms();
    bool stop = false;
    while (s->n_reading > 0 && !stop && (s->opt.interrupted == NULL || !*s->opt.interrupted)) {
        rd_kafka_poll(s->rk, 0);
        rd_kafka_message_t *msg = rd_kafka_consume_queue(s->queue, POLL_MS);
        if (msg == NULL) {
            if (clock_mono_ms() - last_ms > s->opt.timeout_ms) {
                FAIL(err, RC_RETRY, "no answer from Kafka for %d ms", s->opt.timeout_ms);
            }
            continue;
        }
        bool progress = msg->err == RD_KAFKA_RESP_ERR_NO_ERROR || msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        enum rc rc = take(s, msg, fn, opaque, &stop, err);
        rd_kafka_message_destroy(msg);
        TRY(rc);
        last_ms = progress ? clock_mono_ms() : last_ms; /* fn may have taken long */
    }
    return RC_OK;
}

enum rc dlq_scan_run(struct dlq_scan *s, dlq_scan_fn fn, void *opaque, struct err *err)
{
    enum rc rc = start(s, err);
    rc = rc == RC_OK ? read_all(s, fn, opaque, err) : rc;
    stop_all(s);
    return rc;
}
