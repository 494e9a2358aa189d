/* SPDX-License-Identifier: Apache-2.0 */
/* From a decision to a record. */
#include "callback/outcome_record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SCHEMA "callback_outcome"
#define TOPIC "callback.outcomes"
#define RECORD_BYTES_MAX ((size_t)64 << 10)
#define MESSAGE_MAX 512
#define TEXT_MAX 2048 /* of what is repeated from the event: an outcome never fails because its event is large */
#define CE_SOURCE "/sluice/callback"

enum field {
    F_ID,
    F_QUEUE_SEQ,
    F_PLATFORM,
    F_TYPE,
    F_TARGET,
    F_OUTCOME,
    F_WAS_REQUEST,
    F_STATUS,
    F_CLASS,
    F_MESSAGE,
    F_DURATION,
    F_DELAY,
    F_HAPPENED,
    F_TRACEPARENT,
    FIELDS
};
static const char *const NAMES[FIELDS] = {
    [F_ID] = "event_id",
    [F_QUEUE_SEQ] = "queue_seq",
    [F_PLATFORM] = "platform",
    [F_TYPE] = "event_type",
    [F_TARGET] = "callback_target",
    [F_OUTCOME] = "outcome",
    [F_WAS_REQUEST] = "was_request",
    [F_STATUS] = "response_status",
    [F_CLASS] = "error_class",
    [F_MESSAGE] = "error_message",
    [F_DURATION] = "duration_ms",
    [F_DELAY] = "delay_ms",
    [F_HAPPENED] = "happened_at",
    [F_TRACEPARENT] = "traceparent",
};

struct outcome_writer {
    struct avro_encoder *enc;
    bool json;
    size_t field[FIELDS];
};

enum rc outcome_writer_create(const struct avro_set *set, bool json, struct outcome_writer **out_writer,
                              struct err *err)
{
    struct avro_encoder *enc = NULL;

    TRY(avro_encoder_create(set, SCHEMA, &enc, err));
    struct outcome_writer *w = xcalloc(1, sizeof(*w));
    w->enc = enc;
    w->json = json;
    for (int i = 0; i < FIELDS; i++) {
        int f = avro_encoder_field_index(enc, NAMES[i]);
        assert(f >= 0);
        w->field[i] = (size_t)f;
    }
    *out_writer = w;
    return RC_OK;
}

struct outcome_writer *outcome_writer_free(struct outcome_writer *w)
{
    if (w != NULL) {
        avro_encoder_free(w->enc);
        free(w);
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

static enum rc set_text(struct outcome_writer *w, enum field f, const char *text, struct err *err)
{
    return text == NULL ? RC_OK : avro_encoder_set_string(w->enc, w->field[f], text, length_of(text), err);
}

/* The message may hold a partner's bytes: printable ASCII is certainly UTF-8, and one line. */
static enum rc set_message(struct outcome_writer *w, const char *message, struct err *err)
{
    char text[MESSAGE_MAX + 1];
    size_t n = 0;

    if (message == NULL || message[0] == '\0') {
        return RC_OK;
    }
    for (; n < MESSAGE_MAX && message[n] != '\0'; n++) {
        text[n] = message[n] >= ' ' && message[n] <= '~' ? message[n] : '?';
    }
    return avro_encoder_set_string(w->enc, w->field[F_MESSAGE], text, n, err);
}

static enum rc set_event(struct outcome_writer *w, const struct callback_event *event, struct err *err)
{
    TRY(set_text(w, F_ID, event->event_id, err));
    TRY(avro_encoder_set_long(w->enc, w->field[F_QUEUE_SEQ], event->queue_seq, err));
    TRY(set_text(w, F_PLATFORM, event->platform, err));
    TRY(set_text(w, F_TYPE, event->event_type, err));
    TRY(set_text(w, F_TARGET, event->callback_target, err));
    return set_text(w, F_TRACEPARENT, event->traceparent, err);
}

static enum rc set_facts(struct outcome_writer *w, const struct decision *decision, const struct outcome_facts *facts,
                         struct err *err)
{
    TRY(set_text(w, F_OUTCOME, outcome_name(decision->outcome), err));
    TRY(avro_encoder_set_bool(w->enc, w->field[F_WAS_REQUEST], decision->was_request, err));
    TRY(avro_encoder_set_long(w->enc, w->field[F_HAPPENED], facts->happened_at_us, err));
    if (decision->delay_ms >= 0) {
        TRY(avro_encoder_set_long(w->enc, w->field[F_DELAY], decision->delay_ms, err));
    }
    if (facts->status > 0) {
        TRY(avro_encoder_set_long(w->enc, w->field[F_STATUS], facts->status, err));
    }
    if (facts->duration_ms >= 0) {
        TRY(avro_encoder_set_long(w->enc, w->field[F_DURATION], facts->duration_ms, err));
    }
    TRY(set_text(w, F_CLASS, facts->class, err));
    return set_message(w, facts->message, err);
}

static void emit(const struct outcome_writer *w, struct delivery_task *task, const struct callback_event *event,
                 const struct decision *decision, const struct outcome_facts *facts, const void *value, size_t n)
{
    struct producer_header headers[7];
    size_t n_headers = 0;
    char time[CLOCK_RFC3339_MAX];
    char type[48];

    clock_rfc3339(facts->happened_at_us, time);
    (void)snprintf(type, sizeof(type), "sluice.outcome.%s", outcome_name(decision->outcome));
    const struct {
        const char *name, *value;
    } list[] = {{"ce_specversion", "1.0"},
                {"ce_id", event->event_id},
                {"ce_type", type},
                {"ce_source", CE_SOURCE},
                {"ce_time", time},
                {"content-type", w->json ? "application/json" : "application/avro"},
                {"traceparent", event->traceparent}};
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        if (list[i].value != NULL) {
            headers[n_headers++] = (struct producer_header){
                .name = list[i].name, .value = list[i].value, .value_len = length_of(list[i].value)};
        }
    }
    const struct delivery_record rec = {.topic = TOPIC,
                                        .key = event->event_id,
                                        .key_len = strlen(event->event_id),
                                        .value = value,
                                        .value_len = n,
                                        .headers = headers,
                                        .n_headers = n_headers};
    delivery_emit(task, &rec);
}

enum rc outcome_emit(struct outcome_writer *w, struct delivery_task *task, const struct callback_event *event,
                     const struct decision *decision, const struct outcome_facts *facts, struct err *err)
{
    struct arena *a = delivery_arena(task);
    const void *value = NULL;
    size_t n = 0;

    avro_encoder_reset(w->enc);
    enum rc rc = set_event(w, event, err);
    rc = rc == RC_OK ? set_facts(w, decision, facts, err) : rc;
    if (rc == RC_OK && w->json) {
        const char *text = NULL;
        rc = avro_encoder_json(w->enc, a, RECORD_BYTES_MAX, &text, &n, err);
        value = text;
    } else if (rc == RC_OK) {
        rc = avro_encoder_wire(w->enc, a, RECORD_BYTES_MAX, &value, &n, err);
    }
    if (rc != RC_OK) {
        (void)err_prefix(err, "outcome of event %s", event->event_id);
        return err->rc = RC_FATAL;
    }
    emit(w, task, event, decision, facts, value, n);
    return RC_OK;
}
