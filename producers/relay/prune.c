/* SPDX-License-Identifier: Apache-2.0 */
/* Old rows of a source go. */
#include "relay/prune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pg/conn.h"

static const char HAS_AGE[] = "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1))"
                              " AND attname = 'created_at' AND atttypid = 'timestamptz'::regtype AND NOT attisdropped";

/*
 * oldest is a plain read of the index's beginning. The lock is taken by ctid afterwards and the conditions stand there
 * once more, so that a row which somebody has changed meanwhile stays.
 */
static const char PRUNE[] =
    "WITH oldest AS MATERIALIZED ("
    "  SELECT ctid AS at, created_at, queue_txid FROM %s WHERE queue_seq IS NOT NULL ORDER BY queue_seq"
    "  LIMIT $3::bigint),"
    " going AS MATERIALIZED ("
    "  SELECT t.ctid AS at FROM %s t WHERE t.ctid = ANY (ARRAY(SELECT at FROM oldest"
    "   WHERE created_at < now() - $2::int * interval '1 day'"
    "   AND pg_visible_in_snapshot(queue_txid, $1::pg_snapshot)))"
    "  AND t.created_at < now() - $2::int * interval '1 day' AND pg_visible_in_snapshot(t.queue_txid, $1::pg_snapshot)"
    "  FOR UPDATE SKIP LOCKED)"
    " DELETE FROM %s t WHERE t.ctid = ANY (ARRAY(SELECT at FROM going))";

enum rc prune_init(struct prune *p, const struct source *src, PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char *table CLEANUP(freep) = pg_quote_ident(conn, src->table);
    const char *params[] = {src->table};

    *p = (struct prune){.sql = NULL};
    if (!src->prune) {
        return RC_OK;
    }
    TRY(pg_query(conn, HAS_AGE, 1, params, &res, err));
    p->sql = PQntuples(res) == 1 ? xasprintf(PRUNE, table, table, table) : NULL;
    return RC_OK;
}

void prune_done(struct prune *p)
{
    free(p->sql);
    *p = (struct prune){.sql = NULL};
}

enum rc prune_run(const struct prune *p, PGconn *conn, const char *s1, int64_t days, int64_t rows_max,
                  int64_t *out_rows, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char age[24];
    char limit[24];
    const char *params[] = {s1, age, limit};

    *out_rows = 0;
    if (p->sql == NULL) {
        return RC_OK;
    }
    (void)snprintf(age, sizeof(age), "%" PRId64, days);
    (void)snprintf(limit, sizeof(limit), "%" PRId64, rows_max);
    TRY(pg_query(conn, p->sql, 3, params, &res, err));
    *out_rows = strtoll(PQcmdTuples(res), NULL, 10);
    return RC_OK;
}
