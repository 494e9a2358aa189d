/* SPDX-License-Identifier: Apache-2.0 */
/* Commits a job, and finds out what became of a commit whose result is unknown. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/rc.h"
#include "runtime/delivery_offsets.h"
#include "runtime/delivery_txn_internal.h"

#define ASK_MS 2000
#define FENCED_MAX 5 /* in a row for one job */

static rd_kafka_topic_partition_list_t *make_list(const struct txn *t, const struct txn_part *parts, size_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);

    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, t->opt.topic, parts[i].partition);
        p->offset = parts[i].offset;
        if (parts[i].metadata != NULL) {
            p->metadata = xstrndup(parts[i].metadata, parts[i].metadata_len); /* freed with the list */
            p->metadata_size = parts[i].metadata_len;
        }
    }
    return list;
}

/*
 * The group's metadata is asked for first and the loss of the assignment after it: metadata without a generation,
 * which the broker would not check, exists only once the assignment counts as lost.
 */
static enum rc send_offsets(struct txn *t, const struct txn_job *job, struct err *err)
{
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(t->opt.consumer);
    enum rc rc = RC_RETRY;

    if (group == NULL || rd_kafka_assignment_lost(t->opt.consumer)) {
        err_set(err, RC_RETRY, __FILE__, __LINE__, "the assignment is lost");
    } else {
        rd_kafka_topic_partition_list_t *list = make_list(t, job->parts, job->n_parts);
        rc = txn_wanted(t, err);
        rc = rc == RC_OK ? producer_send_offsets(t->producer, list, group, err) : rc;
        rd_kafka_topic_partition_list_destroy(list);
    }
    if (group != NULL) {
        rd_kafka_consumer_group_metadata_destroy(group);
    }
    return rc;
}

enum rc txn_transaction(struct txn *t, struct txn_job *job, struct err *err)
{
    TRY(producer_begin(t->producer, err));
    for (size_t i = 0; i < job->n_records; i++) {
        enum rc rc = producer_send(t->producer, &job->records[i], (int64_t)i, err);
        if (rc == RC_REJECT) {
            job->refused = (int64_t)i;
            job->n_refused = 1;
            err->rc = RC_RETRY;
            return RC_RETRY;
        }
        TRY(rc);
        if (job->one_by_one) {
            TRY(producer_flush(t->producer, err));
            if (job->n_refused > 0) {
                FAIL(err, RC_RETRY, "the broker refuses a record for %s", job->records[i].topic);
            }
        }
    }
    /* In the log before the offsets are sent: what is slow or refused shows here, and the rest takes milliseconds. */
    TRY(producer_flush(t->producer, err));
    if (job->n_refused > 0) {
        FAIL(err, RC_RETRY, "the broker refuses a record for %s", job->records[job->refused].topic);
    }
    TRY(send_offsets(t, job, err));
    TRY(txn_wanted(t, err));
    TRY(t->opt.fault != NULL ? t->opt.fault(t->opt.opaque, false, err) : RC_OK);
    TRY(producer_commit(t->producer, err));
    return t->opt.fault != NULL ? t->opt.fault(t->opt.opaque, true, err) : RC_OK;
}

static void take_found(struct txn_part *p, const rd_kafka_topic_partition_t *e)
{
    *p = (struct txn_part){.partition = e->partition, .offset = e->offset};
    if (e->metadata != NULL && e->metadata_size > 0) {
        p->metadata = xstrndup(e->metadata, e->metadata_size);
        p->metadata_len = e->metadata_size;
    }
}

enum rc txn_committed(struct txn *t, const struct txn_part *parts, size_t n, struct txn_part *found, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, t->opt.topic, parts[i].partition);
    }
    /* Waits for transactions that are still open (read_committed). */
    code = rd_kafka_committed(t->opt.consumer, list, ASK_MS);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_topic_partition_list_destroy(list);
        kafka_fail(err, code, NULL, "cannot read the committed offsets of %s", t->opt.group);
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    for (size_t i = 0; i < n; i++) {
        take_found(&found[i], rd_kafka_topic_partition_list_find(list, t->opt.topic, parts[i].partition));
    }
    rd_kafka_topic_partition_list_destroy(list);
    return RC_OK;
}

enum verdict { COMMITTED, NOT_COMMITTED, FOREIGN };

static enum verdict compare(const struct txn_part *want, const struct txn_part *found)
{
    struct delivery_offsets o;
    int64_t counter = -1;
    struct err ignored;

    if (found->offset < 0 ||
        delivery_offsets_decode(found->metadata, found->metadata_len, found->offset, &o, &counter, &ignored) != RC_OK) {
        return FOREIGN;
    }
    delivery_offsets_done(&o);
    if (counter == want->counter && found->offset == want->offset) {
        return COMMITTED;
    }
    return counter == want->counter - 1 ? NOT_COMMITTED : FOREIGN;
}

static enum rc read_verdict(struct txn *t, struct txn_job *job, struct err *err)
{
    struct txn_part *found CLEANUP(freep) = xcalloc(job->n_parts, sizeof(*found));
    size_t n[3] = {0};

    TRY(txn_committed(t, job->parts, job->n_parts, found, err));
    for (size_t i = 0; i < job->n_parts; i++) {
        n[compare(&job->parts[i], &found[i])]++;
        free(found[i].metadata);
    }
    job->resolved = true;
    log_warn("delivery", "an unknown commit was looked up", KV_S("txn_id", t->opt.transactional_id),
             KV_S("result", n[COMMITTED] == job->n_parts ? "committed" : "not committed"),
             KV_I("records", (int64_t)job->n_records));
    if (n[COMMITTED] == job->n_parts) {
        return RC_OK;
    }
    if (n[NOT_COMMITTED] == job->n_parts) {
        FAIL(err, RC_RETRY, "the commit did not take place");
    }
    /* Not FENCED by a producer's epoch: the offsets themselves are not as we left them. */
    FAIL(err, RC_FENCED, "the offsets of %s were moved by somebody else", t->opt.group);
}

/* A transaction of the same id that was under way has an end, one way or the other, when init_transactions is done. */
static enum rc find_out(struct txn *t, struct txn_job *job, struct err *err)
{
    int failures = 0;
    int fenced = 0;

    for (;;) {
        bool need = t->producer == NULL;
        enum rc rc = txn_need_producer(t, err);
        if (rc == RC_OK) {
            rc = read_verdict(t, job, err);
            if (rc != RC_RETRY || job->resolved) {
                return rc;
            }
        }
        TRY(txn_wanted(t, err));
        log_write(failures == 0 ? LOG_WARN : LOG_DEBUG, "delivery", "what became of a commit is not known yet",
                  KV_S("txn_id", t->opt.transactional_id), KV_ERR(err), KV_END);
        if (rc == RC_FATAL || (need && rc == RC_FENCED && ++fenced >= FENCED_MAX)) {
            return rc;
        }
        TRY(txn_pause(t, clock_backoff_ms(failures++, 100, 2000), err));
    }
}

enum rc txn_commit(struct txn *t, struct txn_job *job, struct err *err)
{
    enum rc rc = txn_need_producer(t, err);

    if (rc == RC_FENCED) {
        TRY(txn_wanted(t, err));
        err->rc = RC_RETRY; /* nothing was begun */
        return RC_RETRY;
    }
    TRY(rc);
    int64_t began = clock_mono_ms();
    rc = txn_transaction(t, job, err);
    job->took_ms = clock_mono_ms() - began;
    if (rc == RC_OK) {
        return RC_OK;
    }
    if (rc == RC_RETRY) {
        struct err why = *err;
        rc = producer_abort(t->producer, err);
        if (rc == RC_OK) {
            *err = why;
            return RC_RETRY;
        }
    }
    log_warn("delivery", "the producer is made anew", KV_S("txn_id", t->opt.transactional_id), KV_ERR(err));
    txn_drop_producer(t, rc);
    TRY(txn_wanted(t, err));
    return find_out(t, job, err);
}
