/* SPDX-License-Identifier: Apache-2.0 */
/* A record of account.commands, read and checked: docs/ledger.md has the forms. */
#ifndef SLUICE_ACCOUNT_COMMAND_H
#define SLUICE_ACCOUNT_COMMAND_H

#include <stddef.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"
#include "ledger/ledger.h"

#define COMMAND_TIMEOUT_S_MAX INT64_C(315360000) /* ten years */

struct command_reader;

enum rc command_reader_create(const struct avro_set *set, struct command_reader **out_reader, struct err *err) MUST_USE;
struct command_reader *command_reader_free(struct command_reader *r); /* accepts NULL, returns NULL */

/*
 * A value as it came: framed Avro, or the same as JSON. out lives in the arena. REJECT: it is no command; the text
 * names the field, *out_class is a CLASS_ of account/fields.h. What is well-formed and foolish (amount 0, debit =
 * credit) is OK here: refusing that is the ledger's, which remembers it.
 *
 * content_hash is SHA-256 over a canonical text of what was asked: not of event_id, caller, partition_key and
 * created_at. A member of a linked set has the whole set in its hash.
 */
enum rc command_read(struct command_reader *r, const void *value, size_t n, struct arena *a, struct ledger_command *out,
                     const char **out_class, struct err *err) MUST_USE;

/* The hash of commands that were not read here but made: payment events and sweepers. */
void command_hash(struct ledger_command *c);

#endif
