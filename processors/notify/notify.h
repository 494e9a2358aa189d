/* SPDX-License-Identifier: Apache-2.0 */
/* The role `notify`: what happened to parcels becomes notifications and deliveries to devices, or a reason. */
#ifndef SLUICE_NOTIFY_NOTIFY_H
#define SLUICE_NOTIFY_NOTIFY_H

#include "notify/decide.h"
#include "runtime/dbproc.h"
#include "runtime/role.h"

extern const struct role notify_role;
extern const struct option_table notify_options;
extern const struct dbproc_topic NOTIFY_TOPICS[];
extern const size_t NOTIFY_TOPICS_N;

/* The processor by itself; proc->self is freed with notify_processor_done. */
enum rc notify_processor_init(struct dbproc_processor *proc, const struct config *cfg, struct err *err) MUST_USE;
void notify_processor_done(struct dbproc_processor *proc);

/* Rules from the options, with templates of their own. FATAL with ERR_CONFIG: templates or locale are wrong. */
enum rc notify_rules_load(const struct config *cfg, struct templates **out_templates, struct notify_rules *out,
                          struct err *err) MUST_USE;

#endif
