/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many commands whose content follows from their number, against a model that is a few arrays: every answer, every
 * counter, conservation, gapless versions and the hash chain (bank.c counts and hashes again).
 *
 * 100,000 of them; with SLUICE_TEST_LONG=1 a million.
 */
#include "bank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS 100000L
#define COMMANDS_LONG 1000000L
#define EPOCH 5000L /* then all holds are resolved, and what was decided is forgotten */
#define BATCH 100
#define ACCOUNTS 50
#define DOLLARS 44 /* from this account on */

struct account {
    bool floor;      /* no_negative */
    int64_t ceiling; /* 0 = none */
    int64_t balance, frozen, incoming;
};

struct made {
    enum ledger_state state;
    int debit, credit;
    bool dollars;
    int64_t amount, confirmed;
};

struct model {
    struct bank bank;
    struct account accounts[ACCOUNTS];
    struct made made[EPOCH]; /* by number within the epoch */
    long epoch;
    long applied, refused, repeated;
    struct ledger_command cmds[2 * EPOCH];
    struct ledger_result want[2 * EPOCH];
    size_t n;
    struct arena text;
};

static uint64_t mixed(uint64_t i)
{
    uint64_t z = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static const char *name(struct model *m, const char *prefix, long n)
{
    char s[40];
    int len = snprintf(s, sizeof s, "%s%ld", prefix, n);
    return arena_strndup(&m->text, s, (size_t)len);
}

static struct ledger_command *add(struct model *m, struct ledger_command c, enum ledger_outcome outcome,
                                  enum ledger_code code)
{
    bank_hash_content(&c);
    m->cmds[m->n] = c;
    m->want[m->n] = (struct ledger_result){outcome, code};
    m->applied += outcome == OUTCOME_APPLIED;
    m->refused += outcome == OUTCOME_REJECTED;
    m->repeated += outcome == OUTCOME_DUPLICATE;
    return &m->cmds[m->n++];
}

static void run_added(struct model *m)
{
    static struct ledger_result got[2 * EPOCH];
    for (size_t from = 0; from < m->n; from += BATCH) {
        size_t n = m->n - from < BATCH ? m->n - from : BATCH;
        m->bank.any_slot = (int)(mixed((uint64_t)m->epoch + from) % BANK_SLOTS);
        bank_run(&m->bank, m->cmds + from, n, got + from);
    }
    for (size_t i = 0; i < m->n; i++) {
        CHECK(got[i].outcome == m->want[i].outcome && got[i].code == m->want[i].code,
              "epoch %ld: %s %s: answered %d %s, expected %d %s", m->epoch, LEDGER_OP_NAMES[m->cmds[i].op],
              m->cmds[i].transfer_id, got[i].outcome, ledger_code_name(got[i].code), m->want[i].outcome,
              ledger_code_name(m->want[i].code));
    }
    m->n = 0;
}

static void expect_accounts(struct model *m)
{
    int64_t sum = 0;
    for (int i = 0; i < ACCOUNTS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "a%d", i);
        struct ledger_account a = bank_account(&m->bank, id);
        const struct account *want = &m->accounts[i];
        CHECK(a.balance == want->balance && a.frozen == want->frozen && a.incoming == want->incoming, "epoch %ld: %s",
              m->epoch, id);
        sum += a.balance;
    }
    CHECK(sum == 0, "epoch %ld: balances add up to %lld", m->epoch, (long long)sum);
}

/* What the number says: who pays whom how much. */
static struct made content(uint64_t r)
{
    return (struct made){.debit = (int)(r % ACCOUNTS),
                         .credit = (int)(r / ACCOUNTS % ACCOUNTS),
                         .dollars = r >> 20 & 3 ? (int)(r % ACCOUNTS) >= DOLLARS : (r >> 22 & 1) != 0,
                         .amount = (int64_t)(r >> 24 & 127)};
}

static enum ledger_code may_book(const struct model *m, const struct made *t)
{
    const struct account *d = &m->accounts[t->debit];
    const struct account *c = &m->accounts[t->credit];
    if (t->amount <= 0) {
        return CODE_AMOUNT_NOT_POSITIVE;
    }
    if (t->debit == t->credit) {
        return CODE_ACCOUNTS_ARE_THE_SAME;
    }
    if ((t->debit >= DOLLARS) != t->dollars || (t->credit >= DOLLARS) != t->dollars) {
        return CODE_CURRENCY_MISMATCH;
    }
    if (d->floor && d->balance - d->frozen < t->amount) {
        return CODE_INSUFFICIENT_FUNDS;
    }
    return c->ceiling > 0 && c->balance + c->incoming + t->amount > c->ceiling ? CODE_MAXIMUM_EXCEEDED : CODE_OK;
}

static struct ledger_command command_of(struct model *m, const struct made *t, enum ledger_op op, const char *event,
                                        const char *id)
{
    struct ledger_command c = bank_command(op, event, id, name(m, "a", t->debit), name(m, "a", t->credit), t->amount);
    c.currency = t->dollars ? "USD" : "CNY";
    return c;
}

static void book(struct model *m, struct made *t, bool hold)
{
    m->accounts[t->debit].balance -= hold ? 0 : t->amount;
    m->accounts[t->credit].balance += hold ? 0 : t->amount;
    m->accounts[t->debit].frozen += hold ? t->amount : 0;
    m->accounts[t->credit].incoming += hold ? t->amount : 0;
    t->state = hold ? TRANSFER_HELD : TRANSFER_POSTED;
}

static void ask_transfer(struct model *m, long i, uint64_t r, bool hold)
{
    struct made *t = &m->made[i];
    *t = content(r);
    enum ledger_code code = may_book(m, t);
    (void)add(m, command_of(m, t, hold ? OP_TRY : OP_TRANSFER, name(m, "e", i), name(m, "t", i)),
              code == CODE_OK ? OUTCOME_APPLIED : OUTCOME_REJECTED, code);
    if (code == CODE_OK) {
        book(m, t, hold);
    } else {
        t->state = TRANSFER_REJECTED;
    }
}

/* Two to four transfers in a ring or not: the model tries them on a copy. */
static void ask_linked(struct model *m, long i, uint64_t r)
{
    size_t n = 2 + (r >> 40) % 3;
    struct account before[ACCOUNTS];
    struct ledger_command *members = arena_alloc(&m->text, n * sizeof *members);
    enum ledger_code code = CODE_OK;
    memcpy(before, m->accounts, sizeof before);
    for (size_t k = 0; k < n; k++) {
        struct made t = content(mixed(r + k));
        t.dollars = t.debit >= DOLLARS;
        if (code == CODE_OK) {
            code = may_book(m, &t);
        }
        if (code == CODE_OK) {
            book(m, &t, false);
        }
        const char *id = k == 0 ? name(m, "t", i) : name(m, name(m, "t", i), -(long)k);
        members[k] = command_of(m, &t, OP_TRANSFER, name(m, "e", i), id);
        bank_hash_content(&members[k]);
    }
    struct ledger_command c = members[0];
    c.op = OP_LINKED;
    c.members = members;
    c.n_members = n;
    if (code != CODE_OK) {
        memcpy(m->accounts, before, sizeof before);
    }
    m->made[i] =
        (struct made){.state = code == CODE_OK ? TRANSFER_POSTED : TRANSFER_REJECTED, .debit = content(mixed(r)).debit};
    (void)add(m, c, code == CODE_OK ? OUTCOME_APPLIED : OUTCOME_REJECTED, code);
}

static void release(struct model *m, struct made *t, enum ledger_state becomes, int64_t booked)
{
    m->accounts[t->debit].frozen -= t->amount;
    m->accounts[t->credit].incoming -= t->amount;
    m->accounts[t->debit].balance -= booked;
    m->accounts[t->credit].balance += booked;
    t->state = becomes;
    t->confirmed = booked;
}

static struct ledger_result resolved(struct model *m, struct made *t, bool confirm, int64_t part)
{
    int64_t amount = part == 0 ? t->amount : part;
    if (t->state == TRANSFER_HELD && (!confirm || amount <= t->amount)) {
        release(m, t, confirm ? TRANSFER_CONFIRMED : TRANSFER_CANCELLED, confirm ? amount : 0);
        return (struct ledger_result){OUTCOME_APPLIED, CODE_OK};
    }
    if ((t->state == TRANSFER_CANCELLED && !confirm) ||
        (t->state == TRANSFER_CONFIRMED && confirm && amount == t->confirmed)) {
        return (struct ledger_result){OUTCOME_DUPLICATE, CODE_EXISTS};
    }
    return (struct ledger_result){OUTCOME_REJECTED,
                                  t->state == TRANSFER_HELD        ? CODE_AMOUNT_EXCEEDS_HOLD
                                  : t->state == TRANSFER_CANCELLED ? CODE_HOLD_CANCELLED
                                  : t->state == TRANSFER_CONFIRMED
                                      ? (confirm ? CODE_HOLD_CONFIRMED_WITH_DIFFERENT_AMOUNT : CODE_HOLD_CONFIRMED)
                                      : CODE_NOT_A_HOLD};
}

static void ask_hold(struct model *m, long i, long j, uint64_t r)
{
    struct made *t = &m->made[j];
    bool confirm = (r & 3) != 0;
    int64_t part = confirm && r >> 2 & 1 ? 1 + (int64_t)(r >> 3 & 127) : 0;
    struct ledger_result want = resolved(m, t, confirm, part);
    (void)add(m,
              bank_command(confirm ? OP_CONFIRM : OP_CANCEL, name(m, "e", i), name(m, "t", j), name(m, "a", t->debit),
                           "", part),
              want.outcome, want.code);
}

static void ask_again(struct model *m, long i, long j)
{
    struct made *t = &m->made[j];
    struct ledger_command c = m->cmds[j];
    bool refused = t->state == TRANSFER_REJECTED;
    c.event_id = name(m, "e", i);
    if (c.op == OP_LINKED) {
        struct ledger_command *members = arena_alloc(&m->text, c.n_members * sizeof *members);
        memcpy(members, c.members, c.n_members * sizeof *members);
        for (size_t k = 0; k < c.n_members; k++) {
            members[k].event_id = c.event_id;
        }
        c.members = members;
    }
    (void)add(m, c, OUTCOME_DUPLICATE, refused ? CODE_ALREADY_REJECTED : CODE_EXISTS);
}

/* Number i of the epoch; one in three looks back at a number not long ago. */
static void ask(struct model *m, long i)
{
    uint64_t r = mixed((uint64_t)(m->epoch * EPOCH + i));
    uint64_t content_of = mixed(r);
    long j = i - 1 - (long)(content_of % 150);
    bool back = j >= 0 && m->made[j].state != TRANSFER_ABSENT;
    m->made[i] = (struct made){.state = TRANSFER_ABSENT};
    switch (r % 20) {
    case 0:
        ask_linked(m, i, content_of);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
        ask_transfer(m, i, content_of, true);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        if (back) {
            ask_hold(m, i, j, content_of >> 32);
            break;
        }
        ask_transfer(m, i, content_of, false);
        break;
    case 9:
        if (back) {
            ask_again(m, i, j);
            break;
        }
        ask_transfer(m, i, content_of, false);
        break;
    default:
        ask_transfer(m, i, content_of, false);
        break;
    }
}

static void resolve_all(struct model *m)
{
    for (long j = 0; j < EPOCH; j++) {
        struct made *t = &m->made[j];
        if (t->state == TRANSFER_HELD) {
            (void)resolved(m, t, false, 0);
            (void)add(m, bank_command(OP_CANCEL, name(m, "end", j), name(m, "t", j), name(m, "a", t->debit), "", 0),
                      OUTCOME_APPLIED, CODE_OK);
        }
    }
}

static void open_all(struct model *m)
{
    for (int i = 0; i < ACCOUNTS; i++) {
        struct ledger_command c = bank_command(OP_OPEN, name(m, "open", i), "", name(m, "a", i), "", 0);
        struct account *a = &m->accounts[i];
        a->floor = i % 3 == 1;
        a->ceiling = i % 5 == 4 ? 2000 : 0;
        c.currency = i >= DOLLARS ? "USD" : "CNY";
        c.settings.no_negative = a->floor;
        c.settings.has_max = a->ceiling > 0;
        c.settings.max_balance = a->ceiling;
        (void)add(m, c, OUTCOME_APPLIED, CODE_OK);
    }
    run_added(m);
}

Test(ledger_million, every_outcome_follows_from_the_number)
{
    const char *is_long = getenv("SLUICE_TEST_LONG");
    long total = is_long != NULL && is_long[0] == '1' ? COMMANDS_LONG : COMMANDS;
    struct model *m = xcalloc(1, sizeof *m);
    bank_init(&m->bank);
    arena_init(&m->text, 1 << 20);
    open_all(m);
    for (m->epoch = 0; m->epoch < total / EPOCH; m->epoch++) {
        for (long i = 0; i < EPOCH; i++) {
            ask(m, i);
        }
        run_added(m);
        expect_accounts(m);
        bank_check(&m->bank);
        resolve_all(m);
        run_added(m);
        expect_accounts(m);
        bank_forget(&m->bank);
        arena_reset(&m->text);
    }
    cr_log_info("%ld applied, %ld refused, %ld repeated", m->applied, m->refused, m->repeated);
    cr_assert(m->applied > total / 4 && m->refused > total / 20 && m->repeated > total / 100, "%ld, %ld, %ld",
              m->applied, m->refused, m->repeated);
    arena_done(&m->text);
    bank_done(&m->bank);
    free(m);
}
