/* SPDX-License-Identifier: Apache-2.0 */
/* Which finished records make a transaction, and what its result means for them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/delivery_internal.h"

#define BACKOFF_BASE_MS 20
#define BACKOFF_MAX_MS 2000
#define FAILURES_MAX 50 /* in a row, without a commit in between: then a supervisor should look at it */

/* Ends the memory of the batch; its tasks, too. */
void delivery_forget_batch(struct delivery *d)
{
    for (size_t i = 0; i < d->n_batch; i++) {
        delivery_task_free(d->batch[i]);
    }
    d->n_batch = 0;
    d->again = txn_job_free(d->again);
}

static void fill_records(struct delivery *d, struct txn_job *job)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_batch; i++) {
        n += d->batch[i]->n_outs;
    }
    free(job->records);
    job->records = xcalloc(n + 1, sizeof(*job->records));
    d->owner = xrealloc(d->owner, (n + 1) * sizeof(struct delivery_task *));
    job->n_records = 0;
    for (size_t i = 0; i < d->n_batch; i++) {
        for (const struct out *o = d->batch[i]->outs; o != NULL; o = o->next) {
            d->owner[job->n_records] = d->batch[i];
            job->records[job->n_records++] = o->rec;
        }
    }
}

/* From here on its tasks count as done: the job is tried until it is committed or nothing of it counts. */
static void fill_batch(struct delivery *d, bool *touched)
{
    size_t n = d->finished.n < (size_t)d->lim.txn_records_max ? d->finished.n : (size_t)d->lim.txn_records_max;

    d->batch = xrealloc(d->batch, (n + 1) * sizeof(struct delivery_task *));
    for (d->n_batch = 0; d->n_batch < n; d->n_batch++) {
        struct delivery_task *t = d->finished.head;
        d->finished.head = t->next;
        d->finished.n--;
        t->state = TASK_COMMITTING;
        touched[t->part - d->parts] = true;
        delivery_offsets_complete(&t->part->offsets, t->event.offset);
        d->batch[d->n_batch] = t;
    }
    if (d->finished.n == 0) {
        d->finished.tail = NULL;
    }
}

/* Since when the oldest result is not committed; now when there is none. */
int64_t delivery_uncommitted_since(const struct delivery *d, int64_t now)
{
    if (d->n_batch > 0) {
        return d->batch[0]->due_ms;
    }
    return d->finished.head != NULL ? d->finished.head->due_ms : now;
}

static enum rc add_part(struct txn_job *job, const struct part *p, struct err *err)
{
    struct buf text;

    buf_init(&text, DELIVERY_METADATA_MAX + 1);
    TRY(delivery_offsets_encode(&p->offsets, p->counter + 1, &text, err));
    size_t n = text.len;
    job->parts[job->n_parts++] = (struct txn_part){.partition = p->partition,
                                                   .offset = delivery_offsets_low(&p->offsets),
                                                   .counter = p->counter + 1,
                                                   .metadata = buf_take(&text),
                                                   .metadata_len = n};
    return RC_OK;
}

static void submit_new(struct delivery *d)
{
    bool *touched CLEANUP(freep) = xcalloc(d->n_parts + 1, sizeof(bool));
    struct txn_job *job = xcalloc(1, sizeof(*job));
    struct err err;

    job->kind = TXN_COMMIT;
    job->proves = d->prove;
    job->parts = xcalloc(d->n_parts + 1, sizeof(*job->parts));
    fill_batch(d, touched);
    for (size_t i = 0; i < d->n_parts; i++) {
        bool wanted = touched[i] || (d->prove && !d->parts[i].stuck);
        if (wanted && add_part(job, &d->parts[i], &err) != RC_OK) {
            txn_job_free(job);
            delivery_stop(d, RC_FATAL, &err, 0);
            return;
        }
    }
    if (job->n_parts == 0) { /* nothing to prove anything with */
        d->prove = false;
        txn_job_free(job);
        return;
    }
    fill_records(d, job);
    txn_submit(d->txn, job);
}

void delivery_commit_due(struct delivery *d, int64_t now)
{
    if (d->lost || txn_busy(d->txn)) {
        return;
    }
    if (d->again != NULL) {
        if (now >= d->again_ms) {
            struct txn_job *job = d->again;
            d->again = NULL;
            txn_submit(d->txn, job);
        }
        return;
    }
    bool some = d->finished.n > 0;
    bool many = (int64_t)d->finished.n >= d->lim.txn_records_max || (int64_t)d->bytes >= d->lim.bytes_max / 2;
    bool old = now - delivery_uncommitted_since(d, now) >= d->lim.linger_ms;
    if (d->prove || (some && (many || old || d->state == GROUP_LEAVING))) {
        submit_new(d);
    }
}

static void committed(struct delivery *d, struct txn_job *job)
{
    for (size_t i = 0; i < job->n_parts; i++) {
        struct part *p = delivery_part_find(d, job->parts[i].partition);
        if (p != NULL) {
            p->counter = job->parts[i].counter;
        }
    }
    metric_inc(d->m.commits);
    metric_observe(d->m.commit_seconds, (double)job->took_ms / 1000);
    d->aborts = 0;
    d->fenced = 0;
    d->prove = d->prove && !job->proves; /* one that was under way while this process was frozen proves nothing */
    delivery_forget_batch(d);
    txn_job_free(job);
}

/* The dead letter again, cut; what else the task has to say stays. False: it is cut already. */
static bool cut_dead(struct delivery_task *t)
{
    for (size_t i = 0; i < t->dead->rec.n_headers; i++) {
        if (strcmp(t->dead->rec.headers[i].name, "__dlq.truncated") == 0) {
            return false;
        }
    }
    struct out **at = &t->outs;
    while (*at != t->dead) {
        at = &(*at)->next;
    }
    *at = NULL; /* it was the last one */
    t->outs_end = at;
    t->n_outs--;
    const struct delivery_why why = t->why;
    delivery_make_dead(t, &why, true);
    return true;
}

/* A record the broker does not take: a dead letter is cut once; another's task becomes a dead letter. */
static bool replace_refused(struct delivery *d, struct txn_job *job)
{
    struct delivery_task *t = d->owner[job->refused];
    struct delivery_why why = {.class = "output-refused", .stage = "publish", .message = job->err.text};

    log_error(d->proc->name, "a record is refused by the broker", KV_S("id", t->event.id),
              KV_I("partition", t->event.partition), KV_I("offset", t->event.offset),
              KV_S("topic", job->records[job->refused].topic), KV_ERR(&job->err));
    if (t->dead != NULL && job->records[job->refused].topic == d->dlq) {
        return cut_dead(t);
    }
    delivery_drop_outs(t);
    delivery_make_dead(t, &why, false);
    return true;
}

static void aborted(struct delivery *d, struct txn_job *job)
{
    metric_inc(d->m.aborts);
    if (job->n_refused > 1 && !job->one_by_one) {
        job->one_by_one = true;
    } else if (job->n_refused > 0) {
        if (!replace_refused(d, job)) {
            delivery_stop(d, RC_FATAL, &job->err, 0);
            d->again = job;
            return;
        }
        fill_records(d, job);
    }
    log_warn(d->proc->name, "transaction is produced again", KV_I("records", (int64_t)job->n_records),
             KV_I("aborts", d->aborts), KV_ERR(&job->err));
    d->again = job;
    d->again_ms = clock_mono_ms() + clock_backoff_ms(d->aborts, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
    d->aborts += job->n_refused > 0 ? 0 : 1; /* each refusal is one step forward */
    if (d->aborts >= FAILURES_MAX) {
        delivery_stop(d, RC_FENCED, &job->err, 0);
    }
}

void delivery_commit_done(struct delivery *d, struct txn_job *job)
{
    metric_add(job->rc == RC_FATAL ? d->m.failed : d->m.fenced, job->recreated);
    if (job->resolved) {
        metric_inc(d->m.resolved);
    }
    if (job->rc == RC_OK) {
        committed(d, job);
        return;
    }
    if (d->lost) {
        txn_job_free(job);
        return; /* the batch goes with the rest */
    }
    if (job->rc == RC_RETRY) {
        aborted(d, job);
        return;
    }
    struct err err = job->err;
    enum rc rc = job->rc;
    txn_job_free(job);
    if (rc == RC_FATAL) {
        delivery_stop(d, RC_FATAL, &err, 0);
    }
    log_warn(d->proc->name, "staged results are dropped", KV_ERR(&err));
    bool held = d->state == GROUP_HELD; /* while leaving, the group waits for the partitions */
    delivery_leave(d, true, 0);
    d->retake = held && d->phase == PHASE_RUN;
}
