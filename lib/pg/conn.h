/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A direct session with PostgreSQL.
 *
 * Every session runs with row_security=off (a policy that would hide rows is an error, never a silent gap),
 * UTC, UTF-8, bounded connect time and TCP keepalives, so that a vanished server is noticed.
 *
 * Thread: one thread at a time per session. All functions block unless said otherwise.
 */
#ifndef SLUICE_PG_CONN_H
#define SLUICE_PG_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pg_options {
    const char *app;              /* application_name, "sluice relay" */
    const char *schema;           /* search_path; NULL = public */
    int64_t statement_timeout_ms; /* 0 = none */
    int64_t idle_timeout_ms;      /* idle_session_timeout; 0 = none */
};

/*
 * Opens a session. RETRY: the server is away, starting or full. FATAL with code ERR_CONFIG: the URL, the password or
 * the database is wrong.
 * The text names host and port, never the password. *out_conn is closed with pg_close.
 */
enum rc pg_open(const char *url, const struct pg_options *opt, PGconn **out_conn, struct err *err) MUST_USE;
void pg_close(PGconn *conn); /* accepts NULL */
void pg_closep(PGconn **conn);
void pg_clearp(PGresult **res);

/*
 * Refuses a session that goes through a connection pooler: advisory locks and session settings would belong to
 * somebody else. A pooler answers with a backend PID of its own, so it differs from pg_backend_pid().
 * FATAL with a text that says what to change.
 */
enum rc pg_require_direct(PGconn *conn, struct err *err) MUST_USE;

/* Runs one or several statements without parameters. *out_res (may be NULL when not wanted) is cleared by the caller.
 */
enum rc pg_exec(PGconn *conn, const char *sql, PGresult **out_res, struct err *err) MUST_USE;
/* Text parameters, NULL for SQL NULL. Text results. */
enum rc pg_query(PGconn *conn, const char *sql, int n, const char *const *params, PGresult **out_res,
                 struct err *err) MUST_USE;

/* Checks the result of a statement that libpq was given by the caller; res becomes *out_res, or is cleared. */
enum rc pg_take(PGconn *conn, PGresult *res, PGresult **out_res, struct err *err) MUST_USE;

/* Fills *err from a failed result or, with res NULL, from the session. Returns the reaction, see pg_rc(). */
enum rc pg_fail(PGconn *conn, const PGresult *res, struct err *err);

/*
 * What a SQLSTATE asks for. Classes 08, 53, 57P, 40001, 40P01, 55P03, 57014: RETRY. 22, 23: REJECT (the input).
 * Everything else (42 syntax or privilege, 28 authentication, 3D database): FATAL. NULL or "" (session lost): RETRY.
 * Source: PostgreSQL, appendix A.
 */
enum rc pg_rc(const char *sqlstate);

/* Field as text; "" for NULL. Belongs to res. */
const char *pg_text(const PGresult *res, int row, int col);
/* Field as int64; dflt for NULL. The field must be an integer's text form. */
int64_t pg_int(const PGresult *res, int row, int col, int64_t dflt);

/* Appends "schema"."name" or a literal, quoted, to heap memory the caller frees. */
char *pg_quote_ident(PGconn *conn, const char *name) MUST_USE;

/* "host:port/database" of a URL or of a session for messages, without secrets; cut to out_size. */
const char *pg_where(PGconn *conn, char *out, size_t out_size);

#endif
