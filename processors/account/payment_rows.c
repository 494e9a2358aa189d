/* SPDX-License-Identifier: Apache-2.0 */
/* Reads orders and what was booked for them; rows are locked by id, in a statement of its own. */
#include "account/payment_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "crypto/sha256.h"
#include "pg/array.h"
#include "pg/conn.h"

#define COLUMN_BYTES_MAX ((size_t)64 << 20)
#define ACCOUNT_ID_BYTES ((size_t)256)

#define ORDERS                                                                                            \
    "SELECT payment_id, account_id, channel, amount, currency, exponent, state, version, channel_txn_id," \
    " refunded_amount, suspense_amount, carried_amount, credited,"                                        \
    " (extract(epoch FROM confirmed_at) * 1000000)::bigint, callback_platform, callback_target"           \
    " FROM payment_transactions WHERE payment_id = ANY ($1::text[]) ORDER BY payment_id"

/* After the lock of the order nobody else adds to these. */
static const char RECEIPTS[] =
    "SELECT DISTINCT r.payment_id, r.channel_txn_id, r.amount, r.place = 'suspense', r.refund_id"
    " FROM unnest($1::text[], $2::text[], $3::text[]) AS u(id, txn, refund)"
    " JOIN payment_receipts r ON r.payment_id = u.id COLLATE \"C\""
    "  AND (r.channel_txn_id = u.txn COLLATE \"C\" OR r.refund_id = u.refund COLLATE \"C\")";
static const char REFUNDS[] =
    "SELECT DISTINCT r.payment_id, r.refund_id, r.amount, r.currency, r.origin = 'suspense', r.channel_txn_id"
    " FROM unnest($1::text[], $2::text[], $3::text[]) AS u(id, txn, refund)"
    " JOIN payment_refunds r ON r.payment_id = u.id COLLATE \"C\""
    "  AND (r.refund_id = u.refund COLLATE \"C\" OR r.channel_txn_id = u.txn COLLATE \"C\")";
static const char REVIEWED[] =
    "SELECT DISTINCT r.payment_id, r.event_id FROM unnest($1::text[], $2::text[]) AS u(id, event)"
    " JOIN payment_reviews r ON r.event_id = u.event AND r.payment_id = u.id COLLATE \"C\"";
static const char MISSING[] = "SELECT u.id FROM unnest($1::text[]) AS u(id) WHERE NOT EXISTS"
                              " (SELECT 1 FROM account_slots s WHERE s.account_id = u.id COLLATE \"C\" AND s.slot = 0)";

void payment_digest(const char *a, const char *b, char out[33])
{
    unsigned char hash[SHA256_BYTES];
    char *text CLEANUP(freep) = xasprintf("%s\n%s", a, b);

    sha256_of(text, strlen(text), hash);
    sha256_hex(hash, 16, out);
}

void payment_refund_number(const char *payment_id, const char *channel_txn_id, char out[PAYMENT_REFUND_ID_BYTES])
{
    char digest[33];

    payment_digest(payment_id, channel_txn_id, digest);
    (void)snprintf(out, PAYMENT_REFUND_ID_BYTES, "sus-%s", digest);
}

static const char *copy(struct payment_rows *rows, const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col)
               ? NULL
               : arena_strndup(rows->arena, PQgetvalue(res, row, col), (size_t)PQgetlength(res, row, col));
}

static void add_text(struct buf *b, const char *text)
{
    array_add(b, text, text != NULL ? strlen(text) : 0);
}

static enum rc read_order(struct payment_rows *rows, const PGresult *res, int i, struct err *err)
{
    struct payment_row *row = arena_alloc(rows->arena, sizeof(*row));

    *row = (struct payment_row){
        .o = {.payment_id = copy(rows, res, i, 0),
              .account_id = copy(rows, res, i, 1),
              .channel = copy(rows, res, i, 2),
              .amount = pg_int(res, i, 3, 0),
              .currency = copy(rows, res, i, 4),
              .exponent = (int)pg_int(res, i, 5, 2),
              .version = pg_int(res, i, 7, 0),
              .channel_txn_id = copy(rows, res, i, 8),
              .refunded_amount = pg_int(res, i, 9, 0),
              .suspense_amount = pg_int(res, i, 10, 0),
              .carried_amount = pg_int(res, i, 11, 0),
              .credited = pg_text(res, i, 12)[0] == 't',
              .confirmed_us = pg_int(res, i, 13, PAYMENT_NO_TIME)},
        .callback_platform = copy(rows, res, i, 14),
        .callback_target = copy(rows, res, i, 15),
    };
    row->version_read = row->o.version;
    if (!payment_state_parse(pg_text(res, i, 6), &row->o.state)) {
        FAIL(err, RC_FATAL, "payment %s has a state that this version does not know", row->o.payment_id);
    }
    rows->list[rows->n++] = row;
    return RC_OK;
}

static enum rc load_orders(struct payment_rows *rows, PGconn *conn, bool lock, const char *ids, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {ids};

    TRY(pg_query(conn, lock ? ORDERS " FOR UPDATE" : ORDERS, 1, params, &res, err));
    size_t n = (size_t)PQntuples(res);
    rows->list = arena_alloc(rows->arena, (n + 1) * sizeof(struct payment_row *));
    for (int i = 0; i < PQntuples(res); i++) {
        TRY(read_order(rows, res, i, err));
    }
    return RC_OK;
}

static enum rc load_receipts(struct payment_rows *rows, PGconn *conn, const char *const params[3], struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, RECEIPTS, 3, params, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        struct payment_row *row = payment_rows_find(rows, pg_text(res, i, 0));
        struct payment_receipt *r = arena_alloc(rows->arena, sizeof(*r));
        if (row != NULL) {
            *r = (struct payment_receipt){.next = row->receipts,
                                          .channel_txn_id = copy(rows, res, i, 1),
                                          .amount = pg_int(res, i, 2, 0),
                                          .suspense = pg_text(res, i, 3)[0] == 't',
                                          .refund_id = copy(rows, res, i, 4)};
            row->receipts = r;
        }
    }
    return RC_OK;
}

static enum rc load_refunds(struct payment_rows *rows, PGconn *conn, const char *const params[3], struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, REFUNDS, 3, params, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        struct payment_row *row = payment_rows_find(rows, pg_text(res, i, 0));
        struct payment_refund *r = arena_alloc(rows->arena, sizeof(*r));
        if (row != NULL) {
            *r = (struct payment_refund){.next = row->refunds,
                                         .refund_id = copy(rows, res, i, 1),
                                         .amount = pg_int(res, i, 2, 0),
                                         .currency = copy(rows, res, i, 3),
                                         .suspense = pg_text(res, i, 4)[0] == 't',
                                         .channel_txn_id = copy(rows, res, i, 5)};
            row->refunds = r;
        }
    }
    return RC_OK;
}

static enum rc load_reviewed(struct payment_rows *rows, PGconn *conn, const char *ids, const char *events,
                             struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {ids, events};

    TRY(pg_query(conn, REVIEWED, 2, params, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        struct payment_review_row *r = arena_alloc(rows->arena, sizeof(*r));
        *r = (struct payment_review_row){
            .next = rows->reviewed, .payment_id = copy(rows, res, i, 0), .event_id = copy(rows, res, i, 1)};
        rows->reviewed = r;
    }
    return RC_OK;
}

static bool has_review(const struct payment_review_row *list, const struct payment_event *e)
{
    for (const struct payment_review_row *r = list; r != NULL; r = r->next) {
        if (strcmp(r->event_id, e->event_id) == 0 && strcmp(r->payment_id, e->payment_id) == 0) {
            return true;
        }
    }
    return false;
}

bool payment_rows_reviewed(const struct payment_rows *rows, const struct payment_event *e)
{
    return has_review(rows->reviewed, e) || has_review(rows->reviews, e);
}

/* Posting accounts of the orders, each once: they are few, one or two a channel and currency. */
static size_t list_accounts(const struct payment_rows *rows, const struct posting *posting, struct buf *out)
{
    CLEANUP(buf_done) struct buf id;
    size_t n = 0;
    size_t same = 0; /* orders of one channel and currency mostly stand together */

    buf_init(&id, ACCOUNT_ID_BYTES);
    array_begin(out);
    for (size_t i = 0; i < rows->n; i++) {
        const struct payment_order *o = &rows->list[i]->o;
        const struct payment_order *before = &rows->list[same]->o;
        if (i > 0 && strcmp(o->channel, before->channel) == 0 && strcmp(o->currency, before->currency) == 0) {
            continue;
        }
        same = i;
        for (size_t k = 0; k < posting->n_accounts; k++) {
            buf_clear(&id);
            posting_account_id(posting, (int)k, "", o->channel, o->currency, &id);
            array_add(out, buf_str(&id), id.len);
            n++;
        }
    }
    array_end(out);
    return n;
}

static enum rc find_missing(struct payment_rows *rows, PGconn *conn, const struct posting *posting, struct err *err)
{
    CLEANUP(buf_done) struct buf ids;
    CLEANUP(buf_done) struct buf id;
    PGresult *res CLEANUP(pg_clearp) = NULL;

    buf_init(&ids, COLUMN_BYTES_MAX);
    buf_init(&id, ACCOUNT_ID_BYTES);
    if (list_accounts(rows, posting, &ids) == 0) {
        return RC_OK;
    }
    const char *params[] = {buf_str(&ids)};
    TRY(pg_query(conn, MISSING, 1, params, &res, err));
    for (size_t i = 0; PQntuples(res) > 0 && i < rows->n; i++) {
        const struct payment_order *o = &rows->list[i]->o;
        for (size_t k = 0; k < posting->n_accounts; k++) {
            buf_clear(&id);
            posting_account_id(posting, (int)k, "", o->channel, o->currency, &id);
            for (int m = 0; m < PQntuples(res); m++) {
                rows->list[i]->missing[k] = rows->list[i]->missing[k] || strcmp(pg_text(res, m, 0), buf_str(&id)) == 0;
            }
        }
    }
    return RC_OK;
}

enum rc payment_rows_load(struct payment_rows *rows, PGconn *conn, bool lock, const struct posting *posting,
                          const struct payment_names *names, size_t n, struct err *err)
{
    struct buf column[4];
    enum rc rc = RC_OK;

    for (size_t i = 0; i < ARRAY_SIZE(column); i++) {
        buf_init(&column[i], COLUMN_BYTES_MAX);
        array_begin(&column[i]);
    }
    for (size_t i = 0; i < n; i++) {
        add_text(&column[0], names[i].payment_id);
        add_text(&column[1], names[i].channel_txn_id);
        add_text(&column[2], names[i].refund_id);
        add_text(&column[3], names[i].event_id);
    }
    for (size_t i = 0; i < ARRAY_SIZE(column); i++) {
        array_end(&column[i]);
    }
    const char *const params[] = {buf_str(&column[0]), buf_str(&column[1]), buf_str(&column[2])};
    rc = load_orders(rows, conn, lock, params[0], err);
    rc = rc != RC_OK ? rc : load_receipts(rows, conn, params, err);
    rc = rc != RC_OK ? rc : load_refunds(rows, conn, params, err);
    rc = rc != RC_OK ? rc : load_reviewed(rows, conn, params[0], buf_str(&column[3]), err);
    rc = rc != RC_OK ? rc : find_missing(rows, conn, posting, err);
    for (size_t i = 0; i < ARRAY_SIZE(column); i++) {
        buf_done(&column[i]);
    }
    return rc;
}

struct payment_row *payment_rows_find(const struct payment_rows *rows, const char *payment_id)
{
    size_t lo = 0;
    size_t hi = rows->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(rows->list[mid]->o.payment_id, payment_id);
        if (order == 0) {
            return rows->list[mid];
        }
        if (order < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return NULL;
}

void payment_rows_seen(const struct payment_row *row, const struct payment_event *e, struct payment_seen *out)
{
    *out = (struct payment_seen){.receipt = false};
    for (const struct payment_receipt *r = row->receipts; r != NULL; r = r->next) {
        if (e->channel_txn_id != NULL && strcmp(r->channel_txn_id, e->channel_txn_id) == 0) {
            out->receipt = true;
            out->receipt_suspense = r->suspense && r->refund_id != NULL;
        }
        out->asked =
            out->asked || (e->refund_id != NULL && r->refund_id != NULL && strcmp(r->refund_id, e->refund_id) == 0);
    }
    for (const struct payment_refund *r = row->refunds; r != NULL; r = r->next) {
        if (e->refund_id != NULL && strcmp(r->refund_id, e->refund_id) == 0) {
            out->refund = true;
            out->refund_amount = r->amount;
            out->refund_currency = r->currency;
        }
        if (e->channel_txn_id != NULL && r->channel_txn_id != NULL &&
            strcmp(r->channel_txn_id, e->channel_txn_id) == 0) {
            out->refunded_of_txn += r->amount; /* never more than came */
        }
    }
}
