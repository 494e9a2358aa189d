/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the rows of a window by COPY: one at a time, so that memory does not depend on what the rows hold. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "pg/conn.h"
#include "relay/window.h"

#define COPY_SQL_MAX ((size_t)1 << 20) /* two snapshots are in it */

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
