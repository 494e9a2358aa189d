/* SPDX-License-Identifier: Apache-2.0 */
/* The transaction thread: its jobs, its producer, when it gives up. */
#include "runtime/delivery_txn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/delivery_txn_internal.h"

#define BACKOFF_BASE_MS 100
#define BACKOFF_MAX_MS 2000
#define COMMIT_SLICE_MS 2000
#define PAUSE_SLICE_MS 50
#define LOOK_MS 1000

struct txn_job *txn_job_free(struct txn_job *job)
{
    if (job != NULL) {
        for (size_t i = 0; i < job->n_parts; i++) {
            free(job->parts[i].metadata);
        }
        free(job->parts);
        free(job->records);
        free(job);
    }
    return NULL;
}

enum rc txn_wanted(const struct txn *t, struct err *err)
{
    if (atomic_load(&t->cancelled)) {
        FAIL(err, RC_FENCED, "not wanted any more");
    }
    return RC_OK;
}

enum rc txn_pause(const struct txn *t, int64_t ms, struct err *err)
{
    int64_t until = clock_mono_ms() + ms;

    for (int64_t now = clock_mono_ms(); now < until; now = clock_mono_ms()) {
        TRY(txn_wanted(t, err));
        clock_sleep_ms(until - now < PAUSE_SLICE_MS ? until - now : PAUSE_SLICE_MS);
    }
    return RC_OK;
}

static enum rc on_idle(void *opaque, struct err *err)
{
    return txn_wanted(opaque, err);
}

static void on_refused(void *opaque, int64_t tag, rd_kafka_resp_err_t why)
{
    struct txn *t = opaque;

    (void)why;
    if (t->job != NULL && tag >= 0) {
        t->job->refused = t->job->n_refused == 0 || tag < t->job->refused ? tag : t->job->refused;
        t->job->n_refused++;
    }
}

static enum rc check_topics(struct txn *t, struct err *err)
{
    for (const char *const *topic = t->opt.topics; *topic != NULL; topic++) {
        int partitions = 0;
        TRY(producer_topic_partitions(t->producer, *topic, &partitions, err));
        if (partitions == 0) {
            FAIL(err, RC_RETRY, "topic %s does not exist; run `sluice topics apply`", *topic);
        }
    }
    return RC_OK;
}

/*
 * Whoever was fenced may have been so by the rightful owner of its id: init_transactions would only fence that one. So
 * PostgreSQL must first say that the number is still ours.
 */
static enum rc wait_confirmed(struct txn *t, struct err *err)
{
    while (t->fenced_once && !slot_confirmed_since(t->opt.slot, t->fenced_ms)) {
        TRY(txn_pause(t, PAUSE_SLICE_MS, err));
    }
    t->fenced_once = false;
    return RC_OK;
}

enum rc txn_need_producer(struct txn *t, struct err *err)
{
    struct producer_options opt = {.client = t->opt.client,
                                   .transactional_id = t->opt.transactional_id,
                                   .transaction_timeout_ms = t->opt.transaction_timeout_ms,
                                   .idle = on_idle,
                                   .refused = on_refused,
                                   .opaque = t,
                                   .commit_slice_ms = COMMIT_SLICE_MS};

    if (t->producer != NULL && producer_is_lost(t->producer)) {
        log_warn("delivery", "the producer is made anew", KV_S("txn_id", t->opt.transactional_id),
                 KV_S("text", "no Kafka broker could be reached for a while"));
        txn_drop_producer(t, RC_RETRY);
    }
    if (t->producer != NULL) {
        return RC_OK;
    }
    TRY(wait_confirmed(t, err));
    TRY(producer_create(t->opt.cfg, &opt, &t->producer, err));
    enum rc rc = check_topics(t, err);
    if (rc == RC_OK) {
        rc = producer_init(t->producer, err);
    }
    if (rc == RC_OK) {
        rc = txn_end_hanging(t, err);
    }
    if (rc != RC_OK) {
        txn_drop_producer(t, rc);
    }
    return rc;
}

void txn_drop_producer(struct txn *t, enum rc rc)
{
    producer_destroy(t->producer);
    t->producer = NULL;
    if (t->job != NULL) {
        t->job->recreated++;
    }
    if (rc == RC_FENCED && !atomic_load(&t->cancelled)) {
        t->fenced_once = true;
        t->fenced_ms = clock_mono_ms();
    }
}

static enum rc run_once(struct txn *t, struct txn_job *job, struct err *err)
{
    switch (job->kind) {
    case TXN_OPEN:
        return txn_need_producer(t, err);
    case TXN_TAKE:
        return txn_take(t, job, err);
    case TXN_COMMIT:
        return txn_commit(t, job, err);
    }
    return RC_FATAL;
}

/* What a commit could not do is the loop's to decide; the others are tried until they work or are not wanted. */
static void run(struct txn *t, struct txn_job *job)
{
    int failures = 0;

    t->job = job;
    job->refused = -1;
    job->n_refused = 0;
    job->recreated = 0;
    job->resolved = false;
    for (;;) {
        job->rc = run_once(t, job, &job->err);
        bool away = job->rc == RC_RETRY || (job->rc == RC_FENCED && !atomic_load(&t->cancelled));
        if (!away || job->kind == TXN_COMMIT) {
            break;
        }
        log_write(failures == 0 ? LOG_WARN : LOG_DEBUG, "delivery", "not ready yet",
                  KV_S("txn_id", t->opt.transactional_id), KV_ERR(&job->err), KV_END);
        struct err ignored;
        if (txn_pause(t, clock_backoff_ms(failures++, BACKOFF_BASE_MS, BACKOFF_MAX_MS), &ignored) != RC_OK) {
            job->rc = RC_FENCED;
            job->err = ignored;
            break;
        }
    }
    t->job = NULL;
}

/*
 * Without a job: once brokers that were away are back, and the number is still ours, the producer is made anew, since
 * what was committed last may hang and be seen by nobody.
 */
static void look_after(struct txn *t)
{
    struct err err;

    if (t->lost_ms == 0 && t->producer != NULL && producer_is_lost(t->producer)) {
        t->lost_ms = clock_mono_ms();
    }
    if (t->lost_ms == 0 || atomic_load(&t->cancelled) || !slot_confirmed_since(t->opt.slot, t->lost_ms) ||
        (t->producer != NULL && producer_is_away(t->producer))) {
        return;
    }
    if (txn_need_producer(t, &err) == RC_OK) {
        t->lost_ms = 0;
    } else {
        log_warn("delivery", "not ready yet", KV_S("txn_id", t->opt.transactional_id), KV_ERR(&err));
    }
}

static void *txn_main(void *arg)
{
    struct txn *t = arg;

    (void)pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        if (t->todo == NULL) {
            struct timespec until = clock_deadline(LOOK_MS);
            if (pthread_cond_timedwait(&t->wake, &t->lock, &until) == ETIMEDOUT && t->todo == NULL && !t->stop) {
                (void)pthread_mutex_unlock(&t->lock);
                look_after(t);
                (void)pthread_mutex_lock(&t->lock);
            }
            continue;
        }
        struct txn_job *job = t->todo;
        t->todo = NULL;
        (void)pthread_mutex_unlock(&t->lock);
        run(t, job);
        (void)pthread_mutex_lock(&t->lock);
        t->finished = job;
        t->opt.done(t->opt.opaque);
    }
    (void)pthread_mutex_unlock(&t->lock);
    producer_destroy(t->producer);
    return NULL;
}

static struct txn *txn_free(struct txn *t)
{
    (void)pthread_cond_destroy(&t->wake);
    (void)pthread_mutex_destroy(&t->lock);
    txn_job_free(t->todo);
    txn_job_free(t->finished);
    free(t);
    return NULL;
}

enum rc txn_start(const struct txn_options *opt, struct txn **out_txn, struct err *err)
{
    struct txn *t = xcalloc(1, sizeof(*t));

    t->opt = *opt;
    (void)pthread_mutex_init(&t->lock, NULL);
    clock_condition_init(&t->wake);
    int no = pthread_create(&t->thread, NULL, txn_main, t);
    if (no != 0) {
        txn_free(t);
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(no));
    }
    *out_txn = t;
    return RC_OK;
}

struct txn *txn_stop(struct txn *t)
{
    if (t == NULL) {
        return NULL;
    }
    atomic_store(&t->cancelled, true);
    (void)pthread_mutex_lock(&t->lock);
    t->stop = true;
    (void)pthread_cond_broadcast(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    return txn_free(t);
}

void txn_submit(struct txn *t, struct txn_job *job)
{
    assert(!t->busy);
    t->busy = true;
    atomic_store(&t->cancelled, false);
    (void)pthread_mutex_lock(&t->lock);
    t->todo = job;
    (void)pthread_cond_signal(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
}

bool txn_busy(const struct txn *t)
{
    return t->busy;
}

struct txn_job *txn_take_done(struct txn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    struct txn_job *job = t->finished;
    t->finished = NULL;
    (void)pthread_mutex_unlock(&t->lock);
    if (job != NULL) {
        t->busy = false;
    }
    return job;
}

void txn_cancel(struct txn *t)
{
    atomic_store(&t->cancelled, true);
}

void txn_set_consumer(struct txn *t, rd_kafka_t *consumer)
{
    assert(!t->busy);
    t->opt.consumer = consumer;
}
