/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's tables: sessions, transfers and decisions that are there, the journal. */
#include "account/store.h"

#include <stdlib.h>
#include <string.h>

#include "account/store_internal.h"
#include "base/names.h"
#include "pg/binary.h"
#include "pg/conn.h"

#define ARENA_BYTES ((size_t)64 << 10)

/*
 * A batch names its rows, at most some thousand: an index for each, whatever the statistics say. Without this the plan
 * changes to hash joins over whole tables at some size of batch or table.
 */
static const char SETTINGS[] =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;"
    "SET plan_cache_mode = force_generic_plan; SET jit = off; SET max_parallel_workers_per_gather = 0";

static const struct statement READS[] = {
    {S_NOW, "SELECT clock_timestamp()"},
    {S_TRANSFERS,
     "SELECT t.transfer_id, t.state, t.version, t.code, t.debit_account, t.credit_account, t.debit_slot, t.credit_slot,"
     " t.amount, t.confirmed_amount, t.currency, t.reference, t.caller, t.set_id, t.content_hash, t.event_id,"
     " t.effective_at, t.expires_at, t.booked_at, t.updated_at"
     " FROM unnest($1::text[]) AS u(id) JOIN account_transfers t ON t.transfer_id = u.id COLLATE \"C\""
     " ORDER BY t.transfer_id FOR UPDATE OF t"},
    {S_DECIDED, "SELECT d.event_id, d.ordinal, d.outcome, d.code, d.command, coalesce(d.transfer_id, d.account_id)"
                " FROM unnest($1::text[]) AS u(id) JOIN account_decisions d ON d.event_id = u.id"},
    {S_JOURNAL,
     "INSERT INTO account_journal AS j"
     " (\"group\", topic, partition, day, lo, hi, records, applied, duplicates, rejected, dead)"
     /* the transaction's day, as the created_at of its dead letters */
     " SELECT u.g, u.topic, u.partition, (now() AT TIME ZONE 'UTC')::date, u.lo, u.hi,"
     "  u.applied + u.duplicates + u.rejected + u.dead, u.applied, u.duplicates, u.rejected, u.dead"
     " FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],"
     "  $8::bigint[], $9::bigint[])"
     "  AS u(g, topic, partition, lo, hi, applied, duplicates, rejected, dead)"
     " ON CONFLICT (\"group\", topic, partition, day) DO UPDATE SET"
     "  lo = least(j.lo, excluded.lo), hi = greatest(j.hi, excluded.hi), records = j.records + excluded.records,"
     "  applied = j.applied + excluded.applied, duplicates = j.duplicates + excluded.duplicates,"
     "  rejected = j.rejected + excluded.rejected, dead = j.dead + excluded.dead"},
};

struct store *store_create(int slots)
{
    struct store *s = xcalloc(1, sizeof(*s));

    s->slots = slots;
    s->known = known_create();
    arena_init(&s->arena, ARENA_BYTES);
    for (size_t i = 0; i < STORE_COLUMNS; i++) {
        buf_init(&s->column[i], STORE_BYTES_MAX);
    }
    buf_init(&s->rows, STORE_BYTES_MAX);
    buf_init(&s->json, STORE_BYTES_MAX);
    return s;
}

struct store *store_free(struct store *s)
{
    if (s == NULL) {
        return NULL;
    }
    known_free(s->known);
    arena_done(&s->arena);
    for (size_t i = 0; i < STORE_COLUMNS; i++) {
        buf_done(&s->column[i]);
    }
    buf_done(&s->rows);
    buf_done(&s->json);
    free(s->locks);
    free(s->made);
    free(s->decided);
    free(s);
    return NULL;
}

enum rc store_raced(enum rc rc, struct err *err)
{
    if (rc == RC_REJECT && strcmp(err->code, "23505") == 0) {
        err->rc = RC_RETRY;
        rc_ignore(err_prefix(err, "another instance was first"));
        return RC_RETRY;
    }
    return rc;
}

enum rc store_broken(enum rc rc, const char *what, struct err *err)
{
    if (rc == RC_REJECT) {
        err->rc = RC_FATAL;
        rc_ignore(err_prefix(err, "%s do not fit the tables; `sluice account check` says more", what));
        return RC_FATAL;
    }
    return rc;
}

void store_columns_begin(struct store *s, const enum binary_type *types, size_t n_columns)
{
    for (size_t i = 0; i < n_columns; i++) {
        binary_array_begin(&s->column[i], types[i]);
    }
}

void store_columns_end(struct store *s, size_t n_columns, size_t n)
{
    for (size_t i = 0; i < n_columns; i++) {
        binary_array_end(&s->column[i], n);
    }
}

void store_int_if(struct buf *b, bool there, int64_t v)
{
    if (there) {
        binary_int8(b, v);
    } else {
        binary_null(b);
    }
}

enum rc store_update(struct store *s, PGconn *conn, const char *statement, int columns, size_t n, const char *what,
                     struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(store_broken(binary_query(conn, statement, s->column, columns, &res, err), what, err));
    if (strtoull(PQcmdTuples(res), NULL, 10) != n) {
        FAIL(err, RC_FATAL, "%s: %s of %zu have the version that was read under their lock", what, PQcmdTuples(res), n);
    }
    return RC_OK;
}

static enum rc prepare(PGconn *conn, const struct statement *list, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        TRY(pg_take(conn, PQprepare(conn, list[i].name, list[i].sql, 0, NULL), NULL, err));
    }
    return RC_OK;
}

enum rc store_session(struct store *s, PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    (void)s;
    TRY(pg_exec(conn, "SELECT to_regclass('account_slots') IS NULL OR to_regclass('account_journal') IS NULL", &res,
                err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL, "table account_slots or account_journal does not exist; run `sluice migrate`");
    }
    TRY(pg_exec(conn, SETTINGS, NULL, err));
    TRY(prepare(conn, READS, ARRAY_SIZE(READS), err));
    TRY(prepare(conn, STORE_ACCOUNTS_SQL, STORE_ACCOUNTS_SQL_N, err));
    TRY(prepare(conn, STORE_SLOTS_SQL, STORE_SLOTS_SQL_N, err));
    return prepare(conn, STORE_WRITE_SQL, STORE_WRITE_SQL_N, err);
}

void store_begin(struct store *s)
{
    s->n_made = s->n_decided = 0; /* of a batch that was rolled back */
}

enum rc store_now(struct store *s, PGconn *conn, int64_t *out_us, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(binary_query(conn, S_NOW, s->column, 0, &res, err));
    *out_us = binary_get_time(res, 0, 0, 0);
    return RC_OK;
}

/* Ids as the first parameter. */
static void set_ids(struct store *s, const char *const *ids, size_t n)
{
    binary_array_begin(&s->column[0], BINARY_TEXT);
    for (size_t i = 0; i < n; i++) {
        binary_text(&s->column[0], ids[i]);
    }
    binary_array_end(&s->column[0], n);
}

static enum rc read_transfer(const PGresult *res, int row, struct ledger_transfer *t, struct err *err)
{
    int state = names_find(LEDGER_STATE_NAMES, LEDGER_STATES, binary_get_text(res, row, 1));
    const char *code = binary_get_text(res, row, 3);

    *t = (struct ledger_transfer){
        .transfer_id = binary_get_text(res, row, 0),
        .version = (int)binary_get_int(res, row, 2, 0),
        .debit = binary_get_text(res, row, 4),
        .credit = binary_get_text(res, row, 5),
        .debit_slot = (int)binary_get_int(res, row, 6, -1),
        .credit_slot = (int)binary_get_int(res, row, 7, -1),
        .amount = binary_get_int(res, row, 8, 0),
        .confirmed_amount = binary_get_int(res, row, 9, 0),
        .currency = binary_get_text(res, row, 10),
        .reference = binary_get_text(res, row, 11),
        .caller = binary_get_text(res, row, 12),
        .set_id = binary_get_text(res, row, 13),
        .event_id = binary_get_text(res, row, 15),
        .effective_us = binary_get_time(res, row, 16, LEDGER_NO_TIME),
        .expires_us = binary_get_time(res, row, 17, LEDGER_NO_TIME),
        .booked_us = binary_get_time(res, row, 18, LEDGER_NO_TIME),
        .updated_us = binary_get_time(res, row, 19, LEDGER_NO_TIME),
    };
    t->version_read = t->version;
    if (state <= 0 || PQgetlength(res, row, 14) != LEDGER_HASH_BYTES ||
        (code != NULL && !ledger_code_parse(code, &t->code))) {
        FAIL(err, RC_FATAL, "transfer %s has a state, code or content_hash that this version does not know",
             t->transfer_id);
    }
    t->state = (enum ledger_state)state;
    memcpy(t->content_hash, PQgetvalue(res, row, 14), LEDGER_HASH_BYTES);
    return RC_OK;
}

static enum rc load_transfers(struct store *s, PGconn *conn, struct ledger *l, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *const *ids = NULL;
    size_t n = ledger_wanted_transfers(l, &ids);

    if (n == 0) {
        return RC_OK;
    }
    set_ids(s, ids, n);
    TRY(binary_query(conn, S_TRANSFERS, s->column, 1, &res, err));
    for (int row = 0; row < PQntuples(res); row++) {
        struct ledger_transfer t;
        TRY(read_transfer(res, row, &t, err));
        ledger_put_transfer(l, &t);
    }
    return RC_OK;
}

/* Kept for whoever compares: the event may have been another command's. */
static void add_decided(struct store *s, const PGresult *res, int row)
{
    const char *text[3] = {binary_get_text(res, row, 0), binary_get_text(res, row, 4), binary_get_text(res, row, 5)};

    if (s->n_decided == s->max_decided) {
        s->max_decided = s->max_decided == 0 ? 64 : 2 * s->max_decided;
        s->decided = xrealloc(s->decided, s->max_decided * sizeof(*s->decided));
    }
    s->decided[s->n_decided++] = (struct store_decided){.event_id = arena_strndup(&s->arena, text[0], strlen(text[0])),
                                                        .ordinal = (int)binary_get_int(res, row, 1, 0),
                                                        .command = arena_strndup(&s->arena, text[1], strlen(text[1])),
                                                        .subject = arena_strndup(&s->arena, text[2], strlen(text[2]))};
}

size_t store_decided(const struct store *s, const struct store_decided **out_list)
{
    *out_list = s->decided;
    return s->n_decided;
}

static enum rc load_decided(struct store *s, PGconn *conn, struct ledger *l, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *const *ids = NULL;
    size_t n = ledger_wanted_events(l, &ids);

    if (n == 0) {
        return RC_OK;
    }
    set_ids(s, ids, n);
    TRY(binary_query(conn, S_DECIDED, s->column, 1, &res, err));
    for (int row = 0; row < PQntuples(res); row++) {
        enum ledger_code code = CODE_OK;
        add_decided(s, res, row);
        const char *name = binary_get_text(res, row, 3);
        if (name != NULL && !ledger_code_parse(name, &code)) {
            FAIL(err, RC_FATAL, "the decision of event %s has a code that this version does not know",
                 binary_get_text(res, row, 0));
        }
        ledger_put_decided(l, binary_get_text(res, row, 0), (int)binary_get_int(res, row, 1, 0),
                           strcmp(binary_get_text(res, row, 2), "applied") == 0, code);
    }
    return RC_OK;
}

enum rc store_load(struct store *s, PGconn *conn, struct ledger *l, int32_t partition, struct err *err)
{
    arena_reset(&s->arena);
    TRY(load_transfers(s, conn, l, err));
    TRY(load_decided(s, conn, l, err));
    return store_accounts(s, conn, l, partition, err);
}

static void add_count(struct buf *c, const char *group, const struct store_count *n)
{
    const int64_t numbers[] = {n->lo, n->hi, n->applied, n->duplicates, n->rejected, n->dead};

    binary_text(&c[0], group);
    binary_text(&c[1], n->topic);
    binary_int4(&c[2], n->partition);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        binary_int8(&c[3 + i], numbers[i]);
    }
}

enum rc store_journal(struct store *s, PGconn *conn, const char *group, const struct store_count *counts, size_t n,
                      struct err *err)
{
    static const enum binary_type types[] = {BINARY_TEXT, BINARY_TEXT, BINARY_INT4, BINARY_INT8, BINARY_INT8,
                                             BINARY_INT8, BINARY_INT8, BINARY_INT8, BINARY_INT8};

    store_columns_begin(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < n; i++) {
        add_count(s->column, group, &counts[i]);
    }
    store_columns_end(s, ARRAY_SIZE(types), n);
    return store_broken(binary_query(conn, S_JOURNAL, s->column, ARRAY_SIZE(types), NULL, err), "the journal's rows",
                        err);
}

void store_committed(struct store *s)
{
    for (size_t i = 0; i < s->n_made; i++) {
        known_slot_is_there(s->known, s->made[i].account_id, s->made[i].slot);
    }
    s->n_made = 0;
}
