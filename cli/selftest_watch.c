/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice selftest express`: what the tables say of the parcel, and who is silent when they do not. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "selftest.h"
#include "status.h"

#define LOOK_MS 25
#define STUCK_AFTER_S 900

/* ---- who is silent ---- */

/* The relay's lane of that table. */
static bool relay_is_silent(const struct status *st, const char *source, char *out, size_t n)
{
    for (int i = 0; st->db_known && i < st->n_sources; i++) {
        const struct status_source *s = &st->sources[i];
        if (strcmp(s->name, source) == 0 && !s->owned) {
            (void)snprintf(out, n, "no relay publishes %s (%" PRId64 " rows wait): sluice run relay", s->table,
                           s->pending.n);
            return true;
        }
        if (strcmp(s->name, source) == 0 && s->pending.n > 0) {
            (void)snprintf(out, n, "the relay has %" PRId64 " rows of %s before it: sluice health relay", s->pending.n,
                           s->table);
            return true;
        }
    }
    return false;
}

static bool reader_is_silent(const struct status *st, const char *topic, char *out, size_t n)
{
    for (size_t i = 0; st->kafka_known && i < STATUS_READERS; i++) {
        const struct status_reader *r = &st->readers[i];
        if (strcmp(r->topic, topic) != 0) {
            continue;
        }
        if (r->members == 0) {
            (void)snprintf(out, n, "no instance of %s reads %s (%" PRId64 " records wait): sluice run %s", r->role,
                           r->topic, r->lag.records, r->role);
            return true;
        }
        if (r->state[0] != '\0' && strcmp(r->state, "never started") != 0) {
            (void)snprintf(out, n, "%s: %s (docs/operations.md, \"Named states\")", r->role, r->state);
            return true;
        }
        if (r->lag.records > 0) {
            (void)snprintf(out, n, "%s has %" PRId64 " records of %s before it: sluice health %s, its log", r->role,
                           r->lag.records, r->topic, r->role);
            return true;
        }
    }
    return false;
}

/* Along the road: the first step that stands still. steps: source or topic, ending with NULL. */
static void silent(struct selftest *t, const char *const *steps, char *out, size_t n)
{
    struct status *st = xcalloc(1, sizeof(*st));
    struct err err;
    bool found = false;

    (void)snprintf(out, n, "sluice status, sluice doctor, and the logs of the roles");
    if (status_init(st, t->cli->cfg, STUCK_AFTER_S, &err) == RC_OK) {
        status_ask_database(st);
        status_ask_kafka(st);
        if (!st->db_known || !st->kafka_known) {
            (void)snprintf(out, n, "%.380s", st->db_known ? st->kafka_err.text : st->db_err.text);
            found = true;
        }
        for (size_t i = 0; !found && steps[i] != NULL; i++) {
            found = strchr(steps[i], '.') != NULL ? reader_is_silent(st, steps[i], out, n)
                                                  : relay_is_silent(st, steps[i], out, n);
        }
    }
    status_done(st);
    free(st);
}

/* ---- the tables ---- */

enum look { LOOK_AGAIN, LOOK_OK, LOOK_FAILED };

/* One stage: looks until it is there, or somebody is silent for too long. */
static bool stage(struct selftest *t, const char *name, enum look (*look)(struct selftest *), const char *const *steps)
{
    int64_t end_ms = clock_mono_ms() + t->timeout_ms;

    for (;;) {
        enum look seen = look(t);
        if (seen != LOOK_AGAIN) {
            return seen == LOOK_OK;
        }
        if (*t->stop) {
            return selftest_fail(t, name, "", "interrupted");
        }
        if (clock_mono_ms() >= end_ms) {
            char hint[SELFTEST_TEXT_MAX];
            silent(t, steps, hint, sizeof(hint));
            return selftest_fail(t, name, hint, "silent for %" PRId64 " s", t->timeout_ms / 1000);
        }
        clock_sleep_ms(LOOK_MS);
    }
}

/* LOOK_OK: res has rows. */
static enum look ask(struct selftest *t, const char *name, const char *sql, const char *param, PGresult **out_res)
{
    struct err err;

    if (pg_query(t->conn, sql, 1, &param, out_res, &err) != RC_OK) {
        (void)selftest_fail(t, name, "sluice doctor", "cannot ask the database: %s", err.text);
        return LOOK_FAILED;
    }
    return PQntuples(*out_res) > 0 ? LOOK_OK : LOOK_AGAIN;
}

static enum look look_queue(struct selftest *t)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char *sql CLEANUP(freep) =
        xasprintf("SELECT id FROM notify_queue WHERE tracking_no = '%s' AND context = $1", t->number);
    enum look seen = ask(t, "notify_queue", sql, t->context, &res);

    if (seen == LOOK_OK) {
        (void)snprintf(t->queue_id, sizeof(t->queue_id), "%s", pg_text(res, 0, 0));
        selftest_ok(t, "notify_queue", "row %s", t->queue_id);
    }
    return seen;
}

static enum look look_processed(struct selftest *t)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    enum look seen = ask(t, "process_status",
                         "SELECT process_status, last_error FROM notify_queue WHERE id = $1::uuid AND process_status "
                         "IS NOT NULL",
                         t->queue_id, &res);

    if (seen != LOOK_OK) {
        return seen;
    }
    if (strcmp(pg_text(res, 0, 0), "queued") != 0 || !PQgetisnull(res, 0, 1)) {
        (void)selftest_fail(t, "process_status", "docs/express.md, \"When nothing arrives\"; sluice doctor",
                            "%s: %.300s", pg_text(res, 0, 0), pg_text(res, 0, 1));
        return LOOK_FAILED;
    }
    selftest_ok(t, "process_status", "queued, last_error null");
    return LOOK_OK;
}

/* Both are there as soon as the row is queued: one transaction. */
static enum look look_notifications(struct selftest *t)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    enum look seen = ask(t, "express_notifications",
                         "SELECT string_agg(aud, ' and ' ORDER BY aud DESC), count(*), string_agg(aud || ': ' || "
                         "coalesce(last_error, reason, send_status), '; ' ORDER BY aud DESC) FILTER (WHERE send_status "
                         "IN ('no-targets', 'failed')) FROM express_notifications WHERE event_id = $1::uuid",
                         t->queue_id, &res);

    if (seen != LOOK_OK) {
        return seen;
    }
    if (pg_int(res, 0, 1, 0) == 0 || (t->own && pg_int(res, 0, 1, 0) != 2)) {
        (void)selftest_fail(t, "express_notifications", "sluice waybills show NO",
                            "expected user and merchant, found %s",
                            PQgetisnull(res, 0, 0) ? "none" : pg_text(res, 0, 0));
        return LOOK_FAILED;
    }
    if (!PQgetisnull(res, 0, 2)) {
        (void)selftest_fail(t, "express_notifications",
                            "sluice devices ls --user ID, --merchant ID; have the app register", "%.300s",
                            pg_text(res, 0, 2));
        return LOOK_FAILED;
    }
    selftest_ok(t, "express_notifications", "%s", pg_text(res, 0, 0));
    return LOOK_OK;
}

static enum look look_deliveries(struct selftest *t)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    enum look seen = ask(t, "push_deliveries",
                         "SELECT count(*), count(*) FILTER (WHERE d.status = 'delivered'), min(concat_ws(', ', "
                         "d.verdict, d.provider, d.provider_code, d.last_error)) FILTER (WHERE d.status IN ('failed', "
                         "'dead_letter')), min(d.provider), min(d.verdict) FROM push_deliveries d JOIN "
                         "express_notifications e USING (message_id) WHERE e.event_id = $1::uuid",
                         t->queue_id, &res);

    if (seen != LOOK_OK) {
        return seen;
    }
    if (!PQgetisnull(res, 0, 2)) {
        (void)selftest_fail(t, "push_deliveries",
                            "push.providers.file or CLOUD_FUNC_URL; docs/express.md, \"Push providers\"", "%.300s",
                            pg_text(res, 0, 2));
        return LOOK_FAILED;
    }
    if (pg_int(res, 0, 0, 0) == 0 || pg_int(res, 0, 0, 0) != pg_int(res, 0, 1, 0)) {
        return LOOK_AGAIN;
    }
    selftest_ok(t, "push_deliveries", "%s of %s delivered, provider %s: %s", pg_text(res, 0, 1), pg_text(res, 0, 0),
                pg_text(res, 0, 3), pg_text(res, 0, 4));
    return LOOK_OK;
}

static enum look look_sent(struct selftest *t)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    enum look seen = ask(t, "send_status",
                         "SELECT count(*) FILTER (WHERE send_status = 'pending'), string_agg(aud || ' ' || "
                         "send_status, ', ' ORDER BY aud DESC), bool_and(send_status = 'success') FROM "
                         "express_notifications WHERE event_id = $1::uuid",
                         t->queue_id, &res);

    if (seen != LOOK_OK || pg_int(res, 0, 0, 0) > 0) {
        return seen == LOOK_OK ? LOOK_AGAIN : seen;
    }
    if (pg_text(res, 0, 2)[0] != 't') {
        (void)selftest_fail(t, "send_status", "sluice waybills show NO", "%s", pg_text(res, 0, 1));
        return LOOK_FAILED;
    }
    selftest_ok(t, "send_status", "%s", pg_text(res, 0, 1));
    return LOOK_OK;
}

bool selftest_watch(struct selftest *t)
{
    static const char *const TO_NOTIFY[] = {"express", "express.events", NULL};
    static const char *const TO_PUSH[] = {"push", "notification.pushes", "notification.outcomes", NULL};

    return stage(t, "notify_queue", look_queue, TO_NOTIFY) && stage(t, "process_status", look_processed, TO_NOTIFY) &&
           stage(t, "express_notifications", look_notifications, TO_NOTIFY) &&
           stage(t, "push_deliveries", look_deliveries, TO_PUSH) && stage(t, "send_status", look_sent, TO_PUSH);
}
