/* SPDX-License-Identifier: Apache-2.0 */
/* A table of event ids in memory. */
#include "account/decided.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define SIZE_FIRST 256

void decided_done(struct decided *d)
{
    free(d->list);
    *d = (struct decided){.n = 0};
}

void decided_clear(struct decided *d)
{
    if (d->n > 0) {
        memset(d->list, 0, d->size * sizeof(*d->list));
    }
    d->n = 0;
}

/* Where the event stands, or would. At most half of the places are taken. */
static size_t find(const struct decided *d, const char *event_id)
{
    size_t at = hash_bytes(HASH_START, event_id, strlen(event_id)) & (d->size - 1);

    while (d->list[at].event_id != NULL && strcmp(d->list[at].event_id, event_id) != 0) {
        at = (at + 1) & (d->size - 1);
    }
    return at;
}

static void grow(struct decided *d)
{
    struct decided old = *d;

    d->size = old.size == 0 ? SIZE_FIRST : 2 * old.size;
    d->list = xcalloc(d->size, sizeof(*d->list));
    for (size_t i = 0; i < old.size; i++) {
        if (old.list[i].event_id != NULL) {
            d->list[find(d, old.list[i].event_id)] = old.list[i];
        }
    }
    free(old.list);
}

void decided_add(struct decided *d, const char *event_id, const char *command, const char *subject)
{
    if (2 * (d->n + 1) > d->size) {
        grow(d);
    }
    struct decided_entry *e = &d->list[find(d, event_id)];
    if (e->event_id == NULL) {
        *e = (struct decided_entry){.event_id = event_id, .command = command, .subject = subject};
        d->n++;
    }
}

bool decided_for_another(const struct decided *d, const struct ledger_command *cmd)
{
    if (d->n == 0) {
        return false;
    }
    const struct decided_entry *e = &d->list[find(d, cmd->event_id)];
    enum ledger_op op = cmd->op == OP_LINKED ? OP_TRANSFER : cmd->op;
    bool of_account = cmd->op == OP_OPEN || cmd->op == OP_SET;
    return e->event_id != NULL && (strcmp(e->command, LEDGER_OP_NAMES[op]) != 0 ||
                                   strcmp(e->subject, of_account ? cmd->debit : cmd->transfer_id) != 0);
}
