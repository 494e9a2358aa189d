/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks that differ: measured, and told. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/metric.h"
#include "gateway/callback_clock.h"
#include "gateway/callback_sweep.h"
#include "support/callback_rig.h"

#define LIMIT_MS 30000

TestSuite(callback_clock, .timeout = 100);

static struct err err;
static char detail[CLOCK_DETAIL_MAX];

static int64_t ahead(void)
{
    return clock_utc_us() + 45000000;
}

Test(callback_clock, what_is_measured_is_an_alarm, .init = callback_rig_open, .fini = callback_rig_close)
{
    int64_t skew_us = 0;
    int64_t unsure_us = 0;
    cr_assert_eq(callback_sweep_skew(&rig.session, ahead, &skew_us, &unsure_us, &err), RC_OK, "%s", err.text);
    cr_assert(skew_us - unsure_us <= -44999999 && skew_us + unsure_us >= -45000001, "%lld +- %lld", (long long)skew_us,
              (long long)unsure_us);
    cr_assert(callback_clock_tell(skew_us, 0, LIMIT_MS, false, detail));
    cr_assert_not_null(strstr(detail, " s behind this machine"), "%s", detail);
}

static void gauge(double want)
{
    CLEANUP(buf_done) struct buf out;
    char line[100];
    buf_init(&out, (size_t)1 << 20);
    metrics_render(&out);
    (void)snprintf(line, sizeof line, "\nsluice_gateway_clock_skew_seconds %g\n", want);
    cr_expect_not_null(strstr(buf_str(&out), line), "expected %s in: %s", line, buf_str(&out));
}

/* The limit itself is none, nor is what may be the time that the asking took. */
Test(callback_clock, beyond_the_limit_there_is_an_alarm)
{
    static const struct {
        int64_t skew_us, unsure_us;
        const char *detail;
    } CASES[] = {{0, 0, ""},
                 {30000000, 0, ""},
                 {30000001, 0, "PostgreSQL is 30.0 s ahead of this machine"},
                 {-30000000, 0, ""},
                 {-45200000, 100000, "PostgreSQL is 45.2 s behind this machine"},
                 {31000000, 1000000, ""},
                 {31000001, 1000000, "PostgreSQL is 31.0 s ahead of this machine"},
                 {-31000000, 2000000, ""}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        bool alarm = callback_clock_tell(CASES[i].skew_us, CASES[i].unsure_us, LIMIT_MS, false, detail);
        cr_expect_eq(alarm, CASES[i].detail[0] != '\0', "%zu", i);
        cr_expect_str_eq(detail, CASES[i].detail);
    }
}

Test(callback_clock, the_alarm_is_in_log_and_metric)
{
    char said[4000];
    cr_redirect_stderr();
    cr_assert(callback_clock_tell(45000000, 0, LIMIT_MS, false, detail));
    gauge(45);
    cr_assert(callback_clock_tell(-46000000, 0, LIMIT_MS, true, detail));
    gauge(-46);
    cr_assert_not(callback_clock_tell(1500000, 0, LIMIT_MS, true, detail));
    gauge(1.5);
    cr_assert_not(callback_clock_tell(0, 0, LIMIT_MS, false, detail));
    (void)fflush(stderr);
    size_t n = fread(said, 1, sizeof said - 1, cr_get_redirected_stderr());
    said[n] = '\0';
    const char *first = strstr(said, "level=error");
    cr_assert_not_null(first, "%s", said);
    cr_assert_not_null(strstr(first, "clocks differ"), "%s", said);
    cr_assert_not_null(strstr(first, "skew=\"PostgreSQL is 45.0 s ahead of this machine\""), "%s", said);
    cr_assert_not_null(strstr(first, "skew=\"PostgreSQL is 46.0 s behind this machine\""), "%s", said);
    const char *again = strstr(first, "clocks agree again");
    cr_assert_not_null(again, "%s", said);
    cr_assert_null(strstr(again + 1, "clocks"), "%s", said);
}
