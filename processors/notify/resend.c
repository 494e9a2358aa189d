/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/resend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "notify/ids.h"
#include "pg/array.h"
#include "pg/conn.h"

#define NAMES_BYTES_MAX ((size_t)4 << 20)

static const char *const STATES[] = {
    [RESEND_READY] = "ready",   [RESEND_MUTED] = "muted",     [RESEND_EXPIRED] = "expired",
    [RESEND_NOBODY] = "nobody", [RESEND_CHANGED] = "changed", [RESEND_DONE] = "done"};

const char *resend_state_name(enum resend_state state)
{
    return STATES[state];
}

enum rc resend_session(PGconn *conn, struct resend_types *out, struct err *err)
{
    struct column_type list[] = {{.table = "express_notifications", .column = "id"},
                                 {.table = "express_notifications", .column = "recipient_id"},
                                 {.table = "push_devices", .column = "user_id"},
                                 {.table = "push_devices", .column = "merchant_id"}};

    TRY(pg_exec(conn, "SET row_security = on; SET jit = off", NULL, err));
    TRY(column_types_read(conn, list, ARRAY_SIZE(list), err));
    *out = (struct resend_types){.id = list[0], .recipient = list[1], .user = list[2], .merchant = list[3]};
    return RC_OK;
}

static const char *keep(struct arena *a, const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : arena_strndup(a, pg_text(res, row, col), strlen(pg_text(res, row, col)));
}

/* When what was sent expires is in its deliveries; without any it follows from when it happened. */
#define COLUMNS                                                                                                      \
    "SELECT n.id::text, n.message_id, n.aud, n.recipient_id::text, n.tracking_no, n.status, n.send_status,"          \
    " n.generation, coalesce((SELECT max(d.expires_at) FROM push_deliveries d WHERE d.message_id = n.message_id),"   \
    "  coalesce((SELECT q.node_at FROM notify_queue q WHERE q.id = n.event_id), n.created_at)"                       \
    "   + $2::bigint * interval '1 second') <= now(), coalesce(n.title, '') <> '' AND coalesce(n.body, '') <> '',"   \
    " EXISTS (SELECT FROM notify_mutes m WHERE m.aud = n.aud AND m.recipient_id = n.recipient_id::text AND m.status" \
    "  IN ('*', n.status) AND (m.muted_until IS NULL OR m.muted_until > now()))"                                     \
    " FROM express_notifications n WHERE "
#define ORDER " ORDER BY n.created_at, n.message_id LIMIT 1001"

static enum rc find_rows(PGconn *conn, const struct resend_types *types, const char *const *names, size_t n,
                         const char *tracking_no, const struct resend_options *opt, PGresult **out, struct err *err)
{
    CLEANUP(buf_done) struct buf ids;
    CLEANUP(buf_done) struct buf messages;
    char ttl[24];

    (void)snprintf(ttl, sizeof(ttl), "%" PRId64, opt->ttl_s);
    if (names == NULL) {
        const char *params[] = {tracking_no, ttl};
        buf_init(&ids, 0);
        buf_init(&messages, 0);
        return pg_query(conn, COLUMNS "n.tracking_no = $1" ORDER, 2, params, out, err);
    }
    buf_init(&ids, NAMES_BYTES_MAX);
    buf_init(&messages, NAMES_BYTES_MAX);
    array_begin(&ids);
    array_begin(&messages);
    for (size_t i = 0; i < n; i++) {
        if (column_takes(&types->id, names[i])) {
            array_add(&ids, names[i], strlen(names[i]));
        }
        array_add(&messages, names[i], strlen(names[i]));
    }
    array_end(&ids);
    array_end(&messages);
    char *sql CLEANUP(freep) =
        xasprintf(COLUMNS "n.id = ANY ($1::%s[]) OR n.message_id = ANY ($3::text[])" ORDER, types->id.name);
    const char *params[] = {buf_str(&ids), ttl, buf_str(&messages)};
    return pg_query(conn, sql, 3, params, out, err);
}

/* Its devices, as the role would choose them: active ones, those seen last first. */
static enum rc find_devices(PGconn *conn, const struct resend_types *types, const struct resend_options *opt,
                            struct arena *a, struct resend *r, struct err *err)
{
    bool user = strcmp(r->aud, "user") == 0;
    const struct column_type *type = user ? &types->user : &types->merchant;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {r->recipient, r->message_id};
#define HAS(statuses)                                                                                                \
    "EXISTS (SELECT FROM push_deliveries p WHERE p.message_id = $2 AND p.appid = " DEVICE_APPID " AND p.cid = d.cid" \
    " AND p.status IN (" statuses "))"
    char *sql CLEANUP(freep) =
        xasprintf("SELECT " DEVICE_APPID ", d.cid, d.platform, " HAS("'delivered'") ", " HAS(
                      "'pending', 'retrying'") ", count(*) OVER () FROM push_devices d WHERE d.%s = $1::%s AND "
                                               "d.is_active AND " DEVICE_USABLE
                                               " ORDER BY d.last_seen_at DESC NULLS LAST, 1, d.cid LIMIT %zu",
                  user ? "user_id" : "merchant_id", type->name, opt->devices_max);

    if (!column_takes(type, r->recipient)) {
        return RC_OK;
    }
    TRY(pg_query(conn, sql, 2, params, &res, err));
    r->devices = arena_alloc(a, ((size_t)PQntuples(res) + 1) * sizeof(*r->devices));
    r->left_out = PQntuples(res) > 0 ? pg_int(res, 0, 5, 0) - PQntuples(res) : 0;
    for (int k = 0; k < PQntuples(res); k++) {
        bool accepted = pg_text(res, k, 3)[0] == 't';
        bool under_way = pg_text(res, k, 4)[0] == 't';
        r->under_way += under_way ? 1 : 0;
        r->accepted += accepted && !under_way && !opt->all ? 1 : 0;
        if (!under_way && (!accepted || opt->all)) {
            r->devices[r->n_devices++] = (struct resend_device){
                .appid = keep(a, res, k, 0), .cid = keep(a, res, k, 1), .platform = keep(a, res, k, 2)};
        }
    }
    return RC_OK;
}

enum rc resend_find(PGconn *conn, const struct resend_types *types, const char *const *names, size_t n,
                    const char *tracking_no, const struct resend_options *opt, struct arena *a, struct resend **out,
                    size_t *out_n, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(find_rows(conn, types, names, n, tracking_no, opt, &res, err));
    if (PQntuples(res) > RESEND_MAX) {
        FAIL(err, RC_REJECT, "more than %d notifications; name fewer", RESEND_MAX);
    }
    *out_n = (size_t)PQntuples(res);
    struct resend *list = arena_alloc(a, (*out_n + 1) * sizeof(*list));
    memset(list, 0, (*out_n + 1) * sizeof(*list));
    for (int k = 0; k < PQntuples(res); k++) {
        struct resend *r = &list[k];
        *r = (struct resend){.id = keep(a, res, k, 0),
                             .message_id = keep(a, res, k, 1),
                             .aud = keep(a, res, k, 2),
                             .recipient = keep(a, res, k, 3),
                             .tracking_no = keep(a, res, k, 4),
                             .status = keep(a, res, k, 5),
                             .send_status = keep(a, res, k, 6),
                             .generation = pg_int(res, k, 7, 0),
                             .expired = pg_text(res, k, 8)[0] == 't',
                             .muted = pg_text(res, k, 10)[0] == 't'};
        TRY(find_devices(conn, types, opt, a, r, err));
        bool empty = pg_text(res, k, 9)[0] != 't'; /* an empty text leaves nobody's table */
        r->state = r->muted                     ? RESEND_MUTED
                   : r->expired && !opt->force  ? RESEND_EXPIRED
                   : r->n_devices == 0 || empty ? RESEND_NOBODY
                                                : RESEND_READY;
    }
    *out = list;
    return RC_OK;
}

/* ---- Acting ---- */

#define RAISE                                                                                              \
    "UPDATE express_notifications SET generation = generation + 1, last_error = NULL, reason = NULL,"      \
    " devices_left_out = nullif($3::int, 0),"                                                              \
    " send_status = CASE send_status WHEN 'success' THEN 'success' ELSE 'pending' END, updated_at = now()" \
    " WHERE id = $1::%s AND generation = $2::int"

/* What was sent before says until when; with force, or where nothing was, a lifetime begins now. */
static const char INSERT[] =
    "INSERT INTO push_deliveries (id, message_id, generation, aud, recipient_id, partition_key, appid, cid, platform,"
    " title, body, payload, expires_at)"
    " SELECT u.id::uuid, n.message_id, n.generation, n.aud, n.recipient_id::text, n.aud || ':' || n.recipient_id::text,"
    "  u.appid, u.cid, u.platform, n.title, n.body, jsonb_build_object('type', 'express', 'tracking_no', n.tracking_no,"
    "  'status', n.status, 'aud', n.aud, 'message_id', n.message_id, 'notification_id', n.id),"
    "  coalesce((SELECT max(p.expires_at) FROM push_deliveries p WHERE p.message_id = n.message_id"
    "   AND p.expires_at > now()), now() + $6::bigint * interval '1 second')"
    " FROM express_notifications n, unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS u(id, appid, cid, "
    "platform)"
    " WHERE n.message_id = $1";

static enum rc insert(PGconn *conn, const struct resend *r, const struct resend_options *opt, struct err *err)
{
    struct buf columns[4];
    char id[UUID_TEXT_LEN + 1];
    char ttl[24];

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        buf_init(&columns[i], NAMES_BYTES_MAX);
        array_begin(&columns[i]);
    }
    for (size_t i = 0; i < r->n_devices; i++) {
        const struct resend_device *d = &r->devices[i];
        notify_delivery_id(r->message_id, d->appid, d->cid, r->generation + 1, id);
        const char *const values[] = {id, d->appid, d->cid, d->platform};
        for (size_t k = 0; k < ARRAY_SIZE(columns); k++) {
            array_add(&columns[k], values[k], values[k] != NULL ? strlen(values[k]) : 0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        array_end(&columns[i]);
    }
    (void)snprintf(ttl, sizeof(ttl), "%" PRId64, opt->ttl_s);
    const char *params[] = {r->message_id,        buf_str(&columns[0]), buf_str(&columns[1]),
                            buf_str(&columns[2]), buf_str(&columns[3]), ttl};
    enum rc rc = pg_query(conn, INSERT, 6, params, NULL, err);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        buf_done(&columns[i]);
    }
    return rc;
}

static enum rc act(PGconn *conn, const struct resend_types *types, struct resend *r, const struct resend_options *opt,
                   struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char *sql CLEANUP(freep) = xasprintf(RAISE, types->id.name);
    char generation[24];
    char left_out[24];

    (void)snprintf(generation, sizeof(generation), "%" PRId64, r->generation);
    (void)snprintf(left_out, sizeof(left_out), "%" PRId64, r->left_out);
    const char *params[] = {r->id, generation, left_out};
    TRY(pg_exec(conn, "BEGIN", NULL, err));
    TRY(pg_query(conn, sql, 3, params, &res, err));
    if (strcmp(PQcmdTuples(res), "1") != 0) {
        r->state = RESEND_CHANGED;
        return pg_exec(conn, "ROLLBACK", NULL, err);
    }
    TRY(insert(conn, r, opt, err));
    TRY(pg_exec(conn, "COMMIT", NULL, err));
    r->state = RESEND_DONE;
    return RC_OK;
}

enum rc resend_do(PGconn *conn, const struct resend_types *types, struct resend *r, const struct resend_options *opt,
                  struct err *err)
{
    enum rc rc = act(conn, types, r, opt, err);

    if (rc != RC_OK && PQtransactionStatus(conn) != PQTRANS_IDLE) {
        struct err ignored;
        rc_ignore(pg_exec(conn, "ROLLBACK", NULL, &ignored));
    }
    return rc;
}
