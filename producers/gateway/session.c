/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions whose statements end in time. */
#include "gateway/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pg/conn.h"

static enum rc refuse_standby(struct err *err)
{
    FAIL(err, RC_RETRY, "PostgreSQL is a standby; the gateway needs the primary");
}

static enum rc check(struct session *s, struct err *err)
{
    /* Rows are found by their keys, whatever the statistics of young tables say. */
    static const char SETTINGS[] =
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', "
        "'local');"
        "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;"
        "SELECT pg_is_in_recovery(), to_regclass('account_command_outbox') IS NULL OR "
        "to_regclass('payment_transactions')"
        " IS NULL OR to_regclass('payment_outbox') IS NULL OR to_regclass('payment_quarantine') IS NULL OR "
        "to_regclass('express_callbacks') IS NULL OR to_regclass('notify_queue') IS NULL OR "
        "to_regclass('push_devices') IS NULL";
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(s->conn, SETTINGS, &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        return refuse_standby(err);
    }
    if (pg_text(res, 0, 1)[0] == 't') {
        FAIL(err, RC_FATAL, "tables are missing; run `sluice migrate`");
    }
    return RC_OK;
}

enum rc session_open(struct session *s, struct err *err)
{
    const struct pg_options opt = {
        .app = "sluice gateway", .schema = s->opt->schema, .statement_timeout_ms = s->opt->statement_timeout_ms};
    if (s->conn != NULL && PQstatus(s->conn) == CONNECTION_OK) {
        return RC_OK;
    }
    session_close(s);
    TRY(pg_open(s->opt->url, &opt, &s->conn, err));
    enum rc rc = check(s, err);
    if (rc != RC_OK) {
        session_close(s);
    }
    return rc;
}

void session_close(struct session *s)
{
    pg_closep(&s->conn);
    memset(s->prepared, 0, sizeof s->prepared);
    s->has_identities = false;
}

static enum rc too_late(struct err *err)
{
    (void)err_set(err, RC_RETRY, __FILE__, __LINE__, "PostgreSQL does not answer");
    return err_code(err, "timeout");
}

/* Until a result can be taken without waiting. */
static enum rc wait_result(PGconn *conn, int64_t until_ms, struct err *err)
{
    while (PQisBusy(conn)) {
        int64_t left_ms = until_ms - clock_mono_ms();
        struct pollfd p = {.fd = PQsocket(conn), .events = POLLIN};
        if (left_ms <= 0) {
            return too_late(err);
        }
        if (poll(&p, 1, (int)left_ms) < 0 && errno != EINTR) {
            FAIL(err, RC_RETRY, "PostgreSQL: %s", strerror(errno));
        }
        if ((p.revents != 0) && PQconsumeInput(conn) == 0) {
            return pg_fail(conn, NULL, err);
        }
    }
    return RC_OK;
}

/* The last result counts; an error among them is the last one. */
static enum rc take_results(PGconn *conn, int64_t until_ms, PGresult **out_res, struct err *err)
{
    PGresult *last CLEANUP(pg_clearp) = NULL;
    for (;;) {
        TRY(wait_result(conn, until_ms, err));
        PGresult *next = PQgetResult(conn);
        if (next == NULL) {
            break;
        }
        PQclear(last);
        last = next;
    }
    ExecStatusType st = PQresultStatus(last); /* PGRES_FATAL_ERROR for NULL */
    if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK) {
        return pg_fail(conn, last, err);
    }
    if (out_res != NULL) {
        PQclear(*out_res);
        *out_res = last;
        last = NULL;
    }
    return RC_OK;
}

/* Of what was sent; sent is what libpq said of it. */
static enum rc finish(struct session *s, int sent, PGresult **out_res, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + s->opt->statement_timeout_ms + SESSION_SLACK_MS;
    enum rc rc = sent == 1 ? take_results(s->conn, until_ms, out_res, err) : pg_fail(s->conn, NULL, err);
    if (rc != RC_OK && (PQstatus(s->conn) == CONNECTION_BAD || PQtransactionStatus(s->conn) == PQTRANS_ACTIVE)) {
        session_close(s); /* lost, or left in the middle of a statement */
    }
    return rc;
}

static enum rc must_be_open(const struct session *s, struct err *err)
{
    if (s->conn == NULL) {
        FAIL(err, RC_RETRY, "the session is closed");
    }
    return RC_OK;
}

enum rc session_query(struct session *s, const char *sql, int n, const char *const *params, PGresult **out_res,
                      struct err *err)
{
    TRY(must_be_open(s, err));
    return finish(s, PQsendQueryParams(s->conn, sql, n, NULL, params, NULL, NULL, 0), out_res, err);
}

enum rc session_query_again(struct session *s, const char *sql, int n, const char *const *params, PGresult **out_res,
                            struct err *err)
{
    char name[24];
    size_t i = 0;
    while (i < SESSION_PREPARED_MAX && s->prepared[i] != NULL && s->prepared[i] != sql) {
        i++;
    }
    if (i == SESSION_PREPARED_MAX) {
        return session_query(s, sql, n, params, out_res, err);
    }
    (void)snprintf(name, sizeof name, "sluice_%zu", i);
    TRY(must_be_open(s, err));
    if (s->prepared[i] == NULL) {
        TRY(finish(s, PQsendPrepare(s->conn, name, sql, n, NULL), NULL, err));
        s->prepared[i] = sql;
    }
    return finish(s, PQsendQueryPrepared(s->conn, name, n, params, NULL, NULL, 0), out_res, err);
}

enum rc session_probe(struct session *s, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    enum rc rc = session_query(s, "SELECT pg_is_in_recovery()", 0, NULL, &res, err);
    if (rc == RC_OK && pg_text(res, 0, 0)[0] == 't') {
        rc = refuse_standby(err);
    }
    if (rc != RC_OK) {
        session_close(s);
        return RC_RETRY;
    }
    return RC_OK;
}
