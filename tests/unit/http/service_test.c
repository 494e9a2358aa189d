/* SPDX-License-Identifier: Apache-2.0 */
/* The server for services: routes, callers, headers and bodies, talked to with bare sockets. */
#include "http/service.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service_fixture.h"
#include "service_rig.h"

TestSuite(service, .init = service_open, .fini = service_close, .timeout = 60);

Test(service, a_request_reaches_its_route)
{
    start();
    const char *answer =
        talk("GET /v1/hello/a%2Fb HTTP/1.1\r\nHost: x\r\nX-Request-Id: req-7\r\nPrefer: respond-async, wait=12\r\n"
             "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nConnection: close\r\n\r\n");
    has(answer, "HTTP/1.1 200 OK\r\n");
    has(answer, "X-Hello: there\r\n");
    has(answer, "X-Request-Id: req-7\r\n");
    has(answer, "Cache-Control: no-store\r\n");
    has(answer, "X-Content-Type-Options: nosniff\r\n");
    has(answer, "\r\n\r\nlocal|a/b|00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01||12\n");
    answer = talk(
        "POST /v1/hello/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n"
        "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\nPrefer: wait=99\r\n"
        "X-Request-Id: a b\r\nConnection: close\r\n\r\n{}");
    has(answer, "\r\n\r\nlocal|x|-|{}|30\n");
    cr_assert_null(strstr(answer, "a b"), "that is no id");
    answer = talk("POST /v1/any/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: "
                  "close\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    has(answer, "\r\n\r\n|x|-|abc|-1\n");
}

Test(service, all_headers_are_there_as_they_came)
{
    start();
    const char *answer = talk("GET /v1/headers HTTP/1.1\r\nHost: x\r\nX-A: 1 \r\nx-a:\t2\r\nX-B:\r\nX-A: 1\r\n"
                              "Connection: close\r\n\r\n");
    has(answer, "\r\n\r\ngood 127.0.0.1\n<Host=x><X-A=1><x-a=2><X-B=><X-A=1><Connection=close>");
    char many[4096] = "GET /v1/headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    for (int i = 0; i < HEADER_FILE_LINES_MAX; i++) {
        strncat(many, "A: b\r\n", sizeof many - strlen(many) - 1);
    }
    has(talk(strncat(many, "\r\n", sizeof many - strlen(many) - 1)), "\r\n\r\nbad ");
}

Test(service, whatever_refuses_a_request_is_counted)
{
    limits.request_ms = 300;
    start();
    (void)talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    service_drain(service);
    service = service_stop(service, 1000);
    cr_assert_eq(atomic_load(&last_handled), 1);
    start();
    (void)talk("POST /v1/any/x HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nto be continued");
    service = service_stop(service, 1000);
    cr_assert_eq(atomic_load(&last_status), 408);
    cr_assert_eq(atomic_load(&last_handled), 0);
    cr_assert_eq(atomic_load(&done_count), 2);
}

Test(service, paths_methods_and_targets_are_refused_with_a_problem)
{
    start();
    refused(talk("GET /v2/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 404 ", "not_found");
    const char *answer = talk("PUT /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    refused(answer, "HTTP/1.1 405 ", "method_not_allowed");
    has(answer, "Allow: GET, HEAD, POST\r\n");
    refused(talk("GET /v1/hello/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 400 ",
            "target_malformed");
    refused(talk("GET /v1/hello/x?a=1&a=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 400 ",
            "target_malformed");
}

Test(service, a_token_says_who_calls)
{
    with_callers();
    start();
    has(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer billing-token-0123456\r\nConnection: "
             "close\r\n\r\n"),
        "billing|x|");
    const char *answer = talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    refused(answer, "HTTP/1.1 401 ", "unauthorized");
    has(answer, "WWW-Authenticate: Bearer\r\n");
    refused(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer billing-token-0123457\r\nConnection: "
                 "close\r\n\r\n"),
            "HTTP/1.1 401 ", "unauthorized");
    refused(talk("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 401 ", "unauthorized");
    has(talk("POST /v1/any/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "\r\n\r\n|x|");
}

Test(service, other_machines_need_tokens)
{
    cr_assert_eq(start_at("0.0.0.0:0"), RC_FATAL);
    cr_assert(err_is_config(&start_err));
    cr_assert_not_null(strstr(start_err.text, "x.tokens.file"));
    with_callers();
    cr_assert_eq(start_at("0.0.0.0:0"), RC_OK, "%s", start_err.text);
}

Test(service, bodies_are_bounded_and_typed)
{
    static char request[8192];
    start();
    refused(
        talk("POST /v1/hello/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 101\r\n\r\n"),
        "HTTP/1.1 413 ", "body_too_large");
    refused(talk("POST /v1/hello/x HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
            "HTTP/1.1 415 ", "media_type_unsupported");
    refused(talk("POST /v1/hello/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"), "HTTP/1.1 415 ",
            "media_type_unsupported");
    refused(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"), "HTTP/1.1 413 ",
            "body_too_large");
    size_t n =
        (size_t)snprintf(request, sizeof request,
                         "POST /v1/hello/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: "
                         "chunked\r\n\r\n65\r\n");
    memset(request + n, 'a', 101);
    (void)snprintf(request + n + 101, sizeof request - n - 101, "\r\n");
    refused(talk(request), "HTTP/1.1 413 ", "body_too_large");
    has(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "200 OK");
}

/* Nothing is kept of what is too much, however it comes. */
Test(service, bodies_without_end_are_ended)
{
    static const char *const beginnings[] = {
        "POST /v1/any/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3fffffff\r\n",
        "POST /v1/any/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n",
        "POST /v1/any/x HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n",
    };
    static char much[1 << 16];
    start();
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        int fd = dial();
        size_t taken = 0;
        ssize_t sent = 1;
        say(fd, beginnings[i]);
        for (; sent > 0 && taken<(size_t)1 << 30; taken += sent> 0 ? (size_t)sent : 0) {
            sent = send(fd, much, sizeof much, MSG_NOSIGNAL);
        }
        (void)close(fd);
        cr_expect_lt(taken, (size_t)64 << 20, "%zu: the rest of 1 GiB was taken", i);
    }
    cr_assert_eq(atomic_load(&last_status), 413);
}
