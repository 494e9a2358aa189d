/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for tests by chance: the same ones from the same seed, on every machine. */
#ifndef SLUICE_TESTS_RANDOM_H
#define SLUICE_TESTS_RANDOM_H

#include <stdint.h>

/* 24 bits. */
static inline uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

#endif
