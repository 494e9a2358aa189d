/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket that learns. */
#include "push/bucket.h"

#include <stdbool.h>

#define SECOND_MS 1000
#define BURST 0.2 /* of a second's messages */
#define SHRINK 0.5
#define GROW 1.1
#define FREE_AGAIN_MS 60000 /* without complaint: no limit again, where none was configured */
#define PAUSE_MS 1000       /* where the provider does not say for how long */
#define PAUSE_MS_MAX 3600000
#define SMOOTHING 0.5

static double size_of(const struct bucket *b)
{
    double size = b->limit * BURST;

    return size < 1 ? 1 : size;
}

void bucket_init(struct bucket *b, int64_t rate, int64_t now_ms)
{
    *b = (struct bucket){.configured = (double)rate,
                         .limit = (double)rate,
                         .filled_ms = now_ms,
                         .grown_ms = now_ms,
                         .shrunk_ms = now_ms - SECOND_MS,
                         .second_ms = now_ms};
    b->tokens = size_of(b);
}

/* A second without complaint: a tenth more. */
static void grow(struct bucket *b, int64_t now_ms)
{
    bool shrunk = b->limit > 0 && (b->configured <= 0 || b->limit < b->configured);

    if (!shrunk || now_ms - b->grown_ms < SECOND_MS || now_ms < b->not_before_ms) {
        return;
    }
    if (b->configured <= 0 && b->limit > 2 * b->pace && now_ms - b->not_before_ms > FREE_AGAIN_MS) {
        b->limit = 0; /* it is not the limit that holds us */
    } else {
        b->limit = b->limit * GROW + 1;
        b->grown_ms = now_ms;
    }
    if (b->configured > 0 && b->limit > b->configured) {
        b->limit = b->configured;
    }
}

static void fill(struct bucket *b, int64_t now_ms)
{
    grow(b, now_ms);
    double size = size_of(b);
    b->tokens += b->limit * (double)(now_ms - b->filled_ms) / SECOND_MS;
    b->tokens = b->tokens > size ? size : b->tokens;
    b->filled_ms = now_ms;
    if (now_ms - b->second_ms >= SECOND_MS) {
        double pace = b->second_sent * SECOND_MS / (double)(now_ms - b->second_ms);
        b->pace += SMOOTHING * (pace - b->pace);
        b->second_sent = 0;
        b->second_ms = now_ms;
    }
}

size_t bucket_room(struct bucket *b, int64_t now_ms)
{
    fill(b, now_ms);
    if (now_ms < b->not_before_ms) {
        return 0;
    }
    return b->limit <= 0 ? SIZE_MAX : (b->tokens < 1 ? 0 : (size_t)b->tokens);
}

size_t bucket_size(const struct bucket *b)
{
    return b->limit <= 0 ? SIZE_MAX : (size_t)size_of(b);
}

void bucket_take(struct bucket *b, size_t n, int64_t now_ms)
{
    fill(b, now_ms);
    b->second_sent += (double)n;
    if (b->limit > 0) {
        b->tokens -= (double)n;
    }
}

void bucket_throttled(struct bucket *b, int64_t retry_after_ms, int64_t now_ms)
{
    int64_t pause_ms = retry_after_ms < 0 ? PAUSE_MS : (retry_after_ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : retry_after_ms);

    fill(b, now_ms);
    if (b->not_before_ms < now_ms + pause_ms) {
        b->not_before_ms = now_ms + pause_ms;
    }
    if (now_ms - b->shrunk_ms < SECOND_MS) {
        return; /* of those that were under way together */
    }
    double pace = b->pace > b->second_sent ? b->pace : b->second_sent;
    double from = b->limit > 0 && (pace <= 0 || b->limit < pace) ? b->limit : pace;
    b->limit = from * SHRINK < 1 ? 1 : from * SHRINK;
    b->tokens = b->tokens > size_of(b) ? size_of(b) : b->tokens;
    b->shrunk_ms = b->grown_ms = now_ms;
}

int64_t bucket_when(struct bucket *b, size_t n, int64_t now_ms)
{
    fill(b, now_ms);
    double missing = b->limit <= 0 ? 0 : (double)n - b->tokens;
    int64_t at_ms = missing <= 0 ? now_ms : now_ms + 1 + (int64_t)(missing * SECOND_MS / b->limit);

    return at_ms > b->not_before_ms ? at_ms : b->not_before_ms;
}
