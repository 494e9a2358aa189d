/* SPDX-License-Identifier: Apache-2.0 */
/* What calls teach about an endpoint. */
#include "callback/lane.h"

#include <stdlib.h>

#include "base/mem.h"
#include "callback/decide.h"

#define FIRST_SERVICE_MS 5.0
#define SMOOTHING 0.2
#define STREAK_MAX 16
#define SUSPECT_MS 300 /* a call under way for so long may be hanging */
#define SLOW_MS 500.0
#define OPTIMISM \
    2.0 /* what is parked comes back faster than it was taken of late: too early costs less than too late */
#define NO_ANSWER_MAX 5 /* in a row; then it is left alone for a while, and asked by one call after that */

struct lane *lane_create(size_t platform, const char *endpoint, size_t cap)
{
    struct lane *l = xcalloc(1, sizeof(*l));

    l->platform = platform;
    l->endpoint = xstrdup(endpoint);
    l->cap = l->limit = cap;
    l->service_ms = FIRST_SERVICE_MS;
    return l;
}

void lane_free(struct lane *l)
{
    free(l->endpoint);
    free(l);
}

double lane_service_ms(const struct lane *l, int64_t now_ms)
{
    double age = l->going.head == NULL ? 0 : (double)(now_ms - l->going.head->since_ms);

    return age > SUSPECT_MS && age > l->service_ms ? age : l->service_ms;
}

bool lane_is_slow(const struct lane *l, int64_t now_ms)
{
    return lane_service_ms(l, now_ms) >= SLOW_MS;
}

static void not_before(struct lane *l, int64_t at_ms)
{
    l->not_before_ms = at_ms > l->not_before_ms ? at_ms : l->not_before_ms;
}

static void count_no_answer(struct lane *l, int64_t now_ms, int64_t park_ms_max)
{
    l->no_answer++;
    if (l->no_answer >= NO_ANSWER_MAX) {
        not_before(l, now_ms + (l->no_answer == NO_ANSWER_MAX ? park_ms_max / 2 : park_ms_max));
    }
}

void lane_learn(struct lane *l, enum call_end end, double took_ms, int64_t now_ms, int64_t not_before_ms,
                int64_t park_ms_max)
{
    int64_t latest = now_ms + park_ms_max;
    bool left_alone = l->no_answer >= NO_ANSWER_MAX;

    if (end != CALL_NEUTRAL) {
        l->service_ms += SMOOTHING * (took_ms - l->service_ms);
        l->no_answer = end == CALL_NO_ANSWER ? l->no_answer : 0;
    }
    switch (end) {
    case CALL_GOOD:
        l->limit += l->limit < l->cap ? 1 : 0;
        l->streak = 0;
        l->streak_until_ms = 0;
        if (left_alone) { /* it is back; a pause that it has asked for stays */
            l->not_before_ms = 0;
        }
        if (l->waiting.n == 0 && l->going.n < l->limit) {
            l->free_ms = 0;
        }
        break;
    case CALL_NO_ANSWER:
        count_no_answer(l, now_ms, park_ms_max);
        l->limit = l->limit > 1 ? l->limit / 2 : 1;
        break;
    case CALL_OVERLOADED:
        l->limit = l->limit > 1 ? l->limit / 2 : 1;
        break;
    case CALL_NEUTRAL:
        break;
    }
    if (not_before_ms > now_ms) {
        not_before(l, not_before_ms < latest ? not_before_ms : latest);
    }
}

int64_t lane_park_ms(struct lane *l, size_t at_once, int64_t now_ms, uint64_t random, int64_t park_ms_max)
{
    int64_t latest = now_ms + park_ms_max;
    int64_t step = 0;

    if (now_ms >= l->streak_until_ms) {
        step = decide_parked(l->streak, random).delay_ms;
        l->streak += l->streak < STREAK_MAX ? 1 : 0;
        l->streak_until_ms = now_ms + step;
    } else {
        step = decide_parked(l->streak > 0 ? l->streak - 1 : 0, random).delay_ms;
    }
    l->free_ms = l->free_ms > (double)now_ms ? l->free_ms : (double)now_ms;
    l->free_ms += lane_service_ms(l, now_ms) / (double)at_once / OPTIMISM;
    l->free_ms = l->free_ms < (double)latest ? l->free_ms : (double)latest;
    int64_t due = now_ms + step;
    due = l->free_ms > (double)due ? (int64_t)l->free_ms : due;
    due = l->not_before_ms > due ? l->not_before_ms : due;
    return (due < latest ? due : latest) - now_ms;
}
