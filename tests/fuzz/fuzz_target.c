/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes target_parse, retry_after_ms, net_list_parse. */
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
    struct net_list nets;
    CLEANUP(freep) char *text = xstrndup(n == 0 ? "" : (const char *)data, n);
    if (target_parse(text, true, &target, &err) == RC_OK && strncmp(target.endpoint, "http", 4) != 0) {
        abort();
    }
    int64_t ms = retry_after_ms(text, 1700000000, 3600000);
    if (ms < -1 || ms > 3600000) {
        abort();
    }
    if (net_list_parse(text, &nets, &err) == RC_OK && nets.n > NETS_MAX) {
        abort();
    }
    return 0;
}
