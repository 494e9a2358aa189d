/* SPDX-License-Identifier: Apache-2.0 */
/* The currencies whose smallest unit is not a hundredth. */
#include "base/currency.h"

#include <stddef.h>
#include <string.h>

static const struct {
    int digits;
    const char *codes; /* three letters and a blank each */
} UNUSUAL[] = {
    {0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "},
    {3, "BHD IQD JOD KWD LYD OMR TND "},
    {4, "CLF UYW "},
};

static int find(const char *code)
{
    for (size_t i = 0; strlen(code) == 3 && i < sizeof UNUSUAL / sizeof UNUSUAL[0]; i++) {
        for (const char *at = UNUSUAL[i].codes; *at != '\0'; at += 4) {
            if (strncmp(at, code, 3) == 0) {
                return UNUSUAL[i].digits;
            }
        }
    }
    return -1;
}

int currency_digits(const char *code)
{
    int digits = find(code);
    return digits < 0 ? CURRENCY_DIGITS_USUAL : digits;
}

bool currency_digits_fit(const char *code, int digits)
{
    int listed = find(code);
    return listed < 0 || listed == digits;
}
