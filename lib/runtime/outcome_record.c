/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes as records. */
#include "runtime/outcome_record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define RECORD_BYTES_MAX ((size_t)64 << 10)
#define TEXT_MAX 2048 /* of what is repeated from the event: an outcome never fails because its event is large */

/* Of every schema, see outcome_record_facts(). */
enum fact {
    FACT_OUTCOME,
    FACT_WAS_REQUEST,
    FACT_STATUS,
    FACT_CLASS,
    FACT_MESSAGE,
    FACT_DURATION,
    FACT_DELAY,
    FACT_HAPPENED,
    FACTS
};
static const char *const FACT_NAMES[FACTS] = {
    [FACT_OUTCOME] = "outcome",   [FACT_WAS_REQUEST] = "was_request", [FACT_STATUS] = "response_status",
    [FACT_CLASS] = "error_class", [FACT_MESSAGE] = "error_message",   [FACT_DURATION] = "duration_ms",
    [FACT_DELAY] = "delay_ms",    [FACT_HAPPENED] = "happened_at",
};

struct outcome_record {
    struct avro_encoder *enc;
    const struct outcome_form *form;
    bool json;
    size_t fact[FACTS];
    size_t field[OUTCOME_FIELDS_MAX]; /* of the form */
    struct err err;
    bool failed;
};

static void find_fields(const struct avro_encoder *enc, const char *const *names, size_t n, size_t *out)
{
    for (size_t i = 0; i < n; i++) {
        int f = avro_encoder_field_index(enc, names[i]);
        assert(f >= 0);
        out[i] = (size_t)f;
    }
}

enum rc outcome_record_create(const struct avro_set *set, const struct outcome_form *form, bool json,
                              struct outcome_record **out_record, struct err *err)
{
    struct avro_encoder *enc = NULL;

    assert(form->n_names <= OUTCOME_FIELDS_MAX);
    TRY(avro_encoder_create(set, form->schema, &enc, err));
    struct outcome_record *r = xcalloc(1, sizeof(*r));
    r->enc = enc;
    r->form = form;
    r->json = json;
    find_fields(enc, FACT_NAMES, FACTS, r->fact);
    find_fields(enc, form->names, form->n_names, r->field);
    *out_record = r;
    return RC_OK;
}

struct outcome_record *outcome_record_free(struct outcome_record *r)
{
    if (r != NULL) {
        avro_encoder_free(r->enc);
        free(r);
    }
    return NULL;
}

/* At most TEXT_MAX bytes, cut between two characters. */
static size_t length_of(const char *text)
{
    size_t n = strnlen(text, TEXT_MAX + 1);

    if (n > TEXT_MAX) {
        for (n = TEXT_MAX; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--) {
        }
    }
    return n;
}

/* The first error stays. */
static void note(struct outcome_record *r, enum rc rc, const struct err *err)
{
    if (rc != RC_OK && !r->failed) {
        r->failed = true;
        r->err = *err;
    }
}

void outcome_record_begin(struct outcome_record *r)
{
    avro_encoder_reset(r->enc);
    r->failed = false;
}

/* The setters: at = the field's number in the schema. */

static void set_text(struct outcome_record *r, size_t at, const char *text)
{
    struct err err = {0};

    if (text != NULL) {
        note(r, avro_encoder_set_string(r->enc, at, text, length_of(text), &err), &err);
    }
}

/* Any bytes, made one line of printable ASCII. NULL and "": left unset. */
static void set_message(struct outcome_record *r, size_t at, const char *message)
{
    char text[OUTCOME_MESSAGE_MAX + 1];
    struct err err = {0};
    size_t n = 0;

    if (message == NULL || message[0] == '\0') {
        return;
    }
    for (; n < OUTCOME_MESSAGE_MAX && message[n] != '\0'; n++) {
        text[n] = message[n] >= ' ' && message[n] <= '~' ? message[n] : '?';
    }
    note(r, avro_encoder_set_string(r->enc, at, text, n, &err), &err);
}

static void set_long(struct outcome_record *r, size_t at, int64_t v)
{
    struct err err = {0};

    note(r, avro_encoder_set_long(r->enc, at, v, &err), &err);
}

void outcome_record_text(struct outcome_record *r, size_t field, const char *text)
{
    set_text(r, r->field[field], text);
}

void outcome_record_long(struct outcome_record *r, size_t field, int64_t v)
{
    set_long(r, r->field[field], v);
}

void outcome_record_facts(struct outcome_record *r, const char *outcome, bool was_request, int64_t delay_ms,
                          const struct outcome_facts *facts)
{
    struct err err = {0};

    set_text(r, r->fact[FACT_OUTCOME], outcome);
    note(r, avro_encoder_set_bool(r->enc, r->fact[FACT_WAS_REQUEST], was_request, &err), &err);
    set_long(r, r->fact[FACT_HAPPENED], facts->happened_at_us);
    if (delay_ms >= 0) {
        set_long(r, r->fact[FACT_DELAY], delay_ms);
    }
    if (facts->status > 0) {
        set_long(r, r->fact[FACT_STATUS], facts->status);
    }
    if (facts->duration_ms >= 0) {
        set_long(r, r->fact[FACT_DURATION], facts->duration_ms);
    }
    set_text(r, r->fact[FACT_CLASS], facts->class);
    set_message(r, r->fact[FACT_MESSAGE], facts->message);
}

static void emit(const struct outcome_record *r, struct delivery_task *task, const struct outcome_envelope *e,
                 const void *value, size_t n)
{
    struct producer_header headers[7];
    size_t n_headers = 0;
    char time[CLOCK_RFC3339_MAX];
    char type[48];

    clock_rfc3339(e->happened_at_us, time);
    (void)snprintf(type, sizeof(type), "sluice.outcome.%s", e->outcome);
    const struct {
        const char *name, *value;
    } list[] = {{"ce_specversion", "1.0"},
                {"ce_id", e->event_id},
                {"ce_type", type},
                {"ce_source", r->form->source},
                {"ce_time", time},
                {"content-type", r->json ? "application/json" : "application/avro"},
                {"traceparent", e->traceparent}};
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        if (list[i].value != NULL) {
            headers[n_headers++] = (struct producer_header){
                .name = list[i].name, .value = list[i].value, .value_len = length_of(list[i].value)};
        }
    }
    const struct delivery_record rec = {.topic = r->form->topic,
                                        .key = e->key,
                                        .key_len = e->key_len,
                                        .value = value,
                                        .value_len = n,
                                        .headers = headers,
                                        .n_headers = n_headers};
    delivery_emit(task, &rec);
}

enum rc outcome_record_emit(struct outcome_record *r, struct delivery_task *task, const struct outcome_envelope *e,
                            struct err *err)
{
    struct arena *a = delivery_arena(task);
    const void *value = NULL;
    size_t n = 0;
    enum rc rc = RC_OK;

    if (r->failed) {
        *err = r->err;
        rc = err->rc;
    } else if (r->json) {
        const char *text = NULL;
        rc = avro_encoder_json(r->enc, a, RECORD_BYTES_MAX, &text, &n, err);
        value = text;
    } else {
        rc = avro_encoder_wire(r->enc, a, RECORD_BYTES_MAX, &value, &n, err);
    }
    if (rc != RC_OK) {
        (void)err_prefix(err, "outcome of event %s", e->event_id);
        return err->rc = RC_FATAL;
    }
    emit(r, task, e, value, n);
    return RC_OK;
}
