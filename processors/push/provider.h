/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push provider: makes requests of messages and reads verdicts from answers. Bytes in, bytes out: the role (push.c)
 * owns sockets, time, tokens, rate and retries. One row of PROVIDER_KINDS for each kind:
 *
 *     cloud    a cloud function of uniCloud (deploy/uniCloud), CLOUD_FUNC_URL; signed, several messages a request
 *     getui    Getui REST v2; token; several messages a request, each with its own request_id
 *     fcm      FCM HTTP v1; OAuth token from a service account; one message a request
 *     apns     APNs; provider JWT; one message a request; HTTP/2 only
 *     webhook  any URL that takes a signed POST
 *     mock     accepts everything, calls nobody
 *
 * Every message carries push_message.request_id, which is the same over all retries, crashes and replays of one
 * generation: the receiver's chance to drop what it has seen.
 *
 * Thread: the loop's.
 */
#ifndef SLUICE_PUSH_PROVIDER_H
#define SLUICE_PUSH_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "http/engine.h"
#include "push/verdict.h"

#define PUSH_BATCH_MAX 100
#define PUSH_REQUEST_ID_LEN 32
#define PUSH_CODE_MAX 64
#define PUSH_MESSAGE_MAX 256

/* Lives as long as its delivery task. No text is empty, but platform and traceparent may be NULL. */
struct push_message {
    const char *delivery_id; /* id of the row */
    const char *message_id;
    char request_id[PUSH_REQUEST_ID_LEN + 1]; /* hex(sha256(message_id|cid|generation))[0:32] */
    const char *appid, *cid, *platform;
    const char *title, *body;
    const char *payload; /* JSON object */
    const char *traceparent;
    int64_t expires_at_us; /* UTC; 0 = never */
    int64_t registered_us; /* unused where it is 0 */
};

struct push_request {
    const char *url;
    const struct http_header *headers;
    size_t n_headers;
    const char *body;
    size_t body_n;
};

struct push_result {
    enum push_verdict verdict;
    char code[PUSH_CODE_MAX];       /* as the provider calls it; "" = it said nothing */
    char message[PUSH_MESSAGE_MAX]; /* for people, one line; never a credential */
    int64_t retry_after_ms;         /* -1 = it did not say */
    int64_t gone_at_us;             /* INVALID_TARGET: as of when, 0 = now */
    bool renew_token;               /* the token is refused as expired: get another and try once more */
    bool alone; /* all were refused for one of several messages, and it does not say which: each must go by itself */
};

struct json_t;

/* A token that is asked for, or made; shared by all instances (token.h). */
struct push_token {
    char *text; /* heap */
    int64_t obtained_us, expires_us;
};

struct provider_kind {
    const char *name;
    bool needs_token;
    bool http2;       /* only by HTTP/2 */
    size_t batch_max; /* messages of one request; at most PUSH_BATCH_MAX */
    size_t reply_bytes_max;
    /* config: the provider's object of the providers file, files relative to directory. ERR_CONFIG names the member;
     * unknown members are an error. */
    enum rc (*open)(const struct json_t *config, const char *directory, void **out_self, struct err *err);
    void (*close)(void *self); /* wipes what is secret; accepts NULL */
    /* May these two travel in one request? NULL = whatever has the same provider. */
    bool (*together)(const void *self, const struct push_message *a, const struct push_message *b);
    /* NULL: nothing is sent, everything is accepted (mock). token: NULL without needs_token. now_us: UTC. REJECT: this
     * message can never be sent (asked for one at a time).
     */
    enum rc (*request)(const void *self, const struct push_message *const *m, size_t n, const char *token,
                       int64_t now_us, struct arena *a, struct push_request *out, struct err *err);
    /* Fills out[0..n), whatever came; body may be cut, malformed, foreign. */
    void (*reply)(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
                  int64_t now_us, struct push_result *out);
    /* Hash over what a token is made with, and the key to keep it under: 32 bytes each. With needs_token. */
    void (*credential)(const void *self, unsigned char out_id[32], unsigned char out_key[32]);
    /* Makes a token without asking anybody (APNs); or the request for one and the reading of its answer (Getui, FCM).
     * RETRY: again later; REJECT: the credential is refused. */
    enum rc (*token_make)(const void *self, int64_t now_us, struct push_token *out, struct err *err);
    enum rc (*token_request)(const void *self, int64_t now_us, struct arena *a, struct push_request *out,
                             struct err *err);
    enum rc (*token_reply)(const void *self, const struct http_result *r, int64_t now_us, struct push_token *out,
                           struct err *err);
    int64_t renew_ahead_us; /* before its end a token is renewed */
};

extern const struct provider_kind *const PROVIDER_KINDS[];
extern const size_t PROVIDER_KINDS_N;

#endif
