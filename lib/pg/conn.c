/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions with PostgreSQL: opening, statements, and what an SQLSTATE asks for. */
#include "pg/conn.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void pg_close(PGconn *conn)
{
    if (conn != NULL) {
        PQfinish(conn);
    }
}

void pg_closep(PGconn **conn)
{
    pg_close(*conn);
    *conn = NULL;
}

void pg_clearp(PGresult **res)
{
    PQclear(*res);
    *res = NULL;
}

enum rc pg_rc(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum rc rc;
    } table[] = {
        {"08", RC_RETRY},    /* connection */
        {"53", RC_RETRY},    /* resources: too many connections, disk full */
        {"57P", RC_RETRY},   /* shutdown, crash of another backend, starting up, idle session timeout */
        {"57014", RC_RETRY}, /* cancelled: statement timeout */
        {"40001", RC_RETRY}, /* serialisation */
        {"40P01", RC_RETRY}, /* deadlock */
        {"55P03", RC_RETRY}, /* lock not available */
        {"25P03", RC_RETRY}, /* idle in transaction timeout */
        {"22", RC_REJECT},   /* data */
        {"23", RC_REJECT},   /* constraint */
    };

    if (sqlstate == NULL || sqlstate[0] == '\0') {
        return RC_RETRY;
    }
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0) {
            return table[i].rc;
        }
    }
    return RC_FATAL;
}

const char *pg_where(PGconn *conn, char *out, size_t out_size)
{
    const char *host = PQhost(conn);
    const char *port = PQport(conn);
    const char *db = PQdb(conn);

    snprintf(out, out_size, "%s:%s/%s", host != NULL ? host : "?", port != NULL ? port : "?", db != NULL ? db : "?");
    return out;
}

enum rc pg_fail(PGconn *conn, const PGresult *res, struct err *err)
{
    const char *state = res != NULL ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *text = res != NULL ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    enum rc rc = pg_rc(state);

    if (PQstatus(conn) == CONNECTION_BAD) {
        rc = RC_RETRY;
    }
    if (text == NULL) {
        text = PQerrorMessage(conn);
    }
    err_set(err, rc, __FILE__, __LINE__, "PostgreSQL: %s", text != NULL && text[0] != '\0' ? text : "session lost");
    return err_code(err, state != NULL ? state : "");
}

/* The server says why it refuses; libpq gives no SQLSTATE for it before version 18, only this text. */
static enum rc open_rc(const char *text)
{
    static const char *const permanent[] = {"password authentication failed",
                                            "does not exist",
                                            "no pg_hba.conf entry",
                                            "no password supplied",
                                            "permission denied",
                                            "invalid port",
                                            "role \"",
                                            "invalid integer value"};

    for (size_t i = 0; i < ARRAY_SIZE(permanent); i++) {
        if (strstr(text, permanent[i]) != NULL) {
            return RC_FATAL;
        }
    }
    return RC_RETRY;
}

static enum rc check_url(const char *url, struct err *err)
{
    char *why = NULL;
    PQconninfoOption *parsed = NULL;

    if (url == NULL || url[0] == '\0') {
        err_set(err, RC_FATAL, __FILE__, __LINE__,
                "DATABASE_URL is not set; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE");
        return err_code(err, ERR_CONFIG);
    }
    parsed = PQconninfoParse(url, &why);
    if (parsed == NULL) {
        /* libpq's text may quote the URL and with it the password. */
        PQfreemem(why);
        err_set(err, RC_FATAL, __FILE__, __LINE__,
                "DATABASE_URL is not a connection URL; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE");
        return err_code(err, ERR_CONFIG);
    }
    PQconninfoFree(parsed);
    return RC_OK;
}

static enum rc set_session(PGconn *conn, const struct pg_options *opt, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char *schema CLEANUP(freep) =
        pg_quote_ident(conn, opt->schema != NULL && opt->schema[0] != '\0' ? opt->schema : "public");
    char *sql CLEANUP(freep) = NULL;

    sql = xasprintf(
        "SET row_security = off; SET search_path = %s; SET timezone = 'UTC'; SET client_min_messages = warning;"
        "SET DateStyle = 'ISO'; SET statement_timeout = %" PRId64 "; SET idle_session_timeout = %" PRId64
        "; SET idle_in_transaction_session_timeout = %" PRId64 "; SET tcp_user_timeout = %" PRId64,
        schema, opt->statement_timeout_ms, opt->idle_timeout_ms, opt->idle_timeout_ms, opt->idle_timeout_ms);
    return pg_exec(conn, sql, &res, err);
}

static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

enum rc pg_open(const char *url, const struct pg_options *opt, PGconn **out_conn, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    char where[256];

    TRY(check_url(url, err));
    const char *const keys[] = {"dbname",           "fallback_application_name",
                                "connect_timeout",  "keepalives",
                                "keepalives_idle",  "keepalives_interval",
                                "keepalives_count", "tcp_user_timeout",
                                "client_encoding",  NULL};
    const char *const values[] = {url, opt->app, "5", "1", "5", "2", "3", "15000", "UTF8", NULL};

    conn = PQconnectdbParams(keys, values, 1);
    if (conn == NULL) {
        abort();
    }
    if (PQstatus(conn) != CONNECTION_OK) {
        const char *text = PQerrorMessage(conn);
        enum rc rc = open_rc(text);
        err_set(err, rc, __FILE__, __LINE__, "cannot connect to PostgreSQL at %s: %s",
                pg_where(conn, where, sizeof(where)), text);
        return err_code(err, rc == RC_FATAL ? ERR_CONFIG : "");
    }
    if (PQserverVersion(conn) < 150000) {
        FAIL(err, RC_FATAL, "PostgreSQL at %s is version %d; expected 15 or newer",
             pg_where(conn, where, sizeof(where)), PQserverVersion(conn) / 10000);
    }
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    TRY(set_session(conn, opt, err));
    *out_conn = conn;
    conn = NULL;
    return RC_OK;
}

enum rc pg_require_direct(PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(conn, "SELECT pg_backend_pid()", &res, err));
    if (pg_int(res, 0, 0, 0) != PQbackendPID(conn)) {
        char where[256];
        err_set(
            err, RC_FATAL, __FILE__, __LINE__,
            "the session with %s goes through a connection pooler; DATABASE_URL must name PostgreSQL itself, because "
            "locks, settings and transactions belong to one session",
            pg_where(conn, where, sizeof(where)));
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

enum rc pg_take(PGconn *conn, PGresult *res, PGresult **out_res, struct err *err)
{
    ExecStatusType st = PQresultStatus(res); /* PGRES_FATAL_ERROR for NULL */

    if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK) {
        enum rc rc = pg_fail(conn, res, err);
        PQclear(res);
        return rc;
    }
    if (out_res == NULL) {
        PQclear(res);
    } else {
        PQclear(*out_res);
        *out_res = res;
    }
    return RC_OK;
}

enum rc pg_exec(PGconn *conn, const char *sql, PGresult **out_res, struct err *err)
{
    return pg_take(conn, PQexec(conn, sql), out_res, err);
}

enum rc pg_query(PGconn *conn, const char *sql, int n, const char *const *params, PGresult **out_res, struct err *err)
{
    return pg_take(conn, PQexecParams(conn, sql, n, NULL, params, NULL, NULL, 0), out_res, err);
}

const char *pg_text(const PGresult *res, int row, int col)
{
    return PQgetvalue(res, row, col);
}

int64_t pg_int(const PGresult *res, int row, int col, int64_t dflt)
{
    if (PQgetisnull(res, row, col)) {
        return dflt;
    }
    return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

char *pg_quote_ident(PGconn *conn, const char *name)
{
    char *quoted = PQescapeIdentifier(conn, name, strlen(name));
    char *copy = NULL;

    if (quoted == NULL) {
        return xstrdup("\"invalid name\"");
    }
    copy = xstrdup(quoted);
    PQfreemem(quoted);
    return copy;
}
