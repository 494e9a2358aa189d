/* SPDX-License-Identifier: Apache-2.0 */
/* Holds and orders whose time has come. */
#include "account/sweep.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/option.h"
#include "pg/conn.h"

/*
 * Asked for once more after a while, for a record that was lost with a restored topic. now() is the time of the record
 * too.
 *
 * Those that were never asked go first, then those asked longest ago: where the readers are far behind, the same ones
 * would be asked again and again before the others. Two scans, so that each is a range of the table's index on
 * (expiry_asked_at NULLS FIRST, expires_at), in order.
 */
#define OLDEST_FIRST " ORDER BY expiry_asked_at NULLS FIRST, expires_at LIMIT $1::bigint"
#define DUE(table, id, columns, waits)                                                                        \
    "WITH first AS MATERIALIZED ("                                                                            \
    "  SELECT " columns " FROM " table " WHERE " waits " AND expires_at <= now() AND expiry_asked_at IS NULL" \
    "  " OLDEST_FIRST " FOR NO KEY UPDATE SKIP LOCKED),"                                                      \
    " again AS MATERIALIZED ("                                                                                \
    "  SELECT " columns " FROM " table " WHERE " waits " AND expires_at <= now()"                             \
    "   AND expiry_asked_at <= now() - $2::bigint * interval '1 second'"                                      \
    "  " OLDEST_FIRST " - (SELECT count(*) FROM first) FOR NO KEY UPDATE SKIP LOCKED),"                       \
    " due AS MATERIALIZED (SELECT * FROM first UNION ALL SELECT * FROM again),"                               \
    " noted AS (UPDATE " table " t SET expiry_asked_at = now() FROM due WHERE t." id " = due." id ")"

/* The hold's caller asks, as far as anybody can tell: a command of another one would be refused. */
static const char HOLDS[] =
    DUE("account_transfers", "transfer_id", "transfer_id, debit_account, caller",
        "state = 'held'") " INSERT INTO account_command_outbox (partition_key, command, caller, payload)"
                          " SELECT debit_account, 'expire', caller, jsonb_build_object('transfer_id', transfer_id, "
                          "'debit', debit_account)"
                          " FROM due";

static const char ORDERS[] =
    DUE("payment_transactions", "payment_id", "payment_id",
        "state IN ('INIT', 'PENDING')") " INSERT INTO payment_outbox (partition_key, event_type, payload)"
                                        " SELECT payment_id, 'payment.expired', jsonb_build_object('payment_id', "
                                        "payment_id) FROM due";

static enum rc ask(PGconn *conn, const char *sql, const struct sweep_options *sweep, int64_t *out_asked,
                   struct err *err)
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
    TRY(pg_query(conn, sql, ARRAY_SIZE(params), params, &res, err));
    if (!option_parse_int(PQcmdTuples(res), 0, INT64_MAX, out_asked)) {
        *out_asked = 0;
    }
    return RC_OK;
}

enum rc sweep_holds(PGconn *conn, const struct sweep_options *sweep, int64_t *out_asked, struct err *err)
{
    return ask(conn, HOLDS, sweep, out_asked, err);
}

enum rc sweep_orders(PGconn *conn, const struct sweep_options *sweep, int64_t *out_asked, struct err *err)
{
    return ask(conn, ORDERS, sweep, out_asked, err);
}
