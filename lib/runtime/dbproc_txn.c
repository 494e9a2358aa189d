/* SPDX-License-Identifier: Apache-2.0 */
/* One part of a batch, one transaction: positions, effects, dead letters, COMMIT. And what to do when it is refused. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "runtime/dbproc_dead.h"
#include "runtime/dbproc_internal.h"
#include "runtime/dbproc_position.h"

#define FENCED_BASE_MS 200
#define FENCED_MAX_MS 5000
#define ADVANCE_INTERVAL_MS 1000
#define TICK_INTERVAL_MS 1000

/* The position rows a transaction moves, and whose they are. */
struct steps {
    struct dbproc_step *list;
    uint32_t *part;
    size_t n;
};

static void steps_init(struct steps *s, const struct dbproc *d)
{
    *s = (struct steps){.list = xcalloc(d->n_parts + 1, sizeof(*s->list)),
                        .part = xcalloc(d->n_parts + 1, sizeof(*s->part))};
}

static void steps_done(struct steps *s)
{
    free(s->list);
    free(s->part);
}

static void add_step(struct dbproc *d, struct steps *s, uint32_t part, int64_t to)
{
    const struct dbproc_part *p = &d->parts[part];

    s->list[s->n] = (struct dbproc_step){
        .topic = p->source->name, .partition = p->partition, .epoch = p->epoch, .from = p->next_offset, .to = to};
    s->part[s->n++] = part;
}

/*
 * Where each partition of events [from, to) stands afterwards, in the order of the table of partitions. Behind its last
 * record of the batch a partition may step over what is no record (control records, aborted ones).
 */
static void find_steps(struct dbproc *d, size_t from, size_t to, struct steps *s)
{
    const struct dbproc_batch *b = &d->batch;

    for (uint32_t part = 0; part < d->n_parts; part++) {
        int64_t end = -1;
        bool more = false;
        for (size_t i = from; i < b->n; i++) {
            if (i < to && b->part[i] == part) {
                end = b->events[i].offset + 1;
            }
            more = more || (b->part[i] == part && i >= to);
        }
        if (end >= 0) {
            add_step(d, s, part, !more && d->parts[part].read_end > end ? d->parts[part].read_end : end);
        }
    }
}

static void moved(struct dbproc *d, const struct steps *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct dbproc_part *p = &d->parts[s->part[i]];
        p->next_offset = s->list[i].to;
        p->failures = 0;
    }
}

/* The rows say that others own them: drop these partitions, and look at them again if the group keeps them ours. */
static void drop_fenced(struct dbproc *d, const struct steps *s, bool all, const char *why)
{
    for (size_t i = 0; i < s->n; i++) {
        struct dbproc_part *p = &d->parts[s->part[i]];
        if (!all && !s->list[i].fenced) {
            continue;
        }
        metric_inc(d->m.fenced);
        log_warn(d->proc->role, "fenced", KV_S("topic", p->source->name), KV_I("partition", p->partition),
                 KV_I("epoch", p->epoch), KV_I("next_offset", p->next_offset), KV_S("text", why));
        dbproc_batch_drop(&d->batch, s->part[i]);
        dbproc_part_set(d, p, PART_WANTED, clock_backoff_ms(p->failures++, FENCED_BASE_MS, FENCED_MAX_MS), "fenced");
    }
}

static enum rc bury(struct dbproc *d, size_t i, const struct dbproc_verdict *v, struct err *err)
{
    const struct dbproc_event *ev = &d->batch.events[i];
    const struct dbproc_part *p = &d->parts[d->batch.part[i]];
    const struct dbproc_death why = {
        .dlq = p->source->topic->dlq, .group = d->group, .stage = d->proc->role, .class = v->class, .text = v->text};

    return dbproc_dead_insert(d->conn, ev, &why, err);
}

/* Effects and dead letters of events [from, to). alone: the only one cannot be applied, for this reason. */
static enum rc effects(struct dbproc *d, size_t from, size_t to, const struct dbproc_verdict *alone, struct err *err)
{
    struct dbproc_batch *b = &d->batch;
    struct dbproc_verdicts v = {.arena = &b->arena, .list = b->verdicts, .n = to - from};

    memset(b->verdicts, 0, v.n * sizeof(*b->verdicts));
    if (alone != NULL) {
        b->verdicts[0] = *alone;
    } else {
        TRY(d->proc->apply(d->proc->self, d->conn, &b->events[from], v.n, &v, err));
    }
    for (size_t i = 0; i < v.n; i++) {
        if (b->verdicts[i].class != NULL) {
            TRY(bury(d, from + i, &b->verdicts[i], err));
        }
    }
    if (alone != NULL && d->proc->dead != NULL) {
        enum rc rc = d->proc->dead(d->proc->self, d->conn, &b->events[from], err);
        if (rc == RC_REJECT) {
            rc = err->rc = RC_FATAL; /* the record has been rejected already: there is nothing else to reject */
        }
        return rc;
    }
    return RC_OK;
}

static void count_and_say(struct dbproc *d, size_t from, size_t to)
{
    const struct dbproc_batch *b = &d->batch;

    for (size_t i = from; i < to; i++) {
        const struct dbproc_event *ev = &b->events[i];
        const struct dbproc_verdict *v = &b->verdicts[i - from];
        const struct dbproc_source *source = d->parts[b->part[i]].source;
        metric_inc(v->class == NULL ? source->ok : source->dead);
        if (v->class != NULL) {
            log_warn(d->proc->role, "dead letter", KV_S("topic", ev->topic), KV_I("partition", ev->partition),
                     KV_I("offset", ev->offset), KV_S("class", v->class), KV_S("text", v->text));
        }
    }
}

/* One transaction over events [from, to). */
static enum rc one_try(struct dbproc *d, size_t from, size_t to, const struct dbproc_verdict *alone, struct err *err)
{
    struct steps s CLEANUP(steps_done);
    int64_t began = clock_mono_us();

    steps_init(&s, d);
    find_steps(d, from, to, &s);
    role_tick(d->watch);
    enum rc rc = dbproc_position_begin(d->conn, d->group, s.list, s.n, err);
    if (rc == RC_FENCED) {
        drop_fenced(d, &s, false, err->text);
        return rc;
    }
    TRY(rc);
    rc = effects(d, from, to, alone, err);
    if (rc == RC_OK) {
        rc = dbproc_position_commit(d->conn, err);
    }
    if (rc != RC_OK) {
        dbproc_position_rollback(d->conn);
        if (rc == RC_FENCED) {
            drop_fenced(d, &s, true, err->text);
        }
        return rc;
    }
    moved(d, &s);
    if ((alone == NULL || d->proc->dead != NULL) && d->proc->committed != NULL) {
        d->proc->committed(d->proc->self);
    }
    metric_observe(d->m.batch_rows, (double)(to - from));
    metric_observe(d->m.batch_seconds, (double)(clock_mono_us() - began) / 1e6);
    count_and_say(d, from, to);
    d->batch.done = to;
    return RC_OK;
}

/*
 * Events [from, to), in as many transactions as it takes to separate those that can never work from the others. From
 * the first failure that is none of a single record's on, the rest stays undone.
 */
static enum rc apply_range(struct dbproc *d, size_t from, size_t to, struct err *err)
{
    enum rc rc = one_try(d, from, to, NULL, err);

    if (rc != RC_REJECT) {
        return rc;
    }
    if (to - from == 1) {
        struct err why = *err;
        const struct dbproc_verdict alone = {.class = "refused", .text = why.text};
        return one_try(d, from, to, &alone, err);
    }
    size_t middle = from + (to - from) / 2;
    TRY(apply_range(d, from, middle, err));
    return apply_range(d, middle, to, err);
}

enum rc dbproc_txn_batch(struct dbproc *d, struct err *err)
{
    while (d->batch.done < d->batch.n) {
        enum rc rc = apply_range(d, d->batch.done, d->batch.n, err);
        if (rc == RC_FENCED) {
            continue; /* without the partitions that were dropped */
        }
        TRY(rc);
    }
    return RC_OK;
}

enum rc dbproc_txn_idle(struct dbproc *d, struct err *err)
{
    struct steps s CLEANUP(steps_done);
    int64_t now = clock_mono_ms();

    steps_init(&s, d);
    if (now - d->advanced_ms < ADVANCE_INTERVAL_MS) {
        return RC_OK;
    }
    for (uint32_t i = 0; i < d->n_parts; i++) {
        const struct dbproc_part *p = &d->parts[i];
        if (p->state == PART_OWNED && p->read_end > p->next_offset) {
            add_step(d, &s, i, p->read_end);
        }
    }
    if (s.n == 0) {
        return RC_OK;
    }
    d->advanced_ms = now;
    enum rc rc = dbproc_position_begin(d->conn, d->group, s.list, s.n, err);
    if (rc == RC_FENCED) {
        drop_fenced(d, &s, false, err->text);
        return RC_OK;
    }
    TRY(rc);
    TRY(dbproc_position_commit(d->conn, err));
    moved(d, &s);
    return RC_OK;
}

enum rc dbproc_txn_tick(struct dbproc *d, struct err *err)
{
    struct err why = {0};
    int64_t now = clock_mono_ms();

    if (d->proc->tick == NULL || now - d->ticked_ms < TICK_INTERVAL_MS) {
        return RC_OK;
    }
    d->ticked_ms = now;
    role_tick(d->watch);
    enum rc rc = d->proc->tick(d->proc->self, d->conn, &why);
    bool lost = PQstatus(d->conn) != CONNECTION_OK;
    if (rc == RC_OK && !lost && PQtransactionStatus(d->conn) != PQTRANS_IDLE) {
        FAIL(err, RC_FATAL, "the processor left a transaction open");
    }
    dbproc_position_rollback(d->conn);
    if (rc == RC_OK || (!lost && (rc == RC_RETRY || rc == RC_REJECT))) {
        if (rc != RC_OK) {
            log_warn(d->proc->role, "timed work failed, again in a second", KV_ERR(&why));
        }
        return RC_OK;
    }
    *err = why;
    return rc;
}
