/* SPDX-License-Identifier: Apache-2.0 */
/* Linked sets: all of their transfers or none. */
#include <assert.h>
#include <string.h>

#include "ledger/internal.h"

/* A refused set has a decision for each member; the answer is that of the member that failed. */
static bool set_decided(const struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    struct ledger_result one = {0};
    bool found = false;
    for (size_t i = 0; i < cmd->n_members; i++) {
        if (event_decided(l, cmd->event_id, cmd->ordinal + (int)i, &one) &&
            (!found || out->code == CODE_LINKED_FAILED)) {
            *out = one;
            found = true;
        }
    }
    return found;
}

/* The whole set again. One of its transfers alone, or in another set, is other content. */
static bool set_repeated(const struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    bool rejected = false;
    for (size_t i = 0; i < cmd->n_members; i++) {
        const struct ledger_transfer *t = transfer_entry_of(l, cmd->members[i].transfer_id)->t;
        if (!transfer_repeated(&cmd->members[i], t, cmd->members[0].transfer_id)) {
            return false;
        }
        rejected = t->state == TRANSFER_REJECTED; /* of all or of none */
    }
    *out = (struct ledger_result){OUTCOME_DUPLICATE, rejected ? CODE_ALREADY_REJECTED : CODE_EXISTS};
    return true;
}

static bool member_twice(const struct ledger_command *cmd, size_t member)
{
    for (size_t i = 0; i < cmd->n_members; i++) {
        if (i != member && strcmp(cmd->members[i].transfer_id, cmd->members[member].transfer_id) == 0) {
            return true;
        }
    }
    return false;
}

static enum ledger_code book_member(struct ledger *l, const struct ledger_command *cmd, size_t member)
{
    const struct ledger_command *m = &cmd->members[member];
    enum ledger_code code = check_command(l, m);
    if (code != CODE_OK) {
        return code;
    }
    if (member_twice(cmd, member)) {
        return CODE_LINKED_MEMBER_TWICE;
    }
    code = check_id(m, transfer_entry_of(l, m->transfer_id)->t);
    return code != CODE_OK ? code : transfer_book(l, m, cmd->members[0].transfer_id);
}

/* Every member gets its decision, and every id that was free is used up. */
static void refuse(struct ledger *l, const struct ledger_command *cmd, size_t failed, enum ledger_code code)
{
    for (size_t i = 0; i < cmd->n_members; i++) {
        const struct ledger_command *m = &cmd->members[i];
        bool same = i == failed ||
                    (code == CODE_LINKED_MEMBER_TWICE && strcmp(m->transfer_id, cmd->members[failed].transfer_id) == 0);
        enum ledger_code mine = same ? code : CODE_LINKED_FAILED;
        const struct ledger_transfer *refused = NULL;
        if (transfer_entry_of(l, m->transfer_id)->t == NULL) {
            refused = transfer_remember(l, m, TRANSFER_REJECTED, mine, cmd->members[0].transfer_id);
        }
        decision_add(l, m, cmd->ordinal + (int)i, mine, refused, NULL);
    }
}

void decide_linked(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    assert(cmd->n_members > 0 && cmd->n_members <= LEDGER_LINKED_MAX);
    if (set_decided(l, cmd, out) || set_repeated(l, cmd, out)) {
        return;
    }
    enum ledger_code code = CODE_OK;
    size_t failed = 0;
    undo_begin(l);
    for (size_t i = 0; i < cmd->n_members && code == CODE_OK; i++) {
        code = book_member(l, cmd, i);
        failed = i;
    }
    undo_end(l, code != CODE_OK);
    if (code != CODE_OK && !cmd->forgets_refusal) {
        refuse(l, cmd, failed, code);
    }
    *out = (struct ledger_result){code == CODE_OK ? OUTCOME_APPLIED : OUTCOME_REJECTED, code};
}
