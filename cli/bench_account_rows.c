/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts for the bench, and copies of the ledger's tables in which SQL alone does the same. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench_account.h"

#define CHUNK_ROWS 50000
#define CHUNK_TIMEOUT_MS 120000

enum rc bench_account_refuse(struct account_bench *b, struct err *err)
{
    static const char LOOK[] = "SELECT EXISTS (SELECT 1 FROM account_slots), EXISTS (SELECT 1 FROM pg_stat_activity"
                               " WHERE datname = current_database() AND application_name ~ '^sluice (relay|account)')";
    CLEANUP(pg_clearp) PGresult *res = NULL;

    TRY(pg_exec(b->base.conn, LOOK, &res, err));
    if (pg_text(res, 0, 1)[0] == 't') {
        FAIL(err, RC_REJECT, "relay or account run on this database; stop them first, the bench starts its own");
    }
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_REJECT, "there are accounts in this database; the bench needs one of its own (./dev bench)");
    }
    return RC_OK;
}

/* A maximum nobody reaches makes it an account with a limit, booked in slot 0 and checked at every flow. */
static const char ACCOUNTS[] =
    "INSERT INTO account_slots (account_id, slot, currency, exponent, kind, max_balance)"
    " SELECT 'bench:' || g, 0, 'CNY', 2, 'user', 4611686018427387904 FROM generate_series($1::bigint, $2::bigint) g";
static const char HOT[] = "INSERT INTO account_slots (account_id, slot, currency, exponent, kind)"
                          " VALUES ('" BENCH_HOT_ACCOUNT "', 0, 'CNY', 2, 'merchant')";
static const char COPIES[] =
    "CREATE SCHEMA " BENCH_LEDGER_SCHEMA ";"
    "CREATE TABLE " BENCH_LEDGER_SCHEMA ".account_slots (LIKE account_slots INCLUDING ALL);"
    "CREATE TABLE " BENCH_LEDGER_SCHEMA ".account_transfers (LIKE account_transfers INCLUDING ALL);"
    "CREATE TABLE " BENCH_LEDGER_SCHEMA ".account_flows (LIKE account_flows INCLUDING ALL);"
    "INSERT INTO " BENCH_LEDGER_SCHEMA ".account_slots SELECT * FROM account_slots;";

static enum rc add_accounts(struct account_bench *b, int64_t first, int64_t last, struct err *err)
{
    char numbers[2][24];
    const char *params[] = {numbers[0], numbers[1]};

    (void)snprintf(numbers[0], sizeof numbers[0], "%" PRId64, first);
    (void)snprintf(numbers[1], sizeof numbers[1], "%" PRId64, last);
    return pg_query(b->base.conn, ACCOUNTS, 2, params, NULL, err);
}

enum rc bench_account_fill(struct account_bench *b, struct err *err)
{
    TRY(pg_exec(b->base.conn, HOT, NULL, err));
    for (int64_t done = 0; done < b->accounts;) {
        int64_t last = done + CHUNK_ROWS < b->accounts ? done + CHUNK_ROWS : b->accounts;
        TRY(bench_check(clock_mono_ms() + CHUNK_TIMEOUT_MS, "accounts", err));
        TRY(add_accounts(b, done + 1, last, err));
        done = last;
        bench_progress(&b->base, "accounts", done, b->accounts);
    }
    TRY(pg_exec(b->base.conn, COPIES, NULL, err));
    return pg_exec(b->base.conn, "ANALYZE account_slots; ANALYZE " BENCH_LEDGER_SCHEMA ".account_slots", NULL, err);
}

enum rc bench_account_clean(struct account_bench *b, struct err *err)
{
    return pg_exec(b->base.conn, "DROP SCHEMA IF EXISTS " BENCH_LEDGER_SCHEMA " CASCADE", NULL, err);
}

void bench_account_draw(struct account_bench *b, bool hot, struct bench_transfer *out)
{
    int64_t debit = 0;
    int64_t credit = 0;

    /* xorshift64: the drawing is a part of what is measured. */
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    debit = (int64_t)(b->random % (uint64_t)b->accounts);
    credit = (debit + 1 + (int64_t)((b->random >> 32) % (uint64_t)(b->accounts - 1))) % b->accounts;
    (void)snprintf(out->debit, sizeof out->debit, "bench:%" PRId64, debit + 1);
    (void)snprintf(out->credit, sizeof out->credit, "bench:%" PRId64, credit + 1);
    if (hot) {
        (void)snprintf(out->credit, sizeof out->credit, "%s", BENCH_HOT_ACCOUNT);
    }
    out->amount = 1 + (int64_t)(b->random >> 57) % 100;
}
