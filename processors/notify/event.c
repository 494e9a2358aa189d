/* SPDX-License-Identifier: Apache-2.0 */
/* Reads event records. The bytes are foreign: nothing gets to SQL that was not checked here. */
#include "notify/event.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"

#define SCHEMA "express_event"
#define TIME_MAX_US INT64_C(253402300799000000) /* 9999-12-31 */
#define TRACEPARENT_MAX 256

enum field { F_ID, F_TRACKING, F_CARRIER, F_STATUS, F_CONTEXT, F_NODE_AT, F_QUEUE_SEQ, F_CREATED, F_TRACE, FIELDS };
static const char *const NAMES[FIELDS] = {
    [F_ID] = "event_id",         [F_TRACKING] = "tracking_no", [F_CARRIER] = "carrier",
    [F_STATUS] = "status",       [F_CONTEXT] = "context",      [F_NODE_AT] = "node_at",
    [F_QUEUE_SEQ] = "queue_seq", [F_CREATED] = "created_at",   [F_TRACE] = "traceparent",
};

struct notify_reader {
    struct avro_input *in;
    int field[FIELDS];
};

enum rc notify_reader_create(const struct avro_set *set, struct notify_reader **out_reader, struct err *err)
{
    struct notify_reader *r = xcalloc(1, sizeof(*r));
    enum rc rc = avro_input_open(set, SCHEMA, NAMES, FIELDS, r->field, &r->in, err);

    if (rc != RC_OK) {
        (void)notify_reader_free(r);
        return rc;
    }
    *out_reader = r;
    return RC_OK;
}

struct notify_reader *notify_reader_free(struct notify_reader *r)
{
    if (r != NULL) {
        avro_input_free(r->in);
        free(r);
    }
    return NULL;
}

size_t notify_cut(const char *text, size_t n, size_t max)
{
    if (n <= max) {
        return n;
    }
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80) {
        max--;
    }
    return max;
}

/* NULL and "" are none; what is longer than max is cut. */
static const char *text_of(struct notify_reader *r, enum field f, size_t max, struct arena *a)
{
    size_t n = 0;
    const char *text = avro_input_string(r->in, r->field[f], &n);

    return text == NULL || n == 0 ? NULL : arena_strndup(a, text, notify_cut(text, n, max));
}

static enum rc read_id(struct notify_reader *r, struct arena *a, struct notify_event *out, struct err *err)
{
    size_t n = 0;
    const char *id = avro_input_string(r->in, r->field[F_ID], &n);

    if (!uuid_check(id, n)) {
        FAIL(err, RC_REJECT, "field event_id: expected a UUID");
    }
    char *copy = arena_strndup(a, id, n);
    for (char *c = copy; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    out->event_id = copy;
    return RC_OK;
}

static enum rc read_time(struct notify_reader *r, enum field f, int64_t *out, struct err *err)
{
    *out = avro_input_long(r->in, r->field[f], NOTIFY_NO_TIME);
    if (*out != NOTIFY_NO_TIME && (*out < 0 || *out > TIME_MAX_US)) {
        FAIL(err, RC_REJECT, "field %s is %" PRId64 "; expected microseconds between 1970 and 9999", NAMES[f], *out);
    }
    return RC_OK;
}

static enum rc read_rest(struct notify_reader *r, struct arena *a, struct notify_event *out, struct err *err)
{
    size_t len = 0;
    const char *tracking = avro_input_string(r->in, r->field[F_TRACKING], &len);
    if (len < 1 || len > NOTIFY_TRACKING_MAX) {
        FAIL(err, RC_REJECT, "field tracking_no has %zu bytes; expected 1 to %d", len, NOTIFY_TRACKING_MAX);
    }
    out->tracking_no = arena_strndup(a, tracking, len);
    TRY(read_time(r, F_NODE_AT, &out->node_us, err));
    TRY(read_time(r, F_CREATED, &out->created_us, err));
    const char *status = text_of(r, F_STATUS, NOTIFY_CARRIER_MAX, a);
    out->status_text = status != NULL ? status : "";
    out->status = express_status_find(out->status_text);
    out->carrier = text_of(r, F_CARRIER, NOTIFY_CARRIER_MAX, a);
    out->context = text_of(r, F_CONTEXT, NOTIFY_CONTEXT_MAX, a);
    out->traceparent = text_of(r, F_TRACE, TRACEPARENT_MAX, a);
    return RC_OK;
}

/* Which row, and which queueing of it. */
static enum rc read_row(struct notify_reader *r, struct arena *a, struct notify_event *out, struct err *err)
{
    out->queue_seq = avro_input_long(r->in, r->field[F_QUEUE_SEQ], 0);
    if (out->queue_seq < 1) {
        FAIL(err, RC_REJECT, "field queue_seq is %" PRId64 "; expected at least 1", out->queue_seq);
    }
    return read_id(r, a, out, err);
}

enum rc notify_event_read(struct notify_reader *r, const void *value, size_t n, struct arena *a,
                          struct notify_event *out, struct err *err)
{
    *out = (struct notify_event){.status = EXPRESS_UNKNOWN};
    TRY(avro_input_read_value(r->in, value, n, err));
    TRY(read_row(r, a, out, err));
    enum rc rc = read_rest(r, a, out, err);
    if (rc == RC_REJECT) {
        *out = (struct notify_event){.event_id = out->event_id,
                                     .queue_seq = out->queue_seq,
                                     .tracking_no = "",
                                     .status_text = "",
                                     .node_us = NOTIFY_NO_TIME,
                                     .created_us = NOTIFY_NO_TIME,
                                     .malformed = arena_strndup(a, err->text, strlen(err->text))};
    }
    return rc;
}
