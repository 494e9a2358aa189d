/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of clocks that differ. */
#ifndef SLUICE_GATEWAY_CALLBACK_CLOCK_H
#define SLUICE_GATEWAY_CALLBACK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_DETAIL_MAX 80

/*
 * PostgreSQL's clock is skew_us ahead of ours, give or take unsure_us: the gauge has it; an alarm, and true, when it is
 * certainly more than limit_ms either way. was is what the last look gave. detail is for /readyz, empty without alarm.
 */
bool callback_clock_tell(int64_t skew_us, int64_t unsure_us, int64_t limit_ms, bool was, char detail[CLOCK_DETAIL_MAX]);

#endif
