/* SPDX-License-Identifier: Apache-2.0 */
/* Parse all, want, load, decide in order, seal, write, count. */
#include "account/booking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/metric.h"

#define ARENA_BYTES ((size_t)256 << 10)

/* One record that was parsed. */
struct item {
    size_t event;
    size_t reader;
    void *data;
};

struct booking {
    struct store *store;
    char *group;
    const struct account_reader *readers[BOOKING_READERS_MAX];
    char *topics[BOOKING_READERS_MAX];
    size_t n_readers;
    struct account_batch now;

    struct item *items;
    void **data; /* of one reader's items */
    size_t n_items, max_items;
    struct store_count *counts; /* a partition each */
    size_t n_counts, max_counts;
    size_t n_flows;
    struct metric *flows;
};

struct booking *booking_create(struct store *store, const char *group, const struct account_reader *const *readers,
                               const char *const *topic_names, size_t n_readers)
{
    struct booking *b = xcalloc(1, sizeof(*b));

    assert(n_readers >= 1 && n_readers <= BOOKING_READERS_MAX);
    b->store = store;
    b->group = xstrdup(group);
    b->n_readers = n_readers;
    for (size_t i = 0; i < n_readers; i++) {
        b->readers[i] = readers[i];
        b->topics[i] = xstrdup(topic_names[i]);
    }
    b->now.ledger = ledger_create();
    arena_init(&b->now.arena, ARENA_BYTES);
    b->flows = metric_counter("sluice_account_flows_total", "Changes of accounts' slots that were committed.", NULL);
    return b;
}

struct booking *booking_free(struct booking *b)
{
    if (b == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < b->n_readers; i++) {
        free(b->topics[i]);
    }
    ledger_free(b->now.ledger);
    arena_done(&b->now.arena);
    free(b->group);
    free(b->items);
    free(b->data);
    free(b->counts);
    free(b);
    return NULL;
}

enum rc booking_session(struct booking *b, PGconn *conn, struct err *err)
{
    TRY(store_session(b->store, conn, err));
    for (size_t i = 0; i < b->n_readers; i++) {
        if (b->readers[i]->session != NULL) {
            TRY(b->readers[i]->session(b->readers[i]->self, conn, err));
        }
    }
    return RC_OK;
}

static size_t reader_of(const struct booking *b, const struct dbproc_event *ev)
{
    size_t i = 0;

    while (i < b->n_readers && strcmp(b->topics[i], ev->topic) != 0) {
        i++;
    }
    assert(i < b->n_readers); /* nothing else is subscribed */
    return i;
}

/* ---- counts of the journal ---- */

static struct store_count *count_of(struct booking *b, const struct dbproc_event *ev)
{
    for (size_t i = b->n_counts; i > 0; i--) {
        struct store_count *c = &b->counts[i - 1];
        if (c->partition == ev->partition && strcmp(c->topic, ev->topic) == 0) {
            return c;
        }
    }
    if (b->n_counts == b->max_counts) {
        b->max_counts = b->max_counts == 0 ? 16 : 2 * b->max_counts;
        b->counts = xrealloc(b->counts, b->max_counts * sizeof(*b->counts));
    }
    struct store_count *c = &b->counts[b->n_counts++];
    *c = (struct store_count){
        .topic = b->topics[reader_of(b, ev)], .partition = ev->partition, .lo = ev->offset, .hi = ev->offset + 1};
    return c;
}

static struct store_count *count_one(struct booking *b, const struct dbproc_event *ev)
{
    struct store_count *c = count_of(b, ev);

    c->lo = ev->offset < c->lo ? ev->offset : c->lo; /* dead letters are counted before the others */
    c->hi = ev->offset >= c->hi ? ev->offset + 1 : c->hi;
    return c;
}

static void count_result(struct booking *b, const struct dbproc_event *ev, const struct ledger_result *r)
{
    struct store_count *c = count_one(b, ev);

    c->applied += r->outcome == OUTCOME_APPLIED ? 1 : 0;
    c->duplicates += r->outcome == OUTCOME_DUPLICATE ? 1 : 0;
    c->rejected += r->outcome == OUTCOME_REJECTED ? 1 : 0;
}

/* ---- steps ---- */

static void booking_begin(struct booking *b, PGconn *conn, size_t n)
{
    arena_reset(&b->now.arena);
    b->now.conn = conn;
    store_begin(b->store);
    b->n_items = b->n_counts = b->n_flows = 0;
    if (n > b->max_items) {
        b->max_items = n;
        b->items = xrealloc(b->items, n * sizeof(*b->items));
        b->data = xrealloc(b->data, n * sizeof(void *));
    }
    for (size_t i = 0; i < b->n_readers; i++) {
        if (b->readers[i]->begin != NULL) {
            b->readers[i]->begin(b->readers[i]->self);
        }
    }
}

static enum rc parse_all(struct booking *b, const struct dbproc_event *events, size_t n, struct dbproc_verdicts *v,
                         struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct err why = {0};
        const char *class = NULL;
        struct item *item = &b->items[b->n_items];
        *item = (struct item){.event = i, .reader = reader_of(b, &events[i])};
        const struct account_reader *r = b->readers[item->reader];
        enum rc rc = r->parse(r->self, &b->now, &events[i], &item->data, &class, &why);
        if (rc == RC_REJECT) {
            dbproc_reject(v, i, class, why.text);
            count_one(b, &events[i])->dead++;
            continue;
        }
        if (rc != RC_OK) {
            *err = why;
            return rc;
        }
        b->n_items++;
    }
    return RC_OK;
}

/* Own rows of the readers, each with its records. */
static enum rc load_own(struct booking *b, struct err *err)
{
    for (size_t k = 0; k < b->n_readers; k++) {
        size_t n = 0;
        for (size_t i = 0; i < b->n_items; i++) {
            if (b->items[i].reader == k) {
                b->data[n++] = b->items[i].data;
            }
        }
        if (n > 0 && b->readers[k]->load != NULL) {
            TRY(b->readers[k]->load(b->readers[k]->self, &b->now, b->data, n, err));
        }
    }
    return RC_OK;
}

static enum rc load_all(struct booking *b, int32_t partition, struct err *err)
{
    TRY(store_now(b->store, b->now.conn, &b->now.now_us, err));
    ledger_begin(b->now.ledger, b->now.now_us);
    TRY(load_own(b, err));
    for (size_t i = 0; i < b->n_items; i++) {
        const struct account_reader *r = b->readers[b->items[i].reader];
        r->want(r->self, &b->now, b->items[i].data);
    }
    return store_load(b->store, b->now.conn, b->now.ledger, partition, err);
}

static enum rc decide_all(struct booking *b, const struct dbproc_event *events, struct dbproc_verdicts *v,
                          struct err *err)
{
    for (size_t i = 0; i < b->n_items; i++) {
        struct err why = {0};
        const char *class = NULL;
        struct ledger_result result = {.outcome = OUTCOME_REJECTED};
        const struct item *item = &b->items[i];
        const struct account_reader *r = b->readers[item->reader];
        enum rc rc = r->decide(r->self, &b->now, item->data, &result, &class, &why);
        if (rc == RC_REJECT) {
            dbproc_reject(v, item->event, class, why.text);
            count_one(b, &events[item->event])->dead++;
        } else if (rc != RC_OK) {
            *err = why;
            return rc;
        } else {
            count_result(b, &events[item->event], &result);
        }
    }
    return ledger_seal(b->now.ledger, err);
}

static enum rc write_all(struct booking *b, struct err *err)
{
    const struct ledger_flow *flows = NULL;

    b->n_flows = ledger_flows(b->now.ledger, &flows);
    TRY(store_write(b->store, b->now.conn, b->now.ledger, b->now.now_us, err));
    for (size_t k = 0; k < b->n_readers; k++) {
        if (b->readers[k]->write != NULL) {
            TRY(b->readers[k]->write(b->readers[k]->self, &b->now, err));
        }
    }
    return store_journal(b->store, b->now.conn, b->group, b->counts, b->n_counts, err);
}

enum rc booking_apply(struct booking *b, PGconn *conn, const struct dbproc_event *events, size_t n,
                      struct dbproc_verdicts *v, struct err *err)
{
    booking_begin(b, conn, n);
    TRY(parse_all(b, events, n, v, err));
    TRY(load_all(b, events[0].partition, err));
    TRY(decide_all(b, events, v, err));
    return write_all(b, err);
}

enum rc booking_dead(struct booking *b, PGconn *conn, const struct dbproc_event *event, struct err *err)
{
    booking_begin(b, conn, 0);
    count_one(b, event)->dead++;
    return store_journal(b->store, conn, b->group, b->counts, b->n_counts, err);
}

void booking_committed(struct booking *b)
{
    metric_add(b->flows, (double)b->n_flows);
    store_committed(b->store);
    for (size_t k = 0; k < b->n_readers; k++) {
        if (b->readers[k]->committed != NULL) {
            b->readers[k]->committed(b->readers[k]->self);
        }
    }
}

/* A sweeper that fails does not keep the others from their work. */
enum rc booking_tick(struct booking *b, PGconn *conn, struct err *err)
{
    enum rc first = RC_OK;

    for (size_t k = 0; k < b->n_readers; k++) {
        struct err why = {0};
        enum rc rc = b->readers[k]->tick == NULL ? RC_OK : b->readers[k]->tick(b->readers[k]->self, conn, &why);
        if (rc != RC_OK && first == RC_OK) {
            first = rc;
            *err = why;
        }
    }
    return first;
}
