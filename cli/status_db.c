/* SPDX-License-Identifier: Apache-2.0 */
/* The half of `sluice status` that PostgreSQL knows: what waits in the outboxes, and the rows of positions. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "status.h"

#define STATEMENT_TIMEOUT_MS 5000
#define SCAN_TIMEOUT_MS 3000 /* of the one question that reads a whole table */

/*
 * Rows beyond the copied position, found through the index on queue_txid, counted up to a ceiling. p: the copy. The
 * lock is the one a relay holds for as long as it owns the source.
 */
static const char SOURCE[] =
    "WITH p AS MATERIALIZED (SELECT snapshot_before AS s1, snapshot_upto AS s2, last_seq, published, owner"
    "   FROM sluice_relay_positions WHERE source = '%s' AND topic_prefix = '%s'),"
    " s AS MATERIALIZED (SELECT coalesce((SELECT s1 FROM p), '1:1:'::pg_snapshot) AS s1),"
    " c AS MATERIALIZED (SELECT t.queue_txid, t.queue_seq, t.\"%s\" AS at FROM \"%s\" t"
    "   WHERE t.queue_txid >= (SELECT pg_snapshot_xmax(s1) FROM s)"
    "   UNION ALL SELECT t.queue_txid, t.queue_seq, t.\"%s\" FROM \"%s\" t"
    "   WHERE t.queue_txid = ANY (ARRAY(SELECT pg_snapshot_xip(s1) FROM s)) LIMIT %d)"
    " SELECT (SELECT count(*) FROM p), coalesce((SELECT published FROM p), 0), coalesce((SELECT last_seq FROM p), 0),"
    "  count(c.*) FILTER (WHERE live), coalesce(extract(epoch FROM now() - min(c.at) FILTER (WHERE live)), 0)::bigint,"
    "  coalesce((SELECT owner FROM p), ''),"
    "  EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
    "   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    "   AND classid = (hashtext('sluice')::bigint & 4294967295)::oid"
    "   AND objid = (hashtext('%ssluice-relay-%s')::bigint & 4294967295)::oid)"
    " FROM (SELECT c.*, NOT EXISTS (SELECT 1 FROM p WHERE pg_visible_in_snapshot(c.queue_txid, p.s2)"
    "   AND c.queue_seq <= p.last_seq) AS live FROM c) c";

/* Reminders may be doubled or stale: what counts is the row. %s: the id's type. */
static const char WAITING[] =
    "SELECT count(DISTINCT o.id), ceil(extract(epoch FROM min(o.next_attempt_at) - now()))::bigint"
    " FROM (SELECT row_id FROM sluice_waiting WHERE source = '%s' ORDER BY due_at LIMIT %d) w"
    " JOIN \"%s\" o ON o.id = w.row_id::%s"
    " WHERE o.queue_seq IS NOT NULL AND (o.status = 'retrying' OR (o.status = 'pending' AND o.queue_txid IS NULL))";

static const char ID_TYPE[] = "SELECT format_type(atttypid, NULL) FROM pg_attribute"
                              " WHERE attrelid = to_regclass(quote_ident('%s')) AND attname = 'id'";

static const char ROWS[] = "SELECT count(*) FROM (SELECT 1 FROM \"%s\" LIMIT %d) r";

/*
 * No index has the status, so that changes of it stay HOT: the one scan of a table, with a time limit of its own.
 * %s: counts by state; when a row was touched; the rows.
 */
static const char STATES[] =
    "SELECT %s, count(*) FILTER (WHERE NOT x.ended AND NOT x.waits AND %s < now() - $2::bigint * interval '1 second'"
    " AND x.stands LIKE 'published%%') FROM %s";

/* A dead letter is open while its row has the queueing that died. */
static const char OPEN_DEAD[] = "SELECT count(*) FROM (SELECT 1 FROM cs_platform_event_dead_letters d"
                                " JOIN cs_platform_event_outbox o ON o.id = d.event_id"
                                " WHERE o.status = 'dead_letter' AND o.queue_seq = d.queue_seq LIMIT %d) r";

static const char POSITIONS[] = "SELECT partition, next_offset FROM sluice_positions"
                                " WHERE \"group\" = $1 AND topic = $2 AND partition >= 0 ORDER BY partition LIMIT 1024";

/* All names were checked when they were parsed: letters, digits, . _ and -. out_res may be NULL. */
static enum rc ask(PGconn *conn, PGresult **out_res, struct err *err, const char *fmt, ...) PRINTF_LIKE(4, 5);
static enum rc ask(PGconn *conn, PGresult **out_res, struct err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *sql CLEANUP(freep) = xvasprintf(fmt, ap);
    va_end(ap);
    if (out_res != NULL) {
        pg_clearp(out_res);
    }
    return pg_exec(conn, sql, out_res, err);
}

static struct status_count capped(int64_t n)
{
    return n > STATUS_ROWS_MAX ? (struct status_count){STATUS_ROWS_MAX, true} : (struct status_count){n, false};
}

static enum rc ask_waiting(PGconn *conn, struct status_source *s, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(ask(conn, &res, err, ID_TYPE, s->table));
    char *type CLEANUP(freep) = xstrdup(PQntuples(res) > 0 ? pg_text(res, 0, 0) : "text");
    TRY(ask(conn, &res, err, WAITING, s->table, STATUS_ROWS_MAX + 1, s->table, type));
    s->waiting = capped(pg_int(res, 0, 0, 0));
    if (s->waiting.n > 0) {
        int64_t due = pg_int(res, 0, 1, 0);
        s->next_due_s = due > 0 ? due : 0;
    }
    return RC_OK;
}

/* What is not known to sluice is in the first state and counted nowhere. */
static char *states_sql(const struct outbox_view *view)
{
    char *from CLEANUP(freep) = outbox_from(row_kind_of_source(view->source));
    CLEANUP(buf_done) struct buf counts;

    buf_init(&counts, 4096);
    for (size_t i = 0; i < ROW_STATES_MAX && view->states[i] != NULL; i++) {
        buf_printf(&counts, "%scount(*) FILTER (WHERE x.state = '%s'%s)", i > 0 ? ", " : "", view->states[i],
                   i == 0 ? " AND x.queue_seq IS NOT NULL" : "");
    }
    return xasprintf(STATES, buf_str(&counts), view->touched, from);
}

/* Too large a table is no error: the numbers stay unknown. */
static enum rc ask_states(PGconn *conn, const struct status *st, struct status_source *s, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char *sql CLEANUP(freep) = states_sql(s->view);
    char stuck_after[24];
    const char *params[] = {config_str(st->cfg, "topic.prefix"), stuck_after};

    (void)snprintf(stuck_after, sizeof(stuck_after), "%" PRId64, st->stuck_after_s);
    TRY(ask(conn, NULL, err, "BEGIN; SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = %d",
            SCAN_TIMEOUT_MS));
    enum rc rc = pg_query(conn, sql, ARRAY_SIZE(params), params, &res, err);
    bool timeout = rc != RC_OK && strcmp(err->code, "57014") == 0;
    struct err ignored;
    rc_ignore(ask(conn, NULL, &ignored, "ROLLBACK"));
    if (rc != RC_OK) {
        return timeout ? RC_OK : rc;
    }
    int i = 0;
    for (; i < ROW_STATES_MAX && s->view->states[i] != NULL; i++) {
        s->row_states[i] = pg_int(res, 0, i, 0);
    }
    s->row_stuck = pg_int(res, 0, i, 0);
    return RC_OK;
}

static enum rc ask_source(PGconn *conn, const struct status *st, const struct source *src, struct status_source *s,
                          struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *prefix = config_str(st->cfg, "topic.prefix");
    const char *time = src->columns[src->time].name;

    TRY(ask(conn, &res, err, SOURCE, s->name, prefix, time, s->table, time, s->table, STATUS_ROWS_MAX + 1, prefix,
            s->name));
    s->started = pg_int(res, 0, 0, 0) > 0;
    s->published = pg_int(res, 0, 1, 0);
    s->last_seq = pg_int(res, 0, 2, 0);
    s->pending = capped(pg_int(res, 0, 3, 0));
    s->oldest_s = pg_int(res, 0, 4, 0) > 0 ? pg_int(res, 0, 4, 0) : 0;
    (void)snprintf(s->owner, sizeof(s->owner), "%s", pg_text(res, 0, 5));
    s->owned = pg_text(res, 0, 6)[0] == 't';
    if (s->has_waiting) {
        TRY(ask_waiting(conn, s, err));
    }
    if (s->has_rows) {
        TRY(ask(conn, &res, err, ROWS, s->table, STATUS_ROWS_MAX + 1));
        s->rows = capped(pg_int(res, 0, 0, 0));
    }
    return s->view != NULL ? ask_states(conn, st, s, err) : RC_OK;
}

static enum rc ask_positions(PGconn *conn, struct status_reader *r, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {r->group, r->full_topic};

    TRY(pg_query(conn, POSITIONS, 2, params, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        int64_t partition = pg_int(res, i, 0, 0);
        if (partition < STATUS_PARTITIONS_MAX) {
            r->position[partition] = pg_int(res, i, 1, 0);
        }
    }
    return RC_OK;
}

/* Of pushes each dead row stands for one; of parcels only the letters themselves know. */
static enum rc ask_open(struct status *st, PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    for (size_t i = 0; i < st->n_topics; i++) {
        struct status_topic *t = &st->topics[i];
        if (strcmp(t->name, "callback.dlq") == 0) {
            TRY(ask(conn, &res, err, OPEN_DEAD, STATUS_ROWS_MAX + 1));
            t->has_open = true;
            t->open = capped(pg_int(res, 0, 0, 0));
        }
        for (int k = 0; k < st->n_sources && strcmp(t->name, "notification.dlq") == 0; k++) {
            if (strcmp(st->sources[k].name, "push") == 0) {
                t->has_open = true;
                t->open.n = status_rows(&st->sources[k], "dead_letter");
            }
        }
    }
    return RC_OK;
}

static enum rc ask_all(struct status *st, PGconn *conn, struct err *err)
{
    TRY(ask(conn, NULL, err, "SET enable_seqscan = off; SET jit = off"));
    for (int i = 0; i < st->n_sources; i++) {
        TRY(ask_source(conn, st, &st->source_list->list[i], &st->sources[i], err));
    }
    for (size_t i = 0; i < STATUS_READERS; i++) {
        if (st->readers[i].database) {
            TRY(ask_positions(conn, &st->readers[i], err));
        }
    }
    return ask_open(st, conn, err);
}

static enum rc ask_database(struct status *st, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct pg_options opt = {.app = "sluice status",
                             .schema = config_str(st->cfg, "database.schema"),
                             .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    TRY(pg_open(config_str(st->cfg, "database.url"), &opt, &conn, err));
    enum rc rc = ask_all(st, conn, err);
    if (rc != RC_OK && (strcmp(err->code, "42P01") == 0 || strcmp(err->code, "42703") == 0)) {
        err_prefix(err, "the tables are not as this program makes them; run `sluice migrate`");
    }
    return rc;
}

void status_ask_database(struct status *st)
{
    st->db_known = ask_database(st, &st->db_err) == RC_OK;
}
