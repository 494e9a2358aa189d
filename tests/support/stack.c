/* SPDX-License-Identifier: Apache-2.0 */
/* A database of a test's own, and the end of everything; topics are in stack_kafka.c. */
#include "support/stack.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "pg/migrate.h"
#include "relay/relay.h"
#include "runtime/core_options.h"
#include "schemas/embedded.h"

static const char *required(const char *name)
{
    const char *value = getenv(name);

    cr_assert(value != NULL && value[0] != '\0', "%s is not set: ./dev up infra, then eval \"$(./dev env)\"", name);
    return value;
}

/* The URL with another database. */
static char *with_database(const char *url, const char *database)
{
    const char *slash = strrchr(url, '/');

    cr_assert_not_null(slash);
    return xasprintf("%.*s/%s", (int)(slash - url), url, database);
}

static PGconn *open_session(const char *url)
{
    struct pg_options opt = {.app = "sluice test"};
    PGconn *conn = NULL;
    struct err err = {0};

    cr_assert_eq(pg_open(url, &opt, &conn, &err), RC_OK, "%s", err.text);
    return conn;
}

/* What all cases of one run have in common, so that the runner can remove what is left. */
static char *run_name(pid_t runner)
{
    return xasprintf("ti%d", (int)runner);
}

static char *owner_of(const char *url)
{
    const char *name = strstr(url, "//");

    cr_assert_not_null(name);
    return xstrndup(name + 2, strcspn(name + 2, ":@"));
}

/* Emptied for each case and not made anew: CREATE and DROP DATABASE each cost a checkpoint. */
static void open_database(PGconn *admin, const char *admin_url, const char *database, const char *owner)
{
    if (stack_int(admin, "SELECT 1 FROM pg_database WHERE datname = '%s'", database) != 1) {
        stack_sql(admin, "CREATE DATABASE %s OWNER %s", database, owner);
        stack_sql(admin, "ALTER DATABASE %s SET synchronous_commit = off", database); /* for the speed of the cases */
        return;
    }
    stack_sql(admin, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '%s'", database);
    char *url CLEANUP(freep) = with_database(admin_url, database);
    PGconn *conn CLEANUP(pg_closep) = open_session(url);
    char *drop CLEANUP(freep) =
        stack_text(conn, "SELECT string_agg(format('DROP SCHEMA %%I CASCADE', nspname), '; ') FROM pg_namespace"
                         " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'");
    stack_sql(conn, "%s; CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC",
              drop != NULL ? drop : "");
}

/* A secret is not taken from a flag. */
static void stack_secret(struct stack *st, const char *variable, const char *value)
{
    char *entry CLEANUP(freep) = xasprintf("%s=%s", variable, value);
    char *envp[] = {entry, NULL};
    struct err err = {0};

    cr_assert_eq(config_load_env(st->cfg, envp, &err), RC_OK, "%s", err.text);
}

void stack_open(struct stack *st)
{
    const struct option_table *tables[] = {&CORE_OPTIONS, &relay_options};
    const char *owner_url = required("DATABASE_URL");
    const char *admin_url = required("SLUICE_TEST_ADMIN_URL");
    const char *brokers = required("KAFKA_BROKERS");
    char *run CLEANUP(freep) = run_name(getppid());
    char *owner CLEANUP(freep) = owner_of(owner_url);

    st->database = xstrdup(run);
    st->prefix = xasprintf("%s.%d.", run, (int)getpid());
    st->url = with_database(owner_url, st->database);
    st->admin_url = with_database(admin_url, st->database);
    PGconn *admin CLEANUP(pg_closep) = open_session(admin_url);
    open_database(admin, admin_url, st->database, owner);
    st->cfg = config_create(tables, ARRAY_SIZE(tables));
    stack_secret(st, "DATABASE_URL", st->url);
    stack_set(st, "kafka.brokers", brokers);
    stack_set(st, "topic.prefix", st->prefix);
    st->conn = open_session(st->url);
}

void stack_set(struct stack *st, const char *option, const char *value)
{
    struct err err = {0};

    cr_assert_eq(config_set_flag(st->cfg, option, value, &err), RC_OK, "%s", err.text);
}

void stack_migrate(struct stack *st)
{
    struct migration list[64];
    struct err err = {0};

    cr_assert_leq(SCHEMAS_SQL_n, ARRAY_SIZE(list));
    for (size_t i = 0; i < SCHEMAS_SQL_n; i++) {
        list[i] = (struct migration){.name = SCHEMAS_SQL[i].name, .sql = SCHEMAS_SQL[i].text};
    }
    cr_assert_eq(migrate_apply(st->conn, "public", list, SCHEMAS_SQL_n, NULL, NULL, &err), RC_OK, "%s", err.text);
}

PGconn *stack_session(const struct stack *st, bool admin)
{
    PGconn *conn = open_session(admin ? st->admin_url : st->url);

    stack_sql(conn, "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;"
                    " SET max_parallel_workers_per_gather = 0; SET plan_cache_mode = force_custom_plan");
    return conn;
}

static PGresult *PRINTF_LIKE(2, 0) run_sql(PGconn *conn, const char *fmt, va_list ap)
{
    char *sql = NULL;

    cr_assert_geq(vasprintf(&sql, fmt, ap), 0);
    PGresult *res = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(res);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(conn));
    free(sql);
    return res;
}

void stack_sql(PGconn *conn, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    PGresult *res = run_sql(conn, fmt, ap);
    va_end(ap);
    PQclear(res);
}

char *stack_text(PGconn *conn, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    PGresult *res CLEANUP(pg_clearp) = run_sql(conn, fmt, ap);
    va_end(ap);
    return PQntuples(res) == 0 || PQgetisnull(res, 0, 0) ? NULL : xstrdup(PQgetvalue(res, 0, 0));
}

int64_t stack_int(PGconn *conn, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    PGresult *res CLEANUP(pg_clearp) = run_sql(conn, fmt, ap);
    va_end(ap);
    return PQntuples(res) == 0 || PQgetisnull(res, 0, 0) ? -1 : strtoll(PQgetvalue(res, 0, 0), NULL, 10);
}

void stack_expect(PGconn *conn, const char *what, const char *sql, const char *want)
{
    char *text CLEANUP(freep) = stack_text(conn, "%s", sql);
    const char *got = text != NULL ? text : "";

    cr_expect_str_eq(got, want, "%s: %s; expected %s", what, got, want);
}

void stack_refused(PGconn *conn, const char *sqlstate, const char *sql)
{
    PGresult *res CLEANUP(pg_clearp) = PQexec(conn, sql);
    const char *got = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    cr_assert_not_null(got, "accepted: %s", sql);
    cr_assert_str_eq(got, sqlstate, "%s: %s", sql, PQerrorMessage(conn));
}

void stack_close(struct stack *st)
{
    pg_close(st->conn);
    free(st->database);
    free(st->url);
    free(st->admin_url);
    free(st->prefix);
    config_free(st->cfg);
    *st = (struct stack){0};
}

/* The database and the topics of all cases, also of those that crashed. */
ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    const char *url = getenv("SLUICE_TEST_ADMIN_URL");
    const char *brokers = getenv("KAFKA_BROKERS");
    char *run CLEANUP(freep) = run_name(getpid());

    (void)stats;
    if (url == NULL || brokers == NULL) {
        return;
    }
    PGconn *admin = PQconnectdb(url);
    char *list CLEANUP(freep) = xasprintf("SELECT datname FROM pg_database WHERE datname = '%s'", run);
    PGresult *res = PQexec(admin, list);
    for (int i = 0; i < PQntuples(res); i++) {
        char *drop CLEANUP(freep) = xasprintf("DROP DATABASE %s WITH (FORCE)", PQgetvalue(res, i, 0));
        PQclear(PQexec(admin, drop));
    }
    PQclear(res);
    PQfinish(admin);
    char *prefix CLEANUP(freep) = xasprintf("%s.", run);
    stack_delete_topics(brokers, prefix);
}
