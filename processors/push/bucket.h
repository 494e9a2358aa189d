/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many messages a provider gets in a second: what is configured, less after it has said that it is too much, and
 * more again, little by little. Arithmetic only. Thread: one.
 */
#ifndef SLUICE_PUSH_BUCKET_H
#define SLUICE_PUSH_BUCKET_H

#include <stddef.h>
#include <stdint.h>

struct bucket {
    double configured; /* messages a second; 0 = no limit */
    double limit;      /* now; 0 = none */
    double tokens;
    int64_t filled_ms;
    int64_t not_before_ms;       /* the provider wants a pause */
    int64_t grown_ms, shrunk_ms; /* when the limit was changed last */
    double second_sent;          /* in the second that has begun at second_ms */
    int64_t second_ms;
    double pace; /* messages a second of late, smoothed */
};

void bucket_init(struct bucket *b, int64_t rate, int64_t now_ms);
/* How many may go now; SIZE_MAX = as many as you like. */
size_t bucket_room(struct bucket *b, int64_t now_ms);
/* As many as it may ever hold: waiting for more is in vain. SIZE_MAX as above. */
size_t bucket_size(const struct bucket *b);
void bucket_take(struct bucket *b, size_t n, int64_t now_ms);
/* Too much, says the provider; retry_after_ms -1 = not for how long. Counts once a second. */
void bucket_throttled(struct bucket *b, int64_t retry_after_ms, int64_t now_ms);
/* When n may go, monotonic; now_ms where they may already. */
int64_t bucket_when(struct bucket *b, size_t n, int64_t now_ms);

#endif
