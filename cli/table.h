/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a query as a table for people. */
#ifndef SLUICE_CLI_TABLE_H
#define SLUICE_CLI_TABLE_H

#include <libpq-fe.h>

#include "base/buf.h"

/*
 * Every row of res under heads (NULL-terminated, one a column; further columns of res are left out), each line after
 * indent. A head that begins with '>' stands to the right, without that sign; columns are as wide as they must be, the
 * last one has no end. NULL is "-". What does not belong on a terminal is '?'.
 */
void table_print(const PGresult *res, const char *const *heads, const char *indent, struct buf *out);

#endif
