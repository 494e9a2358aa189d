/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets from "host:port" text. */
#ifndef SLUICE_HTTP_LISTEN_H
#define SLUICE_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define LISTEN_HOST_MAX 64
#define LISTEN_TEXT_MAX 80

struct listen_address {
    char host[LISTEN_HOST_MAX]; /* without brackets */
    uint16_t port;
};

/* "127.0.0.1:7001" or "[::1]:7001". RC_FATAL with code ERR_CONFIG when it is neither. */
enum rc listen_parse(const char *text, struct listen_address *out_address, struct err *err) MUST_USE;

/*
 * A non-blocking, listening socket on the first free port of port .. port + tries - 1; the caller closes *out_fd.
 * out_text (LISTEN_TEXT_MAX bytes) is where it listens. RC_FATAL: not a numeric address (ERR_CONFIG), nothing free.
 */
enum rc listen_open(const struct listen_address *address, unsigned tries, int *out_fd, char *out_text,
                    bool *out_loopback, struct err *err) MUST_USE;

#endif
