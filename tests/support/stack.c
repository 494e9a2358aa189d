/* SPDX-License-Identifier: Apache-2.0 */
/* A database and topics of a test's own. */
#include "support/stack.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "pg/conn.h"
#include "pg/migrate.h"
#include "relay/relay.h"
#include "runtime/core_options.h"
#include "schemas/embedded.h"

#define ADMIN_MS 20000

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

void stack_refused(PGconn *conn, const char *sqlstate, const char *sql)
{
    PGresult *res CLEANUP(pg_clearp) = PQexec(conn, sql);
    const char *got = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    cr_assert_not_null(got, "accepted: %s", sql);
    cr_assert_str_eq(got, sqlstate, "%s: %s", sql, PQerrorMessage(conn));
}

/* ---------------------------------------------------------------------------------------------------- Kafka */

static rd_kafka_t *open_client(const char *brokers)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why)), RD_KAFKA_CONF_OK, "%s", why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    cr_assert_not_null(rk, "%s", why);
    return rk;
}

static rd_kafka_event_t *admin_result(rd_kafka_queue_t *q)
{
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ADMIN_MS);

    cr_assert_not_null(ev, "no answer from Kafka");
    cr_assert_eq(rd_kafka_event_error(ev), RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_event_error_string(ev));
    return ev;
}

/* Created is not yet known everywhere: wait until the topic has leaders. */
static void wait_topic(rd_kafka_t *rk, const char *topic, int partitions)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    bool there = false;

    for (int i = 0; i < 200 && !there; i++) {
        const struct rd_kafka_metadata *md = NULL;
        if (rd_kafka_metadata(rk, 0, rkt, &md, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            there = md->topic_cnt == 1 && md->topics[0].partition_cnt == partitions;
            for (int p = 0; p < partitions && there; p++) {
                there = md->topics[0].partitions[p].leader >= 0;
            }
            rd_kafka_metadata_destroy(md);
        }
        if (!there) {
            clock_sleep_ms(25);
        }
    }
    rd_kafka_topic_destroy(rkt);
    cr_assert(there, "topic %s does not appear", topic);
}

char *stack_topic(const struct stack *st, const char *name, int partitions, const char *config)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    char *topic = xasprintf("%s%s", st->prefix, name);
    char why[256] = "";
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, -1, why, sizeof(why));

    cr_assert_not_null(t, "%s", why);
    if (config != NULL) {
        char *key CLEANUP(freep) = xstrndup(config, strcspn(config, "="));
        rd_kafka_NewTopic_set_config(t, key, config + strlen(key) + 1);
    }
    rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
    rd_kafka_event_t *ev = admin_result(q);
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
    cr_assert_eq(rd_kafka_topic_result_error(results[0]), RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s", topic,
                 rd_kafka_topic_result_error_string(results[0]));
    rd_kafka_event_destroy(ev);
    rd_kafka_NewTopic_destroy(t);
    rd_kafka_queue_destroy(q);
    wait_topic(rk, topic, partitions);
    return topic;
}

/* DescribeConfigs of one topic; the event holds the answer. */
static rd_kafka_event_t *describe(rd_kafka_t *rk, rd_kafka_queue_t *q, const char *topic,
                                  const rd_kafka_ConfigEntry_t ***out, size_t *out_n)
{
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    size_t n = 0;

    rd_kafka_DescribeConfigs(rk, &ask, 1, NULL, q);
    rd_kafka_event_t *ev = admin_result(q);
    rd_kafka_ConfigResource_destroy(ask);
    const rd_kafka_ConfigResource_t **list =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(ev), &n);
    cr_assert_eq(n, 1);
    cr_assert_eq(rd_kafka_ConfigResource_error(list[0]), RD_KAFKA_RESP_ERR_NO_ERROR, "%s",
                 rd_kafka_ConfigResource_error_string(list[0]));
    *out = rd_kafka_ConfigResource_configs(list[0], out_n);
    return ev;
}

char *stack_topic_config(const struct stack *st, const char *topic, const char *key)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    const rd_kafka_ConfigEntry_t **list = NULL;
    size_t n = 0;
    rd_kafka_event_t *ev = describe(rk, q, topic, &list, &n);
    char *value = NULL;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(list[i]), key) == 0) {
            value = xstrdup(rd_kafka_ConfigEntry_value(list[i]));
        }
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(q);
    cr_assert_not_null(value, "topic %s has no %s", topic, key);
    return value;
}

void stack_topic_set(const struct stack *st, const char *topic, const char *key, const char *value)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_ConfigResource_t *set = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    const rd_kafka_ConfigEntry_t **list = NULL;
    size_t n = 0;
    rd_kafka_event_t *ev = describe(rk, q, topic, &list, &n);

    for (size_t i = 0; i < n; i++) { /* AlterConfigs replaces the whole set */
        if (rd_kafka_ConfigEntry_source(list[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG &&
            strcmp(rd_kafka_ConfigEntry_name(list[i]), key) != 0) {
            rd_kafka_ConfigResource_set_config(set, rd_kafka_ConfigEntry_name(list[i]),
                                               rd_kafka_ConfigEntry_value(list[i]));
        }
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_ConfigResource_set_config(set, key, value);
    rd_kafka_AlterConfigs(rk, &set, 1, NULL, q);
    rd_kafka_event_destroy(admin_result(q));
    rd_kafka_ConfigResource_destroy(set);
    rd_kafka_queue_destroy(q);
    for (int i = 0; i < 100; i++) { /* until the next reader sees it */
        char *now CLEANUP(freep) = stack_topic_config(st, topic, key);
        if (strcmp(now, value) == 0) {
            return;
        }
        clock_sleep_ms(20);
    }
    cr_assert_fail("topic %s does not take %s", topic, key);
}

static rd_kafka_t *open_consumer(const struct stack *st, const char *isolation)
{
    const char *const rows[][2] = {{"bootstrap.servers", config_str(st->cfg, "kafka.brokers")},
                                   {"group.id", "sluice-test-unused"},
                                   {"isolation.level", isolation},
                                   {"enable.auto.commit", "false"},
                                   {"enable.partition.eof", "true"},
                                   {"fetch.wait.max.ms", "10"}};
    char why[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(rd_kafka_conf_set(conf, rows[i][0], rows[i][1], why, sizeof(why)), RD_KAFKA_CONF_OK, "%s", why);
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    cr_assert_not_null(rk, "%s", why);
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

int64_t stack_records(const struct stack *st, const char *topic, int32_t partition, const char *isolation)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_consumer(st, isolation);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t deadline = clock_mono_ms() + ADMIN_MS;
    int64_t n = 0;
    bool end = false;
    int64_t low = 0;
    int64_t high = 0;

    /* Also finds the partition's leader, which assign would look for only after a while. */
    cr_assert_eq(rd_kafka_query_watermark_offsets(rk, topic, partition, &low, &high, ADMIN_MS),
                 RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    cr_assert_eq(rd_kafka_assign(rk, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    while (!end) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(rk, 500);
        cr_assert_lt(clock_mono_ms(), deadline, "%s cannot be read to its end", topic);
        if (msg != NULL) {
            n += msg->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
            end = msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            rd_kafka_message_destroy(msg);
        }
    }
    return n;
}

void stack_delete_records(const struct stack *st, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(config_str(st->cfg, "kafka.brokers"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *del = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_DeleteRecords(rk, &del, 1, NULL, q);
    rd_kafka_event_t *ev = admin_result(q);
    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(ev));
    cr_assert_eq(done->elems[0].err, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(done->elems[0].err));
    rd_kafka_event_destroy(ev);
    rd_kafka_DeleteRecords_destroy(del);
    rd_kafka_queue_destroy(q);
}

struct producer *stack_producer(const struct stack *st, const char *transactional_id, producer_refused_fn refused,
                                void *opaque)
{
    char *id CLEANUP(freep) = xasprintf("%s%s", st->prefix, transactional_id);
    struct producer_options opt = {.client = "sluice-test",
                                   .transactional_id = id,
                                   .transaction_timeout_ms = 15000,
                                   .refused = refused,
                                   .opaque = opaque};
    struct producer *p = NULL;
    struct err err = {0};

    cr_assert_eq(producer_create(st->cfg, &opt, &p, &err), RC_OK, "%s", err.text);
    cr_assert_eq(producer_init(p, &err), RC_OK, "%s", err.text);
    return p;
}

enum rc stack_send(struct producer *p, const char *topic, int32_t partition, const char *key, const char *value,
                   int64_t tag, struct err *err)
{
    struct producer_record rec = {.topic = topic,
                                  .partition = partition,
                                  .key = key,
                                  .key_len = key != NULL ? strlen(key) : 0,
                                  .value = value,
                                  .value_len = value != NULL ? strlen(value) : 0};

    return producer_send(p, &rec, tag, err);
}

/* Deletes all topics whose name starts so. */
static void delete_topics(const char *brokers, const char *prefix)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = open_client(brokers);
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_DeleteTopic_t *list[256];
    size_t n = 0;

    if (rd_kafka_metadata(rk, 1, NULL, &md, 5000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    for (int i = 0; i < md->topic_cnt && n < ARRAY_SIZE(list); i++) {
        if (strncmp(md->topics[i].topic, prefix, strlen(prefix)) == 0) {
            list[n++] = rd_kafka_DeleteTopic_new(md->topics[i].topic);
        }
    }
    rd_kafka_metadata_destroy(md);
    if (n > 0) {
        rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
        rd_kafka_DeleteTopics(rk, list, n, NULL, q);
        rd_kafka_event_t *ev = rd_kafka_queue_poll(q, ADMIN_MS);
        if (ev != NULL) {
            rd_kafka_event_destroy(ev);
        }
        rd_kafka_queue_destroy(q);
        rd_kafka_DeleteTopic_destroy_array(list, n);
    }
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
    delete_topics(brokers, prefix);
}
