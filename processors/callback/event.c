/* SPDX-License-Identifier: Apache-2.0 */
/* Reads event records. */
#include "callback/event.h"

#include <inttypes.h>
#include <stdlib.h>

#include "crypto/webhook.h"

#define SCHEMA "callback_event"

enum field { F_ID, F_PLATFORM, F_TYPE, F_TARGET, F_PAYLOAD, F_QUEUE_SEQ, F_ROUND, F_TRACEPARENT, FIELDS };
static const char *const NAMES[FIELDS] = {
    [F_ID] = "event_id",     [F_PLATFORM] = "platform",   [F_TYPE] = "event_type",      [F_TARGET] = "callback_target",
    [F_PAYLOAD] = "payload", [F_QUEUE_SEQ] = "queue_seq", [F_ROUND] = "round_attempts", [F_TRACEPARENT] = "traceparent",
};

struct event_reader {
    struct avro_input *in;
    int field[FIELDS];
};

enum rc event_reader_create(const struct avro_set *set, struct event_reader **out_reader, struct err *err)
{
    struct event_reader *r = xcalloc(1, sizeof(*r));
    enum rc rc = avro_input_open(set, SCHEMA, NAMES, FIELDS, r->field, &r->in, err);

    if (rc != RC_OK) {
        (void)event_reader_free(r);
        return rc;
    }
    *out_reader = r;
    return RC_OK;
}

struct event_reader *event_reader_free(struct event_reader *r)
{
    if (r != NULL) {
        avro_input_free(r->in);
        free(r);
    }
    return NULL;
}

static const char *copy(struct event_reader *r, enum field f, struct arena *a, size_t *out_n)
{
    size_t n = 0;
    const char *text = avro_input_string(r->in, r->field[f], &n);

    if (text != NULL && out_n != NULL) {
        *out_n = n;
    }
    return text == NULL ? NULL : arena_strndup(a, text, n);
}

enum rc event_read(struct event_reader *r, const void *value, size_t n, struct arena *a, struct callback_event *out,
                   struct err *err)
{
    *out = (struct callback_event){0};
    TRY(avro_input_read_value(r->in, value, n, err));
    out->event_id = copy(r, F_ID, a, NULL);
    out->platform = copy(r, F_PLATFORM, a, NULL);
    out->event_type = copy(r, F_TYPE, a, NULL);
    out->callback_target = copy(r, F_TARGET, a, NULL);
    out->payload = copy(r, F_PAYLOAD, a, &out->payload_n);
    out->queue_seq = avro_input_long(r->in, r->field[F_QUEUE_SEQ], 0);
    out->round_attempts = avro_input_long(r->in, r->field[F_ROUND], 0);
    out->traceparent = copy(r, F_TRACEPARENT, a, NULL);
    if (!webhook_id_ok(out->event_id)) {
        FAIL(err, RC_REJECT, "field event_id: expected 1 to %d visible characters without a dot", WEBHOOK_ID_BYTES_MAX);
    }
    if (out->queue_seq < 1) {
        FAIL(err, RC_REJECT, "field queue_seq is %" PRId64 "; expected at least 1", out->queue_seq);
    }
    if (out->round_attempts < 0) {
        FAIL(err, RC_REJECT, "field round_attempts is %" PRId64 "; expected at least 0", out->round_attempts);
    }
    return RC_OK;
}
