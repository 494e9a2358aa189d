/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the engine; only for its own files. */
#ifndef SLUICE_SINK_HTTP_ENGINE_INTERNAL_H
#define SLUICE_SINK_HTTP_ENGINE_INTERNAL_H

#include <curl/curl.h>

#include "http/engine.h"

#define CALL_POOL_MAX 256
#define HEADER_TEXT_KEPT ((size_t)16 << 10) /* of a call in the pool */
#define RETRY_AFTER_TEXT_MAX 64

/* What libcurl is told to send: nodes of its own list type in memory of ours, so that a call allocates nothing. */
struct header_lines {
    struct curl_slist nodes[HTTP_ENGINE_HEADERS_MAX + 2];
    size_t n;
    char *text; /* heap */
    size_t cap;
};

/* A socket of libcurl's. That of a connection which can be used again stays watched between two requests. */
struct watch {
    uv_poll_t poll;
    struct http_engine *engine;
    int fd;
    int events; /* watched for; 0 = not watched */
    bool idle;  /* libcurl does not want to hear of it now */
};

/* Calls that have ended are kept with their easy handle and used again. */
struct http_call {
    struct http_engine *engine;
    struct http_call *prev, *next;
    CURL *easy;
    struct header_lines lines;
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
    char *large; /* instead of body, where a call asks for more; heap, grows with what comes */
    size_t large_cap, kept_max;
    /* The way to it: */
    bool opened; /* a connection of its own */
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
    struct http_call *pool; /* by next */
    size_t pool_n;
    struct watch **watches; /* by descriptor */
    size_t watches_n;
    int depth; /* inside of done callbacks */
    bool closing;
    void (*closed)(void *opaque);
    void *closed_opaque;
};

/* watch.c */
void watch_keep(struct http_engine *engine, CURL *easy); /* the connection the call has just opened, if it stays */
void watch_close(struct http_engine *engine, int fd);    /* about to be closed */
/* libcurl's CURLMOPT_SOCKETFUNCTION; opaque is the engine. */
int watch_change(CURL *easy, curl_socket_t fd, int what, void *opaque, void *socket_data);
void watch_event(struct http_engine *engine, curl_socket_t fd, int status, int events); /* engine.c */

/* header_lines.c */
enum rc header_lines_make(struct header_lines *l, const struct http_header *headers, size_t n,
                          struct err *err) MUST_USE;
void header_lines_trim(struct header_lines *l); /* what is kept in the pool */

/* transfer.c */
enum rc transfer_create(struct http_engine *engine, struct http_call **out_call, struct err *err) MUST_USE;
void transfer_free(struct http_call *call);
enum rc transfer_prepare(struct http_call *call, const struct http_call_spec *spec, struct err *err) MUST_USE;
void transfer_clear(struct http_call *call); /* forgets the answer and what belongs to the caller */
/* Fills *out from what is known after the transfer; message has room for HTTP_ENGINE_MESSAGE_MAX. */
void transfer_result(const struct http_call *call, CURLcode code, char *message, struct http_result *out);

#endif
