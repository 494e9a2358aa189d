/* SPDX-License-Identifier: Apache-2.0 */
/* The stream: look, read a window, publish it with its position, again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "relay/lane_internal.h"
#include "relay/wal.h"

#define COPY_INTERVAL_MS 1000
#define PRUNE_INTERVAL_MS 60000
#define SWEEP_PAUSE_MS 5000 /* after a failed one */
#define READ_SLICE_MS 2     /* of waiting for a commit, between looks for rows that were read ahead */
#define ABORTS_MAX 1000     /* of one batch, without a row becoming a dead letter */

/* One try. *out_bad: the row that made it fail, -1 = none. */
static enum rc try_transaction(struct lane *l, struct buf *value, const char *lsn, int64_t *out_bad, struct err *err)
{
    if (producer_is_lost(l->producer)) {
        FAIL(err, RC_RETRY, "no Kafka broker could be reached for a while");
    }
    TRY(lane_producer_rc(producer_begin(l->producer, err), err));
    TRY(lane_producer_rc(batch_send(l->batch, l->producer, out_bad, err), err));
    TRY(lane_producer_rc(position_send(l->producer, l->position_topic, l->position_partition, l->src->name, value,
                                       batch_rows(l->batch), err),
                         err));
    if (lsn != NULL) {
        enum rc rc = wal_wait_flushed(l->conn, lsn, err);
        if (rc != RC_OK) {
            err->rc = RC_FENCED; /* the session is in doubt: start over */
            return RC_FENCED;
        }
        l->heartbeat_ms = clock_mono_ms();
    }
    int64_t began = clock_mono_us();
    producer_set_slice(l->producer, window_scan_busy(&l->scan) ? READ_SLICE_MS : PRODUCER_SLICE_MS);
    enum rc rc = lane_producer_rc(producer_commit(l->producer, err), err);
    metric_observe(l->m.commit_seconds, (double)(clock_mono_us() - began) / 1e6);
    return rc;
}

/*
 * After a failed try: a row that was to blame for certain becomes a dead letter (or the lane ends, by policy). Rows
 * that were refused together are only suspects: the next try sends them one by one.
 */
static enum rc isolate(struct lane *l, int64_t bad, enum rc rc, struct err *err)
{
    char text[ERR_TEXT_MAX];

    if (rc != RC_REJECT || bad < 0) {
        return RC_OK;
    }
    snprintf(text, sizeof(text), "%s", err->text);
    if (batch_row(l->batch, bad)->dead != NULL) {
        FAIL(err, RC_FATAL, "source %s: not even the dead letter of a row can be written: %s", l->src->name, text);
    }
    if (batch_row(l->batch, bad)->refused == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        batch_kill_larger(l->batch, bad, "refused", text);
    }
    if (batch_row(l->batch, bad)->dead == NULL) {
        batch_kill(l->batch, bad, "refused", text);
    }
    return RC_OK;
}

static enum rc check_policy(struct lane *l, struct err *err)
{
    for (int64_t i = 0; i < batch_rows(l->batch); i++) {
        const struct row *r = batch_row(l->batch, i);
        if (r->dead == NULL) {
            continue;
        }
        if (strcmp(config_str(l->cfg, "relay.poison.policy"), "stop") == 0) {
            FAIL(err, RC_FATAL, "source %s: row %s cannot be published (%s: %s) and relay.poison.policy is stop",
                 l->src->name, r->id, r->dead->class, r->dead->message);
        }
    }
    return RC_OK;
}

/*
 * Tries until it is committed. The batch is kept until the commit has returned, so an aborted transaction is built
 * again from the same rows in the same order. However many rows have to be isolated one after the other, that is
 * progress and no failure: only tries without it are counted and waited after.
 */
static enum rc try_until_committed(struct lane *l, struct buf *value, const char *lsn, struct err *err)
{
    for (int tries = 0; tries < ABORTS_MAX; tries++) {
        int64_t bad = -1;
        TRY(check_policy(l, err));
        enum rc rc = try_transaction(l, value, lsn, &bad, err);
        if (rc != RC_OK && producer_is_lost(l->producer)) {
            err->rc = RC_RETRY; /* of the lane: on this producer nothing more is begun, nor waited for */
            return RC_RETRY;
        }
        if (rc != RC_RETRY && rc != RC_REJECT) {
            return rc;
        }
        log_warn("relay", "transaction aborted", KV_S("source", l->src->name), KV_I("rows", batch_rows(l->batch)),
                 KV_I("refused", batch_count_refused(l->batch)), KV_ERR(err));
        metric_inc(l->m.aborts);
        lane_say_late(l, err->text);
        struct err abort_err;
        if (producer_abort(l->producer, &abort_err) != RC_OK) {
            *err = abort_err;
            err->rc = RC_FENCED;
            return RC_FENCED;
        }
        TRY(isolate(l, bad, rc, err));
        if (rc == RC_REJECT && bad >= 0) {
            tries = -1;
        } else {
            role_wait_ms(l->ctx, clock_backoff_ms(tries, 10, 1000));
        }
        TRY(lane_idle(l, err));
    }
    FAIL(err, RC_FENCED, "source %s: %d aborted transactions in a row", l->src->name, ABORTS_MAX);
}

/* The batch and the position in one transaction. */
static enum rc publish(struct lane *l, struct buf *value, const char *lsn, struct err *err)
{
    l->publish_ms = clock_mono_ms();
    TRY(try_until_committed(l, value, lsn, err));
    l->publish_ms = 0;
    if (l->late) {
        l->late = false;
        role_ready(l->ctx, l->part, true, "owner");
    }
    return RC_OK;
}

static void count_published(struct lane *l)
{
    int64_t now = clock_utc_us();
    int64_t n = batch_rows(l->batch);
    int64_t dead = 0;

    for (int64_t i = 0; i < n; i++) {
        const struct row *r = batch_row(l->batch, i);
        if (r->dead != NULL) {
            dead++;
            log_warn("relay", "dead letter", KV_S("source", l->src->name), KV_S("id", r->id),
                     KV_S("class", r->dead->class), KV_S("text", r->dead->message));
        }
    }
    metric_inc(l->m.commits);
    metric_add(l->m.published, (double)(n - dead));
    metric_add(l->m.dead, (double)dead);
    metric_observe(l->m.batch_rows, (double)n);
    metric_set(l->m.position_seq, (double)batch_last_seq(l->batch));
    metric_observe(l->m.delay_seconds, (double)(now - batch_row(l->batch, n - 1)->time_us) / 1e6);
}

/* A copy for people, behind Kafka's truth: never waited for, at most once a second. */
static bool copy_is_due(const struct lane *l)
{
    return l->copy_due && clock_mono_ms() - l->copied_ms >= COPY_INTERVAL_MS;
}

static enum rc copy_position(struct lane *l, struct err *err)
{
    if (!copy_is_due(l)) {
        return RC_OK;
    }
    TRY(position_copy(l->conn, &l->pos, config_str(l->cfg, "topic.prefix"), l->src, role_instance(l->ctx), err));
    l->copied_ms = clock_mono_ms();
    l->copy_due = false;
    return RC_OK;
}

/* Publishes l->batch, which is a part of the window. Afterwards l->pos says how far. */
static enum rc publish_part(struct lane *l, const struct window *w, bool more, const char *lsn, struct err *err)
{
    struct position next = {.db = l->pos.db};
    struct buf value;
    enum rc rc = RC_OK;

    position_set(&next, more ? w->s1 : w->s2, w->s2, batch_last_seq(l->batch));
    next.published = l->pos.published + batch_rows(l->batch);
    buf_init(&value, POSITION_VALUE_MAX);
    position_encode(&next, l->src->name, &value);
    rc = value.overflow ? err_set(err, RC_FATAL, __FILE__, __LINE__, "the snapshot lists too many running transactions")
                        : publish(l, &value, lsn, err);
    if (rc != RC_OK) {
        producer_destroy(l->producer); /* before the value it may still point to; the lane starts over anyway */
        l->producer = NULL;
        buf_done(&value);
        position_done(&next);
        return rc;
    }
    buf_done(&value);
    position_done(&l->pos);
    l->pos = next;
    l->copy_due = true;
    count_published(l);
    return RC_OK;
}

/* Starts reading the part of the window behind w->after_seq into l->ahead. */
static enum rc read_ahead(struct lane *l, const struct window *w, struct err *err)
{
    batch_reset(l->ahead);
    return window_scan_start(&l->scan, l->conn, &l->sql, w, config_int(l->cfg, "relay.batch.rows.max"), err);
}

/* Reads to the end and makes it l->batch. */
static enum rc finish_reading(struct lane *l, bool *out_more, struct err *err)
{
    struct batch *done = l->ahead;

    TRY(window_scan_take(&l->scan, true, batch_add, l->ahead, err));
    l->heartbeat_ms = clock_mono_ms();
    l->ahead = l->batch;
    l->batch = done;
    *out_more = window_scan_more(&l->scan);
    return RC_OK;
}

/*
 * Publishes the whole window (s1, s2]; after_seq > 0 when a part of it is done already. lsn NULL: s2 is known to be
 * safe. While one part is committed, the next is read. The first part's commit needs the session for the flush rule,
 * and the copy of the position needs it once a second: then nothing is read ahead.
 */
static enum rc publish_parts(struct lane *l, struct window *w, const char *lsn, struct err *err)
{
    bool more = true;

    while (more && !role_stopping(l->ctx)) {
        if (!window_scan_busy(&l->scan)) {
            TRY(copy_position(l, err));
            TRY(read_ahead(l, w, err));
        }
        TRY(finish_reading(l, &more, err));
        role_tick(l->watch);
        if (batch_rows(l->batch) == 0) {
            position_set(&l->pos, w->s2, w->s2, l->pos.last_seq);
            return RC_OK;
        }
        TRY(batch_check_topics(l->batch, l->producer, err));
        w->after_seq = batch_last_seq(l->batch);
        if (more && lsn == NULL && !copy_is_due(l)) {
            TRY(read_ahead(l, w, err));
        }
        TRY(publish_part(l, w, more, lsn, err));
        lsn = NULL; /* waited for with the first part */
    }
    return RC_OK;
}

/* Leaves the session free, whatever was being read. */
static enum rc drop_read_ahead(struct lane *l, struct err *err)
{
    if (!window_scan_busy(&l->scan)) {
        return RC_OK;
    }
    enum rc rc = window_scan_take(&l->scan, true, batch_add, l->ahead, err);
    batch_reset(l->ahead);
    return rc;
}

static enum rc publish_window(struct lane *l, const char *s1, const char *s2, int64_t after_seq, bool walk,
                              const char *lsn, struct err *err)
{
    struct window w = {.s1 = s1, .s2 = s2, .after_seq = after_seq, .walk = walk};

    if (walk) {
        int64_t first = 0;
        TRY(window_range(l->conn, &l->sql, s1, s2, &first, &w.upto_seq, err));
        if (first - 1 > w.after_seq) {
            w.after_seq = first - 1;
        }
    }
    TRY(publish_parts(l, &w, lsn, err));
    return drop_read_ahead(l, err);
}

static enum rc finish_window(struct lane *l, struct err *err)
{
    char *s1 CLEANUP(freep) = xstrdup(l->pos.s1);
    char *s2 CLEANUP(freep) = xstrdup(l->pos.s2);

    return publish_window(l, s1, s2, l->pos.last_seq, true, NULL, err);
}

/* One look at the database. *out_busy: something was published. */
static enum rc look(struct lane *l, bool *out_busy, struct err *err)
{
    int64_t small_max = config_int(l->cfg, "relay.window.rows.max");
    char *s1 CLEANUP(freep) = xstrdup(l->pos.s1);
    struct tick t = {0};

    TRY(window_tick(l->conn, &l->sql, s1, small_max, &t, err));
    l->heartbeat_ms = clock_mono_ms();
    enum rc rc = RC_OK;
    *out_busy = t.candidates > 0;
    if (t.candidates > 0) {
        rc = publish_window(l, s1, t.s2, 0, t.candidates > small_max, t.lsn, err);
    } else {
        position_set(&l->pos, t.s2, t.s2, l->pos.last_seq);
    }
    tick_done(&t);
    return rc;
}

static enum rc sweep(struct lane *l, struct err *err)
{
    int64_t now = clock_mono_ms();
    int64_t rows_max = config_int(l->cfg, "relay.sweep.rows.max");
    int64_t taken = 0;
    int64_t requeued = 0;

    if (l->src->queue != QUEUE_STATUS || now - l->swept_ms < config_int(l->cfg, "relay.sweep.interval.ms")) {
        return RC_OK;
    }
    enum rc rc = sweep_run(&l->sweep, l->conn, rows_max, &taken, &requeued, err);
    if (rc != RC_OK && PQstatus(l->conn) == CONNECTION_OK) {
        /* Somebody's trigger on a due row, or a lock: no reason to hold up the rows that are on the road. */
        log_warn("relay", "due sweep failed", KV_S("source", l->src->name), KV_ERR(err));
        l->swept_ms = now + SWEEP_PAUSE_MS;
        return RC_OK;
    }
    TRY(rc);
    l->swept_ms = taken >= rows_max ? 0 : now; /* full: the next turn sweeps again */
    metric_add(l->m.swept, (double)requeued);
    return RC_OK;
}

/* Housekeeping: whatever stands in its way is said and tried again, and holds up nothing. */
static enum rc prune(struct lane *l, struct err *err)
{
    int64_t days = config_int(l->cfg, "relay.dead.letters.keep.days");
    int64_t rows_max = config_int(l->cfg, "relay.sweep.rows.max");
    int64_t now = clock_mono_ms();
    int64_t rows = 0;

    if (days == 0 || l->prune.sql == NULL || now < l->prune_at_ms) {
        return RC_OK;
    }
    enum rc rc = prune_run(&l->prune, l->conn, l->pos.s1, days, rows_max, &rows, err);
    l->prune_at_ms =
        now + (rows >= rows_max ? config_int(l->cfg, "relay.sweep.interval.ms") : (int64_t)PRUNE_INTERVAL_MS);
    if (rc != RC_OK && PQstatus(l->conn) == CONNECTION_OK) {
        log_warn("relay", "pruning failed", KV_S("source", l->src->name), KV_ERR(err));
        return RC_OK;
    }
    TRY(rc);
    if (rows > 0) {
        log_info("relay", "old rows deleted", KV_S("source", l->src->name), KV_I("rows", rows));
        metric_add(l->m.pruned, (double)rows);
    }
    return RC_OK;
}

/*
 * An idle lane asks nothing of Kafka, so it has to look whether anybody is there. RETRY: there is again, and what was
 * published last may hang.
 */
static enum rc watch_kafka(struct lane *l, struct err *err)
{
    bool away = producer_is_away(l->producer);

    if (away != l->away) {
        l->away = away;
        role_ready(l->ctx, l->part, !away, away ? "no Kafka broker can be reached" : "owner");
    }
    if (!away && producer_is_lost(l->producer)) {
        FAIL(err, RC_RETRY, "no Kafka broker could be reached for a while");
    }
    return RC_OK;
}

enum rc lane_follow(struct lane *l, struct err *err)
{
    int64_t min_ms = config_int(l->cfg, "relay.tick.min.ms");
    int64_t max_ms = config_int(l->cfg, "relay.tick.max.ms");
    int64_t wait_ms = min_ms;

    if (position_mid_window(&l->pos)) {
        TRY(finish_window(l, err));
    }
    while (!role_stopping(l->ctx)) {
        bool busy = false;
        role_tick(l->watch);
        TRY(sweep(l, err));
        TRY(look(l, &busy, err));
        TRY(copy_position(l, err));
        TRY(prune(l, err));
        TRY(watch_kafka(l, err));
        wait_ms = busy ? min_ms : wait_ms + 1 > max_ms ? max_ms : wait_ms + 1;
        role_wait_ms(l->ctx, wait_ms);
    }
    l->copied_ms = 0; /* the last copy need not wait for its second */
    return copy_position(l, err);
}
