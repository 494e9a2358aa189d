/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of putting rows back. */
#include "delivery_state/requeue.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pg/array.h"
#include "pg/conn.h"

#define COLUMN_BYTES_MAX ((size_t)1 << 20)
#define REQUEUE_PARAMS 5

/*
 * One of them at a time: of two that share out the rows of a key, the one with the later rows could draw the earlier
 * numbers.
 */
static const char ONE_AT_A_TIME[] = "SELECT pg_advisory_xact_lock(hashtext('sluice'), hashtext('requeue'))";

/*
 * Locked in one go and without waiting; the conditions are looked at again on the version that is locked. The update
 * takes the rows in the order of their old numbers (nested loops, see requeue_session), and the trigger draws the new
 * ones. %s: table, state; table, reset, returning, after.
 */
static const char REQUEUE[] =
    "WITH d AS MATERIALIZED ("
    "  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) WITH ORDINALITY AS d(id, seq, status, n)),"
    " ready AS MATERIALIZED ("
    "  SELECT x.id, d.n, $4::bool AS renew, $5::bool AS late FROM d JOIN %s x ON x.id = d.id"
    "  WHERE x.queue_seq IS NOT DISTINCT FROM d.seq AND %s = d.status"
    "  ORDER BY d.seq NULLS FIRST, d.n FOR NO KEY UPDATE OF x SKIP LOCKED),"
    " back AS (UPDATE %s x SET %s FROM ready WHERE x.id = ready.id RETURNING ready.n, x.id, x.queue_seq%s)"
    "%s"
    " SELECT n, queue_seq FROM back";

enum rc requeue_session(PGconn *conn, struct err *err)
{
    return pg_exec(conn,
                   "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;"
                   "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '5s'",
                   NULL, err);
}

static enum rc run(PGconn *conn, const struct row_kind *kind, const char *const *params, enum requeue_round round,
                   PGresult **out_res, struct err *err)
{
    char *sql CLEANUP(freep) =
        xasprintf(REQUEUE, kind->table, kind->state, kind->table, kind->reset, kind->returning, kind->after);

    TRY(pg_exec(conn, "BEGIN ISOLATION LEVEL READ COMMITTED", NULL, err)); /* a snapshot behind the wait */
    TRY(pg_exec(conn, ONE_AT_A_TIME, NULL, err));
    if (round == REQUEUE_SAME_ROUND) {
        TRY(pg_exec(conn, "SET LOCAL sluice.sweep = 'on'", NULL, err)); /* the trigger then keeps round_attempts */
    }
    TRY(pg_query(conn, sql, REQUEUE_PARAMS, params, out_res, err));
    return pg_exec(conn, "COMMIT", NULL, err);
}

enum rc requeue_rows(PGconn *conn, const struct row_kind *kind, struct requeue_row *rows, size_t n,
                     enum requeue_round round, struct err *err)
{
    struct buf column[3];
    PGresult *res CLEANUP(pg_clearp) = NULL;

    assert(n <= REQUEUE_ROWS_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(column); i++) {
        buf_init(&column[i], COLUMN_BYTES_MAX);
        array_begin(&column[i]);
    }
    for (size_t i = 0; i < n; i++) {
        rows[i].new_seq = 0;
        array_add(&column[0], rows[i].id, strlen(rows[i].id));
        if (rows[i].queue_seq > 0) {
            array_add_int(&column[1], rows[i].queue_seq);
        } else {
            array_add_null(&column[1]);
        }
        array_add(&column[2], rows[i].status, strlen(rows[i].status));
    }
    for (size_t i = 0; i < ARRAY_SIZE(column); i++) {
        array_end(&column[i]);
    }
    const char *params[REQUEUE_PARAMS] = {buf_str(&column[0]), buf_str(&column[1]), buf_str(&column[2]),
                                          round == REQUEUE_SAME_ROUND ? "f" : "t", round == REQUEUE_LATE ? "t" : "f"};
    enum rc rc = run(conn, kind, params, round, &res, err);
    if (rc != RC_OK && PQtransactionStatus(conn) != PQTRANS_IDLE) {
        struct err ignored;
        rc_ignore(pg_exec(conn, "ROLLBACK", NULL, &ignored));
    }
    for (int k = 0; rc == RC_OK && k < PQntuples(res); k++) {
        int64_t at = pg_int(res, k, 0, 0);
        assert(at >= 1 && (size_t)at <= n);
        rows[at - 1].new_seq = pg_int(res, k, 1, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(column); i++) {
        buf_done(&column[i]);
    }
    return rc;
}
