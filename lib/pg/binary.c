/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads PostgreSQL's binary forms. */
#include "pg/binary.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"

#define ARRAY_HEAD 20
#define ARRAY_EMPTY 12
#define PARAMS_MAX 24
#define COPY_PART ((size_t)1 << 20)

static const char SIGNATURE[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', '\377', '\r', '\n', '\0'};

static void put16(char out[2], uint16_t v)
{
    out[0] = (char)(v >> 8);
    out[1] = (char)(v & 0xff);
}

static void put32(char out[4], uint32_t v)
{
    put16(out, (uint16_t)(v >> 16));
    put16(out + 2, (uint16_t)(v & 0xffff));
}

static void put64(char out[8], uint64_t v)
{
    put32(out, (uint32_t)(v >> 32));
    put32(out + 4, (uint32_t)(v & 0xffffffff));
}

static void add32(struct buf *b, uint32_t v)
{
    char bytes[4];

    put32(bytes, v);
    (void)buf_add(b, bytes, sizeof(bytes));
}

void binary_null(struct buf *b)
{
    add32(b, UINT32_MAX);
}

void binary_bool(struct buf *b, bool v)
{
    const char bytes[5] = {0, 0, 0, 1, v ? 1 : 0};

    (void)buf_add(b, bytes, sizeof(bytes));
}

void binary_int2(struct buf *b, int16_t v)
{
    char bytes[6] = {0, 0, 0, 2};

    put16(bytes + 4, (uint16_t)v);
    (void)buf_add(b, bytes, sizeof(bytes));
}

void binary_int4(struct buf *b, int32_t v)
{
    char bytes[8] = {0, 0, 0, 4};

    put32(bytes + 4, (uint32_t)v);
    (void)buf_add(b, bytes, sizeof(bytes));
}

void binary_int8(struct buf *b, int64_t v)
{
    char bytes[12] = {0, 0, 0, 8};

    put64(bytes + 4, (uint64_t)v);
    (void)buf_add(b, bytes, sizeof(bytes));
}

void binary_time(struct buf *b, int64_t utc_us)
{
    binary_int8(b, utc_us - BINARY_EPOCH_US);
}

void binary_raw(struct buf *b, const void *bytes, size_t n)
{
    assert(n <= INT_MAX);
    add32(b, (uint32_t)n);
    (void)buf_add(b, bytes, n);
}

void binary_text(struct buf *b, const char *s)
{
    if (s == NULL) {
        binary_null(b);
    } else {
        binary_raw(b, s, strlen(s));
    }
}

void binary_copy_begin(struct buf *b)
{
    buf_clear(b);
    (void)buf_add(b, SIGNATURE, sizeof(SIGNATURE));
    add32(b, 0); /* flags */
    add32(b, 0); /* length of what may follow the header */
}

void binary_copy_row(struct buf *b, int columns)
{
    char bytes[2];

    put16(bytes, (uint16_t)columns);
    (void)buf_add(b, bytes, sizeof(bytes));
}

void binary_copy_end(struct buf *b)
{
    (void)buf_add(b, "\377\377", 2);
}

void binary_array_begin(struct buf *b, enum binary_type element)
{
    buf_clear(b);
    add32(b, 1); /* dimensions */
    add32(b, 1); /* there may be NULLs */
    add32(b, (uint32_t)element);
    add32(b, 0); /* how many: see the end */
    add32(b, 1); /* the first one's number */
}

void binary_array_end(struct buf *b, size_t n)
{
    assert(b->overflow || (b->len >= ARRAY_HEAD && n <= INT_MAX));
    if (b->overflow) {
        return;
    }
    put32(b->data + 12, (uint32_t)n);
    if (n == 0) { /* an array without elements has no dimension */
        put32(b->data, 0);
        b->len = ARRAY_EMPTY;
    }
}

static enum rc copy_rows(PGconn *conn, const struct buf *rows, struct err *err)
{
    for (size_t at = 0; at < rows->len; at += COPY_PART) {
        size_t n = rows->len - at < COPY_PART ? rows->len - at : COPY_PART;
        if (PQputCopyData(conn, rows->data + at, (int)n) != 1) {
            return pg_fail(conn, NULL, err);
        }
    }
    return PQputCopyEnd(conn, NULL) == 1 ? RC_OK : pg_fail(conn, NULL, err);
}

enum rc binary_copy(PGconn *conn, const char *sql, const struct buf *rows, size_t n, struct err *err)
{
    PGresult *begun CLEANUP(pg_clearp) = NULL;
    PGresult *done CLEANUP(pg_clearp) = NULL;

    if (rows->overflow) {
        FAIL(err, RC_REJECT, "the rows of a batch are longer than %zu bytes", rows->max);
    }
    begun = PQexec(conn, sql);
    if (PQresultStatus(begun) != PGRES_COPY_IN) {
        return pg_fail(conn, begun, err);
    }
    TRY(copy_rows(conn, rows, err));
    done = PQgetResult(conn);
    enum rc rc = PQresultStatus(done) == PGRES_COMMAND_OK ? RC_OK : pg_fail(conn, done, err);
    for (PGresult *more = PQgetResult(conn); more != NULL; more = PQgetResult(conn)) {
        PQclear(more); /* until NULL, or the session takes no other statement */
    }
    TRY(rc);
    if (strtoull(PQcmdTuples(done), NULL, 10) != n) {
        FAIL(err, RC_FATAL, "COPY took %s rows; expected %zu", PQcmdTuples(done), n);
    }
    return RC_OK;
}

enum rc binary_query(PGconn *conn, const char *name, const struct buf *params, int n, PGresult **out_res,
                     struct err *err)
{
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX];
    int formats[PARAMS_MAX];

    assert(n <= PARAMS_MAX);
    for (int i = 0; i < n; i++) {
        if (params[i].overflow) {
            FAIL(err, RC_REJECT, "a column of a batch is longer than %zu bytes", params[i].max);
        }
        values[i] = params[i].data;
        lengths[i] = (int)params[i].len;
        formats[i] = 1;
    }
    return pg_take(conn, PQexecPrepared(conn, name, n, values, lengths, formats, 1), out_res, err);
}

int64_t binary_int(const char *bytes, size_t n)
{
    uint64_t v = 0;

    assert(n == 2 || n == 4 || n == 8);
    for (size_t i = 0; i < n; i++) {
        v = (v << 8) | (unsigned char)bytes[i];
    }
    return n == 2 ? (int16_t)v : n == 4 ? (int32_t)v : (int64_t)v;
}

int64_t binary_get_int(const PGresult *res, int row, int col, int64_t dflt)
{
    return PQgetisnull(res, row, col) ? dflt
                                      : binary_int(PQgetvalue(res, row, col), (size_t)PQgetlength(res, row, col));
}

bool binary_get_bool(const PGresult *res, int row, int col)
{
    return !PQgetisnull(res, row, col) && PQgetvalue(res, row, col)[0] != 0;
}

int64_t binary_get_time(const PGresult *res, int row, int col, int64_t dflt)
{
    return PQgetisnull(res, row, col) ? dflt : binary_get_int(res, row, col, 0) + BINARY_EPOCH_US;
}

const char *binary_get_text(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
}
