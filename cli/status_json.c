/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice status --json`: one object a look. The names are part of the contract: dashboards read them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "status.h"

/* "name":12, or null when unknown. */
static void field(struct buf *out, const char *name, int64_t n, bool known)
{
    if (known && n != STATUS_UNKNOWN) {
        buf_printf(out, ",\"%s\":%" PRId64, name, n);
    } else {
        buf_printf(out, ",\"%s\":null", name);
    }
}

/* "name":12,"name_more":false */
static void counted(struct buf *out, const char *name, struct status_count c, bool known)
{
    field(out, name, c.n, known);
    buf_printf(out, ",\"%s_more\":%s", name, known && c.more ? "true" : "false");
}

static void text(struct buf *out, const char *name, const char *s)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json_string(out, s, strlen(s));
}

static void rate(struct buf *out, double per_second)
{
    if (per_second < 0) {
        buf_puts(out, ",\"rate\":null");
    } else {
        buf_printf(out, ",\"rate\":%.1f", per_second);
    }
}

static void half(struct buf *out, const char *name, bool known, const struct err *err)
{
    buf_printf(out, ",\"%s\":{\"available\":%s,\"error\":", name, known ? "true" : "false");
    if (known) {
        buf_puts(out, "null");
    } else {
        buf_json_string(out, err->text, strlen(err->text));
    }
    buf_putc(out, '}');
}

static void add_source(const struct status *st, const struct status_source *s, struct buf *out)
{
    bool known = st->db_known;

    buf_printf(out, "{\"source\":\"%s\",\"table\":\"%s\"", s->name, s->table);
    field(out, "published", s->published, known);
    field(out, "last_seq", s->last_seq, known);
    counted(out, "pending", s->pending, known);
    field(out, "oldest_pending_s", s->oldest_s, known);
    counted(out, "waiting", s->waiting, known);
    field(out, "next_due_s", s->next_due_s, known);
    rate(out, s->rate);
    buf_printf(out, ",\"owned\":%s", !known ? "null" : s->owned ? "true" : "false");
    text(out, "owner", s->owner);
    if (s->view != NULL) {
        for (size_t i = 0; i < ROW_STATES_MAX && s->view->states[i] != NULL; i++) {
            char name[64];
            (void)snprintf(name, sizeof(name), "rows_%s", s->view->states[i]);
            field(out, name, s->row_states[i], known);
        }
        field(out, "rows_stuck", s->row_stuck, known);
    }
    if (s->has_rows) {
        counted(out, "rows", s->rows, known);
    }
    buf_putc(out, '}');
}

static int64_t age_s(const struct status *st, int64_t ms)
{
    int64_t s = (st->at_us / 1000 - ms) / 1000;

    return ms < 0 ? STATUS_UNKNOWN : s < 0 ? 0 : s;
}

static void add_reader(const struct status *st, const struct status_reader *r, struct buf *out)
{
    bool known = st->kafka_known && r->known;

    buf_printf(out, "{\"role\":\"%s\",\"kind\":\"%s\"", r->role, r->database ? "database" : "delivery");
    text(out, "group", r->group);
    text(out, "topic", r->full_topic);
    counted(out, "lag", (struct status_count){r->lag.records, r->lag.more}, known);
    field(out, "lag_offsets", r->lag.offsets, known);
    field(out, "lag_s", known && r->lag.oldest_ms < 0 ? 0 : age_s(st, r->lag.oldest_ms), known);
    field(out, "ahead", r->lag.ahead, known && !r->database);
    field(out, "members", r->members, st->kafka_known);
    rate(out, r->rate);
    text(out, "state", r->state);
    buf_putc(out, '}');
}

static void add_dead(const struct status *st, const struct status_topic *t, struct buf *out)
{
    bool known = st->kafka_known && t->partitions > 0;

    buf_printf(out, "{\"topic\":\"%s\"", t->full_name);
    counted(out, "records", (struct status_count){t->records.records, t->records.more}, known);
    field(out, "oldest_s", age_s(st, t->records.oldest_ms), known);
    counted(out, "open", t->open, st->db_known && t->has_open);
    buf_putc(out, '}');
}

static void add_topic(const struct status *st, const struct status_topic *t, struct buf *out)
{
    buf_printf(out, "{\"topic\":\"%s\"", t->full_name);
    field(out, "partitions", t->partitions, st->kafka_known);
    field(out, "offsets", t->partitions > 0 ? t->offsets : STATUS_UNKNOWN, st->kafka_known);
    buf_putc(out, '}');
}

void status_json(const struct status *st, struct buf *out)
{
    char at[CLOCK_RFC3339_MAX];
    const char *comma = "";

    clock_rfc3339(st->at_us, at);
    buf_printf(out, "{\"at\":\"%s\"", at);
    half(out, "database", st->db_known, &st->db_err);
    half(out, "kafka", st->kafka_known, &st->kafka_err);
    buf_puts(out, ",\"sources\":[");
    for (int i = 0; i < st->n_sources; i++) {
        buf_puts(out, i > 0 ? "," : "");
        add_source(st, &st->sources[i], out);
    }
    buf_puts(out, "],\"processors\":[");
    for (size_t i = 0; i < STATUS_READERS; i++) {
        buf_puts(out, i > 0 ? "," : "");
        add_reader(st, &st->readers[i], out);
    }
    buf_puts(out, "],\"dead_letters\":[");
    for (size_t i = 0; i < st->n_topics; i++) {
        if (st->topics[i].dead_letters) {
            buf_puts(out, comma);
            add_dead(st, &st->topics[i], out);
            comma = ",";
        }
    }
    buf_puts(out, "],\"topics\":[");
    for (size_t i = 0; i < st->n_topics; i++) {
        buf_puts(out, i > 0 ? "," : "");
        add_topic(st, &st->topics[i], out);
    }
    buf_puts(out, "]}\n");
}
