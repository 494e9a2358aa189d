/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the outbox about the rows behind dead letters, a batch in one statement. */
#include "dlq/state.h"

#include <string.h>

#include "base/buf.h"
#include "pg/array.h"
#include "pg/conn.h"

#define COLUMN_BYTES_MAX ((size_t)16 << 20)

static const char LOOK_UP[] = "SELECT x.id IS NOT NULL, x.queue_seq, x.status, x.platform,"
                              " (SELECT count(*) FROM cs_platform_event_delivery_attempts a"
                              "  WHERE a.event_id = d.id AND a.outcome = 'dead_letter')"
                              " FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS d(id, seq, n)"
                              " LEFT JOIN cs_platform_event_outbox x ON x.id = d.id ORDER BY d.n";

static enum letter_state judge(const struct letter *l, bool exists, int64_t row_seq, const char *status)
{
    if (!exists || row_seq < l->queue_seq) {
        return LETTER_GONE; /* or a table from before this queueing, which then is not in it */
    }
    if (row_seq > l->queue_seq) {
        return LETTER_REQUEUED;
    }
    if (strcmp(status, "dead_letter") == 0) {
        return LETTER_OPEN;
    }
    return strcmp(status, "delivered") == 0 ? LETTER_CLOSED : LETTER_UNSETTLED;
}

static void take_row(struct letter *l, const PGresult *res, int row)
{
    bool exists = pg_text(res, row, 0)[0] == 't';
    int64_t deaths = pg_int(res, row, 4, 0);
    l->state = judge(l, exists, pg_int(res, row, 1, 0), pg_text(res, row, 2));
    l->deaths = deaths > l->deaths ? deaths : l->deaths;
    if (exists) {
        const char *platform = pg_text(res, row, 3);
        letter_text(platform, strlen(platform), l->platform, sizeof(l->platform));
    }
}

enum rc letters_look_up(PGconn *conn, struct letter *letters, size_t n, struct err *err)
{
    struct buf ids CLEANUP(buf_done);
    struct buf seqs CLEANUP(buf_done);
    PGresult *res CLEANUP(pg_clearp) = NULL;
    int row = 0;

    buf_init(&ids, COLUMN_BYTES_MAX);
    buf_init(&seqs, COLUMN_BYTES_MAX);
    array_begin(&ids);
    array_begin(&seqs);
    for (size_t i = 0; i < n; i++) {
        letters[i].state = LETTER_NO_ROW;
        if (letters[i].event_id[0] != '\0') {
            array_add(&ids, letters[i].event_id, strlen(letters[i].event_id));
            array_add_int(&seqs, letters[i].queue_seq);
        }
    }
    array_end(&ids);
    array_end(&seqs);
    const char *params[] = {buf_str(&ids), buf_str(&seqs)};
    TRY(pg_query(conn, LOOK_UP, ARRAY_SIZE(params), params, &res, err));
    for (size_t i = 0; i < n && row < PQntuples(res); i++) {
        if (letters[i].event_id[0] != '\0') {
            take_row(&letters[i], res, row++);
        }
    }
    return RC_OK;
}
