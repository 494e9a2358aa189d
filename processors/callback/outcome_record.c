/* SPDX-License-Identifier: Apache-2.0 */
/* From a decision to a record. */
#include "callback/outcome_record.h"

#include <string.h>

enum field { F_ID, F_QUEUE_SEQ, F_PLATFORM, F_TYPE, F_TARGET, F_TRACEPARENT, FIELDS };
static const char *const NAMES[FIELDS] = {
    [F_ID] = "event_id",     [F_QUEUE_SEQ] = "queue_seq",    [F_PLATFORM] = "platform",
    [F_TYPE] = "event_type", [F_TARGET] = "callback_target", [F_TRACEPARENT] = "traceparent",
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
    outcome_record_facts(r, envelope.outcome, decision->was_request, decision->delay_ms, facts);
    return outcome_record_emit(r, task, &envelope, err);
}
