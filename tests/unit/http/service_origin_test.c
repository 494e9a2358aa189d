/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a service takes a request to be from. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/forwarded.h"
#include "service_rig.h"

static enum call_next show(struct http_call *call, void *opaque)
{
    struct buf body;
    buf_init(&body, 100);
    (void)opaque;
    (void)buf_printf(&body, "%s\n", call_address(call));
    call_answer(call, 200, "text/plain", &body);
    return CALL_ANSWERED;
}

static const struct service_route ROUTES[] = {{.key = {"GET", "/show"}, .handle = show, .open = true}};

static void start(const char *proxies, unsigned depth)
{
    struct net_list nets;
    struct err err;
    cr_assert_eq(net_list_parse(proxies, &nets, &err), RC_OK);
    const struct service_options opt = {.address = "127.0.0.1:0",
                                        .routes = ROUTES,
                                        .n_routes = 1,
                                        .limits = SERVICE_LIMITS_DEFAULT,
                                        .proxies = &nets,
                                        .forwarded_depth = depth};
    cr_assert_eq(service_start(&opt, &service, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    service = service_stop(service, 1000);
}

TestSuite(service_origin, .fini = teardown, .timeout = 60);

/* The address that the service takes for the client's, with these lines of headers. */
static void comes_from(const char *own, const char *headers, const char *want)
{
    char request[1000];
    char part[100];
    int fd = dial_from(own);
    (void)snprintf(request, sizeof request, "GET /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", headers);
    (void)snprintf(part, sizeof part, "\r\n\r\n%s\n", want);
    say(fd, request);
    has(hear(fd), part);
}

Test(service_origin, only_a_trusted_proxy_is_believed_and_only_when_asked)
{
    start("127.0.0.8/30", 1);
    comes_from("127.0.0.9", "X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7");
    comes_from("127.0.0.12", "X-Forwarded-For: 203.0.113.7\r\n", "127.0.0.12");
    comes_from("127.0.0.9", "", "127.0.0.9");
    service = service_stop(service, 1000);
    start("127.0.0.8/30", 0);
    comes_from("127.0.0.9", "X-Forwarded-For: 203.0.113.7\r\n", "127.0.0.9");
}

Test(service_origin, addresses_are_counted_from_the_right_over_all_lines)
{
    start("127.0.0.9", 2);
    comes_from("127.0.0.9", "X-Forwarded-For: 192.0.2.1, 2001:db8::7 ,10.0.0.1\r\n", "2001:db8::7");
    comes_from("127.0.0.9", "x-forwarded-for: 192.0.2.1, 192.0.2.2\r\nX: y\r\nX-FORWARDED-FOR:10.0.0.1\r\n",
               "192.0.2.2");
    comes_from("127.0.0.9", "X-Forwarded-For: unknown, ::ffff:192.0.2.2,10.0.0.1\r\n", "192.0.2.2");
}

Test(service_origin, a_list_that_is_short_or_malformed_is_not_believed)
{
    static const char *const lists[] = {
        "X-Forwarded-For: 192.0.2.1\r\n",
        "X-Forwarded-For: unknown, 10.0.0.1\r\n",
        "X-Forwarded-For: 192.0.2.1, 10.0.0\r\n",
        "X-Forwarded-For: 192.0.2.1,\r\n",
        "X-Forwarded-For:\r\n",
        "X-Forwarded-For: 192.0.2.1, ,10.0.0.1\r\n",
        "X-Forwarded-For: 192.0.2.1 10.0.0.1\r\n",
        "X-Forwarded-For: 192.0.2.1:80, 10.0.0.1\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For:\r\n",
    };
    start("127.0.0.9", 2);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        comes_from("127.0.0.9", lists[i], "127.0.0.9");
    }
}

Test(forwarded, depth_is_exact)
{
    static const char *const lines[] = {"1.1.1.1,2.2.2.2", "3.3.3.3"};
    static const char *const want[] = {"3.3.3.3", "2.2.2.2", "1.1.1.1"};
    uint8_t bytes[NET_BYTES];
    char text[NET_TEXT_MAX];
    for (unsigned depth = 1; depth <= 3; depth++) {
        cr_assert(forwarded_address(lines, 2, depth, bytes));
        net_text(bytes, text);
        cr_assert_str_eq(text, want[depth - 1]);
    }
    cr_assert_not(forwarded_address(lines, 2, 4, bytes));
    cr_assert_not(forwarded_address(lines, 0, 1, bytes));
}
