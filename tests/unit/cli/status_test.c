/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice status` counts as lag, and how it shows what it knows and what it does not. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/status.h"

/* ---- lag ---- */

/* Reads offsets from the list (-1 ends it), each with the timestamp 1000 + offset, then the end of the partition. */
static void feed(struct lag_part *p, const int64_t *offsets)
{
    for (; *offsets >= 0; offsets++) {
        lag_part_see(p, *offsets, 1000 + *offsets);
    }
    lag_part_reach(p, p->end);
}

static struct lag lag_of(int64_t low, int64_t end, int64_t position, const char *metadata, int64_t max,
                         const int64_t *offsets)
{
    struct lag lag = {.oldest_ms = -1};
    struct lag_part p;

    lag_part_init(&p, 0, low, end, position, metadata, metadata != NULL ? strlen(metadata) : 0, max);
    feed(&p, offsets);
    lag_add(&lag, &p);
    lag_part_done(&p);
    return lag;
}

/* Metadata as a processor writes it: seen is everything in [low, top), open is what is not done of it. */
static char *metadata_of(int64_t low, int64_t top, const int64_t *open)
{
    struct delivery_offsets o;
    struct buf out;
    struct err err;

    delivery_offsets_init(&o, low);
    for (int64_t i = low; i < top; i++) {
        const int64_t *at = open;
        cr_assert(delivery_offsets_see(&o, i));
        while (*at >= 0 && *at != i) {
            at++;
        }
        if (*at < 0) {
            delivery_offsets_complete(&o, i);
        }
    }
    cr_assert_eq(delivery_offsets_low(&o), low, "the first one must be open");
    buf_init(&out, 4096);
    cr_assert_eq(delivery_offsets_encode(&o, 7, &out, &err), RC_OK);
    delivery_offsets_done(&o);
    return buf_take(&out);
}

Test(status_lag, markers_and_aborted_records_are_no_lag)
{
    /* 12 and 15 are markers, 13 and 14 were aborted: a read_committed reader gets none of them. */
    const int64_t records[] = {10, 11, 16, 17, -1};
    struct lag lag = lag_of(0, 19, 10, NULL, 100, records);

    cr_assert_eq(lag.records, 4);
    cr_assert_eq(lag.offsets, 9);
    cr_assert_eq(lag.oldest_ms, 1010);
    cr_assert_not(lag.more);
    cr_assert_eq(lag.fits[LAG_FITS], 1);
}

Test(status_lag, only_a_marker_behind_the_position_is_no_lag)
{
    const int64_t none[] = {-1};
    struct lag lag = lag_of(0, 11, 10, "1 3", 100, none);

    cr_assert_eq(lag.records, 0);
    cr_assert_eq(lag.oldest_ms, -1);
    cr_assert_not(lag.more);
}

Test(status_lag, what_is_done_above_the_committed_offset_is_no_lag)
{
    const int64_t open[] = {10, 14, 15, -1};
    const int64_t records[] = {10, 11, 12, 13, 14, 15, 16, 20, 21, -1};
    char *metadata CLEANUP(freep) = metadata_of(10, 20, open);
    struct lag lag = lag_of(0, 23, 10, metadata, 100, records);

    cr_assert_eq(lag.records, 5, "10, 14, 15, 20, 21, not %d", (int)lag.records);
    cr_assert_eq(lag.ahead, 4, "11, 12, 13, 16, not %d", (int)lag.ahead);
    cr_assert_eq(lag.oldest_ms, 1010);
}

Test(status_lag, counting_stops_at_the_ceiling_and_says_so)
{
    const int64_t records[] = {0, 1, 2, 3, 4, -1};
    struct lag lag = {.oldest_ms = -1};
    struct lag_part p;

    lag_part_init(&p, 0, 0, 5, 0, NULL, 0, 3);
    for (const int64_t *at = records; *at >= 0; at++) {
        lag_part_see(&p, *at, 5);
    }
    cr_assert_not(lag_part_wants(&p));
    lag_add(&lag, &p);
    cr_assert_eq(lag.records, 3);
    cr_assert(lag.more);
    lag_part_done(&p);
}

Test(status_lag, records_that_come_while_counting_are_the_next_looks)
{
    const int64_t records[] = {0, 1, 2, 3, -1};
    struct lag lag = lag_of(0, 2, 0, NULL, 100, records);

    cr_assert_eq(lag.records, 2);
    cr_assert_not(lag.more);
}

Test(status_lag, positions_that_do_not_fit_the_log_are_named)
{
    const int64_t records[] = {5, 6, -1};
    const int64_t none[] = {-1};
    struct lag lag = lag_of(5, 7, -1, NULL, 100, records);
    cr_assert_eq(lag.fits[LAG_NEW], 1);
    cr_assert_eq(lag.records, 2, "a group that has never started has all of the log before it");

    lag = lag_of(5, 7, 3, NULL, 100, records);
    cr_assert_eq(lag.fits[LAG_BEHIND], 1);
    cr_assert_eq(lag.records, 2);

    lag = lag_of(5, 7, 8, NULL, 100, none);
    cr_assert_eq(lag.fits[LAG_BEYOND], 1);
    cr_assert_eq(lag.records, 0);
    cr_assert_not(lag.more);

    lag = lag_of(5, 7, 5, "somebody's own", 100, records);
    cr_assert_eq(lag.fits[LAG_BAD_METADATA], 1);
    cr_assert_eq(lag.records, 2);
}

/* ---- what is shown ---- */

static struct status *example(void)
{
    struct status *st = xcalloc(1, sizeof(*st));

    st->at_us = 1700000100 * 1000000LL;
    st->n_sources = 2;
    st->sources[1] = (struct status_source){.name = "express",
                                            .table = "notify_queue",
                                            .view = &OUTBOX_VIEWS[1],
                                            .next_due_s = STATUS_UNKNOWN,
                                            .row_states = {1, 20, 3, 4},
                                            .row_stuck = 0,
                                            .rate = -1};
    st->sources[0] = (struct status_source){.name = "callback",
                                            .table = "cs_platform_event_outbox",
                                            .started = true,
                                            .owned = true,
                                            .has_waiting = true,
                                            .view = &OUTBOX_VIEWS[0],
                                            .owner = "here:\"1\"",
                                            .published = 228,
                                            .last_seq = 300,
                                            .pending = {100000, true},
                                            .oldest_s = 7300,
                                            .waiting = {3, false},
                                            .next_due_s = 12,
                                            .row_states = {40, 3, STATUS_UNKNOWN, 2},
                                            .row_stuck = 1,
                                            .rate = -1};
    st->readers[0] = (struct status_reader){.role = "callback",
                                            .topic = "callback.events",
                                            .group = xstrdup("sluice-callback"),
                                            .full_topic = xstrdup("callback.events"),
                                            .known = true,
                                            .lag = {.records = 17, .ahead = 4, .oldest_ms = 1700000041000},
                                            .members = 2,
                                            .rate = 12.25};
    st->readers[1] = (struct status_reader){.role = "sink",
                                            .topic = "callback.outcomes",
                                            .database = true,
                                            .group = xstrdup("sluice-sink"),
                                            .full_topic = xstrdup("callback.outcomes"),
                                            .lag = {.oldest_ms = -1},
                                            .members = STATUS_UNKNOWN,
                                            .rate = -1,
                                            .state = "its position is in PostgreSQL"};
    for (size_t i = 2; i < STATUS_READERS; i++) {
        st->readers[i] = (struct status_reader){.role = "account",
                                                .topic = "account.commands",
                                                .database = true,
                                                .group = xstrdup("sluice-account"),
                                                .full_topic = xstrdup("account.commands"),
                                                .known = true,
                                                .lag = {.records = 3, .oldest_ms = -1},
                                                .members = 1,
                                                .rate = -1};
    }
    st->topics[0] = (struct status_topic){.name = "callback.dlq",
                                          .full_name = xstrdup("callback.dlq"),
                                          .partitions = 3,
                                          .offsets = 9,
                                          .dead_letters = true,
                                          .records = {.records = 5, .oldest_ms = 1700000000000},
                                          .has_open = true,
                                          .open = {2, false}};
    st->topics[1] = (struct status_topic){.name = "account.flows", .full_name = xstrdup("account.flows")};
    st->n_topics = 2;
    st->db_known = true;
    st->kafka_known = true;
    return st;
}

static void free_example(struct status **st)
{
    status_done(*st);
    free(*st);
}

static void has(const char *text, const char *line)
{
    cr_assert_not_null(strstr(text, line), "no \"%s\" in:\n%s", line, text);
}

Test(status_shown, a_line_for_each_stage)
{
    struct status *st CLEANUP(free_example) = example();
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, 1 << 16);
    status_print(st, &out);
    has(buf_str(&out), "callback         cs_platform_event_outbox        228       -   >100000      2h        3     "
                       "12s  here:\"1\"\n");
    has(buf_str(&out), "callback     callback.events                  17      12     59s        4        2  \n");
    has(buf_str(&out), "account      account.commands                  3       -       -        -        1  \n");
    has(buf_str(&out),
        "sink         callback.outcomes                 ?       -       -        -        ?  its position");
    has(buf_str(&out), "cs_platform_event_outbox          40          3          ?          -          2          1\n");
    has(buf_str(&out), "ROWS                            NULL     QUEUED    SKIPPED     FAILED  PROCESSED      STUCK\n"
                       "notify_queue                       1         20          3          4          0          0\n");
    has(buf_str(&out), "callback.dlq                       5          2\n");
    has(buf_str(&out), "topics missing, run `sluice topics apply`: account.flows\n");
}

Test(status_shown, nobody_owns_the_source)
{
    struct status *st CLEANUP(free_example) = example();
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, 1 << 16);
    st->sources[0].owned = false;
    status_print(st, &out);
    has(buf_str(&out), "12s  none; last here:\"1\"\n");
}

Test(status_shown, the_half_that_is_away_is_named_and_the_other_shown)
{
    struct status *st CLEANUP(free_example) = example();
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, 1 << 16);
    st->db_known = false;
    err_set(&st->db_err, RC_RETRY, __FILE__, __LINE__, "cannot connect");
    status_print(st, &out);
    has(buf_str(&out), "callback         cs_platform_event_outbox          ?\n");
    has(buf_str(&out), "callback     callback.events                  17");
    has(buf_str(&out), "PostgreSQL: cannot connect\n");
}

static json_t *shown(const struct status *st)
{
    CLEANUP(buf_done) struct buf out;
    json_error_t why;

    buf_init(&out, 1 << 16);
    status_json(st, &out);
    cr_assert_eq(out.data[out.len - 1], '\n');
    json_t *root = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &why);
    cr_assert_not_null(root, "%s in %s", why.text, buf_str(&out));
    return root;
}

static const json_t *at(const json_t *root, const char *list, const char *name)
{
    const json_t *found = json_object_get(json_array_get(json_object_get(root, list), 0), name);

    cr_assert_not_null(found, "no %s in %s", name, list);
    return found;
}

Test(status_shown, json_has_its_names_and_null_for_the_unknown)
{
    struct status *st CLEANUP(free_example) = example();
    json_t *root = shown(st);

    cr_assert_eq(json_integer_value(at(root, "sources", "pending")), 100000);
    cr_assert(json_is_true(at(root, "sources", "pending_more")));
    cr_assert_eq(json_integer_value(at(root, "sources", "oldest_pending_s")), 7300);
    cr_assert_eq(json_integer_value(at(root, "sources", "waiting")), 3);
    cr_assert(json_is_null(at(root, "sources", "rows_delivered")));
    cr_assert_eq(json_integer_value(at(root, "sources", "rows_pending")), 40);
    cr_assert_eq(json_integer_value(at(root, "sources", "rows_dead_letter")), 2);
    cr_assert_eq(json_integer_value(at(root, "sources", "rows_stuck")), 1);
    cr_assert_str_eq(json_string_value(at(root, "sources", "owner")), "here:\"1\"");
    cr_assert_eq(json_integer_value(at(root, "processors", "lag")), 17);
    cr_assert_eq(json_integer_value(at(root, "processors", "lag_s")), 59);
    cr_assert_eq(json_integer_value(at(root, "dead_letters", "records")), 5);
    cr_assert_eq(json_integer_value(at(root, "dead_letters", "open")), 2);
    cr_assert_eq(json_integer_value(at(root, "topics", "offsets")), 9);
    cr_assert(json_is_true(json_object_get(json_object_get(root, "database"), "available")));
    json_decref(root);
}

Test(status_shown, json_without_kafka_has_nulls)
{
    struct status *st CLEANUP(free_example) = example();

    st->kafka_known = false;
    err_set(&st->kafka_err, RC_RETRY, __FILE__, __LINE__, "no \"answer\"");
    json_t *root = shown(st);
    cr_assert(json_is_null(at(root, "processors", "lag")));
    cr_assert(json_is_null(at(root, "processors", "members")));
    cr_assert(json_is_null(at(root, "dead_letters", "records")));
    cr_assert_eq(json_integer_value(at(root, "dead_letters", "open")), 2);
    cr_assert_str_eq(json_string_value(json_object_get(json_object_get(root, "kafka"), "error")), "no \"answer\"");
    json_decref(root);
}
