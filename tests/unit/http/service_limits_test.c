/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that send too much, too slowly, or come too often. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "service_fixture.h"
#include "service_rig.h"

TestSuite(service_limits, .init = service_open, .fini = service_close, .timeout = 60);

Test(service_limits, headers_are_bounded)
{
    static char request[256 << 10];
    limits.header_bytes = 2048;
    start();
    for (size_t size = 2100; size < sizeof request; size *= 8) {
        int n = snprintf(request, sizeof request, "GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ");
        memset(request + n, 'a', size);
        (void)snprintf(request + n + size, sizeof request - (size_t)n - size, "\r\n\r\n");
        int fd = dial();
        (void)send(fd, request, strlen(request), MSG_NOSIGNAL); /* may be cut off in the middle */
        const char *answer = hear(fd);
        cr_assert_null(strstr(answer, "200 OK"));
        if (size == 2100) {
            refused(answer, "HTTP/1.1 431 ", "header_too_large");
        }
    }
    has(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "200 OK");
}

Test(service_limits, slow_requests_end_however_they_trickle)
{
    static const char *const beginnings[] = {"", "GET /v1/hel", "GET /v1/hello/x HTTP/1.1\r\nHost: x\r\n",
                                             "POST /v1/any/x HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\nx"};
    limits.request_ms = 300;
    start();
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        int fd = dial();
        say(fd, beginnings[i]);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        /* A byte now and then, which libmicrohttpd's own timeout would take for life. */
        for (int turn = 0; turn < 1000 && poll(&p, 1, 20) == 0; turn++) {
            if (i > 0) {
                (void)send(fd, "a", 1, MSG_NOSIGNAL);
            }
        }
        refused(hear(fd), "HTTP/1.1 408 ", "request_timeout");
    }
}

Test(service_limits, one_connection_too_many_is_told_so)
{
    int fds[3];
    limits.connections = 3;
    start();
    for (int i = 0; i < 3; i++) {
        char first[17] = "";
        fds[i] = dial();
        say(fds[i], "GET /v1/hello/x HTTP/1.1\r\nHost: x\r\n\r\n");
        cr_assert_eq(recv(fds[i], first, 16, MSG_WAITALL), 16);
        cr_assert_str_eq(first, "HTTP/1.1 200 OK\r");
    }
    refused(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 503 ", "too_many_connections");
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    for (int i = 0; i < 5000 && service_connections(service) > 0; i++) {
        clock_sleep_ms(1);
    }
    has(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "200 OK");
}

Test(service_limits, one_address_has_only_its_share)
{
    limits.connections_per_address = 1;
    start();
    int fd = dial();
    char first[17] = "";
    say(fd, "GET /v1/hello/x HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert_eq(recv(fd, first, 16, MSG_WAITALL), 16);
    int second = dial();
    (void)send(second, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
    cr_assert_str_eq(hear(second), "");
    (void)close(fd);
}

Test(service_limits, only_so_many_connections_are_kept)
{
    static const char get[] = "GET /v1/hello/x HTTP/1.1\r\nHost: x\r\n\r\n";
    char first[17] = "";
    int fds[2];
    limits.kept = 2;
    start();
    for (int i = 0; i < 2; i++) {
        for (int again = 0; again < 2; again++) {
            fds[i] = again == 0 ? dial() : fds[i];
            say(fds[i], get);
            while (recv(fds[i], first, 1, 0) == 1 && first[0] != '|') { /* the body's first mark */
            }
            cr_assert_eq(recv(fds[i], first, 1, 0), 1);
            while (recv(fds[i], first, 1, 0) == 1 && first[0] != '\n') {
            }
        }
    }
    const char *answer = talk(get); /* to the end of the connection */
    has(answer, "200 OK");
    has(answer, "Connection: close\r\n");
    (void)close(fds[0]);
    (void)close(fds[1]);
}
