/* SPDX-License-Identifier: Apache-2.0 */
/* What hangs where, and how each of it is ended. */
#include "kafka/hanging.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/rc.h"
#include "kafka/txn_log.h"

#define ENDS_TIMEOUT_MS 1000
#define LOOK_MS 20
#define LOOK_MAX_MS 3000 /* others' transactions last milliseconds; one that lasts longer is taken for hanging */

enum action { LEAVE, ABORT, COMMIT };

struct hanging {
    const struct hanging_options *opt;
    struct producer *p;
    struct txn_log log;
    enum action *todo; /* of log.parts */
    bool *hangs;       /* of log.parts */
};

/* ---------------------------------------------------------------------------------------------------- what hangs */

/* The end of each partition as the isolation of rk sees it, into ends[]; -1 = not known at the moment. */
static enum rc ask_ends(const struct hanging *h, rd_kafka_t *rk, int64_t *ends, struct err *err)
{
    rd_kafka_topic_partition_list_t *list CLEANUP(kafka_list_freep) = rd_kafka_topic_partition_list_new((int)h->log.n);

    for (size_t i = 0; i < h->log.n; i++) {
        const struct txn_log_part *part = &h->log.parts[i];
        rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset = RD_KAFKA_OFFSET_END;
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(rk, list, ENDS_TIMEOUT_MS);
    for (size_t i = 0; i < h->log.n && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const rd_kafka_topic_partition_t *e = &list->elems[i];
        ends[i] = e->err == RD_KAFKA_RESP_ERR_NO_ERROR ? e->offset : -1;
        code = e->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ? e->err : code;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return RC_OK;
    }
    kafka_fail(err, code, NULL, "cannot ask for the ends of what %s wrote to", h->opt->transactional_id);
    if (code != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        err->rc = RC_RETRY;
    }
    return err->rc;
}

/* Asks once more; whole[] keeps what was known first. *unknown, in and out: partitions without a leader, or deleted. */
static enum rc look_again(struct hanging *h, rd_kafka_t *rk, int64_t *whole, size_t *out_hanging, size_t *unknown,
                          struct err *err)
{
    int64_t *now CLEANUP(freep) = xcalloc(h->log.n + 1, sizeof(*now));

    if (*unknown > 0) {
        TRY(ask_ends(h, rk, now, err));
    }
    for (size_t i = 0; i < h->log.n; i++) {
        whole[i] = whole[i] < 0 ? now[i] : whole[i];
    }
    *out_hanging = 0;
    *unknown = 0;
    TRY(ask_ends(h, producer_handle(h->p), now, err)); /* read_committed by default */
    for (size_t i = 0; i < h->log.n; i++) {
        bool known = whole[i] >= 0 && now[i] >= 0;
        h->hangs[i] = known && now[i] < whole[i];
        *out_hanging += h->hangs[i];
        *unknown += !known;
    }
    return RC_OK;
}

/*
 * A partition is clear once its last stable offset has passed what was its high watermark after init_transactions. An
 * open transaction of somebody else holds it back too, so it is asked for again for a while. What is not known by then
 * is taken for deleted.
 */
static enum rc find_hanging(struct hanging *h, size_t *out_n, struct err *err)
{
    static const char *const settings[][2] = {{"isolation.level", "read_uncommitted"}};
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;
    int64_t *whole CLEANUP(freep) = xcalloc(h->log.n + 1, sizeof(*whole));
    int64_t until = clock_mono_ms() + LOOK_MAX_MS;
    size_t unknown = h->log.n;

    for (size_t i = 0; i < h->log.n; i++) {
        whole[i] = -1;
    }
    TRY(kafka_reader_new(h->opt->cfg, "sluice-log-ends", settings, 1, &rk, err));
    for (;;) {
        TRY(look_again(h, rk, whole, out_n, &unknown, err));
        if ((*out_n == 0 && unknown == 0) || clock_mono_ms() >= until) {
            break;
        }
        TRY(h->opt->idle != NULL ? h->opt->idle(h->opt->idle_opaque, err) : RC_OK);
        clock_sleep_ms(LOOK_MS);
    }
    if (unknown > 0) {
        log_warn("kafka", "whether a transaction hangs is not known", KV_S("txn_id", h->opt->transactional_id),
                 KV_I("partitions", (int64_t)unknown), KV_S("text", "nobody leads them, or they are deleted"));
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- what to do */

static bool is_stand(const struct hanging *h, const struct txn_log_part *part)
{
    return strcmp(part->topic, h->opt->stands_in) == 0;
}

/* Has nothing of the last transaction, which was to be committed, arrived anywhere? */
static bool is_unseen(const struct hanging *h)
{
    bool any = false;

    for (size_t i = 0; i < h->log.n; i++) {
        if (h->log.parts[i].last) {
            if (!h->log.parts[i].committed || !h->hangs[i]) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

static enum action action_for(const struct hanging *h, size_t i, bool unseen)
{
    const struct txn_log_part *part = &h->log.parts[i];

    if (!h->hangs[i]) {
        return LEAVE;
    }
    if (!part->committed || (unseen && part->last)) {
        return ABORT;
    }
    return h->opt->may_commit_closing || is_stand(h, part) ? COMMIT : LEAVE;
}

static void decide(struct hanging *h)
{
    static const char *const names[] = {[LEAVE] = "the next record there", [ABORT] = "abort", [COMMIT] = "commit"};
    bool unseen = !h->opt->may_commit_closing && is_unseen(h);

    for (size_t i = 0; i < h->log.n; i++) {
        const struct txn_log_part *part = &h->log.parts[i];
        h->todo[i] = action_for(h, i, unseen);
        if (h->hangs[i]) {
            log_warn("kafka", "a transaction hangs", KV_S("txn_id", h->opt->transactional_id),
                     KV_S("topic", part->topic), KV_I("partition", part->partition),
                     KV_S("decided", part->committed ? "commit" : "abort"), KV_S("ended_by", names[h->todo[i]]));
        }
    }
}

/* ---------------------------------------------------------------------------------------------------- doing it */

static enum rc send_closing(struct hanging *h, const struct txn_log_part *part, struct err *err)
{
    static const struct producer_header header = {.name = HANGING_HEADER, .value = "1", .value_len = 1};
    const struct producer_record rec = {.topic = part->topic,
                                        .partition = part->partition,
                                        .key = HANGING_KEY,
                                        .key_len = strlen(HANGING_KEY),
                                        .value = "",
                                        .headers = &header,
                                        .n_headers = 1};

    return producer_send(h->p, &rec, -1, err);
}

/* The stand first: it may have to be read, or to be asked for. */
static enum rc send_all(struct hanging *h, enum action action, struct err *err)
{
    bool stand = false;

    for (size_t i = 0; i < h->log.n; i++) {
        stand = stand || (h->todo[i] == action && is_stand(h, &h->log.parts[i]));
    }
    TRY(producer_begin(h->p, err));
    TRY(stand ? h->opt->send_stand(h->opt->opaque, h->p, err) : RC_OK);
    for (size_t i = 0; i < h->log.n; i++) {
        if (h->todo[i] == action && !is_stand(h, &h->log.parts[i])) {
            TRY(send_closing(h, &h->log.parts[i], err));
        }
    }
    return producer_flush(h->p, err);
}

/* A failure leaves the producer for the caller to drop: whatever it began is then aborted by the next one. */
static enum rc end_by(struct hanging *h, enum action action, size_t *n, struct err *err)
{
    size_t parts = 0;

    for (size_t i = 0; i < h->log.n; i++) {
        parts += h->todo[i] == action;
    }
    if (parts == 0) {
        return RC_OK;
    }
    enum rc rc = send_all(h, action, err);
    if (rc == RC_REJECT) {
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    TRY(rc);
    TRY(action == COMMIT ? producer_commit(h->p, err) : producer_abort(h->p, err));
    *n += parts;
    return RC_OK;
}

/* A broker that is away again is no reason to end anything but this. */
static enum rc end_both(struct hanging *h, size_t *n, struct err *err)
{
    enum rc rc = end_by(h, ABORT, n, err);

    rc = rc == RC_OK ? end_by(h, COMMIT, n, err) : rc;
    if (rc == RC_FATAL && producer_is_lost(h->p)) {
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    return rc;
}

static enum rc look(struct hanging *h, size_t *out_n, struct err *err)
{
    const struct hanging_options *o = h->opt;

    *out_n = 0;
    TRY(txn_log_read(o->cfg, h->p, o->transactional_id, o->idle, o->idle_opaque, &h->log, err));
    h->todo = xcalloc(h->log.n + 1, sizeof(*h->todo));
    h->hangs = xcalloc(h->log.n + 1, sizeof(*h->hangs));
    return h->log.n > 0 ? find_hanging(h, out_n, err) : RC_OK;
}

enum rc hanging_end(struct producer *p, const struct hanging_options *opt, size_t *out_ended, struct err *err)
{
    struct hanging h = {.opt = opt, .p = p};
    size_t n = 0;

    *out_ended = 0;
    enum rc rc = look(&h, &n, err);
    if (rc == RC_FATAL) {
        log_warn("kafka", "whether a transaction hangs is not known", KV_S("txn_id", opt->transactional_id),
                 KV_ERR(err));
        rc = RC_OK;
    } else if (rc == RC_OK && n > 0) {
        decide(&h);
        rc = end_both(&h, out_ended, err);
    }
    free(h.todo);
    free(h.hangs);
    txn_log_done(&h.log);
    return rc;
}

bool hanging_is_closing_record(const rd_kafka_message_t *msg)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t n = 0;

    return msg->len == 0 && msg->key_len == strlen(HANGING_KEY) && memcmp(msg->key, HANGING_KEY, msg->key_len) == 0 &&
           rd_kafka_message_headers(msg, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
           rd_kafka_header_get_last(headers, HANGING_HEADER, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR;
}
