/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/ledger.sql: a ledger that is written by SQL alone. */
#ifndef SLUICE_TESTS_LEDGER_SQL_H
#define SLUICE_TESTS_LEDGER_SQL_H

#include <libpq-fe.h>

/* Its functions, into the session's schema. Fails the test. */
void ledger_sql_load(PGconn *conn);

#endif
