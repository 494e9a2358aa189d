/* SPDX-License-Identifier: Apache-2.0 */
/* The screen of `sluice status`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "status.h"
#include "when.h"

#define CELL_MAX 32

/* ?, 12 or >10000. */
static const char *number(char out[CELL_MAX], int64_t n, bool more)
{
    if (n == STATUS_UNKNOWN) {
        return "?";
    }
    (void)snprintf(out, CELL_MAX, "%s%" PRId64, more ? ">" : "", n);
    return out;
}

static const char *age(char out[CELL_MAX], int64_t s)
{
    when_age(s, out);
    return out;
}

static const char *per_second(char out[CELL_MAX], double rate)
{
    if (rate < 0) {
        return "-";
    }
    (void)snprintf(out, CELL_MAX, "%.0f", rate);
    return out;
}

static int64_t since(const struct status *st, int64_t ms)
{
    int64_t s = ms < 0 ? -1 : (st->at_us / 1000 - ms) / 1000;

    return ms >= 0 && s < 0 ? 0 : s;
}

static void print_sources(const struct status *st, struct buf *out)
{
    char a[CELL_MAX];
    char b[CELL_MAX];
    char c[CELL_MAX];
    char d[CELL_MAX];
    char e[CELL_MAX];

    buf_puts(
        out,
        "SOURCE           TABLE                     PUBLISHED  RATE/S   PENDING  OLDEST  WAITING     DUE  RELAY\n");
    for (int i = 0; i < st->n_sources; i++) {
        const struct status_source *s = &st->sources[i];
        if (!st->db_known) {
            buf_printf(out, "%-16s %-24s %10s\n", s->name, s->table, "?");
            continue;
        }
        buf_printf(out, "%-16s %-24s %10" PRId64 "  %6s  %8s  %6s  %7s  %6s  %s%s\n", s->name, s->table, s->published,
                   per_second(a, s->rate), number(b, s->pending.n, s->pending.more),
                   age(c, s->pending.n > 0 ? s->oldest_s : -1),
                   s->has_waiting ? number(d, s->waiting.n, s->waiting.more) : "-", age(e, s->next_due_s),
                   s->owned || !s->started ? "" : "none; last ",
                   s->started ? s->owner
                   : s->owned ? "starting"
                              : "never started");
    }
}

static void print_readers(const struct status *st, struct buf *out)
{
    char a[CELL_MAX];
    char b[CELL_MAX];
    char c[CELL_MAX];
    char d[CELL_MAX];
    char e[CELL_MAX];

    buf_puts(out, "\nROLE         TOPIC                           LAG  RATE/S  OLDEST    AHEAD  MEMBERS  STATE\n");
    for (size_t i = 0; i < STATUS_READERS; i++) {
        const struct status_reader *r = &st->readers[i];
        bool known = st->kafka_known && r->known;
        buf_printf(out, "%-12s %-24s %10s  %6s  %6s  %7s  %7s  %s\n", r->role, r->topic,
                   known ? number(a, r->lag.records, r->lag.more) : "?", per_second(b, r->rate),
                   age(c, known ? since(st, r->lag.oldest_ms) : -1),
                   r->database ? "-"
                   : known     ? number(d, r->lag.ahead, false)
                               : "?",
                   st->kafka_known ? number(e, r->members, false) : "?", r->state);
    }
}

/* The two ways in which rows have states: rows that are delivered, and rows that are handled. */
#define STATE_COLUMNS 5
static const struct {
    const char *state[STATE_COLUMNS], *title[STATE_COLUMNS];
} BLOCKS[] = {
    {{"pending", "retrying", "delivered", "failed", "dead_letter"},
     {"PENDING", "RETRYING", "DELIVERED", "FAILED", "DEAD"}},
    {{"null", "queued", "skipped", "failed", "processed"}, {"NULL", "QUEUED", "SKIPPED", "FAILED", "PROCESSED"}},
};

static void print_row_states(const struct status_source *s, size_t block, struct buf *out)
{
    char cell[CELL_MAX];

    buf_printf(out, "%-25s", s->table);
    for (size_t c = 0; c < STATE_COLUMNS; c++) {
        const char *state = BLOCKS[block].state[c];
        bool has = state != NULL && row_state_in(s->view->states, state);
        buf_printf(out, " %10s", has ? number(cell, status_rows(s, state), false) : state == NULL ? "" : "-");
    }
    buf_printf(out, " %10s\n", number(cell, s->row_stuck, false));
}

static void print_block(const struct status *st, size_t block, struct buf *out)
{
    bool titled = false;

    for (int i = 0; i < st->n_sources; i++) {
        const struct status_source *s = &st->sources[i];
        if (s->view == NULL || strcmp(s->view->states[0], BLOCKS[block].state[0]) != 0) {
            continue;
        }
        if (!titled) {
            buf_printf(out, "\n%-25s", "ROWS");
            for (size_t c = 0; c < STATE_COLUMNS; c++) {
                buf_printf(out, " %10s", BLOCKS[block].title[c]);
            }
            buf_printf(out, " %10s\n", "STUCK");
            titled = true;
        }
        print_row_states(s, block, out);
    }
}

static void print_states(const struct status *st, struct buf *out)
{
    char a[CELL_MAX];

    for (size_t k = 0; k < sizeof(BLOCKS) / sizeof(BLOCKS[0]); k++) {
        print_block(st, k, out);
    }
    for (int i = 0; i < st->n_sources; i++) {
        const struct status_source *s = &st->sources[i];
        if (s->has_rows) {
            buf_printf(out, "%-25s %10s kept\n", s->table, st->db_known ? number(a, s->rows.n, s->rows.more) : "?");
        }
    }
}

static void print_dead(const struct status *st, struct buf *out)
{
    char a[CELL_MAX];
    char b[CELL_MAX];

    buf_puts(out, "\nDEAD LETTERS                 RECORDS       OPEN\n");
    for (size_t i = 0; i < st->n_topics; i++) {
        const struct status_topic *t = &st->topics[i];
        if (t->dead_letters) {
            buf_printf(out, "%-25s %10s %10s\n", t->name,
                       !st->kafka_known     ? "?"
                       : t->partitions == 0 ? "missing"
                                            : number(a, t->records.records, t->records.more),
                       !st->db_known ? "?"
                       : t->has_open ? number(b, t->open.n, t->open.more)
                                     : "-");
        }
    }
}

static void print_missing(const struct status *st, struct buf *out)
{
    int missing = 0;

    for (size_t i = 0; st->kafka_known && i < st->n_topics; i++) {
        if (st->topics[i].partitions == 0) {
            buf_printf(out, "%s%s", missing == 0 ? "\ntopics missing, run `sluice topics apply`: " : ", ",
                       st->topics[i].full_name);
            missing++;
        }
    }
    buf_puts(out, missing > 0 ? "\n" : "");
}

void status_print(const struct status *st, struct buf *out)
{
    print_sources(st, out);
    print_readers(st, out);
    print_states(st, out);
    print_dead(st, out);
    print_missing(st, out);
    if (!st->db_known) {
        buf_printf(out, "\nPostgreSQL: %s\n", st->db_err.text);
    }
    if (!st->kafka_known) {
        buf_printf(out, "%sKafka: %s\n", st->db_known ? "\n" : "", st->kafka_err.text);
    }
}
