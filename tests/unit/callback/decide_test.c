/* SPDX-License-Identifier: Apache-2.0 */
/* The retry schedule and the outcomes, row by row. */
#include "callback/decide.h"

#include <criterion/criterion.h>

#include "base/mem.h"

static const struct platform PLATFORM = {.max_retries = 5,
                                         .schedule = {.steps_ms = {10000, 30000, 60000, 300000, 900000}, .n = 5}};
static const struct http_meaning OK = {HTTP_OK, "ok", false};
static const struct http_meaning RETRY = {HTTP_RETRY, "timeout", false};
static const struct http_meaning REFUSED = {HTTP_REJECT, "address-refused", false};
static const struct http_meaning GONE = {HTTP_REJECT, "http-410", false};
static const struct http_meaning OURS = {HTTP_OUR_FAULT, "no-descriptors", false};

Test(decide, six_attempts_by_the_schedule)
{
    for (int64_t used = 0; used < 5; used++) {
        for (uint64_t random = 0; random < 5000; random += 7) {
            struct decision d = decide(&PLATFORM, used, &RETRY, -1, random * 1000003);
            int64_t step = PLATFORM.schedule.steps_ms[used];
            cr_assert(d.outcome == OUTCOME_RETRY && d.was_request);
            cr_assert(d.delay_ms >= step && d.delay_ms <= step + step / 10, "%lld", (long long)d.delay_ms);
        }
    }
    struct decision d = decide(&PLATFORM, 5, &RETRY, 1000, 0);
    cr_assert(d.outcome == OUTCOME_DEAD_LETTER && d.was_request && d.delay_ms == -1);
    cr_assert_eq(decide(&PLATFORM, 99, &RETRY, -1, 0).outcome, OUTCOME_DEAD_LETTER);
}

Test(decide, beyond_the_schedule_the_last_step_repeats)
{
    struct platform p = {.max_retries = 100, .schedule = {.steps_ms = {1000, 2000}, .n = 2}};
    cr_assert_eq(decide(&p, 0, &RETRY, -1, 0).delay_ms, 1000);
    cr_assert_eq(decide(&p, 1, &RETRY, -1, 0).delay_ms, 2000);
    cr_assert_eq(decide(&p, 2, &RETRY, -1, 0).delay_ms, 2000);
    cr_assert_eq(decide(&p, 99, &RETRY, -1, 0).delay_ms, 2000);
    cr_assert_eq(decide(&p, 100, &RETRY, -1, 0).outcome, OUTCOME_DEAD_LETTER);
    p.max_retries = 0;
    cr_assert_eq(decide(&p, 0, &RETRY, -1, 0).outcome, OUTCOME_DEAD_LETTER);
}

Test(decide, retry_after_lengthens_but_never_shortens)
{
    cr_assert_eq(decide(&PLATFORM, 0, &RETRY, 45000, 0).delay_ms, 45000);
    cr_assert_eq(decide(&PLATFORM, 0, &RETRY, 1000, 0).delay_ms, 10000);
}

Test(decide, the_other_verdicts)
{
    struct decision d = decide(&PLATFORM, 5, &OK, -1, 0);
    cr_assert(d.outcome == OUTCOME_DELIVERED && d.was_request && d.delay_ms == -1);
    d = decide(&PLATFORM, 0, &REFUSED, -1, 0);
    cr_assert(d.outcome == OUTCOME_DEAD_LETTER && !d.was_request);
    d = decide(&PLATFORM, 0, &GONE, -1, 0);
    cr_assert(d.outcome == OUTCOME_DEAD_LETTER && d.was_request);
    d = decide(&PLATFORM, 99, &OURS, -1, 0);
    cr_assert(d.outcome == OUTCOME_PARKED && !d.was_request && d.delay_ms == 1000);
}

Test(decide, parking_grows_to_a_minute)
{
    int64_t before = 0;
    for (unsigned streak = 0; streak < 100; streak++) {
        struct decision d = decide_parked(streak, 0);
        cr_assert(d.outcome == OUTCOME_PARKED && !d.was_request);
        cr_assert(d.delay_ms >= before && d.delay_ms <= RETRY_PARK_MS_MAX);
        cr_assert(decide_parked(streak, UINT64_MAX).delay_ms <= RETRY_PARK_MS_MAX);
        before = d.delay_ms;
    }
    cr_assert_eq(before, RETRY_PARK_MS_MAX);
    cr_assert_str_eq(outcome_name(OUTCOME_DEAD_LETTER), "dead_letter");
}
