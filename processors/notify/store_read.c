/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables say of a batch. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "notify/decide_internal.h"
#include "notify/orders_function.h"
#include "notify/store_internal.h"
#include "pg/rls.h"

#define NUMBERED "WITH ORDINALITY AS u"

enum rc store_prepare_reads(struct notify_store *s, PGconn *conn, struct err *err)
{
    const struct column_type *t = s->types;
    const char *user = t[T_DEVICE_USER].name;
    const char *merchant = t[T_DEVICE_MERCHANT].name;

    TRY(store_prepare_notify(
        conn, S_NOW,
        xasprintf("SELECT clock_timestamp(), f.oid IS NOT NULL, coalesce(has_function_privilege(f.oid, 'EXECUTE'),"
                  " false) FROM (SELECT to_regprocedure('" ORDERS_FUNCTION "')::oid AS oid) f"),
        err));
    TRY(store_prepare_notify(
        conn, S_WAYBILLS,
        xasprintf(
            "SELECT u.n, w.order_id::text, w.notified_status, w.notified_at FROM unnest($1::text[]::%s[]) " NUMBERED
            "(v, n) JOIN platform_express_waybills w ON w.tracking_no = u.v ORDER BY w.tracking_no%s",
            t[T_TRACKING].name, s->lock ? " FOR NO KEY UPDATE OF w" : ""),
        err));
    TRY(store_prepare_notify(conn, S_ROWS,
                             xasprintf("SELECT u.n, q.queue_seq, q.process_status IS NULL AND q.processed_at IS NULL"
                                       " FROM unnest($1::text[]::%s[]) " NUMBERED
                                       "(v, n) JOIN notify_queue q ON q.id = u.v ORDER BY q.id%s",
                                       t[T_QUEUE].name, s->lock ? " FOR NO KEY UPDATE OF q" : ""),
                             err));
    TRY(store_prepare_notify(
        conn, S_ORDERS,
        xasprintf("SELECT u.n, %s, %s FROM unnest($1::text[]::%s[]) " NUMBERED "(v, n) JOIN ml_orders o ON o.id = u.v",
                  t[T_ORDER_USER].found ? "o.user_id::text" : "NULL::text",
                  t[T_ORDER_MERCHANT].found ? "o.merchant_id::text" : "NULL::text", t[T_ORDER].name),
        err));
#define DEVICES_OF(param, column)                                                                                      \
    "SELECT u.n, d.appid, d.cid, d.platform, d.locale, d.last_seen_at FROM unnest($" param "::text[]::%s[]) " NUMBERED \
    "(v, n) CROSS JOIN LATERAL (SELECT " DEVICE_APPID " AS appid, d.cid, d.platform, d.locale, d.last_seen_at"         \
    " FROM push_devices d WHERE d." column " = u.v AND d.is_active AND " DEVICE_USABLE                                 \
    " ORDER BY d.last_seen_at DESC NULLS LAST, 1, d.cid LIMIT %zu) d"
    TRY(store_prepare_notify(conn, S_DEVICES,
                             xasprintf(DEVICES_OF("1", "user_id") " UNION ALL " DEVICES_OF(
                                           "2", "merchant_id") " ORDER BY 1, 6 DESC NULLS LAST, 2, 3",
                                       user, s->devices_max + 1, merchant, s->devices_max + 1),
                             err));
#define NUMBER_OF(column, value)                                                                                       \
    "(SELECT count(*) FROM (SELECT DISTINCT " DEVICE_APPID ", d.cid FROM push_devices d WHERE d." column " = u." value \
    " AND d.is_active AND " DEVICE_USABLE " LIMIT 1000) x)"
    TRY(store_prepare_notify(
        conn, S_BEYOND,
        xasprintf("SELECT " NUMBER_OF("user_id", "a") " + " NUMBER_OF(
                      "merchant_id", "b") " FROM unnest($1::text[]::%s[], $2::text[]::%s[]) " NUMBERED
                                          "(a, b, n) ORDER BY u.n",
                  user, merchant),
        err));
    TRY(store_prepare_notify(conn, S_MUTES,
                             xasprintf("SELECT u.n, m.status FROM unnest($1::text[], $2::text[]) " NUMBERED
                                       "(a, r, n) JOIN notify_mutes m ON m.aud = u.a AND m.recipient_id = u.r"
                                       " WHERE m.muted_until IS NULL OR m.muted_until > clock_timestamp()"),
                             err));
    TRY(store_prepare_notify(
        conn, S_KNOWN,
        xasprintf("SELECT u.n, x.id::text, x.send_status, x.generation FROM unnest($1::text[]) " NUMBERED
                  "(v, n) JOIN express_notifications x ON x.message_id = u.v"
                  " ORDER BY x.message_id%s",
                  s->lock ? " FOR NO KEY UPDATE OF x" : ""),
        err));
#define COUNT_OF(column, value, and) \
    "(SELECT count(*) FROM (SELECT FROM push_devices d WHERE d." column " = u." value and " LIMIT 1000) x)"
    return store_prepare_notify(
        conn, S_COUNTS,
        xasprintf(
            "SELECT " COUNT_OF("user_id", "a", "") ", " COUNT_OF("merchant_id", "b", "") ", " COUNT_OF(
                "user_id", "a", " AND d.is_active") ", " COUNT_OF("merchant_id", "b",
                                                                  " AND d.is_active") " FROM unnest($1::text[]::%s[], "
                                                                                      "$2::text[]::%s[]) " NUMBERED
                                                                                      "(a, b, n) ORDER BY u.n",
            user, merchant),
        err);
}

/* A text of a result, as long as the batch. */
static const char *keep(struct notify_batch *b, const PGresult *res, int row, int col)
{
    const char *text = binary_get_text(res, row, col);

    return text == NULL ? NULL : arena_strndup(&b->arena, text, (size_t)PQgetlength(res, row, col));
}

/* The number of the thing that the row is about. */
static size_t number(const PGresult *res, int row, size_t n)
{
    int64_t at = binary_get_int(res, row, 0, 0);

    assert(at >= 1 && (size_t)at <= n);
    return (size_t)at - 1;
}

/* A key, or NULL where it is no value of that column: so its number stays. */
static void add_key(struct buf *column, const struct column_type *t, const char *key)
{
    binary_text(column, column_takes(t, key) ? key : NULL);
}

static void set_keys(struct notify_store *s, const struct keys *k, enum store_type type)
{
    store_texts_begin(s, 1);
    for (size_t i = 0; i < k->n; i++) {
        add_key(&s->column[0], &s->types[type], k->list[i]);
    }
    store_texts_end(s, 1, k->n);
}

/* Are rows of the table hidden from us? *out: what to say, NULL = they are not. */
static enum rc ask_hidden(PGconn *conn, struct notify_batch *b, const char *table, const char *cure, const char **out,
                          struct err *err)
{
    struct rls_table asked = {.name = table};
    char text[RLS_TEXT_BYTES];

    TRY(rls_ask(conn, &asked, 1, err));
    if (asked.hides) {
        *out = notify_batch_text(b, "%s; %s", rls_text(&asked, text), cure);
    }
    return RC_OK;
}

#define CURE_POLICY "give this role a policy that shows it all rows, or BYPASSRLS"
#define CURE_FUNCTION "run `sluice migrate --rls-function`"
#define CURE_GRANT \
    "it may not execute sluice_order_recipients: run `sluice migrate --rls-function --role` with its name"

/* ---- Steps ---- */

static enum rc read_now(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(binary_query(conn, S_NOW, s->column, 0, &res, err));
    b->now_us = binary_get_time(res, 0, 0, 0);
    s->function_there = binary_get_bool(res, 0, 1);
    s->function_usable = binary_get_bool(res, 0, 2);
    return RC_OK;
}

static enum rc read_waybills(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    set_keys(s, &b->tracking, T_TRACKING);
    TRY(binary_query(conn, S_WAYBILLS, s->column, 1, &res, err));
    for (int k = 0; k < PQntuples(res); k++) {
        struct notify_waybill *w = &b->waybills[number(res, k, b->tracking.n)];
        const char *told = binary_get_text(res, k, 2);
        w->found = true;
        w->order_id = keep(b, res, k, 1);
        w->told = express_status_find(told);
        w->told_us = told == NULL ? NOTIFY_NO_TIME : binary_get_time(res, k, 3, NOTIFY_NO_TIME);
    }
    if ((size_t)PQntuples(res) < b->tracking.n) {
        return ask_hidden(conn, b, "platform_express_waybills", CURE_POLICY, &b->waybills_hidden, err);
    }
    return RC_OK;
}

static enum rc read_rows(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    set_keys(s, &b->rows_keys, T_QUEUE);
    TRY(binary_query(conn, S_ROWS, s->column, 1, &res, err));
    for (int k = 0; k < PQntuples(res); k++) {
        struct notify_row *row = &b->rows[number(res, k, b->rows_keys.n)];
        row->found = true;
        row->queue_seq = binary_get_int(res, k, 1, 0);
        row->open = binary_get_bool(res, k, 2);
    }
    return RC_OK;
}

static enum rc read_orders(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    if (b->order_keys.n == 0) {
        return RC_OK;
    }
    if (s->function_usable && !s->function_ready) {
        TRY(store_prepare_notify(conn, S_ORDERS_FUNCTION,
                                 xstrdup("SELECT f.n, f.user_id, f.merchant_id FROM sluice_order_recipients($1) f"),
                                 err));
        s->function_ready = true;
    }
    set_keys(s, &b->order_keys, T_ORDER);
    TRY(binary_query(conn, s->function_usable ? S_ORDERS_FUNCTION : S_ORDERS, s->column, 1, &res, err));
    for (int k = 0; k < PQntuples(res); k++) {
        struct notify_order *o = &b->orders[number(res, k, b->order_keys.n)];
        o->found = true;
        o->user_id = keep(b, res, k, 1);
        o->merchant_id = keep(b, res, k, 2);
    }
    if ((size_t)PQntuples(res) < b->order_keys.n && !s->function_usable) {
        return ask_hidden(conn, b, "ml_orders", s->function_there ? CURE_GRANT : CURE_FUNCTION, &b->orders_hidden, err);
    }
    return RC_OK;
}

static enum rc read_devices(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    size_t n = b->recipient_keys.n;

    store_texts_begin(s, 2);
    for (size_t i = 0; i < n; i++) {
        const struct notify_recipient *r = &b->recipients[i];
        bool user = r->aud == NOTIFY_USER;
        add_key(&s->column[user ? 0 : 1], &s->types[user ? T_DEVICE_USER : T_DEVICE_MERCHANT], r->id);
        binary_null(&s->column[user ? 1 : 0]);
    }
    store_texts_end(s, 2, n);
    TRY(binary_query(conn, S_DEVICES, s->column, 2, &res, err));
    for (int k = 0; k < PQntuples(res); k++) {
        const struct notify_device d = {.appid = keep(b, res, k, 1),
                                        .cid = keep(b, res, k, 2),
                                        .platform = keep(b, res, k, 3),
                                        .locale = keep(b, res, k, 4)};
        struct notify_recipient *r = &b->recipients[number(res, k, n)];
        r->left_out += notify_recipient_add(b, r, &d, s->devices_max) ? 0 : 1;
    }
    return RC_OK;
}

/* Of recipients that have more than they may have one was read beyond them: how many there are. */
static enum rc read_beyond(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    size_t n = 0;

    store_texts_begin(s, 2);
    for (size_t i = 0; i < b->recipient_keys.n; i++) {
        const struct notify_recipient *r = &b->recipients[i];
        if (r->left_out > 0) {
            binary_text(&s->column[0], r->aud == NOTIFY_USER ? r->id : NULL);
            binary_text(&s->column[1], r->aud == NOTIFY_USER ? NULL : r->id);
            n++;
        }
    }
    store_texts_end(s, 2, n);
    if (n == 0) {
        return RC_OK;
    }
    TRY(binary_query(conn, S_BEYOND, s->column, 2, &res, err));
    int row = 0;
    for (size_t i = 0; i < b->recipient_keys.n; i++) {
        struct notify_recipient *r = &b->recipients[i];
        if (r->left_out > 0) {
            int64_t there = binary_get_int(res, row++, 0, 0);
            int64_t told = (int64_t)r->n_devices;
            r->left_out = there > told ? there - told : 0; /* some may have gone between the two questions */
        }
    }
    return RC_OK;
}

/* Why there are none: of those recipients that have no active device. */
static enum rc read_counts(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    size_t n = 0;

    store_texts_begin(s, 2);
    for (size_t i = 0; i < b->recipient_keys.n; i++) {
        if (b->recipients[i].n_devices == 0) {
            add_key(&s->column[0], &s->types[T_DEVICE_USER], b->recipients[i].id);
            add_key(&s->column[1], &s->types[T_DEVICE_MERCHANT], b->recipients[i].id);
            n++;
        }
    }
    store_texts_end(s, 2, n);
    if (n == 0) {
        return RC_OK;
    }
    TRY(binary_query(conn, S_COUNTS, s->column, 2, &res, err));
    int row = 0;
    for (size_t i = 0; i < b->recipient_keys.n; i++) {
        struct notify_recipient *r = &b->recipients[i];
        if (r->n_devices == 0) {
            r->inactive = binary_get_int(res, row, r->aud == NOTIFY_USER ? 0 : 1, 0);
            r->other = binary_get_int(res, row, r->aud == NOTIFY_USER ? 3 : 2, 0);
            row++;
        }
    }
    return ask_hidden(conn, b, "push_devices", CURE_POLICY, &b->devices_hidden, err);
}

static enum rc read_mutes(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    size_t n = b->recipient_keys.n;

    store_texts_begin(s, 2);
    for (size_t i = 0; i < n; i++) {
        binary_text(&s->column[0], notify_aud_name(b->recipients[i].aud));
        binary_text(&s->column[1], b->recipients[i].id);
    }
    store_texts_end(s, 2, n);
    TRY(binary_query(conn, S_MUTES, s->column, 2, &res, err));
    for (int k = 0; k < PQntuples(res); k++) {
        const char *status = binary_get_text(res, k, 1);
        enum express_status which = express_status_find(status);
        if (strcmp(status, "*") == 0 || which != EXPRESS_UNKNOWN) {
            b->recipients[number(res, k, n)].muted |= 1u << which; /* bit 0 is "*" */
        }
    }
    return RC_OK;
}

static enum rc read_known(struct notify_store *s, PGconn *conn, struct notify_batch *b, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    store_texts_begin(s, 1);
    for (size_t i = 0; i < b->n_messages; i++) {
        binary_text(&s->column[0], b->messages[i]->id);
    }
    store_texts_end(s, 1, b->n_messages);
    TRY(binary_query(conn, S_KNOWN, s->column, 1, &res, err));
    for (int k = 0; k < PQntuples(res); k++) {
        b->messages[number(res, k, b->n_messages)]->known =
            (struct notify_known){.found = true,
                                  .id = keep(b, res, k, 1),
                                  .send_status = keep(b, res, k, 2),
                                  .generation = binary_get_int(res, k, 3, 0)};
    }
    return RC_OK;
}

enum rc notify_store_decide(struct notify_store *s, PGconn *conn, struct notify_batch *b,
                            const struct notify_rules *rules, struct err *err)
{
    if (b->n == 0) {
        return RC_OK;
    }
    notify_decide_waybills(b);
    TRY(read_now(s, conn, b, err));
    TRY(read_waybills(s, conn, b, err));
    TRY(read_rows(s, conn, b, err));
    notify_decide_orders(b);
    TRY(read_orders(s, conn, b, err));
    notify_decide_events(b, rules);
    if (b->n_messages > 0) {
        TRY(read_devices(s, conn, b, err));
        TRY(read_beyond(s, conn, b, err));
        TRY(read_counts(s, conn, b, err));
        TRY(read_mutes(s, conn, b, err));
        TRY(read_known(s, conn, b, err));
    }
    notify_decide_notifications(b, rules);
    return RC_OK;
}
