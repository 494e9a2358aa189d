/* SPDX-License-Identifier: Apache-2.0 */
/* A record of express.events, read and checked. */
#ifndef SLUICE_NOTIFY_EVENT_H
#define SLUICE_NOTIFY_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"
#include "schemas/express_status.h"

#define NOTIFY_NO_TIME INT64_MIN
#define NOTIFY_TRACKING_MAX 64 /* bytes */
#define NOTIFY_CARRIER_MAX 64
#define NOTIFY_CONTEXT_MAX 2048 /* what is longer is cut between characters */

/* Texts live in the arena; NULL = none. */
struct notify_event {
    const char *event_id; /* id of its row: a UUID in lower case */
    int64_t queue_seq;    /* 0 = of no queueing: a preview */
    const char *tracking_no, *carrier;
    const char *status_text; /* as it stands in the row */
    enum express_status status;
    const char *context; /* the carrier's words */
    int64_t node_us;     /* UTC, NOTIFY_NO_TIME = the row has none */
    int64_t created_us;  /* the same */
    const char *traceparent;
    const char
        *malformed; /* why its record is a dead letter; then nothing else but its row is known. NULL = it is not */
};

struct notify_reader;

enum rc notify_reader_create(const struct avro_set *set, struct notify_reader **out_reader, struct err *err) MUST_USE;
struct notify_reader *notify_reader_free(struct notify_reader *r); /* accepts NULL, returns NULL */

/* Avro or JSON. REJECT: malformed; the text names the field. Where its row can be told all the same, *out is an event
 * that says so (malformed, in the arena); else out->event_id is NULL. */
enum rc notify_event_read(struct notify_reader *r, const void *value, size_t n, struct arena *a,
                          struct notify_event *out, struct err *err) MUST_USE;

/* Cuts text of n bytes to at most max bytes, between characters. Returns how many stay. */
size_t notify_cut(const char *text, size_t n, size_t max);

#endif
