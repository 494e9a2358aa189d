/* SPDX-License-Identifier: Apache-2.0 */
/* Writers of single rows at a given rate, each a session and a thread of its own. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"

#define WRITERS_MAX 32
#define WRITER_RATE 125 /* rows a second that one writer has time for, with room for slow disks */
#define WRITE_SLACK_MS 60000
#define STATEMENT_TIMEOUT_MS 20000
#define INSERT "bench_insert"

struct writer {
    struct bench_stamps *stamps;
    PGconn *conn;
    int64_t first, step;
    int64_t payload;
    int64_t deadline_ms;
    atomic_bool *stop;
    atomic_llong *done;
    pthread_t thread;
    enum rc rc;
    struct err err;
};

static const char INSERT_SQL[] =
    "INSERT INTO " BENCH_TABLE " (id, platform, event_type, partition_key, callback_target, payload)"
    " VALUES ($1, '" BENCH_PLATFORM "', '" BENCH_EVENT "', $2, $3, $4)";

/* {"pad": "..."} with hexadecimal noise; its text has payload bytes. */
static void make_payload(int64_t payload, char *out)
{
    size_t n = (size_t)payload - 11;
    memcpy(out, "{\"pad\": \"", 9);
    for (size_t i = 0; i < n; i += 16) {
        char hex[17];
        (void)snprintf(hex, sizeof hex, "%016" PRIx64, clock_random());
        memcpy(out + 9 + i, hex, n - i < 16 ? n - i : 16);
    }
    memcpy(out + 9 + n, "\"}", 3);
}

static enum rc write_row(struct writer *w, int64_t i, char *payload, struct err *err)
{
    char id[BENCH_ID_MAX];
    char key[BENCH_KEY_MAX];
    char target[BENCH_TARGET_MAX] = BENCH_TARGET;

    bench_id(w->stamps, i, id);
    (void)snprintf(key, sizeof key, "key-%d", (int)(i % BENCH_KEYS));
    if (w->stamps->route != NULL) {
        w->stamps->route(w->stamps->opaque, i, key, target);
    }
    make_payload(w->payload, payload);
    const char *params[] = {id, key, target, payload};
    bench_sleep_until(bench_due_us(w->stamps, i));
    CLEANUP(pg_clearp) PGresult *res = PQexecPrepared(w->conn, INSERT, 4, params, NULL, NULL, 0);
    w->stamps->ready[i] = clock_mono_us();
    return PQresultStatus(res) == PGRES_COMMAND_OK ? RC_OK : pg_fail(w->conn, res, err);
}

static void *write_rows(void *arg)
{
    struct writer *w = arg;
    CLEANUP(freep) char *payload = xcalloc((size_t)w->payload + 16, 1);

    for (int64_t i = w->first; i < w->stamps->n && w->rc == RC_OK && !atomic_load(w->stop); i += w->step) {
        w->rc = bench_check(w->deadline_ms, "writers: the rate is too high for this machine", &w->err);
        if (w->rc == RC_OK) {
            w->rc = write_row(w, i, payload, &w->err);
        }
        (void)atomic_fetch_add(w->done, 1);
    }
    if (w->rc != RC_OK) {
        atomic_store(w->stop, true);
    }
    return NULL;
}

static enum rc prepare(const struct bench *b, struct writer *w, struct err *err)
{
    const struct pg_options opt = {.app = "sluice bench writer",
                                   .schema = config_str(b->cli->cfg, "database.schema"),
                                   .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    TRY(pg_open(config_str(b->cli->cfg, "database.url"), &opt, &w->conn, err));
    CLEANUP(pg_clearp) PGresult *res = PQprepare(w->conn, INSERT, INSERT_SQL, 4, NULL);
    return PQresultStatus(res) == PGRES_COMMAND_OK ? RC_OK : pg_fail(w->conn, res, err);
}

/* Starts all, waits for all; the first error is the answer. */
static enum rc run(struct bench *b, struct writer *list, int n, atomic_bool *stop, atomic_llong *done, struct err *err)
{
    enum rc rc = RC_OK;
    int started = 0;

    list[0].stamps->start_us = clock_mono_us() + 20000;
    for (; started < n && rc == RC_OK; started++) {
        int no = pthread_create(&list[started].thread, NULL, write_rows, &list[started]);
        if (no != 0) {
            atomic_store(stop, true);
            rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "cannot start a thread: %s", strerror(no));
            break;
        }
    }
    while (rc == RC_OK && !atomic_load(stop) && atomic_load(done) < list[0].stamps->n) {
        bench_progress(b, "commit to visible", atomic_load(done), list[0].stamps->n);
        clock_sleep_ms(50);
    }
    for (int i = 0; i < started; i++) {
        (void)pthread_join(list[i].thread, NULL);
        if (rc == RC_OK && list[i].rc != RC_OK) {
            *err = list[i].err;
            rc = list[i].rc;
        }
    }
    return rc;
}

enum rc bench_write_rows(struct bench *b, struct bench_stamps *s, struct err *err)
{
    struct writer list[WRITERS_MAX];
    atomic_bool stop = false;
    atomic_llong done = 0;
    int64_t wanted = (b->rate + WRITER_RATE - 1) / WRITER_RATE;
    int n = wanted > WRITERS_MAX ? WRITERS_MAX : (int)wanted;
    enum rc rc = RC_OK;

    memset(list, 0, sizeof list);
    b->writers = n;
    for (int i = 0; i < n && rc == RC_OK; i++) {
        list[i].stamps = s;
        list[i].first = i;
        list[i].step = n;
        list[i].payload = b->payload;
        list[i].deadline_ms = clock_mono_ms() + (b->seconds + 1) * 1000 + WRITE_SLACK_MS;
        list[i].stop = &stop;
        list[i].done = &done;
        rc = prepare(b, &list[i], err);
    }
    if (rc == RC_OK) {
        rc = run(b, list, n, &stop, &done, err);
    }
    for (int i = 0; i < n; i++) {
        pg_close(list[i].conn);
    }
    return rc;
}
