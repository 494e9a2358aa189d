/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory. */
#include "bank.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct event_row {
    int ordinal;
    bool applied;
    enum ledger_code code;
    struct event_row *next;
};

struct bank_event {
    struct table_entry entry;
    struct event_row *rows;
};

void bank_init(struct bank *b)
{
    *b = (struct bank){.l = ledger_create(), .now_us = BANK_NOW_US, .watch = true};
    arena_init(&b->arena, 1 << 16);
    arena_init(&b->passing, 1 << 20);
    table_init(&b->accounts, HASH_START);
    table_init(&b->transfers, HASH_START);
    table_init(&b->events, HASH_START);
}

void bank_done(struct bank *b)
{
    b->l = ledger_free(b->l);
    table_done(&b->accounts);
    table_done(&b->transfers);
    table_done(&b->events);
    arena_done(&b->arena);
    arena_done(&b->passing);
    free(b->before);
}

void bank_forget(struct bank *b)
{
    table_reset(&b->transfers);
    table_reset(&b->events);
    arena_reset(&b->passing);
}

static const char *keep(struct bank *b, const char *s)
{
    return s == NULL ? NULL : arena_strndup(&b->passing, s, strlen(s));
}

const struct ledger_transfer *bank_transfer(const struct bank *b, const char *id)
{
    const struct bank_transfer *bt = table_find(&b->transfers, id);
    return bt == NULL || !bt->there ? NULL : &bt->t;
}

const struct ledger_account *bank_slot(const struct bank *b, const char *id, int slot)
{
    const struct bank_account *ba = table_find(&b->accounts, id);
    return ba == NULL || !ba->slots[slot].exists ? NULL : &ba->slots[slot];
}

struct ledger_account bank_account(const struct bank *b, const char *id)
{
    struct ledger_account sum = {.account_id = id};
    for (int i = 0; i < BANK_SLOTS; i++) {
        const struct ledger_account *a = bank_slot(b, id, i);
        if (a != NULL && i == 0) {
            sum = *a;
        } else if (a != NULL) {
            sum.balance += a->balance;
            sum.frozen += a->frozen;
            sum.incoming += a->incoming;
            sum.version += a->version;
        }
    }
    return sum;
}

static void put_transfers(struct bank *b)
{
    const char *const *ids = NULL;
    size_t n = ledger_wanted_transfers(b->l, &ids);
    for (size_t i = 0; i < n; i++) {
        CHECK(i == 0 || strcmp(ids[i - 1], ids[i]) < 0, "transfers are asked for out of order");
        const struct ledger_transfer *t = bank_transfer(b, ids[i]);
        if (t != NULL) {
            ledger_put_transfer(b->l, t);
        }
    }
    n = ledger_wanted_events(b->l, &ids);
    for (size_t i = 0; i < n; i++) {
        CHECK(i == 0 || strcmp(ids[i - 1], ids[i]) < 0, "events are asked for out of order");
        const struct bank_event *e = table_find(&b->events, ids[i]);
        for (const struct event_row *row = e == NULL ? NULL : e->rows; row != NULL; row = row->next) {
            ledger_put_decided(b->l, ids[i], row->ordinal, row->applied, row->code);
        }
    }
}

static void put_account(struct bank *b, const struct ledger_want_account *w)
{
    const struct bank_account *ba = table_find(&b->accounts, w->account_id);
    if (ba == NULL) {
        ledger_put_account(b->l, &(struct ledger_account){.account_id = w->account_id});
        return;
    }
    if (w->slot == LEDGER_ALL_SLOTS) {
        for (int i = BANK_SLOTS; i-- > 0;) {
            if (ba->slots[i].exists) {
                ledger_put_account(b->l, &ba->slots[i]);
            }
        }
        return;
    }
    bool limited = ledger_limited(&ba->slots[0].settings);
    int slot = w->slot != LEDGER_ANY_SLOT ? w->slot : limited ? 0 : b->any_slot;
    CHECK(slot == 0 || !limited, "a hold names slot %d of %s, which is limited", slot, w->account_id);
    struct ledger_account a = ba->slots[slot];
    if (!a.exists) {
        a = ba->slots[0];
        a.slot = slot;
        a.created = true;
        a.balance = a.frozen = a.incoming = a.version = 0;
        memset(a.hash, 0, sizeof a.hash);
    }
    ledger_put_account(b->l, &a);
}

static void put_accounts(struct bank *b)
{
    const struct ledger_want_account *wants = NULL;
    size_t n = ledger_wanted_accounts(b->l, &wants);
    for (size_t i = 0; i < n; i++) {
        int order = i == 0 ? -1 : strcmp(wants[i - 1].account_id, wants[i].account_id);
        CHECK(order < 0 || (order == 0 && wants[i - 1].slot >= 0 && wants[i - 1].slot < wants[i].slot),
              "accounts are asked for out of order");
        put_account(b, &wants[i]);
    }
}

/* The counters of everything in the batch: bytes that a refusal must not change. */
static void note_accounts(struct bank *b)
{
    size_t n = ledger_accounts_n(b->l);
    if (n > b->before_cap) {
        b->before_cap = n * 2;
        b->before = xrealloc(b->before, b->before_cap * sizeof *b->before);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&b->before[i], ledger_account_at(b->l, i), sizeof *b->before);
    }
}

static void expect_unmoved(const struct bank *b, const struct ledger_command *cmd)
{
    for (size_t i = 0; i < ledger_accounts_n(b->l); i++) {
        CHECK(memcmp(&b->before[i], ledger_account_at(b->l, i), sizeof *b->before) == 0,
              "%s %s was not applied and changed account %s", LEDGER_OP_NAMES[cmd->op], cmd->transfer_id,
              b->before[i].account_id);
    }
}

static void decide(struct bank *b, const struct ledger_command *cmd, struct ledger_result *out)
{
    const struct ledger_flow *flows = NULL;
    const struct ledger_decision *decisions = NULL;
    size_t flows_n = ledger_flows(b->l, &flows);
    size_t decisions_n = ledger_decisions(b->l, &decisions);
    if (b->watch) {
        note_accounts(b);
    }
    *out = (struct ledger_result){OUTCOME_APPLIED, LEDGER_CODES};
    ledger_decide(b->l, cmd, out);
    flows_n = ledger_flows(b->l, &flows) - flows_n;
    decisions_n = ledger_decisions(b->l, &decisions) - decisions_n;
    size_t commands = cmd->op == OP_LINKED ? cmd->n_members : 1;
    switch (out->outcome) {
    case OUTCOME_APPLIED:
        CHECK(out->code == CODE_OK, "applied with %s", ledger_code_name(out->code));
        CHECK(flows_n + decisions_n > 0, "applied without a trace");
        return;
    case OUTCOME_DUPLICATE:
        CHECK(out->code != CODE_OK && flows_n == 0 && decisions_n == 0, "a repetition left a trace");
        break;
    case OUTCOME_REJECTED:
        CHECK(out->code != CODE_OK && flows_n == 0, "refused with %zu flows", flows_n);
        CHECK(decisions_n == commands, "refused with %zu decisions", decisions_n);
        break;
    }
    if (b->watch) {
        expect_unmoved(b, cmd);
    }
}

/* sha256 of what 006_ledger.sql says, written once more. */
static void hash_again(const unsigned char before[LEDGER_HASH_BYTES], const struct ledger_account *a,
                       const struct ledger_flow *f, unsigned char out[LEDGER_HASH_BYTES])
{
    char text[2048];
    memcpy(text, before, LEDGER_HASH_BYTES);
    int n = snprintf(text + LEDGER_HASH_BYTES, sizeof text - LEDGER_HASH_BYTES,
                     "%s|%d|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64
                     "|%s|%s|%s|%" PRId64,
                     a->account_id, a->slot, f->version, f->amount, f->balance_after, f->frozen_delta, f->frozen_after,
                     f->incoming_delta, f->incoming_after, LEDGER_FLOW_KIND_NAMES[f->kind], f->transfer_id, f->event_id,
                     f->effective_us);
    CHECK(EVP_Digest(text, LEDGER_HASH_BYTES + (size_t)n, out, NULL, EVP_sha256(), NULL) == 1, "no SHA-256");
}

static struct ledger_account *stored(struct bank *b, const struct ledger_account *a)
{
    struct bank_account *ba = table_get(&b->accounts, &b->arena, a->account_id, sizeof *ba);
    CHECK(a->slot >= 0 && a->slot < BANK_SLOTS, "slot %d", a->slot);
    return &ba->slots[a->slot];
}

/* Walks the flows over what is stored: afterwards the stored counters are what the flows say, and nothing else. */
static void store_flows(struct bank *b)
{
    const struct ledger_flow *flows = NULL;
    size_t n = ledger_flows(b->l, &flows);
    for (size_t i = 0; i < n; i++) {
        const struct ledger_flow *f = &flows[i];
        const struct ledger_account *a = ledger_account_at(b->l, f->account);
        struct ledger_account *s = stored(b, a);
        unsigned char hash[LEDGER_HASH_BYTES];
        s->balance += f->amount;
        s->frozen += f->frozen_delta;
        s->incoming += f->incoming_delta;
        CHECK(f->version == ++s->version, "a gap in %s at %" PRId64, a->account_id, f->version);
        CHECK(f->balance_after == s->balance && f->frozen_after == s->frozen && f->incoming_after == s->incoming,
              "running counters of %s", a->account_id);
        hash_again(s->hash, a, f, hash);
        CHECK(memcmp(hash, f->hash, sizeof hash) == 0, "hash of %s %" PRId64, a->account_id, f->version);
        memcpy(s->hash, hash, sizeof hash);
        if (f->kind != FLOW_MERGE) {
            bool debit = f->decided != NULL && strcmp(f->decided->debit, a->account_id) == 0;
            CHECK(f->decided == NULL || debit, "a decision on the credit's flow");
            CHECK(debit !=
                      (i > 0 && flows[i - 1].decided != NULL && strcmp(flows[i - 1].transfer_id, f->transfer_id) == 0 &&
                       flows[i - 1].kind == f->kind && flows[i - 1].decided->credit != NULL &&
                       strcmp(flows[i - 1].decided->credit, a->account_id) == 0),
                  "debit and credit do not alternate");
        }
    }
}

static void move_holds(struct bank *b, const char *account_id)
{
    for (size_t i = 0; i < b->transfers.n; i++) {
        struct bank_transfer *bt = (struct bank_transfer *)(void *)b->transfers.all[i];
        if (bt->there && bt->t.state == TRANSFER_HELD) {
            bt->t.debit_slot = strcmp(bt->t.debit, account_id) == 0 ? 0 : bt->t.debit_slot;
            bt->t.credit_slot = strcmp(bt->t.credit, account_id) == 0 ? 0 : bt->t.credit_slot;
        }
    }
}

static void store_accounts(struct bank *b)
{
    for (size_t i = 0; i < ledger_accounts_n(b->l); i++) {
        const struct ledger_account *a = ledger_account_at(b->l, i);
        if (!a->exists || (a->created && !a->dirty)) {
            continue;
        }
        struct ledger_account *s = stored(b, a);
        CHECK(s->exists != a->created, "account %s is %s", a->account_id, s->exists ? "there" : "not there");
        CHECK(s->balance == a->balance && s->frozen == a->frozen && s->incoming == a->incoming &&
                  s->version == a->version && memcmp(s->hash, a->hash, sizeof s->hash) == 0,
              "account %s is not what its flows say", a->account_id);
        CHECK(!a->settings_changed || a->settings_version == s->settings_version + 1 || a->created ||
                  a->settings_version > s->settings_version,
              "version of settings");
        CHECK(a->dirty || a->settings_version == s->settings_version, "not dirty, but changed");
        if (!a->dirty) {
            continue;
        }
        const struct bank_account *ba = table_find(&b->accounts, a->account_id);
        struct ledger_account copy = *a;
        copy.account_id = ba->entry.key;
        copy.currency = arena_strndup(&b->arena, a->currency, strlen(a->currency));
        copy.created = copy.dirty = copy.settings_changed = copy.merged = false;
        *s = copy;
    }
    for (size_t i = 0; i < ledger_accounts_n(b->l); i++) {
        if (ledger_account_at(b->l, i)->merged) {
            move_holds(b, ledger_account_at(b->l, i)->account_id);
        }
    }
}

static void store_transfers(struct bank *b)
{
    for (size_t i = 0; i < ledger_transfers_n(b->l); i++) {
        const struct ledger_transfer *t = ledger_transfer_at(b->l, i);
        struct bank_transfer *bt = table_get(&b->transfers, &b->passing, t->transfer_id, sizeof *bt);
        CHECK(t->version_read == (bt->there ? bt->t.version : 0), "compare-and-set of %s", t->transfer_id);
        if (!t->dirty) {
            CHECK(bt->there && t->state == bt->t.state && t->version == bt->t.version, "%s is not dirty",
                  t->transfer_id);
            continue;
        }
        CHECK(!bt->there || (bt->t.state == TRANSFER_HELD && t->version == bt->t.version + 1), "%s was not open",
              t->transfer_id);
        bt->there = true;
        bt->t = *t;
        bt->t.transfer_id = bt->entry.key;
        bt->t.debit = keep(b, t->debit);
        bt->t.credit = keep(b, t->credit);
        bt->t.currency = keep(b, t->currency);
        bt->t.reference = keep(b, t->reference);
        bt->t.caller = keep(b, t->caller);
        bt->t.set_id = keep(b, t->set_id);
        bt->t.event_id = keep(b, t->event_id);
    }
}

static void store_decisions(struct bank *b)
{
    const struct ledger_decision *decisions = NULL;
    size_t n = ledger_decisions(b->l, &decisions);
    for (size_t i = 0; i < n; i++) {
        const struct ledger_decision *d = &decisions[i];
        struct bank_event *e = table_get(&b->events, &b->passing, d->event_id, sizeof *e);
        for (const struct event_row *row = e->rows; row != NULL; row = row->next) {
            CHECK(row->ordinal != d->ordinal, "event %s, %d has two decisions", d->event_id, d->ordinal);
        }
        CHECK(d->applied == (d->code == CODE_OK), "decision of %s", d->event_id);
        CHECK(d->decided == NULL || strcmp(d->decided->transfer_id, d->transfer_id) == 0, "decided is another one");
        struct event_row *row = arena_alloc(&b->passing, sizeof *row);
        *row = (struct event_row){.ordinal = d->ordinal, .applied = d->applied, .code = d->code, .next = e->rows};
        e->rows = row;
    }
}

void bank_run(struct bank *b, const struct ledger_command *commands, size_t n, struct ledger_result *results)
{
    struct err err;
    ledger_begin(b->l, b->now_us);
    for (size_t i = 0; i < n; i++) {
        ledger_want(b->l, &commands[i]);
    }
    put_transfers(b);
    put_accounts(b);
    for (size_t i = 0; i < n; i++) {
        decide(b, &commands[i], &results[i]);
    }
    enum rc rc = ledger_seal(b->l, &err);
    CHECK(rc == RC_OK, "seal: %s", err.text);
    store_flows(b);
    store_accounts(b);
    store_transfers(b);
    store_decisions(b);
}

static void held_by_transfers(const struct bank *b, const char *id, int slot, int64_t *out_frozen,
                              int64_t *out_incoming)
{
    for (size_t i = 0; i < b->transfers.n; i++) {
        const struct bank_transfer *bt = (const struct bank_transfer *)(const void *)b->transfers.all[i];
        if (bt->there && bt->t.state == TRANSFER_HELD) {
            *out_frozen += strcmp(bt->t.debit, id) == 0 && bt->t.debit_slot == slot ? bt->t.amount : 0;
            *out_incoming += strcmp(bt->t.credit, id) == 0 && bt->t.credit_slot == slot ? bt->t.amount : 0;
        }
    }
}

void bank_check(struct bank *b)
{
    uint64_t total = 0; /* every batch was balanced by currency; here all of them together, modulo 64 bits */
    for (size_t i = 0; i < b->accounts.n; i++) {
        const struct bank_account *ba = (const struct bank_account *)(const void *)b->accounts.all[i];
        for (int slot = 0; slot < BANK_SLOTS; slot++) {
            const struct ledger_account *a = &ba->slots[slot];
            int64_t frozen = 0;
            int64_t incoming = 0;
            if (!a->exists) {
                continue;
            }
            held_by_transfers(b, a->account_id, slot, &frozen, &incoming);
            CHECK(a->frozen == frozen && a->incoming == incoming, "holds of %s, slot %d: %" PRId64 " and %" PRId64,
                  a->account_id, slot, frozen, incoming);
            CHECK(!a->settings.no_negative || a->balance >= a->frozen, "%s is below 0", a->account_id);
            CHECK(!a->settings.has_max || a->balance <= a->settings.max_balance - a->incoming,
                  "%s is above its maximum", a->account_id);
            total += (uint64_t)a->balance;
        }
    }
    CHECK(total == 0, "balances add up to %" PRId64, (int64_t)total);
}

struct ledger_command bank_command(enum ledger_op op, const char *event_id, const char *transfer_id, const char *debit,
                                   const char *credit, int64_t amount)
{
    return (struct ledger_command){
        .op = op,
        .event_id = event_id,
        .caller = "shop",
        .transfer_id = transfer_id,
        .debit = debit,
        .credit = credit,
        .currency = op == OP_TRANSFER || op == OP_TRY || op == OP_OPEN ? "CNY" : "",
        .amount = amount,
        .has_amount = op == OP_CONFIRM && amount != 0,
        .issued_us = BANK_NOW_US,
        .effective_us = LEDGER_NO_TIME,
        .expires_us = LEDGER_NO_TIME,
        .exponent = 2,
    };
}

void bank_hash_content(struct ledger_command *cmd)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%d %s %s %s %s %" PRId64 " %d %" PRId64 " %" PRId64, (int)cmd->op, cmd->debit,
                     cmd->credit, cmd->currency, cmd->reference == NULL ? "" : cmd->reference, cmd->amount,
                     (int)cmd->has_amount, cmd->effective_us, cmd->expires_us);
    uint64_t h = hash_bytes(HASH_START, text, (size_t)n);
    memcpy(cmd->content_hash, &h, sizeof h);
}
