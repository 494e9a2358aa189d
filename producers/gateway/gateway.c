/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway role: routes, threads, and the order in which they end. */
#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/ask.h"
#include "gateway/callback.h"
#include "gateway/express.h"
#include "gateway/gateway_internal.h"
#include "runtime/process.h"

#define TURN_MS 1000
#define GRACE_MS 3000 /* for clients to take their answers */

static const char *const FLOWS_PARAMETERS[] = {"limit", "cursor", "from", "to", "format", NULL};

const struct service_route GATEWAY_ROUTES[] = {
    {{"POST", "/v1/transfers"}, ask_transfer, GATEWAY_JSON, GATEWAY_BODY_BYTES_MAX, true, false, NULL},
    {{"GET", "/v1/transfers/{id}"}, ask_show_transfer, NULL, 0, true, false, NULL},
    {{"POST", "/v1/transfers/{id}/confirm"}, ask_confirm, GATEWAY_JSON, GATEWAY_BODY_BYTES_MAX, true, false, NULL},
    {{"POST", "/v1/transfers/{id}/cancel"}, ask_cancel, GATEWAY_JSON, GATEWAY_BODY_BYTES_MAX, true, false, NULL},
    {{"POST", "/v1/accounts/{id}"}, ask_account, GATEWAY_JSON, GATEWAY_BODY_BYTES_MAX, true, false, NULL},
    {{"GET", "/v1/accounts/{id}"}, ask_show_account, NULL, 0, true, false, NULL},
    {{"GET", "/v1/accounts/{id}/flows"}, ask_show_flows, NULL, 0, true, false, FLOWS_PARAMETERS},
    {{"POST", "/v1/payments"}, ask_payment, GATEWAY_JSON, GATEWAY_BODY_BYTES_MAX, true, false, NULL},
    {{"GET", "/v1/payments/{id}"}, ask_show_payment, NULL, 0, true, false, NULL},
    /* Channels have no token but their signature, and expect answers of their own kind, also to a wrong media type. */
    {{"POST", "/callbacks/wechat/{account}"}, ask_callback, NULL, CHANNEL_BODY_BYTES_MAX, true, true, NULL},
    {{"POST", "/callbacks/alipay/{account}"}, ask_callback, NULL, CHANNEL_BODY_BYTES_MAX, true, true, NULL},
    {{"POST", "/callbacks/appstore/{account}"}, ask_callback, NULL, CHANNEL_BODY_BYTES_MAX, true, true, NULL},
    {{"POST", "/payments/applepay/{account}/verify"},
     ask_callback,
     GATEWAY_JSON,
     CHANNEL_BODY_BYTES_MAX,
     true,
     false,
     NULL},
};
const size_t GATEWAY_ROUTES_N = ARRAY_SIZE(GATEWAY_ROUTES);

/* ---------------------------------------------------------------------------------------------------- metrics */

static void make_metrics(struct gateway *g)
{
    static const double ROWS[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
    g->batch_rows = metric_histogram("sluice_gateway_batch_rows", "Requests made durable by one transaction.", ROWS,
                                     ARRAY_SIZE(ROWS), NULL);
    g->commit_seconds = metric_histogram("sluice_gateway_commit_seconds", "Time to make a batch durable.",
                                         METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    g->unknown = metric_counter("sluice_gateway_commits_unknown_total",
                                "Transactions whose COMMIT was not answered, so that the rows were looked for.", NULL);
    g->queue_depth = metric_gauge("sluice_gateway_queue_depth", "Requests that wait to be stored.", NULL);
    g->waiting = metric_gauge("sluice_gateway_waiting", "Requests that wait for the ledger's result.", NULL);
    g->parked = metric_gauge("sluice_gateway_parked", "Requests that are not answered yet.", NULL);
    g->connections = metric_gauge("sluice_gateway_connections", "Connections that are open.", NULL);
}

/* Of a channel's calls also those count that did not get to its function. */
static void count_refused(const struct service_route *route, unsigned status)
{
    for (enum channel c = 0; c < CHANNELS_N; c++) {
        char part[32];
        (void)snprintf(part, sizeof part, "/%s/", channel_name(c));
        if (strstr(route->key.pattern, part) != NULL && (status == 413 || status == 408 || status == 503)) {
            callback_count(c, status == 413 ? REASON_TOO_LARGE : REASON_UNAVAILABLE);
        }
    }
}

static void count(void *opaque, const struct service_route *route, bool handled, unsigned status, double seconds)
{
    (void)opaque;
    if (!handled && route != NULL && (route->handle == ask_callback || route->handle == ask_express)) {
        count_refused(route, status);
    }
    const char *pattern = route == NULL ? "" : route->key.pattern;
    const char *method = route == NULL ? "" : route->key.method;
    metric_inc(metric_counter("sluice_gateway_requests_total", "Requests by route and status.",
                              "route=\"%s %s\",status=\"%u\"", method, pattern, status));
    metric_observe(metric_histogram("sluice_gateway_request_seconds", "Time from a request's first line to its end.",
                                    METRIC_SECONDS, METRIC_SECONDS_N, "route=\"%s %s\"", method, pattern),
                   seconds);
}

/* ---------------------------------------------------------------------------------------------------- life */

int64_t gateway_turn_ms(const struct gateway *g, int n)
{
    return 60000 + n * (g->session.statement_timeout_ms + SESSION_SLACK_MS);
}

static enum rc start_worker(struct gateway *g, struct worker *w, const char *name, void *(*run)(void *),
                            struct err *err)
{
    w->g = g;
    (void)snprintf(w->name, sizeof w->name, "%s", name);
    int failed = pthread_create(&w->thread, NULL, run, w);
    if (failed != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(failed));
    }
    w->runs = true;
    return RC_OK;
}

static void join_worker(struct worker *w)
{
    if (w->runs) {
        (void)pthread_join(w->thread, NULL);
        w->runs = false;
    }
}

static enum rc start_workers(struct gateway *g, struct err *err)
{
    char name[32];
    TRY(start_worker(g, &g->waiter.worker, "waiter", waiter_run, err));
    for (size_t i = 0; i < g->n_writers; i++) {
        (void)snprintf(name, sizeof name, "writer-%zu", i + 1);
        TRY(start_worker(g, &g->writers[i], name, writer_run, err));
    }
    for (size_t i = 0; i < g->n_readers; i++) {
        (void)snprintf(name, sizeof name, "reader-%zu", i + 1);
        TRY(start_worker(g, &g->readers[i], name, reader_run, err));
    }
    for (size_t i = 0; i < g->n_verifiers; i++) {
        (void)snprintf(name, sizeof name, "verifier-%zu", i + 1);
        TRY(start_worker(g, &g->verifiers[i], name, verifier_run, err));
    }
    return g->accounts != NULL || g->takes_express ? start_worker(g, &g->keeper, "sweep", keeper_run, err) : RC_OK;
}

static double sum(const struct gateway *g, unsigned (*of)(struct service *))
{
    double all = 0;
    for (size_t i = 0; i < FRONTS; i++) {
        all += g->services[i] == NULL ? 0 : of(g->services[i]);
    }
    return all;
}

static void watch_services(struct gateway *g)
{
    struct watch *watch = role_watch(g->ctx, "main", 60000);
    while (!role_wait_ms(g->ctx, TURN_MS)) {
        role_tick(watch);
        callbacks_watch(g);
        metric_set(g->parked, sum(g, service_parked));
        metric_set(g->connections, sum(g, service_connections));
    }
    role_unwatch(g->ctx, watch);
}

bool gateway_reads_away(struct gateway *g)
{
    return atomic_load(&g->readers_away) >= (int)g->n_readers;
}

void gateway_ready(struct gateway *g, const char *why)
{
    (void)pthread_mutex_lock(&g->ready_lock); /* what was seen last is what is said last */
    bool up = atomic_load(&g->writers_up) > 0 && !gateway_reads_away(g);
    role_ready(g->ctx, "postgres", up, up ? "" : why);
    (void)pthread_mutex_unlock(&g->ready_lock);
}

/* Questions that no reader has begun with. Asking elsewhere is quicker than waiting for us. */
static void refuse_questions(struct gateway *g)
{
    struct job *job = NULL;
    while (job_queue_take(&g->reads, &job, 1, 0) == 1) {
        answer_away(job, "stopping", "the gateway is being stopped");
    }
}

/* Nobody new; what was accepted is stored and answered; whoever waits for a result hears that it is accepted. */
static void stop(struct gateway *g)
{
    atomic_store(&g->ending, true);
    front_drain(g);
    job_queue_close(&g->verifies);
    for (size_t i = 0; i < g->n_verifiers; i++) { /* they hand on to the writers */
        join_worker(&g->verifiers[i]);
    }
    job_queue_close(&g->writes);
    job_queue_close(&g->reads);
    refuse_questions(g);
    for (size_t i = 0; i < g->n_writers; i++) {
        join_worker(&g->writers[i]);
    }
    join_worker(&g->keeper);
    waiter_close(&g->waiter);
    join_worker(&g->waiter.worker);
    for (size_t i = 0; i < g->n_readers; i++) {
        join_worker(&g->readers[i]);
    }
    front_stop(g, GRACE_MS);
    callbacks_done(g);
    job_queue_done(&g->verifies);
    job_queue_done(&g->writes);
    job_queue_done(&g->reads);
    waiter_done(&g->waiter);
    (void)pthread_mutex_destroy(&g->ready_lock);
}

static enum rc gateway_run(struct role_ctx *ctx, struct err *err)
{
    const struct config *cfg = role_config(ctx);
    struct gateway *g = xcalloc(1, sizeof *g);
    g->ctx = ctx;
    g->now_us = clock_utc_us;
    g->session = (struct session_options){.url = config_str(cfg, "database.url"),
                                          .schema = config_str(cfg, "database.schema"),
                                          .statement_timeout_ms = config_int(cfg, "gateway.statement.timeout.ms")};
    g->batch_rows_max = (size_t)config_int(cfg, "gateway.batch.rows.max");
    g->commit_wait_ms = config_int(cfg, "gateway.commit.wait.ms");
    g->wait_poll_ms = config_int(cfg, "gateway.wait.poll.ms");
    g->n_writers = (size_t)config_int(cfg, "gateway.writers");
    g->n_readers = (size_t)config_int(cfg, "gateway.readers");
    job_queue_init(&g->writes, (size_t)config_int(cfg, "gateway.queue.max"));
    job_queue_init(&g->verifies, (size_t)config_int(cfg, "gateway.verify.queue.max"));
    job_queue_init(&g->reads, (size_t)config_int(cfg, "gateway.queue.max"));
    waiter_init(&g->waiter);
    (void)pthread_mutex_init(&g->ready_lock, NULL);
    make_metrics(g);
    process_raise_descriptors(); /* each connection holds one */
    role_ready(ctx, "postgres", false, "connecting");
    enum rc rc = callbacks_setup(g, cfg, err);
    if (rc == RC_OK) {
        rc = start_workers(g, err);
    }
    if (rc == RC_OK) {
        rc = front_start(g, cfg, count, err);
    }
    if (rc == RC_OK) {
        watch_services(g);
    }
    stop(g);
    free(g);
    return rc;
}

const struct role gateway_role = {.name = "gateway",
                                  .help = "HTTP for services: what they ask for becomes durable, then it is answered",
                                  .http_port = 7100,
                                  .options = &gateway_options,
                                  .run = gateway_run};
