/* SPDX-License-Identifier: Apache-2.0 */
/* The role `sink`: what became of each callback and of each notification is written into the tables. */
#ifndef SLUICE_DELIVERY_STATE_SINK_H
#define SLUICE_DELIVERY_STATE_SINK_H

#include "runtime/dbproc.h"
#include "runtime/role.h"

extern const struct role sink_role;
extern const struct option_table sink_options;
/* What it reads. */
extern const struct dbproc_topic SINK_TOPICS[];
extern const size_t SINK_TOPICS_N;

/* The processor by itself; proc->self is freed with sink_processor_done. */
enum rc sink_processor_init(struct dbproc_processor *proc, struct err *err) MUST_USE;
void sink_processor_done(struct dbproc_processor *proc);

#endif
