/* SPDX-License-Identifier: Apache-2.0 */
#include "support/batch_ways.h"

#include <criterion/criterion.h>
#include <stdbool.h>

#include "base/mem.h"

static char *state_after(const struct batch_ways *w, uint32_t round, bool one_by_one)
{
    uint32_t seed = round;

    w->begin(round);
    for (int i = 0; i < w->outcomes; i++) {
        w->add(&seed);
        if (one_by_one) {
            w->apply();
        }
    }
    if (!one_by_one) {
        w->apply();
    }
    return w->state();
}

void batch_ways_agree(const struct batch_ways *w)
{
    for (uint32_t round = 0; round < w->rounds; round++) {
        char *singly CLEANUP(freep) = state_after(w, round, true);
        char *at_once CLEANUP(freep) = state_after(w, round, false);
        cr_expect_str_eq(singly, at_once, "round %u", round);
    }
}
