/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters and their groups as text and JSON. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "dlq_query.h"
#include "shown.h"
#include "when.h"

static void json_text(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    if (value[0] == '\0') {
        buf_puts(out, "null");
    } else {
        buf_json_string(out, value, strlen(value));
    }
}

/* unknown: the value that stands for it; null then. */
static void json_number(struct buf *out, const char *name, int64_t value, int64_t unknown)
{
    if (value == unknown) {
        buf_printf(out, ",\"%s\":null", name);
    } else {
        buf_printf(out, ",\"%s\":%" PRId64, name, value);
    }
}

static void json_time(struct buf *out, const char *name, int64_t us)
{
    char text[CLOCK_RFC3339_MAX] = "";
    if (us > 0) {
        clock_rfc3339(us, text);
    }
    json_text(out, name, text);
}

void dlq_letter_json(const struct letter *l, struct buf *out)
{
    buf_printf(out, "{\"place\":\"%s:%" PRId32 ":%" PRId64 "\",\"dlq\":\"%s\",\"partition\":%" PRId32, l->dlq,
               l->at_partition, l->at_offset, l->dlq, l->at_partition);
    json_number(out, "offset", l->at_offset, -1);
    json_text(out, "state", LETTER_STATE_NAMES[l->state]);
    json_text(out, "id", l->id);
    json_text(out, "event_id", l->event_id);
    json_number(out, "queue_seq", l->queue_seq, 0);
    json_text(out, "platform", l->platform);
    json_text(out, "type", l->type);
    json_text(out, "topic", l->topic);
    json_number(out, "source_partition", l->partition, -1);
    json_number(out, "source_offset", l->offset, -1);
    json_text(out, "group", l->group);
    json_text(out, "stage", l->stage);
    json_text(out, "class", l->class);
    json_text(out, "message", l->message);
    json_text(out, "app", l->app);
    json_time(out, "first", l->first_us);
    json_time(out, "last", l->last_us);
    json_number(out, "delivery_count", l->delivery_count, -1);
    json_number(out, "redrive_count", l->redrive_count, -1);
    json_number(out, "deaths", l->deaths, 0);
    buf_printf(out, ",\"truncated\":%s", l->truncated ? "true" : "false");
    json_text(out, "faults", l->faults);
    buf_putc(out, '}');
}

static void group_json(const struct group *g, bool samples, struct buf *out)
{
    buf_printf(out, "{\"count\":%" PRId64, g->n);
    json_text(out, "topic", g->topic);
    json_text(out, "class", g->class);
    json_text(out, "platform", g->platform);
    json_time(out, "first", g->first_us);
    json_time(out, "last", g->last_us);
    buf_puts(out, samples ? ",\"samples\":[" : "");
    for (size_t i = 0; samples && i < g->n_samples; i++) {
        const struct group_sample *s = &g->samples[i];
        buf_printf(out, "%s{\"place\":\"%s:%" PRId32 ":%" PRId64 "\"", i > 0 ? "," : "", s->dlq, s->partition,
                   s->offset);
        json_text(out, "id", s->id);
        json_text(out, "message", s->message);
        buf_putc(out, '}');
    }
    buf_puts(out, samples ? "]}" : "}");
}

static void group_text(const struct group *g, bool samples, struct buf *out)
{
    char first[WHEN_TEXT_MAX];
    char last[WHEN_TEXT_MAX];
    when_text(g->first_us, first);
    when_text(g->last_us, last);
    buf_printf(out, "%8" PRId64 "  %-20s %-20s %-14s %-20s  %s\n", g->n, shown_or_dash(g->topic),
               shown_or_dash(g->class), shown_or_dash(g->platform), first, last);
    for (size_t i = 0; samples && i < g->n_samples; i++) {
        const struct group_sample *s = &g->samples[i];
        buf_printf(out, "          %s:%" PRId32 ":%" PRId64 "  %s  %s\n", s->dlq, s->partition, s->offset, s->id,
                   s->message);
    }
}

void dlq_groups_print(const struct groups *g, bool json, bool samples, struct buf *out)
{
    if (!json && g->n > 0) {
        buf_puts(out,
                 "   COUNT  TOPIC                CLASS                PLATFORM       FIRST                 LAST\n");
    }
    buf_puts(out, json ? "\"groups\":[" : "");
    for (size_t i = 0; i < g->n; i++) {
        buf_puts(out, json && i > 0 ? "," : "");
        if (json) {
            group_json(&g->list[i], samples, out);
        } else {
            group_text(&g->list[i], samples, out);
        }
    }
    if (json) {
        buf_printf(out, "],\"others\":%" PRId64, g->others);
    } else if (g->others > 0) {
        buf_printf(out, "%8" PRId64 "  in further groups\n", g->others);
    }
}
