/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a lane: take over, follow, release, and how long to wait in between. */
#include "relay/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "pg/conn.h"
#include "relay/lane_internal.h"

#define WATCHDOG_SLACK_MS 30000 /* beyond the longest statement */
#define BACKOFF_BASE_MS 200
#define BACKOFF_MAX_MS 5000
#define FENCED_MAX 20 /* without a published window in between: then a supervisor should look at it */
#define DRAIN_MS 5000 /* container runtimes kill after 10 s */
#define LATE_MS 5000

enum rc lane_producer_rc(enum rc rc, struct err *err)
{
    if (rc == RC_FATAL) {
        err->rc = RC_FENCED;
        return RC_FENCED;
    }
    return rc;
}

void lane_say_late(struct lane *l, const char *why)
{
    if (l->publish_ms != 0 && clock_mono_ms() - l->publish_ms > LATE_MS) {
        l->late = true;
        role_ready(l->ctx, l->part, false, why);
    }
}

enum rc lane_idle(void *lane, struct err *err)
{
    struct lane *l = lane;
    int64_t now = clock_mono_ms();

    role_tick(l->watch);
    if (!l->late) {
        lane_say_late(l, "Kafka does not take the records");
    }
    if (role_stopping(l->ctx)) {
        if (l->stop_seen_ms == 0) {
            l->stop_seen_ms = now;
        } else if (now - l->stop_seen_ms > (l->following ? DRAIN_MS : 0)) {
            FAIL(err, RC_FENCED, "stopping: the Kafka transaction did not end within %d ms", DRAIN_MS);
        }
    }
    if (window_scan_busy(&l->scan)) {
        if (window_scan_take(&l->scan, false, batch_add, l->ahead, err) != RC_OK) {
            err->rc = RC_FENCED;
            return RC_FENCED;
        }
        l->heartbeat_ms = now; /* the session works for us: it is not idle */
        return RC_OK;
    }
    if (now - l->heartbeat_ms < 1000) {
        return RC_OK;
    }
    if (pg_exec(l->conn, "SELECT 1", NULL, err) != RC_OK) {
        err_prefix(err, "the session that owns the source is lost");
        err->rc = RC_FENCED;
        return RC_FENCED;
    }
    l->heartbeat_ms = now;
    return RC_OK;
}

static void make_metrics(struct lane *l)
{
    const char *s = l->src->name;
    static const double rows[] = {1, 10, 100, 1000, 10000};

#define LABEL "source=\"%s\"", s
    l->m.published = metric_counter("sluice_relay_records_published_total", "Rows published to their topic.", LABEL);
    l->m.dead = metric_counter("sluice_relay_dead_letters_total",
                               "Rows that could not be published and went to the dead-letter topic.", LABEL);
    l->m.swept = metric_counter("sluice_relay_requeued_total", "Rows the due sweep put back on the road.", LABEL);
    l->m.pruned =
        metric_counter("sluice_relay_pruned_total", "Rows of records deleted long after they were published.", LABEL);
    l->m.commits = metric_counter("sluice_relay_txn_commits_total", "Kafka transactions committed.", LABEL);
    l->m.aborts = metric_counter("sluice_relay_txn_aborts_total", "Kafka transactions aborted and built again.", LABEL);
    l->m.takeovers = metric_counter("sluice_relay_takeovers_total", "Times this process took the source over.", LABEL);
    l->m.owner = metric_gauge("sluice_relay_owner", "1 while this process owns the source.", LABEL);
    l->m.position_seq = metric_gauge("sluice_relay_last_queue_seq", "queue_seq of the last published row.", LABEL);
    l->m.batch_rows =
        metric_histogram("sluice_relay_txn_rows", "Rows of a Kafka transaction.", rows, ARRAY_SIZE(rows), LABEL);
    l->m.commit_seconds = metric_histogram("sluice_relay_txn_commit_duration_seconds", "Time of commit_transaction.",
                                           METRIC_SECONDS, METRIC_SECONDS_N, LABEL);
    l->m.delay_seconds =
        metric_histogram("sluice_relay_row_to_commit_seconds",
                         "From the row's time column to the commit of its record; newest row of each transaction.",
                         METRIC_SECONDS, METRIC_SECONDS_N, LABEL);
#undef LABEL
}

/* One round of ownership. *published tells whether it got as far as publishing. */
static enum rc one_round(struct lane *l, bool *out_worked, struct err *err)
{
    enum rc rc = lane_take_over(l, err);

    if (rc == RC_OK && !role_stopping(l->ctx)) {
        double before = metric_value(l->m.commits);
        metric_inc(l->m.takeovers);
        metric_set(l->m.owner, 1);
        rc = lane_follow(l, err);
        *out_worked = metric_value(l->m.commits) > before;
    }
    metric_set(l->m.owner, 0);
    lane_release(l);
    return rc;
}

/* Says what happened and how long to wait; -1 = give up. */
static int64_t react(struct lane *l, enum rc rc, int *failures, int *fenced, struct err *err)
{
    *fenced += rc == RC_FENCED;
    if (rc == RC_FATAL || *fenced > FENCED_MAX) {
        log_error("relay", "lane ends", KV_S("source", l->src->name), KV_ERR(err));
        role_ready(l->ctx, l->part, false, err->text);
        return -1;
    }
    if (strcmp(err->code, "57014") == 0) {
        err_prefix(err, "a statement took longer than relay.statement.timeout.ms");
    }
    int64_t wait = clock_backoff_ms(*failures, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
    (*failures)++;
    role_ready(l->ctx, l->part, false, err->text);
    log_warn("relay", "lane starts over", KV_S("source", l->src->name), KV_I("wait_ms", wait), KV_ERR(err));
    return wait;
}

static void run_rounds(struct lane *l)
{
    int failures = 0;
    int fenced = 0;

    while (!role_stopping(l->ctx)) {
        struct err err = {0};
        bool worked = false;
        enum rc rc = one_round(l, &worked, &err);
        if (rc == RC_OK || role_stopping(l->ctx)) {
            continue;
        }
        failures = worked ? 0 : failures;
        fenced = worked ? 0 : fenced;
        int64_t wait = react(l, rc, &failures, &fenced, &err);
        if (wait < 0) {
            role_stop(l->ctx, &err);
            return;
        }
        role_tick(l->watch);
        role_wait_ms(l->ctx, wait);
    }
}

void lane_run(struct role_ctx *ctx, const struct source *src, const struct avro_set *set)
{
    const struct config *cfg = role_config(ctx);
    struct lane l = {.ctx = ctx, .cfg = cfg, .src = src, .set = set};

    l.part = xasprintf("source %s", src->name);
    l.position_topic = kafka_topic_name(cfg, POSITION_TOPIC);
    l.transactional_id = xasprintf("%ssluice-relay-%s", config_str(cfg, "topic.prefix"), src->name);
    l.watch = role_watch(ctx, l.part, config_int(cfg, "relay.statement.timeout.ms") + WATCHDOG_SLACK_MS);
    make_metrics(&l);
    role_ready(ctx, l.part, false, "starting");
    run_rounds(&l);
    role_unwatch(ctx, l.watch);
    free(l.part);
    free(l.position_topic);
    free(l.transactional_id);
}
