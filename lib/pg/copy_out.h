/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY (SELECT ...) TO STDOUT (FORMAT binary): the rows of a query one after the other, in memory for one row.
 *
 *     TRY(copy_out_begin(&c, conn, "SELECT id, n::bigint FROM t ORDER BY id", err));
 *     for (;;) {
 *         TRY(copy_out_next(&c, err));
 *         if (c.row == NULL) break;
 *         use(copy_out_text(&c, 0), copy_out_int(&c, 1));
 *     }
 *
 * Columns are text, bytea, bool, int2, int4, int8 or timestamptz; other types are cast in the query. The session can do
 * nothing else until the last row was read; one that is left before is to be closed.
 * Source: PostgreSQL, "COPY", Binary Format. Thread: that of the session.
 */
#ifndef SLUICE_PG_COPY_OUT_H
#define SLUICE_PG_COPY_OUT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define COPY_OUT_FIELDS_MAX 40

struct copy_out {
    PGconn *conn;
    char *row;                               /* NULL: before the first row, and after the last */
    const char *values[COPY_OUT_FIELDS_MAX]; /* NULL = SQL NULL; a NUL stands behind each */
    size_t lengths[COPY_OUT_FIELDS_MAX];
    size_t row_bytes;
    int n_fields;
    bool begun;
};

/* query is put between COPY ( and ). */
enum rc copy_out_begin(struct copy_out *c, PGconn *conn, const char *query, struct err *err) MUST_USE;
/* The next row; c->row is NULL when there is none. What the row before gave is gone. */
enum rc copy_out_next(struct copy_out *c, struct err *err) MUST_USE;
void copy_out_done(struct copy_out *c); /* memory only */

/* "" for NULL; lives until the next row. */
const char *copy_out_text(const struct copy_out *c, int field);
bool copy_out_null(const struct copy_out *c, int field);
/* int2, int4, int8; 0 for NULL. */
int64_t copy_out_int(const struct copy_out *c, int field);
bool copy_out_bool(const struct copy_out *c, int field);
/* timestamptz in microseconds since 1970; 0 for NULL. */
int64_t copy_out_time(const struct copy_out *c, int field);

#endif
