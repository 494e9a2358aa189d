/* SPDX-License-Identifier: Apache-2.0 */
/* Writers: many waiting requests share one transaction, and nobody is told that something is stored before it is. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/device.h"
#include "gateway/gateway_internal.h"
#include "gateway/store.h"

#define TURN_MS 250
#define CONNECT_PAUSE_MS 250
#define STOPPING_PAUSE_MS 50
#define PROBE_MS 1000 /* without anything to store, the session is asked whether it is good */
#define AGAIN_PAUSE_MS 100
#define TRIES_MAX 3           /* of what is certainly not stored */
#define STOPPING_WAIT_MS 5000 /* for an unknown outcome, while the role is being stopped */

static void set_up(struct worker *w, bool up, const char *why)
{
    if (w->up == up) {
        return;
    }
    w->up = up;
    (void)atomic_fetch_add(&w->g->writers_up, up ? 1 : -1);
    gateway_ready(w->g, why);
}

static enum rc open_session(struct worker *w, struct session *s, struct err *err)
{
    enum rc rc = session_open(s, err);
    set_up(w, rc == RC_OK, err->text);
    if (rc == RC_FATAL && err_is_config(err)) {
        role_stop(w->g->ctx, err);
    }
    return rc;
}

static void answer_all(struct job **jobs, size_t n, const char *code, const char *detail)
{
    for (size_t i = 0; i < n; i++) {
        answer_away(jobs[i], code, detail);
    }
}

/* May another attempt be made? *tries counts those of what is certainly not stored. */
static bool go_on(const struct worker *w, bool unknown, int *tries, int64_t began_ms)
{
    int64_t limit_ms =
        role_stopping(w->g->ctx) && w->g->commit_wait_ms > STOPPING_WAIT_MS ? STOPPING_WAIT_MS : w->g->commit_wait_ms;
    (*tries)++;
    return unknown ? clock_mono_ms() - began_ms < limit_ms : *tries < TRIES_MAX;
}

/*
 * OK, REJECT, or RETRY with *out_unknown. Once the outcome is unknown, the same rows are written again until it is
 * known: what was committed is found, what was not is stored now.
 */
static enum rc write_until_known(struct worker *w, struct session *s, struct job **jobs, size_t n, bool *out_unknown,
                                 struct err *err)
{
    int64_t began_ms = clock_mono_ms();
    int tries = 0;
    *out_unknown = false;
    for (;;) {
        bool lost = false;
        enum rc rc = open_session(w, s, err);
        bool away = rc != RC_OK;
        if (rc == RC_OK) {
            rc = jobs_store(s, jobs, n, &lost, err);
        }
        if (rc == RC_FATAL) {
            session_close(s); /* became a standby, lost its tables: looked at again when it is opened */
        }
        if (rc == RC_OK || rc == RC_REJECT) {
            return rc;
        }
        if (lost && !*out_unknown) {
            metric_inc(w->g->unknown);
            log_warn("gateway", "the answer to a COMMIT is lost; looking for what was stored", KV_I("rows", (int64_t)n),
                     KV_ERR(err));
        }
        *out_unknown = *out_unknown || lost;
        if ((away && !*out_unknown) || !go_on(w, *out_unknown, &tries, began_ms)) {
            return RC_RETRY;
        }
        clock_sleep_ms(lost ? 0 : AGAIN_PAUSE_MS);
    }
}

/* One that the database refuses must not take the others with it: halves are tried until it stands alone. */
static void write_jobs(struct worker *w, struct session *s, struct job **jobs, size_t n)
{
    struct err err = {0};
    bool unknown = false;
    int64_t began_us = clock_mono_us();
    enum rc rc = write_until_known(w, s, jobs, n, &unknown, &err);
    if (rc == RC_OK) {
        metric_observe(w->g->commit_seconds, (double)(clock_mono_us() - began_us) / 1e6);
        metric_observe(w->g->batch_rows, (double)n);
        for (size_t i = 0; i < n; i++) {
            answer_written(w->g, jobs[i]);
        }
        return;
    }
    if (rc == RC_REJECT && n > 1) {
        write_jobs(w, s, jobs, n / 2);
        write_jobs(w, s, jobs + n / 2, n - n / 2);
        return;
    }
    log_warn("gateway", "rows could not be stored", KV_I("rows", (int64_t)n), KV_ERR(&err));
    if (rc == RC_REJECT && (jobs[0]->kind == JOB_CALLBACK || jobs[0]->kind == JOB_EXPRESS)) {
        answer_away(jobs[0], "refused_by_database", "the database does not take this content");
    } else if (rc == RC_REJECT && jobs[0]->kind == JOB_DEVICE) {
        device_refused(jobs[0], 400, "the database does not take this content");
    } else if (rc == RC_REJECT) {
        answer_refused(jobs[0], 422, "refused_by_database", NULL, "the database does not take this content");
    } else if (unknown) {
        answer_all(jobs, n, "outcome_unknown",
                   "it is not known whether it was stored; ask again with the same ids, which is harmless");
    } else {
        answer_all(jobs, n, "database_unavailable", "nothing was stored");
    }
}

/* Whoever has come in between is told at once. */
static void refuse_waiting(struct gateway *g, struct job **jobs)
{
    size_t n = 0;
    while (atomic_load(&g->writers_up) <= 0 && (n = job_queue_take(&g->writes, jobs, g->batch_rows_max, 0)) > 0) {
        answer_all(jobs, n, "database_unavailable", "nothing was stored");
    }
}

static void wait_for_postgres(struct worker *w, struct job **jobs, const struct err *err)
{
    log_warn("gateway", "waiting for PostgreSQL", KV_ERR(err));
    refuse_waiting(w->g, jobs);
    if (role_stopping(w->g->ctx)) {
        clock_sleep_ms(STOPPING_PAUSE_MS); /* another writer may still be storing what is queued */
    } else {
        (void)role_wait_ms(w->g->ctx, CONNECT_PAUSE_MS);
    }
}

/* Nobody asks: a server that is gone, or has become a standby, would not be noticed before somebody does. */
static void probe(struct worker *w, struct session *s, struct err *err)
{
    if (session_probe(s, err) != RC_OK) {
        log_warn("gateway", "waiting for PostgreSQL", KV_ERR(err));
        set_up(w, false, err->text);
    }
}

void *writer_run(void *opaque)
{
    struct worker *w = opaque;
    struct gateway *g = w->g;
    struct session s = {.opt = &g->session};
    struct job **jobs = xcalloc(g->batch_rows_max, sizeof(struct job *));
    struct watch *watch = role_watch(g->ctx, w->name, 2 * g->commit_wait_ms + gateway_turn_ms(g, 6 * TRIES_MAX));
    struct err err = {0};
    int64_t used_ms = clock_mono_ms();
    while (!job_queue_over(&g->writes)) {
        role_tick(watch);
        if (open_session(w, &s, &err) != RC_OK) {
            wait_for_postgres(w, jobs, &err);
            continue;
        }
        size_t n = job_queue_take(&g->writes, jobs, g->batch_rows_max, TURN_MS);
        if (n > 0) {
            write_jobs(w, &s, jobs, n);
            used_ms = clock_mono_ms();
        } else if (clock_mono_ms() - used_ms >= PROBE_MS) {
            probe(w, &s, &err);
            used_ms = clock_mono_ms();
        }
        metric_set(g->queue_depth, (double)job_queue_length(&g->writes));
    }
    session_close(&s);
    set_up(w, false, "stopped");
    role_unwatch(g->ctx, watch);
    free(jobs);
    return NULL;
}
