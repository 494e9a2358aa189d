/* SPDX-License-Identifier: Apache-2.0 */
/* Parses Retry-After strictly. */
#include "http/retry_after.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const DAYS[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const LONG_DAYS[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

/* Each of these goes on in *at when it finds what it looks for. */
static bool word(const char **at, const char *want)
{
    size_t n = strlen(want);
    bool ok = strncmp(*at, want, n) == 0;
    *at += ok ? n : 0;
    return ok;
}

static bool one_of(const char **at, const char *const *words, size_t n, int *out_index)
{
    for (size_t i = 0; i < n; i++) {
        if (word(at, words[i])) {
            *out_index = (int)i;
            return true;
        }
    }
    return false;
}

static bool number(const char **at, int digits, int *out)
{
    int v = 0;
    for (int i = 0; i < digits; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        v = v * 10 + (c - '0');
    }
    *at += digits;
    *out = v;
    return true;
}

static bool clock_time(const char **at, struct tm *tm)
{
    return number(at, 2, &tm->tm_hour) && word(at, ":") && number(at, 2, &tm->tm_min) && word(at, ":") &&
           number(at, 2, &tm->tm_sec) && tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

static bool month(const char **at, struct tm *tm)
{
    return one_of(at, MONTHS, ARRAY_SIZE(MONTHS), &tm->tm_mon);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool imf_fixdate(const char *at, struct tm *tm)
{
    int day = 0;
    return one_of(&at, DAYS, ARRAY_SIZE(DAYS), &day) && word(&at, ", ") && number(&at, 2, &tm->tm_mday) &&
           word(&at, " ") && month(&at, tm) && word(&at, " ") && number(&at, 4, &tm->tm_year) && word(&at, " ") &&
           clock_time(&at, tm) && word(&at, " GMT") && *at == '\0';
}

/* Sunday, 06-Nov-94 08:49:37 GMT; two digits of the year mean the one within 50 years of now. */
static bool rfc850_date(const char *at, int this_year, struct tm *tm)
{
    int day = 0;
    bool ok = one_of(&at, LONG_DAYS, ARRAY_SIZE(LONG_DAYS), &day) && word(&at, ", ") && number(&at, 2, &tm->tm_mday) &&
              word(&at, "-") && month(&at, tm) && word(&at, "-") && number(&at, 2, &tm->tm_year) && word(&at, " ") &&
              clock_time(&at, tm) && word(&at, " GMT") && *at == '\0';
    tm->tm_year += this_year / 100 * 100;
    tm->tm_year += tm->tm_year < this_year - 50 ? 100 : (tm->tm_year > this_year + 50 ? -100 : 0);
    return ok;
}

/* Sun Nov  6 08:49:37 1994 */
static bool asctime_date(const char *at, struct tm *tm)
{
    int day = 0;
    return one_of(&at, DAYS, ARRAY_SIZE(DAYS), &day) && word(&at, " ") && month(&at, tm) && word(&at, " ") &&
           (word(&at, " ") ? number(&at, 1, &tm->tm_mday) : number(&at, 2, &tm->tm_mday)) && word(&at, " ") &&
           clock_time(&at, tm) && word(&at, " ") && number(&at, 4, &tm->tm_year) && *at == '\0';
}

static int64_t seconds_of(const char *value, int64_t cap_seconds)
{
    int64_t seconds = 0;
    for (; *value != '\0'; value++) {
        seconds = seconds * 10 + (*value - '0');
        seconds = seconds > cap_seconds ? cap_seconds : seconds;
    }
    return seconds;
}

int64_t retry_after_ms(const char *value, int64_t now_seconds, int64_t cap_ms)
{
    size_t n = strlen(value);
    int64_t seconds = -1;
    struct tm tm = {0};
    time_t now = (time_t)now_seconds;
    struct tm today = {0};
    (void)gmtime_r(&now, &today);
    if (n > 0 && strspn(value, "0123456789") == n) {
        seconds = seconds_of(value, cap_ms / 1000 + 1);
    } else if (imf_fixdate(value, &tm) || (tm = (struct tm){0}, rfc850_date(value, today.tm_year + 1900, &tm)) ||
               (tm = (struct tm){0}, asctime_date(value, &tm))) {
        int day = tm.tm_mday;
        tm.tm_year -= 1900;
        int64_t at = (int64_t)timegm(&tm);
        bool exists = day >= 1 && tm.tm_mday == day; /* timegm makes March of the 30th of February */
        seconds = !exists ? -1 : (at > now_seconds ? at - now_seconds : 0);
    }
    if (seconds < 0) {
        return -1;
    }
    return seconds > cap_ms / 1000 ? cap_ms : seconds * 1000;
}
