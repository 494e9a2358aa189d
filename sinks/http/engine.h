/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many HTTP calls at once, in one thread: libcurl on a libuv loop.
 *
 * A call is one POST, sent once: no redirect is followed, nothing is repeated, no proxy of the environment is used.
 * By HTTP/1.1, or where the call says so by HTTP/2: then calls share few connections, up to a hundred on each.
 * TLS 1.2 at least, the certificate is verified. The address of each connection is checked when its socket is opened
 * (http/address.h); connections are used again for at most five minutes. timeout_ms covers everything from the name's
 * resolution to the last byte of the answer; a longer answer than response_bytes_max is cut off and counts by its
 * status. Names are resolved in threads of libcurl; one that takes too long is left behind and holds up nothing.
 *
 * Calls at once are limited; beyond that submit says RC_RETRY and the caller decides what to do with it: there is no
 * queue in here, and no share for each endpoint.
 *
 * Life cycle: create, submit and cancel, close; the loop must run on until closing is done.
 * Thread: the loop's. Nothing blocks.
 */
#ifndef SLUICE_SINK_HTTP_ENGINE_H
#define SLUICE_SINK_HTTP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "http/address.h"
#include "http/target.h"
#include "http/verdict.h"

#define HTTP_ENGINE_HEADERS_MAX 64
#define HTTP_ENGINE_HEADER_BYTES_MAX 8192
#define HTTP_ENGINE_BODY_KEPT 1024 /* of an answer, for messages and predicates, unless a call asks for more */
#define HTTP_ENGINE_MESSAGE_MAX 320

struct http_engine_options {
    uv_loop_t *loop;
    bool allow_http;            /* plain http */
    struct net_list nets;       /* open although not public */
    size_t in_flight_max;       /* 0 = 2048 */
    int64_t connect_timeout_ms; /* 0 = only the call's timeout */
    int64_t retry_after_cap_ms; /* 0 = one hour */
    const char *ca_file;        /* NULL = the system's; copied */
};

struct http_header {
    const char *name;
    const char *value;
};

enum http_version {
    HTTP_VERSION_1,            /* HTTP/1.1 */
    HTTP_VERSION_2_IF_OFFERED, /* HTTP/2 where TLS has agreed on it (ALPN), else HTTP/1.1 */
    HTTP_VERSION_2_ONLY        /* the same with TLS; plain http begins with HTTP/2 at once (prior knowledge): for one
                                  call at a time, libcurl 7.88 breaks others that begin on the same new connection */
};

struct http_call_spec {
    const char *url;
    enum http_version version;
    bool url_is_checked;               /* with target_parse; else that is done here */
    const struct http_header *headers; /* all but Host, Content-Length and Expect; in this order and spelling */
    size_t n_headers;
    const void *body; /* not copied: stays until done or cancel */
    size_t body_n;
    int64_t timeout_ms;        /* at least 1 */
    size_t response_bytes_max; /* of the answer's body */
    size_t body_kept;          /* of it, for the result; 0 = HTTP_ENGINE_BODY_KEPT */
};

/* All of it is gone when done returns. */
struct http_result {
    struct http_meaning meaning;
    int status;             /* 0 = none came */
    int64_t retry_after_ms; /* -1 = none, or not understood */
    int64_t duration_ms;
    const char *body; /* its beginning, NUL behind */
    size_t body_n;
    bool body_cut;       /* the answer was longer than allowed, or it ended early */
    const char *message; /* for people, one line; "" after 2xx */
    const char *address; /* called last, numeric; "" = none */
};

struct http_engine;
struct http_call;

/* Called from the loop, never from inside of submit or cancel. May submit and cancel others. */
typedef void (*http_done_fn)(void *opaque, const struct http_result *result);

enum rc http_engine_create(const struct http_engine_options *opt, struct http_engine **out_engine,
                           struct err *err) MUST_USE;
/* Breaks off what is under way, without calling done; closed (may be NULL) is called when memory and handles are gone.
 */
void http_engine_close(struct http_engine *engine, void (*closed)(void *opaque), void *opaque);

/*
 * RETRY: code "engine-busy". REJECT: the URL's reason (http/target.h), "header-malformed" for a
 * header that cannot be sent. FATAL: libcurl does not work.
 */
enum rc http_engine_submit(struct http_engine *engine, const struct http_call_spec *spec, http_done_fn done,
                           void *opaque, struct http_call **out_call, struct err *err) MUST_USE;
/* Closes the call's connection; done is not called. The call must not be done yet. */
void http_engine_cancel(struct http_call *call);

size_t http_engine_in_flight(const struct http_engine *engine);

#endif
