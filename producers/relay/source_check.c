/* SPDX-License-Identifier: Apache-2.0 */
/* Does a source fit its schema and the database? Everything that would go wrong later is said at the start. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "relay/source.h"
#include "schemas/embedded.h"

static enum rc check_fields(const struct source *src, const struct avro_set *set, struct err *err)
{
    struct avro_encoder *enc CLEANUP(avro_encoder_freep) = NULL;

    if (avro_encoder_create(set, src->schema, &enc, err) != RC_OK) {
        return err_prefix(err, "source %s", src->name);
    }
    for (int i = 0; i < src->n_fields; i++) {
        if (avro_encoder_field_index(enc, src->fields[i].avro) < 0) {
            FAIL(err, RC_FATAL, "source %s: schema %s has no field \"%s\"", src->name, src->schema,
                 src->fields[i].avro);
        }
    }
    for (size_t f = 0; f < avro_encoder_field_count(enc); f++) {
        const struct avro_field *field = avro_encoder_field(enc, f);
        bool given = field->has_default;
        for (int i = 0; i < src->n_fields && !given; i++) {
            given = strcmp(src->fields[i].avro, field->name) == 0;
        }
        if (!given) {
            FAIL(err, RC_FATAL, "source %s: field \"%s\" of schema %s has no column", src->name, field->name,
                 src->schema);
        }
    }
    return RC_OK;
}

enum rc source_check_schema(const struct source *src, const struct avro_set *set, struct err *err)
{
    enum rc rc = src->raw ? RC_OK : check_fields(src, set, err);

    return rc == RC_OK ? RC_OK : err_code(err, ERR_CONFIG);
}

static enum rc check_node(PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(conn, "SELECT pg_is_in_recovery()", &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL,
             "the database is a standby: its snapshots do not list running transactions, so rows would be lost; "
             "DATABASE_URL must name the primary");
    }
    return RC_OK;
}

/* One required column; type NULL = any. */
static enum rc check_column(const struct source *src, const PGresult *columns, const char *name, const char *type,
                            struct err *err)
{
    for (int i = 0; i < PQntuples(columns); i++) {
        if (strcmp(pg_text(columns, i, 0), name) != 0) {
            continue;
        }
        if (type != NULL && strcmp(pg_text(columns, i, 1), type) != 0) {
            FAIL(err, RC_FATAL, "source %s: column \"%s\" of table %s is %s; expected %s", src->name, name, src->table,
                 pg_text(columns, i, 1), type);
        }
        return RC_OK;
    }
    FAIL(err, RC_FATAL, "source %s: table %s has no column \"%s\"", src->name, src->table, name);
}

static enum rc check_columns(const struct source *src, PGconn *conn, struct err *err)
{
    PGresult *columns CLEANUP(pg_clearp) = NULL;
    const char *params[] = {src->table};

    TRY(pg_query(conn,
                 "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
                 " WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped",
                 1, params, &columns, err));
    if (PQntuples(columns) == 0) {
        FAIL(err, RC_FATAL, "source %s: table %s does not exist; run `sluice migrate`", src->name, src->table);
    }
    for (int i = 0; i < src->n_columns; i++) {
        const struct column *c = &src->columns[i];
        const char *type = c->micros ? "timestamp with time zone" : c->bytes ? "bytea" : NULL;
        TRY(check_column(src, columns, c->name, type, err));
    }
    if (src->headers_column >= 0) {
        TRY(check_column(src, columns, src->columns[src->headers_column].name, "jsonb", err));
    }
    if (src->partition_column >= 0) {
        TRY(check_column(src, columns, src->columns[src->partition_column].name, "integer", err));
    }
    TRY(check_column(src, columns, "queue_txid", "xid8", err));
    TRY(check_column(src, columns, "queue_seq", "bigint", err));
    if (src->queue == QUEUE_STATUS) {
        TRY(check_column(src, columns, "status", NULL, err));
        TRY(check_column(src, columns, "next_attempt_at", "timestamp with time zone", err));
        TRY(check_column(src, columns, "updated_at", "timestamp with time zone", err));
    } else if (src->queue == QUEUE_PROCESS) {
        TRY(check_column(src, columns, "process_status", NULL, err));
        TRY(check_column(src, columns, "processed_at", "timestamp with time zone", err));
    }
    return RC_OK;
}

/* Tables that only one of our roles writes, in bulk, are stamped by the defaults of their columns: a trigger a row
 * would be half of what an insert costs. */
static enum rc find_defaults(const struct source *src, PGconn *conn, bool *out_stamped, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {src->table};

    TRY(pg_query(
        conn,
        "SELECT count(*) FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " WHERE a.attrelid = to_regclass(quote_ident($1)) AND NOT a.attisdropped"
        " AND ((a.attname = 'queue_txid' AND pg_get_expr(d.adbin, d.adrelid) = 'pg_current_xact_id()')"
        "  OR (a.attname = 'queue_seq' AND EXISTS (SELECT FROM pg_depend p WHERE p.classid ="
        "   'pg_attrdef'::regclass AND p.objid = d.oid AND p.refobjid = to_regclass('sluice_queue_seq'))))",
        1, params, &res, err));
    *out_stamped = pg_int(res, 0, 0, 0) == 2;
    return RC_OK;
}

static enum rc check_trigger(const struct source *src, PGconn *conn, struct err *err)
{
    bool stamped = false;
    static const char *const insert_only[] = {"sluice_queue_insert"};
    static const char *const with_status[] = {"sluice_queue_insert", "sluice_queue_update", "sluice_wait_insert",
                                              "sluice_wait_update"};
    const char *const *want = src->queue == QUEUE_APPEND ? insert_only : with_status;
    size_t n = src->queue == QUEUE_STATUS    ? ARRAY_SIZE(with_status)
               : src->queue == QUEUE_PROCESS ? 2 /* nothing waits there */
                                             : ARRAY_SIZE(insert_only);

    if (src->queue == QUEUE_APPEND) {
        TRY(find_defaults(src, conn, &stamped, err));
    }
    for (size_t i = 0; i < n && !stamped; i++) {
        PGresult *res CLEANUP(pg_clearp) = NULL;
        const char *params[] = {src->table, want[i]};
        TRY(pg_query(conn,
                     "SELECT tgenabled FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident($1)) AND tgname = $2"
                     " AND tgenabled <> 'D'",
                     2, params, &res, err));
        if (PQntuples(res) == 0) {
            FAIL(err, RC_FATAL, "source %s: trigger %s is missing or disabled on table %s; run `sluice migrate`",
                 src->name, want[i], src->table);
        }
    }
    return RC_OK;
}

static enum rc check_sequence(const struct source *src, PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(conn, "SELECT seqcache, seqincrement FROM pg_sequence WHERE seqrelid = to_regclass('sluice_queue_seq')",
                &res, err));
    if (PQntuples(res) == 0) {
        FAIL(err, RC_FATAL, "source %s: sequence sluice_queue_seq does not exist; run `sluice migrate`", src->name);
    }
    if (pg_int(res, 0, 0, 0) != 1 || pg_int(res, 0, 1, 0) != 1) {
        FAIL(err, RC_FATAL,
             "source %s: sequence sluice_queue_seq has CACHE %s INCREMENT %s; expected CACHE 1 INCREMENT 1, because "
             "queue_seq must follow the order of the writers (ALTER SEQUENCE sluice_queue_seq CACHE 1 INCREMENT 1)",
             src->name, pg_text(res, 0, 0), pg_text(res, 0, 1));
    }
    return RC_OK;
}

/* The session has row_security=off, so a policy that applies to us is an error of the plan, even for no rows. */
static enum rc check_visible(const struct source *src, PGconn *conn, struct err *err)
{
    char *table CLEANUP(freep) = pg_quote_ident(conn, src->table);
    char *sql CLEANUP(freep) = xasprintf("SELECT 1 FROM %s LIMIT 0", table);
    enum rc rc = pg_exec(conn, sql, NULL, err);

    if (rc == RC_FATAL && strcmp(err->code, "42501") == 0 && strstr(err->text, "row-level security") != NULL) {
        FAIL(err, RC_FATAL,
             "source %s: row-level security of table %s would hide rows from this role; expected a role that owns the "
             "table or has BYPASSRLS (or ALTER TABLE ... NO FORCE ROW LEVEL SECURITY)",
             src->name, src->table);
    }
    return rc == RC_OK ? RC_OK : err_prefix(err, "source %s", src->name);
}

/* A newer database is fine (it is migrated before the programs are), an older one is not. */
static enum rc check_migrations(PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    enum rc rc = pg_exec(conn, "SELECT count(*) FROM sluice_migrations", &res, err);

    if (rc == RC_RETRY) {
        return rc;
    }
    if (rc != RC_OK || pg_int(res, 0, 0, 0) < (int64_t)SCHEMAS_SQL_n) {
        FAIL(err, RC_FATAL, "the database has %s of %zu migrations; run `sluice migrate`",
             rc == RC_OK ? pg_text(res, 0, 0) : "none", SCHEMAS_SQL_n);
    }
    return RC_OK;
}

enum rc source_check_database(const struct source *src, PGconn *conn, struct err *err)
{
    TRY(check_node(conn, err));
    TRY(check_migrations(conn, err));
    TRY(check_columns(src, conn, err));
    TRY(check_trigger(src, conn, err));
    TRY(check_sequence(src, conn, err));
    return check_visible(src, conn, err);
}
