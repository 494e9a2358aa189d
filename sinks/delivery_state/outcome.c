/* SPDX-License-Identifier: Apache-2.0 */
/* Reads outcome records. The bytes are foreign: nothing gets to SQL that was not checked here. */
#include "delivery_state/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "delivery_state/checked.h"

#define SCHEMA "callback_outcome"

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
    struct checked record;
};

enum rc outcome_reader_create(const struct avro_set *set, struct outcome_reader **out_reader, struct err *err)
{
    struct outcome_reader *r = xcalloc(1, sizeof(*r));
    enum rc rc = checked_open(&r->record, set, SCHEMA, FIELD_NAMES, FIELDS, err);

    if (rc != RC_OK) {
        free(r);
        return rc;
    }
    *out_reader = r;
    return RC_OK;
}

struct outcome_reader *outcome_reader_free(struct outcome_reader *r)
{
    if (r != NULL) {
        checked_close(&r->record);
        free(r);
    }
    return NULL;
}

enum rc outcome_read(struct outcome_reader *reader, const void *value, size_t n, struct outcome *out, struct err *err)
{
    const struct checked *r = &reader->record;
    const char *kind = NULL;

    *out = (struct outcome){.kind = OUTCOME_DELIVERED};
    TRY(avro_input_read_value(r->in, value, n, err));
    TRY(checked_id(r, F_EVENT_ID, &out->event_id, err));
    TRY(checked_seq(r, F_QUEUE_SEQ, &out->queue_seq, err));
    out->kind = (enum outcome_kind)checked_symbol(r, F_OUTCOME, OUTCOME_NAMES, OUTCOME_KINDS);
    kind = OUTCOME_NAMES[out->kind];
    TRY(checked_delay(r, F_DELAY_MS, kind, out->kind == OUTCOME_RETRY || out->kind == OUTCOME_PARKED, &out->delay_ms,
                      err));
    TRY(checked_was_request(r, F_WAS_REQUEST, out->kind == OUTCOME_PARKED, &out->was_request, err));
    TRY(checked_time(r, F_HAPPENED_AT, 0, &out->happened_at_us, err));
    out->has_status = checked_has(r, F_RESPONSE_STATUS);
    out->response_status = checked_long(r, F_RESPONSE_STATUS, 0);
    out->has_duration = checked_has(r, F_DURATION_MS);
    out->duration_ms = checked_long(r, F_DURATION_MS, 0);
    out->error_class = checked_text(r, F_ERROR_CLASS);
    out->error_message = checked_text(r, F_ERROR_MESSAGE);
    return RC_OK;
}
