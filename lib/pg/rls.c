/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the catalog about policies. */
#include "pg/rls.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pg/array.h"
#include "pg/conn.h"

#define NAMES_BYTES_MAX ((size_t)1 << 16)

/*
 * Policies for reading that this role falls under. Permissive ones are alternatives: one that lets everything pass is
 * enough, unless a restrictive one stands beside it.
 */
static const char ASK[] =
    "SELECT t.n, coalesce(p.names, '')"
    " FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n) JOIN pg_class c ON c.oid = to_regclass(t.name)"
    " CROSS JOIN LATERAL (SELECT string_agg(p.polname, ', ' ORDER BY p.polname) AS names,"
    "   coalesce(bool_or(p.polpermissive AND pg_get_expr(p.polqual, p.polrelid) = 'true'), false)"
    "    AND coalesce(bool_and(p.polpermissive), true) AS open"
    "  FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd IN ('r', '*') AND EXISTS ("
    "   SELECT FROM unnest(p.polroles) AS r(oid) WHERE CASE WHEN r.oid = 0 THEN true"
    "    ELSE pg_has_role(r.oid, 'USAGE') END)) p"
    " WHERE c.relrowsecurity AND row_security_active(c.oid) AND NOT p.open";

enum rc rls_ask(PGconn *conn, struct rls_table *tables, size_t n, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    CLEANUP(buf_done) struct buf names;

    buf_init(&names, NAMES_BYTES_MAX);
    array_begin(&names);
    for (size_t i = 0; i < n; i++) {
        tables[i].hides = false;
        tables[i].policies[0] = '\0';
        array_add(&names, tables[i].name, strlen(tables[i].name));
    }
    array_end(&names);
    const char *params[] = {buf_str(&names)};
    TRY(pg_query(conn, ASK, 1, params, &res, err));
    for (int k = 0; k < PQntuples(res); k++) {
        struct rls_table *t = &tables[pg_int(res, k, 0, 1) - 1];
        t->hides = true;
        (void)snprintf(t->policies, sizeof(t->policies), "%s", pg_text(res, k, 1));
    }
    return RC_OK;
}

const char *rls_text(const struct rls_table *table, char out[RLS_TEXT_BYTES])
{
    const char *which = table->policies[0] == '\0'              ? "no policy for this role"
                        : strstr(table->policies, ", ") != NULL ? "policies "
                                                                : "policy ";

    (void)snprintf(out, RLS_TEXT_BYTES, "rows hidden by row-level security: table %s, %s%s", table->name, which,
                   table->policies);
    return out;
}
