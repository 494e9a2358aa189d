/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by service.c (life of the server), request.c (steps of a request), call.c and guard.c (slow ones). */
#ifndef SLUICE_HTTP_SERVICE_INTERNAL_H
#define SLUICE_HTTP_SERVICE_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/accept.h"
#include "http/listen.h"
#include "http/service.h"

#define REQUEST_ID_MAX 128
#define TRACEPARENT_LEN 55
#define SHARE_BUCKETS 256

enum conn_phase {
    CONN_IDLE,      /* between requests */
    CONN_RECEIVING, /* the first request, or one whose first line is there */
    CONN_WORKING,   /* complete, not answered */
    CONN_SENDING,
};

/* A connection. Under the service's lock but for `over`. */
struct http_conn {
    struct http_conn *prev, *next;
    int fd;
    bool tls;
    enum conn_phase phase;
    int64_t since_ms; /* monotonic: when the phase began */
    unsigned cut;     /* the status with which it was told to go */
    bool over;        /* one too many */
};

struct call_header_line {
    const char *name;
    char *value; /* of the call's arena */
};

struct http_call {
    struct service *service;
    struct MHD_Connection *conn;
    struct http_conn *link;
    struct arena arena;
    struct buf body;
    int64_t began_us;
    const char *raw_target; /* as it came; where libmicrohttpd reads the header */
    size_t raw_target_n;
    struct route_target target;
    bool target_ok;
    bool checked; /* the header was looked at */
    bool dispatched;
    bool queued; /* the answer is libmicrohttpd's */
    const struct service_route *route;
    const char *ids[TARGET_SEGMENTS_MAX];
    char address[NET_TEXT_MAX];
    const char *caller;
    const char *request_id; /* as the client gave it in X-Request-Id, if it is one, else ours; in every answer */
    const char *traceparent;
    bool holds_place; /* counts in service.parked */
    bool holds_share; /* and for its address */

    bool has_answer;
    unsigned status;
    const char *content_type;
    struct buf answer;
    struct call_header_line headers[CALL_HEADERS_MAX];
    size_t n_headers;
    bool close; /* the connection ends with this answer */

    /* Under the service's lock: */
    bool parked;   /* suspended */
    bool finished; /* call_finish() came */
    struct http_call *prev_parked, *next_parked;
};

struct service {
    struct service_options opt;
    struct MHD_Daemon *daemon;
    struct acceptor *acceptor; /* NULL: libmicrohttpd accepts itself */
    char address[LISTEN_TEXT_MAX];
    struct net_list proxies;
    uint64_t share_seed;
    struct address_share *shares[SHARE_BUCKETS]; /* on libmicrohttpd's thread only */
    int listen_fd;
    bool tls;
    bool drained;
    _Atomic bool stopping;
    _Atomic unsigned places; /* taken, of limits.parked */
    _Atomic unsigned connections;
    _Atomic unsigned open_calls;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_conn *conns;
    struct http_call *parked;
    pthread_t guard;
    bool guard_runs, guard_stop;
};

/* request.c: libmicrohttpd's callbacks. */
void *request_begin(void *opaque, const char *uri, struct MHD_Connection *conn);
enum MHD_Result request_go_on(void *opaque, struct MHD_Connection *conn, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_n, void **state);
void request_end(void *opaque, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode how);

/* strict.c: why the header is refused, NULL when it is not. method and version as libmicrohttpd gives them. */
const char *strict_refusal(const struct http_call *call, const char *method, const char *version, size_t header_bytes);

/* origin.c: says in call->address who calls. */
void origin_find(struct http_call *call);

/* share.c: a request of that address is one more; false: it has its share already. */
bool share_take(struct http_call *call);
void share_give_back(struct http_call *call);

/* conn.c */
void conn_notify(void *opaque, struct MHD_Connection *conn, void **socket_context,
                 enum MHD_ConnectionNotificationCode what);
void conn_set_phase(struct service *s, struct http_conn *link, enum conn_phase phase);
/* Answers past libmicrohttpd, which takes no answer while it waits for a request's end, and ends the connection. With
 * TLS it only ends it. */
void conn_cut(struct http_conn *link, unsigned status, const char *code, const char *detail);

/* guard.c */
enum rc guard_start(struct service *s, struct err *err) MUST_USE;
void guard_stop(struct service *s);

#endif
