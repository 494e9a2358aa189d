/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server for services: a table of routes on one listener, callers with tokens, bounded everything. (The small
 * one for operators is server.h.)
 *
 * A request goes through these steps, and whatever refuses it answers with a problem document (problem.h):
 *
 *     too many connections             503 too_many_connections      connection closed
 *     header too large                 431 header_too_large          (far too large: libmicrohttpd's own page)
 *     header malformed or ambiguous    400 header_malformed          connection closed (strict.c)
 *     target malformed                 400 target_malformed
 *     no token, or not one of ours     401 unauthorized              before paths are looked at
 *     no such path, no such method     404 not_found, 405 method_not_allowed with Allow
 *     a parameter it does not know     400 parameter_invalid
 *     being stopped                    503 stopping
 *     too many parked, or of an address 503 busy
 *     no length known that fits, body  413 body_too_large, 415 media_type_unsupported
 *     not complete in time             408 request_timeout           connection closed
 *     the route's function             what it says
 *
 * A route's function answers at once, or parks the request and lets another thread answer it later. Addresses other
 * than loopback are refused without callers; with none configured everybody on this machine is the caller "local".
 *
 * With proxy_protocol each connection has to begin with the PROXY protocol's header within 5 s: the client is whom it
 * names, for limits of one address too. What has none, or comes from elsewhere than the proxies, is closed.
 *
 * With tls connections speak TLS 1.2 or 1.3 (behind the PROXY protocol's header). What the service says past
 * libmicrohttpd, 408 and the 413 of a body of unknown length, is then not said: the connection is closed.
 *
 * Thread: one of libmicrohttpd, which runs the routes' functions (they must not block), and one that looks after slow
 * requests. service_* from the thread that started it, call_* see call.h.
 */
#ifndef SLUICE_HTTP_SERVICE_H
#define SLUICE_HTTP_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/call.h"
#include "http/caller.h"
#include "http/forwarded.h"
#include "http/net.h"
#include "http/route.h"
#include "http/tls_files.h"

#define SERVICE_LOCAL_CALLER "local"

struct service_limits {
    unsigned connections;             /* open at once; beyond: 503 */
    unsigned connections_per_address; /* beyond: closed without an answer */
    unsigned kept;                    /* while more are open, an answer ends its connection: those who wait for a next
                                         request cost most */
    unsigned parked;                  /* requests that wait for another thread */
    unsigned parked_per_address;      /* of those, on open routes, from one address (call_address) */
    size_t header_bytes;              /* request line and headers */
    size_t body_bytes;                /* a route may allow less */
    int64_t idle_ms;                  /* of a connection between requests and while an answer is taken */
    int64_t request_ms;               /* from a request's first byte to its last */
};
#define SERVICE_LIMITS_DEFAULT                                 \
    ((struct service_limits){.connections = 1024,              \
                             .connections_per_address = 1024,  \
                             .kept = 768,                      \
                             .parked = 4096,                   \
                             .parked_per_address = 1024,       \
                             .header_bytes = (size_t)16 << 10, \
                             .body_bytes = (size_t)256 << 10,  \
                             .idle_ms = 60000,                 \
                             .request_ms = 10000})

enum call_next {
    CALL_ANSWERED, /* call_answer() or call_problem() was called */
    CALL_PARKED,   /* somebody else will call them, and then call_finish(); perhaps has already */
};

struct service_route {
    struct route_key key; /* must be first: method and pattern */
    enum call_next (*handle)(struct http_call *call, void *opaque);
    const char *media;             /* of the body, "application/json"; NULL = any, as for routes without one */
    size_t body_bytes;             /* 0 = no body is expected */
    bool may_park;                 /* needs one of limits.parked */
    bool open;                     /* needs no token: the route's function knows how to tell who calls */
    const char *const *parameters; /* names behind ? that it knows, ending with NULL; NULL = none */
};

/*
 * A request has been answered: for metrics. route NULL = none was found. handled: the route's function has seen it;
 * otherwise the service has refused it. On the service's thread.
 */
typedef void (*service_done_fn)(void *opaque, const struct service_route *route, bool handled, unsigned status,
                                double seconds);

struct service_options {
    const char *address;                /* "127.0.0.1:7101" */
    const struct service_route *routes; /* static */
    size_t n_routes;
    const struct callers *callers; /* NULL = none; must outlive the service */
    struct service_limits limits;
    const struct net_list *proxies; /* whose word about the client counts; NULL = nobody's. Copied */
    unsigned forwarded_depth;    /* the address of X-Forwarded-For, counted from the right, that is the client; 0 = the
                                    header is not looked at */
    bool proxy_protocol;         /* connections begin with its header, version 2, and come from proxies only */
    const struct tls_files *tls; /* NULL = plain text; must outlive service_start() only */
    const char *tokens_option;   /* named where an address needs tokens, "gateway.tokens.file" */
    bool routes_tell;            /* the routes' functions tell themselves who calls: no callers are needed anywhere */
    void *opaque;                /* for the functions */
    service_done_fn done;        /* may be NULL */
};

struct service;

/* FATAL: a malformed address or one that needs tokens (code ERR_CONFIG), a port that is taken. */
enum rc service_start(const struct service_options *opt, struct service **out_service, struct err *err) MUST_USE;

/* "127.0.0.1:7101"; belongs to the service. */
const char *service_address(const struct service *s);

/* How many requests are parked now, and connections open. Thread: any. */
unsigned service_parked(struct service *s);
unsigned service_connections(struct service *s);

/*
 * The first half of stopping: nobody is accepted any more, new requests on open connections get 503. What was accepted
 * before goes on; its owner finishes it. May be called more than once.
 */
void service_drain(struct service *s);
/*
 * The second half: requests that are still parked get 503 `stopping` (their owners must not touch them any more: end
 * those threads before), answers are given at most grace_ms to be taken, then everything is closed. Accepts NULL,
 * returns NULL.
 */
struct service *service_stop(struct service *s, int64_t grace_ms);

#endif
