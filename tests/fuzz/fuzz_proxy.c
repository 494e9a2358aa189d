/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: the PROXY protocol's header, and X-Forwarded-For. The first byte chooses.
 *
 * Claims: what is done has all of its bytes and no more than the limit; whatever is cut from it is MORE; what is more
 * asks for more than there is; an address that is said can be written and read again. Of X-Forwarded-For: the depth
 * that is taken is there, and each entry before it is an address too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "http/forwarded.h"
#include "http/proxy_v2.h"

static void check_address(const uint8_t bytes[NET_BYTES])
{
    uint8_t again[NET_BYTES];
    char text[NET_TEXT_MAX] = "";
    net_text(bytes, text);
    CLAIM(net_bytes_of_text(text, again) && memcmp(bytes, again, NET_BYTES) == 0);
}

static void proxy(const uint8_t *data, size_t n)
{
    struct proxy_v2 header;
    struct proxy_v2 cut;
    uint8_t bytes[NET_BYTES];
    enum proxy_v2_result result = proxy_v2_parse(data, n, &header);
    CLAIM(result != PROXY_V2_MORE || (header.bytes > n && header.bytes <= PROXY_V2_BYTES_MAX));
    if (result != PROXY_V2_DONE) {
        CLAIM(header.client_n == 0);
        return;
    }
    CLAIM(header.bytes >= PROXY_V2_BYTES_MIN && header.bytes <= n && header.bytes <= PROXY_V2_BYTES_MAX);
    for (size_t i = 0; i < header.bytes; i++) {
        CLAIM(proxy_v2_parse(data, i, &cut) == PROXY_V2_MORE);
    }
    if (header.client_n > 0) {
        CLAIM(net_bytes(&header.client.any, bytes));
        check_address(bytes);
    }
}

static void forwarded(const uint8_t *data, size_t n)
{
    char *text = xcalloc(n + 1, 1);
    memcpy(text, data, n);
    const char *lines[4];
    size_t n_lines = 0;
    for (size_t at = 0; at <= n && n_lines < ARRAY_SIZE(lines); at += strlen(text + at) + 1) {
        lines[n_lines++] = text + at;
    }
    bool deeper = true;
    for (unsigned depth = 1; depth <= FORWARDED_DEPTH_MAX; depth++) {
        uint8_t bytes[NET_BYTES];
        bool there = forwarded_address(lines, n_lines, depth, bytes);
        CLAIM(deeper || !there);
        deeper = there;
        if (there) {
            check_address(bytes);
        }
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] % 2 == 0) {
        proxy(data + 1, size - 1);
    } else if (size > 0) {
        forwarded(data + 1, size - 1);
    }
    return 0;
}
