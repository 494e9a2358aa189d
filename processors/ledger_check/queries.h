/* SPDX-License-Identifier: Apache-2.0 */
/* What the server judges by itself: queries that return offenders only. */
#ifndef SLUICE_LEDGER_CHECK_QUERIES_H
#define SLUICE_LEDGER_CHECK_QUERIES_H

#include "ledger_check/check.h"

/* Columns: where, what, expected, found, all text. */
struct check_query {
    enum check_id id;
    const char *sql;
};
extern const struct check_query CHECK_QUERIES[];
extern const size_t CHECK_QUERIES_N;

/* account_id, currency, balance, expected or NULL */
extern const char CHECK_CLEARING_SQL[];

#endif
