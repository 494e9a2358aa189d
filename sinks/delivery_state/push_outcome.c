/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what became of notifications. The bytes are foreign: nothing gets to SQL that was not checked here. */
#include "delivery_state/push_outcome.h"

#include <stdlib.h>
#include <string.h>

#include "delivery_state/checked.h"

#define SCHEMA "notification_outcome"

const char *const PUSHED_NAMES[PUSHED_KINDS] = {[PUSHED_DELIVERED] = "delivered",
                                                [PUSHED_FAILED] = "failed",
                                                [PUSHED_RETRY] = "retry",
                                                [PUSHED_PARKED] = "parked",
                                                [PUSHED_DEAD_LETTER] = "dead_letter"};

const char *const PUSHED_DEVICE_NAMES[PUSHED_DEVICES] = {
    [PUSHED_KEEP] = "keep", [PUSHED_OK] = "ok", [PUSHED_STRIKE] = "strike", [PUSHED_GONE] = "gone"};

enum field {
    F_EVENT_ID,
    F_QUEUE_SEQ,
    F_APPID,
    F_CID,
    F_OUTCOME,
    F_WAS_REQUEST,
    F_VERDICT,
    F_PROVIDER,
    F_PROVIDER_CODE,
    F_RESPONSE_STATUS,
    F_ERROR_CLASS,
    F_ERROR_MESSAGE,
    F_DEVICE,
    F_DEVICE_AT,
    F_DELAY_MS,
    F_HAPPENED_AT,
    FIELDS
};
static const char *const FIELD_NAMES[FIELDS] = {
    [F_EVENT_ID] = "event_id",
    [F_QUEUE_SEQ] = "queue_seq",
    [F_APPID] = "appid",
    [F_CID] = "cid",
    [F_OUTCOME] = "outcome",
    [F_WAS_REQUEST] = "was_request",
    [F_VERDICT] = "verdict",
    [F_PROVIDER] = "provider",
    [F_PROVIDER_CODE] = "provider_code",
    [F_RESPONSE_STATUS] = "response_status",
    [F_ERROR_CLASS] = "error_class",
    [F_ERROR_MESSAGE] = "error_message",
    [F_DEVICE] = "device",
    [F_DEVICE_AT] = "device_at",
    [F_DELAY_MS] = "delay_ms",
    [F_HAPPENED_AT] = "happened_at",
};

struct pushed_reader {
    struct checked record;
};

enum rc pushed_reader_create(const struct avro_set *set, struct pushed_reader **out_reader, struct err *err)
{
    struct pushed_reader *r = xcalloc(1, sizeof(*r));
    enum rc rc = checked_open(&r->record, set, SCHEMA, FIELD_NAMES, FIELDS, err);

    if (rc != RC_OK) {
        free(r);
        return rc;
    }
    *out_reader = r;
    return RC_OK;
}

struct pushed_reader *pushed_reader_free(struct pushed_reader *r)
{
    if (r != NULL) {
        checked_close(&r->record);
        free(r);
    }
    return NULL;
}

static enum rc read_device(const struct checked *r, struct pushed *out, struct err *err)
{
    out->device = (enum pushed_device)checked_symbol(r, F_DEVICE, PUSHED_DEVICE_NAMES, PUSHED_DEVICES);
    out->appid = checked_text(r, F_APPID);
    out->cid = checked_text(r, F_CID);
    if (out->device != PUSHED_KEEP && (out->appid[0] == '\0' || out->cid[0] == '\0')) {
        FAIL(err, RC_REJECT, "field %s is empty; expected the device that is said to be %s",
             out->appid[0] == '\0' ? "appid" : "cid", PUSHED_DEVICE_NAMES[out->device]);
    }
    return checked_time(r, F_DEVICE_AT, out->happened_at_us, &out->device_at_us, err);
}

enum rc pushed_read(struct pushed_reader *reader, const void *value, size_t n, struct pushed *out, struct err *err)
{
    const struct checked *r = &reader->record;
    const char *kind = NULL;

    *out = (struct pushed){.kind = PUSHED_DELIVERED};
    TRY(avro_input_read_value(r->in, value, n, err));
    TRY(checked_id(r, F_EVENT_ID, &out->event_id, err));
    TRY(checked_seq(r, F_QUEUE_SEQ, &out->queue_seq, err));
    out->kind = (enum pushed_kind)checked_symbol(r, F_OUTCOME, PUSHED_NAMES, PUSHED_KINDS);
    kind = PUSHED_NAMES[out->kind];
    TRY(checked_delay(r, F_DELAY_MS, kind, out->kind == PUSHED_RETRY || out->kind == PUSHED_PARKED, &out->delay_ms,
                      err));
    TRY(checked_was_request(r, F_WAS_REQUEST, out->kind == PUSHED_PARKED, &out->was_request, err));
    TRY(checked_time(r, F_HAPPENED_AT, 0, &out->happened_at_us, err));
    TRY(read_device(r, out, err));
    out->verdict = checked_text(r, F_VERDICT);
    out->provider = checked_text(r, F_PROVIDER);
    out->provider_code = checked_text(r, F_PROVIDER_CODE);
    out->has_status = checked_has(r, F_RESPONSE_STATUS);
    out->response_status = checked_long(r, F_RESPONSE_STATUS, 0);
    out->error_class = checked_text(r, F_ERROR_CLASS);
    out->error_message = checked_text(r, F_ERROR_MESSAGE);
    return RC_OK;
}
