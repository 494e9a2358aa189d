/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what became of notifications. The bytes are foreign: nothing gets to SQL that was not checked here. */
#include "delivery_state/push_outcome.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"

#define SCHEMA "notification_outcome"
#define TIME_MAX_US INT64_C(253402300799000000) /* 9999-12-31 */

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
    struct avro_input *in;
    int field[FIELDS];
};

enum rc pushed_reader_create(const struct avro_set *set, struct pushed_reader **out_reader, struct err *err)
{
    struct avro_input *in = NULL;

    TRY(avro_input_create(set, SCHEMA, &in, err));
    struct pushed_reader *r = xcalloc(1, sizeof(*r));
    r->in = in;
    for (int i = 0; i < FIELDS; i++) {
        r->field[i] = avro_input_index(in, FIELD_NAMES[i]);
        assert(r->field[i] >= 0);
    }
    *out_reader = r;
    return RC_OK;
}

struct pushed_reader *pushed_reader_free(struct pushed_reader *r)
{
    if (r != NULL) {
        avro_input_free(r->in);
        free(r);
    }
    return NULL;
}

static const char *text(const struct pushed_reader *r, enum field f)
{
    size_t n = 0;

    return avro_input_string(r->in, r->field[f], &n);
}

/* The number of a symbol; the schema's own check has left none that is not in the list. */
static int find_name(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return 0;
}

static enum rc read_time(const struct pushed_reader *r, enum field f, int64_t fallback, int64_t *out, struct err *err)
{
    int64_t us = avro_input_long(r->in, r->field[f], fallback);

    if (us < 0 || us > TIME_MAX_US) {
        FAIL(err, RC_REJECT, "field %s is %" PRId64 "; expected microseconds between 1970 and 9999", FIELD_NAMES[f],
             us);
    }
    *out = us;
    return RC_OK;
}

static enum rc read_identity(const struct pushed_reader *r, struct pushed *out, struct err *err)
{
    out->event_id = text(r, F_EVENT_ID);
    if (!uuid_check(out->event_id, strlen(out->event_id))) {
        FAIL(err, RC_REJECT, "field event_id: expected a UUID");
    }
    out->queue_seq = avro_input_long(r->in, r->field[F_QUEUE_SEQ], 0);
    if (out->queue_seq < 1) {
        FAIL(err, RC_REJECT, "field queue_seq is %" PRId64 "; expected at least 1", out->queue_seq);
    }
    return RC_OK;
}

static enum rc read_kind(const struct pushed_reader *r, struct pushed *out, struct err *err)
{
    const char *name = text(r, F_OUTCOME);
    bool waits = false;

    out->kind = (enum pushed_kind)find_name(PUSHED_NAMES, PUSHED_KINDS, name);
    waits = out->kind == PUSHED_RETRY || out->kind == PUSHED_PARKED;
    out->delay_ms = waits ? avro_input_long(r->in, r->field[F_DELAY_MS], -1) : 0;
    if (out->delay_ms < 0 || out->delay_ms > PUSHED_DELAY_MS_MAX) {
        FAIL(err, RC_REJECT, "field delay_ms of %s is missing or not in 0..%" PRId64, name, PUSHED_DELAY_MS_MAX);
    }
    out->was_request = avro_input_bool(r->in, r->field[F_WAS_REQUEST], false);
    if (out->was_request && out->kind == PUSHED_PARKED) {
        FAIL(err, RC_REJECT, "field was_request is true; expected false of what was parked");
    }
    return RC_OK;
}

static enum rc read_device(const struct pushed_reader *r, struct pushed *out, struct err *err)
{
    const char *name = text(r, F_DEVICE);

    out->device = (enum pushed_device)find_name(PUSHED_DEVICE_NAMES, PUSHED_DEVICES, name);
    out->appid = text(r, F_APPID);
    out->cid = text(r, F_CID);
    if (out->device != PUSHED_KEEP && (out->appid[0] == '\0' || out->cid[0] == '\0')) {
        FAIL(err, RC_REJECT, "field %s is empty; expected the device that is said to be %s",
             out->appid[0] == '\0' ? "appid" : "cid", name);
    }
    return read_time(r, F_DEVICE_AT, out->happened_at_us, &out->device_at_us, err);
}

enum rc pushed_read(struct pushed_reader *r, const void *value, size_t n, struct pushed *out, struct err *err)
{
    *out = (struct pushed){.kind = PUSHED_DELIVERED};
    TRY(avro_input_read_value(r->in, value, n, err));
    TRY(read_identity(r, out, err));
    TRY(read_kind(r, out, err));
    TRY(read_time(r, F_HAPPENED_AT, 0, &out->happened_at_us, err));
    TRY(read_device(r, out, err));
    out->verdict = text(r, F_VERDICT);
    out->provider = text(r, F_PROVIDER);
    out->provider_code = text(r, F_PROVIDER_CODE);
    out->has_status = !avro_input_null(r->in, r->field[F_RESPONSE_STATUS]);
    out->response_status = avro_input_long(r->in, r->field[F_RESPONSE_STATUS], 0);
    out->error_class = text(r, F_ERROR_CLASS);
    out->error_message = text(r, F_ERROR_MESSAGE);
    return RC_OK;
}
