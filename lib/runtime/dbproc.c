/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a database processor: session, partitions, batch, and what to do when one of them fails. */
#include "runtime/dbproc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "pg/conn.h"
#include "runtime/dbproc_internal.h"

#define SLICE_MS 100
#define WATCHDOG_EXTRA_MS 60000
#define RETRY_BASE_MS 20
#define RETRY_MAX_MS 2000
#define AWAY_MAX_MS 5000
#define USUAL_FAILURES 3    /* in a row: deadlocks, leaders that move */
#define KEEP_BATCH_MS 20000 /* of repeating without asking Kafka for more; it must stay below max.poll.interval.ms */

int64_t dbproc_option(const struct dbproc *d, const char *name)
{
    char *full CLEANUP(freep) = xasprintf("%s.%s", d->proc->role, name);

    return config_int(d->cfg, full);
}

char *dbproc_group_name(const struct config *cfg, const char *role)
{
    char *option CLEANUP(freep) = xasprintf("%s.group", role);

    return kafka_topic_name(cfg, config_str(cfg, option));
}

static enum rc check_tables(PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(conn, "SELECT to_regclass('sluice_positions') IS NULL OR to_regclass('dead_letter_outbox') IS NULL",
                &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL, "table sluice_positions or dead_letter_outbox does not exist; run `sluice migrate`");
    }
    return RC_OK;
}

/*
 * An instance that has frozen within a transaction holds its position rows: PostgreSQL ends its session when the group
 * has given the partitions to somebody else, who waits for them.
 */
static enum rc set_session(struct dbproc *d, PGconn *conn, struct err *err)
{
    char *sql CLEANUP(freep) =
        xasprintf("SET lock_timeout = %" PRId64 "; SET idle_in_transaction_session_timeout = %" PRId64,
                  dbproc_option(d, "lock.timeout.ms"), dbproc_option(d, "session.timeout.ms"));

    TRY(pg_exec(conn, sql, NULL, err));
    TRY(check_tables(conn, err));
    return d->proc->session != NULL ? d->proc->session(d->proc->self, conn, err) : RC_OK;
}

static enum rc connect_database(struct dbproc *d, struct err *err)
{
    char *app CLEANUP(freep) = xasprintf("sluice %s", d->proc->role);
    struct pg_options opt = {.app = app,
                             .schema = config_str(d->cfg, "database.schema"),
                             .statement_timeout_ms = dbproc_option(d, "statement.timeout.ms")};
    PGconn *conn CLEANUP(pg_closep) = NULL;

    TRY(pg_open(config_str(d->cfg, "database.url"), &opt, &conn, err));
    TRY(pg_require_direct(conn, err));
    TRY(set_session(d, conn, err));
    d->conn = conn;
    conn = NULL;
    role_ready(d->ctx, "database", true, "connected");
    return RC_OK;
}

/* Notices without a question that the server has closed the session. */
static enum rc check_session(struct dbproc *d, struct err *err)
{
    if (PQconsumeInput(d->conn) != 1 || PQstatus(d->conn) != CONNECTION_OK) {
        return pg_fail(d->conn, NULL, err);
    }
    return RC_OK;
}

static enum rc process(struct dbproc *d, struct err *err)
{
    enum rc rc = dbproc_txn_batch(d, err);

    if (rc == RC_OK) {
        dbproc_batch_clear(&d->batch);
        d->failures = 0;
    }
    return rc;
}

/* One turn: everything that is due, then records, then their effects. */
static enum rc turn(struct dbproc *d, struct err *err)
{
    if (d->conn == NULL) {
        TRY(connect_database(d, err));
    }
    TRY(check_session(d, err));
    if (d->batch.n > 0) {
        TRY(process(d, err)); /* what the last turn could not finish */
    }
    if (dbproc_parts_due(d)) {
        TRY(dbproc_parts_take(d, err));
        d->failures = 0;
    }
    if (d->assign_due) {
        TRY(dbproc_consumer_assign(d, err));
    }
    if (d->parts_changed) {
        dbproc_parts_ready(d);
    }
    TRY(dbproc_consumer_gather(d, SLICE_MS, err));
    TRY(d->batch.n > 0 ? process(d, err) : dbproc_txn_idle(d, err));
    dbproc_consumer_copy(d, false);
    return dbproc_txn_tick(d, err);
}

/* The session is gone, or its batch has been repeated for long: start again from the rows, whatever was committed. */
static enum rc start_over(struct dbproc *d, bool session_gone, const struct err *why, struct err *err)
{
    dbproc_parts_lost(d, session_gone ? "the session with PostgreSQL is lost" : "repeated in vain");
    if (session_gone) {
        pg_closep(&d->conn);
        role_ready(d->ctx, "database", false, why->text);
    }
    if (d->parts_changed) {
        dbproc_parts_ready(d);
    }
    return d->assign_due ? dbproc_consumer_assign(d, err) : RC_OK;
}

/* After RETRY: waits as long as it seems right. */
static enum rc wait_and_retry(struct dbproc *d, const struct err *why, struct err *err)
{
    bool session_gone = d->conn == NULL || PQstatus(d->conn) != CONNECTION_OK;
    int64_t now = clock_mono_ms();

    metric_inc(d->m.retries);
    d->failed_at_ms = d->failures == 0 ? now : d->failed_at_ms;
    bool long_since = now - d->failed_at_ms > KEEP_BATCH_MS;
    int64_t wait =
        clock_backoff_ms(d->failures++, RETRY_BASE_MS, session_gone || long_since ? AWAY_MAX_MS : RETRY_MAX_MS);
    log_write(d->failures > USUAL_FAILURES ? LOG_WARN : LOG_INFO, d->proc->role, "repeated later",
              KV_I("wait_ms", wait), KV_I("failures", d->failures),
              KV_I("records", (int64_t)(d->batch.n - d->batch.done)), KV_ERR(why), KV_END);
    if (session_gone || long_since) {
        TRY(start_over(d, session_gone, why, err));
    }
    if (d->batch.n > 0) {
        (void)role_wait_ms(d->ctx, wait); /* the batch is kept: Kafka must not give us more */
        return RC_OK;
    }
    return dbproc_consumer_idle(d, wait, err);
}

static enum rc loop(struct dbproc *d, struct err *err)
{
    while (!role_stopping(d->ctx)) {
        struct err why = {0};
        role_tick(d->watch);
        enum rc rc = turn(d, &why);
        if (rc == RC_RETRY) {
            TRY(wait_and_retry(d, &why, err));
        } else if (rc != RC_OK) {
            *err = why;
            err->rc = RC_FATAL; /* neither REJECT nor FENCED is left here for a reason of the records */
            return RC_FATAL;
        }
    }
    return RC_OK;
}

static void make_metrics(struct dbproc *d)
{
    static const double rows[] = {1, 10, 50, 100, 500, 1000, 5000};

#define GROUP "group=\"%s\"", d->group
    d->m.batch_rows = metric_histogram("sluice_processor_batch_records", "Records of a committed transaction.", rows,
                                       ARRAY_SIZE(rows), GROUP);
    d->m.batch_seconds = metric_histogram("sluice_processor_batch_seconds", "From BEGIN to the answer to COMMIT.",
                                          METRIC_SECONDS, METRIC_SECONDS_N, GROUP);
    d->m.fenced = metric_counter("sluice_processor_fenced_total",
                                 "Partitions dropped because their row had another epoch or offset.", GROUP);
    d->m.retries = metric_counter("sluice_processor_retries_total", "Times something was repeated later.", GROUP);
    d->m.rebalances = metric_counter("sluice_processor_rebalances_total", "Assignments by the group.", GROUP);
#undef GROUP
    for (size_t i = 0; i < d->n_sources; i++) {
        struct dbproc_source *s = &d->sources[i];
        s->ok = metric_counter("sluice_processor_records_total", "Records whose effect is committed.",
                               "group=\"%s\",topic=\"%s\",result=\"ok\"", d->group, s->name);
        s->dead = metric_counter("sluice_processor_records_total", "Records whose effect is committed.",
                                 "group=\"%s\",topic=\"%s\",result=\"dead_letter\"", d->group, s->name);
    }
}

static void dbproc_init(struct dbproc *d, const struct dbproc_topic *topics, size_t n_topics)
{
    assert(n_topics >= 1 && n_topics <= DBPROC_TOPICS_MAX);
    d->group = dbproc_group_name(d->cfg, d->proc->role);
    for (size_t i = 0; i < n_topics; i++) {
        d->sources[d->n_sources++] =
            (struct dbproc_source){.topic = &topics[i], .name = kafka_topic_name(d->cfg, topics[i].name)};
    }
    dbproc_batch_init(&d->batch, (size_t)dbproc_option(d, "batch.rows.max"));
    make_metrics(d);
    d->watch = role_watch(d->ctx, "processor", dbproc_option(d, "statement.timeout.ms") + WATCHDOG_EXTRA_MS);
    role_ready(d->ctx, "database", false, "connecting");
    role_ready(d->ctx, "partitions", false, "joining the group");
}

static void dbproc_done(struct dbproc *d)
{
    role_unwatch(d->ctx, d->watch);
    pg_closep(&d->conn);
    dbproc_batch_done(&d->batch);
    for (size_t i = 0; i < d->n_sources; i++) {
        free(d->sources[i].name);
    }
    free(d->parts);
    free(d->group);
}

enum rc dbproc_run(struct role_ctx *ctx, const struct dbproc_topic *topics, size_t n_topics,
                   const struct dbproc_processor *proc, struct err *err)
{
    struct dbproc d = {.ctx = ctx, .cfg = role_config(ctx), .proc = proc};

    dbproc_init(&d, topics, n_topics);
    enum rc rc = dbproc_consumer_open(&d, err);
    if (rc == RC_OK) {
        rc = loop(&d, err);
        dbproc_consumer_copy(&d, true);
    }
    dbproc_consumer_close(&d);
    dbproc_done(&d);
    return rc;
}
