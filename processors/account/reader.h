/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the records of one topic get into a batch of the ledger. The batch (account/booking.h) calls, for all topics
 * together:
 *
 *     parse    each record; REJECT makes it a dead letter and the others go on
 *     load     once a reader that has records: its own rows, locked, before anything of the ledger is
 *     want     each record: ledger_want() for every command that it may ask
 *     -        the store locks transfers, then slots
 *     decide   each record in the order of the log: ledger_decide(), with what it chooses by in between
 *     -        the ledger is sealed, the store writes
 *     write    once a reader that has records: its own rows
 *     committed  once a reader after the COMMIT
 *
 * A batch may be called again after a rollback, with the same records or a part of them: whatever a reader keeps is of
 * one batch and begins anew with the first parse (begin). Functions that may be NULL say so.
 */
#ifndef SLUICE_ACCOUNT_READER_H
#define SLUICE_ACCOUNT_READER_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "ledger/ledger.h"
#include "runtime/dbproc.h"

/* The batch that is being made. */
struct account_batch {
    struct ledger *ledger;
    struct arena arena; /* until the next batch */
    int64_t now_us;     /* PostgreSQL's clock, the batch's time */
    PGconn *conn;       /* within the transaction */
};

struct account_reader {
    const char *topic; /* without prefix */
    void *self;
    /* A new session: statements to prepare. May be NULL. */
    enum rc (*session)(void *self, PGconn *conn, struct err *err);
    /* Forgets the batch before. May be NULL. */
    void (*begin)(void *self);
    /* *out_item lives in the arena. REJECT: *out_class is a static word. */
    enum rc (*parse)(void *self, struct account_batch *b, const struct dbproc_event *ev, void **out_item,
                     const char **out_class, struct err *err);
    /* In the order of ids, for locks. May be NULL. */
    enum rc (*load)(void *self, struct account_batch *b, void *const *items, size_t n, struct err *err);
    void (*want)(void *self, struct account_batch *b, void *item);
    /* *out says how the record is counted. REJECT, with *out_class, before anything was decided: a dead letter. */
    enum rc (*decide)(void *self, struct account_batch *b, void *item, struct ledger_result *out,
                      const char **out_class, struct err *err);
    /* May be NULL. */
    enum rc (*write)(void *self, struct account_batch *b, struct err *err);
    /* May be NULL. */
    void (*committed)(void *self);
    /* About once a second, outside of a transaction: sweepers. May be NULL. */
    enum rc (*tick)(void *self, PGconn *conn, struct err *err);
};

#endif
