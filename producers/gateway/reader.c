/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: questions, one after the other on each thread's session. */
#include "base/log.h"
#include "gateway/gateway_internal.h"
#include "gateway/show.h"

#define TURN_MS 1000

/* A session that was lost while nobody used it deserves a second attempt. */
static void answer(struct worker *w, struct session *s, struct job *job)
{
    struct err err = {0};
    enum rc rc = show_answer(s, job, &err);
    if (rc == RC_RETRY && s->conn == NULL) {
        rc = show_answer(s, job, &err);
    }
    (void)w;
    if (rc != RC_OK) {
        log_warn("gateway", "a question could not be answered", KV_ERR(&err));
        session_close(s);
        answer_away(job, "database_unavailable", "the database does not answer");
        return;
    }
    call_finish(job->call);
}

void *reader_run(void *opaque)
{
    struct worker *w = opaque;
    struct gateway *g = w->g;
    struct session s = {.opt = &g->session};
    struct watch *watch = role_watch(g->ctx, w->name, gateway_turn_ms(g, 4));
    while (!job_queue_over(&g->reads)) {
        struct job *job = NULL;
        role_tick(watch);
        if (job_queue_take(&g->reads, &job, 1, TURN_MS) == 1) {
            answer(w, &s, job);
        }
    }
    session_close(&s);
    role_unwatch(g->ctx, watch);
    return NULL;
}
