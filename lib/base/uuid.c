/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the text form of a UUID (RFC 4122, section 3). */
#include "base/uuid.h"

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
