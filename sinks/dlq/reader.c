/* SPDX-License-Identifier: Apache-2.0 */
/* Collects selected letters into batches and asks the database about them. */
#include "dlq/reader.h"

#include <stdlib.h>

#include "dlq/state.h"

struct reading {
    const struct dlq_reader *r;
    dlq_batch_fn fn;
    void *opaque;
    struct letter *letters; /* READER_BATCH */
    size_t n;
};

static enum rc flush(struct reading *g, bool *stop, struct err *err)
{
    size_t kept = 0;
    if (g->n == 0) {
        return RC_OK;
    }
    size_t n = g->n;
    g->n = 0;
    TRY(letters_look_up(g->r->conn, g->letters, n, err));
    for (size_t i = 0; i < n; i++) {
        if (dlq_filter_platform(g->r->filter, &g->letters[i])) {
            g->letters[kept++] = g->letters[i];
        }
    }
    return kept == 0 ? RC_OK : g->fn(g->letters, kept, g->opaque, stop, err);
}

static enum rc on_letter(const struct letter *l, const rd_kafka_message_t *msg, void *opaque, bool *stop,
                         struct err *err)
{
    struct reading *g = opaque;
    int64_t deaths = 0;

    (void)msg;
    if (g->r->deaths != NULL && l->event_id[0] != '\0') {
        deaths = deaths_add(g->r->deaths, l->event_id);
    }
    if (!dlq_filter_letter(g->r->filter, l)) {
        return RC_OK;
    }
    g->letters[g->n] = *l;
    g->letters[g->n++].deaths = deaths;
    return g->n == READER_BATCH ? flush(g, stop, err) : RC_OK;
}

enum rc dlq_read(const struct dlq_reader *r, dlq_batch_fn fn, void *opaque, struct err *err)
{
    bool stop = false;
    struct letter *letters CLEANUP(freep) = xcalloc(READER_BATCH, sizeof(*letters));
    struct reading g = {.r = r, .fn = fn, .opaque = opaque, .letters = letters};

    TRY(dlq_scan_run(r->scan, on_letter, &g, err));
    return flush(&g, &stop, err);
}
