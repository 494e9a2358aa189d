/* SPDX-License-Identifier: Apache-2.0 */
/* Which slots a batch needs, and their locks in one order. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "account/store_internal.h"
#include "base/names.h"
#include "pg/binary.h"
#include "pg/conn.h"

#define SETTINGS_COLUMNS "currency, exponent, kind, status, no_negative, credit_only, debit_only, max_balance"

const struct statement STORE_ACCOUNTS_SQL[] = {
    /* Slots without a flow, settings copied from slot 0, which is held so that they cannot change meanwhile. */
    {S_SLOTS_MAKE,
     "INSERT INTO account_slots (account_id, slot, settings_version, " SETTINGS_COLUMNS ")"
     " SELECT s.account_id, u.slot, s.settings_version, s.currency, s.exponent, s.kind, s.status, s.no_negative,"
     "  s.credit_only, s.debit_only, s.max_balance"
     " FROM unnest($1::text[], $2::int[]) AS u(id, slot)"
     " JOIN account_slots s ON s.account_id = u.id COLLATE \"C\" AND s.slot = 0"
     " ORDER BY s.account_id FOR SHARE OF s"
     " ON CONFLICT (account_id, slot) DO NOTHING"},
    /*
     * All slots of a batch, in a statement of its own: what waits for a lock here then sees the locked row as it is
     * now, and nothing else is read under an older snapshot.
     */
    {S_SLOTS, "SELECT s.account_id, s.slot, s.settings_version, s.balance, s.frozen, s.incoming, s.version, s.hash,"
              " s.currency, s.exponent, s.kind, s.status, s.no_negative, s.credit_only, s.debit_only, s.max_balance"
              " FROM unnest($1::text[], $2::int[], $3::int[]) AS u(id, lo, hi)"
              " JOIN account_slots s ON s.account_id = u.id COLLATE \"C\" AND s.slot >= u.lo AND s.slot <= u.hi"
              " ORDER BY s.account_id, s.slot FOR UPDATE OF s"},
};
const size_t STORE_ACCOUNTS_SQL_N = ARRAY_SIZE(STORE_ACCOUNTS_SQL);

static struct slot_lock *add_lock(struct store *s, const char *account_id, int lo, int hi)
{
    if (s->n_locks == s->max_locks) {
        s->max_locks = s->max_locks == 0 ? 256 : 2 * s->max_locks;
        s->locks = xrealloc(s->locks, s->max_locks * sizeof(*s->locks));
    }
    struct slot_lock *lock = &s->locks[s->n_locks++];
    *lock = (struct slot_lock){.account_id = account_id, .lo = lo, .hi = hi};
    return lock;
}

static void add_made(struct store *s, const char *account_id, int slot)
{
    if (s->n_made == s->max_made) {
        s->max_made = s->max_made == 0 ? 64 : 2 * s->max_made;
        s->made = xrealloc(s->made, s->max_made * sizeof(*s->made));
    }
    s->made[s->n_made++] =
        (struct made_slot){.account_id = arena_strndup(&s->arena, account_id, strlen(account_id)), .slot = slot};
}

static int by_account_and_slot(const void *a, const void *b)
{
    const struct slot_lock *x = a;
    const struct slot_lock *y = b;
    int order = strcmp(x->account_id, y->account_id);

    return order != 0 ? order : x->lo - y->lo;
}

/* In the order of their rows, each once: the chosen slot may be one that is wanted by its number too. */
static void sort_locks(struct store *s)
{
    size_t n = 0;

    if (s->n_locks == 0) {
        return;
    }
    qsort(s->locks, s->n_locks, sizeof(*s->locks), by_account_and_slot);
    for (size_t i = 1; i < s->n_locks; i++) {
        if (by_account_and_slot(&s->locks[i], &s->locks[n]) != 0) {
            s->locks[++n] = s->locks[i];
        } else {
            s->locks[n].chosen = s->locks[n].chosen || s->locks[i].chosen;
        }
    }
    s->n_locks = n + 1;
}

/* The strings of wants live in the ledger as long as the batch. */
static void choose_slots(struct store *s, struct ledger *l, int32_t partition)
{
    const struct ledger_want_account *wants = NULL;
    size_t n = ledger_wanted_accounts(l, &wants);
    int ours = s->slots > 0 ? 1 + partition % s->slots : 0;

    s->n_locks = 0;
    for (size_t i = 0; i < n; i++) {
        const char *id = wants[i].account_id;
        if (wants[i].slot == LEDGER_ALL_SLOTS) {
            (void)add_lock(s, id, 0, STORE_SLOT_HIGHEST);
        } else if (wants[i].slot != LEDGER_ANY_SLOT) {
            (void)add_lock(s, id, wants[i].slot, wants[i].slot);
        } else {
            int slot = ours > 0 && known_without_limit(s->known, id) ? ours : 0;
            add_lock(s, id, slot, slot)->chosen = true;
        }
    }
    sort_locks(s);
}

static bool is_all(const struct slot_lock *k)
{
    return k->lo != k->hi;
}

/* Slots that were chosen and have perhaps no row yet. */
static enum rc make_slots(struct store *s, PGconn *conn, struct err *err)
{
    size_t n = 0;

    binary_array_begin(&s->column[0], BINARY_TEXT);
    binary_array_begin(&s->column[1], BINARY_INT4);
    for (size_t i = 0; i < s->n_locks; i++) {
        const struct slot_lock *k = &s->locks[i];
        if (k->chosen && k->lo > 0 && !known_slot(s->known, k->account_id, k->lo)) {
            binary_text(&s->column[0], k->account_id);
            binary_int4(&s->column[1], k->lo);
            add_made(s, k->account_id, k->lo);
            n++;
        }
    }
    binary_array_end(&s->column[0], n);
    binary_array_end(&s->column[1], n);
    return n == 0 ? RC_OK : binary_query(conn, S_SLOTS_MAKE, s->column, 2, NULL, err);
}

/* only_all: those alone of which all slots are wanted. Returns how many. */
static size_t set_locks(struct store *s, bool only_all)
{
    static const enum binary_type types[] = {BINARY_TEXT, BINARY_INT4, BINARY_INT4};
    size_t n = 0;

    store_columns_begin(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < s->n_locks; i++) {
        const struct slot_lock *k = &s->locks[i];
        if (only_all && !(is_all(k) && k->found)) {
            continue;
        }
        binary_text(&s->column[0], k->account_id);
        binary_int4(&s->column[1], k->lo);
        binary_int4(&s->column[2], k->hi);
        n++;
    }
    store_columns_end(s, ARRAY_SIZE(types), n);
    return n;
}

static enum rc read_slot(const PGresult *res, int row, struct ledger_account *a, struct err *err)
{
    int kind = names_find(LEDGER_KIND_NAMES, LEDGER_KINDS, binary_get_text(res, row, 10));
    int status = names_find(LEDGER_STATUS_NAMES, LEDGER_STATUSES, binary_get_text(res, row, 11));

    *a = (struct ledger_account){
        .account_id = binary_get_text(res, row, 0),
        .slot = (int)binary_get_int(res, row, 1, 0),
        .exists = true,
        .settings_version = binary_get_int(res, row, 2, 0),
        .balance = binary_get_int(res, row, 3, 0),
        .frozen = binary_get_int(res, row, 4, 0),
        .incoming = binary_get_int(res, row, 5, 0),
        .version = binary_get_int(res, row, 6, 0),
        .currency = binary_get_text(res, row, 8),
        .exponent = (int)binary_get_int(res, row, 9, 0),
        .settings = {.no_negative = binary_get_bool(res, row, 12),
                     .credit_only = binary_get_bool(res, row, 13),
                     .debit_only = binary_get_bool(res, row, 14),
                     .has_max = !PQgetisnull(res, row, 15),
                     .max_balance = binary_get_int(res, row, 15, 0)},
    };
    a->version_read = a->version;
    if (kind < 0 || status < 0 || PQgetlength(res, row, 7) != LEDGER_HASH_BYTES) {
        FAIL(err, RC_FATAL, "account %s has a kind, status or hash that this version does not know", a->account_id);
    }
    a->kind = (enum ledger_kind)kind;
    a->settings.status = (enum ledger_status)status;
    memcpy(a->hash, PQgetvalue(res, row, 7), LEDGER_HASH_BYTES);
    return RC_OK;
}

/* Is the row of this lock? Rows and locks are in the same order. */
static bool fits(const struct slot_lock *k, const struct ledger_account *a)
{
    return strcmp(k->account_id, a->account_id) == 0 && a->slot >= k->lo && a->slot <= k->hi;
}

static enum rc put_row(struct store *s, struct ledger *l, struct slot_lock *k, const struct ledger_account *a,
                       struct err *err)
{
    bool limited = ledger_limited(&a->settings);

    k->found = true;
    if (limited) {
        known_forget(s->known, a->account_id);
        if (a->slot > 0 && !is_all(k)) {
            FAIL(err, RC_RETRY, "account %s has got a limit: its bookings go to slot 0 from now on", a->account_id);
        }
    } else if (a->slot == 0) {
        known_seen(s->known, a->account_id);
    }
    ledger_put_account(l, a);
    return RC_OK;
}

static enum rc put_missing(struct store *s, struct ledger *l, const struct slot_lock *k, struct err *err)
{
    if (k->lo == 0) {
        const struct ledger_account nobody = {.account_id = k->account_id, .currency = ""};
        ledger_put_account(l, &nobody);
        return RC_OK;
    }
    if (k->chosen) {
        known_forget(s->known, k->account_id);
        FAIL(err, RC_RETRY, "account %s has no slot %d: booked in slot 0", k->account_id, k->lo);
    }
    FAIL(err, RC_FATAL, "account %s has no slot %d, which a hold names", k->account_id, k->lo);
}

static enum rc put_rows(struct store *s, struct ledger *l, const PGresult *res, struct err *err)
{
    size_t k = 0;

    for (int row = 0; row < PQntuples(res); row++) {
        struct ledger_account a;
        TRY(read_slot(res, row, &a, err));
        while (k < s->n_locks && !fits(&s->locks[k], &a)) {
            k++;
        }
        assert(k < s->n_locks);
        TRY(put_row(s, l, &s->locks[k], &a, err));
    }
    for (k = 0; k < s->n_locks; k++) {
        if (!s->locks[k].found) {
            TRY(put_missing(s, l, &s->locks[k], err));
        }
    }
    return RC_OK;
}

static bool was_read(const PGresult *res, const struct ledger_account *a)
{
    for (int row = 0; row < PQntuples(res); row++) {
        if (binary_get_int(res, row, 1, 0) == a->slot && strcmp(binary_get_text(res, row, 0), a->account_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Slots that were made while we waited for slot 0; now nobody can make another one. */
static enum rc put_new_rows(struct store *s, PGconn *conn, struct ledger *l, const PGresult *before, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    if (set_locks(s, true) == 0) {
        return RC_OK;
    }
    TRY(binary_query(conn, S_SLOTS, s->column, 3, &res, err));
    for (int row = 0; row < PQntuples(res); row++) {
        struct ledger_account a;
        TRY(read_slot(res, row, &a, err));
        if (!was_read(before, &a)) {
            ledger_put_account(l, &a);
        }
    }
    return RC_OK;
}

enum rc store_accounts(struct store *s, PGconn *conn, struct ledger *l, int32_t partition, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    choose_slots(s, l, partition);
    if (s->n_locks == 0) {
        return RC_OK;
    }
    TRY(make_slots(s, conn, err));
    (void)set_locks(s, false);
    TRY(binary_query(conn, S_SLOTS, s->column, 3, &res, err));
    TRY(put_rows(s, l, res, err));
    return put_new_rows(s, conn, l, res, err);
}
