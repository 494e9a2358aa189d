/* SPDX-License-Identifier: Apache-2.0 */
/* Claims a number by advisory lock and keeps it. */
#include "runtime/delivery_slot.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/conn.h"

#define HEARTBEAT_MS 1000
#define SEARCH_MS 500
#define BACKOFF_BASE_MS 200
#define BACKOFF_MAX_MS 2000
#define STATEMENT_TIMEOUT_MS 5000

struct slot {
    struct slot_options opt;
    char *url;
    char *app;
    char *name;
    pthread_t thread;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t wake;
    bool stop;
    enum slot_state state;
    int number;
    int64_t confirmed_ms;
    struct err why;

    PGconn *conn; /* of the thread */
    char pid[16]; /* of the session that had the lock last: it may outlive our end of it */
    char began[64];
};

const char *slot_state_name(enum slot_state state)
{
    static const char *const names[] = {"searching", "owned", "unsure", "taken", "failed"};

    return names[state];
}

static void set_state(struct slot *s, enum slot_state state, const struct err *why)
{
    (void)pthread_mutex_lock(&s->lock);
    bool changed = s->state != state || (why != NULL && strcmp(s->why.text, why->text) != 0);
    s->state = state;
    if (why != NULL) {
        s->why = *why;
    }
    if (state == SLOT_OWNED) {
        s->confirmed_ms = clock_mono_ms();
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (changed && s->opt.changed != NULL) {
        s->opt.changed(s->opt.opaque);
    }
}

/* False: it is time to end. */
static bool pause_ms(struct slot *s, int64_t ms)
{
    struct timespec until = clock_deadline(ms);

    (void)pthread_mutex_lock(&s->lock);
    while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0) {
    }
    bool go_on = !s->stop;
    (void)pthread_mutex_unlock(&s->lock);
    return go_on;
}

static enum rc open_session(struct slot *s, struct err *err)
{
    struct pg_options opt = {
        .app = s->app, .statement_timeout_ms = STATEMENT_TIMEOUT_MS, .idle_timeout_ms = s->opt.lock_timeout_ms};

    TRY(pg_open(s->url, &opt, &s->conn, err));
    return pg_require_direct(s->conn, err);
}

/* The lowest free number from first to last; *out_number -1 = none. The scan stops at the first lock it gets. */
static enum rc try_numbers(struct slot *s, int first, int last, int *out_number, struct err *err)
{
    static const char sql[] = "SELECT n FROM generate_series($2::int, $3::int) n"
                              " WHERE pg_try_advisory_lock(hashtext('sluice'), hashtext($1 || '-' || n)) LIMIT 1";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char from[16];
    char to[16];
    const char *params[] = {s->name, from, to};

    snprintf(from, sizeof(from), "%d", first);
    snprintf(to, sizeof(to), "%d", last);
    TRY(pg_query(s->conn, sql, 3, params, &res, err));
    *out_number = PQntuples(res) > 0 ? (int)pg_int(res, 0, 0, -1) : -1;
    return RC_OK;
}

static enum rc note_session(struct slot *s, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(s->conn, "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()", &res, err));
    snprintf(s->pid, sizeof(s->pid), "%s", pg_text(res, 0, 0));
    snprintf(s->began, sizeof(s->began), "%s", pg_text(res, 0, 1));
    return RC_OK;
}

/* Does our own earlier session, which the server has not missed yet, hold the lock? Then end it. */
static enum rc end_own_session(struct slot *s, bool *out_ended, struct err *err)
{
    static const char sql[] = "SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                              " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
                              " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                              " AND l.classid = (hashtext('sluice')::bigint & 4294967295)::oid"
                              " AND l.objid = (hashtext($1 || '-' || $2)::bigint & 4294967295)::oid"
                              " AND a.pid = $3::int AND a.backend_start = $4::timestamptz";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char number[16];
    const char *params[] = {s->name, number, s->pid, s->began};

    snprintf(number, sizeof(number), "%d", s->number);
    TRY(pg_query(s->conn, sql, 4, params, &res, err));
    *out_ended = PQntuples(res) > 0;
    return RC_OK;
}

/* With a session: the first number, or the old one again. */
static enum rc claim(struct slot *s, struct err *err)
{
    bool again = s->number >= 0;
    int number = -1;
    bool ended = false;

    TRY(try_numbers(s, again ? s->number : 0, again ? s->number : SLOTS_MAX - 1, &number, err));
    if (number < 0 && again) {
        TRY(end_own_session(s, &ended, err));
        if (!ended) {
            FAIL(err, RC_FENCED, "another process has taken %s-%d", s->name, s->number);
        }
        FAIL(err, RC_RETRY, "an earlier session of this process still held %s-%d", s->name, s->number);
    }
    if (number < 0) {
        FAIL(err, RC_RETRY, "all %d numbers of %s are taken", SLOTS_MAX, s->name);
    }
    TRY(note_session(s, err));
    (void)pthread_mutex_lock(&s->lock);
    s->number = number;
    (void)pthread_mutex_unlock(&s->lock);
    return RC_OK;
}

/* Heartbeats until the session fails; RC_OK = asked to end. */
static enum rc keep(struct slot *s, struct err *err)
{
    while (pause_ms(s, HEARTBEAT_MS)) {
        TRY(pg_exec(s->conn, "SELECT 1", NULL, err));
        set_state(s, SLOT_OWNED, NULL);
    }
    return RC_OK;
}

static enum rc one_session(struct slot *s, bool *out_owned, struct err *err)
{
    TRY(open_session(s, err));
    TRY(claim(s, err));
    *out_owned = true;
    set_state(s, SLOT_OWNED, NULL);
    return keep(s, err);
}

static void *slot_main(void *arg)
{
    struct slot *s = arg;
    int failures = 0;

    for (;;) {
        struct err err = {0};
        bool owned = false;
        enum rc rc = one_session(s, &owned, &err);
        pg_closep(&s->conn);
        if (rc == RC_OK) {
            return NULL;
        }
        if (rc == RC_FENCED || (rc == RC_FATAL && !owned && s->number < 0)) {
            set_state(s, rc == RC_FENCED ? SLOT_TAKEN : SLOT_FAILED, &err);
            return NULL;
        }
        set_state(s, s->number < 0 ? SLOT_SEARCHING : SLOT_UNSURE, &err);
        failures = owned ? 0 : failures + 1;
        if (!pause_ms(s, s->number < 0 ? SEARCH_MS : clock_backoff_ms(failures, BACKOFF_BASE_MS, BACKOFF_MAX_MS))) {
            return NULL;
        }
    }
}

static struct slot *slot_free(struct slot *s)
{
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->url);
    free(s->app);
    free(s->name);
    free(s);
    return NULL;
}

enum rc slot_start(const struct slot_options *opt, struct slot **out_slot, struct err *err)
{
    struct slot *s = xcalloc(1, sizeof(*s));

    s->opt = *opt;
    s->url = xstrdup(opt->url);
    s->app = xstrdup(opt->app);
    s->name = xstrdup(opt->name);
    s->number = -1;
    (void)pthread_mutex_init(&s->lock, NULL);
    clock_condition_init(&s->wake);
    int no = pthread_create(&s->thread, NULL, slot_main, s);
    if (no != 0) {
        slot_free(s);
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(no));
    }
    *out_slot = s;
    return RC_OK;
}

struct slot *slot_stop(struct slot *s)
{
    if (s == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->stop = true;
    (void)pthread_cond_broadcast(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    return slot_free(s);
}

enum slot_state slot_state(struct slot *s, int *out_number, struct err *out_why)
{
    (void)pthread_mutex_lock(&s->lock);
    enum slot_state state = s->state;
    if (out_number != NULL) {
        *out_number = s->number;
    }
    if (out_why != NULL) {
        *out_why = s->why;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return state;
}

bool slot_confirmed_since(struct slot *s, int64_t since_ms)
{
    (void)pthread_mutex_lock(&s->lock);
    bool yes = s->state == SLOT_OWNED && s->confirmed_ms > since_ms;
    (void)pthread_mutex_unlock(&s->lock);
    return yes;
}
