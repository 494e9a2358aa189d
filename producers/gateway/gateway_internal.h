/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the files of the gateway. Threads: the service's (checks what is asked, hands it over), writers (make it
 * durable, many jobs a transaction), the waiter (Prefer: wait), readers (GET), and main.
 */
#ifndef SLUICE_GATEWAY_INTERNAL_H
#define SLUICE_GATEWAY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/metric.h"
#include "channel/account.h"
#include "gateway/access.h"
#include "gateway/gateway.h"
#include "gateway/job.h"
#include "gateway/raw_keys.h"
#include "gateway/session.h"
#include "gateway/settle_express.h"

#define GATEWAY_THREADS_MAX 16
#define GATEWAY_AWAY_RETRY_AFTER_S 2
#define GATEWAY_JSON "application/json"
#define GATEWAY_BODY_BYTES_MAX ((size_t)256 << 10)

/* Listeners, each with routes of its own. */
enum front { FRONT_SERVICES, FRONT_EXPRESS, FRONT_DEVICES, FRONTS };

struct gateway;

struct worker {
    struct gateway *g;
    pthread_t thread;
    bool runs;
    bool up;   /* a writer's session is open; its own */
    bool away; /* a reader's session could not be opened; its own */
    char name[32];
};

/* Calls whose commands are durable and whose clients wait for what the ledger says. */
struct waiter {
    struct worker worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first; /* who has come since the thread looked */
    bool stopping;
};

struct gateway {
    struct role_ctx *ctx;
    struct service *services[FRONTS]; /* NULL = not opened */
    struct callers *callers;
    struct access express_access, device_access;
    struct session_options session;
    size_t batch_rows_max;
    int64_t commit_wait_ms;
    int64_t wait_poll_ms;

    struct job_queue writes, reads;
    struct worker writers[GATEWAY_THREADS_MAX], readers[GATEWAY_THREADS_MAX];
    size_t n_writers, n_readers;
    struct waiter waiter;

    /* Calls of channels; all of it unused without accounts. */
    struct accounts *accounts;
    struct raw_keys *raw_keys;
    struct callback_keys *keys; /* NULL before they are up */
    int64_t (*now_us)(void);    /* UTC, microseconds */
    struct job_queue verifies;
    struct worker verifiers[GATEWAY_THREADS_MAX];
    size_t n_verifiers;
    struct worker keeper;
    int64_t raw_keep_days; /* 0 = for ever */
    int64_t clock_skew_ms;

    /* Calls of carriers. */
    bool takes_express;
    struct express_rules express;
    size_t express_bytes_max; /* of bodies that are not answered yet */
    _Atomic size_t express_bytes;

    _Atomic int writers_up;
    pthread_mutex_t ready_lock;
    _Atomic bool ending;      /* also when nobody has asked for it: the keeper has nobody else to tell it */
    _Atomic int readers_away; /* whose last attempt to open a session failed; none at the start */

    struct metric *batch_rows, *commit_seconds, *unknown, *queue_depth, *waiting, *parked, *connections;
};

/* Every reader has found PostgreSQL away: questions are refused at once. */
bool gateway_reads_away(struct gateway *g);
/* The part `postgres` of readiness: writers and readers. why is shown while it is not ready. Thread: any. */
void gateway_ready(struct gateway *g, const char *why);
/* How long a turn of a thread may take that makes up to n statements: none of them is cut short by the watchdog. */
int64_t gateway_turn_ms(const struct gateway *g, int n);

/* front.c: starts the listeners, with callers, proxies and TLS as configured. FATAL: an option that is wrong, a port
 * taken. */
enum rc front_start(struct gateway *g, const struct config *cfg, service_done_fn done, struct err *err) MUST_USE;
/* Is the front's listener configured? */
bool front_wanted(const struct config *cfg, enum front front);
/* The two halves of stopping, of all of them. */
void front_drain(struct gateway *g);
void front_stop(struct gateway *g, int64_t grace_ms);

/* writer.c, reader.c, waiter.c: the threads' functions; opaque is the struct worker. */
void *writer_run(void *opaque);
void *reader_run(void *opaque);
void *waiter_run(void *opaque);

void waiter_init(struct waiter *w);
void waiter_done(struct waiter *w);
/* The job is durable; the call is answered when it is decided, or when its time is over. */
void waiter_add(struct waiter *w, struct job *job);
/* Everybody is answered now, and the thread ends. */
void waiter_close(struct waiter *w);

/* answer.c: complete answers; they finish parked calls. */
void answer_accepted(struct job *job);
void answer_shown(struct job *job, unsigned status, const char *json);
void answer_refused(struct job *job, unsigned status, const char *code, const char *field, const char *detail);
/* 422 with a code of the ledger. */
void answer_rejected(struct job *job, const char *code);
/* 503 and Retry-After; code database_unavailable or outcome_unknown. */
void answer_away(struct job *job, const char *code, const char *detail);
void answer_written(struct gateway *g, struct job *job);

#endif
