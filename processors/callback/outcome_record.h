/* SPDX-License-Identifier: Apache-2.0 */
/* Writes records of callback.outcomes. */
#ifndef SLUICE_CALLBACK_OUTCOME_RECORD_H
#define SLUICE_CALLBACK_OUTCOME_RECORD_H

#include <stdint.h>

#include "avro/codec.h"
#include "base/err.h"
#include "callback/decide.h"
#include "callback/event.h"
#include "runtime/outcome_record.h"

/* set must outlive it. FATAL: the set has no such schema. */
enum rc callback_outcomes_create(const struct avro_set *set, bool json, struct outcome_record **out_record,
                                 struct err *err) MUST_USE;

/* Emits the outcome beside the task's result. FATAL: it cannot be encoded (never, of an event that was read). */
enum rc callback_outcome_emit(struct outcome_record *r, struct delivery_task *task, const struct callback_event *event,
                              const struct decision *decision, const struct outcome_facts *facts,
                              struct err *err) MUST_USE;

#endif
