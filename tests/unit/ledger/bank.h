/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in memory for the ledger's tests. It does what the SQL store does, with the same calls in the same order, and
 * holds everything that comes back against what it has: gapless versions, chained hashes, compare-and-set, one trace
 * for each refusal, counters that did not move.
 */
#ifndef SLUICE_TESTS_LEDGER_BANK_H
#define SLUICE_TESTS_LEDGER_BANK_H

#include <criterion/criterion.h>

#include "base/mem.h"
#include "ledger/ledger.h"
#include "ledger/table.h"

#define BANK_SLOTS 4
#define BANK_NOW_US (INT64_C(1790000000) * 1000000)
#define BANK_SECOND_US INT64_C(1000000)

/* As cr_assert, but costs nothing when it holds: these run millions of times. */
#define CHECK(condition, ...)            \
    do {                                 \
        if (!(condition)) {              \
            cr_assert_fail(__VA_ARGS__); \
        }                                \
    } while (0)

struct bank_account {
    struct table_entry entry;
    struct ledger_account slots[BANK_SLOTS];
};

struct bank_transfer {
    struct table_entry entry;
    bool there;
    struct ledger_transfer t;
};

struct bank {
    struct ledger *l;
    struct arena arena, passing; /* for ever, and what bank_forget ends */
    struct table accounts, transfers, events;
    int any_slot; /* that accounts without a limit book in */
    bool watch;   /* compare every account before and after each command that must not move any */
    int64_t now_us;
    struct ledger_account *before;
    size_t before_cap;
};

void bank_init(struct bank *b);
void bank_done(struct bank *b);
/* One batch. */
void bank_run(struct bank *b, const struct ledger_command *commands, size_t n, struct ledger_result *results);
/* Sums, limits and holds of everything there is. */
void bank_check(struct bank *b);
/* Drops transfers and decisions (long runs; no hold may be open). */
void bank_forget(struct bank *b);

/* NULL: not there. */
const struct ledger_transfer *bank_transfer(const struct bank *b, const char *id);
/* The sum of its slots; exists false: not there. */
struct ledger_account bank_account(const struct bank *b, const char *id);
const struct ledger_account *bank_slot(const struct bank *b, const char *id, int slot);

/* A command with the usual in it: caller shop, CNY, asked now, no expiry, content_hash not filled. */
struct ledger_command bank_command(enum ledger_op op, const char *event_id, const char *transfer_id, const char *debit,
                                   const char *credit, int64_t amount);
/* Fills content_hash, of the members too. */
void bank_hash_content(struct ledger_command *cmd);

#endif
