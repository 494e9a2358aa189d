/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of account.commands: one record, one command; and the sweeper of holds that have expired. */
#ifndef SLUICE_ACCOUNT_COMMANDS_H
#define SLUICE_ACCOUNT_COMMANDS_H

#include <stdint.h>

#include "account/reader.h"
#include "account/store.h"
#include "schemas/avro_set.h"

#define COMMANDS_TOPIC "account.commands"
#define CLASS_EVENT_ID_REUSED "event_id_reused"

struct sweep_options {
    int64_t rows_max; /* holds asked for in one go; 0 = none */
    int64_t again_s;  /* asked once more after so long */
};

/* Fills *out; set and store must outlive it. Release with commands_done. */
enum rc commands_init(struct account_reader *out, const struct avro_set *set, struct store *store,
                      const struct sweep_options *sweep, struct err *err) MUST_USE;
void commands_done(struct account_reader *reader);

/*
 * Asks for the expiry of holds whose time has come, in one statement: a command `expire` each in
 * account_command_outbox, and expiry_asked_at. Rows that somebody has locked are passed over. Outside of a transaction.
 */
enum rc sweep_holds(PGconn *conn, const struct sweep_options *sweep, int64_t *out_asked, struct err *err) MUST_USE;

#endif
