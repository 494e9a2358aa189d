/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of `sluice status` that Kafka knows: topics, groups, and the records before each group.
 *
 * One client asks for topics and reads records; each group gets a client of its own, which only asks for its committed
 * offsets and never joins it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/hanging.h"
#include "kafka/log_ends.h"
#include "kafka/rc.h"
#include "status.h"

#define ASK_MS 3000
#define READ_MS 5000 /* for all records that are looked at */
#define READ_BYTES_MAX ((int64_t)64 << 20)
#define POLL_MS 100

/* A partition that is read, and whose. */
struct read_part {
    struct lag_part part;
    const char *topic; /* full name */
    struct lag *into;
    bool reading;
};

struct reading {
    rd_kafka_t *rk;
    struct read_part *parts; /* heap */
    size_t n, max;
    rd_kafka_topic_t *rkt[STATUS_TOPICS_MAX];
    size_t n_rkt;
};

static enum rc open_client(const struct status *st, const char *group, rd_kafka_t **out_rk, struct err *err)
{
    const char *const settings[][2] = {
        {"group.id", group},
        {"isolation.level", "read_committed"}, /* also: the end that is asked for is the stable one */
        {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "earliest"},
        {"fetch.wait.max.ms", "50"},
        {"fetch.message.max.bytes", "262144"}, /* of each partition; a larger record still comes */
        {"queued.max.messages.kbytes", "1024"},
    };

    return kafka_reader_new(st->cfg, "sluice-status", settings, ARRAY_SIZE(settings), out_rk, err);
}

/* Nobody answered: nothing else is asked then. */
static enum rc no_answer(struct err *err, rd_kafka_resp_err_t code, const char *what)
{
    kafka_fail(err, code, NULL, "cannot ask Kafka for %s", what);
    err->rc = kafka_rc(code) == RC_FATAL ? RC_FATAL : RC_RETRY;
    return err->rc;
}

/* ---------------------------------------------------------------------------------------------------- topics */

static enum rc ask_topics(struct status *st, struct reading *r, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;

    for (size_t i = 0; i < st->n_topics; i++) {
        r->rkt[r->n_rkt] = rd_kafka_topic_new(r->rk, st->topics[i].full_name, NULL);
        if (r->rkt[r->n_rkt++] == NULL) {
            return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s", st->topics[i].full_name);
        }
    }
    rd_kafka_resp_err_t code = rd_kafka_metadata(r->rk, 0, NULL, &md, ASK_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        char what[300];
        (void)snprintf(what, sizeof(what), "topics at %.250s", config_str(st->cfg, "kafka.brokers"));
        return no_answer(err, code, what);
    }
    for (int k = 0; k < md->topic_cnt; k++) {
        for (size_t i = 0; i < st->n_topics; i++) {
            int n = md->topics[k].partition_cnt;
            if (strcmp(st->topics[i].full_name, md->topics[k].topic) == 0) {
                st->topics[i].partitions = n < STATUS_PARTITIONS_MAX ? n : STATUS_PARTITIONS_MAX;
            }
        }
    }
    rd_kafka_metadata_destroy(md);
    return RC_OK;
}

static void read_later(struct reading *r, const char *topic, struct lag *into, const struct lag_part *part)
{
    if (r->n == r->max) {
        r->max = r->max == 0 ? 32 : 2 * r->max;
        r->parts = xrealloc(r->parts, r->max * sizeof(*r->parts));
    }
    r->parts[r->n++] = (struct read_part){.part = *part, .topic = topic, .into = into};
}

/* How much of a topic's allowance a partition gets: each of them, so that each one's oldest record is seen. */
static int64_t share(int partitions)
{
    return partitions > 0 && partitions < LAG_RECORDS_MAX ? LAG_RECORDS_MAX / partitions : 1;
}

static struct status_reader *reader_of(struct status *st, const struct status_topic *t)
{
    for (size_t i = 0; i < STATUS_READERS; i++) {
        if (strcmp(st->readers[i].topic, t->name) == 0) {
            return &st->readers[i];
        }
    }
    return NULL;
}

/* The ends of one topic, and what of it has to be looked at. committed: of the topic's group, may be NULL. */
static enum rc ask_ends(struct reading *r, struct status_topic *t, struct status_reader *reader,
                        const rd_kafka_topic_partition_list_t *committed, struct err *err)
{
    for (int32_t p = 0; p < t->partitions; p++) {
        int64_t low = 0;
        int64_t end = 0;
        struct lag_part part;
        rd_kafka_resp_err_t code = kafka_log_ends(r->rk, t->full_name, p, ASK_MS, &low, &end);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return no_answer(err, code, t->full_name);
        }
        t->offsets += end - low;
        if (t->dead_letters) {
            lag_part_init(&part, p, low, end, low, NULL, 0, share(t->partitions));
            read_later(r, t->full_name, &t->records, &part);
        } else if (reader != NULL && reader->known) {
            const rd_kafka_topic_partition_t *c = committed != NULL ? &committed->elems[p] : NULL;
            lag_part_init(&part, p, low, end, reader->position[p], c != NULL ? c->metadata : NULL,
                          c != NULL ? c->metadata_size : 0, share(t->partitions));
            reader->offset_sum += part.from;
            read_later(r, t->full_name, &reader->lag, &part);
        }
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- groups */

/* Committed offsets are the truth for delivery processors only. */
static enum rc ask_committed(const struct status *st, struct status_reader *reader, int partitions,
                             rd_kafka_topic_partition_list_t **out, struct err *err)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;
    rd_kafka_topic_partition_list_t *list CLEANUP(kafka_list_freep) = rd_kafka_topic_partition_list_new(partitions + 1);

    TRY(open_client(st, reader->group, &rk, err));
    for (int32_t p = 0; p < partitions; p++) {
        rd_kafka_topic_partition_list_add(list, reader->full_topic, p);
    }
    rd_kafka_resp_err_t code = partitions > 0 ? rd_kafka_committed(rk, list, ASK_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return no_answer(err, code, reader->group);
    }
    for (int p = 0; p < list->cnt; p++) {
        reader->position[p] = list->elems[p].offset >= 0 ? list->elems[p].offset : -1;
    }
    *out = list;
    list = NULL;
    return RC_OK;
}

static enum rc ask_members(struct reading *r, struct status_reader *reader, struct err *err)
{
    const struct rd_kafka_group_list *groups = NULL;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(r->rk, reader->group, &groups, ASK_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__PARTIAL) {
        return no_answer(err, code, reader->group);
    }
    reader->members = 0;
    for (int i = 0; i < groups->group_cnt; i++) {
        if (strcmp(groups->groups[i].group, reader->group) == 0) {
            reader->members += groups->groups[i].member_cnt;
        }
    }
    rd_kafka_group_list_destroy(groups);
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- records */

static struct read_part *find_part(struct reading *r, const rd_kafka_message_t *msg)
{
    const char *topic = msg->rkt != NULL ? rd_kafka_topic_name(msg->rkt) : "";

    for (size_t i = 0; i < r->n; i++) {
        if (r->parts[i].part.partition == msg->partition && strcmp(r->parts[i].topic, topic) == 0) {
            return &r->parts[i];
        }
    }
    return NULL;
}

static rd_kafka_topic_t *topic_handle(const struct reading *r, const char *topic)
{
    for (size_t i = 0; i < r->n_rkt; i++) {
        if (strcmp(rd_kafka_topic_name(r->rkt[i]), topic) == 0) {
            return r->rkt[i];
        }
    }
    return NULL;
}

static size_t start_reading(struct reading *r, rd_kafka_queue_t *queue)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        struct read_part *p = &r->parts[i];
        rd_kafka_topic_t *rkt = topic_handle(r, p->topic);
        if (lag_part_wants(&p->part) && rkt != NULL &&
            rd_kafka_consume_start_queue(rkt, p->part.partition, p->part.from, queue) == 0) {
            p->reading = true;
            n++;
        }
    }
    return n;
}

/* True: the partition is done with. */
static bool take(struct read_part *p, const rd_kafka_message_t *msg)
{
    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        lag_part_reach(&p->part, msg->offset);
    } else if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR && hanging_is_closing_record(msg)) {
        lag_part_reach(&p->part, msg->offset + 1);
    } else if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        lag_part_see(&p->part, msg->offset, rd_kafka_message_timestamp(msg, NULL));
    }
    return !lag_part_wants(&p->part);
}

/* What cannot be read in time is shown as "more than". */
static void read_records(struct reading *r)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(r->rk);
    int64_t until = clock_mono_ms() + READ_MS;
    int64_t bytes = 0;
    size_t left = start_reading(r, queue);

    while (left > 0 && bytes < READ_BYTES_MAX && clock_mono_ms() < until) {
        rd_kafka_message_t *msg = rd_kafka_consume_queue(queue, POLL_MS);
        if (msg == NULL) {
            continue;
        }
        struct read_part *p = find_part(r, msg);
        bytes += (int64_t)(msg->len + msg->key_len);
        if (p != NULL && p->reading && take(p, msg)) {
            p->reading = false;
            left--;
            (void)rd_kafka_consume_stop(msg->rkt, p->part.partition);
        }
        rd_kafka_message_destroy(msg);
    }
    for (size_t i = 0; i < r->n; i++) {
        if (r->parts[i].reading) {
            (void)rd_kafka_consume_stop(topic_handle(r, r->parts[i].topic), r->parts[i].part.partition);
        }
    }
    rd_kafka_queue_destroy(queue);
}

/* ---------------------------------------------------------------------------------------------------- all of it */

static void say_state(struct status_reader *r, const struct status *st)
{
    const int *fits = r->lag.fits;

    if (!r->known) {
        (void)snprintf(r->state, sizeof(r->state), "%s",
                       r->database && !st->db_known ? "its position is in PostgreSQL" : "its topic is missing");
    } else if (fits[LAG_BEYOND] > 0) {
        (void)snprintf(r->state, sizeof(r->state), "position_beyond_log in %d of %d partitions", fits[LAG_BEYOND],
                       r->lag.parts);
    } else if (fits[LAG_BEHIND] > 0) {
        (void)snprintf(r->state, sizeof(r->state), "position_behind_log in %d of %d partitions", fits[LAG_BEHIND],
                       r->lag.parts);
    } else if (fits[LAG_BAD_METADATA] > 0) {
        (void)snprintf(r->state, sizeof(r->state), "metadata of %d of %d offsets is malformed", fits[LAG_BAD_METADATA],
                       r->lag.parts);
    } else if (r->lag.parts > 0 && fits[LAG_NEW] == r->lag.parts) {
        (void)snprintf(r->state, sizeof(r->state), "never started");
    }
}

static enum rc ask_topic(struct status *st, struct reading *r, struct status_topic *t, struct err *err)
{
    rd_kafka_topic_partition_list_t *committed CLEANUP(kafka_list_freep) = NULL;
    struct status_reader *reader = reader_of(st, t);

    if (reader != NULL) {
        reader->known = t->partitions > 0 && (!reader->database || st->db_known);
        if (!reader->database && t->partitions > 0) {
            TRY(ask_committed(st, reader, t->partitions, &committed, err));
        }
        TRY(ask_members(r, reader, err));
    }
    return ask_ends(r, t, reader, committed, err);
}

static enum rc ask_all(struct status *st, struct reading *r, struct err *err)
{
    TRY(open_client(st, "sluice-status", &r->rk, err));
    TRY(ask_topics(st, r, err));
    /* All questions before the first fetch: they would wait behind it. */
    for (size_t i = 0; i < st->n_topics; i++) {
        TRY(ask_topic(st, r, &st->topics[i], err));
    }
    read_records(r);
    for (size_t i = 0; i < r->n; i++) {
        lag_add(r->parts[i].into, &r->parts[i].part);
    }
    for (size_t i = 0; i < STATUS_READERS; i++) {
        say_state(&st->readers[i], st);
    }
    return RC_OK;
}

void status_ask_kafka(struct status *st)
{
    struct reading r = {.rk = NULL};

    st->kafka_known = ask_all(st, &r, &st->kafka_err) == RC_OK;
    for (size_t i = 0; i < r.n; i++) {
        lag_part_done(&r.parts[i].part);
    }
    free(r.parts);
    for (size_t i = 0; i < r.n_rkt; i++) {
        if (r.rkt[i] != NULL) {
            rd_kafka_topic_destroy(r.rkt[i]);
        }
    }
    kafka_destroy(r.rk);
}
