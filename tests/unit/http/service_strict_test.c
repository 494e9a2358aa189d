/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that two implementations may read differently, byte for byte. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "service_rig.h"

static enum call_next show(struct http_call *call, void *opaque)
{
    struct buf body;
    buf_init(&body, 4000);
    (void)opaque;
    (void)buf_printf(&body, "got %s\n", buf_str(call_body(call)));
    call_answer(call, 200, "text/plain", &body);
    return CALL_ANSWERED;
}

static const struct service_route ROUTES[] = {
    {.key = {"GET", "/show"}, .handle = show},
    {.key = {"POST", "/show"}, .handle = show, .body_bytes = 1000},
};

static void setup(void)
{
    const struct service_options opt = {
        .address = "127.0.0.1:0", .routes = ROUTES, .n_routes = ARRAY_SIZE(ROUTES), .limits = SERVICE_LIMITS_DEFAULT};
    struct err err;
    cr_assert_eq(service_start(&opt, &service, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    service = service_stop(service, 1000);
}

TestSuite(service_strict, .init = setup, .fini = teardown, .timeout = 60);

struct request {
    const char *bytes;
    size_t n;
};
#define REQUEST(text)          \
    {                          \
        text, sizeof(text) - 1 \
    }

static const char *exchange(struct request request)
{
    int fd = dial();
    say_bytes(fd, request.bytes, request.n);
    return hear(fd); /* to the end: what is refused closes the connection */
}

static void all_refused(const struct request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *answer = exchange(requests[i]);
        cr_expect_not_null(strstr(answer, "\"code\": \"header_malformed\""), "%zu: %s", i, answer);
        cr_expect_eq(strncmp(answer, "HTTP/1.1 400 ", 13), 0, "%zu: %s", i, answer);
        cr_expect_not_null(strstr(answer, "Connection: close"), "%zu: %s", i, answer);
        cr_expect_null(strstr(answer, "got "), "%zu: %s", i, answer);
    }
}
#define ALL_REFUSED(requests) all_refused(requests, ARRAY_SIZE(requests))

/* So that the cases below are refused for what is wrong with them. */
Test(service_strict, what_is_well_formed_passes)
{
    static const struct request requests[] = {
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        REQUEST("GET /show HTTP/1.0\r\n\r\n"),
        REQUEST(
            "\r\n\r\nGET /show HTTP/1.1\r\nHost:x\r\nConnection:\tclose\r\nEmpty:\r\nBlank: \t \r\nTail: x \t\r\n\r\n"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: \xe4\xbd\xa0\r\nX: 2\r\nx: 3\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\n\r\nGET /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        const char *answer = exchange(requests[i]);
        cr_expect_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0, "%zu: %s", i, answer);
        cr_expect_not_null(strstr(answer, "got "), "%zu: %s", i, answer);
    }
}

Test(service_strict, a_body_has_one_length)
{
    static const struct request requests[] = {
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\ncontent-length: 30\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
                "chunked\r\n\r\n0\r\n\r\n"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n"),
        REQUEST("POST /show HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    };
    static const struct request lengths[] = {
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nabc"),
        REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc"),
    };
    ALL_REFUSED(requests);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) { /* by libmicrohttpd itself */
        const char *answer = exchange(lengths[i]);
        cr_expect_eq(strncmp(answer, "HTTP/1.1 400 ", 13), 0, "%zu: %s", i, answer);
    }
}

Test(service_strict, nothing_follows_a_chunked_body)
{
    static const struct request two = REQUEST("POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                              "3;a\nabc\n0\n\nGET /show HTTP/1.1\r\nHost: x\r\n\r\n");
    const char *answer = exchange(two);
    has(answer, "Connection: close\r\n");
    has(answer, "got abc\n");
    cr_assert_null(strstr(strstr(answer, "got abc"), "HTTP/1.1"), "the second was answered: %s", answer);
}

Test(service_strict, one_host)
{
    static const struct request requests[] = {
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\r\nhost: x\r\n\r\n"),
        REQUEST("GET /show HTTP/1.0\r\nHost: x\r\nHOST: x\r\n\r\n"),
    };
    ALL_REFUSED(requests);
    has(exchange((struct request)REQUEST("GET /show HTTP/1.1\r\nA: b\r\n\r\n")), "HTTP/1.1 400 ");
}

Test(service_strict, lines_end_with_cr_lf_and_are_not_folded)
{
    static const struct request requests[] = {
        REQUEST("GET /show HTTP/1.1\nHost: x\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\r\n\n"),
        REQUEST("GET /show HTTP/1.1\nHost: x\n\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\n\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\rA: b\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\r\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\r\nHost: x\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\nD: e\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA:\r\n Transfer-Encoding: chunked\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        const char *answer = exchange(requests[i]);
        cr_expect_not(strncmp(answer, "HTTP/1.1 2", 10) == 0 || strstr(answer, "got ") != NULL, "%zu: %s", i, answer);
        /* In the eighth line libmicrohttpd finds no version and hangs up. */
        cr_expect(i == 8 || strstr(answer, "header_malformed") != NULL, "%zu: %s", i, answer);
    }
}

Test(service_strict, names_and_values_have_their_characters_only)
{
    static const struct request requests[] = {
        REQUEST("GET /show HTTP/1.1\r\nHost : x\r\nHost: x\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nContent-Length\t: 3\r\n\r\nabc"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA\xc3\xa4: b\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA(b): c\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\0\r\nA: b\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n"),
        REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA: b\x1b[2J\r\n\r\n"),
    };
    ALL_REFUSED(requests);
    has(exchange((struct request)REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n")), "HTTP/1.1 400 ");
    has(exchange((struct request)REQUEST("GET /show HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n")), "HTTP/1.1 400 ");
}

Test(service_strict, the_first_line_has_two_blanks)
{
    static const struct request requests[] = {
        REQUEST("GET  /show HTTP/1.1\r\nHost: x\r\n\r\n"),  REQUEST("GET /show  HTTP/1.1\r\nHost: x\r\n\r\n"),
        REQUEST("GET /sh\0ow HTTP/1.1\r\nHost: x\r\n\r\n"), REQUEST("G\0ET /show HTTP/1.1\r\nHost: x\r\n\r\n"),
        REQUEST("GET /show\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
    };
    static const struct request cut[] = {
        REQUEST("GET /show HTTP/1.1 \r\nHost: x\r\n\r\n"), REQUEST("GET /show\r\nHost: x\r\n\r\n"),
        REQUEST("GET /show HTTP/2.0\r\nHost: x\r\n\r\n"),  REQUEST("GET /sh ow HTTP/1.1\r\nHost: x\r\n\r\n"),
        REQUEST("GET\t/show HTTP/1.1\r\nHost: x\r\n\r\n"), REQUEST("GET /show\tHTTP/1.1\r\nHost: x\r\n\r\n"),
        REQUEST(" GET /show HTTP/1.1\r\nHost: x\r\n\r\n"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        const char *answer = exchange(requests[i]);
        cr_expect(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 400 ", 13) == 0, "%zu: %s", i, answer);
    }
    for (size_t i = 0; i < ARRAY_SIZE(cut); i++) { /* by libmicrohttpd itself, which may also hang up */
        const char *answer = exchange(cut[i]);
        cr_expect_not(strncmp(answer, "HTTP/1.1 2", 10) == 0 || strstr(answer, "got ") != NULL, "%zu: %s", i, answer);
    }
}
