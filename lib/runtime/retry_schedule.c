/* SPDX-License-Identifier: Apache-2.0 */
/* Delays. */
#include "runtime/retry_schedule.h"

#include <string.h>

#include "base/option.h"

#define PARK_MS_FIRST 1000

bool retry_schedule_parse(const char *text, struct retry_schedule *out)
{
    out->n = 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        char item[16];
        int64_t seconds = 0;
        if (out->n == RETRY_STEPS_MAX || length >= sizeof item) {
            return false;
        }
        memcpy(item, text, length);
        item[length] = '\0';
        if (!option_parse_int(item, 1, RETRY_STEP_SECONDS_MAX, &seconds)) {
            return false;
        }
        out->steps_ms[out->n++] = seconds * 1000;
        text += length;
        if (*text == '\0') {
            return true;
        }
        text++;
    }
}

int64_t retry_with_jitter(int64_t ms, uint64_t random)
{
    uint64_t most = (uint64_t)ms * RETRY_JITTER_PERCENT / 100;

    return ms + (int64_t)(most == 0 ? 0 : random % (most + 1));
}

int64_t retry_schedule_ms(const struct retry_schedule *s, int64_t round_attempts, int64_t retry_after_ms,
                          uint64_t random)
{
    size_t last = s->n - 1;
    size_t step = round_attempts < 0 ? 0 : ((uint64_t)round_attempts < last ? (size_t)round_attempts : last);
    int64_t delay_ms = s->steps_ms[step] > retry_after_ms ? s->steps_ms[step] : retry_after_ms;

    return retry_with_jitter(delay_ms, random);
}

int64_t retry_park_ms(unsigned streak, uint64_t random)
{
    int64_t ms = streak >= 6 ? RETRY_PARK_MS_MAX : (int64_t)PARK_MS_FIRST << streak;
    int64_t jittered = retry_with_jitter(ms, random);

    return jittered > RETRY_PARK_MS_MAX ? RETRY_PARK_MS_MAX : jittered;
}
