/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the batch in memory, and the steps that a decision is made of. */
#ifndef SLUICE_LEDGER_INTERNAL_H
#define SLUICE_LEDGER_INTERNAL_H

#include "base/mem.h"
#include "ledger/ledger.h"
#include "ledger/table.h"

/* One slot of an account, as it is after the decisions so far. */
struct slot {
    struct ledger_account a;
    size_t index;      /* for ledger_account_at */
    struct slot *next; /* of the same account, ascending */
};

struct slot_want {
    int slot;
    struct slot_want *next;
};

struct account_entry {
    struct table_entry entry;
    bool any, all; /* wanted */
    struct slot_want *particular;
    struct slot *slots; /* as put; one that does not exist says so */
};

struct transfer_entry {
    struct table_entry entry;
    struct ledger_transfer *t; /* NULL: absent */
};

/* A row of account_decisions, or one that will be. */
struct decided {
    int ordinal;
    bool applied;
    enum ledger_code code;
    struct decided *next;
};

struct event_entry {
    struct table_entry entry;
    struct decided *decided;
};

/* What a command may need, until it is known what became of its transfer. */
struct want {
    enum ledger_op op;
    struct transfer_entry *transfer; /* NULL: OPEN, SET */
    const char *debit, *credit;
};

/* How a slot was before a linked set touched it. */
struct undo {
    struct slot *slot;
    struct ledger_account before;
};

/* Arrays that grow, keep their memory from batch to batch, and may move: no pointers into them are kept. */
struct ledger {
    int64_t now_us;
    struct arena arena;
    struct table accounts, transfers, events;
    struct slot **slots;
    struct ledger_transfer **remembered;
    struct ledger_flow *flows;
    struct ledger_decision *decisions;
    struct want *wants;
    struct undo *undos;
    const char **ids; /* an answer of ledger_wanted_transfers or _events */
    struct ledger_want_account *want_accounts;
    size_t slots_n, remembered_n, flows_n, decisions_n, wants_n, undos_n;
    size_t slots_cap, remembered_cap, flows_cap, decisions_cap, wants_cap, undos_cap, ids_cap, want_accounts_cap;
    bool undoing; /* within a linked set */
    size_t flows_mark, remembered_mark;
    bool sealed;
};

/* The array with room for one more. */
void *ledger_room(void *array, size_t n, size_t *cap, size_t size) MUST_USE;
/* A copy in the arena; NULL stays NULL. */
const char *ledger_keep(struct ledger *l, const char *s);

/* decide.c */
/* Was (event, ordinal) decided without a flow, earlier or in this batch? Then *out is the answer. */
bool event_decided(const struct ledger *l, const char *event_id, int ordinal, struct ledger_result *out);
/* One row of account_decisions. code CODE_OK: applied. remembered and account are copied; either may be NULL. */
void decision_add(struct ledger *l, const struct ledger_command *cmd, int ordinal, enum ledger_code code,
                  const struct ledger_transfer *remembered, const struct ledger_account *account);
/* May this caller do what the transfer's owner may? */
bool caller_may(const struct ledger_command *cmd, const struct ledger_transfer *t);
/* What can be said of a command whatever the state. */
enum ledger_code check_command(const struct ledger *l, const struct ledger_command *cmd);
/* Why a transfer or a try cannot have an id that is used, when it is no repetition; CODE_OK: the id is free. */
enum ledger_code check_id(const struct ledger_command *cmd, const struct ledger_transfer *t);
/* The same transfer or try asked again, alone or (set_id) in the same set. */
bool transfer_repeated(const struct ledger_command *cmd, const struct ledger_transfer *t, const char *set_id);
struct transfer_entry *transfer_entry_of(const struct ledger *l, const char *transfer_id);
/* Puts a transfer that is new into memory: version 1, to be inserted. */
struct ledger_transfer *transfer_remember(struct ledger *l, const struct ledger_command *cmd, enum ledger_state state,
                                          enum ledger_code code, const char *set_id);
/* The slot that new transfers of the account book in; NULL: no such account. */
struct slot *slot_to_book(const struct ledger *l, const char *account_id);
/* This one, which must be there. */
struct slot *slot_of(const struct ledger *l, const char *account_id, int slot);

/* decide_transfer.c */
/* Checks a transfer or a try against accounts and funds and books it. Refused: nothing has changed. */
enum ledger_code transfer_book(struct ledger *l, const struct ledger_command *cmd, const char *set_id);
void decide_transfer(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out);
/* decide_linked.c, decide_hold.c, decide_account.c */
void decide_linked(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out);
void decide_hold(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out);
void decide_open(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out);
void decide_set(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out);

/* flow.c */
struct change {
    enum ledger_flow_kind kind;
    int64_t amount, frozen, incoming;
    const char *counter_account, *transfer_id, *reference;
    const struct ledger_transfer *decided; /* is copied; NULL but on the debit's flow */
};
/* Changes the slot and writes the flow. The sums have been checked. */
void flow_add(struct ledger *l, struct slot *s, const struct ledger_command *cmd, const struct change *c);
/* How far from 0 the counters of a slot may go, so that the sum over all slots of an account stays in 64 bits. */
int64_t slot_share(const struct ledger_account *a);
/* From here on changes can be taken back, until undo_end. */
void undo_begin(struct ledger *l);
void undo_end(struct ledger *l, bool take_back);

#endif
