/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of COPY TO STDOUT in binary form. */
#include "pg/copy_out.h"

#include <string.h>

#include "base/mem.h"
#include "pg/binary.h"
#include "pg/conn.h"

#define SIGNATURE "PGCOPY\n\377\r\n" /* its NUL belongs to it */
#define SIGNATURE_BYTES 11
#define HEADER_BYTES (SIGNATURE_BYTES + 8) /* flags and the length of an extension */

enum rc copy_out_begin(struct copy_out *c, PGconn *conn, const char *query, struct err *err)
{
    CLEANUP(freep) char *sql = xasprintf("COPY (%s) TO STDOUT (FORMAT binary)", query);
    PGresult *res CLEANUP(pg_clearp) = PQexec(conn, sql);

    *c = (struct copy_out){.conn = conn};
    if (PQresultStatus(res) != PGRES_COPY_OUT) {
        return pg_fail(conn, res, err);
    }
    return RC_OK;
}

static enum rc finish(struct copy_out *c, int n, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = n == -1 ? PQgetResult(c->conn) : NULL;

    if (n != -1 || PQresultStatus(res) != PGRES_COMMAND_OK) {
        return pg_fail(c->conn, res, err);
    }
    PQclear(res);
    while ((res = PQgetResult(c->conn)) != NULL) {
        PQclear(res);
    }
    return RC_OK;
}

/*
 * A length of 4 bytes stands before each value: the last value's end becomes a NUL only after the next length was read.
 */
static enum rc split(struct copy_out *c, const char *at, const char *end, struct err *err)
{
    int n = end - at >= 2 ? (int)binary_int(at, 2) : -1;

    at += 2;
    if (n < 0 || n > COPY_OUT_FIELDS_MAX) {
        FAIL(err, RC_FATAL, "COPY sent a row of %d columns", n);
    }
    c->n_fields = n;
    for (int i = 0; i < n; i++) {
        int32_t length = end - at >= 4 ? (int32_t)binary_int(at, 4) : INT32_MAX;
        c->row[at - c->row] = '\0';
        at += 4;
        if (length < -1 || (length > 0 && length > end - at) || at > end) {
            FAIL(err, RC_FATAL, "COPY sent a row that is cut off");
        }
        c->values[i] = length < 0 ? NULL : at;
        c->lengths[i] = length < 0 ? 0 : (size_t)length;
        at += c->lengths[i];
    }
    return RC_OK; /* libpq puts a NUL behind the whole */
}

enum rc copy_out_next(struct copy_out *c, struct err *err)
{
    if (c->row != NULL) {
        PQfreemem(c->row);
        c->row = NULL;
    }
    int n = PQgetCopyData(c->conn, &c->row, 0);
    if (n <= 0) {
        return finish(c, n, err);
    }
    const char *at = c->row;
    const char *end = c->row + n;
    if (!c->begun) {
        if (n < HEADER_BYTES || memcmp(at, SIGNATURE, SIGNATURE_BYTES) != 0) {
            FAIL(err, RC_FATAL, "COPY did not send its binary form");
        }
        at += HEADER_BYTES + (uint32_t)binary_int(at + SIGNATURE_BYTES + 4, 4);
        c->begun = true;
    }
    if (at == end) { /* the header alone */
        return copy_out_next(c, err);
    }
    if (end - at >= 2 && (int)binary_int(at, 2) == -1) {
        PQfreemem(c->row);
        c->row = NULL;
        return finish(c, PQgetCopyData(c->conn, &c->row, 0), err);
    }
    c->row_bytes = (size_t)(end - at);
    return split(c, at, end, err);
}

void copy_out_done(struct copy_out *c)
{
    PQfreemem(c->row);
    c->row = NULL;
}

const char *copy_out_text(const struct copy_out *c, int field)
{
    return c->values[field] != NULL ? c->values[field] : "";
}

bool copy_out_null(const struct copy_out *c, int field)
{
    return c->values[field] == NULL;
}

int64_t copy_out_int(const struct copy_out *c, int field)
{
    return c->values[field] == NULL ? 0 : binary_int(c->values[field], c->lengths[field]);
}

bool copy_out_bool(const struct copy_out *c, int field)
{
    return c->values[field] != NULL && c->values[field][0] != 0;
}

int64_t copy_out_time(const struct copy_out *c, int field)
{
    return c->values[field] == NULL ? 0 : copy_out_int(c, field) + BINARY_EPOCH_US;
}
