/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes target_parse, retry_after_ms, address_nets_parse. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/address.h"
#include "http/retry_after.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = {0};
    struct target target;
    struct address_nets nets;
    CLEANUP(freep) char *text = xstrndup(n == 0 ? "" : (const char *)data, n);
    if (target_parse(text, true, &target, &err) == RC_OK && strncmp(target.endpoint, "http", 4) != 0) {
        abort();
    }
    int64_t ms = retry_after_ms(text, 1700000000, 3600000);
    if (ms < -1 || ms > 3600000) {
        abort();
    }
    if (address_nets_parse(text, &nets, &err) == RC_OK && nets.n > ADDRESS_NETS_MAX) {
        abort();
    }
    return 0;
}
