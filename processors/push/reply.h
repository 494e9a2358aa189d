/* SPDX-License-Identifier: Apache-2.0 */
/* Reading answers: what all kinds of providers have in common. Thread: any. */
#ifndef SLUICE_PUSH_REPLY_H
#define SLUICE_PUSH_REPLY_H

#include "push/provider.h"

struct json_t;

/* code may be NULL. Text that is too long is cut, control characters become blanks. message: NULL = none. */
struct push_result push_result_of(enum push_verdict verdict, const char *code, const char *message);
/* The same of a number. */
struct push_result push_result_coded(enum push_verdict verdict, long long code, const char *message);

/*
 * What a status means where the provider says no more: 2xx SENT; 401, 403 AUTH; 404, 405 PROVIDER_DOWN (a wrong URL
 * says that); 413 PAYLOAD; 429 and 503 with Retry-After THROTTLED; everything else, no answer included, PROVIDER_DOWN.
 * Retry-After is taken over.
 */
struct push_result push_result_of_http(const struct http_result *r);

/* The same for all messages of a request. */
void push_reply_all(const struct push_result *result, size_t n, struct push_result *out);

/*
 * The answer's body as JSON, an object. NULL: it is none, cut, or nested too deep; *out says so then (PROVIDER_DOWN,
 * code "not-json" or "reply-cut"). Free with json_decref().
 */
struct json_t *push_reply_json(const struct http_result *r, struct push_result *out) MUST_USE;

#endif
