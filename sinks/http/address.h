/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses may be called: the public ones, and what an operator has opened.
 *
 * The classification looks at the numeric address a socket is about to be connected to, never at the text of a URL.
 * IPv6 addresses that carry an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) are what that one is.
 */
#ifndef SLUICE_SINK_HTTP_ADDRESS_H
#define SLUICE_SINK_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "http/net.h"

#define ADDRESS_TEXT_MAX 64

enum address_class {
    ADDRESS_PUBLIC,
    ADDRESS_UNSPECIFIED,   /* 0.0.0.0/8, :: */
    ADDRESS_LOOPBACK,      /* 127.0.0.0/8, ::1 */
    ADDRESS_PRIVATE,       /* RFC 1918, fc00::/7, fec0::/10 */
    ADDRESS_LINK_LOCAL,    /* 169.254.0.0/16 with the clouds' metadata services, fe80::/10 */
    ADDRESS_CGNAT,         /* 100.64.0.0/10 */
    ADDRESS_MULTICAST,     /* 224.0.0.0/4, ff00::/8 */
    ADDRESS_DOCUMENTATION, /* examples, never a host */
    ADDRESS_BENCHMARK,     /* 198.18.0.0/15, 2001:2::/48 */
    ADDRESS_RESERVED,      /* everything else that is not a host on the internet */
    ADDRESS_UNKNOWN,       /* neither IPv4 nor IPv6 */
    ADDRESS_CLASSES_N
};

enum address_class address_classify(const struct sockaddr *sa);
const char *address_class_name(enum address_class c); /* "link-local"; static */
/* The numeric address without port; out has room for ADDRESS_TEXT_MAX. */
const char *address_text(const struct sockaddr *sa, char *out);

/* nets: open although they are not public. */
bool address_allowed(const struct net_list *nets, const struct sockaddr *sa);

#endif
