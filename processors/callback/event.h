/* SPDX-License-Identifier: Apache-2.0 */
/* A record of callback.events, read and checked. */
#ifndef SLUICE_CALLBACK_EVENT_H
#define SLUICE_CALLBACK_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"

/* Fields of callback_event.avsc, in the memory that was given to the reader. */
struct callback_event {
    const char *event_id;
    const char *platform;
    const char *event_type;
    const char *callback_target;
    const char *payload; /* sent byte for byte */
    size_t payload_n;
    int64_t queue_seq;
    int64_t round_attempts;
    const char *traceparent; /* NULL = none */
};

struct event_reader;

/* set must outlive the reader. FATAL: the set has no such schema. */
enum rc event_reader_create(const struct avro_set *set, struct event_reader **out_reader, struct err *err) MUST_USE;
struct event_reader *event_reader_free(struct event_reader *r); /* accepts NULL, returns NULL */

/*
 * A value as it came: framed Avro, or the same fields as JSON (value.format). Everything in *out is a copy in a.
 * REJECT: malformed; the text names the field. The bytes are foreign: anybody may write to a topic.
 */
enum rc event_read(struct event_reader *r, const void *value, size_t n, struct arena *a, struct callback_event *out,
                   struct err *err) MUST_USE;

#endif
