/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versioned migrations under an advisory lock, each in one transaction with its row in sluice_migrations.
 *
 * A file whose checksum differs from the one that was applied is refused: an applied migration never changes.
 * A database that is newer than the program is refused too.
 */
#ifndef SLUICE_PG_MIGRATE_H
#define SLUICE_PG_MIGRATE_H

#include <libpq-fe.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct migration {
    const char *name; /* "001_queue.sql": the number before '_' is the version, ascending from 1 */
    const char *sql;  /* @SCHEMA@ stands for the quoted schema */
};

/* Called once per migration that was applied now. */
typedef void (*migrate_applied_fn)(const char *name, void *opaque);

/* Applies what is missing, the schema included. Idempotent; two at once wait for each other. FATAL when refused. */
enum rc migrate_apply(PGconn *conn, const char *schema, const struct migration *list, size_t n,
                      migrate_applied_fn applied, void *opaque, struct err *err) MUST_USE;

/* How many are missing; 0 = at head. FATAL when applied ones do not match. */
enum rc migrate_pending(PGconn *conn, const char *schema, const struct migration *list, size_t n, size_t *out_missing,
                        struct err *err) MUST_USE;

/* The SQL of all migrations with the schema filled in. */
void migrate_print(const char *quoted_schema, const struct migration *list, size_t n, struct buf *out);

#endif
