/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of the test's own for HTTP clients: one connection after the other, one request each. The test says which
 * bytes are sent and what happens then, so that it can break the protocol in ways no library for servers can.
 */
#ifndef SLUICE_TESTS_STAND_IN_H
#define SLUICE_TESTS_STAND_IN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"

enum stand_in_end {
    STAND_IN_CLOSE,
    STAND_IN_HANG,    /* says nothing more until the other side goes */
    STAND_IN_ENDLESS, /* sends x until the other side goes */
};

/* request: all of it, NUL-terminated. What is put into *bytes is sent as it is. On the server's thread. */
typedef enum stand_in_end (*stand_in_fn)(void *opaque, const char *request, struct buf *bytes);

struct stand_in;

struct stand_in *stand_in_start(stand_in_fn answer, void *opaque) MUST_USE;
struct stand_in *stand_in_stop(struct stand_in *s); /* accepts NULL, returns NULL */
int stand_in_port(const struct stand_in *s);
/* Requests that were read to their end. Any thread. */
int stand_in_requests(const struct stand_in *s);
/* Waits until there were n; false after 20 s. */
bool stand_in_wait(const struct stand_in *s, int n);

/* "HTTP/1.1 200 OK", headers (each with \r\n; may be ""), Content-Length and body. */
void stand_in_answer(struct buf *bytes, int status, const char *headers, const void *body, size_t n);

#endif
