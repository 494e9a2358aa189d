/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership of a source, in the one order that loses and doubles nothing. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "relay/closing.h"
#include "relay/lane_internal.h"

static enum rc open_session(struct lane *l, struct err *err)
{
    struct pg_options opt = {.app = "sluice relay",
                             .schema = config_str(l->cfg, "database.schema"),
                             .statement_timeout_ms = config_int(l->cfg, "relay.statement.timeout.ms"),
                             .idle_timeout_ms = config_int(l->cfg, "relay.lock.timeout.ms")};

    TRY(pg_open(config_str(l->cfg, "database.url"), &opt, &l->conn, err));
    TRY(pg_require_direct(l->conn, err));
    /*
     * Plans must not depend on statistics of a table that changes all the time: every read is an ordered index scan.
     * (A bitmap scan would fetch and sort the whole rest of a window for each chunk of it.)
     */
    TRY(pg_exec(l->conn,
                "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;"
                " SET max_parallel_workers_per_gather = 0; SET plan_cache_mode = force_custom_plan;"
                /* DDL on an outbox: say so and start over, rather than wait deaf to SIGTERM. */
                " SET lock_timeout = 5000",
                NULL, err));
    TRY(source_check_schema(l->src, l->set, err));
    return source_check_database(l->src, l->conn, err);
}

/* The lock makes instances polite; what makes a stale one harmless is the producer's epoch. */
static enum rc wait_for_lock(struct lane *l, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {l->transactional_id};
    bool told = false;

    while (!role_stopping(l->ctx)) {
        TRY(pg_query(l->conn, "SELECT pg_try_advisory_lock(hashtext('sluice'), hashtext($1))", 1, params, &res, err));
        l->heartbeat_ms = clock_mono_ms();
        role_tick(l->watch);
        if (pg_text(res, 0, 0)[0] == 't') {
            return RC_OK;
        }
        if (!told) {
            role_ready(l->ctx, l->part, true, "standby");
            log_info("relay", "standby: another instance owns the source", KV_S("source", l->src->name));
            told = true;
        }
        role_wait_ms(l->ctx, config_int(l->cfg, "relay.standby.poll.ms"));
    }
    FAIL(err, RC_RETRY, "stopping");
}

static enum rc require_topic(struct lane *l, const char *topic, int *out_partitions, struct err *err)
{
    TRY(producer_topic_partitions(l->producer, topic, out_partitions, err));
    if (*out_partitions == PRODUCER_TOPIC_FORBIDDEN) {
        FAIL(err, RC_FATAL, "topic %s: not authorised; `sluice topics acl` prints the rights a relay needs", topic);
    }
    if (*out_partitions == 0) {
        FAIL(err, RC_RETRY, "topic %s does not exist; run `sluice topics apply`", topic);
    }
    return RC_OK;
}

static enum rc check_topics(struct lane *l, struct err *err)
{
    int partitions = 0;

    for (const char *const *t = batch_required_topics(l->batch); *t != NULL; t++) {
        TRY(require_topic(l, *t, &partitions, err));
    }
    TRY(require_topic(l, l->position_topic, &partitions, err));
    l->position_partition = position_partition(l->src->name, partitions);
    return RC_OK;
}

static void on_refused(void *opaque, int64_t tag, rd_kafka_resp_err_t why)
{
    struct lane *l = opaque;

    batch_refused(l->batch, tag, why);
}

static enum rc open_producer(struct lane *l, struct err *err)
{
    struct producer_options opt = {.client = "sluice-relay",
                                   .transactional_id = l->transactional_id,
                                   .transaction_timeout_ms = (int)config_int(l->cfg, "relay.txn.timeout.ms"),
                                   .idle = lane_idle,
                                   .refused = on_refused,
                                   .opaque = l};

    TRY(producer_create(l->cfg, &opt, &l->producer, err));
    return check_topics(l, err);
}

/* No position in Kafka: the first start, or somebody lost the topic. The copy in PostgreSQL tells which. */
static enum rc first_position(struct lane *l, const struct db_identity *db, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {l->src->name, config_str(l->cfg, "topic.prefix")};

    TRY(pg_query(
        l->conn,
        "SELECT published FROM sluice_relay_positions WHERE source = $1 AND topic_prefix = $2 AND published > 0", 2,
        params, &res, err));
    if (PQntuples(res) > 0) {
        FAIL(err, RC_FATAL,
             "source %s: state position_lost: %s holds no position, but PostgreSQL remembers %s published rows; going "
             "on "
             "would publish all of them again; see `sluice relay position`",
             l->src->name, l->position_topic, pg_text(res, 0, 0));
    }
    position_set(&l->pos, SNAPSHOT_NOTHING, SNAPSHOT_NOTHING, 0);
    l->pos.db = *db;
    return RC_OK;
}

static enum rc find_position(struct lane *l, const struct db_identity *db, enum position_when when, struct err *err)
{
    bool found = false;

    position_done(&l->pos);
    TRY(position_read(l->cfg, l->position_topic, l->position_partition, l->src->name, when, lane_idle, l, &l->pos,
                      &found, err));
    if (!found) {
        /* A first commit may not be stable yet: at a glance nothing is not lost. */
        return when == POSITION_GLANCE ? RC_OK : first_position(l, db, err);
    }
    return position_guard(&l->pos, db, l->conn, l->src->name, err);
}

static enum rc end_hanging(struct lane *l, struct err *err)
{
    const struct closing_options opt = {.cfg = l->cfg,
                                        .transactional_id = l->transactional_id,
                                        .position_topic = l->position_topic,
                                        .position_partition = l->position_partition,
                                        .source = l->src->name,
                                        .idle = lane_idle,
                                        .idle_opaque = l};

    return lane_producer_rc(relay_end_hanging(&l->producer, &opt, err), err);
}

/*
 * The position is read twice. Before the fencing it may still move and serves only the guards: a relay that was pointed
 * at the wrong database must not fence the right one. What counts is what stands there after the fencing.
 */
static enum rc fence_and_find(struct lane *l, struct err *err)
{
    struct db_identity db = {.timeline = 0};

    TRY(db_identity_read(l->conn, &db, err));
    TRY(find_position(l, &db, POSITION_GLANCE, err));
    TRY(producer_init(l->producer, err));
    TRY(end_hanging(l, err));
    return find_position(l, &db, POSITION_FENCED, err);
}

static enum rc make_tools(struct lane *l, struct err *err)
{
    struct batch_limits limits = {.rows_max = config_int(l->cfg, "relay.batch.rows.max"),
                                  .bytes_max = config_int(l->cfg, "relay.batch.bytes.max"),
                                  .record_bytes_max = config_int(l->cfg, "relay.record.bytes.max")};

    if (l->src->raw) {
        limits.record_bytes_max += RAW_EXTRA_BYTES;
    }
    TRY(batch_create(l->cfg, l->src, l->set, &limits, &l->batch, err));
    TRY(batch_create(l->cfg, l->src, l->set, &limits, &l->ahead, err));
    window_sql_init(&l->sql, l->src, l->conn, limits.record_bytes_max);
    if (l->src->queue == QUEUE_STATUS) {
        TRY(sweep_init(&l->sweep, l->src, l->conn, err));
    }
    return prune_init(&l->prune, l->src, l->conn, err);
}

enum rc lane_take_over(struct lane *l, struct err *err)
{
    TRY(open_session(l, err));
    TRY(make_tools(l, err));
    TRY(wait_for_lock(l, err));
    role_ready(l->ctx, l->part, false, "taking over");
    TRY(open_producer(l, err));
    TRY(fence_and_find(l, err));
    l->copy_due = true;
    log_info("relay", "took over", KV_S("source", l->src->name), KV_S("txn_id", l->transactional_id),
             KV_S("snapshot", l->pos.s1), KV_S("window", position_mid_window(&l->pos) ? l->pos.s2 : "none"),
             KV_I("last_seq", l->pos.last_seq));
    role_ready(l->ctx, l->part, true, "owner");
    l->following = true;
    return RC_OK;
}

void lane_release(struct lane *l)
{
    /* The producer first: once the lock is free, its successor will fence it anyway. */
    producer_destroy(l->producer);
    l->producer = NULL;
    l->batch = batch_free(l->batch);
    l->ahead = batch_free(l->ahead);
    l->scan = (struct window_scan){.running = false}; /* ends with the session */
    window_sql_done(&l->sql);
    sweep_done(&l->sweep);
    prune_done(&l->prune);
    position_done(&l->pos);
    pg_closep(&l->conn);
    l->copy_due = false;
    l->following = false;
    l->publish_ms = 0;
    l->prune_at_ms = 0;
    l->late = false;
    l->away = false;
}
