/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands `sluice account ...` share. */
#ifndef SLUICE_CLI_ACCOUNT_H
#define SLUICE_CLI_ACCOUNT_H

#include <libpq-fe.h>
#include <signal.h>

#include "command.h"

/* A session whose database has the ledger's tables. RETRY, FATAL as pg_open; FATAL when tables are missing. */
enum rc account_db(const struct cli *cli, const char *app, PGconn **out_conn, struct err *err) MUST_USE;

/* 1 to max bytes of UTF-8 without control characters; NULL is none. */
bool account_is_text(const char *text, size_t max);

/* SQL: minor units for people, 1250 with 2 digits is 12.50. Both are SQL expressions. */
#define MONEY(amount, exponent) \
    "round((" amount ")::numeric / power(10::numeric, (" exponent ")::int), (" exponent ")::int)::text"
/* SQL: a time for people. */
#define SHOWN_TIME(column) "to_char(" column ", 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* The first field of the query as JSON text behind what out has; no row is *out_found false. */
enum rc account_json(PGconn *conn, const char *sql, int n, const char *const *params, struct buf *out, bool *out_found,
                     struct err *err) MUST_USE;

/* The first row of res, if there is one, a line for each of n columns; those that are NULL are left out. */
void account_print_row(const PGresult *res, const char *const *names, size_t n, struct buf *out);
/* Rows of a query about id under a title; nothing where there are none. */
enum rc account_print_part(PGconn *conn, const char *title, const char *sql, const char *id, const char *const *heads,
                           struct buf *out, struct err *err) MUST_USE;

/* From now on SIGINT and SIGTERM only set what is returned. */
const volatile sig_atomic_t *account_catch_signals(void);

/*
 * Waits until the ledger has decided the command with this id of account_command_outbox, at most seconds. Says what
 * came of it, on stdout. EXIT_DONE applied, or the account is so already; EXIT_REJECTED refused, EXIT_TRY_AGAIN not
 * decided in time. transfer_id NULL: an open or a set.
 */
int account_wait(const struct cli *cli, PGconn *conn, const char *event_id, const char *transfer_id, int64_t seconds);

#endif
