/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the coordinator decided, and what ending it does. A real broker leaves nothing hanging while it runs, so
 * somebody else's open transaction in front of ours stands for it: the last stable offset is held back in the same way.
 * Ours has its control record all the same, and whatever is written to end it, what it holds must stay as it was
 * decided.
 */
#include "kafka/hanging.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/tail.h"
#include "kafka/txn_log.h"
#include "support/stack.h"

#define LONG_MS 120000 /* no open transaction may end by itself during a case */

static struct stack st;
static struct err err;
static char *data;  /* two partitions */
static char *stand; /* what says how far the stream is */
static char *id;    /* ours */
static struct producer *p;
static struct producer *other;
static int stands; /* calls of send_stand */

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)

static struct producer *open_as(const char *txn_id)
{
    struct producer_options opt = {
        .client = "sluice-test", .transactional_id = txn_id, .transaction_timeout_ms = LONG_MS};
    struct producer *made = NULL;

    OK(producer_create(st.cfg, &opt, &made, &err));
    OK(producer_init(made, &err));
    return made;
}

static void setup(void)
{
    stack_open(&st);
    data = stack_topic(&st, "data", 2, NULL);
    stand = stack_topic(&st, "stand", 1, NULL);
    id = xasprintf("%sours", st.prefix);
    p = open_as(id);
}

static void teardown(void)
{
    producer_destroy(p);
    producer_destroy(other);
    free(data);
    free(stand);
    free(id);
    stack_close(&st);
}

TestSuite(hanging, .init = setup, .fini = teardown, .timeout = 90);

static void succeed(void)
{
    producer_destroy(p);
    p = open_as(id);
}

/* ---------------------------------------------------------------------------------------------- what is written */

/* Records in these places: "0" and "1" are partitions of data, "s" is the stand. */
static void put(struct producer *by, const char *places)
{
    for (const char *at = places; *at != '\0'; at++) {
        OK(*at == 's' ? stack_send(by, stand, 0, "k", "v", 0, &err)
                      : stack_send(by, data, *at - '0', "k", "v", 0, &err));
    }
    OK(producer_flush(by, &err));
}

static void transact(const char *places, bool commit)
{
    OK(producer_begin(p, &err));
    put(p, places);
    OK(commit ? producer_commit(p, &err) : producer_abort(p, &err));
}

static void other_opens(const char *places)
{
    char *name CLEANUP(freep) = xasprintf("%sother", st.prefix);

    other = open_as(name);
    OK(producer_begin(other, &err));
    put(other, places);
}

static void other_aborts(void)
{
    OK(producer_abort(other, &err));
}

/* ------------------------------------------------------------------------------------------------- what is seen */

struct count {
    int records;
    int closing;
};

static void count_restart(void *opaque)
{
    *(struct count *)opaque = (struct count){0};
}

static enum rc count_take(void *opaque, const rd_kafka_message_t *msg, struct err *e)
{
    struct count *c = opaque;

    (void)e;
    c->records++;
    c->closing += hanging_is_closing_record(msg);
    return RC_OK;
}

static bool count_enough(const void *opaque)
{
    (void)opaque;
    return false;
}

/* To the end of the log; what is open is waited for when only what is committed counts. */
static struct count count(const char *topic, int32_t partition, bool uncommitted)
{
    struct count c = {0};
    const struct tail_options opt = {.cfg = st.cfg,
                                     .client = "sluice-test",
                                     .topic = topic,
                                     .partition = partition,
                                     .uncommitted = uncommitted,
                                     .whole = true,
                                     .restart = count_restart,
                                     .take = count_take,
                                     .enough = count_enough,
                                     .opaque = &c};

    OK(kafka_tail_read(&opt, &err));
    return c;
}

/* Records of data 0, data 1 and the stand. */
static void expect_records(bool uncommitted, int data0, int data1, int stand0)
{
    const char *what = uncommitted ? "written" : "committed";
    int got[] = {count(data, 0, uncommitted).records, count(data, 1, uncommitted).records,
                 count(stand, 0, uncommitted).records};

    cr_expect_eq(got[0], data0, "%s to data 0: %d, expected %d", what, got[0], data0);
    cr_expect_eq(got[1], data1, "%s to data 1: %d, expected %d", what, got[1], data1);
    cr_expect_eq(got[2], stand0, "%s to the stand: %d, expected %d", what, got[2], stand0);
}

#define WRITTEN(data0, data1, stand0) expect_records(true, data0, data1, stand0)
#define COMMITTED(data0, data1, stand0) expect_records(false, data0, data1, stand0)

/* ------------------------------------------------------------------------------------------------- the decisions */

/* How the last transaction in each place was decided: "c" or "a", "C" or "A" in the very last one, "-" for none. */
static void expect_decided(const char *in_data0, const char *in_data1, const char *in_stand)
{
    struct txn_log log CLEANUP(txn_log_done) = {0};
    const struct {
        const char *topic;
        int32_t partition;
        char want;
    } places[] = {{data, 0, in_data0[0]}, {data, 1, in_data1[0]}, {stand, 0, in_stand[0]}};
    size_t n = 0;

    OK(txn_log_read(st.cfg, p, id, NULL, NULL, &log, &err));
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char got = '-';
        for (size_t j = 0; j < log.n; j++) {
            const struct txn_log_part *part = &log.parts[j];
            if (part->partition == places[i].partition && strcmp(part->topic, places[i].topic) == 0) {
                got = "acAC"[(part->committed ? 1 : 0) + (part->last ? 2 : 0)];
            }
        }
        n += places[i].want != '-' ? 1 : 0;
        cr_expect_eq(got, places[i].want, "%s %d: '%c', expected '%c'", places[i].topic, (int)places[i].partition, got,
                     places[i].want);
    }
    cr_expect_eq(log.n, n, "%zu partitions, expected %zu", log.n, n);
    cr_expect_eq(log.decisions > 0, n > 0, "%zu decisions", log.decisions);
}

/* An id whose records stand beside ours in the coordinator's log. */
static char *neighbour(void)
{
    int partitions = 0;
    char *name = NULL;

    OK(producer_topic_partitions(p, TXN_LOG_TOPIC, &partitions, &err));
    cr_assert_gt(partitions, 0);
    for (int i = 0; name == NULL || txn_log_partition(name, partitions) != txn_log_partition(id, partitions); i++) {
        free(name);
        name = xasprintf("%s%04d", st.prefix, i); /* as long as ours, so that only the text tells them apart */
    }
    return name;
}

Test(hanging, the_log_of_the_coordinator_says_how_each_partition_was_decided)
{
    char *name CLEANUP(freep) = neighbour();

    cr_assert_eq(strlen(name), strlen(id));
    expect_decided("-", "-", "-");
    transact("01s", true);
    expect_decided("C", "C", "C");
    transact("0", false);
    expect_decided("A", "c", "c");
    transact("1s", true);
    expect_decided("a", "C", "C");
    other = open_as(name);
    OK(producer_begin(other, &err));
    put(other, "01");
    OK(producer_abort(other, &err));
    expect_decided("a", "C", "C");
    OK(producer_begin(p, &err));
    put(p, "1");
    succeed(); /* what its predecessor left open is aborted */
    expect_decided("a", "A", "c");
}

/* ------------------------------------------------------------------------------------------------------ ending it */

static enum rc send_stand(void *opaque, struct producer *by, struct err *e)
{
    (void)opaque;
    stands++;
    return stack_send(by, stand, 0, "again", "v", 0, e);
}

static enum rc give_up(void *opaque, struct err *e)
{
    (void)opaque;
    return err_set(e, RC_FENCED, __FILE__, __LINE__, "the session is lost");
}

static enum rc end_with(bool may_commit_closing, producer_idle_fn idle, size_t *out_ended)
{
    const struct hanging_options opt = {.cfg = st.cfg,
                                        .transactional_id = id,
                                        .idle = idle,
                                        .stands_in = stand,
                                        .send_stand = send_stand,
                                        .may_commit_closing = may_commit_closing};

    return hanging_end(p, &opt, out_ended, &err);
}

static void expect_ended(bool may_commit_closing, size_t n, int n_stands)
{
    size_t ended = 99;

    stands = 0;
    OK(end_with(may_commit_closing, NULL, &ended));
    cr_expect_eq(ended, n, "%zu ended, expected %zu", ended, n);
    cr_expect_eq(stands, n_stands, "%d stands, expected %d", stands, n_stands);
}

Test(hanging, where_nothing_hangs_nothing_is_written)
{
    expect_ended(true, 0, 0); /* the first producer of its id */
    transact("01s", true);
    transact("0", false);
    OK(producer_begin(p, &err));
    put(p, "1s");
    succeed();
    expect_ended(false, 0, 0);
    expect_ended(true, 0, 0);
    WRITTEN(2, 2, 2);
    COMMITTED(1, 1, 1);
}

Test(hanging, what_was_aborted_is_ended_by_records_nobody_sees)
{
    transact("01s", true);
    other_opens("0");
    transact("0", false);
    succeed();
    expect_ended(false, 1, 0);
    WRITTEN(4, 1, 1);
    expect_ended(true, 1, 0);
    WRITTEN(5, 1, 1);
    other_aborts();
    COMMITTED(1, 1, 1);
    cr_expect_eq(count(data, 0, true).closing, 2);
}

Test(hanging, a_commit_of_which_nothing_arrived_is_taken_back_unless_it_did_arrive)
{
    transact("1", true);
    other_opens("0s");
    transact("0s", true);
    succeed();
    expect_ended(false, 2, 1);
    WRITTEN(3, 1, 3);
    other_aborts();
    COMMITTED(1, 1, 1);
    cr_expect_eq(count(data, 0, true).closing, 1);
    cr_expect_eq(count(stand, 0, true).closing, 0, "the caller's own record stands there");
}

Test(hanging, a_commit_of_which_something_arrived_ends_where_the_stream_stands_only)
{
    other_opens("0s");
    transact("01s", true);
    succeed();
    expect_ended(false, 1, 1);
    WRITTEN(2, 1, 3);
    other_aborts();
    COMMITTED(1, 1, 2);
}

Test(hanging, a_commit_that_hangs_beside_the_stand_only_is_ended_where_closing_records_may_be)
{
    other_opens("0");
    transact("0s", true);
    succeed();
    expect_ended(false, 0, 0);
    WRITTEN(2, 0, 1);
    expect_ended(true, 1, 0);
    WRITTEN(3, 0, 1);
    other_aborts();
    COMMITTED(2, 0, 1);
}

static void put_lookalike(const char *key, const char *value, const char *header)
{
    const struct producer_header h = {.name = header, .value = "1", .value_len = 1};
    const struct producer_record rec = {.topic = data,
                                        .partition = 1,
                                        .key = key,
                                        .key_len = key == NULL ? 0 : strlen(key),
                                        .value = value,
                                        .value_len = value == NULL ? 0 : strlen(value),
                                        .headers = &h,
                                        .n_headers = header == NULL ? 0 : 1};

    OK(producer_send(p, &rec, 0, &err));
}

Test(hanging, where_the_stand_hangs_too_closing_records_are_committed_and_known_as_such)
{
    other_opens("0s");
    transact("01s", true);
    succeed();
    expect_ended(true, 2, 1);
    OK(producer_begin(p, &err));
    put_lookalike(HANGING_KEY, "v", HANGING_HEADER);
    put_lookalike("sluice.closinG", "", HANGING_HEADER);
    put_lookalike("sluice.closing2", "", HANGING_HEADER);
    put_lookalike(NULL, "", HANGING_HEADER);
    put_lookalike(HANGING_KEY, "", NULL);
    put_lookalike(HANGING_KEY, "", "sluice.closed");
    OK(producer_commit(p, &err));
    other_aborts();
    COMMITTED(2, 7, 2);
    cr_expect_eq(count(data, 0, false).closing, 1);
    cr_expect_eq(count(data, 1, false).closing, 0);
    cr_expect_eq(count(stand, 0, false).closing, 0);
}

Test(hanging, it_ends_when_the_owner_is_no_owner_any_more)
{
    size_t ended = 99;

    other_opens("0");
    transact("0", false);
    cr_expect_eq(end_with(true, give_up, &ended), RC_FENCED, "%s: %s", rc_name(err.rc), err.text);
    cr_expect_str_eq(err.text, "the session is lost");
    cr_expect_eq(ended, 0);
    WRITTEN(2, 0, 0);
}
