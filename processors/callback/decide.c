/* SPDX-License-Identifier: Apache-2.0 */
/* From the verdict on a call to the outcome of an event. */
#include "callback/decide.h"

#include <string.h>

#include "base/mem.h"

#define PARK_MS_FIRST 1000

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"delivered", "retry", "parked", "dead_letter"};
    return (size_t)outcome < ARRAY_SIZE(names) ? names[outcome] : "unknown";
}

static int64_t with_jitter(int64_t ms, uint64_t random)
{
    uint64_t most = (uint64_t)ms * RETRY_JITTER_PERCENT / 100;
    return ms + (int64_t)(most == 0 ? 0 : random % (most + 1));
}

struct decision decide_parked(unsigned streak, uint64_t random)
{
    int64_t ms = streak >= 6 ? PARK_MS_MAX : (int64_t)PARK_MS_FIRST << streak;
    int64_t jittered = with_jitter(ms, random);
    return (struct decision){.outcome = OUTCOME_PARKED, .delay_ms = jittered > PARK_MS_MAX ? PARK_MS_MAX : jittered};
}

static struct decision after_failure(const struct platform *platform, int64_t round_attempts, int64_t retry_after_ms,
                                     uint64_t random)
{
    if (round_attempts >= platform->max_retries) { /* this was attempt number round_attempts + 1 */
        return (struct decision){.outcome = OUTCOME_DEAD_LETTER, .was_request = true, .delay_ms = -1};
    }
    size_t last = platform->n_steps - 1;
    size_t step = round_attempts < 0 ? 0 : ((uint64_t)round_attempts < last ? (size_t)round_attempts : last);
    int64_t delay_ms = platform->steps_ms[step] > retry_after_ms ? platform->steps_ms[step] : retry_after_ms;
    return (struct decision){.outcome = OUTCOME_RETRY, .was_request = true, .delay_ms = with_jitter(delay_ms, random)};
}

struct decision decide(const struct platform *platform, int64_t round_attempts, const struct http_meaning *meaning,
                       int64_t retry_after_ms, uint64_t random)
{
    switch (meaning->verdict) {
    case HTTP_OK:
        return (struct decision){.outcome = OUTCOME_DELIVERED, .was_request = true, .delay_ms = -1};
    case HTTP_RETRY:
        return after_failure(platform, round_attempts, retry_after_ms, random);
    case HTTP_REJECT: /* nothing was sent to an address that was refused */
        return (struct decision){.outcome = OUTCOME_DEAD_LETTER,
                                 .was_request = strcmp(meaning->class, "address-refused") != 0,
                                 .delay_ms = -1};
    case HTTP_OUR_FAULT:
        break;
    }
    return decide_parked(0, random);
}
