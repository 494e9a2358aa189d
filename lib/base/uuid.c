/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the text form of a UUID (RFC 4122, section 3), and makes new ones. */
#include "base/uuid.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

void uuid_make(char out[UUID_TEXT_LEN + 1])
{
    uint64_t ms = (uint64_t)clock_utc_ms();
    uint64_t a = clock_random();
    uint64_t b = clock_random();
    (void)snprintf(out, UUID_TEXT_LEN + 1, "%08" PRIx64 "-%04" PRIx64 "-7%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                   ms >> 16 & 0xffffffff, ms & 0xffff, a & 0xfff, (a >> 16 & 0x3fff) | 0x8000, b & 0xffffffffffff);
}

bool uuid_check(const char *s, size_t n)
{
    if (n != UUID_TEXT_LEN) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f') || (s[i] >= 'A' && s[i] <= 'F');
        if (dash ? s[i] != '-' : !hex) {
            return false;
        }
    }
    return true;
}
