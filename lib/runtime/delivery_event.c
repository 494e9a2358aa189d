/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and id of a record that was read. */
#include <stdio.h>
#include <string.h>

#include "runtime/delivery_internal.h"

#define HEADERS_MAX 256 /* of a record read; further ones are not shown to the processor */

void delivery_copy_headers(struct delivery_task *t, const rd_kafka_message_t *msg)
{
    rd_kafka_headers_t *headers = NULL;
    struct delivery_event *e = &t->event;

    if (rd_kafka_message_headers(msg, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
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

void delivery_set_id(struct delivery_task *t)
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
