/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: opening them, their settings, and moving all into slot 0 when one gets a limit. */
#include <assert.h>
#include <string.h>

#include "ledger/internal.h"

static bool settings_equal(const struct ledger_settings *a, const struct ledger_settings *b)
{
    return a->status == b->status && a->no_negative == b->no_negative && a->credit_only == b->credit_only &&
           a->debit_only == b->debit_only && a->has_max == b->has_max &&
           (!a->has_max || a->max_balance == b->max_balance);
}

static bool settings_contradict(const struct ledger_settings *s)
{
    return (s->credit_only && s->debit_only) || (s->has_max && s->max_balance < 0);
}

static void answer(struct ledger *l, const struct ledger_command *cmd, enum ledger_code code,
                   const struct ledger_account *account, struct ledger_result *out)
{
    decision_add(l, cmd, cmd->ordinal, code, NULL, account);
    *out = (struct ledger_result){code == CODE_OK ? OUTCOME_APPLIED : OUTCOME_REJECTED, code};
}

/* What is there is compared with what is asked for, not with what was: after a change of settings the first opening
 * does not fit any more, and must not be answered as if it did. */
static bool opened_so(const struct ledger_command *cmd, const struct ledger_account *a,
                      const struct ledger_settings *settings)
{
    return a->exists && strcmp(a->currency, cmd->currency) == 0 && a->exponent == cmd->exponent &&
           a->kind == cmd->kind && settings_equal(&a->settings, settings);
}

void decide_open(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    const struct account_entry *ae = table_find(&l->accounts, cmd->debit);
    assert(ae != NULL && ae->slots != NULL); /* wanted, and put */
    struct ledger_account *a = &ae->slots->a;
    struct ledger_settings settings = cmd->settings;
    settings.status = ACCOUNT_OPEN;
    if (opened_so(cmd, a, &settings)) {
        *out = (struct ledger_result){OUTCOME_DUPLICATE, CODE_EXISTS};
        return;
    }
    enum ledger_code code = check_command(l, cmd);
    if (code == CODE_OK && a->exists) {
        code = CODE_ACCOUNT_EXISTS_WITH_DIFFERENT_CONTENT;
    } else if (code == CODE_OK && settings_contradict(&settings)) {
        code = CODE_SETTINGS_CONTRADICT;
    }
    if (code != CODE_OK) {
        answer(l, cmd, code, NULL, out);
        return;
    }
    *a = (struct ledger_account){.account_id = ae->entry.key,
                                 .exists = true,
                                 .created = true,
                                 .currency = ledger_keep(l, cmd->currency),
                                 .exponent = cmd->exponent,
                                 .kind = cmd->kind,
                                 .settings = settings,
                                 .settings_version = 1,
                                 .dirty = true};
    answer(l, cmd, CODE_OK, a, out);
}

static struct ledger_settings settings_after(const struct ledger_command *cmd, const struct ledger_settings *now)
{
    struct ledger_settings s = *now;
    s.status = cmd->settings_mask & SET_STATUS ? cmd->settings.status : s.status;
    s.no_negative = cmd->settings_mask & SET_NO_NEGATIVE ? cmd->settings.no_negative : s.no_negative;
    s.credit_only = cmd->settings_mask & SET_CREDIT_ONLY ? cmd->settings.credit_only : s.credit_only;
    s.debit_only = cmd->settings_mask & SET_DEBIT_ONLY ? cmd->settings.debit_only : s.debit_only;
    if (cmd->settings_mask & SET_MAX) {
        s.has_max = cmd->settings.has_max;
        s.max_balance = cmd->settings.max_balance;
    }
    return s;
}

struct totals {
    int64_t balance, frozen, incoming;
    int64_t available, expected;
};

/* false: the sums leave 64 bits. */
static bool totals_of(const struct slot *slots, struct totals *out)
{
    struct totals t = {0};
    bool over = false;
    for (const struct slot *s = slots; s != NULL; s = s->next) {
        over |= __builtin_add_overflow(t.balance, s->a.balance, &t.balance);
        over |= __builtin_add_overflow(t.frozen, s->a.frozen, &t.frozen);
        over |= __builtin_add_overflow(t.incoming, s->a.incoming, &t.incoming);
    }
    over |= __builtin_sub_overflow(t.balance, t.frozen, &t.available);
    over |= __builtin_add_overflow(t.balance, t.incoming, &t.expected);
    *out = t;
    return !over;
}

/* Without a limit the account may use all its slots, and slot 0 may have no more than its share. */
static bool beyond_share(const struct ledger_account *a, const struct ledger_settings *after)
{
    struct ledger_account then = *a;
    then.settings = *after;
    int64_t share = slot_share(&then);
    int64_t sum = 0;
    return __builtin_sub_overflow(a->balance, a->frozen, &sum) || sum < -share ||
           __builtin_add_overflow(a->balance, a->incoming, &sum) || sum > share || a->frozen > share ||
           a->incoming > share;
}

/* Open holds keep their right: they are confirmed and cancelled whatever is set, so both of their sides count. */
static enum ledger_code check_settings(const struct slot *slots, const struct ledger_settings *after)
{
    const struct ledger_account *a = &slots->a;
    struct totals t;
    if (!a->exists) {
        return CODE_ACCOUNT_NOT_FOUND;
    }
    if (!totals_of(slots, &t) || beyond_share(a, after)) {
        return CODE_OVERFLOW;
    }
    if (a->settings.status == ACCOUNT_CLOSED) {
        return CODE_ACCOUNT_CLOSED;
    }
    if (settings_contradict(after)) {
        return CODE_SETTINGS_CONTRADICT;
    }
    if (after->status == ACCOUNT_CLOSED && (t.balance != 0 || t.frozen != 0 || t.incoming != 0)) {
        return CODE_ACCOUNT_NOT_EMPTY;
    }
    if (after->no_negative && t.available < 0) {
        return CODE_BALANCE_BELOW_LIMIT;
    }
    return after->has_max && t.expected > after->max_balance ? CODE_BALANCE_ABOVE_LIMIT : CODE_OK;
}

/* The store does the same for the holds that are not in this batch. */
static void move_holds(struct ledger *l, const char *account_id)
{
    for (size_t i = 0; i < l->remembered_n; i++) {
        struct ledger_transfer *t = l->remembered[i];
        if (t->state != TRANSFER_HELD) {
            continue;
        }
        if (strcmp(t->debit, account_id) == 0) {
            t->debit_slot = 0;
        }
        if (strcmp(t->credit, account_id) == 0) {
            t->credit_slot = 0;
        }
    }
}

static const char *merge_id(struct ledger *l, const char *event_id)
{
    static const char PREFIX[] = "merge:";
    size_t n = strlen(event_id);
    char *id = arena_alloc(&l->arena, sizeof PREFIX + n);
    memcpy(id, PREFIX, sizeof PREFIX - 1);
    memcpy(id + sizeof PREFIX - 1, event_id, n + 1);
    return id;
}

/* Everything into slot 0, where one row is the account. */
static void merge(struct ledger *l, const struct ledger_command *cmd, struct slot *slots)
{
    struct change to_first = {
        .kind = FLOW_MERGE, .counter_account = slots->a.account_id, .transfer_id = merge_id(l, cmd->event_id)};
    bool moved = false;
    for (struct slot *s = slots->next; s != NULL; s = s->next) {
        if (s->a.balance == 0 && s->a.frozen == 0 && s->a.incoming == 0) {
            continue;
        }
        struct change out = to_first;
        out.amount = -s->a.balance;
        out.frozen = -s->a.frozen;
        out.incoming = -s->a.incoming;
        to_first.amount += s->a.balance;
        to_first.frozen += s->a.frozen;
        to_first.incoming += s->a.incoming;
        flow_add(l, s, cmd, &out);
        moved = true;
    }
    if (moved) {
        flow_add(l, slots, cmd, &to_first);
        slots->a.merged = true;
        move_holds(l, slots->a.account_id);
    }
}

void decide_set(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out)
{
    const struct account_entry *ae = table_find(&l->accounts, cmd->debit);
    assert(ae != NULL && ae->all && ae->slots != NULL && ae->slots->a.slot == 0); /* wanted, and put */
    struct slot *first = ae->slots;
    struct ledger_settings after = settings_after(cmd, &first->a.settings);
    enum ledger_code code = check_command(l, cmd);
    if (code == CODE_OK) {
        code = check_settings(first, &after);
    }
    if (code != CODE_OK) {
        answer(l, cmd, code, NULL, out);
        return;
    }
    if (!settings_equal(&after, &first->a.settings)) {
        if (ledger_limited(&after)) {
            merge(l, cmd, first);
        }
        for (struct slot *s = first; s != NULL; s = s->next) {
            s->a.settings = after;
            s->a.settings_version++;
            s->a.settings_changed = s->a.dirty = true;
        }
    }
    answer(l, cmd, CODE_OK, &first->a, out);
}
