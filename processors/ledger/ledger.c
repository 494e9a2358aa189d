/* SPDX-License-Identifier: Apache-2.0 */
/* The batch in memory: what it wants, what was put, what came out. */
#include "ledger/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "ledger/internal.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define ROOM_FIRST 64

struct ledger *ledger_create(void)
{
    struct ledger *l = xcalloc(1, sizeof *l);
    uint64_t secret = 0;
    /* A hash that is known in advance could be flooded with equal places; without the secret it still is correct. */
    if (getrandom(&secret, sizeof secret, 0) != (ssize_t)sizeof secret) {
        secret = (uint64_t)(uintptr_t)l;
    }
    uint64_t seed = hash_bytes(HASH_START, &secret, sizeof secret);
    arena_init(&l->arena, CHUNK_BYTES);
    table_init(&l->accounts, seed);
    table_init(&l->transfers, seed);
    table_init(&l->events, seed);
    return l;
}

struct ledger *ledger_free(struct ledger *l)
{
    if (l == NULL) {
        return NULL;
    }
    table_done(&l->accounts);
    table_done(&l->transfers);
    table_done(&l->events);
    arena_done(&l->arena);
    free(l->slots);
    free(l->remembered);
    free(l->flows);
    free(l->decisions);
    free(l->wants);
    free(l->undos);
    free(l->ids);
    free(l->want_accounts);
    free(l);
    return NULL;
}

void ledger_begin(struct ledger *l, int64_t now_us)
{
    table_reset(&l->accounts);
    table_reset(&l->transfers);
    table_reset(&l->events);
    arena_reset(&l->arena);
    l->slots_n = l->remembered_n = l->flows_n = l->decisions_n = l->wants_n = l->undos_n = 0;
    l->undoing = false;
    l->sealed = false;
    l->now_us = now_us;
}

void *ledger_room(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) {
        return array;
    }
    *cap = *cap == 0 ? ROOM_FIRST : *cap * 2;
    return xrealloc(array, *cap * size);
}

const char *ledger_keep(struct ledger *l, const char *s)
{
    return s == NULL ? NULL : arena_strndup(&l->arena, s, strlen(s));
}

static struct account_entry *account_get(struct ledger *l, const char *account_id)
{
    return table_get(&l->accounts, &l->arena, account_id, sizeof(struct account_entry));
}

static void want_one(struct ledger *l, const struct ledger_command *cmd)
{
    struct transfer_entry *transfer = NULL;
    if (cmd->op != OP_OPEN && cmd->op != OP_SET) {
        transfer = table_get(&l->transfers, &l->arena, cmd->transfer_id, sizeof *transfer);
    }
    l->wants = ledger_room(l->wants, l->wants_n, &l->wants_cap, sizeof *l->wants);
    l->wants[l->wants_n++] = (struct want){.op = cmd->op,
                                           .transfer = transfer,
                                           .debit = ledger_keep(l, cmd->debit),
                                           .credit = ledger_keep(l, cmd->credit)};
}

void ledger_want(struct ledger *l, const struct ledger_command *cmd)
{
    (void)table_get(&l->events, &l->arena, cmd->event_id, sizeof(struct event_entry));
    if (cmd->op != OP_LINKED) {
        want_one(l, cmd);
        return;
    }
    for (size_t i = 0; i < cmd->n_members; i++) {
        want_one(l, &cmd->members[i]);
    }
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t keys_sorted(struct ledger *l, const struct table *t, const char *const **out_ids)
{
    while (l->ids_cap < t->n) {
        l->ids = ledger_room(l->ids, l->ids_cap, &l->ids_cap, sizeof *l->ids);
    }
    for (size_t i = 0; i < t->n; i++) {
        l->ids[i] = t->all[i]->key;
    }
    if (t->n > 1) {
        qsort(l->ids, t->n, sizeof *l->ids, by_bytes);
    }
    *out_ids = l->ids;
    return t->n;
}

size_t ledger_wanted_transfers(struct ledger *l, const char *const **out_ids)
{
    return keys_sorted(l, &l->transfers, out_ids);
}

size_t ledger_wanted_events(struct ledger *l, const char *const **out_ids)
{
    return keys_sorted(l, &l->events, out_ids);
}

void ledger_put_transfer(struct ledger *l, const struct ledger_transfer *t)
{
    struct transfer_entry *te = table_find(&l->transfers, t->transfer_id);
    assert(te != NULL && te->t == NULL);
    struct ledger_transfer *mine = arena_alloc(&l->arena, sizeof *mine);
    *mine = *t;
    mine->transfer_id = te->entry.key;
    mine->debit = ledger_keep(l, t->debit);
    mine->credit = ledger_keep(l, t->credit);
    mine->currency = ledger_keep(l, t->currency);
    mine->reference = ledger_keep(l, t->reference);
    mine->caller = ledger_keep(l, t->caller);
    mine->set_id = ledger_keep(l, t->set_id);
    mine->event_id = ledger_keep(l, t->event_id);
    mine->version_read = t->version;
    mine->dirty = false;
    l->remembered = ledger_room(l->remembered, l->remembered_n, &l->remembered_cap, sizeof *l->remembered);
    l->remembered[l->remembered_n++] = mine;
    te->t = mine;
}

void ledger_put_decided(struct ledger *l, const char *event_id, int ordinal, bool applied, enum ledger_code code)
{
    struct event_entry *e = table_find(&l->events, event_id);
    assert(e != NULL);
    struct decided *d = arena_alloc(&l->arena, sizeof *d);
    *d = (struct decided){.ordinal = ordinal, .applied = applied, .code = code, .next = e->decided};
    e->decided = d;
}

static void want_particular(struct ledger *l, const char *account_id, int slot)
{
    struct account_entry *ae = account_get(l, account_id);
    struct slot_want **at = &ae->particular;
    while (*at != NULL && (*at)->slot < slot) {
        at = &(*at)->next;
    }
    if (*at != NULL && (*at)->slot == slot) {
        return;
    }
    struct slot_want *w = arena_alloc(&l->arena, sizeof *w);
    *w = (struct slot_want){.slot = slot, .next = *at};
    *at = w;
}

/* An id that is used is answered by its row alone, so a repetition locks no account. */
static void want_accounts_of(struct ledger *l, const struct want *w)
{
    const struct ledger_transfer *t = w->transfer == NULL ? NULL : w->transfer->t;
    switch (w->op) {
    case OP_TRANSFER:
    case OP_TRY:
        if (t == NULL) {
            account_get(l, w->debit)->any = true;
            account_get(l, w->credit)->any = true;
        }
        break;
    case OP_CONFIRM:
    case OP_CANCEL:
    case OP_EXPIRE:
        if (t != NULL && t->state == TRANSFER_HELD) {
            want_particular(l, t->debit, t->debit_slot);
            want_particular(l, t->credit, t->credit_slot);
        }
        break;
    case OP_OPEN:
        account_get(l, w->debit)->any = true;
        break;
    case OP_SET:
        account_get(l, w->debit)->all = true;
        break;
    case OP_LINKED:
    case LEDGER_OPS:
        break;
    }
}

static void list_want(struct ledger *l, size_t *n, const char *account_id, int slot)
{
    l->want_accounts = ledger_room(l->want_accounts, *n, &l->want_accounts_cap, sizeof *l->want_accounts);
    l->want_accounts[(*n)++] = (struct ledger_want_account){.account_id = account_id, .slot = slot};
}

static int by_account(const void *a, const void *b)
{
    const struct ledger_want_account *x = a;
    const struct ledger_want_account *y = b;
    int order = strcmp(x->account_id, y->account_id);
    return order != 0 ? order : (x->slot > y->slot) - (x->slot < y->slot);
}

size_t ledger_wanted_accounts(struct ledger *l, const struct ledger_want_account **out_wants)
{
    for (size_t i = 0; i < l->wants_n; i++) {
        want_accounts_of(l, &l->wants[i]);
    }
    size_t n = 0;
    for (size_t i = 0; i < l->accounts.n; i++) {
        const struct account_entry *ae = (const struct account_entry *)(const void *)l->accounts.all[i];
        if (ae->all) {
            list_want(l, &n, ae->entry.key, LEDGER_ALL_SLOTS);
            continue;
        }
        if (ae->particular == NULL) {
            list_want(l, &n, ae->entry.key, LEDGER_ANY_SLOT);
        }
        for (const struct slot_want *w = ae->particular; w != NULL; w = w->next) {
            list_want(l, &n, ae->entry.key, w->slot);
        }
    }
    if (n > 1) {
        qsort(l->want_accounts, n, sizeof *l->want_accounts, by_account);
    }
    *out_wants = l->want_accounts;
    return n;
}

void ledger_put_account(struct ledger *l, const struct ledger_account *a)
{
    struct account_entry *ae = table_find(&l->accounts, a->account_id);
    assert(ae != NULL);
    int slot = a->exists ? a->slot : 0;
    struct slot **at = &ae->slots;
    while (*at != NULL && (*at)->a.slot < slot) {
        at = &(*at)->next;
    }
    if (*at != NULL && (*at)->a.slot == slot) {
        return;
    }
    struct slot *s = arena_alloc(&l->arena, sizeof *s);
    *s = (struct slot){.a = *a, .index = l->slots_n, .next = *at};
    s->a.account_id = ae->entry.key;
    s->a.slot = slot;
    s->a.currency = a->exists ? ledger_keep(l, a->currency) : "";
    s->a.version_read = a->version;
    s->a.dirty = s->a.merged = s->a.settings_changed = false;
    *at = s;
    l->slots = ledger_room(l->slots, l->slots_n, &l->slots_cap, sizeof *l->slots);
    l->slots[l->slots_n++] = s;
}

const struct ledger_transfer *ledger_find_transfer(const struct ledger *l, const char *transfer_id)
{
    const struct transfer_entry *te = table_find(&l->transfers, transfer_id);
    return te == NULL ? NULL : te->t;
}

const struct ledger_account *ledger_find_account(const struct ledger *l, const char *account_id)
{
    const struct account_entry *ae = table_find(&l->accounts, account_id);
    return ae == NULL || ae->slots == NULL || !ae->slots->a.exists ? NULL : &ae->slots->a;
}

size_t ledger_flows(const struct ledger *l, const struct ledger_flow **out_flows)
{
    *out_flows = l->flows;
    return l->flows_n;
}

size_t ledger_decisions(const struct ledger *l, const struct ledger_decision **out_decisions)
{
    *out_decisions = l->decisions;
    return l->decisions_n;
}

size_t ledger_accounts_n(const struct ledger *l)
{
    return l->slots_n;
}

const struct ledger_account *ledger_account_at(const struct ledger *l, size_t i)
{
    assert(i < l->slots_n);
    return &l->slots[i]->a;
}

size_t ledger_transfers_n(const struct ledger *l)
{
    return l->remembered_n;
}

const struct ledger_transfer *ledger_transfer_at(const struct ledger *l, size_t i)
{
    assert(i < l->remembered_n);
    return l->remembered[i];
}
