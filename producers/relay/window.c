/* SPDX-License-Identifier: Apache-2.0 */
/* What is new since a snapshot: the SQL of a source, and a look at the database. */
#include "relay/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pg/conn.h"

#define SQL_MAX ((size_t)64 << 10)

/*
 * Rows beyond s1 that show in the snapshot `upto`. Two branches, each a plain index condition on queue_txid:
 * transactions that began after s1 was taken, and those that ran while it was taken.
 */
static void add_candidates(struct buf *b, const char *table, const char *columns, const char *s1, const char *upto)
{
    buf_printf(b,
               "SELECT %s FROM %s t WHERE t.queue_txid >= pg_snapshot_xmax(%s::pg_snapshot)"
               " AND pg_visible_in_snapshot(t.queue_txid, %s)"
               " UNION ALL SELECT %s FROM %s t"
               " WHERE t.queue_txid = ANY (ARRAY(SELECT x FROM pg_snapshot_xip(%s::pg_snapshot) x))"
               " AND pg_visible_in_snapshot(t.queue_txid, %s)",
               columns, table, s1, upto, columns, table, s1, upto);
}

/* "t.queue_seq AS q, t.id::text AS c0, ..." */
static void add_columns(struct buf *b, const struct source *src, PGconn *conn)
{
    buf_puts(b, "t.queue_seq AS q");
    for (int i = 0; i < src->n_columns; i++) {
        char *name CLEANUP(freep) = pg_quote_ident(conn, src->columns[i].name);
        if (src->columns[i].micros) {
            /* An infinite time is no number: NULL makes the row a dead letter, the cast would stop the lane. */
            buf_printf(b, ", CASE WHEN isfinite(t.%s) THEN (extract(epoch FROM t.%s) * 1000000)::bigint END AS c%d",
                       name, name, i);
        } else {
            buf_printf(b, ", t.%s%s AS c%d", name, src->columns[i].bytes ? "" : "::text", i);
        }
    }
}

/* How often the text of a column travels in its record: in the value, and again as key or header. */
static int copies(const struct source *src, int column)
{
    int n = 1 + (column == src->id ? 2 : 0) + (column == src->type ? 1 : 0);

    for (int i = 0; i < src->n_keys; i++) {
        n += column == src->key[i] ? 1 : 0;
    }
    for (int i = 0; i < src->n_headers; i++) {
        n += column == src->headers[i].column ? 1 : 0;
    }
    return n;
}

/*
 * Wraps the row source `from` (columns q, c0..cn): adds the length of the whole record and cuts what is too long.
 * OFFSET 0 keeps the casts from being evaluated once more for each use; ORDER BY at each level lets the order of the
 * index through.
 */
static void add_row_select(struct buf *b, const struct source *src, int64_t row_bytes_max, const char *from)
{
    bool bytes = src->columns[src->payload].bytes;

    buf_puts(b, "SELECT q, len");
    buf_printf(b, ", CASE WHEN len > %" PRId64 " THEN encode(sha256(%sc%d%s), 'hex') END, octet_length(c%d)::bigint",
               row_bytes_max, bytes ? "" : "convert_to(", src->payload, bytes ? "" : ", 'UTF8')", src->payload);
    for (int i = 0; i < src->n_columns; i++) {
        if (src->columns[i].micros) {
            buf_printf(b, ", c%d", i);
        } else {
            buf_printf(b, ", CASE WHEN len > %" PRId64 " THEN substring(c%d FROM 1 FOR %d) ELSE c%d END", row_bytes_max,
                       i, ROW_CUT_CHARS, i);
        }
    }
    buf_puts(b, " FROM (SELECT *, 0::bigint");
    for (int i = 0; i < src->n_columns; i++) {
        if (!src->columns[i].micros) {
            buf_printf(b, " + coalesce(octet_length(c%d), 0) * %d::bigint", i, copies(src, i));
        }
    }
    buf_printf(b, " AS len FROM (%s) a ORDER BY q OFFSET 0) r ORDER BY q", from);
}

void window_sql_init(struct window_sql *sql, const struct source *src, PGconn *conn, int64_t row_bytes_max)
{
    char *table CLEANUP(freep) = pg_quote_ident(conn, src->table);
    struct buf columns;
    struct buf from;
    struct buf b;

    buf_init(&columns, SQL_MAX);
    buf_init(&from, SQL_MAX);
    buf_init(&b, SQL_MAX);
    add_columns(&columns, src, conn);

    buf_puts(&b, "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text, (SELECT count(*) FROM (");
    add_candidates(&b, table, "1", "$1", "pg_current_snapshot()");
    buf_puts(&b, " LIMIT $2) c)");
    sql->tick = buf_take(&b);

    /* OFFSET 0: else min() and max() would walk the index on queue_seq over everything published. */
    buf_puts(&b, "SELECT min(q), max(q) FROM (");
    add_candidates(&b, table, "t.queue_seq AS q", "$1", "$2::pg_snapshot");
    buf_puts(&b, " OFFSET 0) c");
    sql->range = buf_take(&b);

    buf_puts(&b, "COPY (WITH c AS MATERIALIZED (");
    add_candidates(&b, table, buf_str(&columns), "'{s1}'", "'{s2}'::pg_snapshot");
    buf_puts(&b, ") ");
    add_row_select(&b, src, row_bytes_max, "SELECT * FROM c WHERE q > {after} ORDER BY q LIMIT {limit}");
    buf_puts(&b, ") TO STDOUT (FORMAT binary)");
    sql->small = buf_take(&b);

    buf_printf(&from,
               "SELECT %s FROM %s t WHERE t.queue_seq > {after} AND t.queue_seq <= {upto}"
               " AND t.queue_txid IS NOT NULL AND NOT pg_visible_in_snapshot(t.queue_txid, '{s1}'::pg_snapshot)"
               " AND pg_visible_in_snapshot(t.queue_txid, '{s2}'::pg_snapshot)"
               " ORDER BY t.queue_seq LIMIT {limit}",
               buf_str(&columns), table);
    buf_puts(&b, "COPY (");
    add_row_select(&b, src, row_bytes_max, buf_str(&from));
    buf_puts(&b, ") TO STDOUT (FORMAT binary)");
    sql->walk = buf_take(&b);
    sql->n_columns = src->n_columns;

    buf_done(&columns);
    buf_done(&from);
    buf_done(&b);
}

void window_sql_done(struct window_sql *sql)
{
    free(sql->tick);
    free(sql->range);
    free(sql->small);
    free(sql->walk);
    *sql = (struct window_sql){0};
}

enum rc window_tick(PGconn *conn, const struct window_sql *sql, const char *s1, int64_t limit, struct tick *out,
                    struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char number[24];

    snprintf(number, sizeof(number), "%" PRId64, limit + 1);
    const char *params[] = {s1, number};
    TRY(pg_query(conn, sql->tick, 2, params, &res, err));
    out->s2 = xstrdup(pg_text(res, 0, 0));
    out->lsn = xstrdup(pg_text(res, 0, 1));
    out->candidates = pg_int(res, 0, 2, 0);
    return RC_OK;
}

void tick_done(struct tick *t)
{
    free(t->s2);
    free(t->lsn);
    *t = (struct tick){0};
}

enum rc window_range(PGconn *conn, const struct window_sql *sql, const char *s1, const char *s2, int64_t *out_first,
                     int64_t *out_last, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {s1, s2};

    TRY(pg_query(conn, sql->range, 2, params, &res, err));
    *out_first = pg_int(res, 0, 0, 1);
    *out_last = pg_int(res, 0, 1, 0);
    return RC_OK;
}
