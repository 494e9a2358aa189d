/* SPDX-License-Identifier: Apache-2.0 */
/* The server for services, talked to with bare sockets. */
#include "http/service.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "service_rig.h"

#define PARKED_MAX 8

static struct callers *callers;
static struct service_limits limits;
static struct err err;
static char callers_path[64];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct http_call *parked[PARKED_MAX];
static size_t n_parked;
static _Atomic int done_count, last_status, last_handled;

/* ---------------------------------------------------------------------------------------------------- the routes */

static enum call_next hello(struct http_call *call, void *opaque)
{
    struct buf body;
    buf_init(&body, 1000);
    (void)opaque;
    (void)buf_printf(&body, "%s|%s|%s|%s|%d\n", call_caller(call), call_id(call, "id"),
                     call_traceparent(call) == NULL ? "-" : call_traceparent(call), buf_str(call_body(call)),
                     call_wait_s(call));
    call_set_header(call, "X-Hello", "%s", "there");
    call_answer(call, 200, "text/plain", &body);
    return CALL_ANSWERED;
}

static enum call_next echo_headers(struct http_call *call, void *opaque)
{
    const struct header_line *lines = NULL;
    size_t n = 0;
    struct buf body;
    buf_init(&body, 10000);
    (void)opaque;
    (void)buf_printf(&body, "%s %s\n", call_headers(call, &lines, &n) ? "good" : "bad", call_address(call));
    for (size_t i = 0; i < n; i++) {
        (void)buf_printf(&body, "<%s=%s>", lines[i].name, lines[i].value);
    }
    call_answer(call, 200, "text/plain", &body);
    return CALL_ANSWERED;
}

static enum call_next wait_for_somebody(struct http_call *call, void *opaque)
{
    (void)opaque;
    (void)pthread_mutex_lock(&lock);
    cr_assert_lt(n_parked, PARKED_MAX);
    parked[n_parked++] = call;
    (void)pthread_mutex_unlock(&lock);
    return CALL_PARKED;
}

static void *finish_at_once(void *opaque)
{
    struct buf body;
    buf_init(&body, 10);
    (void)buf_puts(&body, "soon\n");
    call_answer(opaque, 200, "text/plain", &body);
    call_finish(opaque);
    return NULL;
}

/* Finished by another thread before the function has returned. */
static enum call_next race(struct http_call *call, void *opaque)
{
    pthread_t thread;
    (void)opaque;
    cr_assert_eq(pthread_create(&thread, NULL, finish_at_once, call), 0);
    (void)pthread_join(thread, NULL);
    return CALL_PARKED;
}

/* The same, but both at once. */
static enum call_next close_race(struct http_call *call, void *opaque)
{
    pthread_t thread;
    (void)opaque;
    cr_assert_eq(pthread_create(&thread, NULL, finish_at_once, call), 0);
    (void)pthread_detach(thread);
    return CALL_PARKED;
}

static const struct service_route ROUTES[] = {
    {.key = {"GET", "/v1/hello/{id}"}, .handle = hello},
    {.key = {"POST", "/v1/hello/{id}"}, .handle = hello, .media = "application/json", .body_bytes = 100},
    {.key = {"POST", "/v1/any/{id}"}, .handle = hello, .body_bytes = 100000, .open = true},
    {.key = {"GET", "/v1/headers"}, .handle = echo_headers},
    {.key = {"GET", "/v1/wait"}, .handle = wait_for_somebody, .may_park = true},
    {.key = {"GET", "/v1/open"}, .handle = wait_for_somebody, .may_park = true, .open = true},
    {.key = {"GET", "/v1/race"}, .handle = race, .may_park = true},
    {.key = {"GET", "/v1/close"}, .handle = close_race, .may_park = true},
};

static void done(void *opaque, const struct service_route *route, bool handled, unsigned status, double seconds)
{
    (void)opaque;
    (void)route;
    cr_assert(seconds >= 0);
    atomic_store(&last_handled, handled);
    atomic_store(&last_status, (int)status);
    (void)atomic_fetch_add(&done_count, 1);
}

/* ---------------------------------------------------------------------------------------------------- helpers */

static enum rc start_at(const char *address)
{
    const struct service_options opt = {.address = address,
                                        .routes = ROUTES,
                                        .n_routes = sizeof ROUTES / sizeof ROUTES[0],
                                        .callers = callers,
                                        .limits = limits,
                                        .tokens_option = "x.tokens.file",
                                        .done = done};
    return service_start(&opt, &service, &err);
}

static void start(void)
{
    cr_assert_eq(start_at("127.0.0.1:0"), RC_OK, "%s", err.text);
}

static void with_callers(void)
{
    (void)snprintf(callers_path, sizeof callers_path, "/tmp/sluice-service.XXXXXX");
    int fd = mkstemp(callers_path);
    static const char LIST[] = "shop shop-token-0123456789\nbilling billing-token-0123456\n";
    cr_assert_eq(write(fd, LIST, sizeof LIST - 1), (ssize_t)sizeof LIST - 1);
    (void)close(fd);
    cr_assert_eq(callers_read(callers_path, &callers, &err), RC_OK, "%s", err.text);
    (void)unlink(callers_path);
}

static void setup(void)
{
    limits = SERVICE_LIMITS_DEFAULT;
}

static void teardown(void)
{
    service = service_stop(service, 1000);
    callers = callers_free(callers);
}

TestSuite(service, .init = setup, .fini = teardown, .timeout = 60);

static bool wait_parked(size_t n)
{
    for (int i = 0; i < 10000; i++) {
        (void)pthread_mutex_lock(&lock);
        bool there = n_parked >= n;
        (void)pthread_mutex_unlock(&lock);
        if (there) {
            return true;
        }
        clock_sleep_ms(1);
    }
    return false;
}

static void answer_parked(size_t i, const char *text)
{
    struct buf body;
    buf_init(&body, 100);
    (void)buf_puts(&body, text);
    call_answer(parked[i], 200, "text/plain", &body);
    call_finish(parked[i]);
}

/* ---------------------------------------------------------------------------------------------------- the cases */

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
    cr_assert(err_is_config(&err));
    cr_assert_not_null(strstr(err.text, "x.tokens.file"));
    with_callers();
    cr_assert_eq(start_at("0.0.0.0:0"), RC_OK, "%s", err.text);
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

Test(service, headers_are_bounded)
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

Test(service, slow_requests_end_however_they_trickle)
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

Test(service, one_connection_too_many_is_told_so)
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

Test(service, one_address_has_only_its_share)
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

Test(service, a_parked_request_is_answered_from_another_thread)
{
    start();
    int one = dial();
    int two = dial();
    say(one, "GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    cr_assert(wait_parked(1));
    say(two, "GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    cr_assert(wait_parked(2));
    has(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "200 OK");
    cr_assert_eq(service_parked(service), 2);
    answer_parked(1, "second");
    has(hear(two), "\r\n\r\nsecond");
    answer_parked(0, "first");
    has(hear(one), "\r\n\r\nfirst");
    for (int i = 0; i < 20; i++) {
        has(talk("GET /v1/race HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nsoon");
        has(talk("GET /v1/close HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nsoon");
    }
    for (int i = 0; i < 5000 && service_parked(service) > 0; i++) {
        clock_sleep_ms(1);
    }
    cr_assert_eq(service_parked(service), 0, "every place is given back");
}

Test(service, only_so_many_are_parked)
{
    limits.parked = 1;
    start();
    int one = dial();
    say(one, "GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    cr_assert(wait_parked(1));
    const char *answer = talk("GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    refused(answer, "HTTP/1.1 503 ", "busy");
    has(answer, "Retry-After: 1\r\n");
    has(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "200 OK");
    answer_parked(0, "first");
    has(hear(one), "first");
    has(talk("GET /v1/race HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "soon");
}

Test(service, one_address_parks_only_its_share_on_open_routes)
{
    int fds[4];
    limits.parked_per_address = 2;
    start();
    for (size_t i = 0; i < 2; i++) {
        fds[i] = dial_from("127.0.0.7");
        say(fds[i], "GET /v1/open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        cr_assert(wait_parked(i + 1));
    }
    int third = dial_from("127.0.0.7");
    say(third, "GET /v1/open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    refused(hear(third), "HTTP/1.1 503 ", "busy");
    fds[2] = dial_from("127.0.0.8");
    say(fds[2], "GET /v1/open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    cr_assert(wait_parked(3));
    fds[3] = dial_from("127.0.0.7"); /* with a token it is no stranger */
    say(fds[3], "GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    cr_assert(wait_parked(4));
    cr_assert_eq(service_parked(service), 4, "the refused one gave its place back");
    for (size_t i = 0; i < 4; i++) {
        answer_parked(i, "well");
        has(hear(fds[i]), "well");
    }
    for (size_t i = 0; i < 2; i++) { /* the share is given back */
        int fd = dial_from("127.0.0.7");
        say(fd, "GET /v1/open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        cr_assert(wait_parked(5 + i));
        answer_parked(4 + i, "well");
        has(hear(fd), "well");
    }
}

Test(service, only_so_many_connections_are_kept)
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

Test(service, a_client_that_leaves_is_noticed_and_harms_nobody)
{
    start();
    int fd = dial();
    say(fd, "GET /v1/wait HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(wait_parked(1));
    cr_assert_not(call_gone(parked[0]));
    (void)close(fd);
    bool gone = false;
    for (int i = 0; i < 5000 && !gone; i++) {
        clock_sleep_ms(1);
        gone = call_gone(parked[0]);
    }
    cr_assert(gone);
    answer_parked(0, "nobody hears it");
    has(talk("GET /v1/hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "200 OK");
}

Test(service, draining_lets_what_was_accepted_finish)
{
    start();
    int kept = dial();
    int one = dial();
    char first[17] = "";
    say(kept, "GET /v1/hello/x HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert_eq(recv(kept, first, 16, MSG_WAITALL), 16);
    say(one, "GET /v1/wait HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(wait_parked(1));
    service_drain(service);
    say(kept, "GET /v1/hello/x HTTP/1.1\r\nHost: x\r\n\r\n");
    const char *answer = hear(kept); /* to the end: the connection is closed */
    refused(answer, "HTTP/1.1 503 ", "stopping");
    answer_parked(0, "finished");
    answer = hear(one);
    has(answer, "Connection: close\r\n");
    has(answer, "\r\n\r\nfinished");
}

static void *stop_it(void *opaque)
{
    (void)opaque;
    service = service_stop(service, 5000);
    return NULL;
}

Test(service, stopping_answers_those_who_still_wait)
{
    pthread_t thread;
    start();
    int one = dial();
    int two = dial();
    say(one, "GET /v1/wait HTTP/1.1\r\nHost: x\r\n\r\n");
    say(two, "GET /v1/wait HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(wait_parked(2));
    cr_assert_eq(pthread_create(&thread, NULL, stop_it, NULL), 0);
    refused(hear(one), "HTTP/1.1 503 ", "stopping");
    refused(hear(two), "HTTP/1.1 503 ", "stopping");
    (void)pthread_join(thread, NULL);
    cr_assert_eq(atomic_load(&done_count), 2);
    cr_assert_eq(atomic_load(&last_status), 503);
}
