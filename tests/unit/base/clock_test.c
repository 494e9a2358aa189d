/* SPDX-License-Identifier: Apache-2.0 */
/* Time as text, and jitter within its limits. */
#include "base/clock.h"

#include <criterion/criterion.h>

#include "base/mem.h"

static void expect(int64_t us, const char *want)
{
    char text[CLOCK_RFC3339_MAX];
    clock_rfc3339(us, text);
    cr_assert_str_eq(text, want);
}

Test(clock, writes_rfc_3339)
{
    expect(0, "1970-01-01T00:00:00.000000Z");
    expect(1795379840123456, "2026-11-22T20:37:20.123456Z");
    expect(951782400000000, "2000-02-29T00:00:00.000000Z");
    expect(-1, "1969-12-31T23:59:59.999999Z");
}

Test(clock, extreme_times_fit_the_buffer)
{
    char text[CLOCK_RFC3339_MAX];
    clock_rfc3339(INT64_MAX, text);
    cr_assert_str_eq(text, "294247-01-10T04:00:54.775807Z");
    clock_rfc3339(INT64_MIN, text);
    cr_assert_eq(text[0], '-');
}

Test(clock, sleep_lasts_at_least_what_was_asked)
{
    int64_t start_us = clock_mono_us();
    clock_sleep_ms(20);
    clock_sleep_ms(-5);
    cr_assert_geq(clock_mono_us() - start_us, 20000);
}

Test(clock, backoff_stays_between_base_and_ceiling)
{
    for (int attempt = 0; attempt < 70; attempt++) {
        int64_t ms = clock_backoff_ms(attempt, 100, 5000);
        cr_assert_geq(ms, 100);
        cr_assert_leq(ms, 5000);
        if (attempt == 0) {
            cr_assert_leq(ms, 200);
        }
    }
    cr_assert_eq(clock_backoff_ms(5, 100, 50), 100);
    cr_assert_eq(clock_backoff_ms(5, 0, 1), 1);
}

Test(clock, backoff_grows_and_has_jitter)
{
    int64_t most = 0;
    int64_t first = clock_backoff_ms(10, 100, 100000);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        int64_t ms = clock_backoff_ms(10, 100, 100000);
        most = ms > most ? ms : most;
        differs = differs || ms != first;
    }
    cr_assert(differs);
    cr_assert_gt(most, 10000);
}

Test(clock, times_are_read_as_they_are_written)
{
    static const struct {
        const char *text;
        int64_t us; /* -1 = none */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T20:37:20Z", 1795379840000000},
        {"2026-11-22T20:37:20.5Z", 1795379840500000},
        {"2026-11-22T20:37:20.123456Z", 1795379840123456},
        {"2026-11-22T21:37:20+01:00", 1795379840000000},
        {"2026-11-22T15:07:20-05:30", 1795379840000000},
        {"2026-11-22T20:37:20", -1},
        {"2026-11-22", -1},
        {"2026-13-22T20:37:20Z", -1},
        {"2026-11-22T20:37:20+1:00", -1},
        {"2026-11-22T20:37:20+01:60", -1},
        {"2026-11-22T20:37:20Zx", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"2028-02-29T00:00:00Z", 1835395200000000},
        {"2026-02-29T00:00:00Z", -1},
        {"2026-02-31T00:00:00Z", -1},
        {"2026-04-31T00:00:00Z", -1},
        {"2026-11-00T00:00:00Z", -1},
        {"2026-00-22T00:00:00Z", -1},
        {"2026-11-22T24:00:00Z", -1},
        {"2026-11-22T20:60:00Z", -1},
        {"2026-11-22T20:37:59.9Z", 1795379879900000},
        {"2026-11-22T20:37:60Z", -1},
        {"2026-11-22T20:37:61Z", -1},
        {"2026-11-22T20:37:20.Z", -1},
        {"2026-11-22T20:37:20.+01:00", -1},
        {" 2026-11-22T20:37:20Z", -1},
        {"2026-11-22T 0:37:20Z", -1},
        {"2026-11-22T20:37: 20Z", -1},
        {"2026-11-22T20:37:20 Z", -1},
        {"2026- 1-22T20:37:20Z", -1},
        {"2026-1-22T20:37:20Z", -1},
        {"+2026-11-22T20:37:20Z", -1},
        {"26-11-22T20:37:20Z", -1},
        {"2026-11-22T20:37:2", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t us = 0;
        bool parsed = clock_rfc3339_parse(rows[i].text, &us);
        cr_assert_eq(parsed, rows[i].us >= 0, "%s", rows[i].text);
        cr_assert(!parsed || us == rows[i].us, "%s = %lld", rows[i].text, (long long)us);
    }
}
