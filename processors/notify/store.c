/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: settings, column types, the index that exactly once stands on, statements. */
#include "notify/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/store_internal.h"

/*
 * A batch names its rows, at most some thousand: an index for each, whatever the statistics say. Plans are made for
 * each batch, some milliseconds of it: one that is kept from when a table was small reads all of its index for every
 * row of a batch once it has grown. Policies hide rows here, unlike elsewhere: what is missed is asked for, and said.
 */
static const char SETTINGS[] =
    "SET row_security = on; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    "SET enable_bitmapscan = off; SET plan_cache_mode = force_custom_plan; SET jit = off;"
    "SET max_parallel_workers_per_gather = 0";

static const struct column_type TYPES[STORE_TYPES] = {
    [T_TRACKING] = {.table = "platform_express_waybills", .column = "tracking_no"},
    [T_QUEUE] = {.table = "notify_queue", .column = "id"},
    [T_ORDER] = {.table = "ml_orders", .column = "id"},
    [T_ORDER_USER] = {.table = "ml_orders", .column = "user_id", .optional = true},
    [T_ORDER_MERCHANT] = {.table = "ml_orders", .column = "merchant_id", .optional = true},
    [T_DEVICE_USER] = {.table = "push_devices", .column = "user_id"},
    [T_DEVICE_MERCHANT] = {.table = "push_devices", .column = "merchant_id"},
    [T_NOTIFICATION] = {.table = "express_notifications", .column = "id"},
    [T_RECIPIENT] = {.table = "express_notifications", .column = "recipient_id"},
    [T_LEFT_OUT] = {.table = "express_notifications", .column = "devices_left_out"}, /* only that it is there */
};

/* Indexes over message_id, those that serve first. */
static const char INDEXES[] =
    "SELECT i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 1 AS fits,"
    " quote_ident(c.relname), quote_ident(n.nspname), i.indpred IS NOT NULL, i.indisunique"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'message_id'"
    " WHERE i.indrelid = 'express_notifications'::regclass AND a.attnum = ANY (i.indkey)"
    " ORDER BY fits DESC, i.indpred IS NOT NULL DESC, c.relname LIMIT 1";

struct notify_store *notify_store_create(size_t devices_max, bool lock)
{
    struct notify_store *s = xcalloc(1, sizeof(*s));

    s->devices_max = devices_max;
    s->lock = lock;
    for (size_t i = 0; i < STORE_COLUMNS; i++) {
        buf_init(&s->column[i], STORE_BYTES_MAX);
    }
    return s;
}

struct notify_store *notify_store_free(struct notify_store *s)
{
    if (s != NULL) {
        for (size_t i = 0; i < STORE_COLUMNS; i++) {
            buf_done(&s->column[i]);
        }
        free(s);
    }
    return NULL;
}

enum rc store_prepare_notify(PGconn *conn, const char *name, char *sql, struct err *err)
{
    enum rc rc = pg_take(conn, PQprepare(conn, name, sql, 0, NULL), NULL, err);

    free(sql);
    return rc;
}

void store_texts_begin(struct notify_store *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        binary_array_begin(&s->column[i], BINARY_TEXT);
    }
}

void store_texts_end(struct notify_store *s, size_t n, size_t rows)
{
    for (size_t i = 0; i < n; i++) {
        binary_array_end(&s->column[i], rows);
    }
}

/* The statements are those that the users' own notes give for this trouble. */
enum rc notify_index_check(PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(conn, INDEXES, &res, err));
    bool any = PQntuples(res) > 0;
    if (any && pg_text(res, 0, 0)[0] == 't') {
        return RC_OK;
    }
    if (!any) {
        rc_ignore(err_set(err, RC_RETRY, __FILE__, __LINE__,
                          "express_notifications (message_id) has no unique index" NOTIFY_INDEX_CURE
                          "CREATE UNIQUE INDEX IF NOT"
                          " EXISTS ux_express_notifications_message_id ON express_notifications(message_id);"));
        return err_code(err, "42P10");
    }
    const char *name = pg_text(res, 0, 1);
    const char *schema = pg_text(res, 0, 2);
    const char *why = pg_text(res, 0, 3)[0] == 't'   ? "is partial (it has a WHERE)"
                      : pg_text(res, 0, 4)[0] != 't' ? "is not unique"
                                                     : "has other columns or is not valid";
    rc_ignore(err_set(err, RC_RETRY, __FILE__, __LINE__,
                      "index %s of express_notifications (message_id) %s, ON CONFLICT cannot use it" NOTIFY_INDEX_CURE
                      "DROP INDEX IF"
                      " EXISTS %s.%s; CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s.express_notifications(message_id);",
                      name, why, schema, name, name, schema));
    return err_code(err, "42P10");
}

/* Ids of ours. Those of notify_queue travel in records, and name rows in event_id and in dead letters. */
static enum rc check_types(const struct column_type types[STORE_TYPES], struct err *err)
{
    static const struct {
        enum store_type type;
        bool text; /* may be one, too */
        const char *expected;
    } ids[] = {{T_QUEUE, false, "uuid, for records and dead letters name its rows by UUIDs"},
               {T_NOTIFICATION, true, "uuid or text"}};

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        const struct column_type *t = &types[ids[i].type];
        bool text = t->class == COLUMN_TEXT;
        if (t->class == COLUMN_UUID || (text && ids[i].text)) {
            continue;
        }
        rc_ignore(err_set(err, RC_FATAL, __FILE__, __LINE__, "column %s.%s is of type %s; expected %s%s", t->table,
                          t->column, t->name, ids[i].expected,
                          text ? ": ALTER TABLE notify_queue ALTER id DROP DEFAULT, ALTER id TYPE uuid USING id::uuid,"
                                 " ALTER id SET DEFAULT gen_random_uuid()"
                               : ""));
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

static enum rc read_types(PGconn *conn, struct column_type types[STORE_TYPES], struct err *err)
{
    memcpy(types, TYPES, sizeof(TYPES));
    TRY(column_types_read(conn, types, STORE_TYPES, err));
    return check_types(types, err);
}

enum rc notify_types_check(PGconn *conn, struct err *err)
{
    struct column_type types[STORE_TYPES];

    return read_types(conn, types, err);
}

enum rc notify_store_session(struct notify_store *s, PGconn *conn, struct err *err)
{
    s->function_ready = false;
    TRY(pg_exec(conn, SETTINGS, NULL, err));
    TRY(read_types(conn, s->types, err));
    TRY(s->lock ? notify_index_check(conn, err) : RC_OK);
    TRY(store_prepare_reads(s, conn, err));
    return s->lock ? store_prepare_writes(s, conn, err) : RC_OK;
}

enum rc notify_store_index(struct notify_store *s, PGconn *conn, struct err *err)
{
    TRY(s->check_index ? notify_index_check(conn, err) : RC_OK);
    s->check_index = false;
    return RC_OK;
}
