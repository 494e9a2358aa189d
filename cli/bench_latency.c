/* SPDX-License-Identifier: Apache-2.0 */
/* From commit to visible: a consumer thread stamps what it sees, another hand writes; then the percentiles. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench.h"

#define SETTLE_MS 1000
#define LAST_TIMEOUT_MS 30000
#define RUN_DIGITS 8
#define ID_LENGTH 36
#define INDEX_AT 24 /* of an id: 8-4-4-4-12 */

struct watcher {
    const struct bench_watched *what;
    struct bench_reader reader;
    struct bench_stamps *stamps;
    atomic_bool stop;
    enum rc rc;
    struct err err;
};

void bench_id(const struct bench_stamps *s, int64_t i, char out[BENCH_ID_MAX])
{
    (void)snprintf(out, BENCH_ID_MAX, "%08" PRIx32 "-0000-4000-8000-%012" PRIx64, s->run, (uint64_t)i);
}

int64_t bench_due_us(const struct bench_stamps *s, int64_t i)
{
    return s->start_us + i * 1000000 / s->rate;
}

void bench_sleep_until(int64_t mono_us)
{
    const struct timespec ts = {.tv_sec = mono_us / 1000000, .tv_nsec = mono_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR && !bench_interrupted()) {
    }
}

int64_t bench_id_number(const struct bench_stamps *s, const char *id, size_t n)
{
    char text[BENCH_ID_MAX] = "";
    char run[RUN_DIGITS + 1];

    if (n != ID_LENGTH) {
        return -1;
    }
    memcpy(text, id, n);
    (void)snprintf(run, sizeof run, "%08" PRIx32, s->run);
    if (strncmp(text, run, RUN_DIGITS) != 0) {
        return -1;
    }
    int64_t i = (int64_t)strtoull(text + INDEX_AT, NULL, 16);
    return i >= 0 && i < s->n ? i : -1;
}

void bench_stamps_init(struct bench_stamps *s, int64_t n)
{
    s->n = n;
    s->run = (uint32_t)clock_random();
    s->ready = xcalloc((size_t)n, sizeof *s->ready);
    s->seen = xcalloc((size_t)n, sizeof *s->seen);
}

void bench_stamps_done(struct bench_stamps *s)
{
    free(s->ready);
    free(s->seen);
    s->ready = s->seen = NULL;
}

static void stamp(const rd_kafka_message_t *msg, void *opaque)
{
    const struct watcher *w = opaque;
    struct bench_stamps *s = w->stamps;
    int64_t i = w->what->number(s, msg, w->what->opaque);
    if (i >= 0 && s->seen[i] == 0) {
        s->seen[i] = clock_mono_us();
        (void)atomic_fetch_add(&s->n_seen, 1);
    }
}

static void *watch(void *arg)
{
    struct watcher *w = arg;
    while (w->rc == RC_OK && !atomic_load(&w->stop)) {
        w->rc = bench_reader_poll(&w->reader, 50, stamp, w, &w->err);
    }
    return NULL;
}

static int64_t stride(const struct bench_stamps *s)
{
    return s->stride > 1 ? s->stride : 1;
}

enum rc bench_wait_for_last(struct bench_stamps *s, struct err *err)
{
    int64_t deadline = clock_mono_ms() + LAST_TIMEOUT_MS;
    int64_t n = (s->n + stride(s) - 1) / stride(s);
    while (atomic_load(&s->n_seen) < n) {
        struct err why = {0};
        if (bench_check(deadline, "", &why) != RC_OK) {
            FAIL(err, RC_RETRY, "%s: %lld of %lld records were seen", bench_interrupted() ? "interrupted" : "latency",
                 atomic_load(&s->n_seen), (long long)n);
        }
        clock_sleep_ms(10);
    }
    return RC_OK;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile_ms(const int64_t *sorted, int64_t n, int64_t per_mille)
{
    int64_t at = (n * per_mille + 999) / 1000 - 1;
    return (double)sorted[at < 0 ? 0 : at] / 1000;
}

/* A record may be seen before the writer hears of its own commit: that is no delay. */
void bench_evaluate(const struct bench_stamps *s, struct bench_quantiles *out)
{
    int64_t n = 0;
    int64_t step = stride(s);
    CLEANUP(freep) int64_t *us = xcalloc((size_t)s->n, sizeof *us);
    int64_t last = s->start_us + 1;

    for (int64_t i = (s->skip + step - 1) / step * step; i < s->n; i += step) {
        int64_t d = s->seen[i] - s->ready[i];
        us[n++] = d > 0 ? d : 0;
        last = s->ready[i] > last ? s->ready[i] : last;
    }
    qsort(us, (size_t)n, sizeof *us, compare);
    *out = (struct bench_quantiles){.n = n,
                                    .p50_ms = quantile_ms(us, n, 500),
                                    .p99_ms = quantile_ms(us, n, 990),
                                    .max_ms = (double)us[n - 1] / 1000,
                                    .rate = (double)(s->n / step) * 1e6 / (double)(last - s->start_us)};
}

static enum rc write_watched(struct watcher *w, struct err *err)
{
    pthread_t thread;
    int no = pthread_create(&thread, NULL, watch, w);
    if (no != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(no));
    }
    clock_sleep_ms(SETTLE_MS); /* its first fetch is on its way */
    enum rc rc = w->what->write(w->stamps, w->what->opaque, err);
    if (rc == RC_OK) {
        rc = bench_wait_for_last(w->stamps, err);
    }
    atomic_store(&w->stop, true);
    (void)pthread_join(thread, NULL);
    if (rc == RC_OK && w->rc != RC_OK) {
        *err = w->err;
        rc = w->rc;
    }
    return rc;
}

enum rc bench_watch(const struct bench *b, const struct bench_watched *what, struct bench_stamps *s, struct err *err)
{
    int64_t ends[BENCH_PARTITIONS_MAX] = {0};
    int n = 0;
    struct watcher w = {.what = what, .stamps = s, .rc = RC_OK};

    TRY(bench_ends(b, what->topic, ends, &n, err));
    enum rc rc = bench_reader_open(b, what->topic, ends, n, &w.reader, err);
    if (rc == RC_OK) {
        rc = write_watched(&w, err);
    }
    bench_reader_close(&w.reader);
    return rc;
}

/* ---------------------------------------------------------------------------------------------------- relay, floor */

struct writing {
    struct bench *b;
    const struct bench_samples *samples; /* NULL: rows */
};

/* By its ce_id. */
static int64_t number_of(const struct bench_stamps *s, const rd_kafka_message_t *msg, void *opaque)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t len = 0;

    (void)opaque;
    if (rd_kafka_message_headers(msg, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "ce_id", &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return -1;
    }
    return bench_id_number(s, value, len);
}

static enum rc write_them(struct bench_stamps *s, void *opaque, struct err *err)
{
    const struct writing *w = opaque;
    return w->samples == NULL ? bench_write_rows(w->b, s, err) : bench_write_records(w->b, s, w->samples, err);
}

static enum rc measure(struct bench *b, const char *topic, const struct bench_samples *samples,
                       struct bench_quantiles *out, struct err *err)
{
    struct bench_stamps s = {.skip = b->rate, .rate = b->rate};
    struct writing writing = {b, samples};
    const struct bench_watched what = {topic, number_of, write_them, &writing};

    bench_stamps_init(&s, b->rate * (b->seconds + 1));
    enum rc rc = bench_watch(b, &what, &s, err);
    if (rc == RC_OK) {
        bench_evaluate(&s, out);
    }
    bench_stamps_done(&s);
    return rc;
}

enum rc bench_run_latency(struct bench *b, struct err *err)
{
    struct bench_child child = {.pid = 0};
    enum rc rc = bench_child_start(b, BENCH_SOURCE, &child, err);
    if (rc == RC_OK) {
        rc = measure(b, b->topic, NULL, &b->latency, err);
    }
    bench_child_stop(&child, &b->relay_peak_kib);
    return rc;
}

enum rc bench_run_floor(struct bench *b, const struct bench_samples *samples, struct err *err)
{
    return measure(b, b->raw_topic, samples, &b->floor, err);
}
