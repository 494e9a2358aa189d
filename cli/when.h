/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time and durations as people type them, and times as they read them. */
#ifndef SLUICE_CLI_WHEN_H
#define SLUICE_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* 45s, 30m, 12h, 7d: 1 s to 3650 days. False: it is none. */
bool when_duration(const char *text, int64_t *out_ms);
/* RFC 3339, or a duration before now. */
bool when_parse(const char *text, int64_t now_us, int64_t *out_us);

#define WHEN_TEXT_MAX 24
/* 2026-11-22T20:37:20Z; "-" for 0 and less. */
void when_text(int64_t utc_us, char out[WHEN_TEXT_MAX]);
/* 45s, 12m, 5h, 3d: the largest unit of which there are at least two, else seconds; "-" for less than 0. */
void when_age(int64_t seconds, char out[WHEN_TEXT_MAX]);

#endif
