/* SPDX-License-Identifier: Apache-2.0 */
/* Reads push records. */
#include "push/event.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "crypto/sha256.h"
#include "push/reply.h"

#define SCHEMA "notification_push"
#define ID_BYTES_MAX 256

enum field {
    F_ID,
    F_MESSAGE,
    F_GENERATION,
    F_APPID,
    F_CID,
    F_PLATFORM,
    F_TITLE,
    F_BODY,
    F_PAYLOAD,
    F_EXPIRES,
    F_QUEUE_SEQ,
    F_ROUND,
    F_TRACEPARENT,
    FIELDS
};
static const char *const NAMES[FIELDS] = {
    [F_ID] = "event_id",
    [F_MESSAGE] = "message_id",
    [F_GENERATION] = "generation",
    [F_APPID] = "appid",
    [F_CID] = "cid",
    [F_PLATFORM] = "platform",
    [F_TITLE] = "title",
    [F_BODY] = "body",
    [F_PAYLOAD] = "payload",
    [F_EXPIRES] = "expires_at",
    [F_QUEUE_SEQ] = "queue_seq",
    [F_ROUND] = "round_attempts",
    [F_TRACEPARENT] = "traceparent",
};

struct push_reader {
    struct avro_input *in;
    int field[FIELDS];
};

enum rc push_reader_create(const struct avro_set *set, struct push_reader **out_reader, struct err *err)
{
    struct push_reader *r = xcalloc(1, sizeof(*r));
    enum rc rc = avro_input_open(set, SCHEMA, NAMES, FIELDS, r->field, &r->in, err);

    if (rc != RC_OK) {
        (void)push_reader_free(r);
        return rc;
    }
    *out_reader = r;
    return RC_OK;
}

struct push_reader *push_reader_free(struct push_reader *r)
{
    if (r != NULL) {
        avro_input_free(r->in);
        free(r);
    }
    return NULL;
}

static const char *copy(struct push_reader *r, enum field f, struct arena *a)
{
    size_t n = 0;
    const char *text = avro_input_string(r->in, r->field[f], &n);

    return text == NULL ? NULL : arena_strndup(a, text, n);
}

void push_request_id(const char *message_id, const char *cid, int64_t generation, char out[PUSH_REQUEST_ID_LEN + 1])
{
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    char number[24];
    int n = snprintf(number, sizeof number, "%" PRId64, generation);
    const struct sha256_part parts[] = {{.bytes = message_id, .n = strlen(message_id)},
                                        {.bytes = "|", .n = 1},
                                        {.bytes = cid, .n = strlen(cid)},
                                        {.bytes = "|", .n = 1},
                                        {.bytes = number, .n = (size_t)n}};

    sha256_of_parts(parts, ARRAY_SIZE(parts), hash);
    sha256_hex(hash, sizeof hash, hex);
    memcpy(out, hex, PUSH_REQUEST_ID_LEN);
    out[PUSH_REQUEST_ID_LEN] = '\0';
}

static enum rc check(const struct push_event *e, struct err *err)
{
    size_t n = strnlen(e->message.delivery_id, ID_BYTES_MAX + 1);

    if (n == 0 || n > ID_BYTES_MAX) {
        FAIL(err, RC_REJECT, "field event_id: expected 1 to %d bytes", ID_BYTES_MAX);
    }
    if (e->queue_seq < 1) {
        FAIL(err, RC_REJECT, "field queue_seq is %" PRId64 "; expected at least 1", e->queue_seq);
    }
    if (e->round_attempts < 0) {
        FAIL(err, RC_REJECT, "field round_attempts is %" PRId64 "; expected at least 0", e->round_attempts);
    }
    return RC_OK;
}

enum rc push_event_read(struct push_reader *r, const void *value, size_t n, struct arena *a, struct push_event *out,
                        struct err *err)
{
    *out = (struct push_event){0};
    TRY(avro_input_read_value(r->in, value, n, err));
    struct push_message *m = &out->message;
    m->delivery_id = copy(r, F_ID, a);
    m->message_id = copy(r, F_MESSAGE, a);
    m->appid = copy(r, F_APPID, a);
    m->cid = copy(r, F_CID, a);
    m->platform = copy(r, F_PLATFORM, a);
    m->title = copy(r, F_TITLE, a);
    m->body = copy(r, F_BODY, a);
    m->payload = copy(r, F_PAYLOAD, a);
    m->expires_at_us = avro_input_long(r->in, r->field[F_EXPIRES], 0);
    out->generation = avro_input_long(r->in, r->field[F_GENERATION], 0);
    out->queue_seq = avro_input_long(r->in, r->field[F_QUEUE_SEQ], 0);
    out->round_attempts = avro_input_long(r->in, r->field[F_ROUND], 0);
    out->traceparent = copy(r, F_TRACEPARENT, a);
    push_request_id(m->message_id, m->cid, out->generation, m->request_id);
    out->has_row = out->queue_seq >= 1 && uuid_check(m->delivery_id, strlen(m->delivery_id));
    return check(out, err);
}

/* ---------------------------------------------------------------------------------------------------- content */

/* Blanks alone are no text for anybody; the cloud function looks with JavaScript's trim(). */
static bool is_empty(const char *text)
{
    return utf8_is_blank(text, strlen(text));
}

static bool is_object(const char *payload)
{
    json_t *json = json_loads(payload, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_object(json);

    json_decref(json);
    return ok;
}

static bool no(struct push_result *out, enum push_verdict verdict, const char *code, const char *message)
{
    *out = push_result_of(verdict, code, message);
    return false;
}

bool push_event_ok(const struct push_event *e, int64_t now_us, struct push_result *out)
{
    const struct push_message *m = &e->message;

    if (is_empty(m->cid)) {
        return no(out, PUSH_EMPTY, "no-target", "the device has no cid");
    }
    if (is_empty(m->title) || is_empty(m->body)) {
        return no(out, PUSH_EMPTY, is_empty(m->title) ? "no-title" : "no-body", "there is nothing to read in it");
    }
    if (strlen(m->cid) > PUSH_CID_BYTES_MAX) {
        return no(out, PUSH_PAYLOAD, "target-too-long", "the device's cid is too long");
    }
    if (!is_object(m->payload)) {
        return no(out, PUSH_PAYLOAD, "payload-no-object", "field payload: expected a JSON object");
    }
    if (m->expires_at_us > 0 && m->expires_at_us <= now_us) {
        return no(out, PUSH_EXPIRED, NULL, "it was due before, and is too old now");
    }
    return true;
}
