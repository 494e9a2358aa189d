/* SPDX-License-Identifier: Apache-2.0 */
/* Applies versioned migrations, each in its own transaction, under one advisory lock. */
#include "pg/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"

#define PLACEHOLDER "@SCHEMA@"

/* Two int4 keys of pg_advisory_lock: ours, and "migrations". */
#define LOCK_SQL "SELECT pg_advisory_lock(hashtext('sluice'), hashtext('migrate'))"
#define UNLOCK_SQL "SELECT pg_advisory_unlock(hashtext('sluice'), hashtext('migrate'))"

static void fill_schema(const char *sql, const char *quoted_schema, struct buf *out)
{
    const char *at = NULL;

    while ((at = strstr(sql, PLACEHOLDER)) != NULL) {
        buf_add(out, sql, (size_t)(at - sql));
        buf_puts(out, quoted_schema);
        sql = at + strlen(PLACEHOLDER);
    }
    buf_puts(out, sql);
}

void migrate_print(const char *quoted_schema, const struct migration *list, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "-- %s\n", list[i].name);
        fill_schema(list[i].sql, quoted_schema, out);
        buf_putc(out, '\n');
    }
}

/* PostgreSQL computes the checksum, so that no second implementation is needed. */
static enum rc checksum(PGconn *conn, const char *sql, PGresult **out_res, struct err *err)
{
    const char *params[] = {sql};

    return pg_query(conn, "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')", 1, params, out_res, err);
}

static enum rc read_applied(PGconn *conn, PGresult **out_res, struct err *err)
{
    return pg_exec(conn, "SELECT version, name, checksum FROM sluice_migrations ORDER BY version", out_res, err);
}

/* All applied ones must be the ones we have, in order. *out_done = how many. */
static enum rc check_applied(PGconn *conn, const PGresult *applied, const struct migration *list, size_t n,
                             size_t *out_done, struct err *err)
{
    size_t done = (size_t)PQntuples(applied);

    if (done > n) {
        FAIL(err, RC_FATAL, "the database has migration %s, this program knows only %zu: use a newer program",
             pg_text(applied, (int)n, 1), n);
    }
    for (size_t i = 0; i < done; i++) {
        PGresult *sum CLEANUP(pg_clearp) = NULL;
        TRY(checksum(conn, list[i].sql, &sum, err));
        if (pg_int(applied, (int)i, 0, 0) != (int64_t)i + 1 || strcmp(pg_text(applied, (int)i, 1), list[i].name) != 0) {
            FAIL(err, RC_FATAL, "migration %zu in the database is %s; expected %s", i + 1, pg_text(applied, (int)i, 1),
                 list[i].name);
        }
        if (strcmp(pg_text(applied, (int)i, 2), pg_text(sum, 0, 0)) != 0) {
            FAIL(err, RC_FATAL, "migration %s was changed after it had been applied; add a new migration instead",
                 list[i].name);
        }
    }
    *out_done = done;
    return RC_OK;
}

static enum rc apply_one(PGconn *conn, const char *quoted_schema, size_t version, const struct migration *m,
                         struct err *err)
{
    PGresult *sum CLEANUP(pg_clearp) = NULL;
    struct buf sql;
    char number[24];
    enum rc rc = RC_OK;

    TRY(checksum(conn, m->sql, &sum, err));
    snprintf(number, sizeof(number), "%zu", version);
    const char *row[] = {number, m->name, pg_text(sum, 0, 0)};

    buf_init(&sql, 4u << 20);
    buf_puts(&sql, "BEGIN;\n");
    fill_schema(m->sql, quoted_schema, &sql);
    rc = sql.overflow ? err_set(err, RC_FATAL, __FILE__, __LINE__, "file is over 4 MiB")
                      : pg_exec(conn, buf_str(&sql), NULL, err);
    buf_done(&sql);
    if (rc == RC_OK) {
        rc = pg_query(conn, "INSERT INTO sluice_migrations (version, name, checksum) VALUES ($1, $2, $3)", 3, row, NULL,
                      err);
    }
    if (rc == RC_OK) {
        rc = pg_exec(conn, "COMMIT", NULL, err);
    }
    if (rc != RC_OK) {
        struct err ignored;
        rc_ignore(pg_exec(conn, "ROLLBACK", NULL, &ignored));
        err_prefix(err, "migration %s", m->name);
        return rc == RC_RETRY ? RC_RETRY : RC_FATAL;
    }
    return RC_OK;
}

/* Looked for first: CREATE SCHEMA IF NOT EXISTS needs the right to create one even when it is there. */
static enum rc ensure_schema(PGconn *conn, const char *schema, const char *quoted_schema, struct err *err)
{
    PGresult *there CLEANUP(pg_clearp) = NULL;
    const char *params[] = {schema};
    char *sql CLEANUP(freep) = xasprintf("CREATE SCHEMA %s", quoted_schema);

    TRY(pg_query(conn, "SELECT 1 FROM pg_namespace WHERE nspname = $1", 1, params, &there, err));
    return PQntuples(there) > 0 ? RC_OK : pg_exec(conn, sql, NULL, err);
}

static enum rc apply_missing(PGconn *conn, const char *quoted_schema, const struct migration *list, size_t n,
                             migrate_applied_fn applied, void *opaque, struct err *err)
{
    PGresult *rows CLEANUP(pg_clearp) = NULL;
    size_t done = 0;

    TRY(pg_exec(conn,
                "CREATE TABLE IF NOT EXISTS sluice_migrations (version int PRIMARY KEY, name text NOT NULL,"
                " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
                NULL, err));
    TRY(read_applied(conn, &rows, err));
    TRY(check_applied(conn, rows, list, n, &done, err));
    for (size_t i = done; i < n; i++) {
        TRY(apply_one(conn, quoted_schema, i + 1, &list[i], err));
        if (applied != NULL) {
            applied(list[i].name, opaque);
        }
    }
    return RC_OK;
}

enum rc migrate_apply(PGconn *conn, const char *schema, const struct migration *list, size_t n,
                      migrate_applied_fn applied, void *opaque, struct err *err)
{
    char *quoted CLEANUP(freep) = pg_quote_ident(conn, schema);
    struct err ignored;
    enum rc rc = RC_OK;

    TRY(pg_exec(conn, LOCK_SQL, NULL, err));
    rc = ensure_schema(conn, schema, quoted, err);
    if (rc == RC_OK) {
        rc = apply_missing(conn, quoted, list, n, applied, opaque, err);
    }
    rc_ignore(pg_exec(conn, UNLOCK_SQL, NULL, &ignored));
    return rc;
}

enum rc migrate_pending(PGconn *conn, const char *schema, const struct migration *list, size_t n, size_t *out_missing,
                        struct err *err)
{
    PGresult *there CLEANUP(pg_clearp) = NULL;
    PGresult *rows CLEANUP(pg_clearp) = NULL;
    const char *params[] = {schema};
    size_t done = 0;

    TRY(pg_query(conn, "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'sluice_migrations'", 1, params,
                 &there, err));
    if (PQntuples(there) == 0) {
        *out_missing = n;
        return RC_OK;
    }
    TRY(read_applied(conn, &rows, err));
    TRY(check_applied(conn, rows, list, n, &done, err));
    *out_missing = n - done;
    return RC_OK;
}
