/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch has decided, as rows of transfers, decisions and flows. */
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
    {S_TRANSFERS_UPDATE,
     "UPDATE account_transfers t SET state = u.state, version = u.version, code = u.code, debit_slot = u.debit_slot,"
     " credit_slot = u.credit_slot, confirmed_amount = u.confirmed_amount, event_id = u.event_id, updated_at = u.at"
     " FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::int[], $6::int[], $7::bigint[], $8::text[],"
     "  $9::timestamptz[], $10::int[])"
     "  AS u(id, state, version, code, debit_slot, credit_slot, confirmed_amount, event_id, at, version_read)"
     " WHERE t.transfer_id = u.id COLLATE \"C\" AND t.version = u.version_read"},
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
    store_int_if(b, t->credit != NULL, t->amount);
    store_int_if(b, t->state == TRANSFER_CONFIRMED, t->confirmed_amount);
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
    store_int_if(&c[6], t->state == TRANSFER_CONFIRMED, t->confirmed_amount);
    binary_text(&c[7], t->event_id);
    add_time(&c[8], t->updated_us);
    binary_int4(&c[9], t->version_read);
}

static enum rc update_transfers(struct store *s, PGconn *conn, const struct ledger *l, struct err *err)
{
    static const enum binary_type types[] = {BINARY_TEXT, BINARY_TEXT, BINARY_INT4, BINARY_TEXT, BINARY_INT4,
                                             BINARY_INT4, BINARY_INT8, BINARY_TEXT, BINARY_TIME, BINARY_INT4};
    size_t n = 0;

    store_columns_begin(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < ledger_transfers_n(l); i++) {
        const struct ledger_transfer *t = ledger_transfer_at(l, i);
        if (t->dirty && t->version_read > 0) {
            add_changed(s->column, t);
            n++;
        }
    }
    store_columns_end(s, ARRAY_SIZE(types), n);
    return n == 0 ? RC_OK : store_update(s, conn, S_TRANSFERS_UPDATE, ARRAY_SIZE(types), n, "transfers", err);
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
    store_columns_begin(s, types, ARRAY_SIZE(types));
    for (size_t i = 0; i < n; i++) {
        add_decision(s, &list[i], now_us);
    }
    store_columns_end(s, ARRAY_SIZE(types), n);
    return store_raced(binary_query(conn, S_DECISIONS, s->column, ARRAY_SIZE(types), NULL, err), err);
}

enum rc store_write(struct store *s, PGconn *conn, const struct ledger *l, int64_t now_us, struct err *err)
{
    TRY(insert_transfers(s, conn, l, err));
    TRY(update_transfers(s, conn, l, err));
    TRY(insert_decisions(s, conn, l, now_us, err));
    TRY(store_slots(s, conn, l, now_us, err));
    return insert_flows(s, conn, l, now_us, err);
}
