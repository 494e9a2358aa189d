/* SPDX-License-Identifier: Apache-2.0 */
/* SQL of the position rows. */
#include "runtime/dbproc_position.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pg/conn.h"

#define BEGIN_SQL_MAX ((size_t)1 << 20)

/*
 * Not a plain SELECT, also not for a COMMIT whose answer was lost: the old backend may still be at work, and only the
 * row lock waits for it.
 */
static const char TAKE[] = "INSERT INTO sluice_positions AS p (\"group\", topic, partition, next_offset, epoch, owner)"
                           " VALUES ($1, $2, $3::int, $4::bigint, 1, $5)"
                           " ON CONFLICT (\"group\", topic, partition) DO UPDATE"
                           " SET epoch = p.epoch + 1, owner = excluded.owner, updated_at = now()"
                           " RETURNING epoch, next_offset, xmax = 0";

enum rc dbproc_position_take(PGconn *conn, const char *group, const char *topic, int32_t partition, int64_t log_start,
                             const char *owner, struct dbproc_taken *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char number[16];
    char start[24];

    snprintf(number, sizeof(number), "%" PRId32, partition);
    snprintf(start, sizeof(start), "%" PRId64, log_start);
    const char *params[] = {group, topic, number, start, owner};
    TRY(pg_query(conn, TAKE, ARRAY_SIZE(params), params, &res, err));
    *out = (struct dbproc_taken){
        .epoch = pg_int(res, 0, 0, 0), .next_offset = pg_int(res, 0, 1, 0), .first = pg_text(res, 0, 2)[0] == 't'};
    return RC_OK;
}

static void add_literal(struct buf *sql, PGconn *conn, const char *text)
{
    char *quoted = PQescapeLiteral(conn, text, strlen(text));

    buf_puts(sql, quoted != NULL ? quoted : "NULL"); /* NULL equals nothing: fenced */
    PQfreemem(quoted);
}

static void add_step(struct buf *sql, PGconn *conn, const char *group, const struct dbproc_step *s)
{
    buf_printf(sql,
               "; UPDATE sluice_positions SET next_offset = %" PRId64 ", updated_at = now() WHERE \"group\" = ", s->to);
    add_literal(sql, conn, group);
    buf_puts(sql, " AND topic = ");
    add_literal(sql, conn, s->topic);
    buf_printf(sql, " AND partition = %" PRId32 " AND epoch = %" PRId64 " AND next_offset = %" PRId64, s->partition,
               s->epoch, s->from);
}

/* One round trip for BEGIN and all rows. The results come one by one; the first is BEGIN's. */
static enum rc take_results(PGconn *conn, struct dbproc_step *steps, size_t n, struct err *err)
{
    enum rc rc = RC_OK;
    size_t at = 0;
    bool fenced = false;

    for (PGresult *res = PQgetResult(conn); res != NULL; res = PQgetResult(conn)) {
        if (PQresultStatus(res) != PGRES_COMMAND_OK) {
            rc = rc == RC_OK ? pg_fail(conn, res, err) : rc;
        } else if (at > 0 && at <= n) {
            steps[at - 1].fenced = strcmp(PQcmdTuples(res), "1") != 0;
            fenced = fenced || steps[at - 1].fenced;
        }
        at++;
        PQclear(res);
    }
    TRY(rc);
    if (at != n + 1) {
        return pg_fail(conn, NULL, err); /* the session ended in between */
    }
    if (fenced) {
        FAIL(err, RC_FENCED, "the position row has another epoch or offset than expected");
    }
    return RC_OK;
}

enum rc dbproc_position_begin(PGconn *conn, const char *group, struct dbproc_step *steps, size_t n, struct err *err)
{
    struct buf sql;
    enum rc rc = RC_OK;

    buf_init(&sql, BEGIN_SQL_MAX);
    buf_puts(&sql, "BEGIN");
    for (size_t i = 0; i < n; i++) {
        steps[i].fenced = false;
        add_step(&sql, conn, group, &steps[i]);
    }
    if (sql.overflow) {
        rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "%zu partitions are too many for one transaction", n);
    } else if (PQsendQuery(conn, buf_str(&sql)) != 1) {
        rc = pg_fail(conn, NULL, err);
    } else {
        rc = take_results(conn, steps, n, err);
    }
    buf_done(&sql);
    if (rc != RC_OK) {
        dbproc_position_rollback(conn);
    }
    return rc;
}

enum rc dbproc_position_commit(PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    /* COMMIT of a transaction that has failed is a ROLLBACK that reports success. */
    if (PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) != PQTRANS_INTRANS) {
        FAIL(err, RC_FATAL, "the processor ended its transaction or hid an error of it");
    }
    TRY(pg_exec(conn, "COMMIT", &res, err));
    if (strcmp(PQcmdStatus(res), "COMMIT") != 0) {
        FAIL(err, RC_RETRY, "PostgreSQL answered COMMIT with %s", PQcmdStatus(res));
    }
    return RC_OK;
}

void dbproc_position_rollback(PGconn *conn)
{
    struct err ignored;

    if (PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) != PQTRANS_IDLE) {
        rc_ignore(pg_exec(conn, "ROLLBACK", NULL, &ignored));
    }
}

void dbproc_position_judge(int64_t next_offset, int64_t log_start, int64_t log_end, char *out, size_t out_size)
{
    out[0] = '\0';
    if (next_offset < log_start) {
        (void)snprintf(out, out_size,
                       "position_behind_log: the row says %" PRId64 ", the log begins at %" PRId64
                       ": records were deleted unread",
                       next_offset, log_start);
    } else if (next_offset > log_end) {
        (void)snprintf(out, out_size,
                       "position_beyond_log: the row says %" PRId64 ", the log ends at %" PRId64
                       ": the topic was made anew or lost records",
                       next_offset, log_end);
    }
}
