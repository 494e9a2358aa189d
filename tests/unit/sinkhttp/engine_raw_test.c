/* SPDX-License-Identifier: Apache-2.0 */
/* The engine against servers that break the protocol in ways no library for servers can. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/engine.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define LONG_LINE ((size_t)300 << 10)

enum manner {
    ALL_ARE_ANSWERED,
    ONE_A_CONNECTION,  /* answered, then closed without a word */
    FIRST_IS_ANSWERED, /* each connection: the first request is answered, the second one is read, then it is closed */
    ENDLESS_LINE       /* a header line without an end */
};

static int listener = -1;
static int port;
static enum manner manner;
static _Atomic int posts, connections;
static pthread_t thread;
static struct err err;
static struct http_engine *engine;
static uv_loop_t loop;

/* Reads one request with its body of two bytes; false: the connection is closed. */
static bool read_request(int fd)
{
    char text[4096];
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
        text[n] = '\0';
        const char *body = strstr(text, "\r\n\r\n");
        if (body != NULL && strlen(body) >= 6) {
            posts++;
            return true;
        }
    }
}

static void serve(int fd)
{
    if (manner == ALL_ARE_ANSWERED) {
        while (read_request(fd)) {
            (void)!write(fd, OK_ANSWER, strlen(OK_ANSWER));
        }
        return;
    }
    if (!read_request(fd)) {
        return;
    }
    if (manner == ONE_A_CONNECTION) {
        (void)!write(fd, OK_ANSWER, strlen(OK_ANSWER));
        return;
    }
    if (manner == FIRST_IS_ANSWERED) {
        (void)!write(fd, OK_ANSWER, strlen(OK_ANSWER));
        (void)read_request(fd);
        return;
    }
    char *line = xcalloc(LONG_LINE, 1);
    memset(line, 'x', LONG_LINE);
    (void)!write(fd, "HTTP/1.1 200 OK\r\nX-A: ", 22);
    (void)!send(fd, line, LONG_LINE, MSG_NOSIGNAL);
    free(line);
}

static void *run_server(void *unused)
{
    (void)unused;
    for (int fd = 0; (fd = accept(listener, NULL, NULL)) >= 0;) {
        connections++;
        serve(fd);
        (void)close(fd);
    }
    return NULL;
}

static void setup(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(at);
    struct http_engine_options opt = {.loop = &loop, .allow_http = true};

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(listen(listener, 8), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    port = ntohs(at.sin_port);
    cr_assert_eq(pthread_create(&thread, NULL, run_server, NULL), 0);
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(net_list_parse("127.0.0.0/8", &opt.nets, &err), RC_OK);
    cr_assert_eq(http_engine_create(&opt, &engine, &err), RC_OK);
}

static void teardown(void)
{
    http_engine_close(engine, NULL, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
    (void)shutdown(listener, SHUT_RDWR);
    (void)pthread_join(thread, NULL);
    (void)close(listener);
}

TestSuite(engine_raw, .init = setup, .fini = teardown, .timeout = 60);

struct seen {
    int done;
    struct http_meaning meaning;
    int status;
    char message[HTTP_ENGINE_MESSAGE_MAX];
};

static void on_done(void *opaque, const struct http_result *r)
{
    struct seen *s = opaque;
    s->done++;
    s->meaning = r->meaning;
    s->status = r->status;
    (void)snprintf(s->message, sizeof(s->message), "%s", r->message);
}

static struct seen call(const char *host, int at)
{
    struct seen seen = {0};
    struct http_call *unused = NULL;
    CLEANUP(freep) char *url = xasprintf("http://%s:%d/", host, at);
    const struct http_call_spec spec = {
        .url = url, .body = "{}", .body_n = 2, .timeout_ms = 5000, .response_bytes_max = 1024};

    cr_assert_eq(http_engine_submit(engine, &spec, on_done, &seen, &unused, &err), RC_OK, "%s", err.text);
    int64_t until = clock_mono_ms() + 20000;
    while (seen.done == 0 && clock_mono_ms() < until) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    cr_assert_eq(seen.done, 1);
    return seen;
}

Test(engine_raw, a_request_is_never_sent_twice)
{
    manner = FIRST_IS_ANSWERED;
    cr_assert_eq(call("127.0.0.1", port).status, 200);
    struct seen s = call("127.0.0.1", port);
    cr_assert_eq(posts, 2, "%d", posts);
    cr_assert_eq(s.meaning.verdict, HTTP_RETRY);
    cr_assert_str_eq(s.meaning.class, "reset");
    cr_assert_not_null(strstr(s.message, "without an answer"), "%s", s.message);
}

Test(engine_raw, a_connection_that_stays_is_used_again_and_closed_with_the_engine)
{
    manner = ALL_ARE_ANSWERED;
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(call("127.0.0.1", port).status, 200);
    }
    cr_assert_eq(posts, 5);
    cr_assert_eq(connections, 1);
}

Test(engine_raw, a_connection_that_is_closed_between_calls_is_replaced)
{
    manner = ONE_A_CONNECTION;
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(call("127.0.0.1", port).status, 200, "call %d", i);
        int64_t until = clock_mono_ms() + 50; /* the end of the connection is noticed while nothing is under way */
        while (clock_mono_ms() < until) {
            (void)uv_run(&loop, UV_RUN_NOWAIT);
        }
    }
    cr_assert_eq(posts, 5);
    cr_assert_eq(connections, 5);
}

Test(engine_raw, an_endless_header_line_is_an_attempt)
{
    manner = ENDLESS_LINE;
    struct seen s = call("127.0.0.1", port);
    cr_assert_eq(s.meaning.verdict, HTTP_RETRY, "%s", s.meaning.class);
    cr_assert_str_eq(s.meaning.class, "header-too-large", "%s", s.meaning.class);
}

/* localhost is often ::1 too, which is not open here: the open address counts. */
Test(engine_raw, a_name_with_an_open_address_is_not_refused)
{
    struct seen s = call("localhost", 1);
    cr_assert_eq(s.meaning.verdict, HTTP_RETRY, "%s: %s", s.meaning.class, s.message);
    cr_assert_str_eq(s.meaning.class, "connect");
}
