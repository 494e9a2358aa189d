/* SPDX-License-Identifier: Apache-2.0 */
/* A record of notification.pushes, read and looked at. */
#ifndef SLUICE_PUSH_EVENT_H
#define SLUICE_PUSH_EVENT_H

#include "avro/codec.h"
#include "push/provider.h"

#define PUSH_CID_BYTES_MAX 4096

/* Fields of notification_push.avsc, in the memory that was given to the reader. */
struct push_event {
    struct push_message message; /* without traceparent; request_id is made */
    int64_t queue_seq;
    int64_t round_attempts;
    int64_t generation;
    const char *traceparent; /* as it stands there; NULL = none */
    bool has_row;            /* event_id and queue_seq say which row it is of, also where the rest is malformed */
};

struct push_reader;

/* set must outlive it. FATAL: the set has no such schema. */
enum rc push_reader_create(const struct avro_set *set, struct push_reader **out_reader, struct err *err) MUST_USE;
struct push_reader *push_reader_free(struct push_reader *r); /* accepts NULL, returns NULL */

/* REJECT: malformed, or without what an outcome needs (event_id, queue_seq); the text names the field. out->has_row:
 * an outcome can be written all the same. */
enum rc push_event_read(struct push_reader *r, const void *value, size_t n, struct arena *a, struct push_event *out,
                        struct err *err) MUST_USE;

/*
 * May it leave at all? False: *out says why not: PUSH_EXPIRED, PUSH_EMPTY (no title, body or target: with some
 * providers an empty target is everybody), PUSH_PAYLOAD (payload is no JSON object, the target too long).
 */
bool push_event_ok(const struct push_event *e, int64_t now_us, struct push_result *out);

/* hex(sha256(message_id|cid|generation))[0:32] */
void push_request_id(const char *message_id, const char *cid, int64_t generation, char out[PUSH_REQUEST_ID_LEN + 1]);

#endif
