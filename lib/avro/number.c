/* SPDX-License-Identifier: Apache-2.0 */
/* Text -> number, exactly or not at all. */
#include "avro/number.h"

#include <stdlib.h>
#include <string.h>

bool number_parse_long(const char *text, size_t n, int64_t *out)
{
    bool negative = n > 0 && text[0] == '-';
    size_t i = negative ? 1 : 0;
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t v = 0;
    if (i == n) {
        return false;
    }
    for (; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9 || v > (most - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool number_parse_double(const char *text, size_t n, double *out)
{
    char copy[64];
    char *end = NULL;
    bool plausible = n > 0 && n < sizeof(copy) && strchr("-.0123456789NI", text[0]) != NULL && text[0] != '\0';
    if (!plausible) {
        return false;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    double v = strtod(copy, &end);
    if (end != copy + n) {
        return false;
    }
    *out = v;
    return true;
}
