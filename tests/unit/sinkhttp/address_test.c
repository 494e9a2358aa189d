/* SPDX-License-Identifier: Apache-2.0 */
/* Every special range at both ends, and the neighbours outside. */
#include "http/address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

union any {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static const struct sockaddr *address(const char *text)
{
    static union any a;
    memset(&a, 0, sizeof a);
    a.sa.sa_family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;
    int ok = a.sa.sa_family == AF_INET ? inet_pton(AF_INET, text, &a.v4.sin_addr)
                                       : inet_pton(AF_INET6, text, &a.v6.sin6_addr);
    cr_assert_eq(ok, 1, "%s", text);
    return &a.sa;
}

static const struct {
    const char *text;
    enum address_class want;
} ROWS[] = {
    {"0.0.0.0", ADDRESS_UNSPECIFIED},
    {"0.255.255.255", ADDRESS_UNSPECIFIED},
    {"1.0.0.0", ADDRESS_PUBLIC},
    {"9.255.255.255", ADDRESS_PUBLIC},
    {"10.0.0.0", ADDRESS_PRIVATE},
    {"10.255.255.255", ADDRESS_PRIVATE},
    {"11.0.0.0", ADDRESS_PUBLIC},
    {"100.63.255.255", ADDRESS_PUBLIC},
    {"100.64.0.0", ADDRESS_CGNAT},
    {"100.127.255.255", ADDRESS_CGNAT},
    {"100.128.0.0", ADDRESS_PUBLIC},
    {"126.255.255.255", ADDRESS_PUBLIC},
    {"127.0.0.0", ADDRESS_LOOPBACK},
    {"127.0.0.1", ADDRESS_LOOPBACK},
    {"127.255.255.255", ADDRESS_LOOPBACK},
    {"128.0.0.0", ADDRESS_PUBLIC},
    {"169.253.255.255", ADDRESS_PUBLIC},
    {"169.254.0.0", ADDRESS_LINK_LOCAL},
    {"169.254.169.254", ADDRESS_LINK_LOCAL},
    {"169.254.255.255", ADDRESS_LINK_LOCAL},
    {"169.255.0.0", ADDRESS_PUBLIC},
    {"172.15.255.255", ADDRESS_PUBLIC},
    {"172.16.0.0", ADDRESS_PRIVATE},
    {"172.31.255.255", ADDRESS_PRIVATE},
    {"172.32.0.0", ADDRESS_PUBLIC},
    {"191.255.255.255", ADDRESS_PUBLIC},
    {"192.0.0.0", ADDRESS_RESERVED},
    {"192.0.0.255", ADDRESS_RESERVED},
    {"192.0.1.0", ADDRESS_PUBLIC},
    {"192.0.2.0", ADDRESS_DOCUMENTATION},
    {"192.0.2.255", ADDRESS_DOCUMENTATION},
    {"192.0.3.0", ADDRESS_PUBLIC},
    {"192.31.196.7", ADDRESS_RESERVED},
    {"192.31.197.0", ADDRESS_PUBLIC},
    {"192.52.193.7", ADDRESS_RESERVED},
    {"192.52.194.0", ADDRESS_PUBLIC},
    {"192.88.99.0", ADDRESS_RESERVED},
    {"192.88.100.0", ADDRESS_PUBLIC},
    {"192.167.255.255", ADDRESS_PUBLIC},
    {"192.168.0.0", ADDRESS_PRIVATE},
    {"192.168.255.255", ADDRESS_PRIVATE},
    {"192.169.0.0", ADDRESS_PUBLIC},
    {"192.175.48.1", ADDRESS_RESERVED},
    {"192.175.49.0", ADDRESS_PUBLIC},
    {"198.17.255.255", ADDRESS_PUBLIC},
    {"198.18.0.0", ADDRESS_BENCHMARK},
    {"198.19.255.255", ADDRESS_BENCHMARK},
    {"198.20.0.0", ADDRESS_PUBLIC},
    {"198.51.100.0", ADDRESS_DOCUMENTATION},
    {"198.51.101.0", ADDRESS_PUBLIC},
    {"203.0.112.255", ADDRESS_PUBLIC},
    {"203.0.113.0", ADDRESS_DOCUMENTATION},
    {"203.0.114.0", ADDRESS_PUBLIC},
    {"223.255.255.255", ADDRESS_PUBLIC},
    {"224.0.0.0", ADDRESS_MULTICAST},
    {"239.255.255.255", ADDRESS_MULTICAST},
    {"240.0.0.0", ADDRESS_RESERVED},
    {"255.255.255.255", ADDRESS_RESERVED},
    {"::", ADDRESS_UNSPECIFIED},
    {"::1", ADDRESS_LOOPBACK},
    {"::2", ADDRESS_UNSPECIFIED}, /* compatible 0.0.0.2 */
    {"::127.0.0.1", ADDRESS_LOOPBACK},
    {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
    {"::ffff:10.1.2.3", ADDRESS_PRIVATE},
    {"::ffff:169.254.169.254", ADDRESS_LINK_LOCAL},
    {"::ffff:8.8.8.8", ADDRESS_PUBLIC},
    {"::ffff:0:10.0.0.1", ADDRESS_PRIVATE},
    {"64:ff9b::10.0.0.1", ADDRESS_PRIVATE},
    {"64:ff9b::7f00:1", ADDRESS_LOOPBACK},
    {"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
    {"64:ff9b:1::1", ADDRESS_PRIVATE},
    {"64:ff9b:2::1", ADDRESS_RESERVED},
    {"100::1", ADDRESS_RESERVED},
    {"2001:0:1:2:3:4:f5ff:fffe", ADDRESS_PRIVATE}, /* Teredo of 10.0.0.1 */
    {"2001:0:1:2:3:4:f7f7:f7f7", ADDRESS_PUBLIC},  /* Teredo of 8.8.8.8 */
    {"2001:2::1", ADDRESS_BENCHMARK},
    {"2001:2:1::1", ADDRESS_RESERVED},
    {"2001:10::1", ADDRESS_RESERVED},
    {"2001:1ff:ffff::1", ADDRESS_RESERVED},
    {"2001:200::1", ADDRESS_PUBLIC},
    {"2001:db7::1", ADDRESS_PUBLIC},
    {"2001:db8::1", ADDRESS_DOCUMENTATION},
    {"2001:db9::1", ADDRESS_PUBLIC},
    {"2001:4860:4860::8888", ADDRESS_PUBLIC},
    {"2002:7f00:1::1", ADDRESS_LOOPBACK},
    {"2002:c0a8:1::1", ADDRESS_PRIVATE},
    {"2002:808:808::1", ADDRESS_PUBLIC},
    {"2600::5efe:10.0.0.1", ADDRESS_PRIVATE}, /* ISATAP */
    {"2600::200:5efe:127.0.0.1", ADDRESS_LOOPBACK},
    {"2600::5efe:8.8.8.8", ADDRESS_RESERVED},
    {"3ffe::1", ADDRESS_RESERVED},
    {"3fff::1", ADDRESS_DOCUMENTATION},
    {"3fff:fff:ffff::1", ADDRESS_DOCUMENTATION},
    {"3fff:1000::1", ADDRESS_PUBLIC},
    {"4000::1", ADDRESS_RESERVED},
    {"5f00::1", ADDRESS_RESERVED},
    {"fbff::1", ADDRESS_RESERVED},
    {"fc00::1", ADDRESS_PRIVATE},
    {"fd00:ec2::254", ADDRESS_PRIVATE},
    {"fdff:ffff::1", ADDRESS_PRIVATE},
    {"fe00::1", ADDRESS_RESERVED},
    {"fe80::1", ADDRESS_LINK_LOCAL},
    {"febf::1", ADDRESS_LINK_LOCAL},
    {"fec0::1", ADDRESS_PRIVATE},
    {"ff02::1", ADDRESS_MULTICAST},
};

Test(address, every_range_at_both_ends)
{
    const struct net_list none = {0};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct sockaddr *sa = address(ROWS[i].text);
        cr_assert_str_eq(address_class_name(address_classify(sa)), address_class_name(ROWS[i].want), "%s",
                         ROWS[i].text);
        cr_assert_eq(address_allowed(&none, sa), ROWS[i].want == ADDRESS_PUBLIC, "%s", ROWS[i].text);
    }
    const struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    cr_assert_eq(address_classify(&unix_socket), ADDRESS_UNKNOWN);
    cr_assert(!address_allowed(&none, &unix_socket));
}

Test(address, networks_open_what_is_in_them_and_nothing_else)
{
    struct err err;
    struct net_list nets;
    cr_assert_eq(net_list_parse(" 10.1.0.0/16, 127.0.0.1\nfd00::/8,::1,172.16.0.0/12,", &nets, &err), RC_OK);
    cr_assert_eq(nets.n, 5);
    static const char *const open[] = {"10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "127.0.0.1",
                                       "fd12::1",  "::1",          "172.31.0.1",      "8.8.8.8"};
    static const char *const closed[] = {"10.0.255.255", "10.2.0.0",   "127.0.0.2", "fc00::1",
                                         "::2",          "172.32.0.1", "fe80::1",   "::10.1.0.0"};
    for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
        cr_assert_eq(address_allowed(&nets, address(open[i])), strcmp(open[i], "172.32.0.1") != 0, "%s", open[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
        bool is_public = strcmp(closed[i], "172.32.0.1") == 0;
        cr_assert_eq(address_allowed(&nets, address(closed[i])), is_public, "%s", closed[i]);
    }
    cr_assert_eq(net_list_parse("0.0.0.0/0", &nets, &err), RC_OK);
    cr_assert(address_allowed(&nets, address("10.0.0.1")));
    cr_assert(!address_allowed(&nets, address("::1")));
    cr_assert_eq(net_list_parse("", &nets, &err), RC_OK);
    cr_assert_eq(nets.n, 0);
}

Test(address, networks_that_are_none)
{
    static const char *const bad[] = {
        "10.0.0.0/33",         "10.0.0.1/8",  "10.0.0/8", "fd00::/129",  "fd00::1/8",   "x",
        "10.0.0.0/",           "10.0.0.0/-1", "/8",       "10.0.0.0/8/", "10.0.0.0/08", "::1%lo",
        "10.0.0.0/8;127.0.0.1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err err;
        struct net_list nets = {.n = 77};
        cr_assert_eq(net_list_parse(bad[i], &nets, &err), RC_FATAL, "%s", bad[i]);
        cr_assert(err_is_config(&err));
        cr_assert_eq(nets.n, 77);
    }
}
