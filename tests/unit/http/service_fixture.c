/* SPDX-License-Identifier: Apache-2.0 */
#include "service_fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "service_rig.h"

struct service_limits limits;
struct err start_err;
_Atomic int done_count, last_status, last_handled;

static struct callers *callers;

struct http_call *parked[PARKED_MAX];
static size_t n_parked;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

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

enum rc start_at(const char *address)
{
    const struct service_options opt = {.address = address,
                                        .routes = ROUTES,
                                        .n_routes = sizeof ROUTES / sizeof ROUTES[0],
                                        .callers = callers,
                                        .limits = limits,
                                        .tokens_option = "x.tokens.file",
                                        .done = done};
    return service_start(&opt, &service, &start_err);
}

void start(void)
{
    cr_assert_eq(start_at("127.0.0.1:0"), RC_OK, "%s", start_err.text);
}

void with_callers(void)
{
    char path[] = "/tmp/sluice-service.XXXXXX";
    int fd = mkstemp(path);
    static const char LIST[] = "shop shop-token-0123456789\nbilling billing-token-0123456\n";
    cr_assert_eq(write(fd, LIST, sizeof LIST - 1), (ssize_t)sizeof LIST - 1);
    (void)close(fd);
    cr_assert_eq(callers_read(path, &callers, &start_err), RC_OK, "%s", start_err.text);
    (void)unlink(path);
}

void service_open(void)
{
    limits = SERVICE_LIMITS_DEFAULT;
}

void service_close(void)
{
    service = service_stop(service, 1000);
    callers = callers_free(callers);
}

bool wait_parked(size_t n)
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

void answer_parked(size_t i, const char *text)
{
    struct buf body;
    buf_init(&body, 100);
    (void)buf_puts(&body, text);
    call_answer(parked[i], 200, "text/plain", &body);
    call_finish(parked[i]);
}
