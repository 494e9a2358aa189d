/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the events of a batch have been decided for, where no transfer tells. The ledger answers an event that it has
 * decided before as a duplicate; a producer that uses an event's id for something else would be answered so too, and
 * its command be lost in silence. Here that is found.
 *
 * Strings are not copied: they live as long as the batch. Thread: one at a time.
 */
#ifndef SLUICE_ACCOUNT_DECIDED_H
#define SLUICE_ACCOUNT_DECIDED_H

#include <stdbool.h>
#include <stddef.h>

#include "ledger/ledger.h"

struct decided_entry {
    const char *event_id; /* NULL = free */
    const char *command, *subject;
};

struct decided {
    struct decided_entry *list; /* open addressing, a power of two */
    size_t n, size;
};

void decided_done(struct decided *d);
void decided_clear(struct decided *d);
/* The first one counts. command, subject: as in struct store_decided. */
void decided_add(struct decided *d, const char *event_id, const char *command, const char *subject);
/* True: the command's event was decided for another command. */
bool decided_for_another(const struct decided *d, const struct ledger_command *cmd);

#endif
