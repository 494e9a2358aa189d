/* SPDX-License-Identifier: Apache-2.0 */
/* A queue that is taken from in batches. */
#include "push/queue.h"

#include <assert.h>

#define LOOKED_AT_MAX (4 * PUSH_BATCH_MAX) /* for those that may travel together */

void queue_append(struct queue *q, struct waiter *w)
{
    assert(!w->queued);
    w->queued = true;
    w->prev = q->tail;
    w->next = NULL;
    *(q->tail != NULL ? &q->tail->next : &q->head) = w;
    q->tail = w;
    q->n++;
}

void queue_put_back(struct queue *q, struct waiter *w)
{
    assert(!w->queued);
    w->queued = true;
    w->prev = NULL;
    w->next = q->head;
    *(q->head != NULL ? &q->head->prev : &q->tail) = w;
    q->head = w;
    q->n++;
}

void queue_remove(struct queue *q, struct waiter *w)
{
    assert(w->queued);
    *(w->prev != NULL ? &w->prev->next : &q->head) = w->next;
    *(w->next != NULL ? &w->next->prev : &q->tail) = w->prev;
    w->prev = w->next = NULL;
    w->queued = false;
    q->n--;
}

size_t queue_take(struct queue *q, const struct provider_kind *kind, const void *self, size_t max,
                  struct waiter *out[PUSH_BATCH_MAX])
{
    struct waiter *first = q->head;
    struct waiter *next = NULL;
    size_t n = 0;

    max = max > PUSH_BATCH_MAX ? PUSH_BATCH_MAX : max;
    if (first == NULL || max == 0) {
        return 0;
    }
    next = first->next;
    queue_remove(q, first);
    out[n++] = first;
    for (size_t i = 0; i < LOOKED_AT_MAX && n < max && next != NULL && !first->alone; i++) {
        struct waiter *w = next;
        next = w->next;
        if (!w->alone && (kind->together == NULL || kind->together(self, first->message, w->message))) {
            queue_remove(q, w);
            out[n++] = w;
        }
    }
    return n;
}

bool queue_is_ripe(const struct queue *q, size_t max, int64_t now_ms, int64_t wait_ms)
{
    return q->n > 0 && (q->n >= max || now_ms - q->head->since_ms >= wait_ms);
}
