/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the position back: the last committed record of the source, whatever else the partition holds. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "relay/position.h"
#include "support/stack.h"

#define PARTITIONS 8

static struct stack st;
static struct err err;
static char *topic;
static struct producer *p;
static struct position got;
static bool found;
static int idles;
static int32_t partition;

static void setup(void)
{
    stack_open(&st);
    topic = stack_topic(&st, "positions", PARTITIONS, NULL);
    partition = 0;
    p = stack_producer(&st, "a", NULL, NULL);
}

static void teardown(void)
{
    producer_destroy(p);
    position_done(&got);
    free(topic);
    stack_close(&st);
}

TestSuite(position_read, .init = setup, .fini = teardown);

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)

static enum rc count_idle(void *opaque, struct err *e)
{
    (void)opaque;
    (void)e;
    idles++;
    return RC_OK;
}

static enum rc read_as(const char *source)
{
    int64_t began = clock_mono_ms();
    enum rc rc = position_read(st.cfg, topic, partition, source, POSITION_FENCED, count_idle, NULL, &got, &found, &err);

    cr_expect_lt(clock_mono_ms() - began, 10000, "it must not hang");
    return rc;
}

static void expect_found(int64_t last_seq)
{
    OK(read_as("callback"));
    cr_assert(found);
    cr_expect_eq(got.last_seq, last_seq);
}

static char *value(int64_t last_seq)
{
    struct position pos CLEANUP(position_done) = {.db = {.system_id = "1", .timeline = 1, .database_oid = 1}};
    struct buf text;

    position_set(&pos, "1:1:", "1:1:", last_seq);
    buf_init(&text, POSITION_VALUE_MAX);
    position_encode(&pos, "callback", &text);
    return buf_take(&text);
}

/* n records in one transaction. */
static void write_with(struct producer *with, const char *key, const char *text, int n, bool commit)
{
    OK(producer_begin(with, &err));
    for (int i = 0; i < n; i++) {
        OK(stack_send(with, topic, partition, key, text, i, &err));
    }
    OK(producer_flush(with, &err));
    OK(commit ? producer_commit(with, &err) : producer_abort(with, &err));
}

static void write_seq(const char *key, int64_t last_seq, int n, bool commit)
{
    char *text CLEANUP(freep) = value(last_seq);

    write_with(p, key, text, n, commit);
}

/* What stands in a partition, and what must be read from it. One producer for all: each costs a second. */
static void only_aborted(void)
{
    write_seq("callback", 7, 3, false);
    cr_assert_eq(stack_records(&st, topic, partition, "read_uncommitted"), 3, "else this proves nothing");
}

static void several(void)
{
    write_seq("callback", 1, 1, true);
    write_seq("callback", 2, 2, true);
    write_seq("callback", 3, 1, true);
    write_seq("callback", 4, 1, false);
    write_seq("callback", 5, 1, false);
}

static void other_sources(void)
{
    write_seq("callback", 1, 1, true);
    write_seq("payment", 2, 5, true);
    write_seq("callback2", 3, 1, true);
    write_seq("call", 4, 1, true);
    write_seq("", 5, 1, true);
}

static void only_other_sources(void)
{
    write_seq("payment", 2, 5, true);
}

static void far_behind(void)
{
    write_seq("callback", 1, 1, true);
    write_seq("payment", 2, 1500, true);
    write_seq("payment", 3, 700, false);
}

static void nothing_left(void)
{
    write_seq("callback", 1, 10, true);
    stack_delete_records(&st, topic, partition, -1); /* low = high > 0 */
}

static void beginning_deleted(void)
{
    write_seq("callback", 1, 10, true);
    write_seq("callback", 2, 1, true);
    stack_delete_records(&st, topic, partition, 9);
}

static void nothing_written(void)
{
}

static const struct {
    const char *what;
    void (*write)(void);
    int64_t last_seq; /* -1 = there is none */
} STORIES[PARTITIONS] = {
    {"an empty partition", nothing_written, -1},
    {"aborted records only", only_aborted, -1},
    {"several committed, then aborted ones", several, 3},
    {"keys of other sources behind it", other_sources, 1},
    {"keys of other sources only", only_other_sources, -1},
    {"more than a thousand records behind", far_behind, 1},
    {"everything deleted", nothing_left, -1},
    {"a log that begins in the middle", beginning_deleted, 2},
};

Test(position_read, the_last_committed_record_of_the_source_counts_whatever_else_is_there, .timeout = 60)
{
    for (partition = 0; partition < PARTITIONS; partition++) {
        const char *what = STORIES[partition].what;
        STORIES[partition].write();
        OK(read_as("callback"));
        cr_expect_eq(found, STORIES[partition].last_seq >= 0, "%s", what);
        if (found) {
            cr_expect_eq(got.last_seq, STORIES[partition].last_seq, "%s: %d", what, (int)got.last_seq);
        }
    }
}

struct other_lane {
    pthread_t thread;
    struct producer *p;
    struct err err;
    enum rc rc;
};

static void *abort_later(void *arg)
{
    struct other_lane *o = arg;

    clock_sleep_ms(700);
    o->rc = producer_abort(o->p, &o->err);
    return NULL;
}

Test(position_read, an_open_transaction_of_another_lane_delays_and_does_not_hide)
{
    struct other_lane o = {.p = stack_producer(&st, "b", NULL, NULL)};
    char *text CLEANUP(freep) = value(99);

    write_seq("callback", 1, 1, true);
    OK(producer_begin(o.p, &err));
    OK(stack_send(o.p, topic, 0, "payment", text, 0, &err));
    OK(producer_flush(o.p, &err));
    write_seq("callback", 2, 1, true); /* behind the open transaction: no read_committed reader sees it yet */
    cr_assert_eq(pthread_create(&o.thread, NULL, abort_later, &o), 0);
    expect_found(2);
    cr_expect_geq(idles, 3, "the session must be kept alive while waiting");
    pthread_join(o.thread, NULL);
    cr_expect_eq(o.rc, RC_OK, "%s", o.err.text);
    producer_destroy(o.p);
}

static enum rc give_up(void *opaque, struct err *e)
{
    (void)opaque;
    return err_set(e, RC_FENCED, __FILE__, __LINE__, "the session is lost");
}

Test(position_read, it_ends_when_the_owner_is_no_owner_any_more)
{
    struct producer *other = stack_producer(&st, "b", NULL, NULL);
    char *text CLEANUP(freep) = value(1);

    OK(producer_begin(other, &err));
    OK(stack_send(other, topic, 0, "payment", text, 0, &err));
    OK(producer_flush(other, &err));
    cr_expect_eq(position_read(st.cfg, topic, 0, "callback", POSITION_FENCED, give_up, NULL, &got, &found, &err),
                 RC_FENCED);
    cr_expect_str_eq(err.text, "the session is lost");
    producer_destroy(other);
}

Test(position_read, a_damaged_or_newer_record_is_named_with_its_place)
{
    char *good CLEANUP(freep) = value(1);

    write_with(p, "callback", good, 1, true);
    write_with(p, "callback", "{\"v\":1", 1, true);
    cr_expect_eq(read_as("callback"), RC_FATAL);
    cr_expect(strstr(err.text, "positions partition 0 offset 2: the position is not JSON") != NULL, "%s", err.text);
    write_with(p, "callback", "{\"v\":2}", 1, true);
    cr_expect_eq(read_as("callback"), RC_FATAL);
    cr_expect(strstr(err.text, topic) != NULL, "%s", err.text);
}

Test(position_read, a_missing_topic_is_an_error_and_not_a_beginning)
{
    char *missing CLEANUP(freep) = xasprintf("%snever", st.prefix);

    cr_expect_neq(position_read(st.cfg, missing, 0, "callback", POSITION_FENCED, NULL, NULL, &got, &found, &err),
                  RC_OK);
    cr_expect(strstr(err.text, missing) != NULL, "%s", err.text);
}

/* ---- Does a position fit the database? ---- */

Test(position_read, the_identity_of_the_database_is_a_clusters_a_timelines_and_its_own)
{
    struct db_identity id = {.timeline = 0};
    struct position pos CLEANUP(position_done) = {.db = {.timeline = 0}};
    static const char *const states[] = {"sysid_changed", "timeline_changed", "database_changed", "xid_regressed"};

    OK(db_identity_read(st.conn, &id, &err));
    cr_expect_gt(strlen(id.system_id), 10);
    cr_expect_geq(id.timeline, 1);
    cr_expect_eq(id.database_oid, stack_int(st.conn, "SELECT oid FROM pg_database WHERE datname = current_database()"));
    char *now CLEANUP(freep) = stack_text(st.conn, "SELECT pg_current_snapshot()");
    position_set(&pos, now, now, 0);
    pos.db = id;
    OK(position_guard(&pos, &id, st.conn, "callback", &err));
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        pos.db = id;
        pos.db.system_id[0] = i == 0 ? 'x' : id.system_id[0];
        pos.db.timeline += i == 1 ? 1 : 0;
        pos.db.database_oid += i == 2 ? 1 : 0;
        if (i == 3) {
            position_set(&pos, "1:1:", "9000000000:9000000000:", 0);
        }
        cr_expect_eq(position_guard(&pos, &id, st.conn, "callback", &err), RC_FATAL, "%s", states[i]);
        cr_expect(strstr(err.text, states[i]) != NULL && strstr(err.text, "source callback") != NULL, "%s", err.text);
    }
}
