/* SPDX-License-Identifier: Apache-2.0 */
/* Writes records of notification.outcomes. */
#ifndef SLUICE_PUSH_OUTCOME_H
#define SLUICE_PUSH_OUTCOME_H

#include "push/decide.h"
#include "push/event.h"
#include "runtime/outcome_record.h"

struct push_facts {
    const char *provider;        /* NULL = none was found */
    struct outcome_facts common; /* class: the verdict's name, or "provider-busy" */
};

/* set must outlive it. FATAL: the set has no such schema. */
enum rc push_outcomes_create(const struct avro_set *set, bool json, struct outcome_record **out_record,
                             struct err *err) MUST_USE;

/* Emits the outcome beside the task's result, under the push record's key. result: NULL where nobody has
 * said anything of it (it is parked). FATAL: it cannot be encoded (never, of an event that was read). */
enum rc push_outcome_emit(struct outcome_record *r, struct delivery_task *task, const struct delivery_event *record,
                          const struct push_event *event, const struct push_decision *decision,
                          const struct push_result *result, const struct push_facts *facts, struct err *err) MUST_USE;

#endif
