/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait for somebody, clients that leave meanwhile, and the end of the server. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "service_fixture.h"
#include "service_rig.h"

TestSuite(service_parking, .init = service_open, .fini = service_close, .timeout = 60);

Test(service_parking, a_parked_request_is_answered_from_another_thread)
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

Test(service_parking, only_so_many_are_parked)
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

Test(service_parking, one_address_parks_only_its_share_on_open_routes)
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

Test(service_parking, a_client_that_leaves_is_noticed_and_harms_nobody)
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

Test(service_parking, draining_lets_what_was_accepted_finish)
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

Test(service_parking, stopping_answers_those_who_still_wait)
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
