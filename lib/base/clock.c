/* SPDX-License-Identifier: Apache-2.0 */
/* Time in one unit per name, waiting, and jitter. */
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_utc_us(void)
{
    return now_us(CLOCK_REALTIME);
}

int64_t clock_utc_ms(void)
{
    return clock_utc_us() / 1000;
}

void clock_rfc3339(int64_t utc_us, char out[CLOCK_RFC3339_MAX])
{
    int64_t micros = utc_us % 1000000;
    time_t seconds = (time_t)(utc_us / 1000000);
    if (micros < 0) { /* before 1970 the division rounds the wrong way */
        micros += 1000000;
        seconds--;
    }
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm); /* an int64 of microseconds stays within the years that struct tm holds */
    size_t n = strftime(out, CLOCK_RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, CLOCK_RFC3339_MAX - n, ".%06uZ", (unsigned)micros % 1000000U);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Two digits in 0..max. */
static bool two_digits(const char *text, int max, int *out)
{
    if (!is_digit(text[0]) || !is_digit(text[1])) {
        return false;
    }
    *out = (text[0] - '0') * 10 + (text[1] - '0');
    return *out <= max;
}

/* Reads "Z" or "+01:00". */
static bool zone_seconds(const char *text, int64_t *out)
{
    int hours = 0;
    int minutes = 0;
    if (strcmp(text, "Z") == 0) {
        *out = 0;
        return true;
    }
    bool good = strlen(text) == 6 && (text[0] == '+' || text[0] == '-') && two_digits(text + 1, 23, &hours) &&
                text[3] == ':' && two_digits(text + 4, 59, &minutes);
    *out = (hours * 3600LL + minutes * 60LL) * (text[0] == '-' ? -1 : 1);
    return good;
}

/* "2026-11-22T20:37:20", each digit where it belongs: strptime() would take blanks and days that do not exist. */
static bool date_seconds(const char *text, int64_t *out)
{
    static const char FORM[] = "dddd-dd-ddTdd:dd:dd";
    struct tm tm = {0};
    int century = 0;
    int year = 0;
    for (size_t i = 0; FORM[i] != '\0'; i++) {
        if (FORM[i] == 'd' ? !is_digit(text[i]) : text[i] != FORM[i]) { /* ends at the end of text, too */
            return false;
        }
    }
    bool good = two_digits(text, 99, &century) && two_digits(text + 2, 99, &year) &&
                two_digits(text + 5, 12, &tm.tm_mon) && two_digits(text + 8, 31, &tm.tm_mday) &&
                two_digits(text + 11, 23, &tm.tm_hour) && two_digits(text + 14, 59, &tm.tm_min) &&
                two_digits(text + 17, 59, &tm.tm_sec);
    tm.tm_year = century * 100 + year - 1900;
    tm.tm_mon--;
    const struct tm asked = tm;
    *out = (int64_t)timegm(&tm); /* turns a day that does not exist into another one */
    return good && tm.tm_mday == asked.tm_mday && tm.tm_mon == asked.tm_mon && tm.tm_year == asked.tm_year;
}

bool clock_rfc3339_parse(const char *text, int64_t *out_utc_us)
{
    int64_t seconds = 0;
    int64_t micros = 0;
    int64_t zone = 0;
    if (!date_seconds(text, &seconds)) {
        return false;
    }
    const char *rest = text + strlen("2026-11-22T20:37:20");
    if (*rest == '.') {
        int64_t unit = 100000;
        if (!is_digit(rest[1])) {
            return false;
        }
        for (rest++; is_digit(*rest); rest++) {
            micros += (*rest - '0') * unit;
            unit /= 10;
        }
    }
    if (!zone_seconds(rest, &zone)) {
        return false;
    }
    seconds -= zone;
    *out_utc_us = seconds * 1000000 + micros;
    return seconds >= 0;
}

void clock_sleep_ms(int64_t ms)
{
    if (ms <= 0) {
        return;
    }
    struct timespec ts = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Without a state of our own there is nothing that two processes could share after fork(). */
uint64_t clock_random(void)
{
    uint64_t r = 0;
    if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) {
        abort(); /* not possible for 8 bytes on a kernel that has the call */
    }
    return r;
}

int64_t clock_backoff_ms(int attempt, int64_t base_ms, int64_t max_ms)
{
    int64_t floor_ms = base_ms > 0 ? base_ms : 1;
    int64_t ceiling_ms = floor_ms;
    for (int i = -1; i < attempt && ceiling_ms < max_ms; i++) {
        ceiling_ms = ceiling_ms > max_ms / 2 ? max_ms : ceiling_ms * 2;
    }
    if (ceiling_ms <= floor_ms) {
        return floor_ms;
    }
    return floor_ms + (int64_t)(clock_random() % (uint64_t)(ceiling_ms - floor_ms + 1));
}

void clock_condition_init(pthread_cond_t *out)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(out, &attr);
    (void)pthread_condattr_destroy(&attr);
}

struct timespec clock_deadline(int64_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}
