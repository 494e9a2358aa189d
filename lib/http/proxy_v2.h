/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header with which a proxy says whose connection it passes on: version 2 of haproxy's PROXY protocol
 * (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt, section 2.2). Bytes in, an address out.
 */
#ifndef SLUICE_HTTP_PROXY_V2_H
#define SLUICE_HTTP_PROXY_V2_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY_V2_BYTES_MIN 16
#define PROXY_V2_BYTES_MAX 2048 /* with what a proxy adds about TLS and itself; the protocol allows 64 KiB */

enum proxy_v2_result {
    PROXY_V2_MORE, /* so far it is one; out->bytes are needed in all */
    PROXY_V2_DONE, /* it is one, of out->bytes */
    PROXY_V2_BAD,  /* not one, or one that is malformed or too long */
};

union proxy_v2_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct proxy_v2 {
    size_t bytes;
    union proxy_v2_address client;
    socklen_t client_n; /* 0: the connection is the proxy's own, or it does not know whose; the peer is the client */
};

/* n may be anything; what stands behind the header is not looked at. */
enum proxy_v2_result proxy_v2_parse(const uint8_t *bytes, size_t n, struct proxy_v2 *out);

#endif
