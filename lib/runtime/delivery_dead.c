/* SPDX-License-Identifier: Apache-2.0 */
/* The dead letter of a record: as it was, and the headers that say why it is here. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/sha256.h"
#include "runtime/delivery_internal.h"

#define OWN_HEADERS 20
#define MESSAGE_MAX 512
#define CUT_BYTES ((size_t)64 << 10)

struct headers {
    struct arena *a;
    struct producer_header *list;
    size_t n;
};

static void add(struct headers *h, const char *name, const char *value)
{
    h->list[h->n++] = (struct producer_header){
        .name = name, .value = arena_strndup(h->a, value, strlen(value)), .value_len = strlen(value)};
}

static void add_number(struct headers *h, const char *name, int64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)v);
    add(h, name, text);
}

/* What an earlier dead letter of the same record said, or what is true the first time. */
static void add_kept(struct headers *h, const struct delivery_event *e, const char *name, const char *first)
{
    const char *was = delivery_header(e, name, NULL);

    add(h, name, was != NULL && strlen(was) < 64 ? was : first);
}

/* Own headers are replaced, not appended: a record that comes back several times must not grow. */
static void copy_foreign(struct headers *h, const struct delivery_event *e)
{
    for (size_t i = 0; i < e->n_headers; i++) {
        if (strncmp(e->headers[i].name, "__dlq.", 6) != 0) {
            h->list[h->n++] = e->headers[i];
        }
    }
}

static void add_message(struct headers *h, const char *message)
{
    size_t n = strnlen(message, MESSAGE_MAX);
    char *text = arena_strndup(h->a, message, n);

    for (size_t i = 0; i < n; i++) { /* header values are ASCII */
        text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    }
    h->list[h->n++] = (struct producer_header){.name = "__dlq.errors.message", .value = text, .value_len = n};
}

static void add_why(struct headers *h, const struct delivery_task *t, const struct delivery_why *why)
{
    const struct delivery_event *e = &t->event;
    char now[CLOCK_RFC3339_MAX];

    clock_rfc3339(clock_utc_us(), now);
    add(h, "__dlq.errors.topic", e->topic);
    add_number(h, "__dlq.errors.partition", e->partition);
    add_number(h, "__dlq.errors.offset", e->offset);
    add(h, "__dlq.errors.group", t->d->group);
    add_number(h, "__dlq.errors.delivery.count", why->delivery_count > 0 ? why->delivery_count : e->start_no);
    add_message(h, why->message != NULL ? why->message : "");
    add(h, "__dlq.errors.class", why->class != NULL ? why->class : "rejected");
    add(h, "__dlq.errors.stage", why->stage != NULL ? why->stage : t->d->proc->name);
    add(h, "__dlq.errors.app", "sluice/" SLUICE_VERSION);
    add_kept(h, e, "__dlq.errors.first.ts", now);
    add(h, "__dlq.errors.last.ts", now);
    add_kept(h, e, "__dlq.errors.redrive.count", "0");
    add(h, "__dlq.errors.id", e->id);
}

static void cut_value(struct headers *h, struct producer_record *rec)
{
    unsigned char sum[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];

    sha256_of(rec->value, rec->value_len, sum);
    sha256_hex(sum, sizeof(sum), hex);
    add(h, "__dlq.truncated", "true");
    add_number(h, "__dlq.truncated.length", (int64_t)rec->value_len);
    add(h, "__dlq.truncated.sha256", hex);
    rec->value_len = rec->value_len < CUT_BYTES ? rec->value_len : CUT_BYTES;
}

static const char *copy(struct delivery_task *t, const char *text)
{
    return text != NULL ? arena_strndup(&t->out_mem, text, strnlen(text, MESSAGE_MAX)) : NULL;
}

void delivery_make_dead(struct delivery_task *t, const struct delivery_why *why, bool cut)
{
    const struct delivery_event *e = &t->event;
    struct out *o = arena_alloc(&t->out_mem, sizeof(*o));
    struct headers h = {.a = &t->out_mem};

    h.list = arena_alloc(h.a, (e->n_headers + OWN_HEADERS) * sizeof(*h.list));
    copy_foreign(&h, e);
    add_why(&h, t, why);
    *o = (struct out){.rec = {.topic = t->d->dlq,
                              .partition = RD_KAFKA_PARTITION_UA,
                              .key = e->key,
                              .key_len = e->key_len,
                              .value = e->value,
                              .value_len = e->value_len,
                              .timestamp_ms = e->timestamp_ms > 0 ? e->timestamp_ms : 0}};
    if (cut && e->value != NULL) {
        cut_value(&h, &o->rec);
    }
    o->rec.headers = h.list;
    o->rec.n_headers = h.n;
    *t->outs_end = o;
    t->outs_end = &o->next;
    t->n_outs++;
    t->dead = o;
    t->why = (struct delivery_why){.class = copy(t, why->class),
                                   .message = copy(t, why->message),
                                   .stage = copy(t, why->stage),
                                   .delivery_count = why->delivery_count};
}
