/* SPDX-License-Identifier: Apache-2.0 */
/* From a decision to a record. */
#include "callback/outcome_record.h"

#include <string.h>

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

static const struct outcome_form FORM = {.schema = "callback_outcome",
                                         .topic = "callback.outcomes",
                                         .source = "/sluice/callback",
                                         .names = NAMES,
                                         .n_names = FIELDS};

enum rc callback_outcomes_create(const struct avro_set *set, bool json, struct outcome_record **out_record,
                                 struct err *err)
{
    return outcome_record_create(set, &FORM, json, out_record, err);
}

static void set_event(struct outcome_record *r, const struct callback_event *event)
{
    outcome_record_text(r, F_ID, event->event_id);
    outcome_record_long(r, F_QUEUE_SEQ, event->queue_seq);
    outcome_record_text(r, F_PLATFORM, event->platform);
    outcome_record_text(r, F_TYPE, event->event_type);
    outcome_record_text(r, F_TARGET, event->callback_target);
    outcome_record_text(r, F_TRACEPARENT, event->traceparent);
}

static void set_facts(struct outcome_record *r, const struct decision *decision, const struct outcome_facts *facts)
{
    outcome_record_text(r, F_OUTCOME, outcome_name(decision->outcome));
    outcome_record_bool(r, F_WAS_REQUEST, decision->was_request);
    outcome_record_long(r, F_HAPPENED, facts->happened_at_us);
    if (decision->delay_ms >= 0) {
        outcome_record_long(r, F_DELAY, decision->delay_ms);
    }
    if (facts->status > 0) {
        outcome_record_long(r, F_STATUS, facts->status);
    }
    if (facts->duration_ms >= 0) {
        outcome_record_long(r, F_DURATION, facts->duration_ms);
    }
    outcome_record_text(r, F_CLASS, facts->class);
    outcome_record_message(r, F_MESSAGE, facts->message);
}

enum rc callback_outcome_emit(struct outcome_record *r, struct delivery_task *task, const struct callback_event *event,
                              const struct decision *decision, const struct outcome_facts *facts, struct err *err)
{
    const struct outcome_envelope envelope = {.event_id = event->event_id,
                                              .outcome = outcome_name(decision->outcome),
                                              .key = event->event_id,
                                              .key_len = strlen(event->event_id),
                                              .happened_at_us = facts->happened_at_us,
                                              .traceparent = event->traceparent};

    outcome_record_begin(r);
    set_event(r, event);
    set_facts(r, decision, facts);
    return outcome_record_emit(r, task, &envelope, err);
}
