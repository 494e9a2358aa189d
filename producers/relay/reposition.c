/* SPDX-License-Identifier: Apache-2.0 */
/* Positions by hand: the same door as a relay goes through, one transaction. */
#include "relay/reposition.h"
#include "relay/closing.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "pg/conn.h"
#include "relay/wal.h"

#define PATIENCE_MS 30000 /* without a broker: enough for a command */

struct desk {
    const struct config *cfg;
    const struct source *src;
    PGconn *conn;
    struct producer *producer;
    char *topic;
    char *transactional_id;
    int32_t partition;
    int64_t began_ms;
};

static enum rc still_patient(void *opaque, struct err *err)
{
    struct desk *d = opaque;

    if (clock_mono_ms() - d->began_ms > PATIENCE_MS) {
        FAIL(err, RC_RETRY, "Kafka did not answer within %d s", PATIENCE_MS / 1000);
    }
    return RC_OK;
}

static void desk_done(struct desk *d)
{
    producer_destroy(d->producer);
    pg_close(d->conn);
    freep(&d->topic);
    freep(&d->transactional_id);
}

/* A session and a producer that is not initialised yet, so that looking fences nobody. */
static enum rc desk_open(struct desk *d, struct err *err)
{
    struct pg_options opt = {
        .app = "sluice relay position", .schema = config_str(d->cfg, "database.schema"), .statement_timeout_ms = 30000};
    int partitions = 0;

    d->topic = kafka_topic_name(d->cfg, POSITION_TOPIC);
    d->transactional_id = xasprintf("%ssluice-relay-%s", config_str(d->cfg, "topic.prefix"), d->src->name);
    struct producer_options popt = {.client = "sluice-relay-position",
                                    .transactional_id = d->transactional_id,
                                    .transaction_timeout_ms = 10000,
                                    .idle = still_patient,
                                    .opaque = d};
    TRY(pg_open(config_str(d->cfg, "database.url"), &opt, &d->conn, err));
    TRY(pg_require_direct(d->conn, err));
    TRY(producer_create(d->cfg, &popt, &d->producer, err));
    TRY(producer_topic_partitions(d->producer, d->topic, &partitions, err));
    if (partitions == 0) {
        FAIL(err, RC_FATAL, "topic %s does not exist; run `sluice topics apply`", d->topic);
    }
    d->partition = position_partition(d->src->name, partitions);
    return RC_OK;
}

static enum rc read_copy(struct desk *d, struct position_report *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {d->src->name, config_str(d->cfg, "topic.prefix")};

    TRY(pg_query(d->conn, "SELECT published, owner FROM sluice_relay_positions WHERE source = $1 AND topic_prefix = $2",
                 2, params, &res, err));
    out->copied = PQntuples(res) > 0 ? pg_int(res, 0, 0, 0) : -1;
    snprintf(out->owner, sizeof(out->owner), "%s", PQntuples(res) > 0 ? pg_text(res, 0, 1) : "");
    return RC_OK;
}

static enum rc show(struct desk *d, struct position_report *out, struct err *err)
{
    struct err why;

    TRY(desk_open(d, err));
    TRY(db_identity_read(d->conn, &out->db, err));
    TRY(read_copy(d, out, err));
    TRY(position_read(d->cfg, d->topic, d->partition, d->src->name, POSITION_GLANCE, still_patient, d, &out->kafka,
                      &out->found, err));
    if (!out->found) {
        snprintf(out->state, sizeof(out->state), "%s", out->copied <= 0 ? "" : "state position_lost");
    } else if (position_guard(&out->kafka, &out->db, d->conn, d->src->name, &why) != RC_OK) {
        snprintf(out->state, sizeof(out->state), "%s", why.text);
    }
    return RC_OK;
}

enum rc reposition_show(const struct config *cfg, const struct source *src, struct position_report *out,
                        struct err *err)
{
    struct desk d = {.cfg = cfg, .src = src, .began_ms = clock_mono_ms()};

    *out = (struct position_report){.copied = -1};
    enum rc rc = show(&d, out, err);
    desk_done(&d);
    if (rc != RC_OK) {
        position_done(&out->kafka);
    }
    return rc;
}

static enum rc take_lock(struct desk *d, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {d->transactional_id};

    TRY(pg_query(d->conn, "SELECT pg_try_advisory_lock(hashtext('sluice'), hashtext($1))", 1, params, &res, err));
    if (pg_text(res, 0, 0)[0] != 't') {
        FAIL(err, RC_FENCED, "source %s is owned by a running relay; stop every relay first", d->src->name);
    }
    return RC_OK;
}

/*
 * Rows that came with a dump carry transaction ids of another cluster: they would show up whenever this one gets there.
 * They are stamped with an id of this database; the order of queue_seq stays.
 */
static enum rc adopt_foreign_rows(struct desk *d, enum reposition_to to, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char *table CLEANUP(freep) = pg_quote_ident(d->conn, d->src->table);
    char *count CLEANUP(freep) =
        xasprintf("SELECT count(*) FROM %s WHERE queue_txid >= pg_snapshot_xmax(pg_current_snapshot())", table);
    char *stamp CLEANUP(freep) = xasprintf("UPDATE %s SET queue_txid = pg_current_xact_id()"
                                           " WHERE queue_txid >= pg_snapshot_xmax(pg_current_snapshot())",
                                           table);

    TRY(pg_exec(d->conn, count, &res, err));
    if (pg_int(res, 0, 0, 0) == 0) {
        return RC_OK;
    }
    if (to != REPOSITION_START && to != REPOSITION_NOW) {
        FAIL(err, RC_REJECT,
             "%s rows of %s carry transaction ids this database has not begun, as after a restore from a dump: no "
             "snapshot "
             "can tell which of them are published; expected start or now",
             pg_text(res, 0, 0), d->src->table);
    }
    return pg_exec(d->conn, stamp, NULL, err);
}

/* The snapshot that shall count as published. */
static enum rc choose(struct desk *d, enum reposition_to to, const char *snapshot, struct position *pos, bool found,
                      struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {snapshot};
    enum rc rc = RC_OK;

    switch (to) {
    case REPOSITION_START:
        position_set(pos, SNAPSHOT_NOTHING, SNAPSHOT_NOTHING, 0);
        return RC_OK;
    case REPOSITION_ACCEPT:
        if (!found) {
            FAIL(err, RC_REJECT, "source %s has no position to accept", d->src->name);
        }
        return RC_OK;
    case REPOSITION_NOW:
        TRY(pg_exec(d->conn, "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text", &res, err));
        position_set(pos, pg_text(res, 0, 0), pg_text(res, 0, 0), pos->last_seq);
        return wal_wait_flushed(d->conn, pg_text(res, 0, 1), err);
    case REPOSITION_SNAPSHOT:
        rc = pg_query(d->conn, "SELECT $1::pg_snapshot::text", 1, params, &res, err);
        if (rc != RC_OK) {
            return rc == RC_RETRY
                       ? rc
                       : err_set(err, RC_REJECT, __FILE__, __LINE__,
                                 "\"%s\" is no snapshot; expected xmin:xmax:xip,... as pg_current_snapshot() gives",
                                 snapshot);
        }
        position_set(pos, pg_text(res, 0, 0), pg_text(res, 0, 0), pos->last_seq);
        return RC_OK;
    }
    return RC_OK;
}

static enum rc write_position(struct desk *d, const struct position *pos, struct err *err)
{
    struct buf value;

    buf_init(&value, POSITION_VALUE_MAX);
    position_encode(pos, d->src->name, &value);
    enum rc rc = producer_begin(d->producer, err);
    if (rc == RC_OK) {
        rc = position_send(d->producer, d->topic, d->partition, d->src->name, &value, 0, err);
    }
    if (rc == RC_OK) {
        rc = producer_commit(d->producer, err);
    }
    producer_destroy(d->producer); /* before the value it points to */
    d->producer = NULL;
    buf_done(&value);
    return rc;
}

static enum rc end_hanging(struct desk *d, struct err *err)
{
    const struct closing_options opt = {.cfg = d->cfg,
                                        .transactional_id = d->transactional_id,
                                        .position_topic = d->topic,
                                        .position_partition = d->partition,
                                        .source = d->src->name,
                                        .idle = still_patient,
                                        .idle_opaque = d};

    return relay_end_hanging(&d->producer, &opt, err);
}

static enum rc set(struct desk *d, enum reposition_to to, const char *snapshot, struct position *pos, struct err *err)
{
    bool found = false;

    TRY(desk_open(d, err));
    TRY(take_lock(d, err));
    TRY(producer_init(d->producer, err));
    TRY(end_hanging(d, err));
    TRY(position_read(d->cfg, d->topic, d->partition, d->src->name, POSITION_FENCED, still_patient, d, pos, &found,
                      err));
    TRY(adopt_foreign_rows(d, to, err));
    TRY(choose(d, to, snapshot, pos, found, err));
    TRY(db_identity_read(d->conn, &pos->db, err));
    TRY(write_position(d, pos, err));
    return position_copy(d->conn, pos, config_str(d->cfg, "topic.prefix"), d->src, "sluice relay position set", err);
}

enum rc reposition_set(const struct config *cfg, const struct source *src, enum reposition_to to, const char *snapshot,
                       struct position *out, struct err *err)
{
    struct desk d = {.cfg = cfg, .src = src, .began_ms = clock_mono_ms()};

    *out = (struct position){.s1 = NULL};
    enum rc rc = set(&d, to, snapshot, out, err);
    desk_done(&d);
    if (rc != RC_OK) {
        position_done(out);
    }
    return rc;
}
