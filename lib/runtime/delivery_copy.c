/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of records: what is read is copied in, what is emitted is copied out, and between them the processor's. */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/delivery_internal.h"

#define HEADERS_MAX 256 /* of a record read; further ones are not shown to the processor */
#define SCRATCH_CHUNK_BYTES 4096
#define SCRATCHES_MAX 256 /* kept for later starts */

/* ---------------------------------------------------------------------------------------------------- in */

/* What the copy of a record takes, so that it is in one piece. */
static size_t event_bytes(const rd_kafka_message_t *msg, rd_kafka_headers_t *headers)
{
    const size_t each = 2 * (_Alignof(max_align_t) + 1); /* two strings: NULs and alignment */
    size_t bytes = each + msg->key_len + msg->len;
    const char *name = NULL;
    const void *value = NULL;
    size_t len = 0;

    for (size_t i = 0; headers != NULL && i < HEADERS_MAX; i++) {
        if (rd_kafka_header_get_all(headers, i, &name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            break;
        }
        bytes += sizeof(struct producer_header) + each + strlen(name) + len;
    }
    return bytes + sizeof(struct producer_header) + each;
}

static void copy_headers(struct delivery_task *t, rd_kafka_headers_t *headers)
{
    struct delivery_event *e = &t->event;

    if (headers == NULL) {
        return;
    }
    size_t n = rd_kafka_header_cnt(headers);
    n = n < HEADERS_MAX ? n : HEADERS_MAX;
    struct producer_header *list = arena_alloc(&t->event_mem, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t len = 0;
        if (rd_kafka_header_get_all(headers, i, &name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            break;
        }
        list[e->n_headers++] =
            (struct producer_header){.name = arena_strndup(&t->event_mem, name, strlen(name)),
                                     .value = value != NULL ? arena_strndup(&t->event_mem, value, len) : NULL,
                                     .value_len = value != NULL ? len : 0};
    }
    e->headers = list;
}

const char *delivery_header(const struct delivery_event *event, const char *name, size_t *out_len)
{
    for (size_t i = event->n_headers; i > 0; i--) {
        const struct producer_header *h = &event->headers[i - 1];
        if (strcmp(h->name, name) == 0 && h->value != NULL) {
            if (out_len != NULL) {
                *out_len = h->value_len;
            }
            return h->value;
        }
    }
    return NULL;
}

static void set_id(struct delivery_task *t)
{
    char made[300];
    size_t n = 0;
    const char *id = delivery_header(&t->event, "ce_id", &n);

    if (id == NULL || n == 0 || memchr(id, '\0', n) != NULL) {
        snprintf(made, sizeof(made), "%s-%d-%lld", t->d->input, (int)t->event.partition, (long long)t->event.offset);
        id = arena_strndup(&t->event_mem, made, strlen(made));
    }
    t->event.id = id;
}

void delivery_copy_event(struct delivery_task *t, const rd_kafka_message_t *msg)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    rd_kafka_headers_t *headers = NULL;
    struct delivery_event *e = &t->event;

    if (rd_kafka_message_headers(msg, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        headers = NULL;
    }
    arena_init(&t->event_mem, event_bytes(msg, headers));
    e->topic = t->d->input;
    e->partition = msg->partition;
    e->offset = msg->offset;
    e->timestamp_ms = rd_kafka_message_timestamp(msg, &type);
    e->key = msg->key != NULL ? arena_strndup(&t->event_mem, msg->key, msg->key_len) : NULL;
    e->key_len = msg->key != NULL ? msg->key_len : 0;
    e->value = msg->payload != NULL ? arena_strndup(&t->event_mem, msg->payload, msg->len) : NULL;
    e->value_len = msg->payload != NULL ? msg->len : 0;
    copy_headers(t, headers);
    set_id(t);
}

/* ---------------------------------------------------------------------------------------------------- between */

void delivery_scratch_take(struct delivery_task *t)
{
    struct delivery *d = t->d;
    struct scratch *s = d->scratches;

    if (s != NULL) {
        d->scratches = s->next;
        d->n_scratches--;
    } else {
        s = xcalloc(1, sizeof(*s));
        arena_init(&s->mem, SCRATCH_CHUNK_BYTES);
    }
    t->scratch = s;
}

void delivery_scratch_drop(struct delivery_task *t)
{
    struct delivery *d = t->d;
    struct scratch *s = t->scratch;

    t->scratch = NULL;
    if (s == NULL) {
        return;
    }
    if (d->n_scratches < SCRATCHES_MAX) {
        arena_reset(&s->mem);
        s->next = d->scratches;
        d->scratches = s;
        d->n_scratches++;
    } else {
        arena_done(&s->mem);
        free(s);
    }
}

void delivery_scratches_free(struct delivery *d)
{
    while (d->scratches != NULL) {
        struct scratch *s = d->scratches;
        d->scratches = s->next;
        arena_done(&s->mem);
        free(s);
    }
    d->n_scratches = 0;
}

struct arena *delivery_arena(struct delivery_task *task)
{
    return &task->scratch->mem;
}

/* ---------------------------------------------------------------------------------------------------- out */

static const char *full_name(const struct delivery *d, const char *topic)
{
    for (size_t i = 0; d->proc->outputs[i] != NULL; i++) {
        if (strcmp(d->proc->outputs[i], topic) == 0) {
            return d->topics[i];
        }
    }
    abort(); /* a programmer's mistake */
}

/* n bytes of text with a NUL behind, at *at, which moves on. NULL stays NULL. */
static char *put(char **at, const void *text, size_t n)
{
    char *copy = *at;

    if (text == NULL) {
        return NULL;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    *at += n + 1;
    return copy;
}

/* In one piece: these copies stay until they are committed. */
void delivery_emit(struct delivery_task *task, const struct delivery_record *rec)
{
    size_t bytes = rec->key_len + rec->value_len + 2;

    assert(task->state == TASK_RUNNING);
    for (size_t i = 0; i < rec->n_headers; i++) {
        bytes += strlen(rec->headers[i].name) + rec->headers[i].value_len + 2;
    }
    struct out *o = arena_alloc(&task->out_mem, sizeof(*o) + rec->n_headers * sizeof(struct producer_header) + bytes);
    struct producer_header *headers = (struct producer_header *)(void *)(o + 1);
    char *at = (char *)(headers + rec->n_headers);
    for (size_t i = 0; i < rec->n_headers; i++) {
        const struct producer_header *h = &rec->headers[i];
        headers[i] = (struct producer_header){.name = put(&at, h->name, strlen(h->name)),
                                              .value = put(&at, h->value, h->value_len),
                                              .value_len = h->value_len};
    }
    *o = (struct out){.rec = {.topic = full_name(task->d, rec->topic),
                              .partition = RD_KAFKA_PARTITION_UA,
                              .key = put(&at, rec->key, rec->key_len),
                              .key_len = rec->key_len,
                              .value = put(&at, rec->value, rec->value_len),
                              .value_len = rec->value_len,
                              .timestamp_ms = rec->timestamp_ms,
                              .headers = headers,
                              .n_headers = rec->n_headers}};
    *task->outs_end = o;
    task->outs_end = &o->next;
    task->n_outs++;
}
