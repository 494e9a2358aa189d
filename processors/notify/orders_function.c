/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/orders_function.h"

#include <string.h>

#include "base/mem.h"
#include "notify/types.h"
#include "pg/conn.h"
#include "pg/rls.h"

/* The value of the list as one of the column's type; NULL, which finds nothing, where it is none. */
static const char *cast_of(const struct column_type *t)
{
    switch (t->class) {
    case COLUMN_UUID:
        return "CASE WHEN u.id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN u.id::uuid END";
    case COLUMN_INTEGER:
        return "CASE WHEN u.id ~ '^-?[0-9]{1,18}$' THEN u.id::bigint END";
    case COLUMN_TEXT:
        break;
    }
    return "u.id";
}

static enum rc find_role(PGconn *conn, const char *role, char **out_role, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {role != NULL ? role : ORDERS_ROLE};

    TRY(pg_query(conn,
                 "SELECT (SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = $1), quote_ident(current_user)", 1,
                 params, &res, err));
    if (PQgetisnull(res, 0, 0) && role != NULL) {
        FAIL(err, RC_REJECT, "there is no role \"%.64s\" in this database", role);
    }
    *out_role = xstrdup(pg_text(res, 0, PQgetisnull(res, 0, 0) ? 1 : 0));
    return RC_OK;
}

/* The function sees what its owner sees: us. */
static enum rc check_owner(PGconn *conn, struct err *err)
{
    struct rls_table orders = {.name = "ml_orders"};
    char text[RLS_TEXT_BYTES];

    TRY(pg_exec(conn, "SET row_security = on", NULL, err));
    TRY(rls_ask(conn, &orders, 1, err));
    if (orders.hides) {
        FAIL(err, RC_REJECT,
             "%s: the function would be as blind as you are; run this as a role that owns the table, or, where it says"
             " FORCE ROW LEVEL SECURITY, as one with BYPASSRLS",
             rls_text(&orders, text));
    }
    return RC_OK;
}

enum rc orders_function_sql(PGconn *conn, const char *schema, const char *role, struct buf *out, struct err *err)
{
    struct column_type columns[] = {{.table = "ml_orders", .column = "id"},
                                    {.table = "ml_orders", .column = "user_id", .optional = true},
                                    {.table = "ml_orders", .column = "merchant_id", .optional = true}};
    char *quoted CLEANUP(freep) = pg_quote_ident(conn, schema);
    char *grantee CLEANUP(freep) = NULL;

    TRY(column_types_read(conn, columns, ARRAY_SIZE(columns), err));
    TRY(find_role(conn, role, &grantee, err));
    TRY(check_owner(conn, err));
    buf_printf(out,
               "BEGIN;\n"
               /* Made anew: nobody whom an older one was granted to keeps it. */
               "DROP FUNCTION IF EXISTS %s." ORDERS_FUNCTION ";\n"
               "CREATE FUNCTION %s.sluice_order_recipients(order_ids text[])\n"
               "    RETURNS TABLE (n bigint, user_id text, merchant_id text)\n"
               "    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$\n"
               "    SELECT u.n, %s, %s\n"
               "    FROM unnest(order_ids) WITH ORDINALITY AS u(id, n)\n"
               "    JOIN %s.ml_orders o ON o.id = %s\n"
               "$fn$;\n"
               "REVOKE ALL ON FUNCTION %s." ORDERS_FUNCTION " FROM PUBLIC;\n"
               "GRANT EXECUTE ON FUNCTION %s." ORDERS_FUNCTION " TO %s;\n"
               "COMMIT;\n",
               quoted, quoted, columns[1].found ? "o.user_id::text" : "NULL::text",
               columns[2].found ? "o.merchant_id::text" : "NULL::text", quoted, cast_of(&columns[0]), quoted, quoted,
               grantee);
    return RC_OK;
}
