/* SPDX-License-Identifier: Apache-2.0 */
/* From the verdict on a call to the outcome of an event. */
#include "callback/decide.h"

#include <string.h>

#include "base/mem.h"

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"delivered", "retry", "parked", "dead_letter"};
    return (size_t)outcome < ARRAY_SIZE(names) ? names[outcome] : "unknown";
}

struct decision decide_parked(unsigned streak, uint64_t random)
{
    return (struct decision){.outcome = OUTCOME_PARKED, .delay_ms = retry_park_ms(streak, random)};
}

static struct decision after_failure(const struct platform *platform, int64_t round_attempts, int64_t retry_after_ms,
                                     uint64_t random)
{
    if (round_attempts >= platform->max_retries) { /* this was attempt number round_attempts + 1 */
        return (struct decision){.outcome = OUTCOME_DEAD_LETTER, .was_request = true, .delay_ms = -1};
    }
    int64_t delay_ms = retry_schedule_ms(&platform->schedule, round_attempts, retry_after_ms, random);
    return (struct decision){.outcome = OUTCOME_RETRY, .was_request = true, .delay_ms = delay_ms};
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
