/* SPDX-License-Identifier: Apache-2.0 */
/* Retry-After (RFC 9110, 10.2.3): a number of seconds, or a date in any of the three forms. */
#ifndef SLUICE_SINK_HTTP_RETRY_AFTER_H
#define SLUICE_SINK_HTTP_RETRY_AFTER_H

#include <stdint.h>

/*
 * Milliseconds to wait from now_seconds (UTC) on, at most cap_ms; -1 when value is neither form. A date that has passed
 * is 0. A number too large for any type is the cap.
 */
int64_t retry_after_ms(const char *value, int64_t now_seconds, int64_t cap_ms);

#endif
