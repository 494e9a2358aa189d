/* SPDX-License-Identifier: Apache-2.0 */
/* Copies records into the memory of a batch. */
#include "runtime/dbproc_batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)256 << 10)

void dbproc_batch_init(struct dbproc_batch *b, size_t n_max)
{
    *b = (struct dbproc_batch){.n_max = n_max};
    arena_init(&b->arena, CHUNK_BYTES);
    b->events = xcalloc(n_max, sizeof(*b->events));
    b->part = xcalloc(n_max, sizeof(*b->part));
    b->verdicts = xcalloc(n_max, sizeof(*b->verdicts));
}

void dbproc_batch_done(struct dbproc_batch *b)
{
    arena_done(&b->arena);
    free(b->events);
    free(b->part);
    free(b->verdicts);
    *b = (struct dbproc_batch){.n = 0};
}

void dbproc_batch_clear(struct dbproc_batch *b)
{
    arena_reset(&b->arena);
    b->n = 0;
    b->done = 0;
}

static void copy_headers(struct dbproc_batch *b, struct dbproc_event *ev, const rd_kafka_message_t *msg)
{
    rd_kafka_headers_t *headers = NULL;

    if (rd_kafka_message_headers(msg, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return; /* has none */
    }
    size_t n = rd_kafka_header_cnt(headers);
    struct producer_header *list = arena_alloc(&b->arena, (n > 0 ? n : 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t len = 0;
        (void)rd_kafka_header_get_all(headers, i, &name, &value, &len);
        list[i] = (struct producer_header){
            .name = arena_strndup(&b->arena, name, strlen(name)),
            .value = value != NULL ? arena_strndup(&b->arena, value, len) : NULL,
            .value_len = len,
        };
    }
    ev->headers = list;
    ev->n_headers = n;
}

void dbproc_batch_add(struct dbproc_batch *b, const rd_kafka_message_t *msg, const char *topic, uint32_t part)
{
    struct dbproc_event *ev = &b->events[b->n];
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;

    assert(b->n < b->n_max);
    *ev = (struct dbproc_event){
        .topic = topic,
        .partition = msg->partition,
        .offset = msg->offset,
        .timestamp_ms = rd_kafka_message_timestamp(msg, &type),
        .key = msg->key != NULL ? arena_strndup(&b->arena, msg->key, msg->key_len) : NULL,
        .key_len = msg->key_len,
        .value = msg->payload != NULL ? arena_strndup(&b->arena, msg->payload, msg->len) : NULL,
        .value_len = msg->len,
    };
    copy_headers(b, ev, msg);
    b->part[b->n] = part;
    b->n++;
}

void dbproc_batch_drop(struct dbproc_batch *b, uint32_t part)
{
    size_t to = b->done;

    for (size_t i = b->done; i < b->n; i++) {
        if (b->part[i] != part) {
            b->events[to] = b->events[i];
            b->part[to] = b->part[i];
            to++;
        }
    }
    b->n = to;
}

void dbproc_reject(struct dbproc_verdicts *v, size_t i, const char *class, const char *text)
{
    assert(i < v->n);
    if (v->list[i].class == NULL) {
        v->list[i] = (struct dbproc_verdict){.class = class, .text = arena_strndup(v->arena, text, strlen(text))};
    }
}
