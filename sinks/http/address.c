/* SPDX-License-Identifier: Apache-2.0 */
/* Classifies addresses by tables of the special-purpose registries (RFC 6890 and its successors). */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct {
    uint32_t net;
    unsigned bits;
    enum address_class c;
} V4_RANGES[] = {
    {V4(0, 0, 0, 0), 8, ADDRESS_UNSPECIFIED},        {V4(10, 0, 0, 0), 8, ADDRESS_PRIVATE},
    {V4(100, 64, 0, 0), 10, ADDRESS_CGNAT},          {V4(127, 0, 0, 0), 8, ADDRESS_LOOPBACK},
    {V4(169, 254, 0, 0), 16, ADDRESS_LINK_LOCAL},    {V4(172, 16, 0, 0), 12, ADDRESS_PRIVATE},
    {V4(192, 0, 0, 0), 24, ADDRESS_RESERVED},        {V4(192, 0, 2, 0), 24, ADDRESS_DOCUMENTATION},
    {V4(192, 31, 196, 0), 24, ADDRESS_RESERVED},                                                  /* AS112 */
    {V4(192, 52, 193, 0), 24, ADDRESS_RESERVED},                                                  /* AMT */
    {V4(192, 88, 99, 0), 24, ADDRESS_RESERVED},                                                   /* 6to4 relays */
    {V4(192, 168, 0, 0), 16, ADDRESS_PRIVATE},       {V4(192, 175, 48, 0), 24, ADDRESS_RESERVED}, /* AS112 */
    {V4(198, 18, 0, 0), 15, ADDRESS_BENCHMARK},      {V4(198, 51, 100, 0), 24, ADDRESS_DOCUMENTATION},
    {V4(203, 0, 113, 0), 24, ADDRESS_DOCUMENTATION}, {V4(224, 0, 0, 0), 4, ADDRESS_MULTICAST},
    {V4(240, 0, 0, 0), 4, ADDRESS_RESERVED}, /* with the broadcast address */
};

static const struct {
    uint8_t net[16];
    unsigned bits;
    enum address_class c;
    int v4_at;     /* where an IPv4 address is inside that decides; -1 = none */
    bool inverted; /* Teredo writes it with all bits turned */
} V6_RANGES[] = {
    {{0}, 128, ADDRESS_UNSPECIFIED, -1, false},
    {{[15] = 1}, 128, ADDRESS_LOOPBACK, -1, false},
    {{[10] = 0xff, [11] = 0xff}, 96, ADDRESS_RESERVED, 12, false},    /* ::ffff:0:0/96 mapped */
    {{[8] = 0xff, [9] = 0xff}, 96, ADDRESS_RESERVED, 12, false},      /* ::ffff:0:0:0/96 translated */
    {{0}, 96, ADDRESS_RESERVED, 12, false},                           /* ::/96 compatible */
    {{0, 0x64, 0xff, 0x9b}, 96, ADDRESS_RESERVED, 12, false},         /* 64:ff9b::/96 NAT64 */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, ADDRESS_PRIVATE, -1, false},    /* local NAT64 */
    {{1}, 64, ADDRESS_RESERVED, -1, false},                           /* 100::/64 discard */
    {{0x20, 0x01}, 32, ADDRESS_RESERVED, 12, true},                   /* 2001::/32 Teredo */
    {{0x20, 0x01, 0, 2}, 48, ADDRESS_BENCHMARK, -1, false},           /* 2001:2::/48 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_DOCUMENTATION, -1, false}, /* 2001:db8::/32 */
    {{0x20, 0x01}, 23, ADDRESS_RESERVED, -1, false},                  /* 2001::/23 protocols */
    {{0x20, 0x02}, 16, ADDRESS_RESERVED, 2, false},                   /* 2002::/16 6to4 */
    {{0x3f, 0xfe}, 16, ADDRESS_RESERVED, -1, false},                  /* 6bone, given back */
    {{0x3f, 0xff}, 20, ADDRESS_DOCUMENTATION, -1, false},             /* 3fff::/20 */
    {{0x5f, 0x00}, 16, ADDRESS_RESERVED, -1, false},                  /* 5f00::/16 segment routing */
    {{0xfc}, 7, ADDRESS_PRIVATE, -1, false},
    {{0xfe, 0x80}, 10, ADDRESS_LINK_LOCAL, -1, false},
    {{0xfe, 0xc0}, 10, ADDRESS_PRIVATE, -1, false}, /* site-local, deprecated */
    {{0xff}, 8, ADDRESS_MULTICAST, -1, false},
};

static const char *const NAMES[ADDRESS_CLASSES_N] = {
    [ADDRESS_PUBLIC] = "public",         [ADDRESS_UNSPECIFIED] = "unspecified",
    [ADDRESS_LOOPBACK] = "loopback",     [ADDRESS_PRIVATE] = "private",
    [ADDRESS_LINK_LOCAL] = "link-local", [ADDRESS_CGNAT] = "carrier-nat",
    [ADDRESS_MULTICAST] = "multicast",   [ADDRESS_DOCUMENTATION] = "documentation",
    [ADDRESS_BENCHMARK] = "benchmark",   [ADDRESS_RESERVED] = "reserved",
    [ADDRESS_UNKNOWN] = "unknown",
};

const char *address_class_name(enum address_class c)
{
    return (size_t)c < ADDRESS_CLASSES_N ? NAMES[c] : "unknown";
}

static enum address_class classify_v4(uint32_t v4)
{
    for (size_t i = 0; i < ARRAY_SIZE(V4_RANGES); i++) {
        if ((v4 ^ V4_RANGES[i].net) >> (32 - V4_RANGES[i].bits) == 0) {
            return V4_RANGES[i].c;
        }
    }
    return ADDRESS_PUBLIC;
}

static uint32_t v4_of(const uint8_t *bytes)
{
    return V4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

static enum address_class classify_v6(const uint8_t bytes[16])
{
    /* ISATAP: an interface identifier 0:5efe:a.b.c.d or 200:5efe:a.b.c.d under any prefix. */
    if ((bytes[8] & 0xfd) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe) {
        return classify_v4(v4_of(bytes + 12)) == ADDRESS_PUBLIC ? ADDRESS_RESERVED : classify_v4(v4_of(bytes + 12));
    }
    for (size_t i = 0; i < ARRAY_SIZE(V6_RANGES); i++) {
        if (!net_same_prefix(bytes, V6_RANGES[i].net, V6_RANGES[i].bits)) {
            continue;
        }
        if (V6_RANGES[i].v4_at < 0) {
            return V6_RANGES[i].c;
        }
        uint32_t v4 = v4_of(bytes + V6_RANGES[i].v4_at);
        return classify_v4(V6_RANGES[i].inverted ? ~v4 : v4);
    }
    return bytes[0] >> 5 == 1 ? ADDRESS_PUBLIC : ADDRESS_RESERVED; /* only 2000::/3 is given to hosts */
}

enum address_class address_classify(const struct sockaddr *sa)
{
    uint8_t bytes[16];
    return net_bytes(sa, bytes) ? classify_v6(bytes) : ADDRESS_UNKNOWN;
}

const char *address_text(const struct sockaddr *sa, char *out)
{
    bool v6 = sa->sa_family == AF_INET6;
    size_t at = v6 ? offsetof(struct sockaddr_in6, sin6_addr) : offsetof(struct sockaddr_in, sin_addr);
    if ((!v6 && sa->sa_family != AF_INET) ||
        inet_ntop(sa->sa_family, (const char *)sa + at, out, ADDRESS_TEXT_MAX) == NULL) {
        (void)snprintf(out, ADDRESS_TEXT_MAX, "?");
    }
    return out;
}

bool address_allowed(const struct net_list *nets, const struct sockaddr *sa)
{
    uint8_t bytes[16];
    if (!net_bytes(sa, bytes)) {
        return false;
    }
    return classify_v6(bytes) == ADDRESS_PUBLIC || net_list_has(nets, bytes);
}
