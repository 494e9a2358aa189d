/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice dlq show`: one dead letter with everything that is known of it. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "commands.h"
#include "dlq/state.h"
#include "dlq_query.h"
#include "outbox_row.h"
#include "record_json.h"
#include "when.h"

#define SHOWN_MAX 20
#define OUTPUT_MAX ((size_t)256 << 20)

struct showing {
    const struct cli *cli;
    struct dlq_query *q;
    struct deaths *deaths; /* NULL: one place is asked for, and nothing else is read */
    struct buf out;
    int shown;
};

/* [TOPIC:]PARTITION:OFFSET. False: it is none, so it is an id. */
static bool parse_place(struct dlq_query *q, const char *text)
{
    int64_t partition = 0;
    char topic[LETTER_TOPIC_MAX] = "";
    const char *last = strrchr(text, ':');
    const char *begin = text;
    char number[16] = "";
    if (last == NULL || !option_parse_int(last + 1, 0, INT64_MAX, &q->offset)) {
        return false;
    }
    for (const char *at = text; at < last; at++) {
        begin = *at == ':' ? at + 1 : begin;
    }
    if ((size_t)(last - begin) >= sizeof(number) || (size_t)(begin - text) >= sizeof(topic)) {
        return false;
    }
    memcpy(number, begin, (size_t)(last - begin));
    memcpy(topic, text, begin > text ? (size_t)(begin - text) - 1 : 0);
    if (!option_parse_int(number, 0, INT32_MAX, &partition)) {
        q->offset = -1;
        return false;
    }
    q->partition = (int32_t)partition;
    return dlq_query_topic(q, topic[0] != '\0' ? topic : NULL);
}

static void line(struct buf *out, const char *name, const char *text)
{
    if (text[0] != '\0') {
        buf_printf(out, "  %-13s %s\n", name, text);
    }
}

static void print_summary(const struct letter *l, struct buf *out)
{
    char text[LETTER_TOPIC_MAX + LETTER_NAME_MAX + 64];
    char first[WHEN_TEXT_MAX];
    char last[WHEN_TEXT_MAX];
    when_text(l->first_us, first);
    when_text(l->last_us, last);
    buf_printf(out, "dead letter %s:%" PRId32 ":%" PRId64 "\n", l->dlq, l->at_partition, l->at_offset);
    line(out, "state", LETTER_STATE_NAMES[l->state]);
    line(out, "id", l->id);
    line(out, "type", l->type);
    line(out, "platform", l->platform);
    line(out, "class", l->class);
    line(out, "reason", l->message);
    line(out, "died", last);
    line(out, "died first", strcmp(first, last) != 0 ? first : "");
    (void)snprintf(text, sizeof(text), "%s", l->topic);
    if (l->partition >= 0) {
        (void)snprintf(text, sizeof(text), "%s:%" PRId32 ":%" PRId64, l->topic, l->partition, l->offset);
    }
    line(out, "was in", text);
    (void)snprintf(text, sizeof(text), "%s%s%s", l->stage, l->group[0] != '\0' ? ", group " : "", l->group);
    line(out, "stage", text);
    line(out, "app", l->app);
    (void)snprintf(text, sizeof(text), "%" PRId64, l->queue_seq);
    line(out, "queue_seq", l->queue_seq > 0 ? text : "");
    (void)snprintf(text, sizeof(text), "%" PRId64, l->deaths);
    line(out, "deaths", l->deaths > 0 ? text : "");
    (void)snprintf(text, sizeof(text), "%" PRId64, l->redrive_count);
    line(out, "redriven", l->redrive_count >= 0 ? text : "");
    line(out, "value", l->truncated ? "only its beginning" : "");
    line(out, "faults", l->faults);
}

static void print_header(const char *name, const json_t *value, struct buf *out)
{
    char clean[1024];
    const char *text = json_string_value(value);
    CLEANUP(freep) char *dumped = text == NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    text = text != NULL ? text : dumped;
    letter_text(text, strlen(text), clean, sizeof(clean));
    buf_printf(out, "  %s = %s\n", name, clean);
}

static void print_headers(const json_t *headers, struct buf *out)
{
    const char *name = NULL;
    const json_t *value = NULL;
    size_t i = 0;
    char clean[256];
    buf_puts(out, "headers\n");
    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        letter_text(name, strlen(name), clean, sizeof(clean));
        print_header(clean, value, out);
    }
    json_array_foreach(headers, i, value)
    {
        const char *pair = json_string_value(json_array_get(value, 0));
        letter_text(pair, strlen(pair), clean, sizeof(clean));
        print_header(clean, json_array_get(value, 1), out);
    }
}

/* The record as `sluice tail` shows it, taken apart for people. */
static void print_record(const struct buf *record, struct buf *out)
{
    json_t *j = json_loadb(buf_str(record), record->len, JSON_ALLOW_NUL, NULL);
    const json_t *error = json_object_get(j, "error");
    print_headers(json_object_get(j, "headers"), out);
    CLEANUP(freep) char *value = json_dumps(json_object_get(j, "value"), JSON_ENCODE_ANY | JSON_INDENT(2));
    if (error != NULL) {
        buf_printf(out, "value, malformed: %s\n", json_string_value(error));
        CLEANUP(freep) char *bytes = json_dumps(json_object_get(j, "value_base64"), JSON_ENCODE_ANY);
        buf_printf(out, "  base64 %s\n", bytes != NULL ? bytes : "");
    } else {
        buf_printf(out, "value\n%s\n", value != NULL ? value : "null");
    }
    json_decref(j);
}

static enum rc print_one(struct showing *s, const struct letter *l, const struct buf *record, struct err *err)
{
    bool found = false;
    struct buf *out = &s->out;
    if (s->cli->json) {
        buf_puts(out, s->shown > 0 ? ",\n{\"letter\":" : "\n{\"letter\":");
        dlq_letter_json(l, out);
        buf_puts(out, ",\"record\":");
        buf_add(out, buf_str(record), record->len);
        buf_puts(out, ",");
    } else {
        buf_puts(out, s->shown > 0 ? "\n" : "");
        print_summary(l, out);
        print_record(record, out);
    }
    if (l->event_id[0] != '\0') {
        TRY(outbox_row_print(s->cli, s->q->conn, l->kind, l->event_id, out, &found, err));
    } else if (s->cli->json) {
        buf_puts(out, "\"row\":null,\"attempts\":[],\"dead_letter\":null");
    }
    buf_puts(out, s->cli->json ? "}" : "");
    return RC_OK;
}

static enum rc on_letter(const struct letter *l, const rd_kafka_message_t *msg, void *opaque, bool *stop,
                         struct err *err)
{
    struct showing *s = opaque;
    struct letter copy = *l;
    CLEANUP(buf_done) struct buf record;

    buf_init(&record, OUTPUT_MAX);
    if (s->deaths != NULL && l->event_id[0] != '\0') {
        copy.deaths = deaths_add(s->deaths, l->event_id);
    }
    if (!dlq_filter_letter(&s->q->filter, l)) {
        return RC_OK;
    }
    TRY(letters_look_up(s->q->conn, &copy, 1, err));
    enum rc rc = record_json(s->q->set, msg, &record, err);
    if (rc != RC_OK && rc != RC_REJECT) { /* a malformed value is shown as what it is */
        return rc;
    }
    TRY(print_one(s, &copy, &record, err));
    s->shown++;
    *stop = s->shown == SHOWN_MAX;
    return RC_OK;
}

static int show(struct showing *s, const char *what)
{
    struct err err;
    buf_puts(&s->out, s->cli->json ? "{\"dead_letters\":[" : "");
    if (dlq_scan_run(s->q->scan, on_letter, s, &err) != RC_OK) {
        return cli_fail("dlq show", &err);
    }
    if (dlq_interrupted) {
        return EXIT_INTERRUPTED;
    }
    if (s->shown == 0) {
        (void)fprintf(stderr, "sluice: dlq show: no dead letter %.100s\n", what);
        return EXIT_NOT_FOUND;
    }
    buf_puts(&s->out, s->cli->json ? "\n]}\n" : "");
    int code = cli_print(&s->out);
    if (s->shown == SHOWN_MAX) {
        cli_note(s->cli, "there may be more; the place (TOPIC:PARTITION:OFFSET) shows a single one");
    }
    return code;
}

int cmd_dlq_show(const struct cli *cli)
{
    CLEANUP(dlq_query_done) struct dlq_query q = {.cli = cli, .partition = -1, .offset = -1};
    struct showing s = {.cli = cli, .q = &q};
    const char *ids[] = {cli->argv[0]};

    (void)dlq_query_topic(&q, NULL);
    if (cli->argv[0][0] == '\0') {
        return cli_usage(cli, "expected a place or an id");
    }
    if (!parse_place(&q, cli->argv[0])) {
        (void)dlq_query_topic(&q, NULL);
        q.filter = (struct dlq_filter){.ids = ids, .n_ids = 1};
        q.partition = -1;
        q.offset = -1;
        s.deaths = deaths_create();
    }
    int code = dlq_query_open(&q);
    if (code == EXIT_DONE) {
        buf_init(&s.out, OUTPUT_MAX);
        code = show(&s, cli->argv[0]);
        buf_done(&s.out);
    }
    deaths_free(s.deaths);
    return code;
}
