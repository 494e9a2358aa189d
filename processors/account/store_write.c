/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch has decided, as rows. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "account/decision.h"
#include "account/store_internal.h"
#include "pg/binary.h"
#include "pg/conn.h"

#define TRANSFER_COLUMNS                                                                                        \
    "transfer_id, state, version, code, debit_account, credit_account, debit_slot, credit_slot, amount,"        \
    " confirmed_amount, currency, reference, caller, set_id, content_hash, event_id, effective_at, expires_at," \
    " booked_at, updated_at"
#define TRANSFER_COLUMNS_N 20

static const char COPY_TRANSFERS[] = "COPY account_transfers (" TRANSFER_COLUMNS ") FROM STDIN (FORMAT binary)";

static const char COPY_FLOWS[] =
    "COPY account_flows (id, account_id, slot, version, kind, amount, balance_after, frozen_delta, frozen_after,"
    " incoming_delta, incoming_after, currency, counter_account, transfer_id, event_id, reference, effective_at,"
    " booked_at, hash, decision) FROM STDIN (FORMAT binary)";
#define FLOW_COLUMNS_N 20

const struct statement STORE_WRITE_SQL[] = {
    {S_SLOTS_INSERT,
     "INSERT INTO account_slots (account_id, slot, balance, frozen, incoming, version, hash, updated_at, created_at,"
     " currency, exponent, kind, status, no_negative, credit_only, debit_only, max_balance, settings_version)"
     " SELECT id, slot, balance, frozen, incoming, version, hash, at, at, currency, exponent, kind, status,"
     "  no_negative, credit_only, debit_only, max_balance, settings_version"
     " FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[],"
     "  $8::timestamptz[], $9::text[], $10::int[], $11::text[], $12::text[], $13::bool[], $14::bool[], $15::bool[],"
     "  $16::bigint[], $17::bigint[]) AS u(id, slot, balance, frozen, incoming, version, hash, at, currency, exponent,"
     "  kind, status, no_negative, credit_only, debit_only, max_balance, settings_version)"
     " ORDER BY id, slot"},
    {S_SLOTS_UPDATE,
     "UPDATE account_slots s SET balance = u.balance, frozen = u.frozen, incoming = u.incoming, version = u.version,"
     " hash = u.hash, updated_at = u.at"
     " FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[],"
     "  $8::timestamptz[], $9::bigint[])"
     "  AS u(id, slot, balance, frozen, incoming, version, hash, at, version_read)"
     " WHERE s.account_id = u.id COLLATE \"C\" AND s.slot = u.slot AND s.version = u.version_read"},
    {S_SLOTS_SET,
     "UPDATE account_slots s SET balance = u.balance, frozen = u.frozen, incoming = u.incoming, version = u.version,"
     " hash = u.hash, updated_at = u.at, status = u.status, no_negative = u.no_negative,"
     " credit_only = u.credit_only, debit_only = u.debit_only, max_balance = u.max_balance,"
     " settings_version = u.settings_version"
     " FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[],"
     "  $8::timestamptz[], $9::bigint[], $10::text[], $11::bool[], $12::bool[], $13::bool[], $14::bigint[],"
     "  $15::bigint[])"
     "  AS u(id, slot, balance, frozen, incoming, version, hash, at, version_read, status, no_negative, credit_only,"
     "  debit_only, max_balance, settings_version)"
     " WHERE s.account_id = u.id COLLATE \"C\" AND s.slot = u.slot AND s.version = u.version_read"},
    {S_TRANSFERS_UPDATE,
     "UPDATE account_transfers t SET state = u.state, version = u.version, code = u.code, debit_slot = u.debit_slot,"
     " credit_slot = u.credit_slot, confirmed_amount = u.confirmed_amount, event_id = u.event_id, updated_at = u.at"
     " FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::int[], $6::int[], $7::bigint[], $8::text[],"
     "  $9::timestamptz[], $10::int[])"
     "  AS u(id, state, version, code, debit_slot, credit_slot, confirmed_amount, event_id, at, version_read)"
     " WHERE t.transfer_id = u.id COLLATE \"C\" AND t.version = u.version_read"},
    /* Slot 0 took over what stood in the others: holds that this batch did not read follow it. */
    {S_MERGE_DEBIT, "UPDATE account_transfers t SET debit_slot = 0 FROM unnest($1::text[]) AS u(id)"
                    " WHERE t.debit_account = u.id COLLATE \"C\" AND t.state = 'held' AND t.debit_slot <> 0"},
    {S_MERGE_CREDIT, "UPDATE account_transfers t SET credit_slot = 0 FROM unnest($1::text[]) AS u(id)"
                     " WHERE t.credit_account = u.id COLLATE \"C\" AND t.state = 'held' AND t.credit_slot <> 0"},
    {S_DECISIONS,
     "INSERT INTO account_decisions (id, event_id, ordinal, account_id, transfer_id, command, outcome, code, decision,"
     " decided_at)"
     " SELECT id, event_id, ordinal, account_id, transfer_id, command, outcome, code, decision, at"
     " FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],"
     "  $9::text[], $10::timestamptz[]) WITH ORDINALITY"
     "  AS u(id, event_id, ordinal, account_id, transfer_id, command, outcome, code, decision, at, n)"
     " ORDER BY n"},
};
const size_t STORE_WRITE_SQL_N = ARRAY_SIZE(STORE_WRITE_SQL);

static void begin_columns(struct store *s, const enum binary_type *types, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        binary_array_begin(&s->column[i], types[i]);
    }
}

static void end_columns(struct store *s, size_t n_columns, size_t n)
{
    for (size_t i = 0; i < n_columns; i++) {
        binary_array_end(&s->column[i], n);
    }
}

static void add_time(struct buf *b, int64_t us)
{
    if (us == LEDGER_NO_TIME) {
        binary_null(b);
    } else {
        binary_time(b, us);
    }
}

static void add_slot(struct buf *b, int slot)
{
    if (slot < 0) {
        binary_null(b);
    } else {
        binary_int4(b, slot);
    }
}

static void add_int_if(struct buf *b, bool there, int64_t v)
{
    if (there) {
        binary_int8(b, v);
    } else {
        binary_null(b);
    }
}

static const char *code_or_null(enum ledger_code code)
{
    return code == CODE_OK ? NULL : ledger_code_name(code);
}

/* ---- transfers ---- */

static void add_transfer(struct buf *b, const struct ledger_transfer *t)
{
    binary_copy_row(b, TRANSFER_COLUMNS_N);
    binary_text(b, t->transfer_id);
    binary_text(b, LEDGER_STATE_NAMES[t->state]);
    binary_int4(b, t->version);
    binary_text(b, code_or_null(t->code));
    binary_text(b, t->debit);
    binary_text(b, t->credit);
    add_slot(b, t->debit_slot);
    add_slot(b, t->credit_slot);
    add_int_if(b, t->credit != NULL, t->amount);
    add_int_if(b, t->state == TRANSFER_CONFIRMED, t->confirmed_amount);
    binary_text(b, t->currency);
    binary_text(b, t->reference);
    binary_text(b, t->caller);
    binary_text(b, t->set_id);
    binary_raw(b, t->content_hash, LEDGER_HASH_BYTES);
    binary_text(b, t->event_id);
    add_time(b, t->effective_us);
    add_time(b, t->expires_us);
    add_time(b, t->booked_us);
    add_time(b, t->updated_us);
}

static int by_id(const void *a, const void *b)
{
    const struct ledger_transfer *const *x = a;
    const struct ledger_transfer *const *y = b;

    return strcmp((*x)->transfer_id, (*y)->transfer_id);
}

/* In the order of their ids: of two instances that insert the same ones the first wins and nobody waits in a circle. */
static enum rc insert_transfers(struct store *s, PGconn *conn, const struct ledger *l, struct err *err)
{
    size_t all = ledger_transfers_n(l);
    const struct ledger_transfer **list = arena_alloc(&s->arena, (all + 1) * sizeof(const struct ledger_transfer *));
    size_t n = 0;

    for (size_t i = 0; i < all; i++) {
        const struct ledger_transfer *t = ledger_transfer_at(l, i);
        if (t->dirty && t->version_read == 0) {
            list[n++] = t;
        }
    }
    if (n == 0) {
        return RC_OK;
    }
    qsort(list, n, sizeof(const struct ledger_transfer *), by_id);
    binary_copy_begin(&s->rows);
    for (size_t i = 0; i < n; i++) {
        add_transfer(&s->rows, list[i]);
    }
    binary_copy_end(&s->rows);
    return store_raced(binary_copy(conn, COPY_TRANSFERS, &s->rows, n, err), err);
}

static void add_changed(struct buf *c, const struct ledger_transfer *t)
{
    binary_text(&c[0], t->transfer_id);
    binary_text(&c[1], LEDGER_STATE_NAMES[t->state]);
    binary_int4(&c[2], t->version);
    binary_text(&c[3], code_or_null(t->code));
    add_slot(&c[4], t->debit_slot);
    add_slot(&c[5], t->credit_slot);
    add_int_if(&c[6], t->state == TRANSFER_CONFIRMED, t->confirmed_amount);
    binary_text(&c[7], t->event_id);
    add_time(&c[8], t->updated_us);
    binary_int4(&c[9], t->version_read);
}

/* An UPDATE of rows that are locked and were read: all of them, or something is wrong with us. */
static enum rc update_all(struct store *s, PGconn *conn, const char *statement, int columns, size_t n, const char *what,
                          struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(store_broken(binary_query(conn, statement, s->column, columns, &res, err), what, err));
    if (strtoull(PQcmdTuples(res), NULL, 10) != n) {
        FAIL(err, RC_FATAL, "%s: %s of %zu have the version that was read under their lock", what, PQcmdTuples(res), n);
    }
    return RC_OK;
}

static enum rc update_transfers(struct store *s, PGconn *conn, const struct ledger *l, struct err *err)
{
    static const enum binary_type types[] = {BINARY_TEXT, BINARY_TEXT, BINARY_INT4, BINARY_TEXT, BINARY_INT4,
                                             BINARY_INT4, BINARY_INT8, BINARY_TEXT, BINARY_TIME, BINARY_INT4};
    size_t n = 0;

    begin_columns(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < ledger_transfers_n(l); i++) {
        const struct ledger_transfer *t = ledger_transfer_at(l, i);
        if (t->dirty && t->version_read > 0) {
            add_changed(s->column, t);
            n++;
        }
    }
    end_columns(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK : update_all(s, conn, S_TRANSFERS_UPDATE, ARRAY_SIZE(types), n, "transfers", err);
}

/* ---- flows ---- */

static void add_flow(struct store *s, const struct ledger *l, const struct ledger_flow *f, int64_t now_us)
{
    const struct ledger_account *a = ledger_account_at(l, f->account);
    struct buf *b = &s->rows;
    unsigned char id[ROW_ID_BYTES];

    flow_row_id(f->hash, id);
    binary_copy_row(b, FLOW_COLUMNS_N);
    binary_raw(b, id, sizeof(id));
    binary_text(b, a->account_id);
    binary_int4(b, a->slot);
    binary_int8(b, f->version);
    binary_text(b, LEDGER_FLOW_KIND_NAMES[f->kind]);
    binary_int8(b, f->amount);
    binary_int8(b, f->balance_after);
    binary_int8(b, f->frozen_delta);
    binary_int8(b, f->frozen_after);
    binary_int8(b, f->incoming_delta);
    binary_int8(b, f->incoming_after);
    binary_text(b, a->currency);
    binary_text(b, f->counter_account);
    binary_text(b, f->transfer_id);
    binary_text(b, f->event_id);
    binary_text(b, f->reference);
    binary_time(b, f->effective_us);
    binary_time(b, now_us);
    binary_raw(b, f->hash, LEDGER_HASH_BYTES);
    if (f->decided == NULL) {
        binary_null(b);
    } else {
        decision_of_flow(&s->json, f->kind, f->decided);
        binary_raw(b, buf_str(&s->json), s->json.len);
    }
}

static enum rc insert_flows(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    const struct ledger_flow *flows = NULL;
    size_t n = ledger_flows(l, &flows);

    if (n == 0) {
        return RC_OK;
    }
    binary_copy_begin(&s->rows);
    for (size_t i = 0; i < n; i++) {
        add_flow(s, l, &flows[i], now_us);
    }
    binary_copy_end(&s->rows);
    return store_broken(binary_copy(conn, COPY_FLOWS, &s->rows, n, err), "flows", err);
}

/* ---- decisions ---- */

static void add_decision(struct store *s, const struct ledger_decision *d, int64_t now_us)
{
    struct buf *c = s->column;
    unsigned char id[ROW_ID_BYTES];

    decision_row_id(d->event_id, d->ordinal, id);
    decision_of_row(&s->json, d, now_us);
    binary_raw(&c[0], id, sizeof(id));
    binary_text(&c[1], d->event_id);
    binary_int4(&c[2], d->ordinal);
    binary_text(&c[3], d->account_id);
    binary_text(&c[4], d->transfer_id);
    binary_text(&c[5], LEDGER_OP_NAMES[d->op]);
    binary_text(&c[6], d->applied ? "applied" : "rejected");
    binary_text(&c[7], code_or_null(d->code));
    binary_raw(&c[8], buf_str(&s->json), s->json.len);
    binary_time(&c[9], now_us);
}

static enum rc insert_decisions(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    static const enum binary_type types[] = {BINARY_UUID, BINARY_TEXT, BINARY_INT4, BINARY_TEXT, BINARY_TEXT,
                                             BINARY_TEXT, BINARY_TEXT, BINARY_TEXT, BINARY_TEXT, BINARY_TIME};
    const struct ledger_decision *list = NULL;
    size_t n = ledger_decisions(l, &list);

    if (n == 0) {
        return RC_OK;
    }
    begin_columns(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < n; i++) {
        add_decision(s, &list[i], now_us);
    }
    end_columns(s, ARRAY_SIZE(types), n);
    return store_raced(binary_query(conn, S_DECISIONS, s->column, ARRAY_SIZE(types), NULL, err), err);
}

/* ---- slots ---- */

static void add_counters(struct buf *c, const struct ledger_account *a, int64_t now_us)
{
    binary_text(&c[0], a->account_id);
    binary_int4(&c[1], a->slot);
    binary_int8(&c[2], a->balance);
    binary_int8(&c[3], a->frozen);
    binary_int8(&c[4], a->incoming);
    binary_int8(&c[5], a->version);
    binary_raw(&c[6], a->hash, LEDGER_HASH_BYTES);
    binary_time(&c[7], now_us);
}

static void add_settings(struct buf *c, const struct ledger_account *a)
{
    binary_text(&c[0], LEDGER_STATUS_NAMES[a->settings.status]);
    binary_bool(&c[1], a->settings.no_negative);
    binary_bool(&c[2], a->settings.credit_only);
    binary_bool(&c[3], a->settings.debit_only);
    add_int_if(&c[4], a->settings.has_max, a->settings.max_balance);
    binary_int8(&c[5], a->settings_version);
}

#define COUNTER_TYPES \
    BINARY_TEXT, BINARY_INT4, BINARY_INT8, BINARY_INT8, BINARY_INT8, BINARY_INT8, BINARY_BYTEA, BINARY_TIME
#define SETTING_TYPES BINARY_TEXT, BINARY_BOOL, BINARY_BOOL, BINARY_BOOL, BINARY_INT8, BINARY_INT8

static enum rc insert_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    static const enum binary_type types[] = {COUNTER_TYPES, BINARY_TEXT, BINARY_INT4, BINARY_TEXT, SETTING_TYPES};
    size_t n = 0;

    begin_columns(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < ledger_accounts_n(l); i++) {
        const struct ledger_account *a = ledger_account_at(l, i);
        if (a->exists && a->created) {
            add_counters(s->column, a, now_us);
            binary_text(&s->column[8], a->currency);
            binary_int4(&s->column[9], a->exponent);
            binary_text(&s->column[10], LEDGER_KIND_NAMES[a->kind]);
            add_settings(&s->column[11], a);
            n++;
        }
    }
    end_columns(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK
                  : store_raced(binary_query(conn, S_SLOTS_INSERT, s->column, ARRAY_SIZE(types), NULL, err), err);
}

static enum rc update_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    static const enum binary_type types[] = {COUNTER_TYPES, BINARY_INT8};
    size_t n = 0;

    begin_columns(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < ledger_accounts_n(l); i++) {
        const struct ledger_account *a = ledger_account_at(l, i);
        if (a->exists && a->dirty && !a->created && !a->settings_changed) {
            add_counters(s->column, a, now_us);
            binary_int8(&s->column[8], a->version_read);
            n++;
        }
    }
    end_columns(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK : update_all(s, conn, S_SLOTS_UPDATE, ARRAY_SIZE(types), n, "slots", err);
}

static enum rc set_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    static const enum binary_type types[] = {COUNTER_TYPES, BINARY_INT8, SETTING_TYPES};
    size_t n = 0;

    begin_columns(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < ledger_accounts_n(l); i++) {
        const struct ledger_account *a = ledger_account_at(l, i);
        if (a->exists && a->settings_changed && !a->created) {
            add_counters(s->column, a, now_us);
            binary_int8(&s->column[8], a->version_read);
            add_settings(&s->column[9], a);
            n++;
        }
    }
    end_columns(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK : update_all(s, conn, S_SLOTS_SET, ARRAY_SIZE(types), n, "settings of slots", err);
}

/* Behind update_transfers: those of the batch are in slot 0 already. */
static enum rc move_holds(struct store *s, PGconn *conn, const struct ledger *l, struct err *err)
{
    size_t n = 0;

    binary_array_begin(&s->column[0], BINARY_TEXT);
    for (size_t i = 0; i < ledger_accounts_n(l); i++) {
        const struct ledger_account *a = ledger_account_at(l, i);
        if (a->merged) {
            binary_text(&s->column[0], a->account_id);
            n++;
        }
    }
    binary_array_end(&s->column[0], n);
    if (n == 0) {
        return RC_OK;
    }
    TRY(store_broken(binary_query(conn, S_MERGE_DEBIT, s->column, 1, NULL, err), "merged holds", err));
    return store_broken(binary_query(conn, S_MERGE_CREDIT, s->column, 1, NULL, err), "merged holds", err);
}

enum rc store_write(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    TRY(insert_transfers(s, conn, l, err));
    TRY(update_transfers(s, conn, l, err));
    TRY(insert_decisions(s, conn, l, now_us, err));
    TRY(insert_slots(s, conn, l, now_us, err));
    TRY(update_slots(s, conn, l, now_us, err));
    TRY(set_slots(s, conn, l, now_us, err));
    TRY(move_holds(s, conn, l, err));
    return insert_flows(s, conn, l, now_us, err);
}
