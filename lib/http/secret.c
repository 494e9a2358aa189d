/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison that does not say where it failed. */
#include "http/secret.h"

#include <stddef.h>
#include <string.h>

bool secret_same(const char *want, const char *got)
{
    size_t want_n = strlen(want);
    size_t got_n = strlen(got);
    unsigned char difference = want_n == got_n ? 0 : 1;
    for (size_t i = 0; i < want_n; i++) {
        difference |= (unsigned char)(want[i] ^ (got_n == 0 ? 0 : got[i % got_n]));
    }
    return difference == 0;
}
