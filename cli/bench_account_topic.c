/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers as records of account.commands, by a bare transactional producer. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench_account.h"

#define TXN_RECORDS 10000
#define TRANSACTIONAL_ID "sluice-bench-account"
#define STEP_TIMEOUT_MS 600000
#define VALUE_BYTES_MAX 4096
#define ARENA_CHUNK ((size_t)1 << 20)
#define POLL_EVERY 1024

static enum rc set_text(struct account_bench *b, const char *field, const char *text, struct err *err)
{
    return avro_encoder_set_string(b->enc, (size_t)avro_encoder_field_index(b->enc, field), text, strlen(text), err);
}

static enum rc set_number(struct account_bench *b, const char *field, int64_t v, struct err *err)
{
    return avro_encoder_set_long(b->enc, (size_t)avro_encoder_field_index(b->enc, field), v, err);
}

static enum rc encode(struct account_bench *b, const char *id, const struct bench_transfer *t, struct arena *a,
                      const void **out_value, size_t *out_n, struct err *err)
{
    char payload[512];

    (void)snprintf(payload, sizeof payload,
                   "{\"transfer_id\": \"%s\", \"debit\": \"%s\", \"credit\": \"%s\", \"amount\": %" PRId64
                   ", \"currency\": \"CNY\"}",
                   id, t->debit, t->credit, t->amount);
    avro_encoder_reset(b->enc);
    TRY(set_text(b, "event_id", id, err));
    TRY(set_text(b, "command", "transfer", err));
    TRY(set_text(b, "partition_key", t->debit, err));
    TRY(set_text(b, "payload", payload, err));
    TRY(set_number(b, "queue_seq", 1, err));
    TRY(set_number(b, "created_at", clock_utc_us(), err));
    return avro_encoder_wire(b->enc, a, VALUE_BYTES_MAX, out_value, out_n, err);
}

/* What it is made of stays in a until the transaction ends. */
static enum rc send_one(struct account_bench *b, struct producer *p, const struct bench_stamps *s, int64_t i, bool hot,
                        struct arena *a, struct err *err)
{
    struct bench_transfer t;
    char id[BENCH_ID_MAX];
    struct producer_record rec = {.topic = b->commands, .partition = RD_KAFKA_PARTITION_UA};

    bench_account_draw(b, hot, &t);
    bench_id(s, i, id);
    TRY(encode(b, id, &t, a, &rec.value, &rec.value_len, err));
    rec.key_len = strlen(t.debit);
    rec.key = arena_strndup(a, t.debit, rec.key_len);
    return producer_send(p, &rec, i, err);
}

/* Records [*done, end) as one transaction. */
static enum rc one_txn(struct account_bench *b, struct producer *p, const struct bench_stamps *s, int64_t *done,
                       int64_t end, bool hot, struct arena *a, struct err *err)
{
    TRY(producer_begin(p, err));
    for (; *done < end; (*done)++) {
        TRY(send_one(b, p, s, *done, hot, a, err));
        if (*done % POLL_EVERY == POLL_EVERY - 1) {
            producer_poll(p);
        }
    }
    TRY(producer_commit(p, err));
    arena_reset(a);
    return bench_check(INT64_MAX, "", err);
}

static enum rc all_of_them(struct account_bench *b, struct producer *p, const struct bench_stamps *s, bool hot,
                           struct arena *a, struct err *err)
{
    for (int64_t done = 0; done < s->n;) {
        int64_t end = done + TXN_RECORDS < s->n ? done + TXN_RECORDS : s->n;
        TRY(one_txn(b, p, s, &done, end, hot, a, err));
        bench_progress(&b->base, "filling the topic", done, s->n);
    }
    return RC_OK;
}

enum rc bench_account_produce(struct account_bench *b, const struct bench_stamps *s, bool hot, struct err *err)
{
    int64_t deadline = clock_mono_ms() + STEP_TIMEOUT_MS;
    CLEANUP(bench_producer_closep) struct producer *p = NULL;
    CLEANUP(arena_done) struct arena a;

    arena_init(&a, ARENA_CHUNK);
    TRY(bench_producer_open(&b->base, TRANSACTIONAL_ID, &deadline, &p, err));
    return all_of_them(b, p, s, hot, &a, err);
}

static enum rc follow_clock(struct account_bench *b, struct producer *p, struct bench_stamps *s, struct arena *a,
                            struct err *err)
{
    for (int64_t done = 0; done < s->n;) {
        if (clock_mono_us() < bench_due_us(s, done)) {
            bench_sleep_until(bench_due_us(s, done));
        }
        int64_t now = clock_mono_us();
        int64_t end = done;
        for (; end < s->n && bench_due_us(s, end) <= now; end++) {
            s->ready[end] = bench_due_us(s, end);
        }
        TRY(one_txn(b, p, s, &done, end, false, a, err));
        bench_progress(&b->base, "latency", done, s->n);
    }
    return RC_OK;
}

enum rc bench_account_produce_at_rate(struct account_bench *b, struct bench_stamps *s, struct err *err)
{
    int64_t deadline = clock_mono_ms() + STEP_TIMEOUT_MS;
    CLEANUP(bench_producer_closep) struct producer *p = NULL;
    CLEANUP(arena_done) struct arena a;

    arena_init(&a, ARENA_CHUNK);
    TRY(bench_producer_open(&b->base, TRANSACTIONAL_ID, &deadline, &p, err));
    s->start_us = clock_mono_us();
    return follow_clock(b, p, s, &a, err);
}
