/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/types.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/uuid.h"
#include "pg/array.h"
#include "pg/conn.h"

#define NAMES_MAX ((size_t)1 << 16)

/* Without lengths: a parameter longer than varchar(36) is no id of that column, and finds nothing. */
static const char ASK[] =
    "SELECT u.n, to_regclass(u.t) IS NOT NULL, format_type(a.atttypid, NULL)"
    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(t, c, n)"
    " LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(u.t) AND a.attname = u.c AND a.attnum > 0"
    "  AND NOT a.attisdropped ORDER BY u.n";

static const struct {
    const char *name;
    enum column_class class;
    int64_t min, max;
} KNOWN[] = {
    {"text", COLUMN_TEXT, 0, 0},
    {"character varying", COLUMN_TEXT, 0, 0},
    {"uuid", COLUMN_UUID, 0, 0},
    {"smallint", COLUMN_INTEGER, INT16_MIN, INT16_MAX},
    {"integer", COLUMN_INTEGER, INT32_MIN, INT32_MAX},
    {"bigint", COLUMN_INTEGER, INT64_MIN, INT64_MAX},
};

static enum rc set_type(struct column_type *t, const char *name, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(KNOWN); i++) {
        if (strcmp(KNOWN[i].name, name) == 0) {
            (void)snprintf(t->name, sizeof(t->name), "%s", name);
            t->class = KNOWN[i].class;
            t->min = KNOWN[i].min;
            t->max = KNOWN[i].max;
            return RC_OK;
        }
    }
    rc_ignore(err_set(err, RC_FATAL, __FILE__, __LINE__,
                      "column %s.%s is of type %.40s; expected uuid, text, varchar or an integer", t->table, t->column,
                      name));
    return err_code(err, ERR_CONFIG);
}

enum rc column_types_read(PGconn *conn, struct column_type *list, size_t n, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    CLEANUP(buf_done) struct buf tables;
    CLEANUP(buf_done) struct buf columns;

    buf_init(&tables, NAMES_MAX);
    buf_init(&columns, NAMES_MAX);
    array_begin(&tables);
    array_begin(&columns);
    for (size_t i = 0; i < n; i++) {
        array_add(&tables, list[i].table, strlen(list[i].table));
        array_add(&columns, list[i].column, strlen(list[i].column));
    }
    array_end(&tables);
    array_end(&columns);
    const char *params[] = {buf_str(&tables), buf_str(&columns)};
    TRY(pg_query(conn, ASK, 2, params, &res, err));
    for (size_t i = 0; i < n; i++) {
        struct column_type *t = &list[i];
        t->found = !PQgetisnull(res, (int)i, 2);
        if (pg_text(res, (int)i, 1)[0] != 't') {
            FAIL(err, RC_FATAL, "table %s does not exist; run `sluice migrate`", t->table);
        }
        if (!t->found && !t->optional) {
            FAIL(err, RC_FATAL, "column %s.%s does not exist; run `sluice migrate`", t->table, t->column);
        }
        if (t->found) {
            TRY(set_type(t, pg_text(res, (int)i, 2), err));
        }
    }
    return RC_OK;
}

bool column_takes(const struct column_type *t, const char *text)
{
    int64_t v = 0;

    switch (t->class) {
    case COLUMN_UUID:
        return uuid_check(text, strlen(text));
    case COLUMN_INTEGER:
        return option_parse_int(text, t->min, t->max, &v);
    case COLUMN_TEXT:
        break;
    }
    return true;
}
