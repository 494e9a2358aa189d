/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a batch to the producer: CloudEvents headers, dead letters, outcomes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/rc.h"
#include "relay/batch_internal.h"

#define DEAD_HEADER_BYTES 4096
#define HEADERS_MAX (32 + (RAW_HEADERS_MAX > SOURCE_HEADERS_MAX ? RAW_HEADERS_MAX : SOURCE_HEADERS_MAX))

/* Headers of one record; values of numbers live in `numbers`. */
struct headers {
    struct producer_header list[HEADERS_MAX];
    size_t n;
    char numbers[4][24];
    char time[CLOCK_RFC3339_MAX];
    char now[CLOCK_RFC3339_MAX];
};

static void add(struct headers *h, const char *name, const char *value)
{
    h->list[h->n++] = (struct producer_header){.name = name, .value = value, .value_len = strlen(value)};
}

static void add_number(struct headers *h, size_t slot, const char *name, int64_t value)
{
    snprintf(h->numbers[slot], sizeof(h->numbers[slot]), "%" PRId64, value);
    add(h, name, h->numbers[slot]);
}

/* CloudEvents 1.0, Kafka protocol binding, binary mode. */
static void add_event(struct headers *h, const struct batch *b, const struct row *r)
{
    clock_rfc3339(r->time_us, h->time);
    add(h, "ce_specversion", "1.0");
    add(h, "ce_id", r->id);
    add(h, "ce_type", r->type);
    add(h, "ce_source", b->ce_source);
    add(h, "ce_time", h->time);
    add(h, "content-type", !b->json && r->framed ? "application/avro" : "application/json");
    for (int i = 0; i < b->src->n_headers; i++) {
        /* A header of many kilobytes may be why the row is dead; the dead letter must fit. */
        if (r->headers[i] != NULL && (r->dead == NULL || strlen(r->headers[i]) <= DEAD_HEADER_BYTES)) {
            add(h, b->src->headers[i].name, r->headers[i]);
        }
    }
}

/* Those of the record itself; of a dead one the reasons of an earlier death give way to ours. */
static void add_own(struct headers *h, const struct row *r)
{
    for (size_t i = 0; i < r->n_own; i++) {
        if (r->dead == NULL || strncmp(r->own[i].name, "__dlq.", 6) != 0) {
            h->list[h->n++] = r->own[i];
        }
    }
}

static void add_dead(struct headers *h, const struct row *r)
{
    clock_rfc3339(clock_utc_us(), h->now);
    add(h, "__dlq.errors.topic", r->topic);
    add(h, "__dlq.errors.partition", "-1"); /* it never was in a topic: the row is known by id and queue.seq */
    add(h, "__dlq.errors.offset", "-1");
    add(h, "__dlq.errors.group", "relay");
    add(h, "__dlq.errors.delivery.count", "0");
    add(h, "__dlq.errors.message", r->dead->message);
    add(h, "__dlq.errors.class", r->dead->class);
    add(h, "__dlq.errors.stage", "relay");
    add(h, "__dlq.errors.app", "sluice/" SLUICE_VERSION);
    add(h, "__dlq.errors.first.ts", h->now);
    add(h, "__dlq.errors.last.ts", h->now);
    add(h, "__dlq.errors.redrive.count", "0");
    add(h, "__dlq.errors.id", r->id);
    add_number(h, 0, "__dlq.errors.queue.seq", r->seq);
    if (r->full_len > 0) {
        add(h, "__dlq.truncated", "true");
        add_number(h, 1, "__dlq.truncated.length", r->full_len);
        add(h, "__dlq.truncated.sha256", r->sha256);
    }
}

static enum rc send_outcome(struct batch *b, struct producer *p, const struct row *r, int64_t tag, struct err *err)
{
    struct headers h = {.n = 0};
    struct producer_record rec = {.topic = b->outcomes,
                                  .partition = RD_KAFKA_PARTITION_UA,
                                  .key = r->id,
                                  .key_len = strlen(r->id),
                                  .value = r->outcome,
                                  .value_len = r->outcome_len};

    clock_rfc3339(clock_utc_us(), h.time);
    add(&h, "ce_specversion", "1.0");
    add(&h, "ce_id", r->id);
    add(&h, "ce_type", "sluice.outcome.dead_letter");
    add(&h, "ce_source", b->ce_source);
    add(&h, "ce_time", h.time);
    add(&h, "content-type", b->json ? "application/json" : "application/avro");
    rec.headers = h.list;
    rec.n_headers = h.n;
    return producer_send(p, &rec, tag, err);
}

/*
 * The record's own timestamp is that of publishing; the row's time travels as ce_time. Retention counts from the
 * timestamp, so that of an old row would end before anybody has read it, and brokers refuse one in the future. A raw
 * row is a record that was in a topic already: it keeps its time.
 */
static enum rc send_row(struct batch *b, struct producer *p, const struct row *r, int64_t tag, struct err *err)
{
    struct headers h = {.n = 0};
    struct producer_record rec = {.topic = r->dead != NULL ? b->dlq : r->topic,
                                  .partition = r->dead != NULL ? RD_KAFKA_PARTITION_UA : r->partition,
                                  .key = r->key,
                                  .key_len = r->key_len,
                                  .value = r->value,
                                  .value_len = r->value_len,
                                  .timestamp_ms = b->src->raw ? r->time_us / 1000 : 0};

    if (b->src->raw) {
        add_own(&h, r);
    } else {
        add_event(&h, b, r);
    }
    if (r->dead != NULL) {
        add_dead(&h, r);
    }
    rec.headers = h.list;
    rec.n_headers = h.n;
    TRY(producer_send(p, &rec, tag, err));
    if (r->dead != NULL && r->outcome != NULL) {
        TRY(send_outcome(b, p, r, tag, err));
    }
    return RC_OK;
}

/* A row under suspicion travels alone, and its verdict is waited for. */
static enum rc send_alone(struct batch *b, struct producer *p, int64_t i, struct err *err)
{
    struct row *r = &b->rows[i];

    r->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    TRY(producer_flush(p, err));
    TRY(send_row(b, p, r, i, err));
    TRY(producer_flush(p, err));
    if (r->refused != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, r->refused, NULL, "the broker refused the record");
    }
    return RC_OK;
}

enum rc batch_send(struct batch *b, struct producer *p, int64_t *out_bad, struct err *err)
{
    *out_bad = -1;
    for (int64_t i = 0; i < b->n_rows; i++) {
        bool suspect = b->rows[i].refused != RD_KAFKA_RESP_ERR_NO_ERROR;
        enum rc rc = suspect ? send_alone(b, p, i, err) : send_row(b, p, &b->rows[i], i, err);
        if (rc != RC_OK) {
            *out_bad = i;
            return rc;
        }
        if ((i & 1023) == 1023) {
            producer_poll(p);
        }
    }
    return RC_OK;
}

void batch_refused(struct batch *b, int64_t tag, rd_kafka_resp_err_t why)
{
    if (tag >= 0 && tag < b->n_rows) {
        b->rows[tag].refused = why;
    }
}

int64_t batch_count_refused(const struct batch *b)
{
    int64_t n = 0;

    for (int64_t i = 0; i < b->n_rows; i++) {
        n += b->rows[i].refused != RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
    }
    return n;
}

/* The outcome repeats what identifies the event; fields the row lacks are refused by the encoder below. */
static enum rc encode_outcome(struct batch *b, struct row *r, struct err *err)
{
    struct avro_encoder *enc = b->outcome_enc;
    const struct {
        const char *name;
        const char *text;
    } texts[] = {{"outcome", "dead_letter"},
                 {"was_request", "f"},
                 {"error_class", r->dead->class},
                 {"error_message", r->dead->message}};
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"queue_seq", r->seq}, {"happened_at", clock_utc_us()}};

    avro_encoder_reset(enc);
    for (int i = 0; i < b->n_shared; i++) {
        if (r->shared[i] != NULL) {
            TRY(avro_encoder_set_text(enc, (size_t)b->shared[i].field, r->shared[i], strlen(r->shared[i]), err));
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int f = avro_encoder_field_index(enc, texts[i].name);
        TRY(avro_encoder_set_text(enc, (size_t)f, texts[i].text, strlen(texts[i].text), err));
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        int f = avro_encoder_field_index(enc, numbers[i].name);
        TRY(avro_encoder_set_long(enc, (size_t)f, numbers[i].value, err));
    }
    size_t max = (size_t)b->limits.record_bytes_max;
    if (b->json) {
        const char *text = NULL;
        TRY(avro_encoder_json(enc, &b->arena, max, &text, &r->outcome_len, err));
        r->outcome = text;
        return RC_OK;
    }
    return avro_encoder_wire(enc, &b->arena, max, &r->outcome, &r->outcome_len, err);
}

void batch_add_outcome(struct batch *b, struct row *r)
{
    struct err err;

    if (b->outcome_enc == NULL) {
        return;
    }
    if (encode_outcome(b, r, &err) != RC_OK) {
        /* The dead letter itself still goes out; the row stays pending and shows up as stuck. */
        log_warn("relay", "dead letter without outcome", KV_S("source", b->src->name), KV_S("id", r->id), KV_ERR(&err));
        r->outcome = NULL;
    }
}
