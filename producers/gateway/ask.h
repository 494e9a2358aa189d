/* SPDX-License-Identifier: Apache-2.0 */
/* The routes' functions: they check a request, make a job of it and hand it over. On the service's thread. */
#ifndef SLUICE_GATEWAY_ASK_H
#define SLUICE_GATEWAY_ASK_H

#include "gateway/gateway_internal.h"
#include "http/field.h"

/* transfers.c */
enum call_next ask_transfer(struct http_call *call, void *opaque);
enum call_next ask_confirm(struct http_call *call, void *opaque);
enum call_next ask_cancel(struct http_call *call, void *opaque);
/* accounts.c */
enum call_next ask_account(struct http_call *call, void *opaque);
/* payments.c */
enum call_next ask_payment(struct http_call *call, void *opaque);
/* callback.c: all channels, the path says which */
enum call_next ask_callback(struct http_call *call, void *opaque);
/* questions.c */
enum call_next ask_show_transfer(struct http_call *call, void *opaque);
enum call_next ask_show_account(struct http_call *call, void *opaque);
enum call_next ask_show_flows(struct http_call *call, void *opaque);
enum call_next ask_show_payment(struct http_call *call, void *opaque);

/* ask.c, shared by them. */

/* A job of the call's arena with what every job has; its id is new. */
struct job *ask_job(struct http_call *call, enum job_kind kind);
/* The body as an object; false: *problem says why not. */
bool ask_body(struct http_call *call, struct fields *f, struct problem *problem);
/* The id of the path; NULL: *problem says why not. */
const char *ask_id(struct http_call *call, size_t max, struct problem *problem);
enum call_next ask_refuse(struct http_call *call, const struct problem *problem);
/* Hands a job to the writers or to the readers; answers 503 where that is not possible. */
enum call_next ask_write(struct gateway *g, struct job *job);
enum call_next ask_read(struct gateway *g, struct job *job);

/* JSON of a payload, member by member: the same content is the same text. */
struct payload {
    struct buf text;
};
void payload_begin(struct payload *p);
void payload_done(struct payload *p);
void payload_text(struct payload *p, const char *name, const char *value); /* NULL: left out */
void payload_int(struct payload *p, const char *name, int64_t value);
void payload_bool(struct payload *p, const char *name, bool value);
void payload_time(struct payload *p, const char *name, int64_t utc_us);
void payload_expiry(struct payload *p, bool has_at, int64_t at_us, bool has_timeout, int64_t timeout_s);
/* The whole as text of the call's arena. */
const char *payload_end(struct payload *p, struct http_call *call);

#endif
