/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as people write them, and whether an address is in one. An IPv4 address is the mapped one of IPv6. */
#ifndef SLUICE_HTTP_NET_H
#define SLUICE_HTTP_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define NETS_MAX 128
#define NET_BYTES 16
#define NET_TEXT_MAX 64

struct net {
    uint8_t bytes[NET_BYTES];
    unsigned bits; /* of 128 */
};

struct net_list {
    struct net nets[NETS_MAX];
    size_t n;
};

/* "10.0.0.0/8, 127.0.0.1/32, fd00::/8, ::1", also one a line; without a slash one address. RC_FATAL with ERR_CONFIG:
 * which one is wrong, bits set behind the prefix included. "" is an empty list. */
enum rc net_list_parse(const char *text, struct net_list *out_list, struct err *err) MUST_USE;
bool net_list_has(const struct net_list *list, const uint8_t bytes[NET_BYTES]);

/* False: neither IPv4 nor IPv6. */
bool net_bytes(const struct sockaddr *sa, uint8_t out[NET_BYTES]);
/* A numeric address without port. */
bool net_bytes_of_text(const char *text, uint8_t out[NET_BYTES]);
/* As people write it, an IPv4 address with dots. out has NET_TEXT_MAX bytes. */
void net_text(const uint8_t bytes[NET_BYTES], char *out);
bool net_same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits);

#endif
