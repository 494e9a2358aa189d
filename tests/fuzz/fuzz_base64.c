/* SPDX-License-Identifier: Apache-2.0 */
/* Target: base64 and base64url. Claims: each value has one spelling, and comes back from it. */
#include <string.h>

#include "base/mem.h"
#include "crypto/base64.h"
#include "fuzz.h"

typedef bool (*decode_fn)(const char *text, size_t text_n, void *out, size_t out_size, size_t *out_n);
typedef void (*encode_fn)(const void *bytes, size_t n, char *out);

static void check(const uint8_t *data, size_t n, decode_fn decode, encode_fn encode)
{
    CLEANUP(freep) char *text = xcalloc(1, BASE64_LENGTH(n) + 1);
    CLEANUP(freep) uint8_t *bytes = xcalloc(1, n + 1);
    size_t bytes_n = 0;
    encode(data, n, text);
    CLAIM(decode(text, strlen(text), bytes, n, &bytes_n) && bytes_n == n && memcmp(bytes, data, n) == 0);
    CLAIM(n == 0 || !decode(text, strlen(text), bytes, n - 1, &bytes_n));
    if (decode((const char *)data, n, bytes, n, &bytes_n)) {
        encode(bytes, bytes_n, text);
        CLAIM(strlen(text) == n && memcmp(text, data, n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size, base64_decode, base64_encode);
    check(data, size, base64url_decode, base64url_encode);
    return 0;
}
