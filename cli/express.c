/* SPDX-License-Identifier: Apache-2.0 */
/* The session and the names of commands about parcels and phones. */
#include "express.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"

#define STATEMENT_TIMEOUT_MS 300000

enum rc express_db(const struct cli *cli, const char *app, PGconn **out_conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const struct pg_options opt = {
        .app = app, .schema = config_str(cli->cfg, "database.schema"), .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    TRY(pg_open(config_str(cli->cfg, "database.url"), &opt, out_conn, err));
    TRY(pg_exec(*out_conn, "SELECT to_regclass('express_parked') IS NULL OR to_regclass('push_deliveries') IS NULL",
                &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL, "the database has no tables of parcels; run `sluice migrate`");
    }
    return RC_OK;
}

enum rc express_type(PGconn *conn, const char *table, const char *column, char out[EXPRESS_TYPE_MAX], struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *const params[] = {table, column};

    TRY(pg_query(conn,
                 "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass($1::text) "
                 "AND attname = $2 AND NOT attisdropped",
                 2, params, &res, err));
    if (PQntuples(res) == 0) {
        FAIL(err, RC_FATAL, "%s has no column %s; run `sluice migrate`", table, column);
    }
    (void)snprintf(out, EXPRESS_TYPE_MAX, "%s", pg_text(res, 0, 0));
    return RC_OK;
}

enum rc express_order(PGconn *conn, const char *order_id, PGresult **out_res, struct err *err)
{
    char type[EXPRESS_TYPE_MAX];

    TRY(express_type(conn, "ml_orders", "id", type, err));
    char *sql CLEANUP(freep) =
        xasprintf("SELECT o.user_id::text, o.merchant_id::text FROM ml_orders o WHERE o.id = $1::text::%s", type);
    enum rc rc = pg_query(conn, sql, 1, &order_id, out_res, err);
    if (rc != RC_OK && strcmp(err->code, "42501") == 0) {
        /* The reader that notify uses, where it is installed for us. */
        struct err ignored;
        rc = pg_query(conn, "SELECT f.user_id, f.merchant_id FROM sluice_order_recipients(ARRAY[$1::text]) f", 1,
                      &order_id, out_res, &ignored);
    }
    if (rc != RC_OK && strcmp(err->code, "42501") == 0) {
        err_set(err, RC_REJECT, __FILE__, __LINE__, "row-level security hides rows of ml_orders from this role");
        return err_code(err, "42501");
    }
    /* An id that the column cannot hold is no order's. */
    if (rc == RC_REJECT || (rc == RC_OK && PQntuples(*out_res) == 0)) {
        pg_clearp(out_res);
        *out_res = NULL;
        FAIL(err, RC_REJECT, "there is no order %.64s", order_id);
    }
    return rc;
}
