/* SPDX-License-Identifier: Apache-2.0 */
/* What libFuzzer calls, and how a target says that something does not hold. */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLAIM(holds)    \
    do {                \
        if (!(holds)) { \
            abort();    \
        }               \
    } while (0)

#endif
