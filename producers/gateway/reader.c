/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: questions, one after the other on each thread's session. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/gateway_internal.h"
#include "gateway/show.h"

#define TURN_MS 250
#define CONNECT_PAUSE_MS 250
#define PROBE_MS 1000 /* as the writers' */

static void set_away(struct worker *w, bool away, const char *why)
{
    if (w->away != away) {
        w->away = away;
        (void)atomic_fetch_add(&w->g->readers_away, away ? 1 : -1);
        gateway_ready(w->g, why);
    }
}

static enum rc open_session(struct worker *w, struct session *s, struct err *err)
{
    enum rc rc = session_open(s, err);
    set_away(w, rc != RC_OK, err->text);
    return rc;
}

/* A session that was lost while nobody used it deserves a second attempt; a server that is silent does not. */
static bool try_again(const struct worker *w, const struct session *s, enum rc rc, const struct err *err)
{
    return rc == RC_RETRY && s->conn == NULL && strcmp(err->code, "timeout") != 0 && !role_stopping(w->g->ctx);
}

static void answer(struct worker *w, struct session *s, struct job *job)
{
    struct err err = {0};
    enum rc rc = show_answer(s, job, &err);
    if (try_again(w, s, rc, &err)) {
        rc = open_session(w, s, &err);
        rc = rc == RC_OK ? show_answer(s, job, &err) : rc;
    }
    if (rc == RC_OK) {
        call_finish(job->call);
        return;
    }
    log_warn("gateway", "a question could not be answered", KV_ERR(&err));
    if (s->conn == NULL) {
        set_away(w, true, err.text);
    }
    session_close(s);
    answer_away(job, "database_unavailable", "the database does not answer");
}

/* While no reader has a session, nobody waits for one. */
static void refuse_waiting(struct gateway *g)
{
    struct job *job = NULL;
    while (gateway_reads_away(g) && job_queue_take(&g->reads, &job, 1, 0) == 1) {
        answer_away(job, "database_unavailable", "the database does not answer");
    }
}

/* One turn with a session. */
static void serve(struct worker *w, struct session *s, int64_t *used_ms)
{
    struct err err = {0};
    struct job *job = NULL;
    if (job_queue_take(&w->g->reads, &job, 1, TURN_MS) == 1) {
        answer(w, s, job);
        *used_ms = clock_mono_ms();
    } else if (clock_mono_ms() - *used_ms >= PROBE_MS) {
        if (session_probe(s, &err) != RC_OK) {
            set_away(w, true, err.text);
        }
        *used_ms = clock_mono_ms();
    }
}

void *reader_run(void *opaque)
{
    struct worker *w = opaque;
    struct gateway *g = w->g;
    struct session s = {.opt = &g->session};
    struct watch *watch = role_watch(g->ctx, w->name, gateway_turn_ms(g, 4));
    int64_t used_ms = clock_mono_ms();
    while (!job_queue_over(&g->reads)) {
        struct err err = {0};
        role_tick(watch);
        if (open_session(w, &s, &err) == RC_OK) {
            serve(w, &s, &used_ms);
            continue;
        }
        log_warn("gateway", "waiting for PostgreSQL", KV_ERR(&err));
        refuse_waiting(g);
        (void)role_wait_ms(g->ctx, CONNECT_PAUSE_MS);
    }
    session_close(&s);
    role_unwatch(g->ctx, watch);
    return NULL;
}
