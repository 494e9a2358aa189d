/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of dead letters back on the road, at a rate; what is not settled is tried again at the end. */
#include "dlq/redrive.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "delivery_state/requeue.h"
#include "dlq/state.h"

#define CHUNK_MAX 100              /* rows of a transaction */
#define CHUNKS_A_SECOND 5          /* so that a rate is even, not a burst each second */
#define LATER_MAX ((size_t)100000) /* letters that are remembered to be tried again */
#define LATER_PAUSE_MS 500

struct later {
    const struct row_kind *kind;
    char event_id[UUID_TEXT_LEN + 1];
    int64_t queue_seq;
    int64_t redrive_count; /* the table does not know it */
};

struct redrive {
    struct redrive_options opt;
    struct redrive_counts counts;
    int64_t started_ms; /* of the rate; -1 = not yet */
    int64_t paced;      /* rows given to the database since */
    struct later *later;
    size_t n_later, later_cap;
    int64_t forgotten; /* not settled and not remembered */
};

struct redrive *redrive_create(const struct redrive_options *opt)
{
    struct redrive *r = xcalloc(1, sizeof(*r));
    r->opt = *opt;
    r->started_ms = -1;
    return r;
}

void redrive_free(struct redrive *r)
{
    if (r != NULL) {
        free(r->later);
        free(r);
    }
}

void redrive_freep(struct redrive **r)
{
    redrive_free(*r);
    *r = NULL;
}

struct redrive_counts redrive_counts(const struct redrive *r)
{
    struct redrive_counts c = r->counts;
    c.unsettled = (int64_t)r->n_later + r->forgotten;
    return c;
}

static bool died_too_often(const struct redrive_options *opt, const struct letter *l)
{
    int64_t known = opt->deaths != NULL && l->event_id[0] != '\0' ? deaths_of(opt->deaths, l->event_id) : 0;
    int64_t deaths = known > l->deaths ? known : l->deaths;
    return deaths >= REDRIVE_DEATHS_MAX || l->redrive_count >= REDRIVE_DEATHS_MAX;
}

/* Of an open one: what holds it back, or NULL. No force reaches a device that is gone. */
static int64_t *held_back(const struct redrive_options *opt, const struct letter *l, struct redrive_counts *c)
{
    if (l->idle) {
        return &c->inactive;
    }
    if (opt->force) {
        return NULL;
    }
    return l->expired ? &c->expired : died_too_often(opt, l) ? &c->held : NULL;
}

bool redrive_wants(const struct redrive_options *opt, const struct letter *l, struct redrive_counts *counts)
{
    int64_t *count = NULL;
    switch (l->state) {
    case LETTER_OPEN:
        count = held_back(opt, l, counts);
        break;
    case LETTER_UNSETTLED:
        count = &counts->unsettled;
        break;
    case LETTER_REQUEUED:
    case LETTER_CLOSED:
        count = &counts->already;
        break;
    case LETTER_NO_ROW:
    case LETTER_GONE:
        count = &counts->no_route;
        break;
    }
    if (count != NULL) {
        (*count)++;
    }
    return count == NULL;
}

static bool over(const struct redrive *r)
{
    return r->counts.redriven >= r->opt.limit || (r->opt.interrupted != NULL && *r->opt.interrupted);
}

static void remember(struct redrive *r, const struct letter *l)
{
    if (r->n_later == LATER_MAX) {
        r->forgotten++;
        return;
    }
    if (r->n_later == r->later_cap) {
        r->later_cap = r->later_cap == 0 ? 64 : r->later_cap * 2;
        r->later = xrealloc(r->later, r->later_cap * sizeof(*r->later));
    }
    struct later *at = &r->later[r->n_later++];
    at->kind = l->kind;
    memcpy(at->event_id, l->event_id, sizeof(at->event_id));
    at->queue_seq = l->queue_seq;
    at->redrive_count = l->redrive_count;
}

/* Counts or remembers what cannot be redriven now; true = it can. */
static bool wanted(struct redrive *r, const struct letter *l)
{
    if (l->state == LETTER_UNSETTLED) {
        remember(r, l);
        return false;
    }
    return redrive_wants(&r->opt, l, &r->counts);
}

/* Waits until n more rows are within the rate. */
static void pace(struct redrive *r, size_t n)
{
    r->started_ms = r->started_ms < 0 ? clock_mono_ms() : r->started_ms;
    int64_t due_ms = r->started_ms + r->paced * 1000 / r->opt.rate;
    for (int64_t left = due_ms - clock_mono_ms(); left > 0 && !over(r); left = due_ms - clock_mono_ms()) {
        clock_sleep_ms(left < 100 ? left : 100);
    }
    r->paced += (int64_t)n;
}

/* Those that were passed over: locked, or changed since they were looked at. They are moved to the front. */
static enum rc look_again(struct redrive *r, struct letter *letters, const struct requeue_row *rows, size_t n,
                          struct err *err)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].new_seq == 0) {
            letters[left++] = letters[i];
        }
    }
    if (left == 0) {
        return RC_OK;
    }
    TRY(letters_look_up(r->opt.conn, letters, left, err));
    for (size_t i = 0; i < left; i++) {
        if (letters[i].state == LETTER_OPEN) {
            remember(r, &letters[i]);
        } else {
            (void)wanted(r, &letters[i]);
        }
    }
    return RC_OK;
}

/* All of one kind. */
static enum rc requeue(struct redrive *r, struct letter *letters, size_t n, struct err *err)
{
    struct requeue_row rows[CHUNK_MAX];
    pace(r, n);
    if (over(r)) {
        return RC_OK;
    }
    for (size_t i = 0; i < n; i++) {
        rows[i] = (struct requeue_row){
            .id = letters[i].event_id, .queue_seq = letters[i].queue_seq, .status = letters[i].row_state};
    }
    enum rc rc =
        requeue_rows(r->opt.conn, letters[0].kind, rows, n, r->opt.force ? REQUEUE_LATE : REQUEUE_NEW_ROUND, err);
    if (rc == RC_RETRY && PQstatus(r->opt.conn) == CONNECTION_OK) {
        for (size_t i = 0; i < n; i++) { /* a lock in the way: nothing was changed */
            remember(r, &letters[i]);
        }
        return RC_OK;
    }
    TRY(rc);
    for (size_t i = 0; i < n; i++) {
        r->counts.redriven += rows[i].new_seq > 0 ? 1 : 0;
    }
    return look_again(r, letters, rows, n, err);
}

/* How many of these n: those in front that are of one kind, as the rate and the limit allow. */
static size_t chunk_size(const struct redrive *r, const struct letter *letters, size_t n)
{
    size_t alike = 1;
    while (alike < n && letters[alike].kind == letters[0].kind) {
        alike++;
    }
    int64_t size = r->opt.rate / CHUNKS_A_SECOND;
    int64_t left = r->opt.limit - r->counts.redriven;
    size = size > CHUNK_MAX ? CHUNK_MAX : size;
    size = size > left ? left : size;
    size = size < 1 ? 1 : size;
    return (size_t)size < alike ? (size_t)size : alike;
}

enum rc redrive_batch(struct letter *letters, size_t n, void *opaque, bool *stop, struct err *err)
{
    struct redrive *r = opaque;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (wanted(r, &letters[i])) {
            letters[kept++] = letters[i];
        }
    }
    for (size_t at = 0; at < kept && !over(r);) {
        size_t size = chunk_size(r, letters + at, kept - at);
        TRY(requeue(r, letters + at, size, err));
        at += size;
        if (r->opt.progress != NULL) {
            r->opt.progress(r->opt.opaque);
        }
    }
    *stop = over(r);
    return RC_OK;
}

/* One turn over all that wait; those that still do are remembered anew. */
static enum rc turn(struct redrive *r, struct letter *letters, struct err *err)
{
    struct later *list CLEANUP(freep) = r->later;
    size_t n = r->n_later;
    bool stop = false;

    r->later = NULL;
    r->n_later = r->later_cap = 0;
    for (size_t at = 0; at < n; at += CHUNK_MAX) {
        size_t size = n - at < CHUNK_MAX ? n - at : CHUNK_MAX;
        for (size_t i = 0; i < size; i++) {
            const struct later *was = &list[at + i];
            letters[i] =
                (struct letter){.kind = was->kind, .queue_seq = was->queue_seq, .redrive_count = was->redrive_count};
            memcpy(letters[i].event_id, was->event_id, sizeof(letters[i].event_id));
        }
        if (stop) { /* the limit or an interrupt: they stay what they are */
            r->forgotten += (int64_t)size;
            continue;
        }
        TRY(letters_look_up(r->opt.conn, letters, size, err));
        TRY(redrive_batch(letters, size, r, &stop, err));
    }
    return RC_OK;
}

enum rc redrive_rest(struct redrive *r, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + r->opt.wait_ms;
    struct letter *letters CLEANUP(freep) = xcalloc(CHUNK_MAX, sizeof(*letters));

    while (r->n_later > 0 && !over(r) && clock_mono_ms() < until_ms) {
        clock_sleep_ms(LATER_PAUSE_MS);
        TRY(turn(r, letters, err));
    }
    return RC_OK;
}
