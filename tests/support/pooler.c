/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pooler PORT: on a free port of 127.0.0.1, which it prints, stands before the PostgreSQL at PORT and announces a
 * backend of its own, as every connection pooler does that has to route cancel requests. Everything else passes as it
 * is. One process for each connection; without TLS (sslmode=disable).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD 5 /* type, length */

static int inet_socket(bool listening, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || (listening ? bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0
                             : connect(fd, (struct sockaddr *)&at, sizeof at) != 0)) {
        perror("pooler");
        exit(1);
    }
    return fd;
}

static void write_all(int fd, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done <= 0) {
            exit(0);
        }
        bytes += done;
        n -= (size_t)done;
    }
}

static void read_all(int fd, unsigned char *out, size_t n)
{
    while (n > 0) {
        ssize_t done = read(fd, out, n);
        if (done <= 0) {
            exit(0);
        }
        out += done;
        n -= (size_t)done;
    }
}

/* One message of the server; true: it was BackendKeyData, and the process id in it is now another. */
static bool pass_message(int from, int to)
{
    unsigned char msg[65536];

    read_all(from, msg, HEAD);
    size_t n = (size_t)msg[1] << 24 | (size_t)msg[2] << 16 | (size_t)msg[3] << 8 | msg[4];
    if (n < 4 || n > sizeof msg - 1) {
        exit(1);
    }
    read_all(from, msg + HEAD, n - 4);
    bool key = msg[0] == 'K' && n == 12;
    if (key) {
        msg[HEAD + 2] ^= 0x40;
    }
    write_all(to, msg, n + 1);
    return key;
}

static void serve(int client, uint16_t port)
{
    int server = inet_socket(false, port);
    struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool told = false;

    for (;;) {
        unsigned char bytes[65536];
        if (poll(fds, 2, -1) < 0) {
            exit(1);
        }
        if (fds[0].revents != 0) {
            ssize_t n = read(client, bytes, sizeof bytes);
            if (n <= 0) {
                exit(0);
            }
            write_all(server, bytes, (size_t)n);
        }
        if (fds[1].revents != 0 && !told) {
            told = pass_message(server, client);
        } else if (fds[1].revents != 0) {
            ssize_t n = read(server, bytes, sizeof bytes);
            if (n <= 0) {
                exit(0);
            }
            write_all(client, bytes, (size_t)n);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

    if (port < 1 || port > 65535) {
        fprintf(stderr, "usage: pooler PORT\n");
        return 2;
    }
    (void)signal(SIGCHLD, SIG_IGN);
    int listener = inet_socket(true, 0);
    if (getsockname(listener, (struct sockaddr *)&at, &size) != 0) {
        return 1;
    }
    printf("%d\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0 && fork() == 0) {
            close(listener);
            serve(client, (uint16_t)port);
        }
        if (client >= 0) {
            close(client);
        }
    }
}
