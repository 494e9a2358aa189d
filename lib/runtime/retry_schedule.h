/* SPDX-License-Identifier: Apache-2.0 */
/* When something is tried again: steps, jitter, and the delays of what is parked. No state, no clock. Thread: any. */
#ifndef SLUICE_RUNTIME_RETRY_SCHEDULE_H
#define SLUICE_RUNTIME_RETRY_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETRY_STEPS_MAX 32
#define RETRY_STEP_SECONDS_MAX 604800
#define RETRY_JITTER_PERCENT 10 /* at most so much is added to a step, never taken away */
#define RETRY_PARK_MS_MAX 60000

struct retry_schedule {
    int64_t steps_ms[RETRY_STEPS_MAX]; /* beyond its end the last step repeats */
    size_t n;
};

/* "10,30,60": seconds. False: none, too many, or not from 1 to RETRY_STEP_SECONDS_MAX; *out is undefined then. */
bool retry_schedule_parse(const char *text, struct retry_schedule *out);
/* After an attempt; round_attempts: used up before that one. retry_after_ms: what the other side wants at least, -1 =
 * nothing. random: any number. */
int64_t retry_schedule_ms(const struct retry_schedule *s, int64_t round_attempts, int64_t retry_after_ms,
                          uint64_t random);
/* Without an attempt: 1 s, doubled each time in a row, at most RETRY_PARK_MS_MAX with its jitter. */
int64_t retry_park_ms(unsigned streak, uint64_t random);
int64_t retry_with_jitter(int64_t ms, uint64_t random);

#endif
