/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's rules, without a database: what a batch of commands does to accounts and transfers.
 *
 *     ledger_begin(l, now_us);
 *     for each command:  ledger_want(l, cmd);                  which transfers and decisions it needs
 *     the store reads ledger_wanted_transfers() and ledger_wanted_events(): ledger_put_transfer(), ledger_put_decided()
 *     the store locks and reads ledger_wanted_accounts(), which knows what the transfers name: ledger_put_account()
 *     for each command:  ledger_decide(l, cmd, &result);       in the order of the log
 *     ledger_seal(l);                                          hashes
 *     the store writes:  ledger_flows(), ledger_decisions(), what is dirty of accounts and transfers
 *
 * A command that is refused changes no counter of any account. Checks come in one fixed order, so that the same command
 * on the same state always gets the same answer. Holds count against limits when they are made, on both sides, so that
 * a confirmation can never fail for lack of funds or room. A hold is resolved at most once. Nothing here reads a clock:
 * times come with the commands, now_us with the batch.
 *
 * Sources: the pending, posted and voided transfers of TigerBeetle's data model for the semantics of holds and for
 * remembered refusals; the words Try, Confirm, Cancel, empty rollback and suspension of the TCC literature.
 *
 * Memory: strings given in are copied into the batch's arena; everything returned lives until the next ledger_begin.
 * Thread: one at a time per ledger.
 */
#ifndef SLUICE_LEDGER_LEDGER_H
#define SLUICE_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/code.h"

#define LEDGER_ID_MAX 128      /* bytes of an account's or a transfer's id */
#define LEDGER_CURRENCY_MAX 12 /* letters and digits; ISO 4217, or a game's own coin */
#define LEDGER_REFERENCE_MAX 256
#define LEDGER_CALLER_MAX 64
#define LEDGER_LINKED_MAX 64 /* members of a linked set */
#define LEDGER_HASH_BYTES 32
#define LEDGER_NO_TIME INT64_MIN

enum ledger_op { OP_TRANSFER, OP_TRY, OP_CONFIRM, OP_CANCEL, OP_EXPIRE, OP_LINKED, OP_OPEN, OP_SET, LEDGER_OPS };
extern const char *const LEDGER_OP_NAMES[LEDGER_OPS]; /* "transfer", "try", ... "open", "set" */

enum ledger_state {
    TRANSFER_ABSENT, /* not in the tables */
    TRANSFER_POSTED,
    TRANSFER_HELD,
    TRANSFER_CONFIRMED,
    TRANSFER_CANCELLED,
    TRANSFER_EXPIRED,
    TRANSFER_REJECTED,
    TRANSFER_CANCELLED_EMPTY,
    LEDGER_STATES
};
extern const char *const LEDGER_STATE_NAMES[LEDGER_STATES]; /* as in account_transfers.state; "absent" */

enum ledger_kind { KIND_USER, KIND_MERCHANT, KIND_CLEARING, KIND_SUSPENSE, KIND_FEE, KIND_SYSTEM, LEDGER_KINDS };
extern const char *const LEDGER_KIND_NAMES[LEDGER_KINDS];

enum ledger_status { ACCOUNT_OPEN, ACCOUNT_FROZEN, ACCOUNT_CLOSED, LEDGER_STATUSES };
extern const char *const LEDGER_STATUS_NAMES[LEDGER_STATUSES];

enum ledger_flow_kind { FLOW_POST, FLOW_HOLD, FLOW_CONFIRM, FLOW_CANCEL, FLOW_EXPIRE, FLOW_MERGE, LEDGER_FLOW_KINDS };
extern const char *const LEDGER_FLOW_KIND_NAMES[LEDGER_FLOW_KINDS];

struct ledger_settings {
    enum ledger_status status;
    bool no_negative;
    bool credit_only;
    bool debit_only;
    bool has_max;
    int64_t max_balance; /* valid when has_max */
};
/*
 * Is the id one that the program makes itself? Of payments (pay:) and of merges (merge:) no command may be; of
 * adjustments (adjust:) only those of the database's side, which name no caller. Whoever could take such an id
 * beforehand would keep a payment from being booked.
 */
bool ledger_id_reserved(const char *transfer_id, const char *caller);
/* Is the account one that says what channels owe (clearing:, suspense:)? They are opened by payments or operators. */
bool ledger_account_reserved(const char *account_id);

/* 1 to LEDGER_ID_MAX of A-Z a-z 0-9 . _ : ~ @ -; a currency is 1 to LEDGER_CURRENCY_MAX letters and digits. */
bool ledger_is_id(const char *s);
bool ledger_is_currency(const char *s);

/* Any of them set: the account books in slot 0 only. */
bool ledger_limited(const struct ledger_settings *s);

/* What OP_SET names; what it leaves out stays. */
enum ledger_setting {
    SET_STATUS = 1,
    SET_NO_NEGATIVE = 2,
    SET_CREDIT_ONLY = 4,
    SET_DEBIT_ONLY = 8,
    SET_MAX = 16 /* has_max false = no maximum any more */
};

/* Strings are never NULL but where it is said, NUL-terminated, and live as long as the batch. */
struct ledger_command {
    enum ledger_op op;
    const char *event_id;    /* the record's; a member of a linked set has the set's */
    int ordinal;             /* 0; an event that leads to several commands numbers them: (event_id, ordinal) is decided
                                once. A set has those from its own to its last member's */
    const char *caller;      /* "" = none named */
    const char *transfer_id; /* "" for OPEN and SET */
    const char *debit;       /* the account itself for OPEN and SET */
    const char *credit;      /* TRANSFER, TRY; else "" */
    const char *currency;    /* TRANSFER, TRY, OPEN; else "" */
    const char *reference;   /* NULL = none */
    int64_t amount;          /* minor units; TRANSFER, TRY; CONFIRM: see has_amount */
    bool has_amount;         /* CONFIRM: a part of the hold is booked, the rest released; false = all of it */
    bool forgets_refusal;    /* TRANSFER, LINKED: a refusal leaves nothing behind, the ids stay free; whoever asks
                                remembers it */
    bool has_exponent;       /* TRANSFER: the accounts must have `exponent` */
    int64_t issued_us;       /* when it was asked: record's created_at, microseconds since 1970 */
    int64_t effective_us;    /* LEDGER_NO_TIME = issued_us */
    int64_t expires_us;      /* TRY; LEDGER_NO_TIME = never */
    unsigned char content_hash[LEDGER_HASH_BYTES]; /* of everything that was asked but event_id and issued_us */
    enum ledger_kind kind;                         /* OPEN */
    int exponent;                                  /* OPEN: digits behind the point, 0..4 */
    unsigned settings_mask;                        /* SET: enum ledger_setting */
    struct ledger_settings settings;               /* OPEN, SET */
    const struct ledger_command *members;          /* LINKED: transfers (OP_TRANSFER) only */
    size_t n_members;
};

struct ledger_account {
    const char *account_id;
    int slot;
    bool exists;  /* false: looked for and not there */
    bool created; /* this slot is new: the store inserts it */
    bool settings_changed;
    bool merged; /* slot 0: what stood in other slots was moved here; the store must set the slot of the open holds that
                    name another one to 0 (those in this batch have it already) */
    const char *currency;
    int exponent;
    enum ledger_kind kind;
    struct ledger_settings settings;
    int64_t settings_version;
    int64_t balance, frozen, incoming, version;
    int64_t version_read; /* as it was put: the store's compare-and-set */
    unsigned char hash[LEDGER_HASH_BYTES];
    bool dirty;
};

struct ledger_transfer {
    const char *transfer_id;
    enum ledger_state state;
    int version;
    int version_read; /* 0 = new: the store inserts it */
    enum ledger_code code;
    const char *debit;
    const char *credit;          /* NULL: cancelled before it was tried */
    int debit_slot, credit_slot; /* -1 = none: nothing was booked */
    int64_t amount;
    int64_t confirmed_amount; /* valid in CONFIRMED */
    const char *currency;     /* NULL as credit */
    const char *reference;    /* NULL = none */
    const char *caller;
    const char *set_id; /* NULL = not of a set */
    unsigned char content_hash[LEDGER_HASH_BYTES];
    const char *event_id;
    int64_t effective_us, expires_us; /* LEDGER_NO_TIME = none */
    int64_t booked_us, updated_us;
    bool dirty;
};

struct ledger_flow {
    size_t account; /* index for ledger_account_at */
    int64_t version;
    enum ledger_flow_kind kind;
    int64_t amount, balance_after;
    int64_t frozen_delta, frozen_after;
    int64_t incoming_delta, incoming_after;
    const char *counter_account;
    const char *transfer_id; /* of a merge: "merge:" and the event's id */
    const char *event_id;
    const char *reference; /* NULL = none */
    int64_t effective_us;
    unsigned char hash[LEDGER_HASH_BYTES];
    const struct ledger_transfer *decided; /* on the debit's flow: the transfer as it was then, a copy; else NULL */
};

/* What was decided without a flow. */
struct ledger_decision {
    const char *event_id;
    int ordinal;
    const char *account_id;
    const char *transfer_id; /* NULL for OPEN and SET */
    enum ledger_op op;
    bool applied;
    enum ledger_code code;                 /* CODE_OK when applied */
    const struct ledger_transfer *decided; /* a copy as above; NULL where no transfer was remembered */
    const struct ledger_account *account;  /* OPEN, SET applied: slot 0 as it was then, a copy; else NULL */
};

enum ledger_outcome {
    OUTCOME_APPLIED,
    OUTCOME_DUPLICATE, /* asked before with the same content (code: what was answered then) or with another (code) */
    OUTCOME_REJECTED,
};
struct ledger_result {
    enum ledger_outcome outcome;
    enum ledger_code code;
};

struct ledger;

struct ledger *ledger_create(void) MUST_USE;
struct ledger *ledger_free(struct ledger *l); /* accepts NULL, returns NULL */

/* Forgets the batch before. now_us: the batch's time on PostgreSQL's clock, microseconds since 1970. */
void ledger_begin(struct ledger *l, int64_t now_us);

/* Notes what the command needs. */
void ledger_want(struct ledger *l, const struct ledger_command *cmd);

/* Ids whose transfers are to be read, ascending bytewise, each once; then put those that exist. */
size_t ledger_wanted_transfers(struct ledger *l, const char *const **out_ids);
void ledger_put_transfer(struct ledger *l, const struct ledger_transfer *t);

/* Ids of events, ascending bytewise, each once: all of the batch, because any of them may have been decided without a
 * transfer that tells. Put every row of account_decisions that they have, with the outcome that was recorded. */
size_t ledger_wanted_events(struct ledger *l, const char *const **out_ids);
void ledger_put_decided(struct ledger *l, const char *event_id, int ordinal, bool applied, enum ledger_code code);

/*
 * After the transfers were put: the accounts to be locked, ascending bytewise by id and slot. slot -1: any one slot
 * that the account may book in, as the store chooses (new transfers); 0 and above: this one (a hold that names it);
 * LEDGER_ALL_SLOTS: all there are (settings). An account has either -1, or particular ones (which serve those that
 * would have any), or all.
 */
#define LEDGER_ANY_SLOT (-1)
#define LEDGER_ALL_SLOTS (-2)
struct ledger_want_account {
    const char *account_id;
    int slot;
};
size_t ledger_wanted_accounts(struct ledger *l, const struct ledger_want_account **out_wants);
/* One slot that was read and locked (exists), was found missing although slot 0 exists (exists, created; settings
 * copied from slot 0), or an account that does not exist (exists false). a is copied. Every want must be answered; all
 * slots with each of them, slot 0 included. For any or a
 * particular slot, one above 0 of an account that is limited must not be put (RC_RETRY). */
void ledger_put_account(struct ledger *l, const struct ledger_account *a);

/* Decides one command. Commands in the order of the log, each once. */
void ledger_decide(struct ledger *l, const struct ledger_command *cmd, struct ledger_result *out);

/* For whoever chooses by what is there, between two decisions: the transfer as it is now; the slot that new transfers
 * of the account book in. NULL: there is none, or nobody wanted it. */
const struct ledger_transfer *ledger_find_transfer(const struct ledger *l, const char *transfer_id);
const struct ledger_account *ledger_find_account(const struct ledger *l, const char *account_id);

/* Hashes and checks: FATAL when debits and credits of the batch do not balance or a counter is below zero, which would
 * be a mistake in this program; nothing may be written then. */
enum rc ledger_seal(struct ledger *l, struct err *err) MUST_USE;

size_t ledger_flows(const struct ledger *l, const struct ledger_flow **out_flows);
size_t ledger_decisions(const struct ledger *l, const struct ledger_decision **out_decisions);
size_t ledger_accounts_n(const struct ledger *l);
const struct ledger_account *ledger_account_at(const struct ledger *l, size_t i);
size_t ledger_transfers_n(const struct ledger *l);
const struct ledger_transfer *ledger_transfer_at(const struct ledger *l, size_t i);

/*
 * The hash of a flow as schemas/sql/006_ledger.sql says it; also for the checker. Looks at neither account, decided nor
 * hash of it.
 */
void ledger_flow_hash(const unsigned char before[LEDGER_HASH_BYTES], const char *account_id, int slot,
                      const struct ledger_flow *flow, unsigned char out[LEDGER_HASH_BYTES]);

#endif
