/* SPDX-License-Identifier: Apache-2.0 */
/* Target: what APNs answers. */
#include "fuzz_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_reply(&provider_apns, 1, data, size);
}
