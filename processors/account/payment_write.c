/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what a batch has made of its payments: a statement a table, whatever the number of rows. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/payment_event.h"
#include "account/payment_rows.h"
#include "base/buf.h"
#include "base/option.h"
#include "base/uuid.h"
#include "pg/array.h"
#include "pg/conn.h"

#define COLUMNS_MAX 12
#define COLUMN_BYTES_MAX ((size_t)256 << 20)

#define AT(us) "timestamptz 'epoch' + " us " * interval '1 microsecond'"

static const char ORDERS[] =
    "UPDATE payment_transactions p SET state = u.state, version = u.version, channel_txn_id = u.txn,"
    " refunded_amount = u.refunded, suspense_amount = u.suspense, carried_amount = u.carried, credited = u.credited,"
    " confirmed_at = coalesce(" AT(
        "u.confirmed") ", p.confirmed_at), updated_at = now()"
                       " FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], "
                       "$7::bigint[],"
                       "  $8::bigint[], $9::bool[], $10::bigint[])"
                       "  AS u(id, before, state, version, txn, refunded, suspense, carried, credited, confirmed)"
                       " WHERE p.payment_id = u.id COLLATE \"C\" AND p.version = u.before";
static const char STEPS[] =
    "INSERT INTO payment_state_transitions (payment_id, version, from_state, to_state, event_id, event_type, note)"
    " SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])";
static const char RECEIPTS[] =
    "INSERT INTO payment_receipts (payment_id, channel_txn_id, amount, currency, place, refund_id, paid_at, event_id)"
    " SELECT u.id, u.txn, u.amount, u.currency, u.place, u.refund, " AT(
        "u.paid") ", u.event"
                  " FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], "
                  "$7::bigint[], $8::text[])"
                  "  AS u(id, txn, amount, currency, place, refund, paid, event)";
static const char REFUNDS[] =
    "INSERT INTO payment_refunds (payment_id, refund_id, amount, currency, origin, event_id, channel_txn_id)"
    " SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])";
/* An event that needs a person needs one once, however often it comes. */
static const char REVIEWS[] =
    "INSERT INTO payment_reviews (id, payment_id, event_id, event_type, code, detail, event)"
    " SELECT u.id, u.payment, u.event, u.type, u.code, u.detail,"
    "  jsonb_build_object('event_type', u.type, 'payload', u.payload)"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[])"
    "  AS u(id, payment, event, type, code, detail, payload)"
    " ON CONFLICT DO NOTHING";
static const char CALLBACKS[] =
    "INSERT INTO cs_platform_event_outbox (id, platform, event_type, partition_key, callback_target, payload)"
    " SELECT u.id, u.platform, u.type, u.key, u.target, u.payload"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[]) WITH ORDINALITY"
    "  AS u(id, platform, type, key, target, payload, n) ORDER BY u.n";
static const char REQUESTS[] =
    "INSERT INTO payment_outbox (partition_key, event_type, payload)"
    " SELECT u.id, '" PAYMENT_REFUND_REQUESTED "', u.payload"
    " FROM unnest($1::text[], $2::jsonb[]) WITH ORDINALITY AS u(id, payload, n) ORDER BY u.n";

struct columns {
    struct buf c[COLUMNS_MAX];
    int64_t n; /* rows */
};

static void columns_init(struct columns *k)
{
    k->n = 0;
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        buf_init(&k->c[i], COLUMN_BYTES_MAX);
        array_begin(&k->c[i]);
    }
}

static void columns_done(struct columns *k)
{
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        buf_done(&k->c[i]);
    }
}

static void text(struct buf *b, const char *s)
{
    array_add(b, s, s != NULL ? strlen(s) : 0);
}

/* A UUID of version 8 whose other bits are a hash of what it stands for. */
static void id_of(struct buf *b, const char *what, const char *a, int64_t n)
{
    char digest[33];
    char uuid[UUID_TEXT_LEN + 1];
    char *whole CLEANUP(freep) = xasprintf("%s\n%" PRId64, a, n);

    payment_digest(what, whole, digest);
    digest[12] = '8';
    digest[16] = "89ab"[(digest[16] >= 'a' ? digest[16] - 'a' + 10 : digest[16] - '0') & 3];
    (void)snprintf(uuid, sizeof(uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", digest, digest + 8, digest + 12, digest + 16,
                   digest + 20);
    text(b, uuid);
}

/* Nothing when there are no rows. *out_rows (may be NULL): how many the statement touched. */
static enum rc run(PGconn *conn, const char *sql, int n_columns, struct columns *k, int64_t *out_rows, struct err *err)
{
    const char *params[COLUMNS_MAX];
    PGresult *res CLEANUP(pg_clearp) = NULL;

    if (k->n == 0) {
        return RC_OK;
    }
    for (int i = 0; i < n_columns; i++) {
        array_end(&k->c[i]);
        if (k->c[i].overflow) {
            FAIL(err, RC_REJECT, "the payment events of a batch are longer than %zu bytes", COLUMN_BYTES_MAX);
        }
        params[i] = buf_str(&k->c[i]);
    }
    TRY(pg_query(conn, sql, n_columns, params, &res, err));
    if (out_rows != NULL && !option_parse_int(PQcmdTuples(res), 0, INT64_MAX, out_rows)) {
        *out_rows = -1;
    }
    return RC_OK;
}

static enum rc write_orders(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    CLEANUP(columns_done) struct columns k;
    int64_t changed = 0;

    columns_init(&k);
    for (size_t i = 0; i < rows->n; i++) {
        const struct payment_row *row = rows->list[i];
        const struct payment_order *o = &row->o;
        if (row->steps == NULL) {
            continue;
        }
        text(&k.c[0], o->payment_id);
        array_add_int(&k.c[1], row->version_read);
        text(&k.c[2], PAYMENT_STATE_NAMES[o->state]);
        array_add_int(&k.c[3], o->version);
        text(&k.c[4], o->channel_txn_id);
        array_add_int(&k.c[5], o->refunded_amount);
        array_add_int(&k.c[6], o->suspense_amount);
        array_add_int(&k.c[7], o->carried_amount);
        text(&k.c[8], o->credited ? "t" : "f");
        if (o->confirmed_us == PAYMENT_NO_TIME) {
            array_add_null(&k.c[9]);
        } else {
            array_add_int(&k.c[9], o->confirmed_us);
        }
        k.n++;
    }
    TRY(run(conn, ORDERS, 10, &k, &changed, err));
    if (changed != k.n) {
        FAIL(err, RC_FATAL, "%" PRId64 " payments have another version than under their lock", k.n - changed);
    }
    return RC_OK;
}

static enum rc write_steps(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    CLEANUP(columns_done) struct columns k;

    columns_init(&k);
    for (size_t i = 0; i < rows->n; i++) {
        for (const struct payment_step *s = rows->list[i]->steps; s != NULL; s = s->next) {
            text(&k.c[0], rows->list[i]->o.payment_id);
            array_add_int(&k.c[1], s->version);
            text(&k.c[2], PAYMENT_STATE_NAMES[s->from]);
            text(&k.c[3], PAYMENT_STATE_NAMES[s->to]);
            text(&k.c[4], s->event_id);
            text(&k.c[5], s->event_type);
            text(&k.c[6], s->note);
            k.n++;
        }
    }
    return run(conn, STEPS, 7, &k, NULL, err);
}

static enum rc write_receipts(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    CLEANUP(columns_done) struct columns k;

    columns_init(&k);
    for (size_t i = 0; i < rows->n; i++) {
        for (const struct payment_receipt *r = rows->list[i]->receipts; r != NULL; r = r->next) {
            if (!r->made) {
                continue;
            }
            text(&k.c[0], rows->list[i]->o.payment_id);
            text(&k.c[1], r->channel_txn_id);
            array_add_int(&k.c[2], r->amount);
            text(&k.c[3], rows->list[i]->o.currency);
            text(&k.c[4], r->suspense ? "suspense" : "account");
            text(&k.c[5], r->refund_id);
            array_add_int(&k.c[6], r->paid_us);
            text(&k.c[7], r->event_id);
            k.n++;
        }
    }
    return run(conn, RECEIPTS, 8, &k, NULL, err);
}

static enum rc write_refunds(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    CLEANUP(columns_done) struct columns k;

    columns_init(&k);
    for (size_t i = 0; i < rows->n; i++) {
        for (const struct payment_refund *r = rows->list[i]->refunds; r != NULL; r = r->next) {
            if (!r->made) {
                continue;
            }
            text(&k.c[0], rows->list[i]->o.payment_id);
            text(&k.c[1], r->refund_id);
            array_add_int(&k.c[2], r->amount);
            text(&k.c[3], r->currency);
            text(&k.c[4], r->suspense ? "suspense" : "order");
            text(&k.c[5], r->event_id);
            text(&k.c[6], r->channel_txn_id);
            k.n++;
        }
    }
    return run(conn, REFUNDS, 7, &k, NULL, err);
}

static enum rc write_reviews(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    CLEANUP(columns_done) struct columns k;

    columns_init(&k);
    for (const struct payment_review_row *r = rows->reviews; r != NULL; r = r->next) {
        id_of(&k.c[0], r->event_id, r->payment_id, 0);
        text(&k.c[1], r->payment_id);
        text(&k.c[2], r->event_id);
        text(&k.c[3], r->event_type);
        text(&k.c[4], PAYMENT_REVIEW_NAMES[r->code]);
        text(&k.c[5], r->detail);
        text(&k.c[6], r->event);
        k.n++;
    }
    return run(conn, REVIEWS, 7, &k, NULL, err);
}

/* In the order of versions for each payment: the queue's numbers follow the order of the rows. */
static enum rc write_callbacks(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    CLEANUP(columns_done) struct columns k;

    columns_init(&k);
    for (size_t i = 0; i < rows->n; i++) {
        for (const struct payment_step *s = rows->list[i]->steps; s != NULL; s = s->next) {
            if (s->told == NULL) {
                continue;
            }
            id_of(&k.c[0], "payment_callback", rows->list[i]->o.payment_id, s->version);
            text(&k.c[1], rows->list[i]->callback_platform);
            text(&k.c[2], s->tells);
            text(&k.c[3], rows->list[i]->o.payment_id);
            text(&k.c[4], rows->list[i]->callback_target);
            text(&k.c[5], s->told);
            k.n++;
        }
    }
    return run(conn, CALLBACKS, 6, &k, NULL, err);
}

static enum rc write_requests(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    CLEANUP(columns_done) struct columns k;

    columns_init(&k);
    for (const struct payment_request *r = rows->requests; r != NULL; r = r->next) {
        text(&k.c[0], r->payment_id);
        text(&k.c[1], r->payload);
        k.n++;
    }
    return run(conn, REQUESTS, 2, &k, NULL, err);
}

enum rc payment_rows_write(struct payment_rows *rows, PGconn *conn, struct err *err)
{
    TRY(write_orders(rows, conn, err));
    TRY(write_steps(rows, conn, err));
    TRY(write_receipts(rows, conn, err));
    TRY(write_refunds(rows, conn, err));
    TRY(write_reviews(rows, conn, err));
    TRY(write_callbacks(rows, conn, err));
    return write_requests(rows, conn, err);
}
