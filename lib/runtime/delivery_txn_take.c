/* SPDX-License-Identifier: Apache-2.0 */
/* Where partitions stand when they are taken; the first time: their log's start, committed and noted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "kafka/rc.h"
#include "pg/conn.h"
#include "runtime/delivery_offsets.h"
#include "runtime/delivery_txn_internal.h"

#define ASK_MS 2000
#define STATEMENT_TIMEOUT_MS 5000

static enum rc open_session(const struct txn *t, PGconn **out_conn, struct err *err)
{
    struct pg_options opt = {.app = t->opt.client,
                             .schema = config_str(t->opt.cfg, "database.schema"),
                             .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    return pg_open(config_str(t->opt.cfg, "database.url"), &opt, out_conn, err);
}

/* Those that are noted already are as they were. */
static enum rc note(const struct txn *t, PGconn *conn, const struct txn_part *p, struct err *err)
{
    static const char sql[] = "INSERT INTO sluice_delivery_partitions (\"group\", topic, partition, first_offset)"
                              " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    char partition[16];
    char offset[24];
    const char *params[] = {t->opt.group, t->opt.topic, partition, offset};

    snprintf(partition, sizeof(partition), "%d", (int)p->partition);
    snprintf(offset, sizeof(offset), "%lld", (long long)p->offset);
    return pg_query(conn, sql, 4, params, NULL, err);
}

static enum rc is_noted(const struct txn *t, PGconn *conn, int32_t partition, bool *out_noted, struct err *err)
{
    static const char sql[] = "SELECT 1 FROM sluice_delivery_partitions"
                              " WHERE \"group\" = $1 AND topic = $2 AND partition = $3";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char number[16];
    const char *params[] = {t->opt.group, t->opt.topic, number};

    snprintf(number, sizeof(number), "%d", (int)partition);
    TRY(pg_query(conn, sql, 3, params, &res, err));
    *out_noted = PQntuples(res) > 0;
    return RC_OK;
}

static enum rc log_start(const struct txn *t, struct txn_part *p, struct err *err)
{
    int64_t high = 0;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(t->opt.consumer, t->opt.topic, p->partition, &p->offset, &high, ASK_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_fail(err, code, NULL, "cannot ask for the start of %s", t->opt.topic);
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    p->metadata = xstrdup("1 0");
    p->metadata_len = 3;
    return RC_OK;
}

/* Commits the log's start of all in first. */
static enum rc commit_first(struct txn *t, struct txn_job *first, struct err *err)
{
    enum rc rc = txn_transaction(t, first, err);

    if (rc == RC_RETRY) {
        rc = producer_abort(t->producer, err);
        if (rc == RC_OK) {
            FAIL(err, RC_RETRY, "the log's start could not be committed");
        }
    }
    if (rc != RC_OK) {
        txn_drop_producer(t, rc);
        TRY(txn_wanted(t, err));
        err->rc = RC_RETRY; /* all of it again: what is committed now is found then */
        return RC_RETRY;
    }
    return RC_OK;
}

/* Partitions without a committed offset: first ones, or lost ones. */
static enum rc begin_those(struct txn *t, PGconn *conn, struct txn_job *job, struct err *err)
{
    struct txn_part *list CLEANUP(freep) = xcalloc(job->n_parts, sizeof(*list));
    struct txn_job first = {.kind = TXN_COMMIT, .parts = list};

    for (size_t i = 0; i < job->n_parts; i++) {
        struct txn_part *p = &job->parts[i];
        bool noted = false;
        if (p->offset >= 0) {
            continue;
        }
        TRY(is_noted(t, conn, p->partition, &noted, err));
        if (noted) {
            p->state = TXN_PART_LOST;
            continue;
        }
        TRY(log_start(t, p, err));
        list[first.n_parts++] = *p; /* shares the metadata */
    }
    return first.n_parts > 0 ? commit_first(t, &first, err) : RC_OK;
}

static enum rc note_all(const struct txn *t, PGconn *conn, const struct txn_job *job, struct err *err)
{
    for (size_t i = 0; i < job->n_parts; i++) {
        if (job->parts[i].state == TXN_PART_OK) {
            TRY(note(t, conn, &job->parts[i], err));
        }
    }
    return RC_OK;
}

static enum rc look_up(struct txn *t, struct txn_job *job, struct err *err)
{
    struct txn_part *found CLEANUP(freep) = xcalloc(job->n_parts, sizeof(*found));

    TRY(txn_committed(t, job->parts, job->n_parts, found, err));
    for (size_t i = 0; i < job->n_parts; i++) {
        free(job->parts[i].metadata);
        job->parts[i] = found[i];
        job->parts[i].state = TXN_PART_OK;
    }
    return RC_OK;
}

/*
 * init_transactions comes before the offsets are read: what this id left open is ended by it. PostgreSQL is needed only
 * where there is no committed offset; else a rebalance works without it, and the note is made next time.
 */
enum rc txn_take(struct txn *t, struct txn_job *job, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    bool missing = false;

    TRY(txn_need_producer(t, err));
    if (job->n_parts == 0) {
        return RC_OK;
    }
    TRY(look_up(t, job, err));
    for (size_t i = 0; i < job->n_parts; i++) {
        missing = missing || job->parts[i].offset < 0;
    }
    enum rc rc = open_session(t, &conn, err);
    if (rc == RC_OK && missing) {
        rc = begin_those(t, conn, job, err);
    }
    if (rc == RC_OK) {
        rc = note_all(t, conn, job, err);
    }
    if (rc != RC_OK && !missing) {
        log_warn("delivery", "partitions are not noted in PostgreSQL", KV_S("group", t->opt.group), KV_ERR(err));
        return RC_OK;
    }
    return rc;
}
