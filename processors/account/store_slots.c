/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch has made of its slots, and holds that follow them. */
#include "account/store_internal.h"
#include "pg/binary.h"
#include "pg/conn.h"

const struct statement STORE_SLOTS_SQL[] = {
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
    /* Slot 0 took over what stood in the others: holds that this batch did not read follow it. */
    {S_MERGE_DEBIT, "UPDATE account_transfers t SET debit_slot = 0 FROM unnest($1::text[]) AS u(id)"
                    " WHERE t.debit_account = u.id COLLATE \"C\" AND t.state = 'held' AND t.debit_slot <> 0"},
    {S_MERGE_CREDIT, "UPDATE account_transfers t SET credit_slot = 0 FROM unnest($1::text[]) AS u(id)"
                     " WHERE t.credit_account = u.id COLLATE \"C\" AND t.state = 'held' AND t.credit_slot <> 0"},
};
const size_t STORE_SLOTS_SQL_N = ARRAY_SIZE(STORE_SLOTS_SQL);

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
    store_int_if(&c[4], a->settings.has_max, a->settings.max_balance);
    binary_int8(&c[5], a->settings_version);
}

#define COUNTER_TYPES \
    BINARY_TEXT, BINARY_INT4, BINARY_INT8, BINARY_INT8, BINARY_INT8, BINARY_INT8, BINARY_BYTEA, BINARY_TIME
#define SETTING_TYPES BINARY_TEXT, BINARY_BOOL, BINARY_BOOL, BINARY_BOOL, BINARY_INT8, BINARY_INT8

static enum rc insert_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    static const enum binary_type types[] = {COUNTER_TYPES, BINARY_TEXT, BINARY_INT4, BINARY_TEXT, SETTING_TYPES};
    size_t n = 0;

    store_columns_begin(s, types, ARRAY_SIZE(types));
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
    store_columns_end(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK
                  : store_raced(binary_query(conn, S_SLOTS_INSERT, s->column, ARRAY_SIZE(types), NULL, err), err);
}

static enum rc update_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    static const enum binary_type types[] = {COUNTER_TYPES, BINARY_INT8};
    size_t n = 0;

    store_columns_begin(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < ledger_accounts_n(l); i++) {
        const struct ledger_account *a = ledger_account_at(l, i);
        if (a->exists && a->dirty && !a->created && !a->settings_changed) {
            add_counters(s->column, a, now_us);
            binary_int8(&s->column[8], a->version_read);
            n++;
        }
    }
    store_columns_end(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK : store_update(s, conn, S_SLOTS_UPDATE, ARRAY_SIZE(types), n, "slots", err);
}

static enum rc set_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    static const enum binary_type types[] = {COUNTER_TYPES, BINARY_INT8, SETTING_TYPES};
    size_t n = 0;

    store_columns_begin(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < ledger_accounts_n(l); i++) {
        const struct ledger_account *a = ledger_account_at(l, i);
        if (a->exists && a->settings_changed && !a->created) {
            add_counters(s->column, a, now_us);
            binary_int8(&s->column[8], a->version_read);
            add_settings(&s->column[9], a);
            n++;
        }
    }
    store_columns_end(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK : store_update(s, conn, S_SLOTS_SET, ARRAY_SIZE(types), n, "settings of slots", err);
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

enum rc store_slots(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    TRY(insert_slots(s, conn, l, now_us, err));
    TRY(update_slots(s, conn, l, now_us, err));
    TRY(set_slots(s, conn, l, now_us, err));
    return move_holds(s, conn, l, err);
}
