/* SPDX-License-Identifier: Apache-2.0 */
/* The role `account`: commands become bookings in a double-entry ledger, each record once. */
#ifndef SLUICE_ACCOUNT_ACCOUNT_H
#define SLUICE_ACCOUNT_ACCOUNT_H

#include "base/option.h"
#include "runtime/dbproc.h"
#include "runtime/role.h"

extern const struct role account_role;
extern const struct option_table account_options;
/* What it reads. */
extern const struct dbproc_topic ACCOUNT_TOPICS[];
extern const size_t ACCOUNT_TOPICS_N;

/* The processor by itself, with the role's options in cfg; proc->self is freed with account_processor_done. */
enum rc account_processor_init(struct dbproc_processor *proc, const struct config *cfg, struct err *err) MUST_USE;
void account_processor_done(struct dbproc_processor *proc);

#endif
