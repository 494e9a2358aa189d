/* SPDX-License-Identifier: Apache-2.0 */
/* A relay position: its text form, and whether it fits the database at hand. */
#include "relay/position.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pg/conn.h"

void position_done(struct position *p)
{
    free(p->s1);
    free(p->s2);
    *p = (struct position){0};
}

void position_set(struct position *p, const char *s1, const char *s2, int64_t last_seq)
{
    char *a = xstrdup(s1); /* the arguments may be p's own strings */
    char *b = xstrdup(s2);

    free(p->s1);
    free(p->s2);
    p->s1 = a;
    p->s2 = b;
    p->last_seq = last_seq;
}

bool position_mid_window(const struct position *p)
{
    return strcmp(p->s1, p->s2) != 0;
}

void position_encode(const struct position *p, const char *source, struct buf *out)
{
    char at[CLOCK_RFC3339_MAX];

    clock_rfc3339(clock_utc_us(), at);
    buf_printf(out,
               "{\"v\":%d,\"source\":\"%s\",\"system_id\":\"%s\",\"timeline\":%" PRId64 ",\"database_oid\":%" PRId64,
               POSITION_FORMAT, source, p->db.system_id, p->db.timeline, p->db.database_oid);
    buf_puts(out, ",\"schema\":");
    buf_json_string(out, p->db.schema, strlen(p->db.schema));
    buf_printf(out, ",\"s1\":\"%s\",\"s2\":\"%s\",\"last_seq\":%" PRId64 ",\"published\":%" PRId64 ",\"at\":\"%s\"}",
               p->s1, p->s2, p->last_seq, p->published, at);
}

/* A snapshot is digits, colons and commas; PostgreSQL checks the rest when it gets it back. */
static bool is_snapshot(const char *s)
{
    return s != NULL && s[0] != '\0' && strspn(s, "0123456789:,") == strlen(s);
}

static bool is_system_id(const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;

    return n > 0 && n < sizeof(((struct db_identity *)0)->system_id) && strspn(s, "0123456789") == n;
}

static enum rc decode_object(const json_t *root, struct position *out, struct err *err)
{
    const char *sysid = json_string_value(json_object_get(root, "system_id"));
    const char *s1 = json_string_value(json_object_get(root, "s1"));
    const char *s2 = json_string_value(json_object_get(root, "s2"));
    const json_t *last_seq = json_object_get(root, "last_seq");
    json_int_t version = json_integer_value(json_object_get(root, "v"));

    if (version > POSITION_FORMAT) {
        FAIL(err, RC_FATAL, "the position was written by a newer program (format %lld, this one knows %d)",
             (long long)version, POSITION_FORMAT);
    }
    if (version < 1 || !is_system_id(sysid) || !is_snapshot(s1) || !is_snapshot(s2) || !json_is_integer(last_seq)) {
        FAIL(err, RC_FATAL, "the position is malformed; expected v, system_id, s1, s2, last_seq");
    }
    snprintf(out->db.system_id, sizeof(out->db.system_id), "%s", sysid);
    const char *schema = json_string_value(json_object_get(root, "schema"));
    snprintf(out->db.schema, sizeof(out->db.schema), "%s", schema != NULL ? schema : "");
    out->db.timeline = json_integer_value(json_object_get(root, "timeline"));
    out->db.database_oid = json_integer_value(json_object_get(root, "database_oid"));
    out->published = json_integer_value(json_object_get(root, "published"));
    position_set(out, s1, s2, json_integer_value(last_seq));
    return RC_OK;
}

enum rc position_decode(const char *text, size_t n, struct position *out, struct err *err)
{
    json_error_t why;
    json_t *root = NULL;
    enum rc rc = RC_OK;

    *out = (struct position){0};
    if (n > POSITION_VALUE_MAX) {
        FAIL(err, RC_FATAL, "the position is %zu bytes long; expected at most %u", n, POSITION_VALUE_MAX);
    }
    root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) {
        FAIL(err, RC_FATAL, "the position is not JSON: %s", why.text);
    }
    rc = decode_object(root, out, err);
    json_decref(root);
    return rc;
}

int32_t position_partition(const char *source, int n_partitions)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (const char *s = source; *s != '\0'; s++) {
        h = (h ^ (unsigned char)*s) * 16777619u;
    }
    return (int32_t)(h % (uint32_t)n_partitions);
}

enum rc db_identity_read(PGconn *conn, struct db_identity *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    /* The control file learns of a new timeline only at a checkpoint; the name of the current WAL file knows at once.
     */
    TRY(pg_exec(conn,
                "SELECT (SELECT system_identifier FROM pg_control_system()),"
                " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint,"
                " (SELECT oid FROM pg_database WHERE datname = current_database()), current_schema()",
                &res, err));
    snprintf(out->system_id, sizeof(out->system_id), "%s", pg_text(res, 0, 0));
    out->timeline = pg_int(res, 0, 1, 0);
    out->database_oid = pg_int(res, 0, 2, 0);
    snprintf(out->schema, sizeof(out->schema), "%s", pg_text(res, 0, 3));
    return RC_OK;
}

enum rc position_guard(const struct position *p, const struct db_identity *db, PGconn *conn, const char *source,
                       struct err *err)
{
    static const char advice[] =
        "rows may be missing or doubled if the relay went on by itself; see `sluice relay position`";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {p->s2};

    if (strcmp(p->db.system_id, db->system_id) != 0) {
        FAIL(err, RC_FATAL, "source %s: state sysid_changed: the position belongs to cluster %s, this is %s; %s",
             source, p->db.system_id, db->system_id, advice);
    }
    if (p->db.database_oid != db->database_oid) {
        FAIL(err, RC_FATAL,
             "source %s: state database_changed: the position belongs to database oid %" PRId64 ", this is %" PRId64
             "; %s",
             source, p->db.database_oid, db->database_oid, advice);
    }
    if (p->db.schema[0] != '\0' && strcmp(p->db.schema, db->schema) != 0) {
        FAIL(err, RC_FATAL,
             "source %s: state schema_changed: the position belongs to schema %s, this is %s; two installations need "
             "two "
             "values of topic.prefix; %s",
             source, p->db.schema, db->schema, advice);
    }
    if (p->db.timeline != db->timeline) {
        FAIL(err, RC_FATAL,
             "source %s: state timeline_changed: the position belongs to timeline %" PRId64 ", this is %" PRId64 "; %s",
             source, p->db.timeline, db->timeline, advice);
    }
    TRY(pg_query(conn, "SELECT pg_snapshot_xmax($1::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot())", 1, params,
                 &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL,
             "source %s: state xid_regressed: the position has seen transactions this database has not begun; %s",
             source, advice);
    }
    return RC_OK;
}
