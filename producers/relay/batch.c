/* SPDX-License-Identifier: Apache-2.0 */
/* Rows become records here: encoded, checked against the ceilings, or marked as dead letters. */
#include "relay/batch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kafka/conf.h"
#include "relay/batch_internal.h"
#include "relay/window.h"

#define KEY_BYTES_MAX 4096
#define RECORD_OVERHEAD 512 /* our ce_ headers and Kafka's framing */

/* Fields that the outcome repeats from the event, by name. */
static enum rc find_shared(struct batch *b, struct err *err)
{
    for (int i = 0; i < b->src->n_fields; i++) {
        int f = avro_encoder_field_index(b->outcome_enc, b->src->fields[i].avro);
        if (f < 0 || avro_encoder_field(b->outcome_enc, (size_t)f)->kind != AVRO_KIND_STRING) {
            continue;
        }
        if (b->n_shared == OUTCOME_SHARED_MAX) {
            FAIL(err, RC_FATAL, "source %s shares more than %d fields with its outcome", b->src->name,
                 OUTCOME_SHARED_MAX);
        }
        b->shared[b->n_shared].field = f;
        b->shared[b->n_shared++].column = b->src->fields[i].column;
    }
    return RC_OK;
}

enum rc batch_create(const struct config *cfg, const struct source *src, const struct avro_set *set,
                     const struct batch_limits *limits, struct batch **out_batch, struct err *err)
{
    struct batch *b = xcalloc(1, sizeof(*b));
    enum rc rc = RC_OK;

    b->src = src;
    b->limits = *limits;
    b->prefix = config_str(cfg, "topic.prefix");
    b->json = strcmp(config_str(cfg, "value.format"), "json") == 0;
    b->ce_source = xasprintf("/sluice/%s", src->table);
    arena_init(&b->arena, 1u << 20);
    b->rows = xcalloc((size_t)limits->rows_max, sizeof(*b->rows));
    b->required[0] = b->dlq = kafka_topic_name(cfg, src->dlq);
    size_t n = 1;
    if (src->topic != NULL) {
        b->required[n++] = b->topic = kafka_topic_name(cfg, src->topic);
    }
    if (src->outcomes != NULL) {
        b->required[n++] = b->outcomes = kafka_topic_name(cfg, src->outcomes);
    }
    rc = src->raw ? RC_OK : avro_encoder_create(set, src->schema, &b->enc, err);
    if (rc == RC_OK && src->outcomes != NULL) {
        rc = avro_encoder_create(set, src->outcome_schema, &b->outcome_enc, err);
        rc = rc == RC_OK ? find_shared(b, err) : rc;
    }
    for (int i = 0; i < src->n_fields && rc == RC_OK; i++) {
        b->field[i] = avro_encoder_field_index(b->enc, src->fields[i].avro);
        assert(b->field[i] >= 0); /* source_check_schema */
    }
    if (rc != RC_OK) {
        batch_free(b);
        return rc;
    }
    *out_batch = b;
    return RC_OK;
}

struct batch *batch_free(struct batch *b)
{
    if (b != NULL) {
        avro_encoder_free(b->enc);
        avro_encoder_free(b->outcome_enc);
        arena_done(&b->arena);
        free(b->rows);
        free(b->ce_source);
        free(b->topic);
        free(b->dlq);
        free(b->outcomes);
        free(b);
    }
    return NULL;
}

void batch_reset(struct batch *b)
{
    arena_reset(&b->arena);
    b->n_rows = 0;
    b->bytes = 0;
}

int64_t batch_rows(const struct batch *b)
{
    return b->n_rows;
}

int64_t batch_last_seq(const struct batch *b)
{
    return b->n_rows == 0 ? 0 : b->rows[b->n_rows - 1].seq;
}

const struct row *batch_row(const struct batch *b, int64_t i)
{
    assert(i >= 0 && i < b->n_rows);
    return &b->rows[i];
}

const char *const *batch_required_topics(const struct batch *b)
{
    return (const char *const *)b->required;
}

/* Text of a column of the source as arena memory; NULL for SQL NULL. */
static const char *copy_column(struct batch *b, const struct row_cells *cells, int column, size_t *out_len)
{
    const struct cell *c = &cells->columns[column];

    if (c->text == NULL) {
        return NULL;
    }
    if (out_len != NULL) {
        *out_len = c->len;
    }
    return arena_strndup(&b->arena, c->text, c->len);
}

void batch_mark_dead(struct batch *b, struct row *r, const char *class, const char *message)
{
    struct dead *d = arena_alloc(&b->arena, sizeof(*d));

    d->class = class;
    d->message = arena_strndup(&b->arena, message, strlen(message));
    r->dead = d;
}

static void set_key(struct batch *b, struct row *r, const struct row_cells *cells)
{
    for (int i = 0; i < b->src->n_keys && r->key == NULL; i++) {
        r->key = copy_column(b, cells, b->src->key[i], &r->key_len);
    }
    if (b->src->raw) {
        return; /* whatever it is, it was a key before */
    }
    if (r->key == NULL || r->key_len == 0 || r->key_len > KEY_BYTES_MAX) {
        char why[128];
        snprintf(why, sizeof(why), "column %s: key of %zu bytes; expected 1 to %d",
                 b->src->columns[b->src->key[0]].name, r->key_len, KEY_BYTES_MAX);
        batch_mark_dead(b, r, "invalid-key", why);
        r->key_len = r->key_len > KEY_BYTES_MAX ? KEY_BYTES_MAX : r->key_len;
    }
}

static void set_topic(struct batch *b, struct row *r, const struct row_cells *cells)
{
    if (b->src->topic_column < 0) {
        r->topic = b->topic;
        return;
    }
    const char *name = copy_column(b, cells, b->src->topic_column, NULL);
    size_t n = name != NULL ? strnlen(name, 250) : 0;
    size_t np = strlen(b->prefix);
    char *full = arena_alloc(&b->arena, np + n + 1);
    memcpy(full, b->prefix, np);
    if (n > 0) {
        memcpy(full + np, name, n);
    }
    full[np + n] = '\0';
    r->topic = full;
}

static enum rc encode(struct batch *b, struct row *r, const struct row_cells *cells, struct err *err)
{
    avro_encoder_reset(b->enc);
    for (int i = 0; i < b->src->n_fields; i++) {
        const struct column *column = &b->src->columns[b->src->fields[i].column];
        const struct cell *cell = &cells->columns[b->src->fields[i].column];
        size_t f = (size_t)b->field[i];
        if (cell->text == NULL) {
            const struct avro_field *field = avro_encoder_field(b->enc, f);
            if (!field->nullable) {
                FAIL(err, RC_REJECT, "column %s is NULL; expected %s for field %s", column->name,
                     avro_kind_name(field->kind), field->name);
            }
            continue; /* unset: the default, else null */
        }
        TRY(column->micros ? avro_encoder_set_long(b->enc, f, cell_int64(cell, 0), err)
                           : avro_encoder_set_text(b->enc, f, cell->text, cell->len, err));
    }
    size_t max = (size_t)b->limits.record_bytes_max + DLQ_EXTRA_BYTES;
    if (b->json) {
        const char *text = NULL;
        TRY(avro_encoder_json(b->enc, &b->arena, max, &text, &r->value_len, err));
        r->value = text;
        return RC_OK;
    }
    return avro_encoder_wire(b->enc, &b->arena, max, &r->value, &r->value_len, err);
}

static size_t record_size(const struct row *r, int n_headers)
{
    size_t n = r->key_len + r->value_len + 2 * strlen(r->id) + strlen(r->type) + RECORD_OVERHEAD;

    for (int i = 0; i < n_headers; i++) {
        n += r->headers[i] != NULL ? strlen(r->headers[i]) + SOURCE_NAME_MAX : 0;
    }
    return n;
}

/* What travels as the dead letter's value when there is no framed one that fits: the payload's beginning. */
static void use_payload(struct batch *b, struct row *r, const struct row_cells *cells)
{
    const struct cell *payload = &cells->columns[b->src->payload];

    r->framed = false;
    r->value_len = payload->len < DEAD_VALUE_BYTES ? payload->len : DEAD_VALUE_BYTES;
    r->value = arena_strndup(&b->arena, payload->text != NULL ? payload->text : "", r->value_len);
}

static void add_oversize(struct batch *b, struct row *r, const struct row_cells *cells, int64_t full)
{
    char why[160];

    snprintf(why, sizeof(why), "record of %" PRId64 " bytes; expected at most %" PRId64 " (relay.record.bytes.max)",
             full, b->limits.record_bytes_max);
    batch_mark_dead(b, r, "too-large", why);
    if (cells->sha256.text != NULL && cells->payload_bytes > (int64_t)DEAD_VALUE_BYTES) {
        r->sha256 = arena_strndup(&b->arena, cells->sha256.text, cells->sha256.len);
        r->full_len = cells->payload_bytes;
    }
}

static void add_value(struct batch *b, struct row *r, const struct row_cells *cells)
{
    int64_t len = cells->bytes;
    struct err err;

    if (len > b->limits.record_bytes_max) {
        add_oversize(b, r, cells, len);
        use_payload(b, r, cells);
        return;
    }
    if (b->src->raw) {
        r->value = copy_column(b, cells, b->src->payload, &r->value_len);
        return;
    }
    r->framed = true;
    if (encode(b, r, cells, &err) != RC_OK) {
        batch_mark_dead(b, r, "invalid-value", err.text);
        use_payload(b, r, cells);
        return;
    }
    if (record_size(r, b->src->n_headers) > (size_t)b->limits.record_bytes_max) {
        add_oversize(b, r, cells, (int64_t)record_size(r, b->src->n_headers));
    }
}

enum rc batch_add(const struct row_cells *cells, void *opaque, bool *stop, struct err *err)
{
    struct batch *b = opaque;
    struct row *r = &b->rows[b->n_rows];
    size_t before = b->arena.used_bytes;

    (void)err;
    assert(b->n_rows < b->limits.rows_max);
    *r = (struct row){.seq = cells->seq, .partition = RD_KAFKA_PARTITION_UA};
    r->time_us = cell_int64(&cells->columns[b->src->time], clock_utc_us());
    r->id = copy_column(b, cells, b->src->id, NULL);
    r->type = b->src->type >= 0 ? copy_column(b, cells, b->src->type, NULL) : NULL;
    r->id = r->id != NULL ? r->id : "";
    r->type = r->type != NULL ? r->type : "";
    for (int i = 0; i < b->src->n_headers; i++) {
        r->headers[i] = copy_column(b, cells, b->src->headers[i].column, NULL);
    }
    for (int i = 0; i < b->n_shared; i++) {
        r->shared[i] = copy_column(b, cells, b->shared[i].column, NULL);
    }
    set_topic(b, r, cells);
    set_key(b, r, cells);
    add_value(b, r, cells);
    if (b->src->raw) {
        batch_add_record(b, r, cells);
    }
    if (r->dead != NULL) {
        batch_add_outcome(b, r);
    }
    b->n_rows++;
    b->bytes += (int64_t)(b->arena.used_bytes - before);
    *stop = b->n_rows >= b->limits.rows_max || b->bytes >= b->limits.bytes_max;
    return RC_OK;
}

void batch_kill(struct batch *b, int64_t i, const char *class, const char *message)
{
    assert(i >= 0 && i < b->n_rows && b->rows[i].dead == NULL);
    b->rows[i].refused = RD_KAFKA_RESP_ERR_NO_ERROR; /* as a dead letter it gets a new verdict */
    batch_mark_dead(b, &b->rows[i], class, message);
    batch_add_outcome(b, &b->rows[i]);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s);
    size_t m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/*
 * State, outcomes and dead letters: a row that could name them could forge what others rely on. Raw sources are our own
 * tables and are there for dead letters.
 */
static bool is_ours(const struct source *src, const char *topic)
{
    return strncmp(topic, "sluice.", 7) == 0 || strncmp(topic, "__", 2) == 0 || ends_with(topic, ".outcomes") ||
           (!src->raw && ends_with(topic, ".dlq"));
}

void batch_kill_larger(struct batch *b, int64_t i, const char *class, const char *message)
{
    size_t len = b->rows[i].value_len;
    const char *topic = b->rows[i].topic;

    for (int64_t k = 0; k < b->n_rows; k++) {
        struct row *r = &b->rows[k];
        if (r->dead == NULL && r->refused == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && r->value_len >= len &&
            strcmp(r->topic, topic) == 0) {
            batch_kill(b, k, class, message);
        }
    }
}

enum rc batch_check_topics(struct batch *b, struct producer *p, struct err *err)
{
    if (b->src->topic_column < 0) {
        return RC_OK; /* a fixed topic is required at the start */
    }
    for (int64_t i = 0; i < b->n_rows; i++) {
        int partitions = 0;
        char why[320];
        if (b->rows[i].dead != NULL) {
            continue;
        }
        const char *name = b->rows[i].topic + strlen(b->prefix);
        if (is_ours(b->src, name)) {
            snprintf(why, sizeof(why), "column %s: topic \"%s\" is written by sluice alone and takes no rows",
                     b->src->columns[b->src->topic_column].name, b->rows[i].topic);
            batch_kill(b, i, "forbidden-topic", why);
            continue;
        }
        TRY(producer_topic_partitions(p, b->rows[i].topic, &partitions, err));
        if (partitions <= 0) {
            snprintf(why, sizeof(why), "column %s: topic \"%s\" %s", b->src->columns[b->src->topic_column].name,
                     b->rows[i].topic, partitions == 0 ? "does not exist" : "is not open to the relay (ACL)");
            batch_kill(b, i, "unknown-topic", why);
        }
    }
    return RC_OK;
}
