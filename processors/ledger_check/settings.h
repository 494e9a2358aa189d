/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of one account as they came about: the decisions `open` and `set` that were applied.
 *
 * Which settings held at a flow? Slot 0 is locked by whoever changes them, so there is an order, and each decision says
 * how many flows slot 0 had then. (Numbers of the queue would not do: a batch numbers its flows and its decisions one
 * after the other, in whatever order it decided.)
 */
#ifndef SLUICE_LEDGER_CHECK_SETTINGS_H
#define SLUICE_LEDGER_CHECK_SETTINGS_H

#include "internal.h"
#include "pg/copy_out.h"

#define SETTINGS_MAX 65536 /* changes of one account that are remembered */

struct settings {
    int64_t settings_version;
    int64_t flows; /* of slot 0 when they were made; they hold for the flows behind */
    char status;   /* o f c */
    bool no_negative, credit_only, debit_only, has_max;
    int64_t max_balance;
};

struct timeline {
    struct copy_out rows;
    struct settings *list;
    size_t n, cap, at; /* at: of the flow that was asked for last */
    bool too_many;
};

bool settings_limited(const struct settings *s);
bool settings_equal(const struct settings *a, const struct settings *b);
/* As people read them; heap memory. */
char *settings_text(const struct settings *s) MUST_USE;

enum rc timeline_begin(struct timeline *t, PGconn *conn, struct err *err) MUST_USE;
/* Accounts in ascending order. What is decided about accounts in between, which have no row, is an offender. */
enum rc timeline_account(struct checker *c, struct timeline *t, const char *account_id, struct err *err) MUST_USE;
/* Those that held for slot 0's flow with this version; versions in ascending order. NULL: none are known. */
const struct settings *timeline_at(struct timeline *t, int64_t version);
/* The decisions that made the account what it is, against what it is; where: its name for offenders. */
void timeline_judge(struct checker *c, const struct timeline *t, const char *where, const struct settings *found);
/* What is decided about accounts behind the last one. */
enum rc timeline_end(struct checker *c, struct timeline *t, struct err *err) MUST_USE;
void timeline_done(struct timeline *t);

#endif
