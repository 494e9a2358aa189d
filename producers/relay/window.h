/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The polling cursor: snapshot difference.
 *
 * A window is what is visible in snapshot s2 and was not in s1, in the order of queue_seq. Never `id > last`, never
 * ordered by transaction id: both lose or invert rows (sequence numbers are drawn before the commit, transaction ids
 * before the row lock).
 *
 * A small window is read through the index on queue_txid behind a materialization barrier and sorted; a large one (or
 * one that a predecessor left half done) walks the index on queue_seq in chunks.
 *
 * Thread: that of the session. No transaction stays open between calls.
 */
#ifndef SLUICE_RELAY_WINDOW_H
#define SLUICE_RELAY_WINDOW_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "relay/source.h"

/*
 * One row as it came: cells point into the receive buffer and are valid during the callback. A NULL has text NULL.
 * Cells of the source's columns are text, those that are read as microseconds 8 bytes big-endian.
 */
struct cell {
    const char *text; /* not terminated */
    size_t len;
};
struct row_cells {
    int64_t seq;
    int64_t bytes;         /* of all the record's text, before it was cut */
    int64_t payload_bytes; /* before it was cut */
    struct cell sha256;    /* of the payload of a row that was cut, in hex; else NULL */
    struct cell columns[SOURCE_COLUMNS_MAX];
};
int64_t cell_int64(const struct cell *c, int64_t dflt); /* 8 bytes big-endian */

/* SQL texts of one source, made once. */
struct window_sql {
    char *tick;
    char *range;
    char *small; /* COPY texts; see fill_in() for their marks */
    char *walk;
    int n_columns;
};

/*
 * row_bytes_max: rows whose text is longer come cut (each column to ROW_CUT_CHARS), with the SHA-256 of the payload.
 */
#define ROW_CUT_CHARS 65536
void window_sql_init(struct window_sql *sql, const struct source *src, PGconn *conn, int64_t row_bytes_max);
void window_sql_done(struct window_sql *sql);

/* What a look at the database shows. Strings are heap memory of the tick. */
struct tick {
    char *s2;           /* the snapshot of this look */
    char *lsn;          /* WAL insert position read after s2 */
    int64_t candidates; /* rows beyond s1, counted up to limit + 1 */
};
enum rc window_tick(PGconn *conn, const struct window_sql *sql, const char *s1, int64_t limit, struct tick *out,
                    struct err *err) MUST_USE;
void tick_done(struct tick *t);

struct window {
    const char *s1, *s2;
    int64_t after_seq; /* rows up to this one are done */
    int64_t upto_seq;  /* no row of the window is beyond; only for walk */
    bool walk;
};

/* Finds first and last sequence number of a large window. *out_first > *out_last: it is empty. */
enum rc window_range(PGconn *conn, const struct window_sql *sql, const char *s1, const char *s2, int64_t *out_first,
                     int64_t *out_last, struct err *err) MUST_USE;

/* Called for each row in order. Sets *stop to end the reading after this row. */
typedef enum rc (*window_row_fn)(const struct row_cells *row, void *opaque, bool *stop, struct err *err);

/*
 * A running read. Rows are taken as they arrive, so that the database can work on the next part of a window while the
 * last one is being committed to Kafka. The session is busy until window_scan_busy() is false.
 */
struct window_scan {
    PGconn *conn;
    int n_columns;
    bool running;
    bool copying;  /* between the start and the end of COPY's data */
    bool got_head; /* COPY's file header */
    int64_t rows, rows_max;
    bool stopped; /* by fn */
    enum rc rc;
};

/* Starts reading at most rows_max rows of the window beyond after_seq. */
enum rc window_scan_start(struct window_scan *scan, PGconn *conn, const struct window_sql *sql, const struct window *w,
                          int64_t rows_max, struct err *err) MUST_USE;
/* Hands the rows that are there to fn; with wait, all of them up to the end. */
enum rc window_scan_take(struct window_scan *scan, bool wait, window_row_fn fn, void *opaque, struct err *err) MUST_USE;
static inline bool window_scan_busy(const struct window_scan *scan)
{
    return scan->running;
}
/* After the end: may the window hold further rows? */
bool window_scan_more(const struct window_scan *scan);

#endif
