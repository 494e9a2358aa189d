/* SPDX-License-Identifier: Apache-2.0 */
/* Time: UTC for what is written down, monotonic for durations. One type, one unit each. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds and microseconds since an arbitrary start; never goes back, stops for nothing but a stopped machine. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* Microseconds and milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_utc_us(void);
int64_t clock_utc_ms(void);

/* RFC 3339, e.g. 2026-11-22T20:37:20.123456Z (27 characters). out must hold CLOCK_RFC3339_MAX bytes. */
#define CLOCK_RFC3339_MAX 32
void clock_rfc3339(int64_t utc_us, char out[CLOCK_RFC3339_MAX]);
/* The other way, with Z or an offset: 2026-11-22T20:37:20.5+01:00. False: it is none, or lies before 1970. */
bool clock_rfc3339_parse(const char *text, int64_t *out_utc_us);

/* Sleeps at least ms milliseconds unless a signal comes. */
void clock_sleep_ms(int64_t ms);
/* A condition of CLOCK_MONOTONIC: its waits do not follow a clock that is set. */
void clock_condition_init(pthread_cond_t *out);
/* ms from now, for pthread_cond_timedwait on such a condition. */
struct timespec clock_deadline(int64_t ms);

/*
 * Exponential backoff with full jitter between base_ms and max_ms.
 * attempt counts from 0: the first wait is at most twice base_ms. Thread: any.
 */
int64_t clock_backoff_ms(int attempt, int64_t base_ms, int64_t max_ms);

/* A random 64-bit number for jitter and names, not for secrets. */
uint64_t clock_random(void);

#endif
