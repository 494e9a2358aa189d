/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers and tries: first every check, then the booking. */
#include <string.h>

#include "ledger/internal.h"

/* Debit before credit, in the order of code.h. */
static enum ledger_code check_accounts(const struct ledger_command *cmd, const struct slot *debit,
                                       const struct slot *credit)
{
    if (debit == NULL) {
        return CODE_DEBIT_ACCOUNT_NOT_FOUND;
    }
    if (credit == NULL) {
        return CODE_CREDIT_ACCOUNT_NOT_FOUND;
    }
    const struct ledger_settings *d = &debit->a.settings;
    const struct ledger_settings *c = &credit->a.settings;
    if (strcmp(cmd->currency, debit->a.currency) != 0 || strcmp(cmd->currency, credit->a.currency) != 0 ||
        debit->a.exponent != credit->a.exponent || (cmd->has_exponent && cmd->exponent != debit->a.exponent)) {
        return CODE_CURRENCY_MISMATCH;
    }
    if (d->status == ACCOUNT_CLOSED) {
        return CODE_DEBIT_ACCOUNT_CLOSED;
    }
    if (c->status == ACCOUNT_CLOSED) {
        return CODE_CREDIT_ACCOUNT_CLOSED;
    }
    if (d->status == ACCOUNT_FROZEN) {
        return CODE_DEBIT_ACCOUNT_FROZEN;
    }
    if (c->status == ACCOUNT_FROZEN) {
        return CODE_CREDIT_ACCOUNT_FROZEN;
    }
    if (d->credit_only) {
        return CODE_DEBIT_ACCOUNT_CREDIT_ONLY;
    }
    return c->debit_only ? CODE_CREDIT_ACCOUNT_DEBIT_ONLY : CODE_OK;
}

/* slot_share() sees to it that both fit; a row that somebody changed by hand may not. */
static int64_t available(const struct ledger_account *a)
{
    int64_t sum = 0;
    return __builtin_sub_overflow(a->balance, a->frozen, &sum) ? INT64_MIN : sum;
}

static int64_t expected(const struct ledger_account *a)
{
    int64_t sum = 0;
    return __builtin_add_overflow(a->balance, a->incoming, &sum) ? INT64_MAX : sum;
}

static bool exceeds_maximum(const struct ledger_account *a, int64_t amount)
{
    int64_t room = 0;
    if (!a->settings.has_max) {
        return false;
    }
    /* A balance so far below 0 that the room passes 64 bits has room for any amount. */
    return !__builtin_sub_overflow(a->settings.max_balance, expected(a), &room) && amount > room;
}

/* Holds count as if they were confirmed already, so that a confirmation never has to be refused for these. */
static bool sums_overflow(const struct ledger_account *d, const struct ledger_account *c, int64_t amount, bool hold)
{
    int64_t sum = 0;
    if (__builtin_sub_overflow(available(d), amount, &sum) || sum < -slot_share(d)) {
        return true;
    }
    if (__builtin_add_overflow(expected(c), amount, &sum) || sum > slot_share(c)) {
        return true;
    }
    return hold && (__builtin_add_overflow(d->frozen, amount, &sum) || sum > slot_share(d) ||
                    __builtin_add_overflow(c->incoming, amount, &sum) || sum > slot_share(c));
}

static enum ledger_code check_funds(const struct ledger_account *d, const struct ledger_account *c, int64_t amount,
                                    bool hold)
{
    if (d->settings.no_negative && amount > available(d)) {
        return CODE_INSUFFICIENT_FUNDS;
    }
    if (exceeds_maximum(c, amount)) {
        return CODE_MAXIMUM_EXCEEDED;
    }
    return sums_overflow(d, c, amount, hold) ? CODE_OVERFLOW : CODE_OK;
}

enum ledger_code transfer_book(struct ledger *l, const struct ledger_command *cmd, const char *set_id)
{
    bool hold = cmd->op == OP_TRY;
    if (hold && cmd->expires_us != LEDGER_NO_TIME && cmd->issued_us > cmd->expires_us) {
        return CODE_HOLD_EXPIRED;
    }
    struct slot *debit = slot_to_book(l, cmd->debit);
    struct slot *credit = slot_to_book(l, cmd->credit);
    enum ledger_code code = check_accounts(cmd, debit, credit);
    if (code != CODE_OK) {
        return code;
    }
    code = check_funds(&debit->a, &credit->a, cmd->amount, hold);
    if (code != CODE_OK) {
        return code;
    }

    struct ledger_transfer *t = transfer_remember(l, cmd, hold ? TRANSFER_HELD : TRANSFER_POSTED, CODE_OK, set_id);
    t->debit_slot = debit->a.slot;
    t->credit_slot = credit->a.slot;
    struct change c = {.kind = hold ? FLOW_HOLD : FLOW_POST,
                       .amount = hold ? 0 : -t->amount,
                       .frozen = hold ? t->amount : 0,
                       .counter_account = t->credit,
                       .transfer_id = t->transfer_id,
                       .reference = t->reference,
                       .decided = t};
    flow_add(l, debit, cmd, &c);
    c = (struct change){.kind = c.kind,
                        .amount = hold ? 0 : t->amount,
                        .incoming = hold ? t->amount : 0,
                        .counter_account = t->debit,
                        .transfer_id = t->transfer_id,
                        .reference = t->reference};
    flow_add(l, credit, cmd, &c);
    return CODE_OK;
}

void decide_transfer(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    const struct ledger_transfer *t = transfer_entry_of(l, cmd->transfer_id)->t;
    if (transfer_repeated(cmd, t, NULL)) { /* before any reason is looked for: what was answered then holds */
        *out = (struct ledger_result){OUTCOME_DUPLICATE,
                                      t->state == TRANSFER_REJECTED ? CODE_ALREADY_REJECTED : CODE_EXISTS};
        return;
    }
    enum ledger_code code = check_command(l, cmd);
    if (code == CODE_OK) {
        code = check_id(cmd, t);
    }
    if (code == CODE_OK) {
        code = transfer_book(l, cmd, NULL);
    }
    if (code == CODE_OK) {
        *out = (struct ledger_result){OUTCOME_APPLIED, CODE_OK};
        return;
    }
    *out = (struct ledger_result){OUTCOME_REJECTED, code};
    if (cmd->forgets_refusal) {
        return;
    }
    const struct ledger_transfer *refused = t == NULL ? transfer_remember(l, cmd, TRANSFER_REJECTED, code, NULL) : NULL;
    decision_add(l, cmd, cmd->ordinal, code, refused, NULL);
}
