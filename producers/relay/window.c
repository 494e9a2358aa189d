/* SPDX-License-Identifier: Apache-2.0 */
/* Reads windows by COPY: a row at a time, so that memory does not depend on what the rows hold. */
#include "relay/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pg/conn.h"

#define SQL_MAX ((size_t)64 << 10)
#define COPY_SQL_MAX ((size_t)1 << 20) /* two snapshots are in it */

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
            buf_printf(b, ", t.%s::text AS c%d", name, i);
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
    buf_puts(b, "SELECT q, len");
    buf_printf(b,
               ", CASE WHEN len > %" PRId64 " THEN encode(sha256(convert_to(c%d, 'UTF8')), 'hex') END"
               ", octet_length(c%d)::bigint",
               row_bytes_max, src->payload, src->payload);
    for (int i = 0; i < src->n_columns; i++) {
        if (src->columns[i].micros) {
            buf_printf(b, ", c%d", i);
        } else {
            buf_printf(b, ", CASE WHEN len > %" PRId64 " THEN left(c%d, %d) ELSE c%d END", row_bytes_max, i,
                       ROW_CUT_CHARS, i);
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

/* Ends a statement whose rest is not wanted. The backend has the signal when PQcancel returns, and an idle one ignores
 * it. */
static void cancel_rest(PGconn *conn)
{
    char why[256];
    PGcancel *cancel = PQgetCancel(conn);

    if (cancel != NULL) {
        (void)PQcancel(cancel, why, (int)sizeof(why));
        PQfreeCancel(cancel);
    }
}

/* COPY takes no parameters: replaces the marks {s1} {s2} {after} {limit} {upto}. Snapshots are digits, ':' and ','. */
static void fill_in(const char *sql, const struct window *w, int64_t rows_max, struct buf *out)
{
    while (*sql != '\0') {
        const char *mark = strchr(sql, '{');
        if (mark == NULL) {
            buf_puts(out, sql);
            return;
        }
        buf_add(out, sql, (size_t)(mark - sql));
        if (strncmp(mark, "{s1}", 4) == 0) {
            buf_puts(out, w->s1);
        } else if (strncmp(mark, "{s2}", 4) == 0) {
            buf_puts(out, w->s2);
        } else if (strncmp(mark, "{after}", 7) == 0) {
            buf_printf(out, "%" PRId64, w->after_seq);
        } else if (strncmp(mark, "{limit}", 7) == 0) {
            buf_printf(out, "%" PRId64, rows_max);
        } else {
            buf_printf(out, "%" PRId64, w->upto_seq);
        }
        sql = strchr(mark, '}') + 1;
    }
}

enum rc window_scan_start(struct window_scan *scan, PGconn *conn, const struct window_sql *sql, const struct window *w,
                          int64_t rows_max, struct err *err)
{
    struct buf text;

    *scan = (struct window_scan){.conn = conn, .n_columns = sql->n_columns, .rows_max = rows_max};
    buf_init(&text, COPY_SQL_MAX);
    fill_in(w->walk ? sql->walk : sql->small, w, rows_max, &text);
    int sent = text.overflow ? 0 : PQsendQuery(conn, buf_str(&text));
    buf_done(&text);
    if (sent != 1) {
        return pg_fail(conn, NULL, err);
    }
    scan->running = true;
    return RC_OK;
}

enum { ROW_CELLS = 4 }; /* before those of the columns */

/* A cursor over COPY's binary format. PostgreSQL: COPY, "Binary Format". */
struct bytes {
    const unsigned char *at, *end;
};

static bool get_int(struct bytes *b, size_t n, int64_t *out)
{
    uint64_t v = 0;

    if ((size_t)(b->end - b->at) < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | b->at[i];
    }
    b->at += n;
    /* Sign of a 2-, 4- or 8-byte integer. */
    uint64_t sign = UINT64_C(1) << (8 * n - 1);
    *out = (int64_t)((v ^ sign) - sign);
    return true;
}

static bool get_cell(struct bytes *b, struct cell *out)
{
    int64_t n = 0;

    *out = (struct cell){.text = NULL};
    if (!get_int(b, 4, &n)) {
        return false;
    }
    if (n < 0) {
        return true; /* NULL */
    }
    if (b->end - b->at < n) {
        return false;
    }
    *out = (struct cell){.text = (const char *)b->at, .len = (size_t)n};
    b->at += n;
    return true;
}

int64_t cell_int64(const struct cell *c, int64_t dflt)
{
    struct bytes b = {(const unsigned char *)c->text, (const unsigned char *)c->text + c->len};
    int64_t v = 0;

    return c->text != NULL && c->len == 8 && get_int(&b, 8, &v) ? v : dflt;
}

static bool get_head(struct bytes *b)
{
    static const char signature[] = "PGCOPY\n\377\r\n"; /* and the NUL behind it */
    int64_t flags = 0;
    int64_t extension = 0;

    if ((size_t)(b->end - b->at) < sizeof(signature) || memcmp(b->at, signature, sizeof(signature)) != 0) {
        return false;
    }
    b->at += sizeof(signature);
    if (!get_int(b, 4, &flags) || !get_int(b, 4, &extension) || extension < 0 || b->end - b->at < extension) {
        return false;
    }
    b->at += extension;
    return true;
}

static bool get_row(struct window_scan *scan, struct bytes *b, struct row_cells *row)
{
    struct cell seq;
    struct cell bytes;
    struct cell payload;

    if (!get_cell(b, &seq) || !get_cell(b, &bytes) || !get_cell(b, &row->sha256) || !get_cell(b, &payload)) {
        return false;
    }
    row->payload_bytes = cell_int64(&payload, 0);
    row->seq = cell_int64(&seq, 0);
    row->bytes = cell_int64(&bytes, 0);
    for (int i = 0; i < scan->n_columns; i++) {
        if (!get_cell(b, &row->columns[i])) {
            return false;
        }
    }
    return true;
}

/* One message of COPY: whole rows, the first behind the header, the last followed by the trailer. */
static enum rc take_message(struct window_scan *scan, struct bytes b, window_row_fn fn, void *opaque, struct err *err)
{
    struct row_cells row;

    if (!scan->got_head) {
        if (!get_head(&b)) {
            FAIL(err, RC_FATAL, "PostgreSQL: COPY did not begin with its binary header");
        }
        scan->got_head = true;
    }
    while (b.at < b.end && !scan->stopped) {
        int64_t fields = 0;
        if (!get_int(&b, 2, &fields) || (fields != -1 && fields != scan->n_columns + ROW_CELLS)) {
            FAIL(err, RC_FATAL, "PostgreSQL: COPY sent a row of %d fields; expected %d", (int)fields,
                 scan->n_columns + ROW_CELLS);
        }
        if (fields == -1) {
            break;
        }
        if (!get_row(scan, &b, &row)) {
            FAIL(err, RC_FATAL, "PostgreSQL: COPY sent a row that ends too early");
        }
        scan->rows++;
        TRY(fn(&row, opaque, &scan->stopped, err));
    }
    return RC_OK;
}

/* The next message, if there is one. *out_wait: nothing now. */
static void take_copy(struct window_scan *scan, bool wait, window_row_fn fn, void *opaque, bool *out_wait,
                      struct err *err)
{
    char *data = NULL;
    int n = PQgetCopyData(scan->conn, &data, wait ? 0 : 1);

    if (n == 0) {
        *out_wait = PQconsumeInput(scan->conn) == 1;
        if (*out_wait) {
            n = PQgetCopyData(scan->conn, &data, 1);
            *out_wait = n == 0;
        }
    }
    if (n > 0) {
        struct bytes b = {(const unsigned char *)data, (const unsigned char *)data + n};
        if (scan->rc == RC_OK && !scan->stopped) {
            scan->rc = take_message(scan, b, fn, opaque, err);
            if (scan->rc != RC_OK || scan->stopped) {
                cancel_rest(scan->conn);
            }
        }
        PQfreemem(data);
    } else if (n < 0 || !*out_wait) {
        scan->copying = false; /* the end, or an error that PQgetResult explains */
    }
}

static void take_status(struct window_scan *scan, struct err *err)
{
    PGresult *res = PQgetResult(scan->conn);
    ExecStatusType st = PQresultStatus(res);

    if (res == NULL) {
        scan->running = false;
    } else if (st == PGRES_COPY_OUT) {
        scan->copying = true;
    } else if (st != PGRES_COMMAND_OK && !scan->stopped && scan->rc == RC_OK) {
        scan->rc = pg_fail(scan->conn, res, err);
    }
    PQclear(res);
}

enum rc window_scan_take(struct window_scan *scan, bool wait, window_row_fn fn, void *opaque, struct err *err)
{
    bool nothing = false;

    while (scan->running && !nothing) {
        if (scan->copying) {
            take_copy(scan, wait, fn, opaque, &nothing, err);
            continue;
        }
        if (!wait && PQisBusy(scan->conn)) {
            if (PQconsumeInput(scan->conn) != 1) {
                return pg_fail(scan->conn, NULL, err);
            }
            nothing = PQisBusy(scan->conn) == 1;
            continue;
        }
        take_status(scan, err);
    }
    return scan->rc;
}

bool window_scan_more(const struct window_scan *scan)
{
    return scan->stopped || scan->rows >= scan->rows_max;
}
