/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 100,000 refused commands, in states that chance has made, for every reason there is: no account may differ by a byte.
 * The store in memory compares all accounts of the batch around each command, and what is stored with what the flows
 * say.
 *
 * SLUICE_TEST_SEED=N: another walk.
 */
#include "bank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSALS 100000
#define ROUNDS 100
#define BATCH_MAX 20
#define NAMES 14
#define MEMBERS_MAX 4
#define LAST 32
#define EACH_AT_LEAST 15

struct walk {
    struct bank bank;
    uint64_t random;
    long refused, repeated, applied;
    long of[LEDGER_CODES];
    long ids, events;
    struct ledger_command last[LAST];
    long lasts;
    struct arena text; /* of the round */
};

static uint64_t next(struct walk *w)
{
    w->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = w->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static int64_t below(struct walk *w, int64_t n)
{
    return (int64_t)(next(w) % (uint64_t)n);
}

static bool chance(struct walk *w, int percent)
{
    return below(w, 100) < percent;
}

static const char *text(struct walk *w, const char *prefix, long n)
{
    char s[32];
    int len = snprintf(s, sizeof s, "%s%ld", prefix, n);
    return arena_strndup(&w->text, s, (size_t)len);
}

/* One of the last ids, or a new one: so that most are about something that is there. */
static const char *some_id(struct walk *w)
{
    if (w->ids == 0 || chance(w, 35)) {
        return text(w, "t", w->ids++);
    }
    int64_t back = below(w, w->ids < 30 ? w->ids : 30);
    return text(w, "t", w->ids - 1 - (long)back);
}

static const char *some_event(struct walk *w)
{
    return chance(w, 95) || w->events == 0 ? text(w, "e", w->events++) : text(w, "e", (long)below(w, w->events));
}

static const char *some_account(struct walk *w)
{
    return text(w, "a", (long)below(w, NAMES + 1)); /* the last one is never opened */
}

static int64_t some_amount(struct walk *w)
{
    switch (below(w, 24)) {
    case 0:
        return 0;
    case 1:
        return -below(w, 100) - 1;
    case 2:
        return INT64_MAX - below(w, 3);
    case 3:
        return (INT64_C(1) << (20 + below(w, 43))) - below(w, 2);
    default:
        return 1 + below(w, 200);
    }
}

static int64_t some_time(struct walk *w)
{
    static const int64_t DAY_US = 86400 * BANK_SECOND_US;
    return chance(w, 96) ? BANK_NOW_US + below(w, 100) * BANK_SECOND_US
                         : BANK_NOW_US + (below(w, 1000) - 100) * DAY_US * (chance(w, 50) ? 1 : 100);
}

static void some_settings(struct walk *w, struct ledger_command *c)
{
    c->settings_mask = 1 + (unsigned)below(w, 31);
    c->settings.status = chance(w, 80) ? ACCOUNT_OPEN : chance(w, 85) ? ACCOUNT_FROZEN : ACCOUNT_CLOSED;
    c->settings.no_negative = chance(w, 30);
    c->settings.credit_only = chance(w, 15);
    c->settings.debit_only = chance(w, 15);
    c->settings.has_max = chance(w, 30);
    c->settings.max_balance = c->settings.has_max ? some_amount(w) : 0;
}

static enum ledger_op some_op(struct walk *w)
{
    static const enum ledger_op OPS[] = {OP_TRANSFER, OP_TRANSFER, OP_TRY,    OP_TRY,    OP_TRY, OP_CONFIRM,
                                         OP_CONFIRM,  OP_CONFIRM,  OP_CANCEL, OP_EXPIRE, OP_SET, OP_OPEN};
    return OPS[below(w, ARRAY_SIZE(OPS))];
}

static struct ledger_command some_command(struct walk *w, enum ledger_op op)
{
    bool of_account = op == OP_OPEN || op == OP_SET;
    bool books = op == OP_TRANSFER || op == OP_TRY;
    struct ledger_command c = bank_command(op, some_event(w), of_account ? "" : some_id(w), some_account(w),
                                           books ? some_account(w) : "", books || chance(w, 40) ? some_amount(w) : 0);
    if (op == OP_CONFIRM || op == OP_CANCEL || op == OP_EXPIRE) { /* mostly the right account */
        const struct ledger_transfer *t = bank_transfer(&w->bank, c.transfer_id);
        c.debit = t != NULL && chance(w, 80) ? t->debit : c.debit;
    }
    if (op == OP_CONFIRM && c.has_amount && chance(w, 70)) {
        c.amount = 1 + below(w, 20);
    }
    c.has_amount = op == OP_CONFIRM && c.has_amount;
    c.caller = chance(w, 80) ? "shop" : chance(w, 50) ? "" : "other";
    if (books || op == OP_OPEN) {
        c.currency = chance(w, 95) ? "CNY" : "USD";
    }
    c.issued_us = some_time(w);
    c.effective_us = chance(w, 90) ? LEDGER_NO_TIME : some_time(w);
    c.expires_us = op == OP_TRY && chance(w, 60) ? some_time(w) : LEDGER_NO_TIME;
    if (of_account) {
        some_settings(w, &c);
    }
    bank_hash_content(&c);
    return c;
}

static struct ledger_command some_set(struct walk *w)
{
    struct ledger_command *members = arena_alloc(&w->text, MEMBERS_MAX * sizeof *members);
    struct ledger_command c = some_command(w, OP_TRANSFER);
    c.op = OP_LINKED;
    c.n_members = 2 + (size_t)below(w, MEMBERS_MAX - 1);
    for (size_t i = 0; i < c.n_members; i++) {
        members[i] = some_command(w, OP_TRANSFER);
        members[i].event_id = c.event_id;
    }
    c.transfer_id = members[0].transfer_id;
    c.debit = members[0].debit;
    c.members = members;
    return c;
}

/* Accounts of every sort, and money in them. */
static void begin(struct walk *w)
{
    struct ledger_command cmds[2 * NAMES];
    struct ledger_result results[2 * NAMES];
    size_t n = 0;
    bank_init(&w->bank);
    w->ids = w->events = w->lasts = 0;
    arena_reset(&w->text);
    for (long i = 0; i < NAMES; i++) {
        struct ledger_command *c = &cmds[n++];
        *c = bank_command(OP_OPEN, text(w, "open", i), "", text(w, "a", i), "", 0);
        c->currency = i == 0 ? "USD" : "CNY";
        c->settings.no_negative = i % 3 == 0;
        c->settings.has_max = i % 4 == 1;
        c->settings.max_balance = 1000;
    }
    for (long i = 3; i < NAMES; i++) {
        struct ledger_command *c = &cmds[n++];
        *c = bank_command(OP_TRANSFER, text(w, "fund", i), text(w, "fund", i), "a2", text(w, "a", i), 500);
        bank_hash_content(c);
    }
    cmds[n] = bank_command(OP_SET, "close", "", "a1", "", 0);
    cmds[n].settings_mask = SET_STATUS;
    cmds[n++].settings.status = ACCOUNT_CLOSED;
    bank_run(&w->bank, cmds, n, results);
}

/* One of the last commands, in another record. */
static struct ledger_command some_again(struct walk *w)
{
    struct ledger_command c = w->last[below(w, w->lasts < LAST ? w->lasts : LAST)];
    c.event_id = some_event(w);
    struct ledger_command *members = arena_alloc(&w->text, MEMBERS_MAX * sizeof *members);
    for (size_t i = 0; i < c.n_members; i++) {
        members[i] = c.members[i];
        members[i].event_id = c.event_id;
    }
    c.members = members;
    return c;
}

static struct ledger_command some(struct walk *w)
{
    if (w->lasts > 0 && chance(w, 10)) {
        return some_again(w);
    }
    struct ledger_command c = chance(w, 8) ? some_set(w) : some_command(w, some_op(w));
    w->last[w->lasts++ % LAST] = c;
    return c;
}

static void one_batch(struct walk *w)
{
    struct ledger_command cmds[BATCH_MAX];
    struct ledger_result results[BATCH_MAX];
    size_t n = 1 + (size_t)below(w, BATCH_MAX);
    w->bank.any_slot = (int)below(w, BANK_SLOTS);
    for (size_t i = 0; i < n; i++) {
        cmds[i] = some(w);
    }
    bank_run(&w->bank, cmds, n, results);
    for (size_t i = 0; i < n; i++) {
        w->refused += results[i].outcome == OUTCOME_REJECTED;
        w->repeated += results[i].outcome == OUTCOME_DUPLICATE;
        w->applied += results[i].outcome == OUTCOME_APPLIED;
        w->of[results[i].code]++;
    }
}

Test(ledger_refusal, a_refused_command_changes_no_byte_of_any_account)
{
    const char *seed = getenv("SLUICE_TEST_SEED");
    struct walk w = {.random = seed == NULL ? 5 : strtoull(seed, NULL, 10)};
    arena_init(&w.text, 1 << 16);
    for (long round = 1; round <= ROUNDS; round++) {
        begin(&w);
        while (w.refused < round * (REFUSALS / ROUNDS)) {
            one_batch(&w);
        }
        bank_check(&w.bank);
        bank_done(&w.bank);
    }
    arena_done(&w.text);
    cr_log_info("%ld refused, %ld applied, %ld repeated", w.refused, w.applied, w.repeated);
    cr_assert(w.refused >= REFUSALS && w.applied > REFUSALS / 20 && w.repeated > 100);
    for (int code = CODE_OK + 1; code < LEDGER_CODES; code++) {
        /* linked_failed is the code of members, not of a command */
        cr_assert(code == CODE_LINKED_FAILED || w.of[code] >= EACH_AT_LEAST, "%s came %ld times",
                  ledger_code_name((enum ledger_code)code), w.of[code]);
    }
}
