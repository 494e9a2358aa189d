/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and times as people type them. */
#include "cli/when.h"

#include <criterion/criterion.h>

#include "base/mem.h"

Test(when, durations)
{
    static const struct {
        const char *text;
        int64_t ms; /* 0 = none */
    } rows[] = {{"1s", 1000}, {"30m", 1800000}, {"12h", 43200000}, {"7d", 604800000}, {"3650d", 315360000000},
                {"0s", 0},    {"3651d", 0},     {"-1s", 0},        {"1", 0},          {"s", 0},
                {"", 0},      {"1w", 0},        {"1 s", 0},        {"1.5h", 0},       {"99999999999999999999s", 0},
                {"1sm", 0},   {"+1s", 0}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t ms = 0;
        bool good = when_duration(rows[i].text, &ms);
        cr_expect_eq(good, rows[i].ms > 0, "%s", rows[i].text);
        cr_expect_eq(ms, rows[i].ms, "%s", rows[i].text);
    }
}

Test(when, a_duration_is_before_now_and_a_time_is_itself)
{
    int64_t us = 0;
    cr_expect(when_parse("2m", 1000000000, &us));
    cr_expect_eq(us, 880000000);
    cr_expect(when_parse("1970-01-01T00:00:01Z", 0, &us));
    cr_expect_eq(us, 1000000);
    cr_expect_not(when_parse("now", 0, &us));
}

Test(when, texts)
{
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = {{-1, "-"},      {0, "0s"},    {119, "119s"},   {120, "2m"},
                {7199, "119m"}, {7200, "2h"}, {172799, "47h"}, {172800, "2d"}};
    char out[WHEN_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        when_age(rows[i].s, out);
        cr_expect_str_eq(out, rows[i].text);
    }
    when_text(1795379840123456, out);
    cr_expect_str_eq(out, "2026-11-22T20:37:20Z");
    when_text(0, out);
    cr_expect_str_eq(out, "-");
}
