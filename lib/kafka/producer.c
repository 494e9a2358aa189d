/* SPDX-License-Identifier: Apache-2.0 */
/* The transactional producer: error classes folded into reactions, waits in slices. */
#include "kafka/producer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/producer_internal.h"
#include "kafka/rc.h"

#define OFFSETS_TIMEOUT_MS 5000
#define AWAY_ASK_MS 1000
#define AWAY_TIMEOUT_MS 300
#define SOCKET_TIMEOUT_MS 10000
#define CALL_SLICE_MS 1000 /* relay.lock.timeout.ms is at least twice as long */

/* Registered even though most reports say nothing: without a callback each commit sleeps in steps of 10 ms. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    struct producer *p = opaque;

    (void)rk;
    if (p->refused != NULL && kafka_rc(msg->err) == RC_REJECT) {
        p->refused(p->opaque, (int64_t)(intptr_t)msg->_private, msg->err);
    }
}

/* ALL_BROKERS_DOWN comes once, and nothing says that they are back: see producer_is_away. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct producer *p = opaque;

    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        p->away = true;
        p->lost = p->ready;
    }
    log_write(LOG_WARN, "kafka", "client error", KV_S("client", rd_kafka_name(rk)),
              KV_S("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)), KV_S("text", reason), KV_END);
}

bool producer_is_lost(struct producer *p)
{
    rd_kafka_poll(p->rk, 0);
    return p->lost;
}

/* What is reported meanwhile is served first. */
static enum rc check_lost(struct producer *p, struct err *err)
{
    if (producer_is_lost(p)) {
        FAIL(err, RC_FATAL, "no Kafka broker could be reached during a transaction");
    }
    return RC_OK;
}

bool producer_is_away(struct producer *p)
{
    const struct rd_kafka_metadata *md = NULL;

    rd_kafka_poll(p->rk, 0);
    if (p->away && clock_mono_ms() - p->away_asked_ms > AWAY_ASK_MS) {
        p->away_asked_ms = clock_mono_ms();
        if (rd_kafka_metadata(p->rk, 0, NULL, &md, AWAY_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(md);
            p->away = false;
        }
    }
    return p->away;
}

static enum rc configure(rd_kafka_conf_t *conf, const struct config *cfg, const struct producer_options *opt,
                         struct err *err)
{
    char timeout[16];
    char socket[16];
    const struct {
        const char *key;
        const char *value;
        bool fixed; /* else the user may tune it */
    } rows[] = {
        {"transactional.id", opt->transactional_id, true},
        {"transaction.timeout.ms", timeout, true},
        {"message.timeout.ms", timeout, true},
        {"socket.timeout.ms", socket, false},    /* librdkafka wants it within the transaction's */
        {"partitioner", "murmur2_random", true}, /* as Java clients: one key, one partition, whoever writes */
        {"linger.ms", "5", false},
        {"batch.num.messages", "10000", false},
        {"batch.size", "1000000", false},
        {"queue.buffering.max.messages", "100000", false},
        {"queue.buffering.max.kbytes", "65536", false},
        {"compression.type", "lz4", false},
        {"retry.backoff.ms", "20", false},
        /* Our own limit is the topic's; the client's must not be the lower one. */
        {"message.max.bytes", "16777216", false},
    };

    snprintf(timeout, sizeof(timeout), "%d", opt->transaction_timeout_ms);
    snprintf(socket, sizeof(socket), "%d",
             opt->transaction_timeout_ms < SOCKET_TIMEOUT_MS ? opt->transaction_timeout_ms : SOCKET_TIMEOUT_MS);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        TRY(rows[i].fixed ? kafka_conf_set(conf, rows[i].key, rows[i].value, err)
                          : kafka_conf_default(conf, cfg, rows[i].key, rows[i].value, err));
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    return RC_OK;
}

enum rc producer_create(const struct config *cfg, const struct producer_options *opt, struct producer **out_producer,
                        struct err *err)
{
    struct producer *p = NULL;
    rd_kafka_conf_t *conf = NULL;
    enum rc rc = RC_OK;

    TRY(kafka_conf_create(cfg, opt->client, &conf, err));
    rc = configure(conf, cfg, opt, err);
    if (rc != RC_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    p = xcalloc(1, sizeof(*p));
    p->idle = opt->idle;
    p->opaque = opt->opaque;
    p->refused = opt->refused;
    p->slice_ms = PRODUCER_SLICE_MS;
    p->commit_slice_ms = opt->commit_slice_ms > 0 ? opt->commit_slice_ms : CALL_SLICE_MS;
    rd_kafka_conf_set_opaque(conf, p);
    rc = kafka_new(RD_KAFKA_PRODUCER, conf, &p->rk, err);
    if (rc != RC_OK) {
        free(p);
        return rc;
    }
    *out_producer = p;
    return RC_OK;
}

/*
 * Leaves the state in which partitions are added to the transaction. Destroyed in that state, librdkafka (2.0.2) may
 * just be asking the coordinator to add one: its broker thread then fails the request before its main thread has
 * counted it, and the process ends ("Assertion `rk->rk_eos.txn_req_cnt > 0' failed"). The main thread serves in order,
 * so what begin_transaction returns, most likely that it is not valid now, says that the abort has begun. Nothing is
 * waited for; where no record is on its way, an abort may still be sent, as the next init would do. A commit that is
 * under way refuses both calls and is left alone: nothing is added any more behind the flush of producer_commit.
 */
static void withdraw(struct producer *p)
{
    rd_kafka_error_t *abort_error = rd_kafka_abort_transaction(p->rk, 0);
    rd_kafka_error_t *begin_error = rd_kafka_begin_transaction(p->rk);

    rd_kafka_error_destroy(abort_error);
    rd_kafka_error_destroy(begin_error);
}

void producer_destroy(struct producer *p)
{
    if (p == NULL) {
        return;
    }
    if (p->open) {
        withdraw(p);
    }
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(p->rk, 0);
    kafka_destroy(p->rk);
    producer_forget_topics(p);
    free(p);
}

/* Consumes e. A retriable error gives RC_OK with *out_again set. */
static enum rc classify(rd_kafka_error_t *e, const char *what, bool *out_again, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    enum rc rc = RC_FATAL;

    *out_again = false;
    if (code == RD_KAFKA_RESP_ERR__FENCED || kafka_rc(code) == RC_FENCED) {
        rc = RC_FENCED;
    } else if (rd_kafka_error_is_fatal(e)) {
        rc = RC_FATAL;
    } else if (rd_kafka_error_txn_requires_abort(e)) {
        rc = RC_RETRY;
    } else if (rd_kafka_error_is_retriable(e)) {
        *out_again = true;
        rd_kafka_error_destroy(e);
        return RC_OK;
    }
    err_set(err, rc, __FILE__, __LINE__, "Kafka %s: %s", what, rd_kafka_error_string(e));
    err_code(err, rd_kafka_err2name(code));
    rd_kafka_error_destroy(e);
    return rc;
}

/*
 * Repeats call(rk, slice) while it asks for more time. All three calls it is used for are resumable, but never in short
 * slices: a resumed commit_transaction first asks librdkafka's main thread for its state, and when the slice ends
 * before that answer, librdkafka (2.0.2) forgets that a commit is going on, takes the broker's answer to it for that of
 * an abort and ends the process ("BUG: Invalid transaction state transition"). Hence CALL_SLICE_MS: as long as the
 * session's heartbeat allows, so that only a machine that starves a thread for all that time comes near it.
 */
static enum rc sliced(struct producer *p, rd_kafka_error_t *(*call)(rd_kafka_t *, int), const char *what,
                      struct err *err)
{
    for (;;) {
        int64_t began = clock_mono_ms();
        rd_kafka_error_t *e = call(p->rk, p->commit_slice_ms);
        bool again = false;

        if (e == NULL) {
            return RC_OK;
        }
        TRY(classify(e, what, &again, err));
        TRY(check_lost(p, err));
        if (p->idle != NULL) {
            TRY(p->idle(p->opaque, err));
        }
        if (clock_mono_ms() - began < CALL_SLICE_MS / 4) {
            clock_sleep_ms(50); /* an error that returns at once must not spin */
        }
    }
}

void producer_set_slice(struct producer *p, int slice_ms)
{
    p->slice_ms = slice_ms;
}

enum rc producer_init(struct producer *p, struct err *err)
{
    TRY(sliced(p, rd_kafka_init_transactions, "init_transactions", err));
    rd_kafka_poll(p->rk, 0); /* what was reported while there was no broker yet */
    p->ready = true;
    return RC_OK;
}

enum rc producer_begin(struct producer *p, struct err *err)
{
    bool again = false;

    TRY(check_lost(p, err));
    rd_kafka_error_t *e = rd_kafka_begin_transaction(p->rk);
    if (e == NULL) {
        p->open = true;
        return RC_OK;
    }
    TRY(classify(e, "begin_transaction", &again, err));
    FAIL(err, RC_FATAL, "Kafka begin_transaction cannot be repeated");
}

static rd_kafka_headers_t *make_headers(const struct producer_record *rec)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(rec->n_headers);

    for (size_t i = 0; i < rec->n_headers; i++) {
        rd_kafka_header_add(h, rec->headers[i].name, -1, rec->headers[i].value, (ssize_t)rec->headers[i].value_len);
    }
    return h;
}

/* After a failed producev: is the producer itself dead? */
static enum rc send_failed(struct producer *p, rd_kafka_resp_err_t code, const char *topic, struct err *err)
{
    char why[256] = "";
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(p->rk, why, sizeof(why));

    if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, fatal, why, "Kafka produce to %s", topic) == RC_FENCED ? RC_FENCED : RC_FATAL;
    }
    if (code == RD_KAFKA_RESP_ERR__STATE) {
        /* The transaction failed in the background: the abort will say more. */
        kafka_fail(err, code, NULL, "Kafka produce to %s", topic);
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    enum rc rc = kafka_fail(err, code, NULL, "Kafka produce to %s", topic);
    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        err->rc = RC_REJECT;
        return RC_REJECT;
    }
    return rc;
}

enum rc producer_send(struct producer *p, const struct producer_record *rec, int64_t tag, struct err *err)
{
    rd_kafka_headers_t *headers = make_headers(rec);

    for (;;) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* librdkafka's macros are statement expressions */
        /* The casts drop const for librdkafka's prototype; without F_COPY and F_FREE it only reads. */
        rd_kafka_resp_err_t code = rd_kafka_producev(
            p->rk, RD_KAFKA_V_TOPIC(rec->topic), RD_KAFKA_V_PARTITION(rec->partition),
            RD_KAFKA_V_KEY((void *)(uintptr_t)rec->key, rec->key_len),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)rec->value, rec->value_len), RD_KAFKA_V_TIMESTAMP(rec->timestamp_ms),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE((void *)(intptr_t)tag), RD_KAFKA_V_END);
#pragma GCC diagnostic pop
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return RC_OK;
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_headers_destroy(headers);
            return send_failed(p, code, rec->topic, err);
        }
        rd_kafka_poll(p->rk, 5);
        enum rc rc = p->idle != NULL ? p->idle(p->opaque, err) : RC_OK;
        if (rc != RC_OK) {
            rd_kafka_headers_destroy(headers);
            return rc;
        }
    }
}

void producer_poll(struct producer *p)
{
    rd_kafka_poll(p->rk, 0);
}

/* Not resumable as the others are: repeated as a whole, with the same arguments. */
enum rc producer_send_offsets(struct producer *p, const rd_kafka_topic_partition_list_t *offsets,
                              const rd_kafka_consumer_group_metadata_t *group, struct err *err)
{
    for (;;) {
        rd_kafka_error_t *e = rd_kafka_send_offsets_to_transaction(p->rk, offsets, group, OFFSETS_TIMEOUT_MS);
        bool again = false;

        if (e == NULL) {
            return RC_OK;
        }
        TRY(classify(e, "send_offsets_to_transaction", &again, err));
        TRY(check_lost(p, err));
        if (p->idle != NULL) {
            TRY(p->idle(p->opaque, err));
        }
        clock_sleep_ms(50);
    }
}

enum rc producer_commit(struct producer *p, struct err *err)
{
    /* The greater part of the wait, in slices as short as the caller likes. */
    TRY(producer_flush(p, err));
    TRY(sliced(p, rd_kafka_commit_transaction, "commit_transaction", err));
    p->open = false;
    return RC_OK;
}

enum rc producer_abort(struct producer *p, struct err *err)
{
    TRY(sliced(p, rd_kafka_abort_transaction, "abort_transaction", err));
    p->open = false;
    return RC_OK;
}

enum rc producer_flush(struct producer *p, struct err *err)
{
    /* What waits in a dead producer waits for its time-out; the next call tells that it is dead. */
    while (rd_kafka_flush(p->rk, p->slice_ms) == RD_KAFKA_RESP_ERR__TIMED_OUT &&
           rd_kafka_fatal_error(p->rk, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        TRY(check_lost(p, err));
        if (p->idle != NULL) {
            TRY(p->idle(p->opaque, err));
        }
    }
    return check_lost(p, err);
}

rd_kafka_t *producer_handle(struct producer *p)
{
    return p->rk;
}
