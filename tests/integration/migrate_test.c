/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations: applied once whoever asks, refused when they do not match, and an existing table is taken over untouched.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "pg/migrate.h"
#include "schemas/embedded.h"
#include "support/stack.h"

static struct stack st;
static struct migration list[64];
static size_t n;
static struct err err;

static void setup(void)
{
    stack_open(&st);
    cr_assert_lt(SCHEMAS_SQL_n, ARRAY_SIZE(list));
    for (n = 0; n < SCHEMAS_SQL_n; n++) {
        list[n] = (struct migration){.name = SCHEMAS_SQL[n].name, .sql = SCHEMAS_SQL[n].text};
    }
}

static void teardown(void)
{
    stack_close(&st);
}

TestSuite(migrate, .init = setup, .fini = teardown);

static void count(const char *name, void *opaque)
{
    (void)name;
    ++*(size_t *)opaque;
}

static enum rc apply(PGconn *conn, const char *schema, size_t *applied)
{
    *applied = 0;
    return migrate_apply(conn, schema, list, n, count, applied, &err);
}

static size_t pending(void)
{
    size_t missing = 999;

    cr_assert_eq(migrate_pending(st.conn, "public", list, n, &missing, &err), RC_OK, "%s", err.text);
    return missing;
}

Test(migrate, the_owner_of_the_database_needs_no_other_right)
{
    size_t applied = 0;
    char *super CLEANUP(freep) = stack_text(st.conn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user");

    cr_expect_str_eq(super, "f", "the test proves nothing as superuser");
    cr_expect_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    cr_expect_eq(applied, n);
}

/* Everything a migration could leave behind, as one number. */
static char *catalog(void)
{
    return stack_text(st.conn,
                      "SELECT md5(string_agg(x, ',' ORDER BY x)) FROM ("
                      " SELECT 'c' || attrelid || attnum || attname || xmin FROM pg_attribute WHERE attrelid > 16384"
                      " UNION ALL SELECT 't' || oid || xmin FROM pg_trigger"
                      " UNION ALL SELECT 'r' || oid || relfilenode FROM pg_class WHERE oid > 16384"
                      " UNION ALL SELECT 'm' || version || applied_at FROM sluice_migrations) t(x)");
}

Test(migrate, applying_again_changes_nothing)
{
    size_t applied = 0;

    cr_expect_eq(pending(), n);
    cr_assert_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    cr_expect_eq(pending(), 0);
    char *before CLEANUP(freep) = catalog();
    cr_assert_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    char *after CLEANUP(freep) = catalog();
    cr_expect_eq(applied, 0);
    cr_expect_str_eq(before, after);
}

struct racer {
    pthread_t thread;
    PGconn *conn;
    size_t applied;
    enum rc rc;
    struct err err;
};

static void *race(void *arg)
{
    struct racer *r = arg;

    r->rc = migrate_apply(r->conn, "public", list, n, count, &r->applied, &r->err);
    return NULL;
}

Test(migrate, of_several_at_once_each_migration_is_applied_by_one)
{
    struct racer racers[4] = {0};
    size_t applied = 0;

    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        racers[i].conn = stack_session(&st, false);
        cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        pthread_join(racers[i].thread, NULL);
        pg_close(racers[i].conn);
        cr_expect_eq(racers[i].rc, RC_OK, "%s", racers[i].err.text);
        applied += racers[i].applied;
    }
    cr_expect_eq(applied, n);
}

static void expect_refused(const char *expected)
{
    size_t applied = 0;
    size_t missing = 0;

    cr_expect_eq(migrate_pending(st.conn, "public", list, n, &missing, &err), RC_FATAL);
    cr_expect(strstr(err.text, expected) != NULL, "%s", err.text);
    cr_expect_eq(apply(st.conn, "public", &applied), RC_FATAL);
    cr_expect(strstr(err.text, expected) != NULL, "%s", err.text);
    cr_expect_eq(applied, 0, "nothing may be applied on top");
    /* The lock is free again. */
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                                    " (SELECT oid FROM pg_database WHERE datname = current_database())"),
                 0);
}

Test(migrate, a_migration_that_was_changed_afterwards_is_refused)
{
    size_t applied = 0;
    char *changed CLEANUP(freep) = xasprintf("%s-- one more comment\n", list[1].sql);

    cr_assert_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    list[1].sql = changed;
    list[n] = (struct migration){.name = "999_next.sql", .sql = "CREATE TABLE @SCHEMA@.never ()"};
    n++;
    expect_refused("migration 002_callback_outbox.sql was changed after it had been applied");
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM pg_class WHERE relname = 'never'"), 0);
}

Test(migrate, a_renamed_migration_is_refused)
{
    size_t applied = 0;

    cr_assert_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    list[0].name = "001_other.sql";
    expect_refused("migration 1 in the database is 001_queue.sql; expected 001_other.sql");
}

Test(migrate, a_database_of_a_newer_program_is_refused)
{
    size_t applied = 0;

    cr_assert_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    n--;
    expect_refused("use a newer program");
}

Test(migrate, one_that_fails_leaves_nothing_and_names_itself)
{
    size_t applied = 0;

    list[n] = (struct migration){.name = "999_bad.sql", .sql = "CREATE TABLE @SCHEMA@.half (); SELECT 1/0;"};
    n++;
    cr_expect_eq(apply(st.conn, "public", &applied), RC_FATAL);
    cr_expect(strstr(err.text, "migration 999_bad.sql: ") != NULL && strstr(err.text, "division by zero") != NULL, "%s",
              err.text);
    cr_expect_eq(applied, n - 1);
    cr_expect_eq(pending(), 1);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM pg_class WHERE relname = 'half'"), 0);
}

/* As a business that did without sluice until now may have it. */
static const char OLD_TABLE[] =
    "CREATE TABLE cs_platform_event_outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), platform text NOT NULL,"
    " event_type text NOT NULL, callback_target text NOT NULL, payload jsonb NOT NULL, status text NOT NULL DEFAULT "
    "'pending',"
    " attempt_count int NOT NULL DEFAULT 0, next_attempt_at timestamptz NOT NULL DEFAULT now(), last_error text,"
    " created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());"
    "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, status)"
    " SELECT 'old', 't', 'u', '{}', (array['pending', 'retrying', 'delivered', 'dead_letter'])[1 + i % 4]"
    " FROM generate_series(1, 1000) i";

Test(migrate, an_existing_table_is_adopted_without_rewriting_or_publishing)
{
    size_t applied = 0;

    stack_sql(st.conn, "%s", OLD_TABLE);
    int64_t node = stack_int(st.conn, "SELECT pg_relation_filenode('cs_platform_event_outbox')");
    char *rows CLEANUP(freep) = stack_text(
        st.conn, "SELECT md5(string_agg(id::text || status || xmin, '' ORDER BY id)) FROM cs_platform_event_outbox");
    cr_assert_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    cr_expect_eq(stack_int(st.conn, "SELECT pg_relation_filenode('cs_platform_event_outbox')"), node, "rewritten");
    char *after CLEANUP(freep) = stack_text(
        st.conn, "SELECT md5(string_agg(id::text || status || xmin, '' ORDER BY id)) FROM cs_platform_event_outbox");
    cr_expect_str_eq(rows, after, "rows were touched");
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM cs_platform_event_outbox WHERE queue_seq IS NOT NULL"
                                    " OR queue_txid IS NOT NULL"),
                 0);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM sluice_waiting"), 0);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM cs_platform_event_outbox WHERE round_attempts <> 0"), 0);
    /* The next row is on the road, and so is an old one that somebody repairs. */
    stack_sql(st.conn, "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)"
                       " VALUES ('new', 't', 'u', '{}')");
    stack_sql(st.conn, "UPDATE cs_platform_event_outbox SET status = 'pending', next_attempt_at = now() WHERE id ="
                       " (SELECT id FROM cs_platform_event_outbox WHERE status = 'dead_letter' LIMIT 1)");
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM cs_platform_event_outbox WHERE queue_seq IS NOT NULL"
                                    " AND queue_txid IS NOT NULL"),
                 2);
}

Test(migrate, an_installation_may_live_in_a_schema_of_its_own)
{
    struct pg_options opt = {.app = "sluice test", .schema = "Road 1"};
    PGconn *conn CLEANUP(pg_closep) = NULL;
    size_t applied = 0;
    size_t missing = 0;

    cr_assert_eq(pg_open(st.url, &opt, &conn, &err), RC_OK, "%s", err.text);
    cr_assert_eq(apply(conn, "Road 1", &applied), RC_OK, "%s", err.text);
    cr_expect_eq(applied, n);
    cr_expect_eq(migrate_pending(conn, "Road 1", list, n, &missing, &err), RC_OK, "%s", err.text);
    cr_expect_eq(missing, 0);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), 0);
    /* A writer with another search_path draws from this schema's sequence. */
    stack_sql(st.conn,
              "INSERT INTO \"Road 1\".cs_platform_event_outbox (platform, event_type, callback_target, payload,"
              " next_attempt_at) VALUES ('a', 'b', 'c', '{}', now()), ('a', 'b', 'c', '{}', now() + interval '1 h')");
    cr_expect_eq(
        stack_int(st.conn, "SELECT count(*) FROM \"Road 1\".cs_platform_event_outbox WHERE queue_seq IN (1, 2)"), 2);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM \"Road 1\".sluice_waiting"), 1);
    /* A second installation in the same database is its own. */
    cr_expect_eq(pending(), n);
    cr_assert_eq(apply(st.conn, "public", &applied), RC_OK, "%s", err.text);
    cr_expect_eq(applied, n);
}
