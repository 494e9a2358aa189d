/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP server for operator endpoints: GET and HEAD of a fixed table of paths, no request bodies.
 *
 * It binds to loopback; any other address is refused unless a token is configured, and with a token every
 * request must carry `Authorization: Bearer TOKEN`. Connections, their memory and their idle time are bounded.
 *
 * Thread: the server has one thread of its own and calls the routes' functions there.
 */
#ifndef SLUICE_HTTP_SERVER_H
#define SLUICE_HTTP_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_CONNECTION_BYTES_MAX (32 * 1024)
#define HTTP_IDLE_SECONDS_MAX 10
#define HTTP_BODY_BYTES_MAX ((size_t)8 << 20) /* of an answer */
#define HTTP_ADDRESS_MAX 80

struct http_answer {
    unsigned status;          /* 200 unless the function sets another */
    const char *content_type; /* static; application/json unless the function sets another */
    struct buf body;
};

/* Fills *answer. Runs on the server's thread, must not block. */
typedef void (*http_fn)(void *opaque, struct http_answer *answer);

struct http_route {
    const char *path; /* exactly, without a query */
    http_fn fn;
};

struct http_server_options {
    const char *address; /* "127.0.0.1:7001", "[::1]:7001", "0.0.0.0:7001"; NULL or "" = 127.0.0.1, see first_port */
    uint16_t first_port; /* without an address: this port, or the next free one of port_tries; 0 = any */
    uint16_t port_tries; /* 0 counts as 1 */
    const char *token;   /* NULL or "" = none; copied */
    const struct http_route *routes; /* static */
    size_t n_routes;
    void *opaque; /* for the functions */
};

struct http_server;

/* RC_FATAL: a malformed address or one that needs a token (code ERR_CONFIG), no free port. */
enum rc http_server_start(const struct http_server_options *opt, struct http_server **out_server,
                          struct err *err) MUST_USE;
/* Ends all connections and waits for the thread; accepts NULL, returns NULL. */
struct http_server *http_server_stop(struct http_server *server);

/* Where it listens, "127.0.0.1:7002". Belongs to the server. */
const char *http_server_address(const struct http_server *server);

#endif
