/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a as its authors have published it. */
#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

Test(hash, published_values)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } rows[] = {{"", HASH_START}, {"a", UINT64_C(0xaf63dc4c8601ec8c)}, {"foobar", UINT64_C(0x85944171f73967e8)}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(hash_bytes(HASH_START, rows[i].text, strlen(rows[i].text)), rows[i].hash, "%s", rows[i].text);
    }
    cr_expect_eq(hash_bytes(hash_bytes(HASH_START, "foo", 3), "bar", 3), rows[2].hash, "in parts");
}
