/* SPDX-License-Identifier: Apache-2.0 */
/* Reads ledger.sql; its path is given by CMake. */
#include "support/ledger_sql.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pg/conn.h"

#define FILE_MAX ((size_t)1 << 20)

void ledger_sql_load(PGconn *conn)
{
    CLEANUP(buf_done) struct buf text;
    char part[4096];
    struct err err;
    size_t n = 0;
    FILE *in = fopen(LEDGER_SQL, "r");

    buf_init(&text, FILE_MAX);
    cr_assert_not_null(in, "cannot open %s", LEDGER_SQL);
    while ((n = fread(part, 1, sizeof(part), in)) > 0) {
        buf_add(&text, part, n);
    }
    (void)fclose(in);
    cr_assert_eq(pg_exec(conn, buf_str(&text), NULL, &err), RC_OK, "%s", err.text);
}
