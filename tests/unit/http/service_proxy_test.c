/* SPDX-License-Identifier: Apache-2.0 */
/* A service whose connections begin with the PROXY protocol's header. The proxy is 127.0.0.9. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "service_rig.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define CLIENT(n) SIGNATURE "\x21\x11\0\x0c\xcb\0\x71" n "\x0a\0\0\1\x1f\x90\1\xbb" /* 203.0.113.n */
#define GET "GET /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static struct service_limits limits;

static enum call_next show(struct http_call *call, void *opaque)
{
    struct buf body;
    buf_init(&body, 1000);
    (void)opaque;
    (void)buf_printf(&body, "%s|%s\n", call_address(call), buf_str(call_body(call)));
    call_answer(call, 200, "text/plain", &body);
    return CALL_ANSWERED;
}

static const struct service_route ROUTES[] = {
    {.key = {"GET", "/show"}, .handle = show},
    {.key = {"POST", "/show"}, .handle = show, .body_bytes = 900},
};

static void start(unsigned depth)
{
    struct net_list nets;
    struct err err;
    cr_assert_eq(net_list_parse("127.0.0.9, 203.0.113.200", &nets, &err), RC_OK);
    const struct service_options opt = {.address = "127.0.0.1:0",
                                        .routes = ROUTES,
                                        .n_routes = ARRAY_SIZE(ROUTES),
                                        .limits = limits,
                                        .proxies = &nets,
                                        .forwarded_depth = depth,
                                        .proxy_protocol = true};
    cr_assert_eq(service_start(&opt, &service, &err), RC_OK, "%s", err.text);
}

static void setup(void)
{
    limits = SERVICE_LIMITS_DEFAULT;
}

static void teardown(void)
{
    service = service_stop(service, 1000);
}

TestSuite(service_proxy, .init = setup, .fini = teardown, .timeout = 60);

#define PUT(fd, text) say_bytes(fd, text, sizeof(text) - 1)

Test(service_proxy, the_client_is_whom_the_header_names)
{
    start(0);
    int fd = dial_from("127.0.0.9");
    PUT(fd, CLIENT("\7") GET);
    has(hear(fd), "\r\n\r\n203.0.113.7|\n");
    fd = dial_from("127.0.0.9"); /* byte by byte */
    static const char bytes[] =
        CLIENT("\7") "POST /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        say_bytes(fd, bytes + i, 1);
        clock_sleep_ms(i < 40 ? 1 : 0);
    }
    has(hear(fd), "\r\n\r\n203.0.113.7|abc\n");
    fd = dial_from("127.0.0.9"); /* the proxy looks whether we live */
    PUT(fd, SIGNATURE "\x20\0\0\0" GET);
    has(hear(fd), "\r\n\r\n127.0.0.9|\n");
    fd = dial_from("127.0.0.9");
    PUT(fd, SIGNATURE
        "\x21\x21\0\x26\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1\1\4\0" GET);
    has(hear(fd), "\r\n\r\n2001:db8::7|\n");
}

Test(service_proxy, a_proxy_before_the_proxy_is_heard)
{
    static const char get[] =
        "GET /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    start(1);
    int fd = dial_from("127.0.0.9");
    PUT(fd, CLIENT("\xc8"));
    say(fd, get);
    has(hear(fd), "\r\n\r\n192.0.2.1|\n");
    fd = dial_from("127.0.0.9");
    PUT(fd, CLIENT("\7"));
    say(fd, get);
    has(hear(fd), "\r\n\r\n203.0.113.7|\n");
}

Test(service_proxy, whoever_is_no_proxy_or_has_no_header_is_closed)
{
    start(0);
    int fd = dial(); /* 127.0.0.1 is no proxy */
    (void)send(fd, CLIENT("\7") GET, sizeof CLIENT("\7") GET - 1, MSG_NOSIGNAL);
    cr_expect_str_eq(hear(fd), "");
    static const char *const others[] = {GET, "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" GET, "\r\n\r\n" GET};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        fd = dial_from("127.0.0.9");
        (void)send(fd, others[i], strlen(others[i]), MSG_NOSIGNAL);
        cr_expect_str_eq(hear(fd), "");
    }
    fd = dial_from("127.0.0.9"); /* in the middle of the header */
    PUT(fd, SIGNATURE "\x21");
    (void)shutdown(fd, SHUT_WR);
    cr_expect_str_eq(hear(fd), "");
    fd = dial_from("127.0.0.9");
    PUT(fd, CLIENT("\7") GET);
    has(hear(fd), "200 OK");
}

Test(service_proxy, who_never_sends_a_header_is_closed_in_time_and_holds_up_nobody)
{
    int silent[5];
    limits.request_ms = 300;
    start(0);
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
        silent[i] = dial_from("127.0.0.9");
        say_bytes(silent[i], SIGNATURE, i);
    }
    int fd = dial_from("127.0.0.9");
    PUT(fd, CLIENT("\7") GET);
    has(hear(fd), "200 OK");
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
        cr_expect_str_eq(hear(silent[i]), ""); /* without a limit it would wait for ever */
    }
}

Test(service_proxy, limits_of_one_address_count_the_client)
{
    char first[17] = "";
    limits.connections_per_address = 1;
    start(0);
    int kept = dial_from("127.0.0.9");
    PUT(kept, CLIENT("\7") "GET /show HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert_eq(recv(kept, first, 16, MSG_WAITALL), 16);
    int fd = dial_from("127.0.0.9");
    (void)send(fd, CLIENT("\7") GET, sizeof CLIENT("\7") GET - 1, MSG_NOSIGNAL);
    cr_expect_str_eq(hear(fd), "");
    fd = dial_from("127.0.0.9");
    PUT(fd, CLIENT("\x8") GET);
    has(hear(fd), "\r\n\r\n203.0.113.8|\n");
    (void)close(kept);
}

Test(service_proxy, draining_ends_what_has_not_begun)
{
    char first[17] = "";
    start(0);
    int kept = dial_from("127.0.0.9");
    PUT(kept, CLIENT("\7") "GET /show HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert_eq(recv(kept, first, 16, MSG_WAITALL), 16);
    int waiting = dial_from("127.0.0.9");
    PUT(waiting, SIGNATURE);
    service_drain(service);
    cr_expect_eq(recv(waiting, first, 1, MSG_DONTWAIT), 0, "it would have waited for the rest of the header");
    (void)close(waiting);
    say(kept, GET);
    refused(hear(kept), "HTTP/1.1 503 ", "stopping");
}
