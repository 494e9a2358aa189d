/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that wait for their provider, and which of them travel in one request. No clock. Thread: one. */
#ifndef SLUICE_PUSH_QUEUE_H
#define SLUICE_PUSH_QUEUE_H

#include "push/provider.h"

struct waiter {
    const struct push_message *message;
    int64_t since_ms; /* of its first waiting */
    bool alone;       /* it must not travel with others */
    bool queued;
    struct waiter *prev, *next;
};

struct queue {
    struct waiter *head, *tail;
    size_t n;
};

void queue_append(struct queue *q, struct waiter *w);
/* It was taken before, and comes first again. */
void queue_put_back(struct queue *q, struct waiter *w);
void queue_remove(struct queue *q, struct waiter *w);

/*
 * Takes the first and those of the next ones that may travel with it, at most max and PUSH_BATCH_MAX; the others stay
 * in their order. Returns how many; 0 = nobody waits.
 */
size_t queue_take(struct queue *q, const struct provider_kind *kind, const void *self, size_t max,
                  struct waiter *out[PUSH_BATCH_MAX]);

/* Has it been collected for long enough? When max are there, or the first has waited for wait_ms. */
bool queue_is_ripe(const struct queue *q, size_t max, int64_t now_ms, int64_t wait_ms);

#endif
