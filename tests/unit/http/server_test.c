/* SPDX-License-Identifier: Apache-2.0 */
/* The operator endpoints, asked by the client and with bare sockets. */
#include "http/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "http/holder.h"
#include "http/listen.h"

static void hello(void *opaque, struct http_answer *answer)
{
    (void)buf_printf(&answer->body, "hello %s\n", (const char *)opaque);
}

static void unwell(void *opaque, struct http_answer *answer)
{
    (void)opaque;
    answer->status = 503;
}

static const struct http_route ROUTES[] = {{"/hello", hello}, {"/unwell", unwell}};

static struct http_server *server;
static struct err err;
static struct buf body;
static int status;

static enum rc start(const char *address, const char *token)
{
    static char name[] = "world";
    const struct http_server_options opt = {
        .address = address, .token = token, .routes = ROUTES, .n_routes = 2, .opaque = name, .port_tries = 1};
    return http_server_start(&opt, &server, &err);
}

static void setup(void)
{
    buf_init(&body, 65536);
}

static void teardown(void)
{
    server = http_server_stop(server);
    buf_done(&body);
}

static enum rc get(const char *path, const char *token)
{
    buf_clear(&body);
    return http_get(http_server_address(server), path, token, 2000, &status, &body, &err);
}

/* Sends text as it is; the answer up to the end of the connection. */
static const char *talk(const char *request)
{
    static char answer[8192];
    struct listen_address where;
    cr_assert_eq(listen_parse(http_server_address(server), &where, &err), RC_OK);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(where.port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
    cr_assert_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n<sizeof answer - 1; n += got> 0 ? (size_t)got : 0) {
        got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
    }
    answer[n] = '\0';
    (void)close(fd);
    return answer;
}

TestSuite(http_server, .init = setup, .fini = teardown);

Test(http_server, answers_what_the_route_says)
{
    cr_assert_eq(start("127.0.0.1:0", NULL), RC_OK, "%s", err.text);
    cr_assert_eq(get("/hello", NULL), RC_OK, "%s", err.text);
    cr_assert_eq(status, 200);
    cr_assert_str_eq(buf_str(&body), "hello world\n");
    cr_assert_eq(get("/unwell", NULL), RC_OK);
    cr_assert_eq(status, 503);
    cr_assert_eq(body.len, 0);
    const char *answer = talk("GET /hello HTTP/1.0\r\n\r\n");
    cr_assert_not_null(strstr(answer, "Cache-Control: no-store\r\n"));
    cr_assert_not_null(strstr(answer, "X-Content-Type-Options: nosniff\r\n"));
}

Test(http_server, everything_else_is_refused)
{
    cr_assert_eq(start(NULL, ""), RC_OK);
    cr_assert_eq(get("/hello/", NULL), RC_OK);
    cr_assert_eq(status, 404);
    cr_assert_not_null(strstr(talk("POST /hello HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"), " 405 "));
    cr_assert_not_null(strstr(talk("DELETE /hello HTTP/1.0\r\n\r\n"), "Allow: GET, HEAD\r\n"));
    cr_assert_not_null(strstr(talk("GET /hello HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"), " 413 "));
}

Test(http_server, head_has_no_body)
{
    cr_assert_eq(start(NULL, NULL), RC_OK);
    const char *answer = talk("HEAD /hello HTTP/1.0\r\n\r\n");
    cr_assert_not_null(strstr(answer, " 200 "));
    cr_assert_not_null(strstr(answer, "Content-Length: 12\r\n"));
    cr_assert_null(strstr(answer, "hello world"));
}

Test(http_server, with_a_token_only_its_bearer_is_let_in)
{
    static const char *const wrong[] = {NULL, "s3cre", "s3crett", "S3cret", "x"};
    cr_assert_eq(start("0.0.0.0:0", "s3cret"), RC_OK, "%s", err.text);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(get("/hello", wrong[i]), RC_OK, "%s", err.text);
        cr_assert_eq(status, 401, "row %zu", i);
        cr_assert_null(strstr(buf_str(&body), "hello"));
    }
    cr_assert_not_null(strstr(talk("GET /hello HTTP/1.0\r\nAuthorization: Basic s3cret\r\n\r\n"), " 401 "));
    cr_assert_eq(get("/hello", "s3cret"), RC_OK);
    cr_assert_eq(status, 200);
}

Test(http_server, off_loopback_needs_a_token)
{
    cr_assert_eq(start("0.0.0.0:0", ""), RC_FATAL);
    cr_assert(err_is_config(&err));
    cr_assert_not_null(strstr(err.text, "http.token"));
    cr_assert_eq(start("[::1]:0", NULL), RC_OK, "%s", err.text);
    cr_assert_eq(get("/hello", NULL), RC_OK, "%s", err.text);
    cr_assert_eq(status, 200);
}

Test(http_server, takes_the_next_free_port_only_when_no_address_was_given)
{
    cr_assert_eq(start("127.0.0.1:0", NULL), RC_OK);
    struct listen_address taken;
    cr_assert_eq(listen_parse(http_server_address(server), &taken, &err), RC_OK);
    const struct http_server_options next = {
        .first_port = taken.port, .port_tries = 20, .routes = ROUTES, .n_routes = 2};
    struct http_server *second = NULL;
    cr_assert_eq(http_server_start(&next, &second, &err), RC_OK, "%s", err.text);
    cr_assert_str_neq(http_server_address(second), http_server_address(server));
    second = http_server_stop(second);
    struct http_server_options same = next;
    same.address = http_server_address(server);
    cr_assert_eq(http_server_start(&same, &second, &err), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "Address already in use"));
}

Test(http_server, oversized_headers_are_refused)
{
    static char request[3 * HTTP_CONNECTION_BYTES_MAX];
    cr_assert_eq(start(NULL, NULL), RC_OK);
    memset(request, 'a', sizeof request - 1);
    memcpy(request, "GET /hello HTTP/1.0\r\nX: ", 24);
    memcpy(request + sizeof request - 6, "\r\n\r\n", 5);
    cr_assert_null(strstr(talk(request), "hello world"));
    cr_assert_eq(get("/hello", NULL), RC_OK, "others are still served");
    cr_assert_eq(status, 200);
}

Test(http_listen, addresses_are_parsed_strictly)
{
    static const char *const bad[] = {
        "",       "7001",        ":7001",           "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
        "::1:70", "127.0.0.1:x", "127.0.0.1:7001 ", "[]:1",      "[::1]7001"};
    struct listen_address where;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(listen_parse(bad[i], &where, &err), RC_FATAL, "%s", bad[i]);
        cr_assert(err_is_config(&err));
    }
    cr_assert_eq(listen_parse("[::1]:7001", &where, &err), RC_OK);
    cr_assert_str_eq(where.host, "::1");
    cr_assert_eq(where.port, 7001);
}

Test(http_listen, names_are_not_resolved)
{
    const struct listen_address where = {.host = "example.org", .port = 0};
    char text[LISTEN_TEXT_MAX];
    bool loopback = false;
    int fd = -1;
    cr_assert_eq(listen_open(&where, 1, &fd, text, &loopback, &err), RC_FATAL);
    cr_assert(err_is_config(&err));
}

Test(http_listen, who_holds_a_taken_port_is_named)
{
    struct listen_address where = {.host = "127.0.0.1", .port = 0};
    CLEANUP(freep) char *me = NULL;
    struct port_holder holder;
    char text[LISTEN_TEXT_MAX];
    bool loopback = false;
    int second = -1;
    int fd = -1;

    cr_assert_eq(listen_open(&where, 1, &fd, text, &loopback, &err), RC_OK);
    cr_assert_eq(listen_parse(text, &where, &err), RC_OK);
    cr_assert_eq(listen_open(&where, 1, &second, text, &loopback, &err), RC_FATAL);
    me = xasprintf("Address already in use, by pid %d (", (int)getpid());
    cr_assert_not_null(strstr(err.text, me), "%s", err.text);
    (void)close(fd);
    cr_assert_not(port_holder_find(where.port, &holder));
}

Test(http_client, nobody_there_is_worth_another_try)
{
    struct buf out;
    buf_init(&out, 100);
    cr_assert_eq(http_get("127.0.0.1:1", "/", NULL, 500, &status, &out, &err), RC_RETRY);
    cr_assert_not_null(strstr(err.text, "127.0.0.1:1"));
    buf_done(&out);
}

Test(http_client, a_silent_server_costs_no_more_than_the_timeout)
{
    const struct listen_address where = {.host = "127.0.0.1", .port = 0};
    char text[LISTEN_TEXT_MAX];
    bool loopback = false;
    int fd = -1;
    cr_assert_eq(listen_open(&where, 1, &fd, text, &loopback, &err), RC_OK);
    cr_assert(loopback);
    struct buf out;
    buf_init(&out, 100);
    int64_t start_ms = clock_mono_ms();
    cr_assert_eq(http_get(text, "/", NULL, 200, &status, &out, &err), RC_RETRY);
    cr_assert_str_eq(err.text, "no answer in time");
    cr_assert_lt(clock_mono_ms() - start_ms, 5000);
    buf_done(&out);
    (void)close(fd);
}
