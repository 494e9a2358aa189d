/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's binary forms: rows for COPY, arrays as parameters, fields of results. They cost the server and us less
 * than texts where a batch has thousands of rows.
 *
 *     binary_copy_begin(&rows);
 *     binary_copy_row(&rows, 2);
 *     binary_text(&rows, "a", 1);
 *     binary_int8(&rows, 7);
 *     binary_copy_end(&rows);
 *     TRY(binary_copy(conn, "COPY t (name, n) FROM STDIN (FORMAT binary)", &rows, 1, err));
 *
 *     binary_array_begin(&ids, BINARY_TEXT);
 *     binary_text(&ids, "a", 1);
 *     binary_array_end(&ids, 1);
 *
 * The type of each value must be exactly that of the column or element; the server checks lengths, not meanings.
 * A buffer that ran over its ceiling is found by binary_copy and binary_query, as REJECT.
 *
 * Source: PostgreSQL, "COPY", Binary Format; array_recv() for arrays; times count from 2000-01-01.
 */
#ifndef SLUICE_PG_BINARY_H
#define SLUICE_PG_BINARY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Types of elements; pg_type.dat, fixed for ever. */
enum binary_type {
    BINARY_BOOL = 16,
    BINARY_BYTEA = 17,
    BINARY_INT8 = 20,
    BINARY_INT4 = 23,
    BINARY_TEXT = 25,
    BINARY_TIME = 1184, /* timestamptz */
    BINARY_UUID = 2950,
};

/* One value: a column of a row, or an element of an array. */
void binary_null(struct buf *b);
void binary_bool(struct buf *b, bool v);
void binary_int2(struct buf *b, int16_t v);
void binary_int4(struct buf *b, int32_t v);
void binary_int8(struct buf *b, int64_t v);
void binary_time(struct buf *b, int64_t utc_us);             /* timestamptz; between 1970 and 9999 */
void binary_raw(struct buf *b, const void *bytes, size_t n); /* bytea, uuid; text in UTF-8 without NUL */
void binary_text(struct buf *b, const char *s);              /* NULL = SQL NULL */

void binary_copy_begin(struct buf *b);
void binary_copy_row(struct buf *b, int columns);
void binary_copy_end(struct buf *b);
/* COPY ... FROM STDIN (FORMAT binary), complete. FATAL: the server took another number of rows than expected. */
enum rc binary_copy(PGconn *conn, const char *sql, const struct buf *rows, size_t n, struct err *err) MUST_USE;

void binary_array_begin(struct buf *b, enum binary_type element);
void binary_array_end(struct buf *b, size_t n);

/* A prepared statement with binary parameters and a binary result. */
enum rc binary_query(PGconn *conn, const char *name, const struct buf *params, int n, PGresult **out_res,
                     struct err *err) MUST_USE;

#define BINARY_EPOCH_US INT64_C(946684800000000) /* a timestamptz counts from 2000-01-01 */
/* A value of int2, int4, int8 as it stands in a binary form; n: 2, 4 or 8. */
int64_t binary_int(const char *bytes, size_t n);

/* Fields of a binary result. int2, int4 and int8 alike; dflt for NULL. */
int64_t binary_get_int(const PGresult *res, int row, int col, int64_t dflt);
bool binary_get_bool(const PGresult *res, int row, int col);
int64_t binary_get_time(const PGresult *res, int row, int col, int64_t dflt); /* microseconds since 1970 */
/* Text or bytes, NUL behind; NULL for NULL. Belongs to res. */
const char *binary_get_text(const PGresult *res, int row, int col);

#endif
