/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of account.commands: one record, one command; and the sweeper of holds that have expired. */
#ifndef SLUICE_ACCOUNT_COMMANDS_H
#define SLUICE_ACCOUNT_COMMANDS_H

#include <stdint.h>

#include "account/reader.h"
#include "account/store.h"
#include "account/sweep.h"
#include "schemas/avro_set.h"

#define COMMANDS_TOPIC "account.commands"
#define CLASS_EVENT_ID_REUSED "event_id_reused"

/* Fills *out; set and store must outlive it. Release with commands_done. */
enum rc commands_init(struct account_reader *out, const struct avro_set *set, struct store *store,
                      const struct sweep_options *sweep, struct err *err) MUST_USE;
void commands_done(struct account_reader *reader);

#endif
