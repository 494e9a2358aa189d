/* SPDX-License-Identifier: Apache-2.0 */
/* Target: what FCM answers. */
#include "fuzz_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_reply(&provider_fcm, 1, data, size);
}
