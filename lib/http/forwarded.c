/* SPDX-License-Identifier: Apache-2.0 */
/* X-Forwarded-For, read from the right. */
#include "http/forwarded.h"

#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool parse_entry(const char *text, size_t n, uint8_t out[NET_BYTES])
{
    char address[NET_TEXT_MAX];
    while (n > 0 && blank(text[0])) {
        text++;
        n--;
    }
    while (n > 0 && blank(text[n - 1])) {
        n--;
    }
    if (n >= sizeof address) {
        return false;
    }
    memcpy(address, text, n);
    address[n] = '\0';
    return net_bytes_of_text(address, out);
}

bool forwarded_address(const char *const *lines, size_t n, unsigned depth, uint8_t out[NET_BYTES])
{
    while (n > 0 && depth > 0) {
        const char *line = lines[--n];
        size_t end = strlen(line);
        for (bool more = true; more && depth > 0; depth--) {
            size_t begin = end;
            while (begin > 0 && line[begin - 1] != ',') {
                begin--;
            }
            if (!parse_entry(line + begin, end - begin, out)) {
                return false;
            }
            more = begin > 0;
            end = more ? begin - 1 : 0;
        }
    }
    return depth == 0;
}
