/* SPDX-License-Identifier: Apache-2.0 */
/* Holds whose time has come. */
#include <inttypes.h>
#include <stdio.h>

#include "account/commands.h"
#include "pg/conn.h"

/*
 * The hold's caller asks, as far as anybody can tell: a command of another one would be refused. Asked for once more
 * after a while, for a command that was lost with a restored topic. now() is the time of the command too.
 *
 * Those that were never asked go first, then those asked longest ago: where commands are far behind, the same ones
 * would be asked again and again before the others. Two scans, so that each is a range of account_transfers_expiry, in
 * order.
 */
static const char SWEEP[] =
    "WITH first AS MATERIALIZED ("
    "  SELECT transfer_id, debit_account, caller FROM account_transfers"
    "  WHERE state = 'held' AND expires_at <= now() AND expiry_asked_at IS NULL"
    "  ORDER BY expiry_asked_at NULLS FIRST, expires_at LIMIT $1::bigint FOR NO KEY UPDATE SKIP LOCKED),"
    " again AS MATERIALIZED ("
    "  SELECT transfer_id, debit_account, caller FROM account_transfers"
    "  WHERE state = 'held' AND expires_at <= now() AND expiry_asked_at <= now() - $2::bigint * interval '1 second'"
    "  ORDER BY expiry_asked_at NULLS FIRST, expires_at LIMIT $1::bigint - (SELECT count(*) FROM first)"
    "  FOR NO KEY UPDATE SKIP LOCKED),"
    " due AS MATERIALIZED (SELECT * FROM first UNION ALL SELECT * FROM again),"
    " noted AS ("
    "  UPDATE account_transfers t SET expiry_asked_at = now() FROM due WHERE t.transfer_id = due.transfer_id)"
    " INSERT INTO account_command_outbox (partition_key, command, caller, payload)"
    " SELECT debit_account, 'expire', caller, jsonb_build_object('transfer_id', transfer_id, 'debit', debit_account)"
    " FROM due";

enum rc sweep_holds(PGconn *conn, const struct sweep_options *sweep, int64_t *out_asked, struct err *err)
{
    char rows[24];
    char again[24];
    const char *params[] = {rows, again};
    PGresult *res CLEANUP(pg_clearp) = NULL;

    *out_asked = 0;
    if (sweep->rows_max == 0) {
        return RC_OK;
    }
    (void)snprintf(rows, sizeof(rows), "%" PRId64, sweep->rows_max);
    (void)snprintf(again, sizeof(again), "%" PRId64, sweep->again_s);
    TRY(pg_query(conn, SWEEP, ARRAY_SIZE(params), params, &res, err));
    int64_t n = 0;
    if (sscanf(PQcmdTuples(res), "%" SCNd64, &n) == 1) {
        *out_asked = n;
    }
    return RC_OK;
}
