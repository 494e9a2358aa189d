/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's tables, for one batch within the transaction that the runtime has opened:
 *
 *     store_begin()    forgets the batch before, where it was rolled back
 *     store_now()      PostgreSQL's clock, once
 *     store_load()     transfers FOR UPDATE by id; decided events; slots by (account, slot) in one statement
 *     store_write()    transfers, flows, decisions, slots, merged holds
 *     store_journal()  how many records ended how
 *     store_committed() after the COMMIT
 *
 * Locks are taken in one order everywhere: position rows, what a reader of other topics locks (payments), transfers by
 * id, slots by (account_id, slot). A slot is compared-and-set on its version although it is locked: a difference would
 * be a mistake in this program and is FATAL. What another instance inserted first (23505 on transfers, decisions,
 * slots) is RETRY: the repeated batch reads it.
 *
 * Plans are pinned: statements are prepared once a session with generic plans and without joins that scan.
 *
 * Thread: one at a time.
 */
#ifndef SLUICE_ACCOUNT_STORE_H
#define SLUICE_ACCOUNT_STORE_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/ledger.h"

#define STORE_SLOTS_MAX 63

struct store;

/* slots: beside slot 0, for accounts without a limit; 0 = none. */
struct store *store_create(int slots) MUST_USE;
struct store *store_free(struct store *s); /* accepts NULL, returns NULL */

/* Settings and prepared statements of a new session. FATAL: the tables are not there. */
enum rc store_session(struct store *s, PGconn *conn, struct err *err) MUST_USE;

/* Forgets a batch that was not committed. */
void store_begin(struct store *s);
enum rc store_now(struct store *s, PGconn *conn, int64_t *out_us, struct err *err) MUST_USE;

/*
 * What the commands noted in the ledger need. partition: of the batch, it chooses the slot of accounts without a limit.
 * RETRY: also when an account has got a limit since it was seen without.
 */
enum rc store_load(struct store *s, PGconn *conn, struct ledger *l, int32_t partition, struct err *err) MUST_USE;

/* Events of the batch that had been decided without a flow before it, as they were; until the next store_begin. */
struct store_decided {
    const char *event_id;
    int ordinal;
    const char *command; /* "confirm"; of a member of a linked set "transfer" */
    const char *subject; /* the transfer, or the account */
};
size_t store_decided(const struct store *s, const struct store_decided **out_list);

/* What a sealed ledger has decided. REJECT: a value that the tables refuse. */
enum rc store_write(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err) MUST_USE;

/* One partition's records of a batch. */
struct store_count {
    const char *topic; /* full name */
    int32_t partition;
    int64_t lo, hi; /* first offset, and behind the last one */
    int64_t applied, duplicates, rejected, dead;
};
/* On the UTC day of the transaction's now(), as the created_at of dead letters. */
enum rc store_journal(struct store *s, PGconn *conn, const char *group, const struct store_count *counts, size_t n,
                      struct err *err) MUST_USE;

/* The transaction is committed: what it made is there. Without it the next store_load forgets. */
void store_committed(struct store *s);

#endif
