/* SPDX-License-Identifier: Apache-2.0 */
/* Waits until the WAL up to a snapshot is on disk. */
#include "relay/wal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "pg/conn.h"

#define PATIENT_LOOKS 3 /* of 1 ms each: a busy server flushes by itself */

static enum rc is_flushed(PGconn *conn, const char *lsn, bool *out_flushed, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {lsn};

    TRY(pg_query(conn, "SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn", 1, params, &res, err));
    *out_flushed = pg_text(res, 0, 0)[0] == 't';
    return RC_OK;
}

enum rc wal_wait_flushed(PGconn *conn, const char *lsn, struct err *err)
{
    bool flushed = false;

    for (int i = 0; i < PATIENT_LOOKS; i++) {
        TRY(is_flushed(conn, lsn, &flushed, err));
        if (flushed) {
            return RC_OK;
        }
        clock_sleep_ms(1);
    }
    /* local: our own disk is what counts here, not a standby's. */
    TRY(pg_exec(
        conn, "BEGIN; SET LOCAL synchronous_commit = local; SELECT pg_logical_emit_message(true, 'sluice', ''); COMMIT",
        NULL, err));
    TRY(is_flushed(conn, lsn, &flushed, err));
    if (!flushed) {
        FAIL(err, RC_RETRY, "WAL up to %s is not flushed after a synchronous commit", lsn);
    }
    return RC_OK;
}
