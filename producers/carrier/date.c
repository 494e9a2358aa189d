/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "carrier/carrier.h"

#define MICROS ((int64_t)1000000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* n digits; false: there are others, or it is not from min to max. */
static bool number(const char **at, int n, int min, int max, int *out)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit((*at)[i])) {
            return false;
        }
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += n;
    *out = value;
    return value >= min && value <= max;
}

static bool sign(const char **at, char wanted)
{
    bool there = **at == wanted;
    *at += there ? 1 : 0;
    return there;
}

static int days_of(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool day_of(const char **at, struct tm *out)
{
    int year = 0;
    int month = 0;
    int day = 0;
    if (!number(at, 4, 1900, 9999, &year) || (**at != '-' && **at != '/')) {
        return false;
    }
    char between = *(*at)++;
    if (!number(at, 2, 1, 12, &month) || !sign(at, between) || !number(at, 2, 1, days_of(year, month), &day)) {
        return false;
    }
    out->tm_year = year - 1900;
    out->tm_mon = month - 1;
    out->tm_mday = day;
    return true;
}

static bool local(const char *at, int64_t *out_us)
{
    struct tm tm = {0};
    int64_t micros = 0;
    if (!day_of(&at, &tm) || (!sign(&at, ' ') && !sign(&at, 'T')) || !number(&at, 2, 0, 23, &tm.tm_hour) ||
        !sign(&at, ':') || !number(&at, 2, 0, 59, &tm.tm_min) ||
        (sign(&at, ':') && !number(&at, 2, 0, 59, &tm.tm_sec))) {
        return false;
    }
    if (sign(&at, '.')) {
        int64_t unit = MICROS / 10;
        if (!is_digit(*at)) {
            return false;
        }
        for (; is_digit(*at); at++, unit /= 10) {
            micros += (*at - '0') * unit;
        }
    }
    *out_us = ((int64_t)timegm(&tm) - DATE_CHINA_S) * MICROS + micros;
    return *at == '\0';
}

static bool counted(const char *text, int64_t *out_us)
{
    size_t n = strspn(text, "0123456789");
    int64_t value = 0;
    if (text[n] != '\0' || (n != 10 && n != 13)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        value = value * 10 + (text[i] - '0');
    }
    *out_us = value * (n == 10 ? MICROS : MICROS / 1000);
    return true;
}

bool date_read(const char *text, int64_t *out_us)
{
    return local(text, out_us) || counted(text, out_us) || clock_rfc3339_parse(text, out_us);
}

bool date_believable(int64_t at_us, int64_t now_s)
{
    static const int64_t FIRST_S = 946684800; /* 2000-01-01T00:00:00Z */
    _Static_assert(CARRIER_YEAR_MIN == 2000, "FIRST_S");
    return at_us >= FIRST_S * MICROS && at_us <= (now_s + CARRIER_AHEAD_S) * MICROS;
}

void date_text(int64_t at_s, char out[DATE_TEXT_MAX])
{
    struct tm tm = {0};
    time_t at = (time_t)(at_s + DATE_CHINA_S);
    if (gmtime_r(&at, &tm) == NULL || strftime(out, DATE_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        (void)snprintf(out, DATE_TEXT_MAX, "1970-01-01 08:00:00");
    }
}
