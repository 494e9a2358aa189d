/* SPDX-License-Identifier: Apache-2.0 */
/* Times for people. */
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/option.h"

#define DAYS_MAX 3650

static const struct {
    char letter;
    int64_t seconds;
} UNITS[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

bool when_duration(const char *text, int64_t *out_ms)
{
    char digits[16] = "";
    int64_t n = 0;
    size_t len = strlen(text);
    if (len < 2 || len > sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, len - 1);
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
        if (text[len - 1] == UNITS[i].letter) {
            bool good = option_parse_int(digits, 1, DAYS_MAX * INT64_C(86400) / UNITS[i].seconds, &n);
            *out_ms = good ? n * UNITS[i].seconds * 1000 : *out_ms;
            return good;
        }
    }
    return false;
}

bool when_parse(const char *text, int64_t now_us, int64_t *out_us)
{
    int64_t ago_ms = 0;
    if (when_duration(text, &ago_ms)) {
        *out_us = now_us - ago_ms * 1000;
        return true;
    }
    return clock_rfc3339_parse(text, out_us);
}

void when_text(int64_t utc_us, char out[WHEN_TEXT_MAX])
{
    char text[CLOCK_RFC3339_MAX] = "-";
    if (utc_us > 0) {
        clock_rfc3339(utc_us, text);
        (void)snprintf(strchr(text, '.'), 2, "Z"); /* whole seconds are enough to look at */
    }
    (void)snprintf(out, WHEN_TEXT_MAX, "%.20s", text);
}

void when_age(int64_t seconds, char out[WHEN_TEXT_MAX])
{
    size_t i = 0;
    if (seconds < 0) {
        (void)snprintf(out, WHEN_TEXT_MAX, "-");
        return;
    }
    while (i + 1 < ARRAY_SIZE(UNITS) && seconds < 2 * UNITS[i].seconds) {
        i++;
    }
    (void)snprintf(out, WHEN_TEXT_MAX, "%" PRId64 "%c", seconds / UNITS[i].seconds, UNITS[i].letter);
}
