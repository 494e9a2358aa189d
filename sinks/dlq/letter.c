/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and value of a dead letter, read without trusting either. */
#include "dlq/letter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/option.h"

#define OURS "__dlq."
#define KINDS_MAX 8
#define NUMBER_TEXT_MAX 24

const char *const LETTER_STATE_NAMES[LETTER_STATES] = {
    [LETTER_OPEN] = "open",         [LETTER_NO_ROW] = "no-row", [LETTER_UNSETTLED] = "not-settled",
    [LETTER_REQUEUED] = "requeued", [LETTER_CLOSED] = "closed", [LETTER_GONE] = "row-gone"};

/* Length of a printable character, or 0. U+0080 to U+009F are control characters as well. */
static size_t printable(const char *s, size_t n)
{
    unsigned char first = (unsigned char)s[0];
    if (first < 0x20 || first == 0x7f) {
        return 0;
    }
    bool control = n > 1 && first == 0xc2 && (unsigned char)s[1] < 0xa0;
    return control ? 0 : utf8_sequence(s, n);
}

void letter_text(const char *s, size_t n, char *out, size_t max)
{
    size_t at = 0;
    for (size_t i = 0; i < n;) {
        size_t len = printable(s + i, n - i);
        size_t need = len == 0 ? 1 : len;
        if (at + need >= max) {
            break;
        }
        if (len == 0) {
            out[at] = '?';
        } else {
            memcpy(out + at, s + i, len);
        }
        at += need;
        i += need;
    }
    out[at] = '\0';
}

struct source {
    const struct producer_header *headers;
    size_t n;
    struct letter *out;
};

static void add_fault(struct letter *l, const char *name)
{
    size_t at = strlen(l->faults);
    (void)snprintf(l->faults + at, sizeof(l->faults) - at, "%s%s", at > 0 ? ", " : "", name);
}

/* The last header of that name that has a value; NULL = none. */
static const struct producer_header *find(const struct source *s, const char *name)
{
    for (size_t i = s->n; i > 0; i--) {
        const struct producer_header *h = &s->headers[i - 1];
        if (h->name != NULL && strcmp(h->name, name) == 0 && h->value != NULL) {
            return h;
        }
    }
    return NULL;
}

static void take_text(const struct source *s, const char *name, char *out, size_t max)
{
    const struct producer_header *h = find(s, name);
    if (h == NULL) {
        add_fault(s->out, name);
        return;
    }
    letter_text(h->value, h->value_len, out, max);
}

/* A plain decimal in min..max, without anything around it; else *out stays and the fault is noted. */
static void take_number(const struct source *s, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const struct producer_header *h = find(s, name);
    char text[NUMBER_TEXT_MAX] = "";
    if (h != NULL && h->value_len > 0 && h->value_len < sizeof(text)) {
        memcpy(text, h->value, h->value_len); /* a NUL inside ends it, and what is left must be the whole */
    }
    if (h == NULL || strlen(text) != h->value_len || !option_parse_int(text, min, max, out)) {
        add_fault(s->out, name);
    }
}

static void take_time(const struct source *s, const char *name, int64_t *out)
{
    const struct producer_header *h = find(s, name);
    char text[64] = "";
    if (h != NULL && h->value_len < sizeof(text)) {
        memcpy(text, h->value, h->value_len);
    }
    if (h == NULL || strlen(text) != h->value_len || !clock_rfc3339_parse(text, out)) {
        add_fault(s->out, name);
    }
}

static void take_topic(const struct source *s, const char *prefix)
{
    struct letter *l = s->out;
    size_t n = strlen(prefix);
    char full[LETTER_TOPIC_MAX] = "";
    take_text(s, OURS "errors.topic", full, sizeof(full));
    bool ours = n > 0 && strncmp(full, prefix, n) == 0;
    (void)snprintf(l->topic, sizeof(l->topic), "%s", ours ? full + n : full);
}

static void take_place(const struct source *s)
{
    int64_t partition = -1;
    take_number(s, OURS "errors.partition", -1, INT32_MAX, &partition);
    s->out->partition = (int32_t)partition;
    take_number(s, OURS "errors.offset", -1, INT64_MAX, &s->out->offset);
}

/* Not a fault when it is missing. */
static bool has(const struct source *s, const char *name)
{
    return find(s, name) != NULL;
}

static void take_id(const struct source *s)
{
    struct letter *l = s->out;
    const char *name = has(s, OURS "errors.id") || !has(s, "ce_id") ? OURS "errors.id" : "ce_id";
    take_text(s, name, l->id, sizeof(l->id));
    if (has(s, "ce_type")) {
        take_text(s, "ce_type", l->type, sizeof(l->type));
    }
}

void letter_read(const struct producer_header *headers, size_t n, const char *prefix, int64_t time_us,
                 struct letter *out)
{
    const struct source s = {.headers = headers, .n = n, .out = out};
    *out = (struct letter){.partition = -1, .offset = -1, .delivery_count = -1, .redrive_count = -1};
    take_topic(&s, prefix);
    take_place(&s);
    take_id(&s);
    take_text(&s, OURS "errors.group", out->group, sizeof(out->group));
    take_text(&s, OURS "errors.class", out->class, sizeof(out->class));
    take_text(&s, OURS "errors.stage", out->stage, sizeof(out->stage));
    take_text(&s, OURS "errors.app", out->app, sizeof(out->app));
    take_text(&s, OURS "errors.message", out->message, sizeof(out->message));
    take_number(&s, OURS "errors.delivery.count", 0, INT64_MAX, &out->delivery_count);
    take_number(&s, OURS "errors.redrive.count", 0, INT64_MAX, &out->redrive_count);
    take_time(&s, OURS "errors.first.ts", &out->first_us);
    take_time(&s, OURS "errors.last.ts", &out->last_us);
    out->last_us = out->last_us > 0 ? out->last_us : time_us;
    out->first_us = out->first_us > 0 ? out->first_us : out->last_us;
    out->truncated = has(&s, OURS "truncated");
    if (has(&s, OURS "errors.queue.seq")) {
        take_number(&s, OURS "errors.queue.seq", 1, INT64_MAX, &out->queue_seq);
    }
}

/* ---------------------------------------------------------------------------------------------------- the row */

struct kind_reader {
    struct avro_input *in;
    int event_id, queue_seq, about;
};

struct letter_reader {
    struct kind_reader of[KINDS_MAX]; /* as ROW_KINDS */
};

static enum rc open_kind(const struct avro_set *set, const struct row_kind *kind, struct kind_reader *out,
                         struct err *err)
{
    TRY(avro_input_create(set, kind->schema, &out->in, err));
    out->event_id = avro_input_index(out->in, "event_id");
    out->queue_seq = avro_input_index(out->in, "queue_seq");
    out->about = avro_input_index(out->in, kind->about_field);
    assert(out->event_id >= 0 && out->queue_seq >= 0 && out->about >= 0);
    return RC_OK;
}

enum rc letter_reader_create(const struct avro_set *set, struct letter_reader **out_reader, struct err *err)
{
    struct letter_reader *r = xcalloc(1, sizeof(*r));

    assert(ROW_KINDS_N <= KINDS_MAX);
    for (size_t i = 0; i < ROW_KINDS_N; i++) {
        enum rc rc = open_kind(set, &ROW_KINDS[i], &r->of[i], err);
        if (rc != RC_OK) {
            letter_reader_free(r);
            return rc;
        }
    }
    *out_reader = r;
    return RC_OK;
}

struct letter_reader *letter_reader_free(struct letter_reader *r)
{
    if (r != NULL) {
        for (size_t i = 0; i < KINDS_MAX; i++) {
            avro_input_free(r->of[i].in);
        }
        free(r);
    }
    return NULL;
}

/* True: the value names a row. */
static bool read_value(const struct kind_reader *k, const void *value, size_t n, const char **out_id)
{
    struct err err;
    size_t id_n = 0;

    if (avro_input_read_value(k->in, value, n, &err) != RC_OK) {
        return false;
    }
    *out_id = avro_input_string(k->in, k->event_id, &id_n);
    return uuid_check(*out_id, id_n) && avro_input_long(k->in, k->queue_seq, 0) > 0;
}

void letter_find_row(struct letter_reader *r, const void *value, size_t n, struct letter *l)
{
    int64_t header_seq = l->queue_seq;
    bool by_header = header_seq > 0 && uuid_check(l->id, strlen(l->id));
    const char *id = NULL;

    l->queue_seq = 0;
    l->kind = row_kind_of_topic(l->topic);
    if (l->kind == NULL) {
        return;
    }
    const struct kind_reader *k = &r->of[l->kind - ROW_KINDS];
    bool readable = !l->truncated && read_value(k, value, n, &id);
    /* The relay's own headers before a value that may be anything: it may be no more than a row's payload. */
    if (by_header) {
        readable = readable && strcmp(id, l->id) == 0;
        memcpy(l->event_id, l->id, sizeof(l->event_id));
        l->queue_seq = header_seq;
    } else if (readable) {
        memcpy(l->event_id, id, sizeof(l->event_id));
        l->queue_seq = avro_input_long(k->in, k->queue_seq, 0);
    }
    if (readable) {
        size_t about_n = 0;
        const char *about = avro_input_string(k->in, k->about, &about_n);
        letter_text(about == NULL ? "" : about, about_n, l->platform, sizeof(l->platform));
    }
}
