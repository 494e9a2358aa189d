/* SPDX-License-Identifier: Apache-2.0 */
/* Flows: the only place where the counters of an account change, and where that is taken back. */
#include <assert.h>

#include "ledger/internal.h"

/* 1 slot with a half of 64 bits and 64 with 1/128 each: their sum fits. */
#define SHARE_OF_FIRST ((INT64_C(1) << 62) - 1)
#define SHARE_OF_OTHERS ((INT64_C(1) << 56) - 1)

int64_t slot_share(const struct ledger_account *a)
{
    if (ledger_limited(&a->settings)) { /* the other slots are empty */
        return INT64_MAX;
    }
    return a->slot == 0 ? SHARE_OF_FIRST : SHARE_OF_OTHERS;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum = 0;
    bool over = __builtin_add_overflow(a, b, &sum);
    assert(!over);
    return sum;
}

static void undo_note(struct ledger *l, struct slot *s)
{
    l->undos = ledger_room(l->undos, l->undos_n, &l->undos_cap, sizeof *l->undos);
    l->undos[l->undos_n++] = (struct undo){.slot = s, .before = s->a};
}

void flow_add(struct ledger *l, struct slot *s, const struct ledger_command *cmd, const struct change *c)
{
    if (l->undoing) {
        undo_note(l, s);
    }
    struct ledger_account *a = &s->a;
    a->balance = plus(a->balance, c->amount);
    a->frozen = plus(a->frozen, c->frozen);
    a->incoming = plus(a->incoming, c->incoming);
    a->version = plus(a->version, 1);
    a->dirty = true;
    struct ledger_flow f = {.account = s->index,
                            .version = a->version,
                            .kind = c->kind,
                            .amount = c->amount,
                            .balance_after = a->balance,
                            .frozen_delta = c->frozen,
                            .frozen_after = a->frozen,
                            .incoming_delta = c->incoming,
                            .incoming_after = a->incoming,
                            .counter_account = c->counter_account,
                            .transfer_id = c->transfer_id,
                            .event_id = ledger_keep(l, cmd->event_id),
                            .reference = c->reference,
                            .effective_us = cmd->effective_us == LEDGER_NO_TIME ? cmd->issued_us : cmd->effective_us};
    if (c->decided != NULL) {
        struct ledger_transfer *copy = arena_alloc(&l->arena, sizeof *copy);
        *copy = *c->decided;
        f.decided = copy;
    }
    l->flows = ledger_room(l->flows, l->flows_n, &l->flows_cap, sizeof *l->flows);
    l->flows[l->flows_n++] = f;
}

void undo_begin(struct ledger *l)
{
    assert(!l->undoing);
    l->undoing = true;
    l->undos_n = 0;
    l->flows_mark = l->flows_n;
    l->remembered_mark = l->remembered_n;
}

void undo_end(struct ledger *l, bool take_back)
{
    assert(l->undoing);
    l->undoing = false;
    if (!take_back) {
        return;
    }
    for (size_t i = l->undos_n; i-- > 0;) {
        l->undos[i].slot->a = l->undos[i].before;
    }
    for (size_t i = l->remembered_mark; i < l->remembered_n; i++) {
        transfer_entry_of(l, l->remembered[i]->transfer_id)->t = NULL;
    }
    l->remembered_n = l->remembered_mark;
    l->flows_n = l->flows_mark;
}
