/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the outboxes about the rows behind dead letters, those of a kind in one statement. */
#include "dlq/state.h"

#include <string.h>

#include "base/buf.h"
#include "pg/array.h"
#include "pg/conn.h"

#define COLUMN_BYTES_MAX ((size_t)16 << 20)

/* %s: state, about, deaths, closed, expired, idle; table. */
static const char LOOK_UP[] = "SELECT x.id IS NOT NULL, x.queue_seq, %s, %s, %s, %s, %s, %s"
                              " FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS d(id, seq, n)"
                              " LEFT JOIN %s x ON x.id = d.id ORDER BY d.n";
enum column { C_EXISTS, C_SEQ, C_STATE, C_ABOUT, C_DEATHS, C_CLOSED, C_EXPIRED, C_IDLE };

static bool is_true(const PGresult *res, int row, enum column c)
{
    return pg_text(res, row, (int)c)[0] == 't';
}

static enum letter_state judge(const struct letter *l, int64_t row_seq, bool closed)
{
    if (row_seq < l->queue_seq) {
        return LETTER_GONE; /* a table from before this queueing, which then is not in it */
    }
    if (row_seq > l->queue_seq) {
        return LETTER_REQUEUED;
    }
    if (closed || row_state_in(l->kind->done, l->row_state)) {
        return LETTER_CLOSED;
    }
    return row_state_in(l->kind->dead, l->row_state) ? LETTER_OPEN : LETTER_UNSETTLED;
}

static void take_row(struct letter *l, const PGresult *res, int row)
{
    int64_t deaths = pg_int(res, row, C_DEATHS, 0);
    if (!is_true(res, row, C_EXISTS)) {
        l->state = LETTER_GONE;
        return;
    }
    const char *state = pg_text(res, row, C_STATE);
    const char *about = pg_text(res, row, C_ABOUT);
    letter_text(state, strlen(state), l->row_state, sizeof(l->row_state));
    letter_text(about, strlen(about), l->platform, sizeof(l->platform));
    l->state = judge(l, pg_int(res, row, C_SEQ, 0), is_true(res, row, C_CLOSED));
    l->deaths = deaths > l->deaths ? deaths : l->deaths;
    l->expired = is_true(res, row, C_EXPIRED);
    l->idle = is_true(res, row, C_IDLE);
}

static bool is_of(const struct letter *l, const struct row_kind *kind)
{
    return l->kind == kind && l->event_id[0] != '\0';
}

static enum rc query(PGconn *conn, const struct row_kind *kind, const struct letter *letters, size_t n,
                     PGresult **out_res, struct err *err)
{
    struct buf ids CLEANUP(buf_done);
    struct buf seqs CLEANUP(buf_done);
    char *sql CLEANUP(freep) = xasprintf(LOOK_UP, kind->state, kind->about, kind->deaths, kind->closed, kind->expired,
                                         kind->idle, kind->table);

    buf_init(&ids, COLUMN_BYTES_MAX);
    buf_init(&seqs, COLUMN_BYTES_MAX);
    array_begin(&ids);
    array_begin(&seqs);
    for (size_t i = 0; i < n; i++) {
        if (is_of(&letters[i], kind)) {
            array_add(&ids, letters[i].event_id, strlen(letters[i].event_id));
            array_add_int(&seqs, letters[i].queue_seq);
        }
    }
    array_end(&ids);
    array_end(&seqs);
    const char *params[] = {buf_str(&ids), buf_str(&seqs)};
    enum rc rc = pg_query(conn, sql, ARRAY_SIZE(params), params, out_res, err);
    return rc == RC_OK ? rc : row_kind_failed(kind, err);
}

static enum rc look_up_kind(PGconn *conn, const struct row_kind *kind, struct letter *letters, size_t n,
                            struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    size_t wanted = 0;
    int row = 0;

    for (size_t i = 0; i < n; i++) {
        wanted += is_of(&letters[i], kind) ? 1 : 0;
    }
    if (wanted == 0) {
        return RC_OK;
    }
    TRY(query(conn, kind, letters, n, &res, err));
    for (size_t i = 0; i < n && row < PQntuples(res); i++) {
        if (is_of(&letters[i], kind)) {
            take_row(&letters[i], res, row++);
        }
    }
    return RC_OK;
}

enum rc letters_look_up(PGconn *conn, struct letter *letters, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        letters[i].state = LETTER_NO_ROW;
    }
    for (size_t k = 0; k < ROW_KINDS_N; k++) {
        TRY(look_up_kind(conn, &ROW_KINDS[k], letters, n, err));
    }
    return RC_OK;
}
