/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tables hide rows from the current role? A row that a policy hides is no error, it is just not there: whoever
 * misses one asks here.
 *
 * Source: PostgreSQL, "Row Security Policies"; row_security_active(). Thread: that of the session.
 */
#ifndef SLUICE_PG_RLS_H
#define SLUICE_PG_RLS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define RLS_POLICIES_BYTES 160
#define RLS_TEXT_BYTES 256

struct rls_table {
    const char *name; /* in, of the session's search_path; as it would stand in SQL */
    /* Out: row-level security holds for this role (it neither owns the table nor may bypass it, or the table forces
     * it), and no policy shows it every row. A table that does not exist hides nothing. */
    bool hides;
    char policies[RLS_POLICIES_BYTES]; /* names of those that speak of its reading, "a, b"; "" = none does */
};

/* One statement for all n tables. */
enum rc rls_ask(PGconn *conn, struct rls_table *tables, size_t n, struct err *err) MUST_USE;

/* "rows hidden by row-level security: table ml_orders, policies a, b" (or "no policy for this role"), cut to out. */
const char *rls_text(const struct rls_table *table, char out[RLS_TEXT_BYTES]);

#endif
