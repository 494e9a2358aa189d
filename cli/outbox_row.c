/* SPDX-License-Identifier: Apache-2.0 */
/* A row, its attempts, its dead letter. */
#include "outbox_row.h"

#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "shown.h"

#define STATEMENT_TIMEOUT_MS 60000
#define TIME(column) "to_char(" column ", 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

static const char ROW[] =
    "SELECT x.platform, x.event_type, x.partition_key, x.callback_target, x.status, " OUTBOX_STANDING
    ", x.attempt_count || ' (' || x.round_attempts || ' in this round)', x.last_error,"
    " " TIME("x.next_attempt_at") ", x.queue_seq, x.queue_txid, " TIME(
        "x.created_at") ","
                        " " TIME("x.updated_at") ", x.traceparent, x.payload::text"
                                                 " FROM cs_platform_event_outbox x WHERE x.id = $2";
static const char *const ROW_NAMES[] = {"platform",   "event_type", "partition_key", "target",       "status",
                                        "stands",     "attempts",   "last_error",    "next attempt", "queue_seq",
                                        "queue_txid", "created",    "updated",       "traceparent",  "payload"};

static const char ATTEMPTS[] = "SELECT attempt_no, " TIME(
    "created_at") ", coalesce(outcome, '-'), coalesce(response_status::text, '-'),"
                  " coalesce(duration_ms || ' ms', '-'), coalesce(queue_seq::text, '-'), coalesce(error_message, '')"
                  " FROM cs_platform_event_delivery_attempts WHERE event_id = $1 ORDER BY attempt_no DESC LIMIT 200";

static const char DEAD[] =
    "SELECT " TIME("created_at") ", attempt_count, coalesce(error_class, '-'),"
                                 " coalesce(final_error, '') FROM cs_platform_event_dead_letters WHERE event_id = $1";

static const char AS_JSON[] =
    "SELECT to_jsonb(x) || jsonb_build_object('stands', " OUTBOX_STANDING "),"
    " coalesce((SELECT jsonb_agg(to_jsonb(a) - 'event_id' ORDER BY a.attempt_no)"
    "  FROM cs_platform_event_delivery_attempts a WHERE a.event_id = x.id), '[]'),"
    " coalesce((SELECT to_jsonb(d) FROM cs_platform_event_dead_letters d WHERE d.event_id = x.id), 'null')"
    " FROM cs_platform_event_outbox x WHERE x.id = $2";

enum rc outbox_open(const struct cli *cli, PGconn **out_conn, struct err *err)
{
    const struct pg_options opt = {.app = "sluice outbox",
                                   .schema = config_str(cli->cfg, "database.schema"),
                                   .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    return pg_open(config_str(cli->cfg, "database.url"), &opt, out_conn, err);
}

static enum rc print_json(PGconn *conn, const char *const *params, struct buf *out, bool *out_found, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    TRY(pg_query(conn, AS_JSON, 2, params, &res, err));
    *out_found = PQntuples(res) > 0;
    if (*out_found) {
        buf_printf(out, "\"row\":%s,\"attempts\":%s,\"dead_letter\":%s", pg_text(res, 0, 0), pg_text(res, 0, 1),
                   pg_text(res, 0, 2));
    } else {
        buf_puts(out, "\"row\":null,\"attempts\":[],\"dead_letter\":null");
    }
    return RC_OK;
}

static enum rc print_attempts(PGconn *conn, const char *id, struct buf *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    PGresult *dead CLEANUP(pg_clearp) = NULL;
    const char *params[] = {id};
    TRY(pg_query(conn, ATTEMPTS, 1, params, &res, err));
    TRY(pg_query(conn, DEAD, 1, params, &dead, err));
    if (PQntuples(res) > 0) {
        buf_puts(out, "attempts, the newest first\n   NO  TIME                      OUTCOME      STATUS  TOOK       "
                      "QUEUE_SEQ  ERROR\n");
    }
    for (int i = 0; i < PQntuples(res); i++) {
        CLEANUP(freep) char *outcome = shown(pg_text(res, i, 2));
        CLEANUP(freep) char *error = shown(pg_text(res, i, 6));
        buf_printf(out, "  %3s  %-24s  %-11s  %-6s  %-9s  %-9s  %s\n", pg_text(res, i, 0), pg_text(res, i, 1), outcome,
                   pg_text(res, i, 3), pg_text(res, i, 4), pg_text(res, i, 5), error);
    }
    if (PQntuples(dead) > 0) {
        CLEANUP(freep) char *class = shown(pg_text(dead, 0, 2));
        CLEANUP(freep) char *error = shown(pg_text(dead, 0, 3));
        buf_printf(out, "dead letter of %s after %s attempts: %s: %s\n", pg_text(dead, 0, 0), pg_text(dead, 0, 1),
                   class, error);
    }
    return RC_OK;
}

enum rc outbox_row_print(const struct cli *cli, PGconn *conn, const char *id, struct buf *out, bool *out_found,
                         struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {config_str(cli->cfg, "topic.prefix"), id};
    if (cli->json) {
        return print_json(conn, params, out, out_found, err);
    }
    TRY(pg_query(conn, ROW, 2, params, &res, err));
    *out_found = PQntuples(res) > 0;
    if (!*out_found) {
        return RC_OK;
    }
    buf_printf(out, "row %s\n", id);
    for (int i = 0; i < PQnfields(res) && i < (int)ARRAY_SIZE(ROW_NAMES); i++) {
        if (!PQgetisnull(res, 0, i)) {
            CLEANUP(freep) char *text = shown(pg_text(res, 0, i));
            buf_printf(out, "  %-13s %s\n", ROW_NAMES[i], text);
        }
    }
    return print_attempts(conn, id, out, err);
}
