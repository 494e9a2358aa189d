/* SPDX-License-Identifier: Apache-2.0 */
/* Bare sockets to the service under test. */
#include "service_rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/listen.h"

struct service *service;

int dial_from(const char *address)
{
    struct listen_address where;
    struct err err;
    cr_assert_eq(listen_parse(service_address(service), &where, &err), RC_OK);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(where.port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (address != NULL) {
        struct sockaddr_in own = {.sin_family = AF_INET};
        cr_assert_eq(inet_pton(AF_INET, address, &own.sin_addr), 1);
        cr_assert_eq(bind(fd, (const struct sockaddr *)&own, sizeof own), 0);
    }
    cr_assert_eq(connect(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

int dial(void)
{
    return dial_from(NULL);
}

void say_bytes(int fd, const void *bytes, size_t n)
{
    cr_assert_eq(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Everything up to the end of the connection. */
const char *hear(int fd)
{
    static char answer[16384];
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n < sizeof answer - 1;) {
        got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
    }
    answer[n] = '\0';
    (void)close(fd);
    return answer;
}

const char *talk(const char *request)
{
    int fd = dial();
    say(fd, request);
    return hear(fd);
}

void has(const char *answer, const char *part)
{
    cr_assert_not_null(strstr(answer, part), "no \"%s\" in: %s", part, answer);
}

void refused(const char *answer, const char *status, const char *code)
{
    char want[100];
    has(answer, status);
    has(answer, "Content-Type: application/problem+json\r\n");
    (void)snprintf(want, sizeof want, "\"code\": \"%s\"", code);
    has(answer, want);
}
