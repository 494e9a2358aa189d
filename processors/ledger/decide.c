/* SPDX-License-Identifier: Apache-2.0 */
/* One command: who decides it, and the steps that all of them share. */
#include <assert.h>
#include <string.h>

#include "ledger/internal.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
#define AHEAD_US DAY_US                          /* clocks differ, and time zones are forgotten */
#define EFFECTIVE_MIN_US (946684800 * SECOND_US) /* 2000-01-01 */
#define EXPIRY_AHEAD_US (400 * DAY_US)

bool event_decided(const struct ledger *l, const char *event_id, int ordinal, struct ledger_result *out)
{
    const struct event_entry *e = table_find(&l->events, event_id);
    assert(e != NULL); /* ledger_want comes before */
    for (const struct decided *d = e->decided; d != NULL; d = d->next) {
        if (d->ordinal == ordinal) {
            *out = (struct ledger_result){OUTCOME_DUPLICATE, d->applied ? CODE_EXISTS : d->code};
            return true;
        }
    }
    return false;
}

void decision_add(struct ledger *l, const struct ledger_command *cmd, int ordinal, enum ledger_code code,
                  const struct ledger_transfer *remembered, const struct ledger_account *account)
{
    ledger_put_decided(l, cmd->event_id, ordinal, code == CODE_OK, code);
    bool of_account = cmd->op == OP_OPEN || cmd->op == OP_SET;
    struct ledger_decision d = {.event_id = ledger_keep(l, cmd->event_id),
                                .ordinal = ordinal,
                                .account_id = ledger_keep(l, cmd->debit),
                                .transfer_id = of_account ? NULL : ledger_keep(l, cmd->transfer_id),
                                .op = cmd->op,
                                .applied = code == CODE_OK,
                                .code = code};
    if (remembered != NULL) {
        struct ledger_transfer *copy = arena_alloc(&l->arena, sizeof *copy);
        *copy = *remembered;
        d.decided = copy;
    }
    if (account != NULL) {
        struct ledger_account *copy = arena_alloc(&l->arena, sizeof *copy);
        *copy = *account;
        d.account = copy;
    }
    l->decisions = ledger_room(l->decisions, l->decisions_n, &l->decisions_cap, sizeof *l->decisions);
    l->decisions[l->decisions_n++] = d;
}

bool caller_may(const struct ledger_command *cmd, const struct ledger_transfer *t)
{
    return cmd->caller[0] == '\0' || strcmp(cmd->caller, t->caller) == 0;
}

static bool times_fit(const struct ledger *l, const struct ledger_command *cmd)
{
    if (cmd->issued_us < 0 || cmd->issued_us > l->now_us + AHEAD_US) {
        return false;
    }
    if (cmd->effective_us != LEDGER_NO_TIME &&
        (cmd->effective_us < EFFECTIVE_MIN_US || cmd->effective_us > l->now_us + AHEAD_US)) {
        return false;
    }
    return cmd->op != OP_TRY || cmd->expires_us == LEDGER_NO_TIME ||
           (cmd->expires_us >= 0 && cmd->expires_us <= l->now_us + EXPIRY_AHEAD_US);
}

enum ledger_code check_command(const struct ledger *l, const struct ledger_command *cmd)
{
    bool books = cmd->op == OP_TRANSFER || cmd->op == OP_TRY;
    if (!times_fit(l, cmd)) {
        return CODE_TIMESTAMP_OUT_OF_RANGE;
    }
    if ((books || (cmd->op == OP_CONFIRM && cmd->has_amount)) && cmd->amount <= 0) {
        return CODE_AMOUNT_NOT_POSITIVE;
    }
    if (books && strcmp(cmd->debit, cmd->credit) == 0) {
        return CODE_ACCOUNTS_ARE_THE_SAME;
    }
    return CODE_OK;
}

enum ledger_code check_id(const struct ledger_command *cmd, const struct ledger_transfer *t)
{
    if (t == NULL) {
        return CODE_OK;
    }
    if (!caller_may(cmd, t)) {
        return CODE_EXISTS_FOR_ANOTHER_CALLER;
    }
    if (t->state == TRANSFER_CANCELLED_EMPTY) { /* whose content nobody knows */
        return CODE_CANCELLED_BEFORE_TRY;
    }
    if (t->state == TRANSFER_REJECTED && memcmp(t->content_hash, cmd->content_hash, LEDGER_HASH_BYTES) == 0) {
        return CODE_ALREADY_REJECTED;
    }
    return CODE_EXISTS_WITH_DIFFERENT_CONTENT;
}

bool transfer_repeated(const struct ledger_command *cmd, const struct ledger_transfer *t, const char *set_id)
{
    if (t == NULL || t->state == TRANSFER_CANCELLED_EMPTY || !caller_may(cmd, t)) {
        return false;
    }
    bool same_set = set_id == NULL ? t->set_id == NULL : t->set_id != NULL && strcmp(set_id, t->set_id) == 0;
    return same_set && memcmp(t->content_hash, cmd->content_hash, LEDGER_HASH_BYTES) == 0;
}

struct transfer_entry *transfer_entry_of(const struct ledger *l, const char *transfer_id)
{
    struct transfer_entry *te = table_find(&l->transfers, transfer_id);
    assert(te != NULL); /* ledger_want comes before */
    return te;
}

struct ledger_transfer *transfer_remember(struct ledger *l, const struct ledger_command *cmd, enum ledger_state state,
                                          enum ledger_code code, const char *set_id)
{
    struct transfer_entry *te = transfer_entry_of(l, cmd->transfer_id);
    assert(te->t == NULL);
    bool tried = state != TRANSFER_CANCELLED_EMPTY;
    struct ledger_transfer *t = arena_alloc(&l->arena, sizeof *t);
    *t = (struct ledger_transfer){
        .transfer_id = te->entry.key,
        .state = state,
        .version = 1,
        .code = code,
        .debit = ledger_keep(l, cmd->debit),
        .credit = tried ? ledger_keep(l, cmd->credit) : NULL,
        .debit_slot = -1,
        .credit_slot = -1,
        .amount = tried ? cmd->amount : 0,
        .currency = tried ? ledger_keep(l, cmd->currency) : NULL,
        .reference = ledger_keep(l, cmd->reference),
        .caller = ledger_keep(l, cmd->caller),
        .set_id = ledger_keep(l, set_id),
        .event_id = ledger_keep(l, cmd->event_id),
        .effective_us = cmd->effective_us == LEDGER_NO_TIME ? cmd->issued_us : cmd->effective_us,
        .expires_us = cmd->op == OP_TRY ? cmd->expires_us : LEDGER_NO_TIME,
        .booked_us = l->now_us,
        .updated_us = l->now_us,
        .dirty = true,
    };
    memcpy(t->content_hash, cmd->content_hash, LEDGER_HASH_BYTES);
    l->remembered = ledger_room(l->remembered, l->remembered_n, &l->remembered_cap, sizeof *l->remembered);
    l->remembered[l->remembered_n++] = t;
    te->t = t;
    return t;
}

struct slot *slot_to_book(const struct ledger *l, const char *account_id)
{
    const struct account_entry *ae = table_find(&l->accounts, account_id);
    assert(ae != NULL && ae->slots != NULL); /* wanted, and put */
    struct slot *s = ae->slots;
    if (!s->a.exists) {
        return NULL;
    }
    assert(s->a.slot == 0 || !ledger_limited(&s->a.settings));
    return s;
}

struct slot *slot_of(const struct ledger *l, const char *account_id, int slot)
{
    const struct account_entry *ae = table_find(&l->accounts, account_id);
    assert(ae != NULL);
    struct slot *s = ae->slots;
    while (s != NULL && s->a.slot != slot) {
        s = s->next;
    }
    assert(s != NULL && s->a.exists);
    return s;
}

void ledger_decide(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    assert(!l->sealed);
    if (cmd->op != OP_LINKED && event_decided(l, cmd->event_id, cmd->ordinal, out)) {
        return;
    }
    switch (cmd->op) {
    case OP_TRANSFER:
    case OP_TRY:
        decide_transfer(l, cmd, out);
        break;
    case OP_CONFIRM:
    case OP_CANCEL:
    case OP_EXPIRE:
        decide_hold(l, cmd, out);
        break;
    case OP_LINKED:
        decide_linked(l, cmd, out);
        break;
    case OP_OPEN:
        decide_open(l, cmd, out);
        break;
    case OP_SET:
        decide_set(l, cmd, out);
        break;
    case LEDGER_OPS:
        assert(false);
        break;
    }
}
