/* SPDX-License-Identifier: Apache-2.0 */
/* Confirm, cancel and expire: a hold is resolved at most once, and every state has an answer. */
#include <string.h>

#include "ledger/internal.h"

enum { ON_CONFIRM, ON_CANCEL, ON_EXPIRE, ON_ALL };

/* Why a command that is no repetition is refused; CODE_OK where the hold is open. */
static const enum ledger_code ANSWERS[LEDGER_STATES][ON_ALL] = {
    [TRANSFER_ABSENT] = {CODE_TRANSFER_NOT_FOUND, CODE_OK, CODE_TRANSFER_NOT_FOUND},
    [TRANSFER_POSTED] = {CODE_NOT_A_HOLD, CODE_NOT_A_HOLD, CODE_NOT_A_HOLD},
    [TRANSFER_HELD] = {CODE_OK, CODE_OK, CODE_OK},
    [TRANSFER_CONFIRMED] = {CODE_HOLD_CONFIRMED_WITH_DIFFERENT_AMOUNT, CODE_HOLD_CONFIRMED, CODE_HOLD_CONFIRMED},
    [TRANSFER_CANCELLED] = {CODE_HOLD_CANCELLED, CODE_EXISTS, CODE_HOLD_CANCELLED},
    [TRANSFER_EXPIRED] = {CODE_HOLD_EXPIRED, CODE_HOLD_EXPIRED, CODE_EXISTS},
    [TRANSFER_REJECTED] = {CODE_NOT_A_HOLD, CODE_NOT_A_HOLD, CODE_NOT_A_HOLD},
    [TRANSFER_CANCELLED_EMPTY] = {CODE_HOLD_CANCELLED, CODE_EXISTS, CODE_HOLD_CANCELLED},
};

static int column(enum ledger_op op)
{
    return op == OP_CONFIRM ? ON_CONFIRM : op == OP_CANCEL ? ON_CANCEL : ON_EXPIRE;
}

static int64_t amount_asked(const struct ledger_command *cmd, const struct ledger_transfer *t)
{
    return cmd->has_amount ? cmd->amount : t->amount;
}

/* What the transfer's owner asked for has been done. */
static bool hold_repeated(const struct ledger_command *cmd, const struct ledger_transfer *t)
{
    if (t == NULL || !caller_may(cmd, t) || strcmp(cmd->debit, t->debit) != 0) {
        return false;
    }
    if (cmd->op == OP_CONFIRM) {
        return t->state == TRANSFER_CONFIRMED && amount_asked(cmd, t) == t->confirmed_amount;
    }
    return ANSWERS[t->state][column(cmd->op)] == CODE_EXISTS;
}

static enum ledger_code check_open(const struct ledger_command *cmd, const struct ledger_transfer *t)
{
    bool expires = t->expires_us != LEDGER_NO_TIME;
    if (cmd->op == OP_CONFIRM && expires && cmd->issued_us > t->expires_us) {
        return CODE_HOLD_EXPIRED; /* asked in time, it is accepted however late it comes */
    }
    if (cmd->op == OP_EXPIRE && (!expires || cmd->issued_us < t->expires_us)) {
        return CODE_HOLD_NOT_EXPIRED;
    }
    return cmd->op == OP_CONFIRM && amount_asked(cmd, t) > t->amount ? CODE_AMOUNT_EXCEEDS_HOLD : CODE_OK;
}

static enum ledger_code check_hold(const struct ledger *l, const struct ledger_command *cmd,
                                   const struct ledger_transfer *t)
{
    enum ledger_code code = check_command(l, cmd);
    if (code != CODE_OK || t == NULL) {
        return code != CODE_OK ? code : ANSWERS[TRANSFER_ABSENT][column(cmd->op)];
    }
    if (!caller_may(cmd, t)) {
        return CODE_EXISTS_FOR_ANOTHER_CALLER;
    }
    if (strcmp(cmd->debit, t->debit) != 0) {
        return CODE_DEBIT_ACCOUNT_MISMATCH;
    }
    code = ANSWERS[t->state][column(cmd->op)];
    return code != CODE_OK ? code : check_open(cmd, t);
}

/* What is held was counted against every limit when it was made: nothing is left to be checked. */
static void resolve(struct ledger *l, const struct ledger_command *cmd, struct ledger_transfer *t)
{
    static const struct {
        enum ledger_state state;
        enum ledger_flow_kind kind;
    } BECOMES[ON_ALL] = {
        {TRANSFER_CONFIRMED, FLOW_CONFIRM}, {TRANSFER_CANCELLED, FLOW_CANCEL}, {TRANSFER_EXPIRED, FLOW_EXPIRE}};
    enum ledger_flow_kind kind = BECOMES[column(cmd->op)].kind;
    struct slot *debit = slot_of(l, t->debit, t->debit_slot);
    struct slot *credit = slot_of(l, t->credit, t->credit_slot);
    int64_t booked = cmd->op == OP_CONFIRM ? amount_asked(cmd, t) : 0;

    t->state = BECOMES[column(cmd->op)].state;
    t->version++;
    t->confirmed_amount = booked;
    t->event_id = ledger_keep(l, cmd->event_id);
    t->updated_us = l->now_us;
    t->dirty = true;
    struct change c = {.kind = kind,
                       .amount = -booked,
                       .frozen = -t->amount,
                       .counter_account = t->credit,
                       .transfer_id = t->transfer_id,
                       .reference = t->reference,
                       .decided = t};
    flow_add(l, debit, cmd, &c);
    c = (struct change){.kind = kind,
                        .amount = booked,
                        .incoming = -t->amount,
                        .counter_account = t->debit,
                        .transfer_id = t->transfer_id,
                        .reference = t->reference};
    flow_add(l, credit, cmd, &c);
}

void decide_hold(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    struct ledger_transfer *t = transfer_entry_of(l, cmd->transfer_id)->t;
    if (hold_repeated(cmd, t)) {
        *out = (struct ledger_result){OUTCOME_DUPLICATE, CODE_EXISTS};
        return;
    }
    enum ledger_code code = check_hold(l, cmd, t);
    if (code != CODE_OK) {
        decision_add(l, cmd, cmd->ordinal, code, NULL, NULL);
        *out = (struct ledger_result){OUTCOME_REJECTED, code};
        return;
    }
    if (t == NULL) { /* empty rollback: remembered, so that a try that comes late freezes nothing */
        t = transfer_remember(l, cmd, TRANSFER_CANCELLED_EMPTY, CODE_OK, NULL);
        decision_add(l, cmd, cmd->ordinal, CODE_OK, t, NULL);
    } else {
        resolve(l, cmd, t);
    }
    *out = (struct ledger_result){OUTCOME_APPLIED, CODE_OK};
}
