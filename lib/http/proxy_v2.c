/* SPDX-License-Identifier: Apache-2.0 */
/* The binary header of the PROXY protocol. What follows the addresses (TLVs) is skipped. */
#include "http/proxy_v2.h"

#include <string.h>

#define SIGNATURE_BYTES 12
#define V4_BYTES 12 /* two addresses, two ports */
#define V6_BYTES 36

enum { COMMAND_LOCAL, COMMAND_PROXY };
enum { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum { TRANSPORT_UNSPEC, TRANSPORT_STREAM, TRANSPORT_DGRAM };

static const uint8_t SIGNATURE[SIGNATURE_BYTES] = "\r\n\r\n\0\r\nQUIT\n";

/* The address part of a PROXY command. Of a connection that came to the proxy by other ways than TCP it is of no use.
 */
static bool read_client(const uint8_t *at, size_t n, unsigned family, unsigned transport, struct proxy_v2 *out)
{
    if (family > FAMILY_UNIX || transport > TRANSPORT_DGRAM) {
        return false;
    }
    if (family == FAMILY_INET && transport == TRANSPORT_STREAM) {
        if (n < V4_BYTES) {
            return false;
        }
        out->client.v4.sin_family = AF_INET;
        memcpy(&out->client.v4.sin_addr, at, 4);
        memcpy(&out->client.v4.sin_port, at + 8, 2);
        out->client_n = sizeof out->client.v4;
    } else if (family == FAMILY_INET6 && transport == TRANSPORT_STREAM) {
        if (n < V6_BYTES) {
            return false;
        }
        out->client.v6.sin6_family = AF_INET6;
        memcpy(&out->client.v6.sin6_addr, at, 16);
        memcpy(&out->client.v6.sin6_port, at + 32, 2);
        out->client_n = sizeof out->client.v6;
    }
    return true;
}

enum proxy_v2_result proxy_v2_parse(const uint8_t *bytes, size_t n, struct proxy_v2 *out)
{
    size_t have = n < SIGNATURE_BYTES ? n : SIGNATURE_BYTES;
    *out = (struct proxy_v2){.bytes = PROXY_V2_BYTES_MIN};
    if (memcmp(bytes, SIGNATURE, have) != 0) {
        return PROXY_V2_BAD;
    }
    if (n < PROXY_V2_BYTES_MIN) {
        return PROXY_V2_MORE;
    }
    unsigned command = bytes[12] & 0x0f;
    size_t length = (size_t)bytes[14] << 8 | bytes[15];
    out->bytes += length;
    if (bytes[12] >> 4 != 2 || command > COMMAND_PROXY || out->bytes > PROXY_V2_BYTES_MAX) {
        return PROXY_V2_BAD;
    }
    if (n < out->bytes) {
        return PROXY_V2_MORE;
    }
    if (command == COMMAND_LOCAL) { /* a health check; everything else in it is to be ignored */
        return PROXY_V2_DONE;
    }
    bool ok = read_client(bytes + PROXY_V2_BYTES_MIN, length, bytes[13] >> 4, bytes[13] & 0x0f, out);
    return ok ? PROXY_V2_DONE : PROXY_V2_BAD;
}
