/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to behaviours. */
#include "receiver/behave.h"

#include <criterion/criterion.h>

#include "base/mem.h"

Test(behave, every_word_with_its_number)
{
    static const struct {
        const char *path;
        bool ok;
        enum behave_kind kind;
        int64_t n;
    } rows[] = {
        {"", true, BEHAVE_OK, 0},
        {"/", true, BEHAVE_OK, 0},
        {"/ok", true, BEHAVE_OK, 0},
        {"/some/callback", true, BEHAVE_OK, 0},
        {"/slow/250", true, BEHAVE_SLOW, 250},
        {"slow/250", true, BEHAVE_SLOW, 250},
        {"/sub2api/v1/slow/250/more", true, BEHAVE_SLOW, 250},
        {"/slow", false, BEHAVE_OK, 0},
        {"/slow/", false, BEHAVE_OK, 0},
        {"/slow/-1", false, BEHAVE_OK, 0},
        {"/slow/x", false, BEHAVE_OK, 0},
        {"/slow/3600001", false, BEHAVE_OK, 0},
        {"/slow/99999999999999999999999999999999", false, BEHAVE_OK, 0},
        {"/fail/0", true, BEHAVE_FAIL, 0},
        {"/fail/3", true, BEHAVE_FAIL, 3},
        {"/fail", false, BEHAVE_OK, 0},
        {"/status/503", true, BEHAVE_STATUS, 503},
        {"/status/199", false, BEHAVE_OK, 0},
        {"/status/600", false, BEHAVE_OK, 0},
        {"/ratelimit/5", true, BEHAVE_RATELIMIT, 5},
        {"/hang", true, BEHAVE_HANG, 0},
        {"/reset", true, BEHAVE_RESET, 0},
        {"/drip", true, BEHAVE_DRIP, 100},
        {"/drip/", true, BEHAVE_DRIP, 100},
        {"/drip/20", true, BEHAVE_DRIP, 20},
        {"/drip/0", false, BEHAVE_OK, 0},
        {"/endless", true, BEHAVE_ENDLESS, 0},
        {"/hangover", true, BEHAVE_OK, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct behave got = {0};
        cr_assert_eq(behave_parse(rows[i].path, &got), rows[i].ok, "%s", rows[i].path);
        cr_assert(!rows[i].ok || (got.kind == rows[i].kind && got.n == rows[i].n), "%s", rows[i].path);
    }
}
