/* SPDX-License-Identifier: Apache-2.0 */
/* From a decision to a record. */
#include "push/outcome.h"

#include <string.h>

enum field {
    F_ID,
    F_QUEUE_SEQ,
    F_MESSAGE_ID,
    F_APPID,
    F_CID,
    F_VERDICT,
    F_PROVIDER,
    F_CODE,
    F_DEVICE,
    F_DEVICE_AT,
    F_TRACEPARENT,
    FIELDS
};
static const char *const NAMES[FIELDS] = {
    [F_ID] = "event_id",   [F_QUEUE_SEQ] = "queue_seq", [F_MESSAGE_ID] = "message_id",   [F_APPID] = "appid",
    [F_CID] = "cid",       [F_VERDICT] = "verdict",     [F_PROVIDER] = "provider",       [F_CODE] = "provider_code",
    [F_DEVICE] = "device", [F_DEVICE_AT] = "device_at", [F_TRACEPARENT] = "traceparent",
};
static const struct outcome_form FORM = {.schema = "notification_outcome",
                                         .topic = "notification.outcomes",
                                         .source = "/sluice/push",
                                         .names = NAMES,
                                         .n_names = FIELDS};

enum rc push_outcomes_create(const struct avro_set *set, bool json, struct outcome_record **out_record, struct err *err)
{
    return outcome_record_create(set, &FORM, json, out_record, err);
}

static void set_event(struct outcome_record *r, const struct push_event *event)
{
    outcome_record_text(r, F_ID, event->message.delivery_id);
    outcome_record_long(r, F_QUEUE_SEQ, event->queue_seq);
    outcome_record_text(r, F_MESSAGE_ID, event->message.message_id);
    outcome_record_text(r, F_APPID, event->message.appid);
    outcome_record_text(r, F_CID, event->message.cid);
    outcome_record_text(r, F_TRACEPARENT, event->traceparent);
}

static void set_result(struct outcome_record *r, const struct push_decision *decision, const struct push_result *result,
                       const struct push_facts *facts)
{
    outcome_record_text(r, F_VERDICT, PUSH_VERDICTS_TABLE[result->verdict].name);
    outcome_record_text(r, F_CODE, result->code[0] == '\0' ? NULL : result->code);
    if (decision->device == PUSH_DEVICE_STRIKE || decision->device == PUSH_DEVICE_GONE) {
        outcome_record_long(r, F_DEVICE_AT, result->gone_at_us > 0 ? result->gone_at_us : facts->common.happened_at_us);
    }
}

enum rc push_outcome_emit(struct outcome_record *r, struct delivery_task *task, const struct delivery_event *record,
                          const struct push_event *event, const struct push_decision *decision,
                          const struct push_result *result, const struct push_facts *facts, struct err *err)
{
    const struct outcome_envelope envelope = {.event_id = event->message.delivery_id,
                                              .outcome = push_outcome_name(decision->outcome),
                                              .key = record->key,
                                              .key_len = record->key_len,
                                              .happened_at_us = facts->common.happened_at_us,
                                              .traceparent = delivery_trace(record, event->traceparent)};

    outcome_record_begin(r);
    set_event(r, event);
    outcome_record_text(r, F_DEVICE, push_device_name(decision->device));
    outcome_record_text(r, F_PROVIDER, facts->provider);
    outcome_record_facts(r, envelope.outcome, decision->was_request, decision->delay_ms, &facts->common);
    if (result != NULL) {
        set_result(r, decision, result, facts);
    }
    return outcome_record_emit(r, task, &envelope, err);
}
