/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks that differ are measured. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "gateway/callback_sweep.h"
#include "support/callback_rig.h"

TestSuite(callback_clock, .timeout = 100);

static struct err err;

static int64_t ahead(void)
{
    return clock_utc_us() + 45000000;
}

Test(callback_clock, what_differs_is_seen, .init = callback_rig_open, .fini = callback_rig_close)
{
    int64_t skew_us = 0;
    int64_t unsure_us = 0;
    cr_assert_eq(callback_sweep_skew(&rig.session, ahead, &skew_us, &unsure_us, &err), RC_OK, "%s", err.text);
    cr_assert(skew_us - unsure_us <= -44999999 && skew_us + unsure_us >= -45000001, "%lld +- %lld", (long long)skew_us,
              (long long)unsure_us);
}
