/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: a bare transactional producer of the same records, as fast as it goes and at a given rate. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"
#include "kafka/conf.h"

#define STEP_TIMEOUT_MS 600000 /* of one size */
#define TXN_TIMEOUT_MS 60000
#define WARM_UP_RECORDS 1000
#define POLL_EVERY 1024
#define FLOOR_SLACK_MS 30000
#define HEADERS_MAX 64
#define TRANSACTIONAL_ID "sluice-bench"

static const int64_t SIZES[BENCH_RAW_SIZES] = {1000, 10000, 50000};

static enum rc on_idle(void *deadline_ms, struct err *err)
{
    return bench_check(*(const int64_t *)deadline_ms, "producing records", err);
}

void bench_producer_closep(struct producer **p)
{
    producer_destroy(*p);
}

enum rc bench_producer_open(const struct bench *b, const char *transactional_id, int64_t *deadline_ms,
                            struct producer **out, struct err *err)
{
    CLEANUP(freep) char *id = kafka_topic_name(b->cli->cfg, transactional_id);
    const struct producer_options opt = {.client = "sluice-bench",
                                         .transactional_id = id,
                                         .transaction_timeout_ms = TXN_TIMEOUT_MS,
                                         .idle = on_idle,
                                         .opaque = deadline_ms};
    TRY(producer_create(b->cli->cfg, &opt, out, err));
    return producer_init(*out, err);
}

/* n records in transactions of `size`, the samples over and over. */
static enum rc produce(struct bench *b, struct producer *p, const struct bench_samples *s, int64_t n, int64_t size,
                       struct err *err)
{
    for (int64_t done = 0; done < n;) {
        int64_t end = done + size < n ? done + size : n;
        TRY(producer_begin(p, err));
        for (; done < end; done++) {
            TRY(producer_send(p, &s->list[done % s->n], done, err));
            if (done % POLL_EVERY == POLL_EVERY - 1) {
                producer_poll(p);
            }
        }
        TRY(producer_commit(p, err));
        TRY(on_idle(&(int64_t){clock_mono_ms() + STEP_TIMEOUT_MS}, err)); /* Ctrl-C */
        if (n > WARM_UP_RECORDS) {
            bench_progress(b, "limit: bare producer", done, n);
        }
    }
    return RC_OK;
}

enum rc bench_run_limit(struct bench *b, const struct bench_samples *s, struct err *err)
{
    int64_t deadline = clock_mono_ms() + STEP_TIMEOUT_MS;
    CLEANUP(bench_producer_closep) struct producer *p = NULL;

    TRY(bench_producer_open(b, TRANSACTIONAL_ID, &deadline, &p, err));
    TRY(produce(b, p, s, WARM_UP_RECORDS, WARM_UP_RECORDS, err));
    for (size_t i = 0; i < BENCH_RAW_SIZES; i++) {
        deadline = clock_mono_ms() + STEP_TIMEOUT_MS;
        int64_t began = clock_mono_us();
        TRY(produce(b, p, s, b->rows, SIZES[i], err));
        double seconds = (double)(clock_mono_us() - began + 1) / 1e6;
        b->limit.sizes[i] = SIZES[i];
        b->limit.rows_per_s[i] = (double)b->rows / seconds;
        if (b->limit.rows_per_s[i] > b->limit.best) {
            b->limit.best = b->limit.rows_per_s[i];
            b->limit.best_size = SIZES[i];
        }
    }
    return RC_OK;
}

/* A sample under the id of record i; the producer copies headers, so they may live here. */
static enum rc send_stamped(struct producer *p, const struct bench_stamps *st, const struct producer_record *sample,
                            int64_t i, struct err *err)
{
    struct producer_header headers[HEADERS_MAX];
    struct producer_record rec = *sample;
    char id[BENCH_ID_MAX];

    bench_id(st, i, id);
    rec.timestamp_ms = 0;
    rec.n_headers = sample->n_headers < HEADERS_MAX ? sample->n_headers : HEADERS_MAX;
    memcpy(headers, sample->headers, rec.n_headers * sizeof *headers);
    for (size_t h = 0; h < rec.n_headers; h++) {
        if (strcmp(headers[h].name, "ce_id") == 0) {
            headers[h].value = id;
            headers[h].value_len = strlen(id);
        }
    }
    rec.headers = headers;
    return producer_send(p, &rec, i, err);
}

/* Records that have become due are sent and committed at once, then those that became due meanwhile. */
static enum rc follow_clock(struct bench *b, struct producer *p, struct bench_stamps *st, const struct bench_samples *s,
                            struct err *err)
{
    for (int64_t done = 0; done < st->n;) {
        int64_t next_us = bench_due_us(st, done);
        if (clock_mono_us() < next_us) {
            bench_sleep_until(next_us);
        }
        int64_t now = clock_mono_us();
        TRY(producer_begin(p, err));
        for (; done < st->n && bench_due_us(st, done) <= now; done++) {
            st->ready[done] = bench_due_us(st, done);
            TRY(send_stamped(p, st, &s->list[done % s->n], done, err));
        }
        TRY(producer_commit(p, err));
        TRY(bench_check(INT64_MAX, "", err));
        bench_progress(b, "floor: bare producer", done, st->n);
    }
    return RC_OK;
}

enum rc bench_write_records(struct bench *b, struct bench_stamps *st, const struct bench_samples *samples,
                            struct err *err)
{
    int64_t deadline = clock_mono_ms() + (b->seconds + 1) * 1000 + FLOOR_SLACK_MS;
    CLEANUP(bench_producer_closep) struct producer *p = NULL;

    TRY(bench_producer_open(b, TRANSACTIONAL_ID, &deadline, &p, err));
    TRY(produce(b, p, samples, 1, 1, err)); /* connections are made */
    st->start_us = clock_mono_us();
    return follow_clock(b, p, st, samples, err);
}
