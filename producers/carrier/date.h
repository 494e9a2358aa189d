/* SPDX-License-Identifier: Apache-2.0 */
/* Times as carriers write them. */
#ifndef SLUICE_CARRIER_DATE_H
#define SLUICE_CARRIER_DATE_H

#include <stdbool.h>
#include <stdint.h>

#define DATE_CHINA_S ((int64_t)8 * 3600) /* ahead of UTC, and without summer time */
#define DATE_TEXT_MAX 24                 /* "2026-11-22 20:37:20" and a NUL */
#define DATE_WHAT "expected a time such as 2026-11-22 20:37:20, with a zone or in China's"

/*
 * "2026-11-22 20:37:20" (also with T, with /, without seconds, with a fraction) in China's time, RFC 3339 with a zone,
 * seconds since 1970 (10 digits) or milliseconds (13). False: none of these.
 */
bool date_read(const char *text, int64_t *out_us);
/* Is it worth believing? See CARRIER_YEAR_MIN and CARRIER_AHEAD_S. */
bool date_believable(int64_t at_us, int64_t now_s);
/* "2026-11-22 20:37:20" in China's time. */
void date_text(int64_t at_s, char out[DATE_TEXT_MAX]);

#endif
