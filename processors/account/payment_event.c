/* SPDX-License-Identifier: Apache-2.0 */
/* Reads payment events. The bytes are foreign: nothing gets to the state machine that was not checked here. */
#include "account/payment_event.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "account/fields.h"

#define SCHEMA "payment_event"

enum record_field { F_EVENT_ID, F_TYPE, F_KEY, F_PAYLOAD, F_CREATED_AT, RECORD_FIELDS };
static const char *const NAMES[RECORD_FIELDS] = {[F_EVENT_ID] = "event_id",
                                                 [F_TYPE] = "event_type",
                                                 [F_KEY] = "partition_key",
                                                 [F_PAYLOAD] = "payload",
                                                 [F_CREATED_AT] = "created_at"};

struct payment_reader {
    struct avro_input *in;
    int field[RECORD_FIELDS];
};

enum rc payment_reader_create(const struct avro_set *set, struct payment_reader **out_reader, struct err *err)
{
    struct payment_reader *r = xcalloc(1, sizeof(*r));
    enum rc rc = avro_input_open(set, SCHEMA, NAMES, RECORD_FIELDS, r->field, &r->in, err);

    if (rc != RC_OK) {
        (void)payment_reader_free(r);
        return rc;
    }
    *out_reader = r;
    return RC_OK;
}

struct payment_reader *payment_reader_free(struct payment_reader *r)
{
    if (r != NULL) {
        avro_input_free(r->in);
        free(r);
    }
    return NULL;
}

/* Numbers that channels give: visible ASCII. */
static enum rc check_number(const char *s, const char *name, struct err *err)
{
    size_t n = strlen(s);
    bool good = n >= 1 && n <= PAYMENT_TXN_MAX;

    for (size_t i = 0; good && i < n; i++) {
        good = s[i] > ' ' && s[i] < 0x7f;
    }
    if (!good) {
        FAIL(err, RC_REJECT, "field payload.%s: expected 1 to %d visible ASCII characters", name, PAYMENT_TXN_MAX);
    }
    return RC_OK;
}

static enum rc check_channel(const char *s, struct err *err)
{
    size_t n = strlen(s);

    if (n > PAYMENT_CHANNEL_MAX || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != n) {
        FAIL(err, RC_REJECT, "field payload.channel: expected 1 to %d of a-z 0-9 . _ -", PAYMENT_CHANNEL_MAX);
    }
    return RC_OK;
}

/* Fields that are not read here are taken out, for fields_read() refuses what it does not know. */
static void keep_only(json_t *object, const struct field *fields, size_t n)
{
    const char *key = NULL;
    void *next = NULL;
    json_t *v = NULL;

    json_object_foreach_safe(object, next, key, v)
    {
        size_t i = 0;
        while (i < n && strcmp(fields[i].name, key) != 0) {
            i++;
        }
        if (i == n) {
            (void)json_object_del(object, key);
        }
    }
}

static enum rc read_success(json_t *object, struct arena *a, struct payment_event *e, const char **class,
                            struct err *err)
{
    const struct field fields[] = {
        {.name = "channel", .type = FIELD_ID, .required = true, .text = &e->channel},
        {.name = "channel_txn_id", .type = FIELD_TEXT, .required = true, .text = &e->channel_txn_id, .max = 4096},
        {.name = "amount", .type = FIELD_INT, .required = true, .number = &e->amount, .min = 1, .max = INT64_MAX},
        {.name = "currency", .type = FIELD_CURRENCY, .required = true, .text = &e->currency},
        {.name = "paid_at", .type = FIELD_TIME, .required = true, .number = &e->at_us},
    };

    keep_only(object, fields, ARRAY_SIZE(fields));
    TRY(fields_read(object, "payload", fields, ARRAY_SIZE(fields), a, class, err));
    TRY(check_channel(e->channel, err));
    return check_number(e->channel_txn_id, "channel_txn_id", err);
}

static enum rc read_refund(json_t *object, struct arena *a, struct payment_event *e, const char **class,
                           struct err *err)
{
    int64_t total = 0;
    const struct field fields[] = {
        {.name = "refund_id", .type = FIELD_TEXT, .required = true, .text = &e->refund_id, .max = 4096},
        {.name = "amount", .type = FIELD_INT, .number = &e->amount, .min = 1, .max = INT64_MAX},
        {.name = "refunded_total", .type = FIELD_INT, .number = &total, .min = 1, .max = INT64_MAX},
        {.name = "currency", .type = FIELD_CURRENCY, .required = true, .text = &e->currency},
        {.name = "refunded_at", .type = FIELD_TIME, .required = true, .number = &e->at_us},
        {.name = "channel_txn_id", .type = FIELD_TEXT, .text = &e->channel_txn_id, .max = 4096},
    };

    keep_only(object, fields, ARRAY_SIZE(fields));
    TRY(fields_read(object, "payload", fields, ARRAY_SIZE(fields), a, class, err));
    TRY(check_number(e->refund_id, "refund_id", err));
    if ((e->amount == 0) == (total == 0)) {
        FAIL(err, RC_REJECT, "field payload.amount: expected amount or refunded_total, and not both");
    }
    if (total > 0 && e->channel_txn_id == NULL) {
        FAIL(err, RC_REJECT, "field payload.channel_txn_id is missing; refunded_total is said of it");
    }
    e->amount_is_total = total > 0;
    e->amount = total > 0 ? total : e->amount;
    return e->channel_txn_id == NULL ? RC_OK : check_number(e->channel_txn_id, "channel_txn_id", err);
}

static bool is_payment_id(const char *s, size_t n)
{
    return n <= PAYMENT_ID_MAX && field_is_id(s, n);
}

/* The record's key is the payment's id; a payload that names one must name the same. */
static enum rc read_payment_id(const json_t *object, struct arena *a, struct payment_event *e, struct err *err)
{
    const json_t *v = json_object_get(object, "payment_id");
    const char *s = json_string_value(v);

    if (v != NULL && (s == NULL || !is_payment_id(s, json_string_length(v)))) {
        FAIL(err, RC_REJECT, "field payload.payment_id: expected 1 to %d of A-Z a-z 0-9 . _ : ~ @ -", PAYMENT_ID_MAX);
    }
    if (e->payment_id == NULL && s == NULL) {
        FAIL(err, RC_REJECT, "field payload.payment_id is missing");
    }
    if (e->payment_id == NULL) {
        e->payment_id = arena_strndup(a, s, strlen(s));
    } else if (s != NULL && strcmp(s, e->payment_id) != 0) {
        FAIL(err, RC_REJECT, "field payload.payment_id is %.64s; expected %.64s, the record's partition_key", s,
             e->payment_id);
    }
    return RC_OK;
}

enum rc payment_payload_read(const char *event_type, const char *payment_id, const char *payload, size_t n,
                             struct arena *a, struct payment_record *out, const char **out_class, struct err *err)
{
    json_t *object CLEANUP(fields_releasep) = NULL;
    struct payment_event *e = &out->e;

    *out_class = CLASS_MALFORMED;
    out->event_type = arena_strndup(a, event_type, strlen(event_type));
    out->payload = arena_strndup(a, payload, n);
    e->payment_id = payment_id;
    e->at_us = out->issued_us;
    TRY(fields_parse(payload, n, "payload", &object, out_class, err));
    TRY(read_payment_id(object, a, e, err));
    if (strcmp(event_type, PAYMENT_REFUND_REQUESTED) == 0) {
        out->for_others = true;
        return RC_OK;
    }
    if (!payment_event_parse(event_type, &e->type)) {
        *out_class = CLASS_UNKNOWN_TYPE;
        FAIL(err, RC_REJECT,
             "field event_type is \"%.48s\"; expected payment.created, .succeeded, .refunded, .expired,"
             " .closed, .revoked or .refund_requested",
             event_type);
    }
    if (e->type == PAYMENT_SUCCEEDED) {
        return read_success(object, a, e, out_class, err);
    }
    return e->type == PAYMENT_REFUND ? read_refund(object, a, e, out_class, err) : RC_OK;
}

enum rc payment_event_read(struct payment_reader *r, const void *value, size_t n, struct arena *a,
                           struct payment_record *out, const char **out_class, struct err *err)
{
    size_t len = 0;

    *out_class = CLASS_MALFORMED;
    *out = (struct payment_record){.for_others = false};
    TRY(avro_input_read_value(r->in, value, n, err));
    const char *text = avro_input_string(r->in, r->field[F_EVENT_ID], &len);
    if (!field_is_id(text, len)) {
        FAIL(err, RC_REJECT, "field event_id: expected 1 to 128 of A-Z a-z 0-9 . _ : ~ @ -");
    }
    out->e.event_id = arena_strndup(a, text, len);
    text = avro_input_string(r->in, r->field[F_KEY], &len);
    if (!is_payment_id(text, len)) {
        FAIL(err, RC_REJECT, "field partition_key: expected the payment's id, 1 to %d of A-Z a-z 0-9 . _ : ~ @ -",
             PAYMENT_ID_MAX);
    }
    const char *payment_id = arena_strndup(a, text, len);
    out->issued_us = avro_input_long(r->in, r->field[F_CREATED_AT], -1);
    if (out->issued_us < 0 || out->issued_us > FIELDS_TIME_MAX_US) {
        FAIL(err, RC_REJECT, "field created_at is %" PRId64 "; expected microseconds between 1970 and 9999",
             out->issued_us);
    }
    const char *type = avro_input_string(r->in, r->field[F_TYPE], &len);
    text = avro_input_string(r->in, r->field[F_PAYLOAD], &len);
    return payment_payload_read(type, payment_id, text, len, a, out, out_class, err);
}
