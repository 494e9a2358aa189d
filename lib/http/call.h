/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer.
 *
 * A call belongs to the route's function until that returns CALL_ANSWERED. With CALL_PARKED it belongs to whoever it
 * was handed to, until that calls call_finish(), which must happen exactly once.
 *
 * Thread: one at a time, the owner's. call_header() and call_headers() only within the route's function.
 */
#ifndef SLUICE_HTTP_CALL_H
#define SLUICE_HTTP_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/header_file.h"
#include "http/problem.h"
#include "http/route.h"

#define CALL_HEADERS_MAX 8 /* of an answer, beside those every answer has */
#define CALL_ANSWER_BYTES_MAX ((size_t)8 << 20)
#define CALL_WAIT_MAX_S 30

struct http_call;

/* The segment that {name} of the route's pattern stands for; NULL when it has none of that name. */
const char *call_id(const struct http_call *call, const char *name);
const struct route_target *call_target(const struct http_call *call);
/* The first header of that name, NULL when there is none. */
const char *call_header(const struct http_call *call, const char *name);
/*
 * All of them as they came, in their order, duplicates too; without blanks around values, in the call's arena. False: a
 * byte that no header may have, or more than HEADER_FILE_LINES_MAX.
 */
bool call_headers(struct http_call *call, const struct header_line **out_lines, size_t *out_n);
/*
 * The client's numeric address, "203.0.113.7" or "2001:db8::7": the connection's, or what trusted proxies say of it
 * (service_options.proxies). "" where there is none.
 */
const char *call_address(const struct http_call *call);
/* Who calls; "local" without tokens, "" on open routes. */
const char *call_caller(const struct http_call *call);
/* W3C trace context, checked for its form; NULL when there is none. */
const char *call_traceparent(const struct http_call *call);
const struct buf *call_body(const struct http_call *call);
/* Lives as long as the call. */
struct arena *call_arena(struct http_call *call);
/* Seconds of `Prefer: wait=N` (RFC 7240), at most CALL_WAIT_MAX_S; -1 when there is none. */
int call_wait_s(const struct http_call *call);
/* Has the client closed its connection? Only for a parked call. */
bool call_gone(const struct http_call *call);

/* For the answer that follows. name must be static. The value is cut at 1,000 bytes. */
void call_set_header(struct http_call *call, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* content_type must be static. Takes what is in body (may be NULL). The first answer counts. */
void call_answer(struct http_call *call, unsigned status, const char *content_type, struct buf *body);
void call_problem(struct http_call *call, const struct problem *problem);
/* The answer of a parked call is complete; the call must not be touched any more. */
void call_finish(struct http_call *call);

#endif
