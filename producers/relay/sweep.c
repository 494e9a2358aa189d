/* SPDX-License-Identifier: Apache-2.0 */
/* The due sweep of one source. */
#include "relay/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pg/conn.h"

static const char DUE[] = "SELECT 1 FROM sluice_waiting WHERE source = $1 AND due_at <= now() LIMIT 1";

/*
 * taken: the oldest reminders that are due. ready: their rows that still wait and are due now, as far as nobody holds
 * them. A reminder goes when its row was requeued or no longer waits; it stays when the row was locked by somebody.
 */
static const char SWEEP[] =
    "WITH taken AS MATERIALIZED ("
    "  SELECT ctid AS at, row_id FROM sluice_waiting WHERE source = $1 AND due_at <= now()"
    "  ORDER BY due_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED),"
    " waiting AS MATERIALIZED ("
    "  SELECT o.id, o.ctid FROM %s o WHERE o.id IN (SELECT row_id::%s FROM taken) AND o.queue_seq IS NOT NULL"
    "  AND coalesce(o.next_attempt_at <= now(), true)"
    "  AND (o.status = 'retrying' OR (o.status = 'pending' AND o.queue_txid IS NULL))),"
    " ready AS MATERIALIZED ("
    "  SELECT o.id FROM %s o WHERE o.id IN (SELECT id FROM waiting) AND o.queue_seq IS NOT NULL"
    "  AND coalesce(o.next_attempt_at <= now(), true)"
    "  AND (o.status = 'retrying' OR (o.status = 'pending' AND o.queue_txid IS NULL))"
    "  ORDER BY o.next_attempt_at NULLS FIRST FOR UPDATE SKIP LOCKED),"
    " requeued AS (UPDATE %s o SET status = 'pending', updated_at = now() FROM ready WHERE o.id = ready.id RETURNING "
    "o.id),"
    " gone AS (DELETE FROM sluice_waiting w USING taken WHERE w.ctid = taken.at"
    "  AND taken.row_id::%s NOT IN (SELECT id FROM waiting EXCEPT SELECT id FROM ready))"
    " SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM requeued)";

enum rc sweep_init(struct sweep *s, const struct source *src, PGconn *conn, struct err *err)
{
    PGresult *type CLEANUP(pg_clearp) = NULL;
    char *table CLEANUP(freep) = pg_quote_ident(conn, src->table);
    const char *params[] = {src->table, src->columns[src->id].name};

    TRY(pg_query(conn,
                 "SELECT format_type(atttypid, NULL) FROM pg_attribute"
                 " WHERE attrelid = to_regclass(quote_ident($1)) AND attname = $2",
                 2, params, &type, err));
    if (PQntuples(type) != 1) {
        FAIL(err, RC_FATAL, "source %s: no id column", src->name);
    }
    const char *id_type = pg_text(type, 0, 0);
    s->sweep = xasprintf(SWEEP, table, id_type, table, table, id_type);
    s->due = xstrdup(DUE);
    s->table = xstrdup(src->table);
    return RC_OK;
}

void sweep_done(struct sweep *s)
{
    free(s->sweep);
    free(s->due);
    free(s->table);
    *s = (struct sweep){0};
}

static enum rc requeue(const struct sweep *s, PGconn *conn, int64_t rows_max, PGresult **res, struct err *err)
{
    char limit[24];

    snprintf(limit, sizeof(limit), "%" PRId64, rows_max);
    const char *params[] = {s->table, limit};
    TRY(pg_exec(conn, "BEGIN; SET LOCAL sluice.sweep = 'on'", NULL, err));
    TRY(pg_query(conn, s->sweep, 2, params, res, err));
    return pg_exec(conn, "COMMIT", NULL, err);
}

enum rc sweep_run(const struct sweep *s, PGconn *conn, int64_t rows_max, int64_t *out_taken, int64_t *out_requeued,
                  struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {s->table};

    *out_taken = 0;
    *out_requeued = 0;
    TRY(pg_query(conn, s->due, 1, params, &res, err));
    if (PQntuples(res) == 0) {
        return RC_OK;
    }
    enum rc rc = requeue(s, conn, rows_max, &res, err);
    if (rc != RC_OK) {
        struct err ignored;
        rc_ignore(pg_exec(conn, "ROLLBACK", NULL, &ignored));
        return rc;
    }
    *out_taken = pg_int(res, 0, 0, 0);
    *out_requeued = pg_int(res, 0, 1, 0);
    return RC_OK;
}
