/* SPDX-License-Identifier: Apache-2.0 */
/* Reads outcome records. The bytes are foreign: nothing gets to SQL that was not checked here. */
#include "delivery_state/outcome.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"

#define SCHEMA "callback_outcome"
#define HAPPENED_MAX_US INT64_C(253402300799000000) /* 9999-12-31 */

const char *const OUTCOME_NAMES[OUTCOME_KINDS] = {[OUTCOME_DELIVERED] = "delivered",
                                                  [OUTCOME_RETRY] = "retry",
                                                  [OUTCOME_PARKED] = "parked",
                                                  [OUTCOME_DEAD_LETTER] = "dead_letter"};

enum field {
    F_EVENT_ID,
    F_QUEUE_SEQ,
    F_OUTCOME,
    F_WAS_REQUEST,
    F_RESPONSE_STATUS,
    F_ERROR_CLASS,
    F_ERROR_MESSAGE,
    F_DURATION_MS,
    F_DELAY_MS,
    F_HAPPENED_AT,
    FIELDS
};
static const char *const FIELD_NAMES[FIELDS] = {
    [F_EVENT_ID] = "event_id",
    [F_QUEUE_SEQ] = "queue_seq",
    [F_OUTCOME] = "outcome",
    [F_WAS_REQUEST] = "was_request",
    [F_RESPONSE_STATUS] = "response_status",
    [F_ERROR_CLASS] = "error_class",
    [F_ERROR_MESSAGE] = "error_message",
    [F_DURATION_MS] = "duration_ms",
    [F_DELAY_MS] = "delay_ms",
    [F_HAPPENED_AT] = "happened_at",
};

struct outcome_reader {
    struct avro_input *in;
    int field[FIELDS];
};

enum rc outcome_reader_create(const struct avro_set *set, struct outcome_reader **out_reader, struct err *err)
{
    struct avro_input *in = NULL;

    TRY(avro_input_create(set, SCHEMA, &in, err));
    struct outcome_reader *r = xcalloc(1, sizeof(*r));
    r->in = in;
    for (int i = 0; i < FIELDS; i++) {
        r->field[i] = avro_input_index(in, FIELD_NAMES[i]);
        assert(r->field[i] >= 0);
    }
    *out_reader = r;
    return RC_OK;
}

struct outcome_reader *outcome_reader_free(struct outcome_reader *r)
{
    if (r != NULL) {
        avro_input_free(r->in);
        free(r);
    }
    return NULL;
}

static enum rc read_identity(struct outcome_reader *r, struct outcome *out, struct err *err)
{
    size_t n = 0;

    out->event_id = avro_input_string(r->in, r->field[F_EVENT_ID], &n);
    if (!uuid_check(out->event_id, n)) {
        FAIL(err, RC_REJECT, "field event_id: expected a UUID");
    }
    out->queue_seq = avro_input_long(r->in, r->field[F_QUEUE_SEQ], 0);
    if (out->queue_seq < 1) {
        FAIL(err, RC_REJECT, "field queue_seq is %" PRId64 "; expected at least 1", out->queue_seq);
    }
    return RC_OK;
}

static enum rc read_kind(struct outcome_reader *r, struct outcome *out, struct err *err)
{
    size_t n = 0;
    const char *name = avro_input_string(r->in, r->field[F_OUTCOME], &n);
    bool waits = false;

    for (int i = 0; i < OUTCOME_KINDS; i++) {
        out->kind = strcmp(name, OUTCOME_NAMES[i]) == 0 ? (enum outcome_kind)i : out->kind;
    }
    waits = out->kind == OUTCOME_RETRY || out->kind == OUTCOME_PARKED;
    out->delay_ms = waits ? avro_input_long(r->in, r->field[F_DELAY_MS], -1) : 0;
    if (out->delay_ms < 0 || out->delay_ms > OUTCOME_DELAY_MS_MAX) {
        FAIL(err, RC_REJECT, "field delay_ms of %s is missing or not in 0..%" PRId64, name, OUTCOME_DELAY_MS_MAX);
    }
    out->was_request = avro_input_bool(r->in, r->field[F_WAS_REQUEST], false);
    if (out->was_request && out->kind == OUTCOME_PARKED) {
        FAIL(err, RC_REJECT, "field was_request is true; expected false of what was parked");
    }
    return RC_OK;
}

static enum rc read_details(struct outcome_reader *r, struct outcome *out, struct err *err)
{
    size_t n = 0;

    out->has_status = !avro_input_null(r->in, r->field[F_RESPONSE_STATUS]);
    out->response_status = avro_input_long(r->in, r->field[F_RESPONSE_STATUS], 0);
    out->has_duration = !avro_input_null(r->in, r->field[F_DURATION_MS]);
    out->duration_ms = avro_input_long(r->in, r->field[F_DURATION_MS], 0);
    out->error_class = avro_input_string(r->in, r->field[F_ERROR_CLASS], &n);
    out->error_message = avro_input_string(r->in, r->field[F_ERROR_MESSAGE], &n);
    out->happened_at_us = avro_input_long(r->in, r->field[F_HAPPENED_AT], 0);
    if (out->happened_at_us < 0 || out->happened_at_us > HAPPENED_MAX_US) {
        FAIL(err, RC_REJECT, "field happened_at is %" PRId64 "; expected microseconds between 1970 and 9999",
             out->happened_at_us);
    }
    return RC_OK;
}

enum rc outcome_read(struct outcome_reader *r, const void *value, size_t n, struct outcome *out, struct err *err)
{
    *out = (struct outcome){.kind = OUTCOME_DELIVERED};
    TRY(avro_input_read_value(r->in, value, n, err));
    TRY(read_identity(r, out, err));
    TRY(read_kind(r, out, err));
    return read_details(r, out, err);
}
