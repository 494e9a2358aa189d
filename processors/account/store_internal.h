/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by store.c (session, what is there, journal), store_accounts.c (locks), store_slots.c and store_write.c
 * (rows). */
#ifndef SLUICE_ACCOUNT_STORE_INTERNAL_H
#define SLUICE_ACCOUNT_STORE_INTERNAL_H

#include "account/known.h"
#include "account/store.h"
#include "base/buf.h"
#include "base/mem.h"
#include "pg/binary.h"

#define STORE_COLUMNS 20
#define STORE_BYTES_MAX ((size_t)256 << 20)
#define STORE_SLOT_HIGHEST 64 /* as the table's CHECK has it */

/* A slot to be locked, or with ALL those there are. */
struct slot_lock {
    const char *account_id;
    int lo, hi;
    bool chosen; /* by us for any slot: it must not turn out to be beside slot 0 of an account with a limit */
    bool found;
};

/* A row that this transaction has made. */
struct made_slot {
    const char *account_id;
    int slot;
};

struct store {
    int slots;
    struct known *known;
    struct arena arena; /* of a batch */
    struct buf column[STORE_COLUMNS];
    struct buf rows;
    struct buf json;
    struct slot_lock *locks;
    size_t n_locks, max_locks;
    struct made_slot *made;
    size_t n_made, max_made;
    struct store_decided *decided;
    size_t n_decided, max_decided;
};

/* Names of prepared statements. */
#define S_NOW "account_now"
#define S_TRANSFERS "account_transfers_lock"
#define S_DECIDED "account_decided"
#define S_SLOTS "account_slots_lock"
#define S_SLOTS_MAKE "account_slots_make"
#define S_SLOTS_INSERT "account_slots_insert"
#define S_SLOTS_UPDATE "account_slots_update"
#define S_SLOTS_SET "account_slots_set"
#define S_TRANSFERS_UPDATE "account_transfers_update"
#define S_MERGE_DEBIT "account_merge_debit"
#define S_MERGE_CREDIT "account_merge_credit"
#define S_DECISIONS "account_decisions_insert"
#define S_JOURNAL "account_journal_add"

struct statement {
    const char *name, *sql;
};
extern const struct statement STORE_ACCOUNTS_SQL[];
extern const size_t STORE_ACCOUNTS_SQL_N;
extern const struct statement STORE_SLOTS_SQL[];
extern const size_t STORE_SLOTS_SQL_N;
extern const struct statement STORE_WRITE_SQL[];
extern const size_t STORE_WRITE_SQL_N;

/* store_accounts.c: locks and puts the accounts that the ledger wants. */
enum rc store_accounts(struct store *s, PGconn *conn, struct ledger *l, int32_t partition, struct err *err) MUST_USE;

/* store_slots.c: writes the slots that the batch has changed. */
enum rc store_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err) MUST_USE;

/* The first columns as arrays of a statement's parameters; n: how many elements each of them has got. */
void store_columns_begin(struct store *s, const enum binary_type *types, size_t n_columns);
void store_columns_end(struct store *s, size_t n_columns, size_t n);
void store_int_if(struct buf *b, bool there, int64_t v); /* else NULL */
/* An UPDATE of n rows that are locked and were read: all of them, or something is wrong with us. */
enum rc store_update(struct store *s, PGconn *conn, const char *statement, int columns, size_t n, const char *what,
                     struct err *err) MUST_USE;

/* A row that somebody else has inserted is a reason to repeat. */
enum rc store_raced(enum rc rc, struct err *err);
/* What the tables refuse although the rules were kept: nothing that a dead letter could cure. */
enum rc store_broken(enum rc rc, const char *what, struct err *err);

#endif
