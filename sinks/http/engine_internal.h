/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the engine; only for its own files. */
#ifndef SLUICE_SINK_HTTP_ENGINE_INTERNAL_H
#define SLUICE_SINK_HTTP_ENGINE_INTERNAL_H

#include <curl/curl.h>

#include "http/engine.h"
#include "http/target.h"

#define ENDPOINT_BUCKETS 1024 /* a power of two */
#define EASY_POOL_MAX 256
#define RETRY_AFTER_TEXT_MAX 64

/* An endpoint with calls under way. */
struct endpoint {
    struct endpoint *next; /* in its bucket */
    size_t in_flight;
    struct target target;
};

struct http_call {
    struct http_engine *engine;
    struct http_call *prev, *next;
    CURL *easy;
    struct curl_slist *headers;
    struct endpoint *endpoint;
    http_done_fn done;
    void *opaque;
    int64_t began_ms;
    /* The answer: */
    bool header_complete;
    size_t header_bytes;
    size_t body_bytes, body_bytes_max;
    char retry_after[RETRY_AFTER_TEXT_MAX];
    char body[HTTP_ENGINE_BODY_KEPT + 1];
    size_t body_n;
    /* The way to it: */
    bool address_refused, no_descriptors;
    bool address_tried;                  /* an allowed one */
    bool begun;                          /* the request was handed to a connection: it may have arrived */
    char refused[ADDRESS_TEXT_MAX + 16]; /* "10.0.0.1 (private)" */
    char address[ADDRESS_TEXT_MAX];
    char curl_error[CURL_ERROR_SIZE];
};

struct http_engine {
    struct http_engine_options opt;
    char *ca_file;
    CURLM *multi;
    uv_timer_t timer;
    struct http_call *calls;
    size_t in_flight;
    struct endpoint *endpoints[ENDPOINT_BUCKETS];
    CURL *pool[EASY_POOL_MAX];
    size_t pool_n;
    int depth; /* inside of done callbacks */
    bool closing;
    void (*closed)(void *opaque);
    void *closed_opaque;
};

/* endpoint.c */
struct endpoint *endpoint_find(const struct http_engine *engine, const struct target *target);
struct endpoint *endpoint_enter(struct http_engine *engine, const struct target *target); /* one call more */
void endpoint_leave(struct http_engine *engine, struct endpoint *endpoint);               /* one less; may free it */

/* transfer.c */
enum rc transfer_prepare(struct http_call *call, const struct http_call_spec *spec, struct err *err) MUST_USE;
/* Fills *out from what is known after the transfer; message has room for HTTP_ENGINE_MESSAGE_MAX. */
void transfer_result(const struct http_call *call, CURLcode code, char *message, struct http_result *out);

#endif
